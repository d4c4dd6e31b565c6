"""`fit_path(alphas="auto")`: the grid, and models that are solved one from the other."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import lasso_path

import fastgd
from fastgd import OptionError, fit_path


def wide(rng, n=40, d=90):
    X = rng.normal(size=(n, d)) + 3
    return X, 20 + 4 * X[:, 0] - 3 * X[:, 1] + rng.normal(size=n)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_path_equals_that_of_scikit_learn(rng, form):
    X, y = wide(rng)
    models = fit_path(form(X), y, alphas="auto", n_alphas=20, penalty="l1", loss="half_squared", tol=1e-10)
    centred, of_y = X - X.mean(axis=0), y - y.mean()
    alphas = np.abs(centred.T @ of_y).max() / len(y) * np.geomspace(1, 1e-3, 20)
    _, coefs, _ = lasso_path(centred, of_y, alphas=alphas, tol=1e-13, max_iter=1_000_000)
    for k, model in enumerate(models):
        assert (model.method, model.converged) == ("working_set", True)
        np.testing.assert_allclose(model.coef, coefs[:, k], atol=2e-3 if k > 15 else 1e-5)
        assert model.gap_bound < 1e-7 * y.var()
    assert not models[0].coef.any()
    assert models[1].coef.any()


def test_each_model_equals_a_single_fit(rng):
    X, y = wide(rng)
    labels = np.where(y > np.median(y), "b", "a")
    weights = {"sample_weight": rng.integers(1, 3, len(y)).astype(float), "penalty_weights": rng.uniform(1, 2, 90)}
    alphas = [0.05, 0.1, 0.01, 0.2]  # in any order
    models = fit_path(X, labels, alphas=alphas, penalty="l1", loss="logistic", tol=1e-10, **weights)
    for alpha, model in zip(alphas, models, strict=True):
        single = fastgd.fit(X, labels, alpha=alpha, penalty="l1", loss="logistic", tol=1e-10, **weights)
        assert model.method == single.method == "working_set"
        assert model.objective == pytest.approx(single.objective, rel=1e-9)
        np.testing.assert_allclose(model.coef, single.coef, atol=1e-5)


def test_grid_ends_at_the_ratio_and_counts_weights_of_penalties(rng):
    X, y = wide(rng)
    factors = np.where(np.arange(90) < 2, 10.0, 1.0)
    models = fit_path(
        X, y, alphas="auto", n_alphas=3, alpha_ratio=0.5, penalty="elasticnet", l1_ratio=0.5, loss="half_squared",
        penalty_weights=factors,
    )  # fmt: skip
    largest = (np.abs((X - X.mean(axis=0)).T @ (y - y.mean())) / len(y) / (0.5 * factors)).max()
    first = float(models[0].settings["penalty"].split("l1 ")[1].split(",")[0])
    last = float(models[-1].settings["penalty"].split("l1 ")[1].split(",")[0])
    assert first == pytest.approx(0.5 * largest, rel=1e-4)
    assert last == pytest.approx(0.25 * largest, rel=1e-4)
    assert not models[0].coef.any()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"alphas": "automatic", "penalty": "l1"}, "a list of numbers or 'auto'"),
        ({"alphas": "auto"}, "take the penalty l1 or elasticnet"),
        ({"alphas": "auto", "penalty": "l1", "n_alphas": 0}, "n_alphas"),
        ({"alphas": "auto", "penalty": "l1", "alpha_ratio": 1.0}, "alpha_ratio must lie between 0 and 1"),
        ({"alphas": "auto", "penalty": "l1", "learning_rates": [0.1]}, "leave learning_rates out"),
    ],
)
def test_wrong_grids_are_refused(options, told):
    with pytest.raises(OptionError, match=told):
        fit_path([[1.0], [2.0], [4.0]], [1.0, 3.0, 2.0], **options)
