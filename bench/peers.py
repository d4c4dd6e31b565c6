"""Other solvers of the same objective: each takes a `Race` and returns a function from iterations to the parameters.

Preparations that a user does once for many fits, such as converting X, are not timed.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import scipy.sparse as sp

from . import optional_peers
from .problems import HUBER_DELTA, Peer, Race, Solve, Weights

# Limit for solvers that need a matrix of n_features x n_features or do not support sparse rows.
MAX_COLUMNS = 5_000
# Direct solvers, without iterations.
DIRECT = ("Ridge cholesky", "Ridge svd")
OPTIONAL: dict[str, Callable[[Race], dict[str, Peer]]] = {
    "skglm": optional_peers.skglm,
    "cyanure": optional_peers.cyanure,
    "snapml": optional_peers.snapml,
}


def solvers_of_scikit_learn(race: Race) -> dict[str, Peer]:
    """The solvers of scikit-learn for this race; usually fast ones first, to limit the time of others."""
    return _of_scikit_learn(race) if missing("sklearn") is None else {}


def other_peers(race: Race) -> dict[str, Peer]:
    """The solvers of the installed optional packages."""
    found: dict[str, Peer] = {}
    for package, peers in OPTIONAL.items():
        if missing(package) is None:
            found |= peers(race)
    return found


@functools.cache
def missing(package: str) -> str | None:
    """Why the package cannot be imported; None if it can."""
    try:
        importlib.import_module(package)
    except Exception as error:  # for example built for another NumPy, or a missing library
        return f"{package} ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    return None


def _of_scikit_learn(race: Race) -> dict[str, Peer]:
    is_sparse, narrow = sp.issparse(race.X), race.X.shape[1] <= MAX_COLUMNS
    found: dict[str, Peer] = {}
    if race.loss == "logistic":
        for solver in ("lbfgs", "newton-cholesky", "newton-cg", "liblinear", "sag", "saga"):
            if solver != "newton-cholesky" or narrow:
                found[f"LogisticRegression {solver}"] = functools.partial(_logistic, solver)
        found["SGDClassifier"] = _sgd
    if race.loss == "squared":
        for solver in ("cholesky", "sparse_cg", "lsqr", "sag", "svd"):
            if narrow and not (is_sparse and solver in ("cholesky", "svd")):
                found[f"Ridge {solver}"] = functools.partial(_ridge, solver)
    if race.loss != "logistic":
        found["SGDRegressor"] = _sgd
    return found


def _logistic(solver: str, race: Race) -> Solve:
    from sklearn.linear_model import LogisticRegression

    # liblinear penalises the intercept; the larger intercept_scaling, the smaller the effect.
    more = {"intercept_scaling": 100.0} if solver == "liblinear" else {}
    C = 1 / (race.alpha * race.n_samples)
    return lambda max_iter: _fitted(LogisticRegression(C=C, solver=solver, max_iter=max_iter, tol=1e-14, **more), race)


def _ridge(solver: str, race: Race) -> Solve:
    from sklearn.linear_model import Ridge

    alpha = race.alpha * race.n_samples / 2
    return lambda max_iter: _fitted(Ridge(alpha=alpha, solver=solver, max_iter=max_iter, tol=1e-14), race)


def _sgd(race: Race) -> Solve:
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    model, settings = {
        "logistic": (SGDClassifier, {"loss": "log_loss", "alpha": race.alpha}),
        "squared": (SGDRegressor, {"alpha": race.alpha / 2}),  # scikit-learn's squared loss is half of fastgd's
        "huber": (SGDRegressor, {"loss": "huber", "epsilon": HUBER_DELTA, "alpha": race.alpha}),
    }[race.loss]
    return lambda max_iter: _fitted(model(max_iter=max_iter, tol=None, **settings), race)


def _fitted(model: Any, race: Race) -> Weights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reaching max_iter is intended
        model.fit(race.X, race.y)
    return model.coef_, model.intercept_
