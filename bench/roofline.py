"""Question: how fast does this machine read memory? This limits kernels that use each value of X once.

The roofline is the faster of a sum in several streams and BLAS's ``X @ w``. Source: Williams, Waterman and Patterson,
Roofline: an insightful visual performance model (2009).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import prange
from threadpoolctl import threadpool_limits

from fastgd.compile.jit import parallel_kernel, thread_pool_size, threads

from .scale import Scale
from .table import Table
from .timing import Timing, in_turn

WIDTH = 100  # of the matrix that X @ w reads


@parallel_kernel
def read(X, sums):
    """Sum X in four streams for each of 64 chunks, which does little more than read."""
    n = X.shape[0]
    for c in prange(64):
        chunk = X[c * (n // 64) : (c + 1) * (n // 64)]
        quarter = chunk.shape[0] // 4
        a, b, d, e = 0.0, 0.0, 0.0, 0.0
        for i in range(quarter):
            a += chunk[i]
            b += chunk[i + quarter]
            d += chunk[i + 2 * quarter]
            e += chunk[i + 3 * quarter]
        sums[c] = (a + b) + (d + e)


def readers(X: np.ndarray) -> dict[str, Callable[[], object]]:
    """Ways to read all of X, for `in_turn`."""
    w, flat, sums = np.zeros(X.shape[1], X.dtype), X.reshape(-1), np.zeros(64)
    return {"sum": lambda: read(flat, sums), "X @ w": lambda: X @ w}


def fastest(timings: dict[str, Timing]) -> Timing:
    """The faster of the two."""
    return min(timings["sum"], timings["X @ w"], key=lambda timing: timing.median)


def measure(scale: Scale) -> Table:
    """GB/s of both ways to read, for each type, on one thread and on all."""
    table = Table(
        f"Reading {scale.matrix_bytes / 1e6:.0f} MB, GB/s", ("dtype", "threads", "sum", "X @ w", "roofline", "spread")
    )
    for dtype in (np.float64, np.float32):
        X = np.ones((scale.matrix_bytes // (WIDTH * np.dtype(dtype).itemsize), WIDTH), dtype)
        for count in sorted({1, thread_pool_size()}):
            with threads(count), threadpool_limits(count):
                timings = in_turn(readers(X), scale.rounds(15))
            best = fastest(timings)
            speeds = [X.nbytes / timing.median / 1e9 for timing in (*timings.values(), best)]
            table.rows.append((X.dtype.name, count, *speeds, best.spread))
    return table
