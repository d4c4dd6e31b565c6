"""Interior points for losses with kinks: the optimum, proved, in any unit, with weights, offsets, penalties, any X."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.optimum import Small

import fastgd
from fastgd import OptionError
from fastgd.losses import LOSSES
from fastgd.solvers import interior_point

random = np.random.default_rng(31)
N, D = 90, 4
X = random.normal(size=(N, D))
NUMBERS = 5.0 + X @ [2.0, -1.0, 0.0, 0.0] + random.standard_t(2, N)
LABELS = np.where(X @ [1.0, -1.0, 0.5, 0.0] + random.normal(size=N) > 0.3, 1.0, -1.0)
WEIGHT, OFFSET = random.random(N) + 0.2, random.normal(size=N)
del random
KINKED = {
    "absolute": NUMBERS,
    "quantile": NUMBERS,
    "epsilon_insensitive": NUMBERS,
    "hinge": LABELS,
}
PENALTIES = [{}, {"l1": 0.05}]  # those of HiGHS; the zoo has l2 too


def penalty_of(l1=0.0, l2=0.0):
    alpha = l1 + l2
    return {"penalty": "elasticnet", "alpha": alpha, "l1_ratio": l1 / alpha} if alpha else {}


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("loss", KINKED)
def test_the_optimum_and_its_proof(loss, penalty):
    y = KINKED[loss]
    for rows in ({}, {"sample_weight": WEIGHT, "offset": OFFSET}):
        result = fastgd.fit(X, y, loss=loss, method="interior_point", tol=1e-10, **penalty_of(**penalty), **rows)
        small = Small(X, y, loss, weight=rows.get("sample_weight"), offset=rows.get("offset"), **penalty)
        optimum = small.least((np.zeros(D), 0.0))[0]
        value = small(result.coef, result.intercept)
        assert result.objective == pytest.approx(value, rel=1e-11)
        assert value <= optimum * (1 + 1e-9)
        assert result.converged
        assert result.gap_bound >= value - optimum - 1e-12 * abs(value)
        assert result.gap_bound <= 1e-9 * result.constant_objective


@pytest.mark.parametrize("form", [sp.csr_array, np.float32], ids=["csr", "float32"])
def test_other_forms_of_X_have_the_same_optimum(form):
    dense = fastgd.fit(X, NUMBERS, loss="absolute", tol=1e-10)
    X32 = form(X) if form is sp.csr_array else X.astype(np.float32)
    other = fastgd.fit(X32, NUMBERS, loss="absolute", tol=1e-10)
    assert dense.method == other.method == "interior_point"
    np.testing.assert_allclose(other.objective, dense.objective, rtol=1e-6)


@pytest.mark.parametrize(("scale", "mean"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e9), (1e6, 1e12)])
def test_the_units_of_y_do_not_matter(scale, mean):
    plain = fastgd.fit(X, NUMBERS, loss="quantile:quantile=0.9", tol=1e-9)
    other = fastgd.fit(X, mean + scale * NUMBERS, loss="quantile:quantile=0.9", tol=1e-9)
    assert other.converged
    assert other.objective == pytest.approx(scale * plain.objective, rel=1e-6)


def test_without_an_intercept():
    result = fastgd.fit(X, NUMBERS, loss="absolute", fit_intercept=False, tol=1e-10)
    least = Small(X, NUMBERS, "absolute", intercept=False).least((np.zeros(D), 0.0))[0]
    assert result.objective == pytest.approx(least, rel=1e-9)


def test_penalty_weights():
    weights = np.array([0.0, 1.0, 10.0, 0.5])
    result = fastgd.fit(X, NUMBERS, loss="absolute", penalty="l1", alpha=0.05, penalty_weights=weights, tol=1e-10)
    least = Small(X, NUMBERS, "absolute", l1=0.05, factors=weights).least((np.zeros(D), 0.0))[0]
    assert result.objective == pytest.approx(least, rel=1e-9)


def test_several_targets_are_solved_each():
    Y = np.column_stack([NUMBERS, -2.0 * NUMBERS + X[:, 2]])
    result = fastgd.fit(X, Y, loss="absolute", tol=1e-10)
    alone = [fastgd.fit(X, y, loss="absolute", tol=1e-10).objective for y in Y.T]
    assert result.objective == pytest.approx(sum(alone), rel=1e-9)
    assert result.gap_bound < 1e-8


@pytest.mark.parametrize("loss", ["quantile:quantile=0.95", "epsilon_insensitive:epsilon=0.5", "hinge"])
def test_many_rows_are_solved_by_a_sample_and_the_pieces_near_its_fit(rng, monkeypatch, loss):
    monkeypatch.setattr(interior_point, "SAMPLE_PIECES", 500)
    n = 6000
    rows = rng.normal(size=(n, 3))
    y = rows @ [1.0, 2.0, 0.0] + rng.standard_t(3, n)
    if loss == "hinge":
        y = np.where(y > 0.5, 1, 0)
    options = {"loss": loss, "alpha": 1e-3 if loss == "hinge" else 0.0, "tol": 1e-9}
    result = fastgd.fit(rows, y, **options)
    assert result.converged
    monkeypatch.undo()
    whole = fastgd.fit(rows, y, **options)
    assert result.objective == pytest.approx(whole.objective, rel=1e-8)
    assert result.passes["training"] < whole.passes["training"]


def test_more_columns_than_rows_interpolate(rng):
    wide = rng.normal(size=(15, 30))
    result = fastgd.fit(wide, rng.normal(size=15), loss="absolute")
    assert result.converged
    assert result.objective < 1e-10


@fastgd.term
class Tilted:
    """2 (z - y) above y, (y - z) below."""

    convex: ClassVar[bool] = True

    def value(self, y: float, z: float) -> float:
        return max(2.0 * (z - y), y - z)

    def derivative(self, y: float, z: float) -> float:
        return 2.0 if z > y else -1.0

    def pieces(self, y):
        return y, np.full_like(y, -1.0), np.full_like(y, 2.0)


def test_a_loss_of_the_users_own_takes_part():
    result = fastgd.fit(X, NUMBERS, loss=Tilted(), tol=1e-10)
    same = fastgd.fit(X, NUMBERS, loss="quantile:quantile=0.3333333333333333", tol=1e-10)
    assert result.method == "interior_point"
    assert result.objective == pytest.approx(3.0 * same.objective, rel=1e-9)


@pytest.mark.parametrize("name", ["absolute", "quantile", "epsilon_insensitive", "hinge", "perceptron"])
def test_pieces_sum_up_to_the_loss(rng, name):
    loss, z = LOSSES[name](), rng.normal(size=50)
    y = LABELS[:50] if name in ("hinge", "perceptron") else rng.normal(size=50)
    t, low, high = (np.atleast_2d(part) for part in loss.pieces(y))
    summed = np.maximum(low * (z - t), high * (z - t)).sum(axis=0)
    np.testing.assert_allclose(summed, [loss.value(*pair) for pair in zip(y, z, strict=True)], atol=1e-12)


def test_other_losses_and_penalties_are_refused():
    with pytest.raises(OptionError, match="for piecewise-linear losses"):
        fastgd.fit(X, NUMBERS, loss="squared", method="interior_point")
    with pytest.raises(OptionError, match="with the penalties l1, l2 and elasticnet"):
        fastgd.fit(X, NUMBERS, loss="absolute", method="interior_point", penalty="mcp", alpha=0.1)


def test_the_limit_on_passes_is_kept():
    result = fastgd.fit(X, NUMBERS, loss="absolute", max_epochs=10, tol=1e-12)
    assert result.stop_reason == "max_epochs"
    assert not result.converged
    assert result.passes["training"] <= 11
