"""Models of an intercept alone: their loss, and that methods start from them where zero is far off."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp

import fastgd
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.objective.intercept_only import best_constant
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


def posed(y, loss, form=np.asarray, fit_intercept=True, X=X, **rows):
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
    found = best_constant(problem)
    assert found.losses[0] == pytest.approx(best.fun, rel=1e-9)
    assert at(found.intercepts[0]) == pytest.approx(best.fun, rel=1e-9)
    assert found.objective == found.losses[0]
    assert found.losses_at_zero[0] == pytest.approx(at(0.0), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize(("loss", "share"), [("absolute", 0.5), ("quantile:quantile=0.9", 0.9)])
def test_the_best_constant_of_losses_with_kinks_is_a_quantile_in_any_unit(rng, loss, share, unit):
    y = unit * (1e3 + rng.standard_cauchy(101))
    found = best_constant(posed(y, loss, X=X[:101]))
    quantile = np.quantile(y, share, method="inverted_cdf")
    reference = np.mean(np.maximum(share * (y - quantile), (share - 1.0) * (y - quantile)))
    assert found.losses[0] == pytest.approx(reference * (2.0 if loss == "absolute" else 1.0), rel=1e-9)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "modified_huber", "logistic"])
def test_rare_labels_have_their_best_constant(loss):
    y = np.where(np.arange(N) < 3, 1.0, -1.0)
    best = minimize_scalar(lambda c: losses_of(loss, y, np.full(N, c)).mean(), bracket=(-2.0, 0.0), tol=1e-12)
    assert best_constant(posed(y, loss)).objective == pytest.approx(best.fun, rel=1e-9)


def test_each_output_has_its_own_best_intercept():
    y = np.column_stack([COUNTS, 0.01 * COUNTS])
    found = best_constant(posed(y, "poisson"))
    np.testing.assert_allclose(found.intercepts, np.log(y.mean(axis=0)), rtol=1e-12)
    alone = [best_constant(posed(column, "poisson")).objective for column in y.T]
    np.testing.assert_allclose(found.losses, alone, rtol=1e-12)


def test_best_intercepts_of_softmax_give_the_class_shares():
    y = np.repeat([0, 1, 2], [N // 2, N // 3, N // 6])
    found = best_constant(posed(y, "softmax", sample_weight=WEIGHT))
    shares = np.bincount(y, WEIGHT) / WEIGHT.sum()
    np.testing.assert_allclose(np.exp(found.intercepts - logsumexp(found.intercepts)), shares, rtol=1e-12)
    assert found.objective == pytest.approx(-shares @ np.log(shares), rel=1e-12)


def test_without_an_intercept_the_best_constant_is_zero():
    problem = posed(COUNTS, "poisson", fit_intercept=False)
    found = best_constant(problem)
    assert found.intercepts == [0.0]
    assert found.losses == problem.mean_losses(problem.zeros())


def test_zero_stays_where_no_constant_is_better():
    found = best_constant(posed(np.where(np.arange(N) < N // 2, 1.0, -1.0), "perceptron"))
    assert found.intercepts == [0.0]
    assert found.objective == 0.0


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
    result = fastgd.fit(rows, y, method=method, tol=1e-12, **OPTIONS)
    assert result.converged
    assert result.objective == pytest.approx(least_of_poisson(rows, y), rel=1e-10)
    assert result.trace["passes"][-1] < {"newton": 16, "lbfgs": 24}[method]
    assert result.trace["objective"][0] == pytest.approx(
        best_constant(posed(y, "poisson", X=rows)).objective, rel=1e-12
    )


def test_several_outputs_start_at_their_own_constants():
    y = np.column_stack([COUNTS, COUNTS[::-1] * 0.01])
    result = fastgd.fit(X, y, method="newton", tol=1e-12, **OPTIONS)
    assert result.trace["passes"][-1] < 16
    assert result.objective == pytest.approx(sum(least_of_poisson(X, column) for column in y.T), rel=1e-10)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_amounts_of_thousands_reach_the_optimum_by_default(method):
    result = fastgd.fit(X, TARGETS["gamma"], loss="gamma", method=method)
    least = fastgd.fit(X, TARGETS["gamma"], loss="gamma", method=method, tol=1e-10).objective
    to_gain = best_constant(posed(TARGETS["gamma"], "gamma")).objective - least
    assert result.objective - least < {"newton": 1e-6, "lbfgs": 1e-4}[method] * to_gain


@pytest.mark.parametrize("method", ["gd", "sgd", "minibatch", "newton", "lbfgs", "svrg", "saga"])
def test_every_method_begins_at_the_best_constant_unless_a_start_is_given(method):
    y = TARGETS["squared"]
    options = {"loss": "squared", "method": method, "max_epochs": 2, "tol": 0}
    begun = fastgd.fit(X, y, **options)
    np.testing.assert_allclose(begun.path[0], [0, 0, 0, 0, y.mean()], rtol=1e-12)
    assert begun.constant_objective == pytest.approx(y.var(), rel=1e-12)
    assert fastgd.fit(X, y, start=0.0, **options).path[0].tolist() == [0.0] * 5
