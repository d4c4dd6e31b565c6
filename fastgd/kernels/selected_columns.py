"""Some columns of X, copied, and the products of all columns with vectors over the rows. X is read as it is stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compile.jit import subroutine, threaded
from .batch_gradient import chunk_bound, clear
from .row_access import axpy_double, by_layout, n_rows

# Columns of a dense block of rows that stay in the first-level cache while it is multiplied by all vectors.
CACHED_COLUMNS = 512
# Rows of a block of `gather_dense`: each part of a copied column is then a few cache lines.
GATHERED_ROWS = 64


# Add the products of four rows of a dense X, from row i on, with one vector or two to the sums in ``out``, for the
# columns begin..end. Two vectors share the loads of X.
@subroutine
def add_four_rows(X, U, i, k, begin, end, out):
    i0, i1, i2, i3 = np.uint64(i), np.uint64(i + 1), np.uint64(i + 2), np.uint64(i + 3)
    a0, a1, a2, a3 = U[k, i0], U[k, i1], U[k, i2], U[k, i3]
    first = out[k]
    for j in range(np.uint64(begin), np.uint64(end)):
        first[j] += (a0 * X[i0, j] + a1 * X[i1, j]) + (a2 * X[i2, j] + a3 * X[i3, j])


@subroutine
def add_four_rows_twice(X, U, i, k, begin, end, out):
    i0, i1, i2, i3 = np.uint64(i), np.uint64(i + 1), np.uint64(i + 2), np.uint64(i + 3)
    a0, a1, a2, a3 = U[k, i0], U[k, i1], U[k, i2], U[k, i3]
    b0, b1, b2, b3 = U[k + 1, i0], U[k + 1, i1], U[k + 1, i2], U[k + 1, i3]
    first, second = out[k], out[k + 1]
    for j in range(np.uint64(begin), np.uint64(end)):
        x0, x1, x2, x3 = X[i0, j], X[i1, j], X[i2, j], X[i3, j]
        first[j] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3)
        second[j] += (b0 * x0 + b1 * x1) + (b2 * x2 + b3 * x3)


# Add u_i x_i for the rows first..last to ``out``, the sums of each vector.
def _add_products_dense(X, U, first, last, out):
    n_columns, n_vectors = X.shape[1], U.shape[0]
    whole = first + (last - first) // 4 * 4
    for begin in range(0, n_columns, CACHED_COLUMNS):
        end = min(begin + CACHED_COLUMNS, n_columns)
        for i in range(first, whole, 4):
            for k in range(0, n_vectors - 1, 2):
                add_four_rows_twice(X, U, i, k, begin, end, out)
            if n_vectors % 2 == 1:
                add_four_rows(X, U, i, n_vectors - 1, begin, end, out)
    for i in range(whole, last):
        for k in range(n_vectors):
            for j in range(n_columns):
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
def column_products(begin, end, X, U, partials, out):  # noqa: ARG001  # `_add_up` writes it
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
            q, full = indptr[i], indptr[i + 1]
            for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
                if q == full:
                    break
                # Written in any case, and kept if the column is chosen: a branch on that could not be predicted.
                at = place[np.uint64(X.indices[p])]
                indices[q], data[q] = at, X.data[p]
                q += at >= 0
