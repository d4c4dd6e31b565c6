"""Access to the rows of X, dense or CSR, by the same functions for both layouts.

Kernels take X as a C-ordered array or as a `CSR` and call ``dot(X, i, w)`` and ``axpy(a, X, i, out)``; ``dots`` and
``axpys`` do that for a block of rows, ``axpy_dot`` adds one row and returns the dot product of the next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from ..compile.jit import inlined, subroutine, two_forms
from ..compile.prefetch import VALUES_A_LINE, prefetch

# How far ahead rows in random order are prefetched: for dense rows, a window of the order (see `row_order`), so that
# memory reads one window while the processor works on the previous one. An epoch of sgd is 1.1, 1.5 and 1.3 times
# faster than with 32 rows, at 20, 54 and 100 columns.
AHEAD_BYTES = 1 << 17
MIN_AHEAD, MAX_AHEAD = 32, 1024
SPARSE_ROWS_AHEAD = 32
# Consecutive rows are prefetched LINES_AHEAD cache lines ahead if they have at most LONGEST_SHORT_ROW bytes.
LINES_AHEAD, LONGEST_SHORT_ROW = 32, 640
BLOCK_ROWS = 32  # the most rows in a call of `dots` or `axpys`


class CSR(NamedTuple):
    """Compressed sparse rows, with the names of scipy.sparse."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_features: int


by_layout = two_forms("X", lambda X: isinstance(X, CSR), lambda X: not isinstance(X, types.Array))


def _n_rows_dense(X):
    return X.shape[0]


def _n_rows_csr(X):
    return X.indptr.shape[0] - 1


def _dot_dense(X, i, w):
    z = w.dtype.type(0)
    for j in range(X.shape[1]):
        z += X[i, j] * w[j]
    return z


# Unsigned indices: with signed ones, numba checks for Python's negative indices at every load and store.
def _dot_csr(X, i, w):
    data, indices = X.data, X.indices
    z = w.dtype.type(0)
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        z += data[p] * w[np.uint64(indices[p])]
    return z


def _axpy_dense(a, X, i, out):
    a = X.dtype.type(a)
    for j in range(X.shape[1]):
        out[j] += a * X[i, j]


def _axpy_csr(a, X, i, out):
    data, indices = X.data, X.indices
    a = data.dtype.type(a)
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        out[np.uint64(indices[p])] += a * data[p]


# Squared norm of row i after centring and scaling; ``at_zero`` is the squared norm of a row of zeros, from which a
# sparse row differs only at its stored values.
def _squared_norm_dense(X, i, shift, scale, at_zero):
    total = 0.0
    for j in range(X.shape[1]):
        scaled = scale[j] * (X[i, j] - shift[j])
        total += scaled * scaled
    return total


def _squared_norm_csr(X, i, shift, scale, at_zero):
    total = at_zero
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(X.indices[p])
        total += scale[j] * scale[j] * X.data[p] * (X.data[p] - 2.0 * shift[j])
    return total


def _squared_length_dense(X, i):
    total = 0.0
    for j in range(X.shape[1]):
        total += X[i, j] * X[i, j]
    return total


def _squared_length_csr(X, i):
    total = 0.0
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        total += X.data[p] * X.data[p]
    return total


# out[j] += x_j^2.
def _add_squares_dense(X, i, out):
    for j in range(X.shape[1]):
        out[j] += X[i, j] * X[i, j]


def _add_squares_csr(X, i, out):
    data, indices = X.data, X.indices
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        out[np.uint64(indices[p])] += data[p] * data[p]


# axpy with products in float64 for every dtype of X.
def _axpy_double_dense(a, X, i, out):
    for j in range(X.shape[1]):
        out[j] += a * X[i, j]


def _axpy_double_csr(a, X, i, out):
    data, indices = X.data, X.indices
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        out[np.uint64(indices[p])] += a * data[p]


def _axpy2_dense(a0, a1, X, i0, i1, out):
    b0, b1 = X.dtype.type(a0), X.dtype.type(a1)
    for j in range(X.shape[1]):
        out[j] += b0 * X[i0, j] + b1 * X[i1, j]


def _axpy2_csr(a0, a1, X, i0, i1, out):
    axpy(a0, X, i0, out)
    axpy(a1, X, i1, out)


# Add a times row i to v, and return the dot product of the new v with the following row. It is computed from the dot
# products of that row with the old v and with row i, which do not depend on a, so the processor can compute most of it
# while dloss_dz of this step is still being computed.
def _axpy_dot_dense(a, X, i, following, v):
    a = X.dtype.type(a)
    z = v.dtype.type(0)
    between = v.dtype.type(0)
    for j in range(X.shape[1]):
        z += v[j] * X[following, j]
        between += X[i, j] * X[following, j]
    for j in range(X.shape[1]):
        v[j] += a * X[i, j]
    return z + a * between


def _axpy_dot_csr(a, X, i, following, v):
    axpy(a, X, i, v)
    return dot(X, following, v)


def _rows_ahead_dense(X):
    return min(max(AHEAD_BYTES // max(X.shape[1] * X.itemsize, 1), MIN_AHEAD), MAX_AHEAD)


def _rows_ahead_csr(X):
    return SPARSE_ROWS_AHEAD


# Prefetch row i line by line: rows in random order are cache misses otherwise.
def _prefetch_row_dense(X, i):
    d = X.shape[1]
    for j in range(0, d, VALUES_A_LINE):
        prefetch(X, i * d + j)
    prefetch(X, i * d + d - 1)


def _prefetch_row_csr(X, i):
    start, stop = X.indptr[i], X.indptr[i + 1]
    for p in range(start, stop, VALUES_A_LINE):
        prefetch(X.data, p)
        prefetch(X.indices, p)


# Prefetch two consecutive rows, LINES_AHEAD lines after row i. The hardware prefetchers start late on short rows: a
# pass is 1/7 faster at 40 and 54 columns, equal at 100. On long rows the prefetches delay the current row: 1/5
# slower at 200 and 400.
def _prefetch_following_dense(X, i):
    d = X.shape[1]
    if d * X.itemsize <= LONGEST_SHORT_ROW:
        following = i * d + LINES_AHEAD * VALUES_A_LINE
        for j in range(0, 2 * d, VALUES_A_LINE):
            prefetch(X, following + j)


def _prefetch_following_csr(X, i):
    pass


# Soft thresholding, deferred until a coefficient is next used. ``owed`` is the sum of the thresholds of all steps so
# far, ``paid[j]`` the part of it already applied to coefficient j; thresholds of successive steps add up exactly. A
# dense row uses every coefficient, so paid[0] is for all.
def _soften_dense(X, i, v, owed, paid):
    threshold = v.dtype.type(owed - paid[0])
    for j in range(v.shape[0]):
        v[j] -= min(max(v[j], -threshold), threshold)
    paid[0] = owed


def _soften_csr(X, i, v, owed, paid):
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(X.indices[p])
        threshold = v.dtype.type(owed - paid[j])
        v[j] -= min(max(v[j], -threshold), threshold)
        paid[j] = owed


def _soften_all_dense(X, v, owed, paid):
    soften(X, 0, v, owed, paid)
    paid[0] = 0.0


def _soften_all_csr(X, v, owed, paid):
    for j in range(v.shape[0]):
        threshold = v.dtype.type(owed - paid[j])
        v[j] -= min(max(v[j], -threshold), threshold)
        paid[j] = 0.0


# z[r] = x . w for the rows from i on; four dense rows at a time.
def _dots_dense(X, i, w, z):
    zero = w.dtype.type(0)
    n = z.shape[0]
    r = 0
    while r + 4 <= n:
        i0, i1, i2, i3 = _four_from(i + r)
        z0, z1, z2, z3 = zero, zero, zero, zero
        for j in range(X.shape[1]):
            z0 += X[i0, j] * w[j]
            z1 += X[i1, j] * w[j]
            z2 += X[i2, j] * w[j]
            z3 += X[i3, j] * w[j]
        z[r], z[r + 1], z[r + 2], z[r + 3] = z0, z1, z2, z3
        r += 4
    while r < n:
        z[r] = dot(X, i + r, w)
        r += 1


def _dots_csr(X, i, w, z):
    for r in range(z.shape[0]):
        z[r] = dot(X, i + r, w)


n_rows = by_layout(_n_rows_dense, _n_rows_csr)
dot = by_layout(_dot_dense, _dot_csr)
dots = by_layout(_dots_dense, _dots_csr)
axpy = by_layout(_axpy_dense, _axpy_csr)
axpy_double = by_layout(_axpy_double_dense, _axpy_double_csr)
axpy2 = by_layout(_axpy2_dense, _axpy2_csr)
axpy_dot = by_layout(_axpy_dot_dense, _axpy_dot_csr)
squared_norm = by_layout(_squared_norm_dense, _squared_norm_csr)
squared_length = by_layout(_squared_length_dense, _squared_length_csr)
add_squares = by_layout(_add_squares_dense, _add_squares_csr)
rows_ahead = by_layout(_rows_ahead_dense, _rows_ahead_csr)
prefetch_row = by_layout(_prefetch_row_dense, _prefetch_row_csr)
prefetch_following = by_layout(_prefetch_following_dense, _prefetch_following_csr)
soften = by_layout(_soften_dense, _soften_csr)
soften_all = by_layout(_soften_all_dense, _soften_all_csr)


@subroutine
def prefetch_number(X, y, order, ahead):
    """Prefetch row number ``ahead`` of the order, if there is one, and its target."""
    if ahead < order.shape[0]:
        prefetch_row(X, order[ahead])
        prefetch(y, order[ahead])


@inlined
def axpys(z, X, i, out):
    """out += z[r] x for the rows from i on of a dense X, eight at a time."""
    a = X.dtype.type
    n = z.shape[0]
    r = 0
    while r + 8 <= n:
        i0, i1, i2, i3 = _four_from(i + r)
        i4, i5, i6, i7 = _four_from(i + r + 4)
        a0, a1, a2, a3 = a(z[r]), a(z[r + 1]), a(z[r + 2]), a(z[r + 3])
        a4, a5, a6, a7 = a(z[r + 4]), a(z[r + 5]), a(z[r + 6]), a(z[r + 7])
        for j in range(X.shape[1]):
            first = (a0 * X[i0, j] + a1 * X[i1, j]) + (a2 * X[i2, j] + a3 * X[i3, j])
            second = (a4 * X[i4, j] + a5 * X[i5, j]) + (a6 * X[i6, j] + a7 * X[i7, j])
            out[j] += first + second
        r += 8
    while r < n:
        axpy(z[r], X, i + r, out)
        r += 1


@inlined
def _four_from(i):
    """The numbers of four rows from i on, as unsigned integers."""
    return np.uint64(i), np.uint64(i + 1), np.uint64(i + 2), np.uint64(i + 3)
