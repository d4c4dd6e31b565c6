"""Solvers of optional packages, imported only when they are used."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

from .problems import HUBER_DELTA, Peer, Race, Solve, Weights

# A tolerance that stops no fit early.
NO_TOLERANCE = 1e-14


def cyanure(race: Race) -> dict[str, Peer]:
    """Supports the losses logistic and squared."""
    return {"cyanure": _cyanure} if race.loss != "huber" else {}


def _cyanure(race: Race) -> Solve:
    from cyanure.estimators import Classifier, Regression

    shared = {"penalty": "l2", "fit_intercept": True, "tol": NO_TOLERANCE, "verbose": False}

    def solve(max_iter: int) -> Weights:
        if race.loss == "logistic":
            model = Classifier(loss="logistic", lambda_1=race.alpha, max_iter=max_iter, **shared)
        else:  # its squared loss is half of fastgd's
            model = Regression(lambda_1=race.alpha / 2, max_iter=max_iter, **shared)
        return _quietly_fitted(model, race.X, race.y)

    return solve


def snapml(race: Race) -> dict[str, Peer]:
    """Supports the losses logistic and squared."""
    if race.loss == "huber":
        return {}
    return {"snapml primal": functools.partial(_snapml, False), "snapml dual": functools.partial(_snapml, True)}


def _snapml(dual: bool, race: Race) -> Solve:
    """snapml: the dual solver penalises the intercept, the primal has none, so X gets a constant column.

    The primal solver uses a constant of 1000, whose penalty is negligible, and which does not slow it down.
    The dual solver is, so it uses snapml's default of 1, and ends up to alpha / 2 intercept^2 above the optimum.
    """
    from snapml import LinearRegression, LogisticRegression

    constant = 1.0 if dual else 1000.0
    X, n = _with_column(race.X, constant), race.n_samples
    X = sp.csr_matrix(X) if sp.issparse(X) else X
    estimator, alpha = (
        (LogisticRegression, race.alpha) if race.loss == "logistic" else (LinearRegression, race.alpha / 2)
    )

    def solve(max_iter: int) -> Weights:
        threads = os.cpu_count() or 1
        model = estimator(regularizer=alpha * n, max_iter=max_iter, tol=0.0, dual=dual, n_jobs=threads, random_state=0)
        w = np.ravel(_quietly_fitted(model, X, race.y)[0])
        return w[:-1], w[-1] * constant

    return solve


def skglm(race: Race) -> dict[str, Peer]:
    """Huber has coordinate descent only, and the squared loss has no full gradient on sparse rows."""
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
    penalty = L1_plus_L2(_alpha_of_skglm(race), 0.0)  # its penalty L2 works with LBFGS only

    def solve(iterations: int) -> Weights:
        # All features are in the working set (p0 = d), so an iteration is a sweep or a Newton step.
        if name == "AndersonCD":
            solver = solvers.AndersonCD(max_iter=1, max_epochs=iterations, p0=d, tol=NO_TOLERANCE)
        else:
            solver = solvers.ProxNewton(max_iter=iterations, max_pn_iter=1, p0=d, tol=NO_TOLERANCE)
        w = _quietly_solved(solver, X, race, penalty)
        return w[:-1], w[-1]

    return solve


def _skglm_lbfgs(race: Race) -> Solve:
    """skglm's LBFGS has no intercept: X gets a column of ones, which a penalty of our own does not penalise."""
    from skglm.solvers import LBFGS

    X, penalty = _with_column(race.X, 1.0), _l2_without_last()(_alpha_of_skglm(race))
    X = _by_columns(X) if sp.issparse(X) else X

    def solve(max_iter: int) -> Weights:
        w = _quietly_solved(LBFGS(max_iter=max_iter, tol=NO_TOLERANCE), X, race, penalty)
        return w[:-1], w[-1]

    return solve


@functools.cache  # one class, so that skglm compiles it once
def _l2_without_last() -> type:
    from skglm.penalties import L2

    class L2WithoutLast(L2):
        def value(self, w):
            return self.alpha * (w[:-1] ** 2).sum() / 2

        def gradient(self, w):
            gradient = self.alpha * w
            gradient[-1] = 0.0
            return gradient

    return L2WithoutLast


def _alpha_of_skglm(race: Race) -> float:
    return race.alpha / 2 if race.loss == "squared" else race.alpha  # its squared loss is half of fastgd's


def _quietly_solved(solver: Any, X: Any, race: Race, penalty: Any) -> np.ndarray:
    from skglm import datafits

    loss = {"logistic": datafits.Logistic, "squared": datafits.Quadratic}.get(race.loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return solver.solve(X, race.y, loss() if loss else datafits.Huber(HUBER_DELTA), penalty)[0]


def _quietly_fitted(model: Any, X: Any, y: np.ndarray) -> Weights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reaching max_iter is intended
        model.fit(X, y)
    return model.coef_, model.intercept_


def _by_columns(X: Any) -> Any:
    return sp.csc_array(X) if sp.issparse(X) else np.asfortranarray(X)


def _with_column(X: Any, constant: float) -> Any:
    column = np.full((X.shape[0], 1), constant)
    return sp.csr_array(sp.hstack([X, column])) if sp.issparse(X) else np.hstack([X, column])
