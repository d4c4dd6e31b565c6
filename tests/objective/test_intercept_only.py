"""Models of an intercept alone: their loss, and that methods start from them where zero is far off."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from fastgd.solvers.first_point import first_point
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp

import fastgd
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.kernels.update_step import Preconditioner
from fastgd.losses import LOSSES
from fastgd.objective.intercept_only import best_constant, best_intercepts, loss_at_zero
from fastgd.objective.sampled_hessian import HessianSample
from fastgd.objective.scaled_objective import ScaledObjective
from fastgd.penalties import ElasticNet

random = np.random.default_rng(21)
N, D = 240, 4
X = random.normal(size=(N, D))
WEIGHT, OFFSET = random.random(N) + 0.5, random.normal(size=N)
COUNTS = random.poisson(3000 * np.exp(0.3 * X[:, 0] - 0.2 * X[:, 1])).astype(float)
TARGETS = {
    "poisson": COUNTS,
    "gamma": COUNTS + 1.0,
    "tweedie": COUNTS,
    "logistic": np.where(random.random(N) < 0.03, 1.0, -1.0),
    "squared": 50.0 + random.normal(size=N),
    "huber": 1e4 + 100.0 * random.normal(size=N),
    "absolute": 1e4 + 100.0 * random.normal(size=N),
}


def posed(y, loss, form=np.asarray, fit_intercept=True, **rows):
    return pose(form(X), y, LOSSES.resolve(loss), ElasticNet(l2=0.1), fit_intercept, RowOptions(**rows)).objective


def losses_of(loss, y, z):
    value = LOSSES[loss]().value
    return np.array([value(*each) for each in zip(y, z, strict=True)])


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("rows", [{}, {"sample_weight": WEIGHT, "offset": OFFSET}])
@pytest.mark.parametrize("loss", TARGETS)
def test_best_constant_matches_scipy(loss, rows, form):
    y, share = TARGETS[loss], rows.get("sample_weight", np.ones(N))

    def at(c):
        return (share / share.sum()) @ losses_of(loss, y, c + rows.get("offset", np.zeros(N)))

    about = {"poisson": 8, "gamma": 8, "tweedie": 8, "logistic": -3, "squared": 50}.get(loss, 1e4)
    best = minimize_scalar(at, bracket=(about - 1, about + 1), tol=1e-12)
    problem = posed(y, loss, form, **rows)
    (found,), (lost,) = best_intercepts(problem)
    assert lost == pytest.approx(best.fun, rel=1e-9)
    assert at(found) == pytest.approx(best.fun, rel=1e-9)
    assert best_constant(problem) == lost
    assert loss_at_zero(problem) == pytest.approx(at(0.0), rel=1e-12)


def test_each_output_has_its_own_best_intercept():
    y = np.column_stack([COUNTS, 0.01 * COUNTS])
    found, lost = best_intercepts(posed(y, "poisson"))
    np.testing.assert_allclose(found, np.log(y.mean(axis=0)), rtol=1e-6)
    alone = [best_constant(posed(column, "poisson")) for column in y.T]
    np.testing.assert_allclose(lost, alone, rtol=1e-12)


def test_best_intercepts_of_softmax_give_the_class_shares():
    y = np.repeat([0, 1, 2], [N // 2, N // 3, N // 6])
    found, lost = best_intercepts(posed(y, "softmax", sample_weight=WEIGHT))
    shares = np.bincount(y, WEIGHT) / WEIGHT.sum()
    np.testing.assert_allclose(np.exp(found - logsumexp(found)), shares, rtol=1e-12)
    assert lost.sum() == pytest.approx(-shares @ np.log(shares), rel=1e-12)


def test_without_an_intercept_the_best_constant_is_zero():
    problem = posed(COUNTS, "poisson", fit_intercept=False)
    found, lost = best_intercepts(problem)
    assert found == [0.0]
    assert lost == problem.mean_losses(problem.zeros())


def test_best_intercepts_of_every_seventh_row():
    found, _ = best_intercepts(posed(COUNTS, "poisson", sample_weight=WEIGHT), every=7)
    some = slice(None, None, 7)
    assert found[0] == pytest.approx(np.log(np.average(COUNTS[some], weights=WEIGHT[some])), rel=1e-7)


# --- Methods that start there -----------------------------------------------------------------------------------------

MANY = random.normal(size=(20_000, D))
del random  # tests draw from the fixture `rng`
OPTIONS = {"loss": "poisson", "alpha": 1e-3}


def least_of_poisson(X, y):
    columns, ridge = np.column_stack([X, np.ones(len(X))]), 1e-3 * np.array([1.0] * D + [0.0])

    def objective(w):
        z = columns @ w
        return (np.exp(z) - y * z).mean() + ridge @ w**2 / 2

    def gradient(w):
        return columns.T @ (np.exp(columns @ w) - y) / len(y) + ridge * w

    start = np.array([0.0] * D + [np.log(y.mean())])
    return minimize(objective, start, jac=gradient, method="BFGS", options={"gtol": 1e-9}).fun


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
@pytest.mark.parametrize("rows", [X, MANY], ids=["few", "many"])  # newton's Hessian uses all rows, or a sample
def test_counts_of_thousands_take_few_passes(rng, rows, method):
    y = rng.poisson(3000 * np.exp(rows @ [0.3, -0.2, 0.1, 0.0])).astype(float)
    result = fastgd.fit(rows, y, method=method, tol=1e-7, **OPTIONS)
    assert result.converged
    assert result.objective == pytest.approx(least_of_poisson(rows, y), rel=1e-10)
    assert result.trace["passes"][-1] < {"newton": 16, "lbfgs": 24}[method]
    assert result.trace["objective"][0] == 1.0  # the trace starts at zero weights all the same


def test_several_outputs_start_at_their_own_constants():
    y = np.column_stack([COUNTS, COUNTS[::-1] * 0.01])
    result = fastgd.fit(X, y, method="newton", tol=1e-7, **OPTIONS)
    assert result.trace["passes"][-1] < 16
    assert result.objective == pytest.approx(sum(least_of_poisson(X, column) for column in y.T), rel=1e-10)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_tol_is_relative_to_the_gradient_at_the_best_constant(method):
    """The gradient at zero is 3,000 times as large: 1e-4 of it would be most of what X explains."""
    columns, at_constant = np.column_stack([X, np.ones(N)]), COUNTS.mean()
    norm = np.linalg.norm(columns.T @ (at_constant - COUNTS) / N)
    for tol in np.geomspace(0.3, 1e-6, 12):
        result = fastgd.fit(X, COUNTS, method=method, tol=tol, **OPTIONS)
        small = result.trace["gradient_norm"][1:] <= tol * norm
        assert not small[:-1].any()
        assert small[-1]


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_amounts_of_thousands_reach_the_optimum_by_default(method):
    result = fastgd.fit(X, TARGETS["gamma"], loss="gamma", method=method)
    least = fastgd.fit(X, TARGETS["gamma"], loss="gamma", method=method, tol=1e-10).objective
    assert result.objective - least < 1e-6 * (best_constant(posed(TARGETS["gamma"], "gamma")) - least)


@pytest.mark.parametrize("coef", [0.0, 0.1])
def test_training_starts_at_a_given_start(coef):
    problem = posed(COUNTS, "poisson")
    scaled = ScaledObjective(problem, Preconditioner.identity(D))
    params = np.array([coef, 0.0, 0.0, 0.0, 0.0])
    start = problem.evaluate(params)
    begun = first_point(scaled, HessianSample.draw(scaled, N, 0), params, start).at
    assert problem.passes.training == (1.0 if coef else 2.0)
    np.testing.assert_array_equal(begun.gradient, problem.evaluate(begun.params).gradient)
    if coef:
        assert begun is start
    else:
        np.testing.assert_allclose(begun.params, [0, 0, 0, 0, np.log(COUNTS.mean())], rtol=1e-6)
