"""X' S X: the matrix that least squares and Newton's method are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..compile.jit import threads_in_use
from ..data.feature_matrix import as_scipy, shape_of
from ..kernels.column_products import BLOCK_ROWS, GAP, TALL, WIDE, dense_products, sparse_products
from ..kernels.row_access import CSR

# A chunk of rows has at least so many, lest its sums take longer to add up than to make. There are no more than so many
# chunks, and values of all their sums.
CHUNK_ROWS, MOST_CHUNKS, MOST_VALUES = 512, 16, 1 << 22
# Of sums of so many values there are few: memory that no one has touched yet takes longer than to add to it.
LARGE_SUMS, FEW_CHUNKS = 1 << 16, 4
# So few products take NumPy a millisecond, and kernels longer to compile.
FEW_PRODUCTS = 1 << 22
# So many take one thread a millisecond or two.
THREADED_PRODUCTS = 1 << 25
# And so many of sparse values some milliseconds. For fewer, numba's threads, which spin on after a gradient, are in the
# way of Python's.
THREADED_SPARSE_PRODUCTS = 1 << 23
# Blocks of rows for NumPy, lest temporary arrays leave the cache; and of sparse rows made dense.
CENTRED_ROWS, DENSE_ROWS = 1024, 8192
# Sparse columns are centred after their products are made, unless less than this part of the squares would be left.
CANCELLED = 1e-6


def centred_blocks(X: np.ndarray, shift: np.ndarray) -> Iterator[np.ndarray]:
    """x_i - shift in float64, a block of rows at a time, in an array that the next ones will be in too."""
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
    rough: bool = False,
) -> np.ndarray:
    """sum_i s_ik v_i v_i', v_i = scale (x_i - shift), for each column k of ``weights``, (n_samples, n_sums).

    Float64, shape (n_sums, n_parameters, n_parameters); no weight is negative. With an ``intercept`` v_i ends in a one.
    ``scale`` is one unless given. ``rough`` products of dense rows are in float32, in half the time: values should be
    about one.
    """
    n, d = shape_of(X)
    scale = np.ones(d) if scale is None else scale
    if weights.shape[1] * n * (d + 1) ** 2 < FEW_PRODUCTS:
        total = _by_numpy(_dense(X), weights, shift, scale)
    elif isinstance(X, CSR):
        total = _of_sparse_rows(X, weights, shift, scale)
    else:
        total = _of_dense_rows(X, weights, shift, scale, rough)
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
    most = MOST_CHUNKS if size < LARGE_SUMS else FEW_CHUNKS
    n_chunks = max(min(n // CHUNK_ROWS, most, MOST_VALUES // size), 1)
    return 1 << (n_chunks.bit_length() - 1), n_sums, tall, wide  # as many chunks for each of two or four threads


def _of_dense_rows(X: np.ndarray, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray, rough: bool) -> np.ndarray:
    sums = np.zeros(_shape_of_sums(weights, X.shape[1]))
    many = weights.size * X.shape[1] ** 2 >= THREADED_PRODUCTS
    launch, n_threads = (dense_products, min(threads_in_use(), len(sums))) if many else (dense_products.serial, 1)
    blocks = np.empty((n_threads, max(sums.shape[2:]), BLOCK_ROWS + GAP), np.float32 if rough else np.float64)
    launch(X, np.ascontiguousarray(weights.T), shift, scale, blocks, sums)
    for some in sums[1:]:
        sums[0] += some
    total = sums[0, :, : X.shape[1] + 1, : X.shape[1] + 1]
    for j in range(X.shape[1] + 1):
        total[:, j + 1 :, j] = total[:, j, j + 1 :]
    return np.asarray(total)


def _of_sparse_rows(X: CSR, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """As they are, and centred thereafter: where that would leave few digits, as dense ones, some at a time."""
    n, d = shape_of(X)
    sums = np.zeros(_shape_of_sums(weights, d))
    pairs = weights.shape[1] * len(X.data) ** 2 // n
    launch = sparse_products if pairs >= THREADED_SPARSE_PRODUCTS else sparse_products.serial
    launch(X, np.ascontiguousarray(weights.T), sums)
    total = sums.sum(axis=0)[:, : d + 1, : d + 1]
    total = total + total.transpose(0, 2, 1)
    np.einsum("kii->ki", total)[:] /= 2.0
    about = _centred(total, np.append(shift, 0.0))
    if (np.einsum("kii->ki", about) < CANCELLED * np.einsum("kii->ki", total)).any():
        rows, about = as_scipy(X), np.zeros_like(total)
        for first in range(0, n, DENSE_ROWS):
            part = slice(first, first + DENSE_ROWS)
            about += _of_dense_rows(rows[part].toarray(), weights[part], shift, scale, rough=False)
        return about
    factor = np.append(scale, 1.0)
    return np.asarray(about * np.outer(factor, factor))


def _centred(total: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """From the products of columns, of which the last are ones, those of the columns about a ``centre``."""
    crossed = centre[:, None] * total[:, None, :, -1]
    return np.asarray(total - crossed - crossed.transpose(0, 2, 1) + total[:, -1:, -1:] * np.outer(centre, centre))
