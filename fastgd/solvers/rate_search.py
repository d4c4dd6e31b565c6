"""A learning rate by trial, for losses whose curvature has no bound: the best of many on a sample of the rows."""

from __future__ import annotations

import numpy as np

from ..data.feature_matrix import take_rows
from ..data.row_order import RowOrder, spread_rows
from ..kernels.minibatch_epoch import Workspace, minibatch_epoch
from ..kernels.row_targets import Targets
from ..kernels.update_step import Preconditioner, Stepper
from ..objective.intercept_only import best_constant
from ..objective.problem import Problem
from .options import Options

SEARCH_ROWS = 2048
# The longest rows of all come along, since it is they that a rate is too large for.
LONGEST_ROWS = 32
# Rates are tried in steps of 4 about 1 / mean |x|^2, which suits a loss of curvature 1.
EXPONENTS = np.arange(-12.0, 7.0)
# As many epochs as show which rates fall quickly, and enough steps for one that is too large to be found out.
FEWEST_EPOCHS, FEWEST_STEPS = 3, 30
# But no more than this part of all epochs, which count these passes.
MOST_OF_ALL = 4
# Rates do as well as the best but for this part of what it gained on a constant; the largest of them may be near
# its limit.
AS_GOOD = 0.05
NOISE = 4.0
# A rate at which the running loss of an epoch is this many times the loss at the start is too large, wherever it ends.
TOO_FAR = 2.0


def searched_rates(
    problem: Problem, options: Options, preconditioner: Preconditioner, batch_size: int, norms: np.ndarray
) -> tuple[np.ndarray, float, str]:
    """A rate for each output, how many passes over X they took to find, and in words how they were found.

    Each rate of a grid trains on a sample of the rows. Of those whose objective fell about as far as the best one's,
    the middle one is taken. Source: the range test of Smith, Cyclical learning rates for training neural networks
    (2017), run to a loss rather than while the rate grows.
    """
    n = problem.n_samples
    rows = rows_to_try(n, norms)
    X = problem.X if len(rows) == n else take_rows(problem.X, rows)
    grid = 4.0**EXPONENTS / max(float(norms.mean()), np.finfo(np.float64).tiny)
    size = len(rows) if batch_size >= n else min(batch_size, len(rows))
    enough = min(-(-FEWEST_STEPS * size // len(rows)), options.max_epochs // MOST_OF_ALL)
    epochs = max(FEWEST_EPOCHS, enough)
    rates = np.empty(problem.n_outputs)
    for k in range(problem.n_outputs):
        whole = problem.targets
        weight, offset = (part[rows] if len(part) else part for part in (whole.weight, whole.offset))
        targets = Targets(problem.output_target(k)[rows], weight, offset)
        sample = Problem(X, targets, problem.loss, problem.penalty, problem.fit_intercept)
        sample.strength[0], sample.penalty_weights = problem.strength[k], problem.penalty_weights
        start = sample.default_start(options.seed)
        loss = sample.mean_loss(start)
        limit = TOO_FAR * loss if loss > 0 else np.inf
        values = np.array(
            [_objective_after(sample, start, options, preconditioner, size, epochs, limit, r) for r in grid]
        )
        # What a constant gains already says nothing of a rate: a target far from zero is most of the loss.
        rates[k] = grid[_choose(values, min(sample.objective(start), best_constant(sample)))]
    # At a constant rate the noise of batches stays, in proportion to it; few epochs do not show that.
    reason = f"by trial on {'all' if len(rows) == n else format(len(rows), ',')} rows"
    return rates / NOISE if size < len(rows) else rates, epochs * len(rows) / n, reason


def rows_to_try(n: int, norms: np.ndarray) -> np.ndarray:
    """The numbers of random rows, the same every time, and of the longest; of all rows where they are few."""
    if n <= SEARCH_ROWS:
        return np.arange(n)
    return np.union1d(spread_rows(n, SEARCH_ROWS, 0), np.argpartition(norms, -LONGEST_ROWS)[-LONGEST_ROWS:])


def _choose(values: np.ndarray, before: float) -> int:
    """Which of the objectives that rates ended at is the one to take."""
    values = np.where(np.isfinite(values), values, np.inf)
    best = values.min()
    if not best < before:
        return int(values.argmin())  # the smallest rate where none has moved
    good = np.flatnonzero(values <= best + AS_GOOD * (before - best))
    return int(good[len(good) // 2]) if len(good) % 2 else int(good[len(good) // 2 - 1])


def _objective_after(
    sample: Problem,
    start: np.ndarray,
    options: Options,
    preconditioner: Preconditioner,
    size: int,
    epochs: int,
    limit: float,
    rate: float,
) -> float:
    """The objective after some epochs at a rate; infinity if the running loss is above a limit."""
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
        total = minibatch_epoch.serial(
            sample.X, sample.targets, order, size, rates, 1 + epoch * steps, sample.loss, stepper, params, work
        )
        if not total <= limit * sample.n_samples:  # a NaN is not <= either
            return np.inf
    return sample.objective(params)
