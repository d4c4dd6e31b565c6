"""Conjugate gradients on the Hessian by products, and what they say is left to gain where parameters are many."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit

import fastgd
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.kernels.update_step import Preconditioner
from fastgd.losses import LOSSES
from fastgd.objective.sampled_hessian import HessianSample
from fastgd.objective.scaled_objective import ScaledObjective
from fastgd.penalties import ElasticNet
from fastgd.solvers.conjugate_gradients import conjugate_gradients

N, D = 200, 6


@pytest.fixture
def quadratic(rng):
    """X'X of columns of different sizes, and X'r: the Hessian and the gradient of a least-squares problem."""
    X = rng.normal(size=(45, 30)) * np.geomspace(1, 0.1, 30)
    return X.T @ X, (rng.normal(size=45) @ X)[None]


def test_minimum_of_a_quadratic(quadratic, monkeypatch):
    H, gradient = quadratic
    monkeypatch.setattr("fastgd.solvers.conjugate_gradients.MIN_SHARE", 1e-14)
    found = conjugate_gradients(lambda x: x @ H, gradient, H.diagonal()[None])
    best = -np.linalg.solve(H, gradient[0])
    np.testing.assert_allclose(found.change[0], best, rtol=1e-6)
    assert found.decrease == pytest.approx(-0.5 * gradient[0] @ best, rel=1e-9)


def test_iterations_end_when_a_digit_is_known(quadratic):
    H, gradient = quadratic
    calls = []
    found = conjugate_gradients(lambda x: calls.append(x) or x @ H, gradient, H.diagonal()[None])
    best = 0.5 * gradient[0] @ np.linalg.solve(H, gradient[0])
    assert 0.5 * best < found.decrease <= best * (1 + 1e-9)
    assert len(calls) < 30


@pytest.mark.parametrize("gradient", [[1.0, np.nan], [1.0, 1.0]], ids=["not finite", "no curvature"])
def test_no_minimum(gradient):
    H = np.diag([1.0, 0.0])
    assert conjugate_gradients(lambda x: x @ H, np.array([gradient]), H.diagonal()[None]).decrease == np.inf


def test_nothing_left():
    assert conjugate_gradients(lambda x: x, np.zeros((1, 3)), np.ones((1, 3))).decrease == 0.0


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "CSR"])
@pytest.mark.parametrize("loss", ["logistic", "squared", "softmax"])
def test_products_match_the_hessian(rng, loss, sparse):
    X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.5)
    y = rng.integers(0, 3 if loss == "softmax" else 2, N)
    weight = rng.uniform(0.5, 2.0, N)
    problem = pose(
        sp.csr_array(X) if sparse else X, y, LOSSES.resolve(loss), ElasticNet(l2=0.1), True,
        RowOptions(sample_weight=weight),
    ).objective  # fmt: skip
    scaled = ScaledObjective(problem, Preconditioner(rng.normal(size=D), 2.0 ** rng.integers(-3, 3, D)))
    sample = HessianSample.draw(scaled, N, 0)
    z, change = sample.predictors(rng.normal(size=problem.n_outputs * (D + 1)).reshape(scaled.shape).squeeze()), None
    product, diagonal = sample.products(z)
    whole = sample.matrices(z, ridge=0.0)
    for change in rng.normal(size=(3, *scaled.shape)):
        if loss == "softmax":
            change -= change.mean(axis=0)  # the matrix has curvature along the flat directions of the intercepts
            expected = (whole[0] @ change.ravel()).reshape(change.shape)
        else:
            expected = np.einsum("kij,kj->ki", whole, change)
        np.testing.assert_allclose(product(change), expected, rtol=1e-10, atol=1e-12)
    if loss != "softmax":
        np.testing.assert_allclose(diagonal, np.einsum("kii->ki", whole), rtol=1e-12)


def test_a_wide_fit_without_a_penalty_says_that_it_has_converged(rng):
    """More parameters than a Hessian may have, and a loss without a bound."""
    n, d = 6000, 1450
    X = rng.normal(size=(n, d)) * np.linspace(0.1, 2, d)
    y = np.where(X @ rng.normal(size=d) / 60 + rng.logistic(size=n) > 0, 1.0, -1.0)

    def value(p):
        z = y * (X @ p[:d] + p[d])
        r = -y * expit(-z) / n
        return np.logaddexp(0, -z).mean(), np.append(X.T @ r, r.sum())

    best = minimize(value, np.zeros(d + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-14}).fun
    result = fastgd.fit(X, y, loss="logistic")
    assert (result.method, result.stop_reason) == ("lbfgs", "tol")
    assert value(np.append(result.coef, result.intercept))[0] - best < 1e-3 * (np.log(2) - best)
    barely = fastgd.fit(X, y, loss="logistic", max_epochs=2)
    assert not barely.converged
