"""X' S X: the matrix that least squares and Newton's method are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .kernels.gram import BLOCK_ROWS, GAP, TILE, column_products
from .matrix import shape_of
from .rows import CSR

# A chunk of rows has at least so many, lest its sums take longer to add up than to make. There are no more than so many
# chunks, and values of all their sums.
CHUNK_ROWS, MOST_CHUNKS, MOST_VALUES = 1024, 16, 1 << 22
# Below this many products threads cost more than they save.
PARALLEL_PRODUCTS = 1 << 22
# Blocks of rows for NumPy, lest temporary arrays leave the cache.
CENTRED_ROWS = 1024


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
    inverse: np.ndarray | None = None,
    rough: bool = False,
    last: np.ndarray | None = None,
) -> np.ndarray:
    """sum_i s_ik v_i v_i', v_i = inverse (x_i - shift), for each column k of ``weights``, (n_samples, n_sums).

    Float64, shape (n_sums, n_columns, n_columns); no weight is negative. With an ``intercept`` v_i ends in a one, and
    then in a number of the ``last`` column, (n_samples,), if there is one. ``inverse`` is one unless given. ``rough``
    products of dense rows are in float32, in half the time: values should be about one.
    """
    n, d = shape_of(X)
    sparse = isinstance(X, CSR)
    inverse = np.ones(d) if inverse is None else inverse
    more = [np.ones(n)] * intercept + ([] if last is None else [last])
    more = np.column_stack([*more, *[np.ones(n)] * sparse, np.empty((n, 0))])
    n_sums, n_columns = weights.shape[1], d + more.shape[1]
    padded = -(-n_columns // TILE) * TILE
    n_chunks = max(min(n // CHUNK_ROWS, MOST_CHUNKS, MOST_VALUES // (n_sums * padded**2)), 1)
    n_chunks = 1 << (n_chunks.bit_length() - 1)  # the same for each of two or four threads
    sums = np.zeros((n_chunks, n_sums, padded, padded))
    blocks = np.zeros((n_chunks, 0 if sparse else padded + 1, BLOCK_ROWS + GAP), np.float32 if rough else np.float64)
    launch = column_products if n * n_sums * padded**2 >= PARALLEL_PRODUCTS else column_products.serial
    launch(X, np.ascontiguousarray(weights.T), shift, inverse, more, blocks, sums)
    total = sums.sum(axis=0)[:, :n_columns, :n_columns]
    total = total if sparse else np.triu(total)
    total = total + total.transpose(0, 2, 1)
    np.einsum("kii->ki", total)[:] /= 2.0
    return _centred_and_scaled(total, shift, inverse) if sparse else total


def _centred_and_scaled(total: np.ndarray, shift: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """From the products of columns as they are, of which the last are ones, those in other variables, without ones."""
    n_columns = total.shape[1] - 1
    sums, count = total[:, :n_columns, -1], total[:, -1, -1]
    centre, factor = np.zeros(n_columns), np.ones(n_columns)
    centre[: len(shift)], factor[: len(shift)] = shift, inverse
    crossed = centre[:, None] * sums[:, None, :]
    about = total[:, :-1, :-1] - crossed - crossed.transpose(0, 2, 1) + count[:, None, None] * np.outer(centre, centre)
    return np.asarray(about * np.outer(factor, factor))
