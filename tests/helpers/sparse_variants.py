"""Sparse matrices of the same values, stored in unusual ways."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def with_long_indices(matrix):
    parts = matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    result = type(matrix)(parts, matrix.shape)
    result.indices = parts[1]  # the constructor may shorten them
    return result


def with_duplicates(X):
    """Each value as the sum of two entries, in random order."""
    rows, columns = (part.astype(np.int32) for part in np.nonzero(X))
    order = np.random.default_rng(5).permutation(2 * len(rows))
    half = X[rows, columns] / 2
    double = [np.concatenate(pair)[order] for pair in ((half, half), (rows, rows), (columns, columns))]
    return sp.coo_array((double[0], (double[1], double[2])), X.shape)


def unsorted(X):
    """Rows with their columns from right to left."""
    rows, columns = np.nonzero(X)
    order = np.lexsort((-columns, rows))
    indptr = np.concatenate([[0], np.cumsum((X != 0).sum(axis=1))])
    indices = columns[order].astype(np.int32)
    return sp.csr_array((X[rows, columns][order], indices, indptr.astype(np.int32)), X.shape)
