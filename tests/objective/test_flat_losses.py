"""Losses without curvature where training starts, as huber far beyond delta, still reach the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import fastgd
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.second_derivatives import curvatures, curvatures_of_outputs
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.objective import Objective
from fastgd.objective.sampled_hessian import HessianSample
from fastgd.objective.scaled_objective import ScaledObjective
from fastgd.penalties import ElasticNet
from fastgd.rules import SGD
from fastgd.solvers.curvature_models import LimitedMemory
from fastgd.solvers.quasi_newton import ArmijoSearch

random = np.random.default_rng(5)
N, D, DELTA, ALPHA = 300, 4, 1.35, 1e-3
X = random.normal(size=(N, D))
FAR = 1e4 + 50.0 * X[:, 0] + random.normal(size=N)  # everywhere thousands of deltas from 0
SIDES = np.where(random.random(N) < 0.5, 1e3, -1e3) + 50.0 * X[:, 0]
del random  # tests draw from the fixture `rng`


def least_objective(y):
    """By iteratively reweighted least squares, and SciPy from there."""
    columns, ridge = np.column_stack([X, np.ones(N)]), ALPHA * np.array([1.0] * D + [0.0])

    def objective(w):
        r = np.abs(columns @ w - y)
        losses = np.where(r <= DELTA, r**2 / 2, DELTA * (r - DELTA / 2))
        return losses.mean() + ridge @ w**2 / 2

    def gradient(w):
        return columns.T @ np.clip(columns @ w - y, -DELTA, DELTA) / N + ridge * w

    w = np.linalg.lstsq(columns, y, rcond=None)[0]
    for _ in range(2000):
        shares = np.minimum(1.0, DELTA / np.abs(columns @ w - y)) / N
        w = np.linalg.solve((columns.T * shares) @ columns + np.diag(ridge), (columns.T * shares) @ y)
    return min(objective(w), minimize(objective, w, jac=gradient, method="BFGS", options={"gtol": 1e-12}).fun)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_huber_reaches_the_optimum_from_a_distant_start(method):
    result = fastgd.fit(X, FAR, loss="huber", alpha=ALPHA, method=method, tol=1e-10, max_epochs=60)
    assert result.converged
    assert result.objective == pytest.approx(least_objective(FAR), rel=1e-8)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_distant_rows_on_both_sides_are_not_taken_for_an_optimum(method):
    """The gradients nearly cancel and the curvature is zero; training must not stop there."""
    least, start = least_objective(SIDES), np.abs(SIDES).mean() * DELTA - DELTA**2 / 2
    result = fastgd.fit(X, SIDES, loss="huber", alpha=ALPHA, method=method, max_epochs=100)
    assert result.objective - least < 0.01 * (start - least)
    assert result.stop_reason != "precision"


def test_several_outputs_reach_the_optimum_from_a_distant_start():
    options = {"loss": "huber", "alpha": ALPHA, "method": "newton", "tol": 1e-8, "max_epochs": 60}
    result = fastgd.fit(X, np.column_stack([FAR, -0.5 * FAR]), **options)
    assert result.converged
    wanted = least_objective(FAR) + least_objective(-0.5 * FAR)
    assert result.objective == pytest.approx(wanted, rel=1e-8)


def quotients(loss, y, z, wider):
    """What `curvatures` and `curvatures_of_outputs` say, the latter of one output."""
    one, several = np.empty(len(y)), np.empty((len(y), 1))
    flat = curvatures(Targets(y), z, LOSSES[loss](), 0.0, wider, one)
    as_well = curvatures_of_outputs(Targets(y[:, None]), z[:, None], LOSSES[loss](), wider, *np.zeros((3, 1)), several)
    assert flat == as_well
    np.testing.assert_array_equal(one, several[:, 0])
    return flat, one


def test_flat_rows_have_a_gradient_but_no_curvature():
    y, z = np.array([0.0, 0.0, 100.0, -100.0]), np.array([0.5, 0.0, 0.0, 0.0])
    flat, found = quotients("huber", y, z, 1.0)
    assert flat == 2
    np.testing.assert_allclose(found, [1.0, 1.0, 0.0, 0.0], rtol=1e-6)
    flat, found = quotients("huber", y, z, 2e8)  # steps of 200
    assert flat == 0
    np.testing.assert_allclose(found, [1.0, 1.0, DELTA / 200, DELTA / 200], rtol=1e-6)


def test_rows_without_gradient_are_not_flat():
    """Beyond its margin the squared hinge is constant: its rows are not flat for any step."""
    flat, found = quotients("squared_hinge", np.array([1.0, 1.0]), np.array([2.0, 0.0]), 1e8)
    assert flat == 0
    np.testing.assert_allclose(found, [0.0, 2.0], rtol=1e-6)


def huber_without_scales(y):
    """F on the first len(y) rows of X."""
    objective = Objective(MemoryRows(X[: len(y)], Targets(y)), LOSSES["huber"](), ElasticNet())
    return ScaledObjective(objective, Preconditioner.identity(D))


@pytest.mark.parametrize(("n_near", "n_far", "smoothed"), [(30, 270, False), (12, 10, False), (10, 12, True)])
def test_a_hessian_is_smoothed_where_most_rows_are_flat_and_few_curve(n_near, n_far, smoothed):
    """Few: fewer than four for each of the five parameters."""
    y = np.repeat([0.0, 50.0], [n_near, n_far])
    matrix = HessianSample.draw(huber_without_scales(y), len(y), 0).hessian(np.zeros(D + 1)).matrices[0]
    columns = np.column_stack([X[: len(y)], np.ones(len(y))])
    exact = columns[:n_near].T @ columns[:n_near] / len(y)
    if smoothed:
        assert np.linalg.eigvalsh(matrix - exact).min() > 0
    else:
        np.testing.assert_allclose(matrix, exact, rtol=1e-6, atol=1e-8)


def test_a_nan_decrease_of_the_model_does_not_end_the_descent():
    scaled = huber_without_scales(FAR)
    stepper = Stepper.make(SGD(), ElasticNet(), scaled.preconditioner, D + 1)
    search = ArmijoSearch(scaled, stepper, longest=1.0)
    nowhere = LimitedMemory(None, np.full((1, D + 1), np.nan), largest=1.0)
    assert not search.is_exhausted(search.start(scaled.evaluate(np.zeros(D + 1)), nowhere))
