"""X' S X: the matrix that least squares and Newton's method are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .jit import side_by_side
from .matrix import as_scipy, shape_of
from .rows import CSR

# Rows that are worked on at a time, lest temporary arrays leave the cache.
BLOCK_ROWS = 1024
# Blocks are dealt out to so many sums, whatever the number of threads, so that the bits do not depend on it.
SUMS = 4
# Below this many products threads cost more than they save.
PARALLEL_PRODUCTS = 1 << 25


def centred_blocks(X: np.ndarray, shift: np.ndarray) -> Iterator[np.ndarray]:
    """x_i - shift in float64, a block of rows at a time, in an array that the next ones will be in too."""
    buffer = np.empty((min(len(X), BLOCK_ROWS), X.shape[1]))
    for first in range(0, len(X), BLOCK_ROWS):
        rows = X[first : first + BLOCK_ROWS]
        yield np.subtract(rows, shift, out=buffer[: len(rows)])


def gram(
    X: np.ndarray | CSR,
    weights: np.ndarray,
    shift: np.ndarray,
    intercept: bool,
    inverse: np.ndarray | None = None,
    rough: bool = False,
) -> np.ndarray:
    """sum_i s_ik v_i v_i', v_i = inverse (x_i - shift), for each column k of ``weights``, (n_samples, n_sums).

    Float64, shape (n_sums, n_parameters, n_parameters); no weight is negative. With an ``intercept`` v_i ends in a one.
    ``inverse`` is one unless given. A ``rough`` sum is of products in float32, in half the time: values should be
    about one.
    """
    n, d = shape_of(X)
    p, rows = d + int(intercept), as_scipy(X)
    dtype = np.float32 if rough else np.float64
    roots = np.sqrt(weights).astype(dtype, copy=False)
    factors = None if inverse is None else inverse.astype(dtype, copy=False)

    def summed(start: int) -> np.ndarray:
        totals, buffer = np.zeros((weights.shape[1], p, p)), np.empty((min(n, BLOCK_ROWS), p), dtype)
        for first in range(start, n, SUMS * BLOCK_ROWS):
            block = rows[first : first + BLOCK_ROWS]
            block = block.toarray() if isinstance(X, CSR) else block
            for total, root in zip(totals, roots[first : first + BLOCK_ROWS].T, strict=True):
                rooted = buffer[: len(block)]
                np.subtract(block, shift, out=rooted[:, :d], casting="same_kind")
                if factors is not None:
                    rooted[:, :d] *= factors
                rooted[:, d:] = 1.0
                rooted *= root[:, None]
                total += rooted.T @ rooted
        return totals

    starts = range(0, n, BLOCK_ROWS)[:SUMS]
    if n * p * p * weights.shape[1] < PARALLEL_PRODUCTS:
        return np.asarray(sum(map(summed, starts)))
    return np.asarray(sum(side_by_side(summed, starts)))
