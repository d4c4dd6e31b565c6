"""The problems of the races between solvers: data, loss, alpha, and the objective in NumPy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

HUBER_DELTA = 1.35

Weights = tuple[np.ndarray, Any]
Solve = Callable[[int], Weights]  # from the maximum number of iterations


@dataclass(frozen=True)
class Race:
    """Minimise the mean loss plus alpha / 2 |w|^2 over w and an unpenalised intercept; labels are -1 and +1."""

    name: str
    X: Any
    y: np.ndarray
    loss: str
    alpha: float

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    def objective(self, coef: np.ndarray, intercept: float) -> float:
        coef = np.asarray(coef, dtype=np.float64).ravel()
        return self._mean_loss(self.X @ coef + float(np.ravel(intercept)[0])) + self.alpha / 2 * float(coef @ coef)

    def _mean_loss(self, z: Any) -> float:
        if self.loss == "logistic":
            return float(np.logaddexp(0.0, -self.y * z).mean())
        r = np.abs(z - self.y)
        if self.loss == "squared":
            return float((r**2).mean())
        return float(np.where(r <= HUBER_DELTA, r**2 / 2, HUBER_DELTA * (r - HUBER_DELTA / 2)).mean())

    @cached_property
    def of_constant(self) -> float:
        """The objective of the best constant model."""
        from scipy.optimize import minimize_scalar

        return float(minimize_scalar(self._mean_loss).fun)

    def head(self, n: int = 2_000) -> Race:
        """A race on the first n rows."""
        return replace(self, X=self.X[:n], y=self.y[:n])

    def rescaled(self) -> Race:
        """The same race with each column multiplied by a random factor from 1e-3 to 1e3."""
        scale = 10.0 ** np.random.default_rng(3).uniform(-3, 3, self.X.shape[1])
        X = sp.csr_array(self.X @ sp.diags_array(scale)) if sp.issparse(self.X) else self.X * scale
        return replace(self, name=f"{self.name}, rescaled", X=X)


Peer = Callable[[Race], Solve]


def autoregressive(n: int, d: int, rho: float, loss: str, alpha: float) -> Race:
    """A race on Gaussian columns; neighbouring columns have the correlation ``rho``."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    z = X @ random.standard_normal(d) * 2 / np.sqrt(d)
    return Race(f"{loss} {n:,} x {d}, AR {rho}, alpha {alpha * n:g}/n", X, _target(random, z, loss), loss, alpha)


def sparse(n: int = 400_000, d: int = 47_000, values: int = 76, alpha: float | None = None) -> Race:
    """A race on sparse rows like those of rcv1: most columns are rare, and all rows have norm 1."""
    random = np.random.default_rng(0)
    columns = (d * random.random(n * values) ** 3).astype(np.int32)
    indptr = np.arange(n + 1, dtype=np.int32) * values
    X = sp.csr_array((random.random(n * values), columns, indptr), shape=(n, d))
    X.sum_duplicates()
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    z = X @ random.standard_normal(d)
    z = 2 * (z - z.mean()) / z.std()
    alpha = 1 / n if alpha is None else alpha
    name = f"logistic {n:,} x {d:,}, {values} a row, alpha {alpha * n:g}/n"
    return Race(name, X, _target(random, z, "logistic"), "logistic", alpha)


def _target(random: np.random.Generator, z: np.ndarray, loss: str) -> np.ndarray:
    if loss == "logistic":
        return np.where(random.random(len(z)) < 1 / (1 + np.exp(-z)), 1.0, -1.0)
    return z + (random.standard_t(2, len(z)) if loss == "huber" else random.standard_normal(len(z)))


def a9a(folder: str) -> Race:
    """A race on a9a (census data) from the LIBSVM collection, 32,561 x 123, in a9a.svm.gz."""
    import fastgd

    table = fastgd.open(os.path.join(folder, "a9a.svm.gz"))
    y = np.where(np.asarray(table.y) > 0, 1.0, -1.0)
    return Race("logistic a9a, alpha 1/n", sp.csr_array(table.X), y, "logistic", 1 / len(y))


def races(n: int = 500_000) -> Iterator[Race]:
    """All races, each followed by its rescaled form; the largest have ``n`` rows.

    a9a is included if the environment variable FASTGD_DATA is the folder with its file. FASTGD_RACES selects the races
    whose names contain it.
    """
    chosen = os.environ.get("FASTGD_RACES", "")
    for race in _unscaled(n):
        if chosen in race.name:
            yield race
        if chosen in f"{race.name}, rescaled":
            yield race.rescaled()


def _unscaled(n: int) -> Iterator[Race]:
    for loss in ("logistic", "squared", "huber"):
        yield autoregressive(n, 54, 0.6, loss, 1 / n)
        yield autoregressive(n, 54, 0.9, loss, 0.01 / n)
        yield autoregressive(n // 5, 400, 0.6, loss, 5 / n)
    yield sparse(n=n * 4 // 5)
    if folder := os.environ.get("FASTGD_DATA"):
        yield a9a(folder)
    else:
        print("a9a: not measured; set FASTGD_DATA to the folder of a9a.svm.gz", file=sys.stderr)
