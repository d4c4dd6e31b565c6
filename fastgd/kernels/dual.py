"""What a dual point is made of: the slopes of the losses row by row, and their products with the columns of X.

All of it is in float64, whatever X is stored in: a bound is no better than its rounding.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ..jit import kernel, parallel_kernel, subroutine
from ..rows import axpy_double, n_rows
from .gradient import chunk_bound
from .targets import weight_of


@subroutine
def slopes_of_rows(y, weight, z, b, loss, start, stop, slopes):
    """Weighted slopes of rows start..stop at z + b; return their weighted losses and slopes, summed."""
    total = 0.0
    summed = 0.0
    # Unsigned, since an index that may be negative keeps the compiler from taking several rows at a time.
    for i in range(np.uint64(start), np.uint64(stop)):
        s = weight_of(weight, i)
        total += s * loss.value(y[i], z[i] + b)
        slopes[i] = s * loss.derivative(y[i], z[i] + b)
        summed += slopes[i]
    return total, summed


@parallel_kernel
def slopes_at(y, weight, z, b, loss, sums, slopes):
    """Write s_i l'(y_i, z_i + b) into ``slopes``; return the mean loss and the mean slope."""
    n_samples = y.shape[0]
    n_chunks = sums.shape[0]
    for c in prange(n_chunks):
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        sums[c, 0], sums[c, 1] = slopes_of_rows(y, weight, z, b, loss, first, last, slopes)
    total = 0.0
    summed = 0.0
    for c in range(n_chunks):
        total += sums[c, 0]
        summed += sums[c, 1]
    return total / n_samples, summed / n_samples


@subroutine
def add_rows(X, slopes, start, stop, out):
    """Add slopes_i x_i of rows start..stop to ``out``."""
    for i in range(start, stop):
        axpy_double(slopes[i], X, i, out)


@parallel_kernel
def mean_product(X, slopes, partials, out):
    """X' slopes / n."""
    n_samples = n_rows(X)
    n_chunks = partials.shape[0]
    for c in prange(n_chunks):
        partials[c, :] = 0.0
        add_rows(
            X, slopes, chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples), partials[c]
        )
    for j in range(out.shape[0]):
        total = 0.0
        for c in range(n_chunks):
            total += partials[c, j]
        out[j] = total / n_samples


@kernel
def mean_least(y, weight, loss):
    """The mean over all rows of the least value that the loss has at any z."""
    total = 0.0
    for i in range(y.shape[0]):
        total += weight_of(weight, i) * loss.least(y[i])
    return total / y.shape[0]
