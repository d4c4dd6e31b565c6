"""Generated data sets with known coefficients, of any size, from a seed."""

from __future__ import annotations

import os

import numpy as np

from ...errors import OptionError
from ...python_threads import PythonThreads
from ...wording import hint
from ..table import Array, Table

KINDS = ("linear", "logistic", "tutorial")
_ROWS = 1 << 14  # rows that share a stream of random numbers


def generate(
    kind: str, n_samples: int = 1000, n_features: int = 10, *, noise: float = 1.0, seed: int = 0, dtype: str = "float64"
) -> Table:
    """Draw a data set; the same arguments give the same data.

    The intercept b, the coefficients w and X are standard normal. b and w depend on the seed and n_features only; a
    larger n_samples appends rows to X. With z = X·w + b:

    - ``linear``: y = z + noise * standard normal.
    - ``logistic``: y = 1 where z + noise * standard logistic > 0, else 0, so that P(y = 1) = sigmoid(z) for noise 1,
      and noise 0 is separable.
    - ``tutorial``: x = 1, 2, 3 and y = 2 x; the sizes are ignored.

    Parameters
    ----------
    kind : one of ``KINDS``.
    n_samples, n_features : the shape of X.
    noise : the scale of the noise in y, 0 or more.
    seed : of NumPy's PCG64.
    dtype : of X, float64 or float32; y is float64.

    Raises
    ------
    OptionError
        For an unknown kind or dtype, a size below 1, or a negative or infinite noise.
    """
    if kind not in KINDS:
        raise OptionError(f"unknown kind of data {kind!r}; {hint(kind, KINDS)}")
    if n_samples < 1 or n_features < 1:
        raise OptionError(f"a table needs 1 or more samples and features, not {n_samples} x {n_features}")
    if not 0.0 <= noise < float("inf"):
        raise OptionError(f"noise must be finite and 0 or more, not {noise}")
    if dtype not in ("float64", "float32"):
        raise OptionError(f"dtype must be float64 or float32, not {dtype!r}")
    if kind == "tutorial":
        return tutorial(dtype)
    return _drawn(kind, n_samples, n_features, noise, seed, dtype)


def tutorial(dtype: str = "float64") -> Table:
    """The lesson's three points, which the coefficient 2 fits exactly."""
    return Table(
        X=np.array([[1.0], [2.0], [3.0]], dtype), y=np.array([2.0, 4.0, 6.0]), feature_names=("x",), target_name="y",
        source="tutorial", defaults={"loss": "squared", "start": 1.0},
    )  # fmt: skip


def _drawn(kind: str, n_samples: int, n_features: int, noise: float, seed: int, dtype: str) -> Table:
    params_seed, noise_seed, rows_seed = np.random.SeedSequence(seed).spawn(3)
    params = np.random.Generator(np.random.PCG64(params_seed)).standard_normal(n_features + 1)
    X = _normal_rows(n_samples, n_features, rows_seed, dtype)
    # einsum and not BLAS: its sums do not depend on the number of threads.
    z = np.einsum("ij,j->i", X, params[1:]) + params[0]
    rng = np.random.Generator(np.random.PCG64(noise_seed))
    if kind == "linear":
        y, loss = z + noise * rng.standard_normal(n_samples), "squared"
    else:
        y, loss = (z + noise * rng.logistic(size=n_samples) > 0.0).astype(np.float64), "logistic"
    names = tuple(f"x{j}" for j in range(n_features))
    return Table(X, y, names, "y", kind, defaults={"loss": loss})


def _normal_rows(n_samples: int, n_features: int, seed: np.random.SeedSequence, dtype: str) -> Array:
    """Standard normal rows; each block has its own random stream, so that threads can fill the blocks in any order."""
    X: Array = np.empty((n_samples, n_features), dtype)
    starts = range(0, n_samples, _ROWS)

    def fill(start: int, stream: np.random.SeedSequence) -> None:
        rng = np.random.Generator(np.random.PCG64(stream))
        rng.standard_normal(dtype=X.dtype.type, out=X[start : start + _ROWS])

    pool = PythonThreads(os.cpu_count())
    pool.map(fill, starts, seed.spawn(len(starts)))
    pool.close()
    return X
