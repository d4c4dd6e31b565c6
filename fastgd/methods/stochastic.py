"""Stochastic and mini-batch gradient descent: many steps an epoch, a block of them in each kernel call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..kernels.minibatch import Workspace, minibatch_epoch
from ..kernels.sgd import sgd_epoch
from ..kernels.update import Stepper, fill_rates
from ..options import Options
from ..orders import RowOrder
from ..penalties import ElasticNet
from ..problem import PARALLEL_FROM, Problem, chunk_count
from ..rows import CSR
from ..rules import SGD
from ..watch import Watch
from .plan import Plan

# A kernel call handles about this many values, some tens of milliseconds of work at most, so that
# Ctrl-C, progress and max_seconds act promptly. A row costs something even when it is short.
VALUES_A_CALL = 1 << 23
ROW_OVERHEAD = 16

# Runs the steps of some rows: (order, rates, number of the first step) -> their summed losses, and the
# mean gradient of the last step, which is made only for the trace of single steps.
Block = Callable[[np.ndarray, np.ndarray, int], float]


def sgd(problem: Problem, options: Options, plan: Plan, watch: Watch, theta: np.ndarray) -> None:
    """A step for each row, serially. Source: Robbins and Monro, A stochastic approximation method (1951).

    The plain rule with a plain penalty has a kernel of its own, whose cost on sparse rows is that of
    their non-zeros; any other is the mini-batch kernel with batches of one row.
    """
    plain = isinstance(options.rule, SGD) and isinstance(problem.penalty, ElasticNet)
    if not plain or plan.metric.shift.any() or (plan.metric.inverse != 1).any():
        return minibatch(problem, options, plan, watch, theta)
    v = np.zeros(problem.n_features, problem.dtype)
    paid = np.zeros(problem.n_features)
    last = _LastGradient(problem)

    def run(order: np.ndarray, rates: np.ndarray, _t: int) -> float:
        l1, l2 = problem.penalty.l1, problem.penalty.l2
        total, slope = sgd_epoch(problem.X, problem.y, order, rates, problem.loss, l1, l2, theta, v, paid)
        last.row, last.slope = int(order[-1]), slope
        return float(total)

    return _epochs(problem, options, plan, watch, run, last.gradient)


def minibatch(problem: Problem, options: Options, plan: Plan, watch: Watch, theta: np.ndarray) -> None:
    """A step for each batch of rows, its gradient in parallel where a batch is large."""
    stepper = Stepper.make(options.rule, problem.penalty, plan.metric, problem.n_parameters)
    values = int(problem.n_values / problem.n_samples * plan.batch_size)
    n_chunks = chunk_count(values, problem.n_features) if values >= PARALLEL_FROM else 1
    work = Workspace.make(problem.dtype, problem.n_features, problem.n_parameters, n_chunks)
    launch = minibatch_epoch if n_chunks > 1 else minibatch_epoch.serial

    def run(order: np.ndarray, rates: np.ndarray, t: int) -> float:
        X, y, size = problem.X, problem.y, plan.batch_size
        return float(launch(X, y, order, size, rates, t, problem.loss, stepper, theta, work))

    _epochs(problem, options, plan, watch, run, lambda: work.gradient)


def _epochs(
    problem: Problem, options: Options, plan: Plan, watch: Watch, run: Block, last_gradient: Callable[[], np.ndarray]
) -> None:
    n, batch = problem.n_samples, plan.batch_size
    row_bytes = problem.n_values / n * problem.dtype.itemsize
    orders = RowOrder(n, row_bytes, str(options.shuffle), options.seed)
    rows_a_call = batch if options.trace == "step" else _rows_a_call(problem, batch)
    rates = np.empty(-(-min(rows_a_call, n) // batch))
    t = 0
    for epoch in watch.epochs():
        order = orders.epoch(epoch)
        total = 0.0
        for start in range(0, n, rows_a_call):
            rows = order[start : start + rows_a_call]
            some = rates[: -(-len(rows) // batch)]
            fill_rates(options.schedule, plan.learning_rate, t, (epoch - 1) * n + start, batch, n, some)
            losses = run(rows, some, t + 1)
            t += len(some)
            total += losses
            if options.trace == "step":
                watch.step(t, int(rows[0]), losses / len(rows), float(some[-1]), last_gradient())
            done = start + len(rows)
            watch.tick(done / n, total / done, float(some[-1]))
        watch.record(total / n, float(some[-1]))
        watch.evaluate_if_small()
        watch.stop_if_stalled(total / n)


def _rows_a_call(problem: Problem, batch: int) -> int:
    values_a_row = problem.n_values / problem.n_samples + ROW_OVERHEAD
    if problem.sparse and batch > 1:
        values_a_row += problem.n_features / batch  # each step touches every weight
    return batch * max(1, int(VALUES_A_CALL / values_a_row) // batch)


class _LastGradient:
    """The gradient of the last row visited, from the slope that the kernel reports."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.row, self.slope = 0, 0.0

    def gradient(self) -> np.ndarray:
        X, d = self.problem.X, self.problem.n_features
        gradient = np.zeros(self.problem.n_parameters)
        if isinstance(X, CSR):
            span = slice(X.indptr[self.row], X.indptr[self.row + 1])
            gradient[X.indices[span]] = self.slope * X.data[span]
        else:
            gradient[:d] = self.slope * X[self.row]
        if self.problem.fit_intercept:
            gradient[d] = self.slope
        return gradient
