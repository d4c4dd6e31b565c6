"""X' S X, the weighted Gram matrix of least squares and of Newton's method."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..compile.jit import threads_in_use
from ..data.feature_matrix import as_scipy, shape_of
from ..kernels.column_products import BLOCK_ROWS, GAP, TALL, WIDE, dense_products, sparse_products
from ..kernels.row_access import CSR

# A chunk has at least this many rows, so that its sums take longer to make than to add up. MAX_CHUNKS bounds the
# chunks, MAX_SUM_VALUES the values of all their sums.
MIN_CHUNK_ROWS, MAX_CHUNKS, MAX_SUM_VALUES = 512, 16, 1 << 22
# Sums of this many values have few chunks: to touch new memory takes longer than to add to it.
LARGE_SUMS, FEW_CHUNKS = 1 << 16, 4
# Up to this many products NumPy takes a millisecond, and a kernel longer to compile.
NUMPY_PRODUCTS = 1 << 22
# From this many products on, threads pay: one thread takes a millisecond or two.
MIN_THREADED_PRODUCTS = 1 << 25
# The same for sparse values. For fewer, numba's threads, which spin on after a gradient, slow down Python's.
MIN_THREADED_SPARSE_PRODUCTS = 1 << 23
# Rows of a block for NumPy, whose temporary arrays then stay in the cache; and of sparse rows that are made dense.
CENTRED_ROWS, DENSE_ROWS = 1024, 8192
# Sparse columns are centred after their products are made, unless less than this part of a square would be left.
CANCELLED = 1e-6


def centred_blocks(X: np.ndarray, shift: np.ndarray) -> Iterator[np.ndarray]:
    """x_i - shift in float64, a block of rows at a time, in one array that the next block overwrites."""
    buffer = np.empty((min(len(X), CENTRED_ROWS), X.shape[1]))
    for first in range(0, len(X), CENTRED_ROWS):
        rows = X[first : first + CENTRED_ROWS]
        yield np.subtract(rows, shift, out=buffer[: len(rows)])


def gram(
    X: np.ndarray | CSR,
    weights: np.ndarray,
    shift: np.ndarray,
    intercept: bool,
    scale: np.ndarray | None = None,
    in_float32: bool = False,
) -> np.ndarray:
    """sum_i s_ik v_i v_i', v_i = scale (x_i - shift), for each column k of ``weights``, (n_samples, n_sums).

    Float64, shape (n_sums, n_parameters, n_parameters); no weight is negative. With an ``intercept`` v_i ends in a one.
    ``scale`` is one unless given. ``in_float32``: make products of dense rows in float32, in half the time, which suits
    values of about one.
    """
    n, d = shape_of(X)
    scale = np.ones(d) if scale is None else scale
    if weights.shape[1] * n * (d + 1) ** 2 < NUMPY_PRODUCTS:
        total = _by_numpy(_dense(X), weights, shift, scale)
    elif isinstance(X, CSR):
        total = _of_sparse_rows(X, weights, shift, scale)
    else:
        total = _of_dense_rows(X, weights, shift, scale, in_float32)
    return total[:, : d + int(intercept), : d + int(intercept)]


def _dense(X: np.ndarray | CSR) -> np.ndarray:
    return np.asarray(as_scipy(X).toarray()) if isinstance(X, CSR) else X


def _by_numpy(X: np.ndarray, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    columns = np.column_stack([(X - shift) * scale, np.ones(len(X))])
    rooted = np.sqrt(weights.T)[:, :, None] * columns
    return np.asarray(rooted.transpose(0, 2, 1) @ rooted)


def _shape_of_sums(weights: np.ndarray, d: int) -> tuple[int, int, int, int]:
    """For the kernels, (n_chunks, n_sums, n_tall, n_wide)."""
    (n, n_sums), tall, wide = weights.shape, -(-(d + 1) // TALL) * TALL, -(-(d + 1) // WIDE) * WIDE
    size = n_sums * tall * wide
    most = MAX_CHUNKS if size < LARGE_SUMS else FEW_CHUNKS
    n_chunks = max(min(n // MIN_CHUNK_ROWS, most, MAX_SUM_VALUES // size), 1)
    return (
        1 << (n_chunks.bit_length() - 1),
        n_sums,
        tall,
        wide,
    )  # a power of two: the same number for each of two or four threads


def _of_dense_rows(
    X: np.ndarray, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray, in_float32: bool
) -> np.ndarray:
    sums = np.zeros(_shape_of_sums(weights, X.shape[1]))
    many = weights.size * X.shape[1] ** 2 >= MIN_THREADED_PRODUCTS
    launch, n_threads = (dense_products, min(threads_in_use(), len(sums))) if many else (dense_products.serial, 1)
    blocks = np.empty((n_threads, max(sums.shape[2:]), BLOCK_ROWS + GAP), np.float32 if in_float32 else np.float64)
    launch(X, np.ascontiguousarray(weights.T), shift, scale, blocks, sums)
    for some in sums[1:]:
        sums[0] += some
    total = sums[0, :, : X.shape[1] + 1, : X.shape[1] + 1]
    for j in range(X.shape[1] + 1):
        total[:, j + 1 :, j] = total[:, j, j + 1 :]
    return np.asarray(total)


def _of_sparse_rows(X: CSR, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Uncentred products, centred afterwards; where that would leave few digits, by dense blocks of rows."""
    n, d = shape_of(X)
    sums = np.zeros(_shape_of_sums(weights, d))
    pairs = weights.shape[1] * len(X.data) ** 2 // n
    launch = sparse_products if pairs >= MIN_THREADED_SPARSE_PRODUCTS else sparse_products.serial
    launch(X, np.ascontiguousarray(weights.T), sums)
    total = sums.sum(axis=0)[:, : d + 1, : d + 1]
    total = total + total.transpose(0, 2, 1)
    np.einsum("kii->ki", total)[:] /= 2.0
    about = _centred(total, np.append(shift, 0.0))
    if (np.einsum("kii->ki", about) < CANCELLED * np.einsum("kii->ki", total)).any():
        rows, about = as_scipy(X), np.zeros_like(total)
        for first in range(0, n, DENSE_ROWS):
            part = slice(first, first + DENSE_ROWS)
            about += _of_dense_rows(rows[part].toarray(), weights[part], shift, scale, in_float32=False)
        return about
    factor = np.append(scale, 1.0)
    return np.asarray(about * np.outer(factor, factor))


def _centred(total: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Products of the columns about a ``centre``, from their products as they are; the last column is ones."""
    crossed = centre[:, None] * total[:, None, :, -1]
    return np.asarray(total - crossed - crossed.transpose(0, 2, 1) + total[:, -1:, -1:] * np.outer(centre, centre))
