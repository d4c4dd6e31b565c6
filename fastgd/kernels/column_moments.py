"""Moments of the columns of CSR rows, without the copies that NumPy would make."""

from __future__ import annotations

import numpy as np

from ..compile.jit import kernel
from .batch_gradient import clear


@kernel
def moments_of_columns(X, share, present, mean, variance):
    """Mean and variance (about the mean) of each column of CSR rows, with row weights ``share``, whose sum is 1.

    ``present`` is workspace: the total share of the rows that store a value of the column.
    """
    data, indices, indptr = X.data, X.indices, X.indptr
    clear(present)
    clear(mean)
    clear(variance)
    for i in range(share.shape[0]):
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[p])
            present[j] += share[i]
            mean[j] += share[i] * data[p]
    for i in range(share.shape[0]):
        for p in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint64(indices[p])
            variance[j] += share[i] * (data[p] - mean[j]) ** 2
    for j in range(mean.shape[0]):
        absent = 1.0 - present[j]
        if absent > 1e-12:  # larger than rounding errors
            variance[j] += absent * mean[j] ** 2


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
