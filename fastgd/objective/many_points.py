"""F at many weights, in one pass over X."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..compile.prefetch import VALUES_A_LINE
from ..kernels.losses_at_points import add_losses_of_many
from ..kernels.row_access import BLOCK_ROWS
from .problem import PARALLEL_FROM, Problem, chunk_count

# A kernel call takes some tens of milliseconds at most, so that Ctrl-C and progress act promptly; but each call looks
# at all the weights, which should meet some rows for it.
PRODUCTS_A_CALL, FEWEST_ROWS_A_CALL = 1 << 24, 8 * BLOCK_ROWS


Told = Callable[[float], None]  # of the share of the pass that is done


def objectives_at(problem: Problem, points: np.ndarray, told: Told = lambda _share: None) -> np.ndarray:
    """F at each of ``points``, of shape (n_weights, n_parameters); of several outputs one after the other."""
    if problem.several:
        return np.array([problem.objective(params) for params in points])
    losses = mean_losses_at(problem, points, told)
    with np.errstate(all="ignore"):
        return np.asarray(losses + [problem.penalty_at(params) for params in points])


def mean_losses_at(problem: Problem, points: np.ndarray, told: Told = lambda _share: None) -> np.ndarray:
    """The mean loss of the one output at each of ``points``, of shape (n_weights, n_parameters)."""
    d, n, n_weights = problem.n_features, problem.n_samples, len(points)
    W = np.ascontiguousarray(points[:, :d], dtype=problem.dtype)
    intercepts = points[:, d].copy() if problem.fit_intercept else np.zeros(n_weights)
    values_a_row = problem.n_values / n
    rows = min(max(int(PRODUCTS_A_CALL / ((values_a_row + 1) * n_weights)), FEWEST_ROWS_A_CALL), n)
    work = int(rows * values_a_row * n_weights)
    n_chunks = chunk_count(work, n_weights)
    launch = add_losses_of_many if work >= PARALLEL_FROM else add_losses_of_many.serial
    blocks = np.zeros((n_chunks, BLOCK_ROWS + VALUES_A_LINE))  # and no two chunks in one cache line
    sums, losses = np.zeros((n_chunks, n_weights)), np.zeros(n_weights)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        launch(problem.X, problem.targets, start, stop, W, intercepts, problem.loss, blocks, sums, losses)
        told(stop / n)
    return losses / n
