"""Solvers of packages that need not be installed; nothing here imports them before they are asked for."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

from .problems import HUBER_DELTA, Peer, Race, Solve, Weights

# Ends no fit before its last iteration.
NEVER = 1e-14


def cyanure(race: Race) -> dict[str, Peer]:
    """Its losses are logistic and squared."""
    return {"cyanure": _cyanure} if race.loss != "huber" else {}


def _cyanure(race: Race) -> Solve:
    from cyanure.estimators import Classifier, Regression

    shared = {"penalty": "l2", "fit_intercept": True, "tol": NEVER, "verbose": False}

    def solve(max_iter: int) -> Weights:
        if race.loss == "logistic":
            model = Classifier(loss="logistic", lambda_1=race.alpha, max_iter=max_iter, **shared)
        else:  # its loss is half of ours
            model = Regression(lambda_1=race.alpha / 2, max_iter=max_iter, **shared)
        return _quietly_fitted(model, race.X, race.y)

    return solve


def snapml(race: Race) -> dict[str, Peer]:
    """Its losses are logistic and squared."""
    if race.loss == "huber":
        return {}
    return {"snapml primal": functools.partial(_snapml, False), "snapml dual": functools.partial(_snapml, True)}


def _snapml(dual: bool, race: Race) -> Solve:
    """Its dual penalises the intercept, and its primal has none.

    Steps along one coordinate at a time do not mind a constant column of a thousand, whose penalty is next to nothing.
    Dual ones do: they take snapml's own constant of 1, and end up to alpha / 2 intercept^2 above the optimum.
    """
    from snapml import LinearRegression, LogisticRegression

    constant = 1.0 if dual else 1000.0
    X, n = _with_column(race.X, constant), race.n_samples
    X = sp.csr_matrix(X) if sp.issparse(X) else X
    made, alpha = (LogisticRegression, race.alpha) if race.loss == "logistic" else (LinearRegression, race.alpha / 2)

    def solve(max_iter: int) -> Weights:
        threads = os.cpu_count() or 1
        model = made(regularizer=alpha * n, max_iter=max_iter, tol=0.0, dual=dual, n_jobs=threads, random_state=0)
        w = np.ravel(_quietly_fitted(model, X, race.y)[0])
        return w[:-1], w[-1] * constant

    return solve


def skglm(race: Race) -> dict[str, Peer]:
    """Its Huber has coordinate descent only, and its squared loss no whole gradient on sparse rows."""
    found = {"skglm AndersonCD": functools.partial(_skglm, "AndersonCD")}
    if race.loss != "huber":
        found["skglm ProxNewton"] = functools.partial(_skglm, "ProxNewton")
    if race.loss == "logistic" or (race.loss == "squared" and not sp.issparse(race.X)):
        found["skglm LBFGS"] = _skglm_lbfgs
    return found


def _skglm(name: str, race: Race) -> Solve:
    from skglm import solvers
    from skglm.penalties import L1_plus_L2

    X, d = _by_columns(race.X), race.X.shape[1]
    penalty = L1_plus_L2(_alpha_of_skglm(race), 0.0)  # its L2 alone goes with LBFGS only

    def solve(iterations: int) -> Weights:
        # All features in one working set, since L2 leaves none out: an iteration is a sweep, or a step of Newton's.
        if name == "AndersonCD":
            solver = solvers.AndersonCD(max_iter=1, max_epochs=iterations, p0=d, tol=NEVER)
        else:
            solver = solvers.ProxNewton(max_iter=iterations, max_pn_iter=1, p0=d, tol=NEVER)
        w = _quietly_solved(solver, X, race, penalty)
        return w[:-1], w[-1]

    return solve


def _skglm_lbfgs(race: Race) -> Solve:
    """It has no intercept: a column of ones is one, with a penalty of our own that spares it."""
    from skglm.solvers import LBFGS

    X, penalty = _with_column(race.X, 1.0), _l2_but_for_the_last()(_alpha_of_skglm(race))
    X = _by_columns(X) if sp.issparse(X) else X

    def solve(max_iter: int) -> Weights:
        w = _quietly_solved(LBFGS(max_iter=max_iter, tol=NEVER), X, race, penalty)
        return w[:-1], w[-1]

    return solve


@functools.cache  # skglm compiles a class once, and this must be one class
def _l2_but_for_the_last() -> type:
    from skglm.penalties import L2

    class L2ButForTheLast(L2):
        def value(self, w):
            return self.alpha * (w[:-1] ** 2).sum() / 2

        def gradient(self, w):
            gradient = self.alpha * w
            gradient[-1] = 0.0
            return gradient

    return L2ButForTheLast


def _alpha_of_skglm(race: Race) -> float:
    return race.alpha / 2 if race.loss == "squared" else race.alpha  # its squared loss is half of ours


def _quietly_solved(solver: Any, X: Any, race: Race, penalty: Any) -> np.ndarray:
    from skglm import datafits

    loss = {"logistic": datafits.Logistic, "squared": datafits.Quadratic}.get(race.loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return solver.solve(X, race.y, loss() if loss else datafits.Huber(HUBER_DELTA), penalty)[0]


def _quietly_fitted(model: Any, X: Any, y: np.ndarray) -> Weights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that max_iter was reached is the point
        model.fit(X, y)
    return model.coef_, model.intercept_


def _by_columns(X: Any) -> Any:
    return sp.csc_array(X) if sp.issparse(X) else np.asfortranarray(X)


def _with_column(X: Any, constant: float) -> Any:
    column = np.full((X.shape[0], 1), constant)
    return sp.csr_array(sp.hstack([X, column])) if sp.issparse(X) else np.hstack([X, column])
