"""Wide problems with l1 for the question `accuracy`: fastgd and its peers to the same gap.

A peer that reports a duality gap has the largest tolerance with which that gap is small enough, as a user would choose
it. Others have the largest tolerance with which F is near enough to the optimum.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

import fastgd
from fastgd.compile.jit import threads

# Tolerances of a peer, of which the largest that reaches the gap is timed.
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12)


class Contest(NamedTuple):
    """One row: fits of fastgd and of its peers that reach ``gap``, and how many times faster fastgd should be."""

    problem: str
    gap: float
    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]
    to_reach: float


def dense(n: int = 1000, d: int = 20_000) -> tuple[np.ndarray, np.ndarray, float]:
    """X, y and the smallest alpha at which all coefficients are zero."""
    random = np.random.default_rng(0)
    X, w = random.standard_normal((n, d)), np.zeros(d)
    w[random.choice(d, 50, replace=False)] = random.standard_normal(50)
    y = X @ w + random.standard_normal(n)
    return X, y, float(np.abs((y - y.mean()) @ X).max() / n)


def sparse(n: int = 100_000, d: int = 47_000, values: int = 76) -> tuple[Any, np.ndarray, float]:
    """Rows of norm 1 of which few columns have many values, by Zipf's law, and classes; without an intercept."""
    random = np.random.default_rng(0)
    shares = np.cumsum(1.0 / np.arange(1, d + 1))
    columns = random.permutation(d)[np.searchsorted(shares / shares[-1], random.random((n, values)))]
    indices, starts = columns.ravel().astype(np.int32), np.arange(n + 1, dtype=np.int32) * values
    X = sp.csr_array((random.random(n * values) + 0.1, indices, starts), shape=(n, d))
    X.sum_duplicates()
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    w = np.zeros(d)
    w[np.argsort(-np.bincount(X.indices, minlength=d))[:300]] = 4.0 * random.standard_normal(300)
    y = np.where(random.random(n) < 1.0 / (1.0 + np.exp(-(X @ w))), 1.0, -1.0)
    return X, y, float(np.abs(X.T @ y).max() / (2 * n))


def _lasso_objective(X: np.ndarray, y: np.ndarray, alpha: float, coef: np.ndarray) -> float:
    residual = y - X @ coef
    residual = residual - residual.mean()
    return float(residual @ residual / (2 * len(y)) + alpha * np.abs(coef).sum())


def _enough(fit: Callable[[float], Any], is_enough: Callable[[Any], bool]) -> Callable[[], Any] | None:
    """The fit with the largest tolerance that is enough."""
    for tol in TOLERANCES:
        if is_enough(fit(tol)):
            return functools.partial(fit, tol)
    return None


def _lasso_peers(X: np.ndarray, y: np.ndarray, alpha: float) -> Iterator[tuple[str, Callable[[float], Any]]]:
    from sklearn.linear_model import Lasso

    yield "scikit-learn", lambda tol: Lasso(alpha=alpha, tol=tol, max_iter=100_000).fit(X, y)
    for package in ("celer", "skglm"):
        if importlib.util.find_spec(package) is not None:
            other = importlib.import_module(package).Lasso
            yield package, lambda tol, other=other: other(alpha=alpha, tol=tol, max_iter=1000).fit(X, y)


def lasso(part: float, to_reach: float) -> Contest:
    """The lasso on dense 1,000 x 20,000 at a ``part`` of the largest alpha."""
    X, y, largest = dense()
    alpha, gap = part * largest, 1e-8

    def ours() -> Any:
        return fastgd.fit(X, y, loss="half_squared", penalty="l1", alpha=alpha, tol=gap).coef

    best = _lasso_objective(X, y, alpha, ours())
    allowed = gap * (float(np.var(y)) / 2 - best)

    def is_enough(model: Any) -> bool:
        if hasattr(model, "dual_gap_"):  # scikit-learn; the others tell none
            return bool(model.dual_gap_ <= allowed)
        return _lasso_objective(X, y, alpha, model.coef_) <= best + allowed

    peers = {}
    for name, fit in _lasso_peers(X, y, alpha):
        enough = _enough(fit, is_enough)
        if enough is not None:
            peers[name] = enough
    return Contest(f"lasso, 1,000 x 20,000, {part:g} of the largest alpha", gap, ours, peers, to_reach)


def path() -> Contest:
    """100 alphas down to a hundredth of the largest."""
    from sklearn.linear_model import lasso_path

    X, y, largest = dense()
    alphas, gap = largest * np.geomspace(1.0, 0.01, 100), 1e-8
    centred, of_y = X - X.mean(axis=0), y - y.mean()

    def theirs(tol: float) -> Any:
        return lasso_path(centred, of_y, alphas=alphas, tol=tol, max_iter=100_000)

    def ours() -> Any:
        models = fastgd.fit_path(X, y, alphas=alphas, loss="half_squared", penalty="l1", tol=gap)
        return np.array([model.coef for model in models])

    def objectives(coefs: np.ndarray) -> np.ndarray:
        return np.array([_lasso_objective(X, y, a, coef) for a, coef in zip(alphas, coefs, strict=True)])

    best = objectives(ours())
    allowed = gap * np.maximum(float(np.var(y)) / 2 - best, 1e-3)
    fit = _enough(theirs, lambda found: bool((found[2] <= allowed).all()))
    return Contest("lasso, 100 alphas down to 0.01", gap, ours, {} if fit is None else {"lasso_path": fit}, 1.3)


def logistic() -> Contest:
    """Logistic regression on sparse 100,000 x 47,000, with about 115 coefficients that are not zero."""
    from sklearn.linear_model import LogisticRegression

    X, y, largest = sparse()
    alpha, gap, n = 1.5e-3 * largest, 1e-6, len(y)

    def theirs(tol: float) -> Any:
        model = LogisticRegression(
            C=1.0 / (alpha * n), l1_ratio=1.0, solver="liblinear", fit_intercept=False, tol=tol, max_iter=1000
        )
        return model.fit(X, y).coef_[0]

    def ours() -> Any:
        return fastgd.fit(X, y, loss="logistic", penalty="l1", alpha=alpha, tol=gap, fit_intercept=False).coef

    def objective(coef: np.ndarray) -> float:
        return float(np.logaddexp(0.0, -y * (X @ coef)).mean() + alpha * np.abs(coef).sum())

    best = objective(ours())
    fit = _enough(theirs, lambda coef: objective(coef) <= best + gap * (np.log(2.0) - best))
    name = f"l1 logistic, CSR 100,000 x 47,000, {np.count_nonzero(ours())} non-zeros"
    return Contest(name, gap, ours, {} if fit is None else {"liblinear": fit}, 4.0)


def contests() -> Iterator[Contest]:
    """One row each; BLAS has one thread, as in fits of fastgd, so that its threads do not spin beside numba's."""
    with threads(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield lasso(0.1, 8.0)
        yield lasso(0.02, 2.0)
        yield path()
        yield logistic()
