"""Other solvers of the same objective, each as a function of a `Race` and the most iterations it may take."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from problems import HUBER_DELTA, Race

Weights = tuple[np.ndarray, Any]
Solver = Callable[[Race, int], Weights]
# Solvers that need a matrix of n_features x n_features, or do not run on sparse rows.
MOST_COLUMNS = 5_000
OPTIONAL = ("cyanure", "skglm", "snapml")


def peers_of(race: Race) -> dict[str, Solver]:
    """Those that can solve it."""
    is_sparse, narrow = sp.issparse(race.X), race.X.shape[1] <= MOST_COLUMNS
    found: dict[str, Solver] = {}
    if race.loss == "logistic":
        for solver in ("lbfgs", "newton-cg", "newton-cholesky", "liblinear", "sag", "saga"):
            if solver != "newton-cholesky" or narrow:
                found[f"LogisticRegression {solver}"] = _logistic(solver)
        found["SGDClassifier"] = _sgd
    if race.loss == "squared":
        for solver in ("cholesky", "sparse_cg", "lsqr", "sag", "svd"):
            if narrow and not (is_sparse and solver in ("cholesky", "svd")):
                found[f"Ridge {solver}"] = _ridge(solver)
    if race.loss != "logistic":
        found["SGDRegressor"] = _sgd
    if race.loss == "logistic" and _installed("cyanure"):
        found["cyanure"] = _cyanure
    return found


def not_installed() -> list[str]:
    return [name for name in OPTIONAL if not _installed(name)]


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _logistic(solver: str) -> Solver:
    def solve(race: Race, max_iter: int) -> Weights:
        from sklearn.linear_model import LogisticRegression

        # liblinear penalises the intercept, but the less the larger the constant that stands for it.
        more = {"intercept_scaling": 100.0} if solver == "liblinear" else {}
        C = 1 / (race.alpha * race.n_samples)
        model = LogisticRegression(C=C, solver=solver, max_iter=max_iter, tol=1e-14, **more)
        return _fitted(model, race)

    return solve


def _ridge(solver: str) -> Solver:
    def solve(race: Race, max_iter: int) -> Weights:
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=race.alpha * race.n_samples / 2, solver=solver, max_iter=max_iter, tol=1e-14)
        return _fitted(model, race)

    return solve


def _sgd(race: Race, max_iter: int) -> Weights:
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    given = {"max_iter": max_iter, "tol": None}
    if race.loss == "logistic":
        return _fitted(SGDClassifier(loss="log_loss", alpha=race.alpha, **given), race)
    if race.loss == "squared":  # scikit-learn's is half of it
        return _fitted(SGDRegressor(alpha=race.alpha / 2, **given), race)
    return _fitted(SGDRegressor(loss="huber", epsilon=HUBER_DELTA, alpha=race.alpha, **given), race)


def _cyanure(race: Race, max_iter: int) -> Weights:
    import cyanure

    model = cyanure.BinaryClassifier(loss="logistic", penalty="l2", fit_intercept=True)
    model.fit(race.X, race.y, lambd=race.alpha, max_epochs=max_iter, tol=1e-14, verbose=False)
    weights = model.get_weights()
    return (weights[0], weights[1]) if isinstance(weights, tuple) else (weights[:-1], weights[-1])


def _fitted(model: Any, race: Race) -> Weights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that max_iter was reached is the point
        model.fit(race.X, race.y)
    return model.coef_, model.intercept_
