"""The classes that replace scikit-learn's end at the same optima, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import linear_model as theirs

import fastgd.sklearn as ours

pytestmark = pytest.mark.plain_python

OLD = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8)


def logistic(penalty="l2", l1_ratio=0.0, C=0.5, **others):
    """Parameters of LogisticRegression, by the names that this version has."""
    if OLD:
        given = {"penalty": penalty, "C": C, "l1_ratio": l1_ratio if penalty == "elasticnet" else None}
    else:
        given = {"C": np.inf if penalty is None else C, "l1_ratio": l1_ratio}
    return {**given, "solver": "saga" if l1_ratio else "lbfgs", "max_iter": 50_000, "tol": 1e-9, **others}


CASES = {
    "logistic": ("LogisticRegression", logistic(), "two"),
    "logistic, no intercept": ("LogisticRegression", logistic(fit_intercept=False), "two"),
    "logistic, unpenalised": ("LogisticRegression", logistic(None), "two"),
    "logistic, l1": ("LogisticRegression", logistic("l1", 1.0), "two"),
    "logistic, elastic net": ("LogisticRegression", logistic("elasticnet", 0.4), "two"),
    "logistic, balanced": ("LogisticRegression", logistic(class_weight="balanced"), "words"),
    "logistic, class weights": ("LogisticRegression", logistic(class_weight={"a": 2.0, "b": 0.5}), "words"),
    "softmax": ("LogisticRegression", logistic(), "three"),
    "ridge": ("Ridge", {"alpha": 3.0}, "numbers"),
    "ridge, no intercept": ("Ridge", {"alpha": 3.0, "fit_intercept": False}, "numbers"),
    "ridge, targets": ("Ridge", {"alpha": 3.0}, "targets"),
    "ridge, alphas": ("Ridge", {"alpha": np.array([0.1, 30.0])}, "targets"),
    "lasso": ("Lasso", {"alpha": 0.1, "tol": 1e-12}, "numbers"),
    "elastic net": ("ElasticNet", {"alpha": 0.1, "l1_ratio": 0.3, "tol": 1e-12}, "numbers"),
    "elastic net, targets": ("ElasticNet", {"alpha": 0.1, "tol": 1e-12, "fit_intercept": False}, "targets"),
    "poisson": ("PoissonRegressor", {"alpha": 0.2, "tol": 1e-10, "max_iter": 1000}, "counts"),
    "gamma": ("GammaRegressor", {"alpha": 0.2, "tol": 1e-10, "max_iter": 1000}, "amounts"),
    "tweedie 0": ("TweedieRegressor", {"alpha": 0.2, "power": 0, "tol": 1e-10}, "numbers"),
    "tweedie 1.5": ("TweedieRegressor", {"alpha": 0.2, "power": 1.5, "tol": 1e-10, "max_iter": 1000}, "counts"),
    "tweedie 3": ("TweedieRegressor", {"alpha": 0.2, "power": 3, "tol": 1e-10, "max_iter": 1000}, "amounts"),
}  # fmt: skip


def problem(rng, kind):
    X = rng.standard_normal((120, 6)) * [1, 1, 3, 0.3, 1, 1]
    z = X @ [0.5, -0.3, 0.1, 0.8, 0, 0] + 0.2
    targets = {
        "two": (z + rng.logistic(size=120) > 0).astype(int),
        "words": np.where(z + rng.logistic(size=120) > 1, "a", "b"),
        "three": np.digitize(z + rng.logistic(size=120), [-1, 1]),
        "numbers": z + rng.standard_normal(120),
        "targets": np.column_stack([z + rng.standard_normal(120), rng.standard_normal(120)]),
        "counts": rng.poisson(np.exp(z)).astype(float),
        "amounts": rng.gamma(2.0, np.exp(z) / 2),
    }
    return X, targets[kind], rng.integers(0, 4, 120).astype(float)


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_optimum_is_that_of_scikit_learn(rng, case, weighted):
    name, params, kind = CASES[case]
    X, y, weights = problem(rng, kind)
    given = {"sample_weight": weights} if weighted else {}
    expected = getattr(theirs, name)(**params).fit(X, y, **given)
    found = getattr(ours, name)(**params).fit(X, y, **given)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=1e-6, atol=1e-6)
    assert found.coef_.shape == expected.coef_.shape
    assert np.shape(found.intercept_) == np.shape(expected.intercept_)
    assert np.shape(found.n_iter_) == np.shape(expected.n_iter_) or expected.n_iter_ is None
    assert type(found.predict(X)[0]) is type(expected.predict(X)[0])
    assert found.score(X, y, **given) == pytest.approx(expected.score(X, y, **given), abs=1e-5)


@pytest.mark.parametrize("case", ["logistic", "ridge", "lasso", "poisson"])
def test_sparse_rows_give_the_same_model(rng, case):
    name, params, kind = CASES[case]
    X, y, _ = problem(rng, kind)
    X[rng.random(X.shape) < 0.5] = 0.0
    dense = getattr(ours, name)(**params).fit(X, y)
    for matrix in (sp.csr_array(X), sp.csc_matrix(X)):
        found = getattr(ours, name)(**params).fit(matrix, y)
        np.testing.assert_allclose(found.coef_, dense.coef_, atol=1e-7)


def test_quantile_objective_is_not_above_that_of_scikit_learn(rng):
    X, y, weights = problem(rng, "numbers")

    def objective(model):
        r = y - model.predict(X)
        return np.average(np.maximum(0.8 * r, -0.2 * r), weights=weights) + 0.05 * abs(model.coef_).sum()

    models = [m.QuantileRegressor(quantile=0.8, alpha=0.05).fit(X, y, weights) for m in (ours, theirs)]
    assert objective(models[0]) <= objective(models[1]) * (1 + 1e-6)


def test_solver_is_mapped_with_a_remark(rng):
    X, y, _ = problem(rng, "two")
    result = ours.LogisticRegression(solver="newton-cg").fit(X, y).result_
    assert "solver='newton-cg' names a solver of scikit-learn; fastgd took the method newton" in result.remarks


def test_warm_start_begins_at_the_fitted_model(rng):
    X, y, _ = problem(rng, "counts")
    model = ours.PoissonRegressor(alpha=0.1, tol=1e-8, warm_start=True).fit(X, y)
    again = model.fit(X, y).result_
    assert again.trace["objective"][0] == pytest.approx(again.objective, rel=1e-12)


def test_arrays_of_other_libraries_are_refused():
    class Elsewhere:
        def __array_namespace__(self):
            return None

    for name in ours.ESTIMATORS:
        with pytest.raises(TypeError, match=r"takes NumPy arrays.*give numpy\.asarray"):
            getattr(ours, name)().fit(Elsewhere(), [1, 2])


@pytest.mark.parametrize("name", ["Ridge", "Lasso", "ElasticNet"])
def test_positive_coefficients(rng, name):
    X, y, _ = problem(rng, "numbers")
    fits = [getattr(module, name)(positive=True, alpha=0.1).fit(X, y).coef_ for module in (ours, theirs)]
    np.testing.assert_array_equal(*fits)
