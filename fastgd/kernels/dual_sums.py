"""Sums for dual points: dloss_dz of each row, and its products with the columns of X.

All in float64 for every dtype of X: a bound is no better than its rounding errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compile.jit import kernel, subroutine, threaded
from .batch_gradient import chunk_bound, clear, mean_over_rows
from .row_access import axpy_double, n_rows
from .row_targets import or_none_of, weight_of


@subroutine
def derivatives_of_rows(y, weight, z, b, loss, start, stop, derivatives):
    """Weighted dloss_dz of rows start..stop at z + b; returns the sums of losses and derivatives."""
    weight = or_none_of(weight, y)
    total = 0.0
    summed = 0.0
    # Unsigned: with a signed index the compiler does not vectorise the loop.
    for i in range(np.uint64(start), np.uint64(stop)):
        s = weight_of(weight, i)
        total += s * loss.value(y[i], z[i] + b)
        derivatives[i] = s * loss.derivative(y[i], z[i] + b)
        summed += derivatives[i]
    return total, summed


def _means(y: np.ndarray, _weight: Any, _z: Any, _b: Any, _loss: Any, sums: np.ndarray, _derivatives: Any) -> Any:
    return sums.sum(axis=0) / len(y)


@threaded("sums", _means)
def derivatives_at(begin, end, y, weight, z, b, loss, sums, derivatives):
    """Weighted dloss_dz of each row at z_i + b, into ``derivatives``; returns the mean loss and the mean derivative."""
    n_samples = y.shape[0]
    n_chunks = sums.shape[0]
    for c in range(begin, end):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        sums[c, 0], sums[c, 1] = derivatives_of_rows(y, weight, z, b, loss, first, last, derivatives)


@threaded("partials", mean_over_rows)
def mean_product(begin, end, X, derivatives, partials, out):
    """X' derivatives / n, into ``out``."""
    n_samples = n_rows(X)
    n_chunks = partials.shape[0]
    for c in range(begin, end):
        partial = partials[c]
        clear(partial)
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            axpy_double(derivatives[i], X, i, partial)


@kernel
def mean_minimum(y, weight, loss):
    """The mean over all rows of the minimum of the loss over z."""
    total = 0.0
    for i in range(y.shape[0]):
        total += weight_of(weight, i) * loss.minimum(y[i])
    return total / y.shape[0]
