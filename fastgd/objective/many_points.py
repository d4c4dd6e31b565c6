"""F at many parameters, in one pass over X."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..compile.prefetch import VALUES_A_LINE
from ..kernels.losses_at_points import add_losses_of_many
from ..kernels.row_access import BLOCK_ROWS
from .chunks import MIN_PARALLEL_VALUES, chunk_count
from .objective import Objective

# A kernel call takes at most some tens of milliseconds, so that Ctrl-C and progress respond; but each call reads all
# parameters, so it takes a minimum number of rows.
MAX_PRODUCTS_PER_CALL, MIN_ROWS_PER_CALL = 1 << 24, 8 * BLOCK_ROWS

OnProgress = Callable[[float], None]  # is called with the fraction of the pass that is done


def objectives_at(objective: Objective, points: np.ndarray, report: OnProgress = lambda _part: None) -> np.ndarray:
    """F at each of ``points``, of shape (n_points, n_parameters); for several outputs one pass for each point."""
    if objective.several:
        return np.array([objective.value(params) for params in points])
    losses = mean_losses_at(objective, points, report)
    with np.errstate(all="ignore"):
        return np.asarray(losses + [float(objective.penalties(params).sum()) for params in points])


def mean_losses_at(
    objective: Objective,
    points: np.ndarray,
    report: OnProgress = lambda _part: None,
    max_products: int = MAX_PRODUCTS_PER_CALL,
    min_rows: int = MIN_ROWS_PER_CALL,
) -> np.ndarray:
    """The mean loss of a single output at each of ``points``, of shape (n_points, n_parameters).

    A kernel call takes up to ``max_products`` products, but at least ``min_rows`` rows.
    """
    objective.count_pass()
    d, n, n_points = objective.n_features, objective.n_samples, len(points)
    W = np.ascontiguousarray(points[:, :d], dtype=objective.dtype)
    intercepts = points[:, d].copy() if objective.fit_intercept else np.zeros(n_points)
    values_per_row = objective.n_values / n
    rows = min(max(int(max_products / ((values_per_row + 1) * n_points)), min_rows), n)
    work = int(rows * values_per_row * n_points)
    n_chunks = chunk_count(work, n_points)
    launch = add_losses_of_many if work >= MIN_PARALLEL_VALUES else add_losses_of_many.serial
    blocks = np.zeros((n_chunks, BLOCK_ROWS + VALUES_A_LINE))  # no two chunks share a cache line
    sums, losses = np.zeros((n_chunks, n_points)), np.zeros(n_points)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        launch(objective.X, objective.targets, start, stop, W, intercepts, objective.loss, blocks, sums, losses)
        report(stop / n)
    return losses / n
