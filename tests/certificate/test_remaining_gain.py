"""What is left to gain, from derivatives and products alone, against the minimum of a small problem."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.optimum import Small

from fastgd.certificate.remaining import RemainingGain
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.penalties import MCP, ElasticNet


def objective_of(X, y, loss, penalty):
    return pose(X, y, LOSSES.resolve(loss), penalty, False, RowOptions()).objective


def test_bound_is_tight_at_the_optimum_and_above_the_distance_elsewhere(rng):
    X, y = rng.integers(-16, 17, (7, 2)) / 8, np.array([1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
    reference = Small(X, y, "logistic", l2=0.3, intercept=False)
    best, w, _ = reference.least((np.zeros(2), 0.0))
    left = RemainingGain(objective_of(X, y, "logistic", ElasticNet(l2=0.3)))
    assert left.is_bound
    for at in (w, w + 0.5, w - 1.0):
        z = X @ at
        losses, derivatives = np.log1p(np.exp(-y * z)), -y / (1 + np.exp(y * z))
        products, level = derivatives @ X / 7, np.mean(losses - derivatives * z)
        bound = left.bound(0, at, products, losses.mean(), level)
        assert reference(at, 0.0) - best <= bound + 1e-12
        assert bound <= 1e-10 or at is not w


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_estimate_is_exact_for_least_squares_of_orthogonal_columns(l2):
    X, y, l1 = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([3.0, -1.0]), 0.25
    left = RemainingGain(objective_of(X, y, "half_squared", ElasticNet(l1=l1, l2=l2)))
    curvatures = (X**2).mean(axis=0)

    def F(w):
        return np.mean((X @ w - y) ** 2) / 2 + l1 * np.abs(w).sum() + l2 / 2 * (w @ w)

    correlation = X.T @ y / 2
    best = np.sign(correlation) * np.maximum(np.abs(correlation) - l1, 0.0) / (curvatures + l2)
    for at in (np.array([1.0, 2.0]), np.zeros(2), best):
        products = X.T @ (X @ at - y) / 2
        assert left.estimate(0, at, products, curvatures) == pytest.approx(F(at) - F(best), abs=1e-14)


def test_a_penalty_without_a_conjugate_leaves_an_estimate():
    X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    assert not RemainingGain(objective_of(X, y, "half_squared", MCP(0.1))).is_bound
