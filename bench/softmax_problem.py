"""Softmax regression for the question `accuracy`, beside scikit-learn's L-BFGS."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import fastgd

from .wide_problems import TOLERANCES, Contest

N_SAMPLES, WIDTH, CLASSES, ALPHA, GAP = 60_000, 100, 10, 1e-4, 1e-7


def softmax_contests() -> Iterator[Contest]:
    """10 classes with l2; a peer has the largest tolerance of its gradient with which F is near enough."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    X = random.standard_normal((N_SAMPLES, WIDTH))
    z = X @ (random.standard_normal((WIDTH, CLASSES)) / 5)
    y = (z + random.gumbel(size=z.shape)).argmax(1)

    def ours(tol: float = GAP) -> Any:
        return fastgd.fit(X, y, loss="softmax", alpha=ALPHA, tol=tol)

    def theirs(tol: float) -> Any:
        return LogisticRegression(C=1.0 / (ALPHA * N_SAMPLES), tol=tol, max_iter=1000).fit(X, y)

    def objective(coef: np.ndarray, intercept: np.ndarray) -> float:
        z = X @ coef.T + intercept
        z -= z.max(axis=1, keepdims=True)
        losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(N_SAMPLES), y]
        return float(losses.mean() + ALPHA / 2 * (coef**2).sum())

    best = ours(1e-11)
    F = objective(best.coef, best.intercept)
    allowed = F + GAP * (best.constant_objective - F)
    peers = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tol in TOLERANCES:
            model = theirs(tol)
            if objective(model.coef_, model.intercept_) <= allowed:
                peers["scikit-learn, lbfgs"] = functools.partial(theirs, tol)
                break
    name = f"softmax, {N_SAMPLES:,} x {WIDTH}, {CLASSES} classes"
    yield Contest(name, GAP, ours, peers, 5.0)
