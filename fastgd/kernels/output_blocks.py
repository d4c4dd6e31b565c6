"""Products of the rows of X, dense or CSR, with the coefficients of several outputs; see also `row_access`.

The coefficients ``W`` and gradients ``G`` of all outputs have the shape (n_outputs, n_features) if X is dense, so that
a block of rows is a matrix product, and (n_features, n_outputs) if X is CSR, so that a stored value is multiplied by
adjacent coefficients. Only this module depends on the layout.
"""

from __future__ import annotations

import numpy as np

from ..compile.jit import inlined, subroutine
from .row_access import CSR, by_layout, prefetch_row, rows_ahead


def lay_out(X: np.ndarray | CSR, n_outputs: int, dtype: np.dtype, *leading: int) -> np.ndarray:
    """Zeros of the shape that W and G have for X, after the axes ``leading``."""
    if isinstance(X, CSR):
        return np.zeros((*leading, X.n_features, n_outputs), dtype)
    return np.zeros((*leading, n_outputs, X.shape[1]), dtype)


def fill(X: np.ndarray | CSR, W: np.ndarray, coef: np.ndarray) -> None:
    """Set W to ``coef``, shape (n_outputs, n_features), from Python; kernels use `load`."""
    W[...] = coef.T if isinstance(X, CSR) else coef


@inlined
def row_at(order, k):
    """Row number k of an order of rows; k itself if the order is None."""
    return k if order is None else order[k]


# Copy the coefficients of params to W, and back.
def _load_dense(X, params, W):
    for k in range(W.shape[0]):
        for j in range(W.shape[1]):
            W[k, j] = params[k, j]


def _load_csr(X, params, W):
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            W[j, k] = params[k, j]


def _store_dense(X, W, params):
    for k in range(W.shape[0]):
        for j in range(W.shape[1]):
            params[k, j] = W[k, j]


def _store_csr(X, W, params):
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            params[k, j] = W[j, k]


# For one row: Z[r] = W x_i, and W += Z[r] x_i'.
def _dots_dense(X, i, W, Z, r):
    for k in range(W.shape[0]):
        _dot_of_output(X, i, W, k, Z, r)


@inlined
def _dot_of_output(X, i, W, k, Z, r):
    total = W.dtype.type(0)
    for j in range(W.shape[1]):
        total += W[k, j] * X[i, j]
    Z[r, k] = total


def _dots_csr(X, i, W, Z, r):
    data, indices = X.data, X.indices
    for k in range(Z.shape[1]):
        Z[r, k] = 0.0
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(indices[p])
        for k in range(Z.shape[1]):
            Z[r, k] += data[p] * W[j, k]


def _axpys_dense(Z, r, X, i, W):
    for k in range(W.shape[0]):
        _axpy_of_output(Z, r, X, i, k, W)


@inlined
def _axpy_of_output(Z, r, X, i, k, W):
    a = Z[r, k]
    for j in range(W.shape[1]):
        W[k, j] += a * X[i, j]


def _axpys_csr(Z, r, X, i, W):
    data, indices = X.data, X.indices
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        j = np.uint64(indices[p])
        for k in range(Z.shape[1]):
            W[j, k] += Z[r, k] * data[p]


@inlined
def prefetch_rows(X, order, k, count):
    """Prefetch the rows that come after the ``count`` rows from number k of an order on."""
    if order is not None:
        distance = rows_ahead(X)
        for ahead in range(k + distance, min(k + distance + count, order.shape[0])):
            prefetch_row(X, order[ahead])


# Deferred soft thresholding, as in `row_access`, with separate thresholds for each output.
def _softens_dense(X, i, W, owed, paid):
    for k in range(W.shape[0]):
        threshold = W.dtype.type(owed[k] - paid[k, 0])
        for j in range(W.shape[1]):
            W[k, j] -= min(max(W[k, j], -threshold), threshold)
        paid[k, 0] = owed[k]


def _softens_csr(X, i, W, owed, paid):
    for p in range(np.uint64(X.indptr[i]), np.uint64(X.indptr[i + 1])):
        _soften_feature(np.uint64(X.indices[p]), W, owed, paid)


@inlined
def _soften_feature(j, W, owed, paid):
    for k in range(owed.shape[0]):
        threshold = W.dtype.type(owed[k] - paid[j, k])
        W[j, k] -= min(max(W[j, k], -threshold), threshold)
        paid[j, k] = owed[k]


def _softens_all_dense(X, W, owed, paid):
    softens(X, 0, W, owed, paid)
    for k in range(owed.shape[0]):
        paid[k, 0] = 0.0


def _softens_all_csr(X, W, owed, paid):
    for j in range(W.shape[0]):
        _soften_feature(j, W, owed, paid)
        for k in range(owed.shape[0]):
            paid[j, k] = 0.0


# Multiply W by a factor for each output.
def _rescale_dense(X, W, factors):
    for k in range(W.shape[0]):
        for j in range(W.shape[1]):
            W[k, j] = factors[k] * W[k, j]


def _rescale_csr(X, W, factors):
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            W[j, k] = factors[k] * W[j, k]


# total += factors W - U, with a factor for each output, then U = 0; total has the layout of params.
def _sum_up_dense(X, W, factors, U, total):
    for k in range(W.shape[0]):
        for j in range(W.shape[1]):
            total[k, j] += factors[k] * W[k, j] - U[k, j]
            U[k, j] = 0.0


def _sum_up_csr(X, W, factors, U, total):
    for j in range(W.shape[0]):
        for k in range(W.shape[1]):
            total[k, j] += factors[k] * W[j, k] - U[j, k]
            U[j, k] = 0.0


# Z = X W' for a block of rows. Four rows and two outputs at a time: eight sums in registers for six loads. (BLAS is
# not faster for such narrow matrices, and starts threads of its own.)
def _block_dot_dense(X, order, start, stop, W, Z):
    k = start
    while k + 4 <= stop:
        prefetch_rows(X, order, k, 4)
        i0, i1, i2, i3 = row_at(order, k), row_at(order, k + 1), row_at(order, k + 2), row_at(order, k + 3)
        for a in range(0, W.shape[0] - 1, 2):
            _dots_of_four_rows(X, i0, i1, i2, i3, W, a, Z, k - start)
        if W.shape[0] % 2:
            for r in range(4):
                _dot_of_output(X, row_at(order, k + r), W, W.shape[0] - 1, Z, k - start + r)
        k += 4
    while k < stop:
        dots(X, row_at(order, k), W, Z, k - start)
        k += 1


@subroutine
def _dots_of_four_rows(X, i0, i1, i2, i3, W, k, Z, r):
    zero = W.dtype.type(0)
    a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(X.shape[1]):
        u, v = W[k, j], W[k + 1, j]
        a0 += u * X[i0, j]
        b0 += v * X[i0, j]
        a1 += u * X[i1, j]
        b1 += v * X[i1, j]
        a2 += u * X[i2, j]
        b2 += v * X[i2, j]
        a3 += u * X[i3, j]
        b3 += v * X[i3, j]
    Z[r, k], Z[r + 1, k], Z[r + 2, k], Z[r + 3, k] = a0, a1, a2, a3
    Z[r, k + 1], Z[r + 1, k + 1], Z[r + 2, k + 1], Z[r + 3, k + 1] = b0, b1, b2, b3


def _block_dot_csr(X, order, start, stop, W, Z):
    for k in range(start, stop):
        prefetch_rows(X, order, k, 1)
        dots(X, row_at(order, k), W, Z, k - start)


# G += Z' X for a block of rows, also four rows and two outputs at a time.
def _block_axpy_dense(Z, X, order, start, stop, G):
    whole = (stop - start) // 4 * 4
    for r in range(0, whole, 4):
        k = start + r
        i0, i1, i2, i3 = row_at(order, k), row_at(order, k + 1), row_at(order, k + 2), row_at(order, k + 3)
        for a in range(0, G.shape[0] - 1, 2):
            _axpys_of_four_rows(Z, r, X, i0, i1, i2, i3, a, G)
        if G.shape[0] % 2:
            for i in range(4):
                _axpy_of_output(Z, r + i, X, row_at(order, k + i), G.shape[0] - 1, G)
    for r in range(whole, stop - start):
        axpys(Z, r, X, row_at(order, start + r), G)


@subroutine
def _axpys_of_four_rows(Z, r, X, i0, i1, i2, i3, k, G):
    a0, a1, a2, a3 = Z[r, k], Z[r + 1, k], Z[r + 2, k], Z[r + 3, k]
    b0, b1, b2, b3 = Z[r, k + 1], Z[r + 1, k + 1], Z[r + 2, k + 1], Z[r + 3, k + 1]
    for j in range(X.shape[1]):
        x0, x1, x2, x3 = X[i0, j], X[i1, j], X[i2, j], X[i3, j]
        G[k, j] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3)
        G[k + 1, j] += (b0 * x0 + b1 * x1) + (b2 * x2 + b3 * x3)


def _block_axpy_csr(Z, X, order, start, stop, G):
    for r in range(stop - start):
        axpys(Z, r, X, row_at(order, start + r), G)


load = by_layout(_load_dense, _load_csr)
store = by_layout(_store_dense, _store_csr)
dots = by_layout(_dots_dense, _dots_csr)
axpys = by_layout(_axpys_dense, _axpys_csr)
softens = by_layout(_softens_dense, _softens_csr)
softens_all = by_layout(_softens_all_dense, _softens_all_csr)
rescale = by_layout(_rescale_dense, _rescale_csr)
sum_up = by_layout(_sum_up_dense, _sum_up_csr)
block_dot = by_layout(_block_dot_dense, _block_dot_csr)
block_axpy = by_layout(_block_axpy_dense, _block_axpy_csr)
