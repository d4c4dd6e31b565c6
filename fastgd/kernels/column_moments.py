"""Moments of the columns of CSR rows, without the copies that NumPy would make."""

from __future__ import annotations

import numpy as np

from ..compile.jit import kernel
from .batch_gradient import clear


@kernel
def moments_of_columns(X, share, present, residual, mean, variance):
    """Mean and variance (about the mean) of each column of CSR rows, with row weights ``share``, whose sum is 1.

    ``present`` and ``residual`` are workspace: the total share of the rows that store a value of the column, and the
    rounding error of the mean, by which both are corrected (Chan, Golub and LeVeque, Algorithms for computing the
    sample variance, 1983): without it, a column that is constant in many rows would have a spread.
    """
    data, indices, indptr = X.data, X.indices, X.indptr
    clear(present)
    clear(residual)
    clear(mean)
    clear(variance)
    total = 0.0  # summed in the order of ``present``: equal to it for a column without absent values
    for i in range(share.shape[0]):
        total += share[i]
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[p])
            present[j] += share[i]
            mean[j] += share[i] * data[p]
    for i in range(share.shape[0]):
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[p])
            centred = data[p] - mean[j]
            residual[j] += share[i] * centred
            variance[j] += share[i] * centred**2
    for j in range(mean.shape[0]):
        absent = max(total - present[j], 0.0)
        residual[j] -= absent * mean[j]
        variance[j] = max(variance[j] + absent * mean[j] ** 2 - residual[j] ** 2, 0.0)
        mean[j] += residual[j]


@kernel
def sizes_of_columns(X, sums, squares):
    """The sums of the absolute values and of the squares of each column of CSR rows."""
    data, indices = X.data, X.indices
    clear(sums)
    clear(squares)
    for p in range(np.uint64(X.indptr[0]), np.uint64(X.indptr[-1])):
        j = np.uint64(indices[p])
        x = np.float64(data[p])
        sums[j] += abs(x)
        squares[j] += x * x
