"""A learning rate by trial, for losses without a largest curvature: the best of a grid on a sample of the rows."""

from __future__ import annotations

import numpy as np

from ..data.row_order import RowOrder, spread_rows
from ..kernels.minibatch_epoch import Workspace, minibatch_epoch
from ..kernels.update_step import Preconditioner, Stepper
from ..objective.intercept_only import best_constant
from ..objective.objective import Objective
from ..objective.passes import PassCounter
from .options import Options
from .starting_point import default_start

SEARCH_ROWS = 2048
# The sample includes this many of the longest rows, for which a rate is too large first.
LONGEST_ROWS = 32
# Powers of 4 that multiply 1 / mean |x|^2, the rate for a loss of curvature 1.
EXPONENTS = np.arange(-12.0, 7.0)
# Minimum epochs, to show which rates lower F quickly, and minimum steps, to show which are too large.
MIN_EPOCHS, MIN_STEPS = 3, 30
# At most max_epochs / EPOCHS_DIVISOR epochs (but MIN_EPOCHS), since they count as training.
EPOCHS_DIVISOR = 4
# Rates count as equally good if they gain as much as the best one, but for this part of it. The middle one is taken,
# since the largest may be near instability.
GAIN_TOLERANCE = 0.05
# The rate for batches is divided by this: at a constant rate the noise stays, in proportion to the rate, and a few
# epochs do not show that.
NOISE_DIVISOR = 4.0
# A rate is too large if the running loss of an epoch is above this many times the loss at the start.
MAX_LOSS_RATIO = 2.0


def searched_rates(
    objective: Objective, options: Options, preconditioner: Preconditioner, batch_size: int, norms: np.ndarray
) -> tuple[np.ndarray, str]:
    """A rate for each output, and in words how it was found.

    Each rate of a grid trains on a sample of the rows. Of the rates that lowered F about as far as the best one, the
    middle one is taken. Source: the range test of Smith, Cyclical learning rates for training neural networks
    (2017), with a run for each rate instead of one run at a growing rate.
    """
    n = objective.n_samples
    chosen = rows_to_try(n, norms)
    rows = objective.rows
    if len(chosen) < n:
        rows = rows.take(chosen)
        objective.passes.add(len(chosen))
    grid = 4.0**EXPONENTS / max(float(norms.mean()), np.finfo(np.float64).tiny)
    size = len(chosen) if batch_size >= n else min(batch_size, len(chosen))
    enough = min(-(-MIN_STEPS * size // len(chosen)), options.max_epochs // EPOCHS_DIVISOR)
    epochs = max(MIN_EPOCHS, enough)
    rates = np.empty(objective.n_outputs)
    # The passes of one rate count as training, all others as trials.
    objective.passes.add(epochs * len(chosen))
    trials = PassCounter(n)
    for k in range(objective.n_outputs):
        sample = objective.on(rows, trials).of_output(k)
        start = default_start(sample, options.seed)
        loss = float(sample.mean_losses(start).sum())
        limit = MAX_LOSS_RATIO * loss if loss > 0 else np.inf
        values = np.array(
            [_objective_after(sample, start, options, preconditioner, size, epochs, limit, r) for r in grid]
        )
        # Compare with the best constant model: for a target far from zero, it gains most of the loss already.
        before = min(loss + float(sample.penalties(start).sum()), best_constant(sample).objective)
        rates[k] = grid[_choose(values, before)]
    objective.passes.trials += trials.training - epochs * len(chosen) / n
    reason = f"by trial on {'all' if len(chosen) == n else format(len(chosen), ',')} rows"
    return rates / NOISE_DIVISOR if size < len(chosen) else rates, reason


def rows_to_try(n: int, norms: np.ndarray) -> np.ndarray:
    """Positions of random rows, the same every time, and of the longest rows; of all rows if there are few."""
    if n <= SEARCH_ROWS:
        return np.arange(n)
    return np.union1d(spread_rows(n, SEARCH_ROWS, 0), np.argpartition(norms, -LONGEST_ROWS)[-LONGEST_ROWS:])


def _choose(values: np.ndarray, before: float) -> int:
    """The index of the rate to take, from the F at which each ended."""
    values = np.where(np.isfinite(values), values, np.inf)
    best = values.min()
    if not best < before:
        return int(values.argmin())  # none has lowered F: the one that raised it least
    good = np.flatnonzero(values <= best + GAIN_TOLERANCE * (before - best))
    return int(good[len(good) // 2]) if len(good) % 2 else int(good[len(good) // 2 - 1])


def _objective_after(
    sample: Objective,
    start: np.ndarray,
    options: Options,
    preconditioner: Preconditioner,
    size: int,
    epochs: int,
    limit: float,
    rate: float,
) -> float:
    """F after some epochs at a rate; infinity if a running loss was above the limit."""
    params = start.copy()
    stepper = Stepper.make(
        options.rule,
        sample.penalty,
        preconditioner,
        sample.n_parameters,
        strength=sample.strength,
        weights=sample.penalty_weights,
        clip=np.inf if options.clip_norm is None else options.clip_norm,
    )
    work = Workspace.make(sample.dtype, sample.n_features, sample.n_parameters, 1)
    orders = RowOrder(sample.n_samples, sample.n_features * 8.0, str(options.shuffle), options.seed)
    steps = -(-sample.n_samples // size)
    rates = np.full(steps, rate)
    for epoch in range(epochs):
        order = orders.epoch(epoch + 1)
        sample.count_pass()
        total = minibatch_epoch.serial(
            sample.X, sample.targets, order, size, rates, 1 + epoch * steps, sample.loss, stepper, params, work
        )
        if not total <= limit * sample.n_samples:  # a NaN is not <= either
            return np.inf
    return sample.value(params)
