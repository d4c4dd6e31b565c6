"""Data made to measure: known coefficients, a seed, and as many samples as wanted."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np

from ...errors import OptionError
from ...wording import hint
from ..table import Array, Table

KINDS = ("linear", "logistic", "tutorial")
_ROWS = 1 << 14  # rows that share a stream of random numbers


def generate(
    kind: str,
    n_samples: int = 1000,
    n_features: int = 10,
    *,
    noise: float = 1.0,
    seed: int = 0,
    dtype: str = "float64",
) -> Table:
    """Draw a data set; the same arguments give the same data.

    The intercept b and the coefficients w are standard normal and depend on the seed alone; so do the rows of X,
    standard normal too, however many there are. With z = X·w + b:

    - ``linear``: y = z + noise * standard normal.
    - ``logistic``: y = 1 where z + noise * standard logistic > 0, else 0. So noise 1 is P(y = 1) = sigmoid(z), and
      noise 0 is separable.
    - ``tutorial``: x = 1, 2, 3 and y = 2 x, whatever the sizes.

    Parameters
    ----------
    kind : one of ``KINDS``.
    n_samples, n_features : the shape of X.
    noise : how much chance there is in y, from 0 on.
    seed : of NumPy's PCG64.
    dtype : of X, float64 or float32; y is float64.

    Raises
    ------
    OptionError
        For an unknown kind, or a size, noise or dtype that makes no sense.
    """
    if kind not in KINDS:
        raise OptionError(f"unknown kind of data {kind!r}; {hint(kind, KINDS)}")
    if n_samples < 1 or n_features < 1:
        raise OptionError(f"{n_samples} samples x {n_features} features make no table; take 1 or more of each")
    if not 0.0 <= noise < float("inf"):
        raise OptionError(f"noise={noise} makes no sense; take 0 or more")
    if dtype not in ("float64", "float32"):
        raise OptionError(f"dtype={dtype!r} is not known; take float64 or float32")
    if kind == "tutorial":
        return tutorial(dtype)
    return _drawn(kind, n_samples, n_features, noise, seed, dtype)


def tutorial(dtype: str = "float64") -> Table:
    """The lesson's three points, which one weight, 2, fits exactly."""
    return Table(
        X=np.array([[1.0], [2.0], [3.0]], dtype),
        y=np.array([2.0, 4.0, 6.0]),
        feature_names=("x",),
        target_name="y",
        source="tutorial",
        defaults=MappingProxyType({"loss": "squared", "start": 1.0}),
    )


def _drawn(kind: str, n_samples: int, n_features: int, noise: float, seed: int, dtype: str) -> Table:
    weights_seed, noise_seed, rows_seed = np.random.SeedSequence(seed).spawn(3)
    weights = np.random.Generator(np.random.PCG64(weights_seed)).standard_normal(n_features + 1)
    X = _normal_rows(n_samples, n_features, rows_seed, dtype)
    # einsum and not BLAS: its sums do not depend on the number of threads.
    z = np.einsum("ij,j->i", X, weights[1:]) + weights[0]
    rng = np.random.Generator(np.random.PCG64(noise_seed))
    if kind == "linear":
        y, loss = z + noise * rng.standard_normal(n_samples), "squared"
    else:
        y, loss = (z + noise * rng.logistic(size=n_samples) > 0.0).astype(np.float64), "logistic"
    names = tuple(f"x{j}" for j in range(n_features))
    return Table(X, y, names, "y", kind, defaults=MappingProxyType({"loss": loss}))


def _normal_rows(n_samples: int, n_features: int, seed: np.random.SeedSequence, dtype: str) -> Array:
    """Standard normal rows. Each block has its own stream, so threads may fill them and the numbers stay the same."""
    X: Array = np.empty((n_samples, n_features), dtype)
    starts = range(0, n_samples, _ROWS)

    def fill(start: int, stream: np.random.SeedSequence) -> None:
        rng = np.random.Generator(np.random.PCG64(stream))
        rng.standard_normal(dtype=X.dtype.type, out=X[start : start + _ROWS])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, starts, seed.spawn(len(starts))))  # list: so that an error in a thread is raised
    return X
