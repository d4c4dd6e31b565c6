"""Sums over the rows of float32 data: their error is at most 1e-6, however many rows there are.

Each quarter of the rows is constant, and its z is exact, so that sums are known as fractions. A product of two numbers
in float32 is rounded the same way in every row of a quarter: a few 2^-24 are left. A sum in float32 of a million rows
is wrong by 1e-3 or more.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from helpers.campaign_figures import record

import fastgd
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_access import CSR
from fastgd.kernels.row_targets import Targets
from fastgd.losses import LOSSES
from fastgd.objective.column_statistics import moments_of
from fastgd.objective.objective import Objective
from fastgd.penalties import ElasticNet

BOUND = 1e-6
XS = np.array([[0.1, -3.3], [0.7, 0.3], [1e-3, 2.1], [5.9, 1e3]], np.float32)
YS = np.array([0.3, -2.7, 11.1, 0.9])
COEF, INTERCEPT = (0.5, 0.0), 0.25  # one column at a power of two: float32 has every z exactly
CONSTANT = np.float32(0.3)


class Blocks(NamedTuple):
    """Rows in four constant quarters, and exact means over them."""

    X: np.ndarray
    y: np.ndarray
    loss: float
    gradient: list[float]
    squares: list[float]
    mean: float


def exact(values) -> list[float]:
    return [float(value) for value in values]


def make(n: int) -> Blocks:
    xs = [[Fraction(float(x)) for x in row] for row in XS]
    slopes = [x[0] / 2 + Fraction(INTERCEPT) - Fraction(y) for x, y in zip(xs, YS.tolist(), strict=True)]
    loss = sum(slope**2 for slope in slopes) / 8
    gradient = [sum(s * x[j] for s, x in zip(slopes, xs, strict=True)) / 4 for j in range(2)]
    squares = [sum(x[j] ** 2 for x in xs) / 4 for j in range(2)]
    return Blocks(
        np.repeat(XS, n // 4, axis=0), np.repeat(YS, n // 4), float(loss),
        [*exact(gradient), float(sum(slopes) / 4)], exact(squares), float(sum(x[0] for x in xs) / 4),
    )  # fmt: skip


@pytest.fixture(
    scope="module", params=[1_000_000, pytest.param(100_000_000, marks=pytest.mark.campaign)], ids=["1e6", "1e8"]
)
def blocks(request):
    return make(request.param)


def errors(found, expected) -> np.ndarray:
    return np.abs(np.asarray(found) - expected) / np.abs(expected)


def assert_within_bound(n, name, found, expected):
    largest = float(errors(found, expected).max())
    record("numbers", **{f"float32_error_of_{name}_over_{n:.0e}_rows": largest})
    assert largest <= BOUND, (name, found, expected)


def objective_of(blocks) -> Objective:
    rows = MemoryRows(blocks.X, Targets(blocks.y))
    return Objective(rows, LOSSES["half_squared"](), ElasticNet())


def test_loss_and_gradient(blocks):
    objective, n = objective_of(blocks), len(blocks.y)
    params = np.array([*COEF, INTERCEPT])
    found = objective.evaluate(params)
    assert_within_bound(n, "loss", found.losses[0], blocks.loss)
    assert_within_bound(n, "gradient", found.gradient, blocks.gradient)
    assert_within_bound(n, "value", objective.value(params), blocks.loss)


@pytest.mark.campaign  # the kernel takes ten seconds to compile
def test_gradient_of_several_outputs(blocks):
    params = np.array([[*COEF, INTERCEPT]] * 2)
    found = objective_of(blocks).side_by_side(np.ones(2), np.ones(2)).evaluate(params)
    n = len(blocks.y)
    assert_within_bound(n, "losses_of_outputs", found.losses, [blocks.loss] * 2)
    assert_within_bound(n, "gradients_of_outputs", found.gradient, [blocks.gradient] * 2)


def test_mean_squares(blocks):
    assert_within_bound(len(blocks.y), "mean_squares", objective_of(blocks).mean_squares, blocks.squares)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_moments_of_columns(blocks, layout):
    """A constant column is read in all rows: it has its value as mean, and no spread, by which it would be divided."""
    n = len(blocks.y)
    X = np.column_stack([blocks.X[:, 0], np.full(n, CONSTANT)])
    if layout == "sparse":
        X = CSR(X.ravel(), np.tile(np.arange(2, dtype=np.int32), n), np.arange(n + 1) * 2, 2)
    share = np.full(n, 1.0 / n)
    mean, variance = moments_of(X, share)
    assert_within_bound(n, f"means_of_{layout}_columns", mean, [blocks.mean, float(CONSTANT)])
    assert_within_bound(n, f"variance_of_{layout}_column", variance[0], blocks.squares[0] - blocks.mean**2)
    assert variance[1] == 0.0


def test_objective_of_a_fit(blocks):
    """F and the intercept of a fit of constants: the mean of y, and half its variance."""
    X = np.zeros((len(blocks.y), 1), np.float32)
    result = fastgd.fit(X, blocks.y, loss="half_squared", method="gd", max_epochs=3)
    mean = sum(map(Fraction, YS.tolist())) / 4
    variance = sum((Fraction(y) - mean) ** 2 for y in YS.tolist()) / 4
    assert_within_bound(len(blocks.y), "intercept", result.intercept, float(mean))
    assert_within_bound(len(blocks.y), "objective_of_fit", result.objective, float(variance / 2))
