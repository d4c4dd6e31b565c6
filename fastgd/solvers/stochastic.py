"""Stochastic and mini-batch gradient descent: many steps an epoch, a block of them in each kernel call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compile.jit import of_fixed_types
from ..data.row_order import RowOrder
from ..kernels.minibatch_epoch import Workspace, minibatch_epoch, minibatch_outputs_epoch
from ..kernels.outputs_gradient import OutputsWorkspace
from ..kernels.outputs_sgd_epoch import Each, LazyWeights, sgd_outputs_epoch
from ..kernels.row_access import CSR
from ..kernels.sgd_epoch import sgd_epoch
from ..kernels.update_step import fill_rates, keeps_model, model_of
from ..objective.problem import PARALLEL_FROM, Problem, chunk_count
from ..terms.penalties import ElasticNet
from ..terms.update_rules import SGD
from ..training.watch import Watch
from .lazy_mean import LazyMean
from .options import Options
from .plan import Plan, make_stepper
from .shards import Block, Follow, apart, in_shards

# A kernel call handles about this many values, some tens of milliseconds of work at most, so that
# Ctrl-C, progress and max_seconds act promptly. A row costs something even when it is short.
VALUES_A_CALL = 1 << 23
ROW_OVERHEAD = 16
# An epoch is cut into at least so many calls, after each of which the watch looks for divergence, ...
CALLS_AN_EPOCH = 20
# ... unless a call would then handle so few values, a millisecond or two of work, that what happens between
# calls (rates, the watch) is felt.
FEWEST_VALUES_A_CALL = 1 << 20
# In shards a call is a round, and it takes some tenths of a millisecond to hand its parts to threads and to wait for
# them. Whether an epoch had 1 round or 200 made no difference to where it led, on 500,000 x 54 and on sparse rows.
FEWEST_VALUES_A_PART = 1 << 22

# What takes steps, and the mean gradient of the last one, which is made only for the trace of single steps.
Steps = tuple[Block, Callable[[], np.ndarray]]


def sgd(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """A step for each row, serially, or in shards side by side: see `shards`.

    Source: Robbins and Monro, A stochastic approximation method (1951).
    """
    if plan.shards == 1:
        return _epochs(problem, options, plan, watch, *_sgd_steps(problem, options, plan, watch.follow, params))

    def make(own: np.ndarray, follow: Follow) -> Block:
        return _sgd_steps(problem, options, plan, follow, own)[0]

    with in_shards(params, plan.shards, int(options.average), watch.follow, make) as run:
        return _epochs(problem, options, plan, watch, run, lambda: params)


def _sgd_steps(problem: Problem, options: Options, plan: Plan, follow: Follow, params: np.ndarray) -> Steps:
    """The plain rule with a plain penalty has a kernel of its own, whose cost on sparse rows is that of
    their non-zeros; any other is the mini-batch kernel with batches of one row.
    """
    plain = isinstance(options.rule, SGD) and isinstance(problem.penalty, ElasticNet)
    if options.average:  # a mean of weights is kept up lazily where nothing but rows and l2 changes them
        plain = plain and problem.penalty.l1 == 0
    if (
        not plain
        or len(problem.penalty_weights)
        or plan.preconditioner.shift.any()
        or (plan.preconditioner.scale != 1).any()
    ):
        return _batch_steps(problem, options, plan, follow, params)
    last = LastGradient(problem)
    mean = LazyMean(problem, int(options.average), follow)
    run = (_sgd_of_outputs if problem.several else _sgd_of_one)(problem, options, plan, params, last, mean)
    return run, last.gradient


def _sgd_of_one(
    problem: Problem, options: Options, _plan: Plan, params: np.ndarray, last: LastGradient, mean: LazyMean
) -> Block:
    v = apart(np.zeros(problem.n_features, problem.dtype))
    paid = apart(np.zeros(problem.n_features))
    clip = np.inf if options.clip_norm is None else options.clip_norm
    l1, l2 = problem.penalty.l1, problem.penalty.l2

    def run(order: np.ndarray, rates: np.ndarray, t: int) -> float:
        sums = mean.sums_over(t, len(order))
        total, slope = sgd_epoch(
            problem.X, problem.targets, order, rates, problem.loss, l1, l2, clip, params, v, paid, sums
        )
        last.row, last.slopes = int(order[-1]), np.array([slope])
        return float(total)

    return run


def _sgd_of_outputs(
    problem: Problem, options: Options, plan: Plan, params: np.ndarray, last: LastGradient, mean: LazyMean
) -> Block:
    lazy = apart(LazyWeights.make(problem.X, problem.n_outputs))
    losses = apart(np.zeros(problem.n_outputs))
    clip = np.inf if options.clip_norm is None else options.clip_norm
    shares = plan.shares * problem.rate_shares
    each = Each(shares, problem.penalty.l1 * problem.strength, problem.penalty.l2 * problem.strength)

    def run(order: np.ndarray, rates: np.ndarray, t: int) -> float:
        losses[:] = 0.0
        sums = mean.sums_over(t, len(order))
        sgd_outputs_epoch(
            problem.X, problem.targets, order, rates, problem.loss, each, clip, params, losses, lazy, sums
        )
        last.row, last.slopes = int(order[-1]), lazy.z
        return float(losses.sum())

    return run


def minibatch(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """A step for each batch of rows, its gradient in parallel where a batch is large."""
    _epochs(problem, options, plan, watch, *_batch_steps(problem, options, plan, watch.follow, params))


def _batch_steps(problem: Problem, options: Options, plan: Plan, follow: Follow, params: np.ndarray) -> Steps:
    stepper = apart(make_stepper(problem, options, plan))
    apart_model = keeps_model(options.rule, problem.penalty)
    several, X, n_outputs = problem.several, problem.X, problem.n_outputs
    values = int(problem.n_values / problem.n_samples * plan.batch_size) * n_outputs
    n_chunks = chunk_count(values, problem.n_features * n_outputs) if values >= PARALLEL_FROM else 1
    work: Any
    if several:
        work = OutputsWorkspace.make(X, n_outputs, problem.n_parameters, n_chunks)
    else:
        work = Workspace.make(problem.dtype, problem.n_features, problem.n_parameters, n_chunks)
    work, losses = apart(work), apart(np.zeros(n_outputs))
    kernel = minibatch_outputs_epoch if several else minibatch_epoch
    # Shards have the threads already.
    launch = of_fixed_types(kernel if n_chunks > 1 and plan.shards == 1 else kernel.serial)

    def run(order: np.ndarray, rates: np.ndarray, t: int) -> float:
        targets, loss, size = problem.targets, problem.loss, plan.batch_size
        if options.average and t + len(rates) > options.average:
            follow(lambda: stepper.mean.weights.reshape(params.shape))
        elif apart_model:
            follow(lambda: model_of(params, stepper))
        if not several:
            return float(launch(X, targets, order, size, rates, t, loss, stepper, params, work))
        losses[:] = 0.0
        launch(X, targets, order, size, rates, t, loss, stepper, params, losses, work)
        return float(losses.sum())

    return run, lambda: work.gradient


def _epochs(
    problem: Problem, options: Options, plan: Plan, watch: Watch, run: Block, last_gradient: Callable[[], np.ndarray]
) -> None:
    n, batch = problem.n_samples, plan.rows_a_step
    row_bytes = problem.n_values / n * problem.dtype.itemsize
    orders = RowOrder(n, row_bytes, str(options.shuffle), options.seed)
    rows_a_call = batch if options.trace == "step" else _rows_a_call(problem, plan)
    rates = np.empty(-(-min(rows_a_call, n) // batch))
    t = 0
    for epoch in watch.epochs():
        order = orders.epoch(epoch)
        total = 0.0
        for start in range(0, n, rows_a_call):
            rows = order[start : start + rows_a_call]
            some = rates[: -(-len(rows) // batch)]
            fill_rates(
                options.schedule, plan.learning_rate * watch.rate_factor, t, (epoch - 1) * n + start, batch, n, some
            )
            losses = run(rows, some, t + 1)
            t += len(some)
            total += losses
            if options.trace == "step":
                watch.step(t, int(rows[0]), losses / len(rows), float(some[-1]), last_gradient())
            done = start + len(rows)
            watch.tick(done / n, total / done, float(some[-1]))
        watch.record(total / n, float(some[-1]))
        watch.evaluate_if_small()
        watch.certified()
        watch.stop_if_stalled(total / n)


def _rows_a_call(problem: Problem, plan: Plan) -> int:
    values_a_row = (problem.n_values / problem.n_samples + ROW_OVERHEAD) * problem.n_outputs
    if problem.sparse and plan.batch_size > 1:
        values_a_row += problem.n_features * problem.n_outputs / plan.batch_size  # each step touches every weight
    values = values_a_row * problem.n_samples / CALLS_AN_EPOCH
    fewest, most = FEWEST_VALUES_A_CALL, VALUES_A_CALL
    if plan.shards > 1:
        fewest, most = plan.shards * FEWEST_VALUES_A_PART, plan.shards * most
    # A call, or part, reads and writes every weight.
    fewest = max(fewest, 4 * plan.shards * problem.n_features * problem.n_outputs)
    values = min(max(values, fewest), most)
    return plan.rows_a_step * max(1, int(values / values_a_row) // plan.rows_a_step)


class LastGradient:
    """The gradient of the last row visited, from the slopes that the kernel reports."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.row, self.slopes = 0, np.zeros(problem.n_outputs)

    def gradient(self) -> np.ndarray:
        X, d = self.problem.X, self.problem.n_features
        row = np.zeros(self.problem.n_parameters)
        if isinstance(X, CSR):
            span = slice(X.indptr[self.row], X.indptr[self.row + 1])
            row[X.indices[span]] = X.data[span]
        else:
            row[:d] = X[self.row]
        row[d:] = 1.0
        return np.outer(self.slopes, row) if self.problem.several else self.slopes[0] * row
