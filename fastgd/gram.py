"""X' S X: the matrix that least squares and Newton's method are made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .jit import threads_in_use
from .matrix import as_scipy, shape_of
from .rows import CSR

# Rows that are worked on at a time, lest temporary arrays leave the cache.
BLOCK_ROWS = 1024
# Blocks are dealt out to so many sums, whatever the number of threads, so that the bits do not depend on it.
SUMS = 4
# Below this many products threads cost more than they save.
PARALLEL_PRODUCTS = 1 << 27


def gram(X: np.ndarray | CSR, weights: np.ndarray, shift: np.ndarray, intercept: bool) -> np.ndarray:
    """sum_i s_ik (x_i - shift)(x_i - shift)' for each column k of ``weights``, (n_samples, n_sums), none negative.

    Float64, shape (n_sums, n_parameters, n_parameters); with an ``intercept`` x_i ends in a one, which is not shifted.
    """
    n, d = shape_of(X)
    p, rows = d + int(intercept), as_scipy(X)
    roots = np.sqrt(weights)

    def summed(start: int) -> np.ndarray:
        totals, buffer = np.zeros((weights.shape[1], p, p)), np.empty((min(n, BLOCK_ROWS), p))
        for first in range(start, n, SUMS * BLOCK_ROWS):
            block = rows[first : first + BLOCK_ROWS]
            block = block.toarray() if isinstance(X, CSR) else block
            for total, root in zip(totals, roots[first : first + BLOCK_ROWS].T, strict=True):
                rooted = buffer[: len(block)]
                np.subtract(block, shift, out=rooted[:, :d])
                rooted[:, d:] = 1.0
                rooted *= root[:, None]
                total += rooted.T @ rooted
        return totals

    starts = range(0, n, BLOCK_ROWS)[:SUMS]
    if n * p * p * weights.shape[1] < PARALLEL_PRODUCTS:
        return np.asarray(sum(map(summed, starts)))
    with ThreadPoolExecutor(min(threads_in_use(), SUMS)) as pool:
        return np.asarray(sum(pool.map(summed, starts)))
