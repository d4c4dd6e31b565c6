"""Losses with kinks for the question `accuracy`: quantile regression beside HiGHS, support vector machines beside
liblinear, and a million rows beside so many passes of a matrix product.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastgd

from .wide_problems import TOLERANCES, Contest

# Passes of `X @ w` in whose time a million rows should be fitted.
PASSES = 60


def numbers(n: int, d: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Normal columns and heavy-tailed noise."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d))
    return X, X @ random.standard_normal(d) + random.standard_t(3, n) + 1.0


def labels(n: int = 100_000, d: int = 54) -> tuple[np.ndarray, np.ndarray]:
    """Normal columns and labels with logistic noise."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d))
    return X, np.sign(X @ random.standard_normal(d) / 3 + random.logistic(size=n))


def quantile(share: float) -> Contest:
    """Quantile regression on 10,000 x 20."""
    from sklearn.linear_model import QuantileRegressor

    X, y = numbers(10_000)

    def theirs() -> Any:
        return QuantileRegressor(quantile=share, alpha=0.0, solver="highs").fit(X, y)

    def ours() -> Any:
        return fastgd.fit(X, y, loss=f"quantile:quantile={share}", tol=1e-8)

    return Contest(f"quantile {share:g}, 10,000 x 20", 1e-8, ours, {"scikit-learn, HiGHS": theirs}, 150.0)


def million_rows(share: float) -> Contest:
    """Quantile regression on a million rows, in the time of some passes over them."""
    X, y = numbers(1_000_000)
    w = np.ones(X.shape[1])

    def passes() -> None:
        for _ in range(PASSES):
            X @ w

    def ours() -> Any:
        return fastgd.fit(X, y, loss=f"quantile:quantile={share}", tol=1e-6)

    return Contest(f"quantile {share:g}, 1,000,000 x 20", 1e-6, ours, {f"{PASSES} passes of X @ w": passes}, 1.0)


def hinge(alpha: float) -> Contest:
    """The linear support vector machine with l2, without an intercept, which liblinear would penalise."""
    from sklearn.svm import LinearSVC

    X, y = labels()
    n, gap = len(y), 1e-6

    def ours() -> Any:
        return fastgd.fit(X, y, loss="hinge", alpha=alpha, tol=gap, fit_intercept=False).coef

    def objective(coef: np.ndarray) -> float:
        return float(np.maximum(0.0, 1.0 - y * (X @ coef)).mean() + 0.5 * alpha * coef @ coef)

    def theirs(tol: float) -> Any:
        model = LinearSVC(C=1.0 / (alpha * n), loss="hinge", tol=tol, max_iter=10_000, fit_intercept=False)
        return model.fit(X, y).coef_[0]

    best = objective(ours())
    peers: dict[str, Callable[[], Any]] = {}
    for tol in TOLERANCES:
        if objective(theirs(tol)) <= best + gap * (1.0 - best):
            peers["liblinear, dual"] = functools.partial(theirs, tol)
            break
    return Contest(f"hinge with l2, alpha {alpha:g}, 100,000 x 54", gap, ours, peers, 3.0)


def kinked_contests() -> Iterator[Contest]:
    """One row each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for share in (0.5, 0.95):
            yield quantile(share)
        for share in (0.5, 0.9, 0.99):
            yield million_rows(share)
        yield hinge(1e-4)
