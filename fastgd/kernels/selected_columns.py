"""Some columns of X, copied, and the products of all columns with vectors over the rows. X is read as it is stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compile.jit import threaded
from .batch_gradient import chunk_bound, clear
from .row_access import axpy_double, by_layout, n_rows

# Columns of a dense block of rows that stay in the first-level cache while it is multiplied by all vectors.
CACHED_COLUMNS = 512
# Rows of a block of `gather_dense`: each part of a copied column is then a few cache lines.
GATHERED_ROWS = 64


# Add u_i x_i for the rows first..last to ``out``: for dense X four rows at a time, for each vector in turn.
def _add_products_dense(X, U, first, last, out):
    n_columns = X.shape[1]
    for begin in range(0, n_columns, CACHED_COLUMNS):
        end = min(begin + CACHED_COLUMNS, n_columns)
        for i in range(first, last - 3, 4):
            i0, i1, i2, i3 = np.uint64(i), np.uint64(i + 1), np.uint64(i + 2), np.uint64(i + 3)
            for k in range(U.shape[0]):
                u0, u1, u2, u3 = U[k, i0], U[k, i1], U[k, i2], U[k, i3]
                row = out[k]
                for j in range(np.uint64(begin), np.uint64(end)):
                    row[j] += (u0 * X[i0, j] + u1 * X[i1, j]) + (u2 * X[i2, j] + u3 * X[i3, j])
        for i in range(first + (last - first) // 4 * 4, last):
            for k in range(U.shape[0]):
                for j in range(begin, end):
                    out[k, j] += U[k, i] * X[i, j]


def _add_products_csr(X, U, first, last, out):
    for i in range(first, last):
        for k in range(U.shape[0]):
            axpy_double(U[k, i], X, i, out[k])


add_products = by_layout(_add_products_dense, _add_products_csr)


def _add_up(*arguments: Any) -> None:
    *_, partials, out = arguments
    partials.sum(axis=0, out=out)


@threaded("partials", _add_up)
def column_products(begin, end, X, U, partials, out):
    """U X in float64 for the rows of ``U``, shape (n_vectors, n_samples), into ``out``, (n_vectors, n_features).

    ``partials`` has the shape (n_chunks, n_vectors, n_features).
    """
    n_samples, n_chunks = n_rows(X), partials.shape[0]
    for c in range(begin, end):
        for k in range(U.shape[0]):
            clear(partials[c, k])
        first, last = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        add_products(X, U, first, last, partials[c])


@threaded("n_chunks")
def gather_dense(begin, end, X, chosen, n_chunks, out):
    """Copy the ``chosen`` columns of a dense X into the rows of ``out``, shape (n_chosen, n_samples)."""
    n_samples = X.shape[0]
    for c in range(begin, end):
        start, stop = chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)
        for first in range(start, stop, GATHERED_ROWS):
            last = min(first + GATHERED_ROWS, stop)
            for k in range(chosen.shape[0]):
                for i in range(first, last):
                    out[k, i] = X[i, chosen[k]]


@threaded("n_chunks")
def count_chosen(begin, end, X, place, n_chunks, counts):
    """The number of values that each row of a sparse X has in columns whose ``place`` is not negative."""
    n_samples = n_rows(X)
    for c in range(begin, end):
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            count = 0
            for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
                count += place[np.uint64(X.indices[p])] >= 0
            counts[i] = count


@threaded("n_chunks")
def gather_sparse(begin, end, X, place, n_chunks, indptr, indices, data):
    """Copy the values in columns whose ``place`` is not negative: the new column is the place; see `count_chosen`."""
    n_samples = n_rows(X)
    for c in range(begin, end):
        for i in range(chunk_bound(c, n_chunks, 0, n_samples), chunk_bound(c + 1, n_chunks, 0, n_samples)):
            q = indptr[i]
            for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
                at = place[np.uint64(X.indices[p])]
                if at >= 0:
                    indices[q], data[q] = at, X.data[p]
                    q += 1
