"""X'SX, the weighted Gram matrix of least squares and of Newton's method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..compile.jit import threads_in_use
from ..data.feature_matrix import as_scipy, shape_of
from ..kernels.column_products import BLOCK_ROWS, GAP, TALL, WIDE, dense_products, sparse_products
from ..kernels.row_access import CSR

# Minimum rows per chunk, so that its sums take longer to make than to add up; maximum number of chunks, and of values
# in the sums of all chunks.
MIN_CHUNK_ROWS, MAX_CHUNKS, MAX_SUM_VALUES = 512, 16, 1 << 22
# From this many values in a chunk's sums on there are fewer chunks: touching new memory takes longer than adding to it.
LARGE_SUM_VALUES, MAX_LARGE_CHUNKS = 1 << 16, 4
# Rows and values of a block for NumPy at most, so that its temporary arrays stay in the cache.
CENTRED_ROWS, MAX_CENTRED_VALUES = 1024, 1 << 18
# Products of sparse columns are centred after summing, unless cancellation leaves less than this part of a square.
MIN_UNCANCELLED = 1e-6


class GramLimits(NamedTuple):
    """The sizes at which `gram` computes in another way.

    Attributes
    ----------
    max_numpy : maximum products for NumPy, which takes a millisecond for them; compiling a kernel takes longer.
    min_threaded : minimum products of dense columns for threads: one thread takes a millisecond or two.
    min_threaded_sparse : the same for sparse values. With fewer, numba's threads, which still spin after a gradient,
        slow down Python's.
    dense_rows : sparse rows that are made dense at a time.
    """

    max_numpy: int = 1 << 22
    min_threaded: int = 1 << 25
    min_threaded_sparse: int = 1 << 23
    dense_rows: int = 8192


LIMITS = GramLimits()


def centred_blocks(X: np.ndarray, shift: np.ndarray) -> Iterator[np.ndarray]:
    """x_i - shift in float64, a block of rows at a time, in one array that the next block overwrites."""
    size = max(1, min(len(X), CENTRED_ROWS, MAX_CENTRED_VALUES // max(X.shape[1], 1)))
    buffer = np.empty((size, X.shape[1]))
    for first in range(0, len(X), size):
        rows = X[first : first + size]
        yield np.subtract(rows, shift, out=buffer[: len(rows)])


def gram(
    X: np.ndarray | CSR,
    weights: np.ndarray,
    shift: np.ndarray,
    intercept: bool,
    scale: np.ndarray | None = None,
    in_float32: bool = False,
    limits: GramLimits = LIMITS,
) -> np.ndarray:
    """sum_i s_ik v_i v_i', v_i = scale (x_i - shift), for each column k of ``weights``, (n_samples, n_sums).

    Float64, shape (n_sums, n_parameters, n_parameters). Weights are not negative. With an ``intercept`` v_i ends in a
    one. ``scale`` is one unless given. ``in_float32``: compute products of dense rows in float32, which takes half the
    time and suits values of about one.
    """
    n, d = shape_of(X)
    scale = np.ones(d) if scale is None else scale
    if weights.shape[1] * n * (d + 1) ** 2 < limits.max_numpy:
        total = _by_numpy(_dense(X), weights, shift, scale)
    elif isinstance(X, CSR):
        total = _by_sparse_kernel(X, weights, shift, scale, limits)
    else:
        total = _by_dense_kernel(X, weights, shift, scale, in_float32, limits)
    return total[:, : d + int(intercept), : d + int(intercept)]


def _dense(X: np.ndarray | CSR) -> np.ndarray:
    return np.asarray(as_scipy(X).toarray()) if isinstance(X, CSR) else X


def _by_numpy(X: np.ndarray, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    columns = np.column_stack([(X - shift) * scale, np.ones(len(X))])
    weighted = np.sqrt(weights.T)[:, :, None] * columns
    return np.asarray(weighted.transpose(0, 2, 1) @ weighted)


def _shape_of_sums(weights: np.ndarray, d: int) -> tuple[int, int, int, int]:
    """Shape of the kernels' sums, (n_chunks, n_sums, n_tall, n_wide)."""
    (n, n_sums), tall, wide = weights.shape, -(-(d + 1) // TALL) * TALL, -(-(d + 1) // WIDE) * WIDE
    size = n_sums * tall * wide
    max_chunks = MAX_CHUNKS if size < LARGE_SUM_VALUES else MAX_LARGE_CHUNKS
    n_chunks = max(min(n // MIN_CHUNK_ROWS, max_chunks, MAX_SUM_VALUES // size), 1)
    # A power of two, so that two or four threads get equal numbers of chunks.
    return 1 << (n_chunks.bit_length() - 1), n_sums, tall, wide


def _by_dense_kernel(
    X: np.ndarray, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray, in_float32: bool, limits: GramLimits
) -> np.ndarray:
    sums = np.zeros(_shape_of_sums(weights, X.shape[1]))
    launch, n_threads = dense_products.serial, 1
    if weights.size * X.shape[1] ** 2 >= limits.min_threaded:
        launch, n_threads = dense_products, min(threads_in_use(), len(sums))
    blocks = np.empty((n_threads, max(sums.shape[2:]), BLOCK_ROWS + GAP), np.float32 if in_float32 else np.float64)
    launch(X, np.ascontiguousarray(weights.T), shift, scale, blocks, sums)
    for of_chunk in sums[1:]:
        sums[0] += of_chunk
    total = sums[0, :, : X.shape[1] + 1, : X.shape[1] + 1]
    for j in range(X.shape[1] + 1):
        total[:, j + 1 :, j] = total[:, j, j + 1 :]
    return np.asarray(total)


def _by_sparse_kernel(
    X: CSR, weights: np.ndarray, shift: np.ndarray, scale: np.ndarray, limits: GramLimits
) -> np.ndarray:
    """Sum uncentred products and centre the sums; where that cancels too many digits, take dense blocks of rows."""
    n, d = shape_of(X)
    sums = np.zeros(_shape_of_sums(weights, d))
    pairs = weights.shape[1] * len(X.data) ** 2 // n
    launch = sparse_products if pairs >= limits.min_threaded_sparse else sparse_products.serial
    launch(X, np.ascontiguousarray(weights.T), sums)
    total = sums.sum(axis=0)[:, : d + 1, : d + 1]
    total = total + total.transpose(0, 2, 1)
    np.einsum("kii->ki", total)[:] /= 2.0
    centred = _centred(total, np.append(shift, 0.0))
    if (np.einsum("kii->ki", centred) < MIN_UNCANCELLED * np.einsum("kii->ki", total)).any():
        rows, centred = as_scipy(X), np.zeros_like(total)
        for first in range(0, n, limits.dense_rows):
            part = slice(first, first + limits.dense_rows)
            centred += _by_dense_kernel(rows[part].toarray(), weights[part], shift, scale, False, limits)
        return centred
    factor = np.append(scale, 1.0)
    return np.asarray(centred * np.outer(factor, factor))


def _centred(total: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Products of the centred columns, from their uncentred products; the last column is ones."""
    crossed = centre[:, None] * total[:, None, :, -1]
    return np.asarray(total - crossed - crossed.transpose(0, 2, 1) + total[:, -1:, -1:] * np.outer(centre, centre))
