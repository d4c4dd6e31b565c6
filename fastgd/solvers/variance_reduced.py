"""svrg and saga: steps a row whose noise vanishes at the optimum, so that a constant rate gets there."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..data.feature_matrix import centred
from ..data.row_order import RowOrder
from ..kernels.outputs_gradient import is_joint
from ..kernels.row_access import CSR
from ..kernels.row_targets import Targets
from ..kernels.variance_reduced_epoch import Drift, Pace, variance_reduced_epoch, variance_reduced_general
from ..objective.problem import Problem
from ..terms.penalties import ElasticNet
from ..training.watch import Watch
from .options import Options
from .plan import Plan, make_stepper
from .stationarity import all_small, mapping_norms, norms_at_zero
from .stochastic import ROW_OVERHEAD, VALUES_A_CALL, LastGradient

# Of 1 to 3 passes of steps and rates of 1 / L_max to 1 / (4 L_max), tried on four kinds of data, these did well on all,
# though none was the best everywhere: rows with heavy tails want rarer anchors, sparse ones larger rates.
INNER_PASSES = 1
# Those of a call are kept in a table of powers, for which they must not be too many.
MOST_STEPS = 1 << 17


class Steps(Protocol):
    """The steps of some rows, and the gradients of the past that correct them.

    ``mean`` is the mean of those, shaped as the weights; ``rows_a_call`` how many rows a call may have.
    """

    mean: np.ndarray
    rows_a_call: int
    last: LastGradient

    def anchor(self) -> float:
        """Make all gradients anew, at the weights; return the mean loss there."""

    def run(self, order: np.ndarray, rate: float, share: float) -> float:
        """A step for each row; return the summed losses before each."""


class _LazySteps:
    """For penalties of the elastic net: on sparse rows a step costs their non-zeros. An output after the other."""

    def __init__(self, problem: Problem, plan: Plan, params: np.ndarray) -> None:
        self.problem, self.preconditioner, self.params = problem, plan.preconditioner, params
        n, n_outputs = problem.n_samples, problem.n_outputs
        # Steps subtract the shifts from dense rows themselves, but leave the columns alone that a sparse row lacks.
        shift = plan.preconditioner.shift
        self.X = centred(problem.X, shift) if isinstance(problem.X, CSR) and shift.any() else problem.X
        self.mean = np.zeros_like(params)
        self.tables = np.zeros((n_outputs, n))
        self.last = LastGradient(problem)
        self.rates = plan.shares * problem.rate_shares
        values_a_row = (problem.n_values / n + ROW_OVERHEAD) * n_outputs
        self.rows_a_call = max(1, min(int(VALUES_A_CALL / values_a_row), MOST_STEPS, n))
        self.one = problem
        if problem.several:
            whole = problem.targets
            targets = [Targets(problem.output_target(k), whole.weight, whole.offset) for k in range(n_outputs)]
            self.one = Problem(problem.X, targets[0], problem.loss, problem.penalty, problem.fit_intercept)
            self.targets = targets
        else:
            self.targets = [problem.targets]
        self.drifts: list[Drift] = []
        self.rate = np.nan

    def anchor(self) -> float:
        params, mean, losses = np.atleast_2d(self.params), np.atleast_2d(self.mean), self.problem.losses
        for k, targets in enumerate(self.targets):
            self.one.targets = targets
            loss, gradient = self.one.gradient(params[k], self.tables[k])
            mean[k], losses[k] = gradient, loss
        return float(losses.sum())

    def run(self, order: np.ndarray, rate: float, share: float) -> float:
        params, mean, total = np.atleast_2d(self.params), np.atleast_2d(self.mean), 0.0
        self._set_rate(rate)
        for k, (targets, table, drift) in enumerate(zip(self.targets, self.tables, self.drifts, strict=True)):
            before = table[order[-1]]
            losses, slope = variance_reduced_epoch(
                self.X, targets, order, table, share, self.problem.loss, params[k], mean[k], drift
            )
            total += losses
            self.last.row, self.last.slopes[k] = int(order[-1]), slope - before
        return total

    def _set_rate(self, rate: float) -> None:
        if rate == self.rate:
            return
        self.rate = rate
        problem, S = self.problem, self.drifts[0].S if self.drifts else None
        l1, l2 = problem.penalty.l1 * problem.strength, problem.penalty.l2 * problem.strength
        self.drifts = []
        for k, share in enumerate(self.rates):
            pace = Pace(float(rate * share), float(l1[k]), float(l2[k]))
            drift = Drift.make(problem.X, pace, self.preconditioner, problem.penalty_weights, self.rows_a_call, S)
            S = drift.S
            self.drifts.append(drift)


class _GeneralSteps:
    """For any penalty, and for losses of several outputs together: a step takes time for every weight."""

    def __init__(self, problem: Problem, options: Options, plan: Plan, params: np.ndarray) -> None:
        self.problem, self.params = problem, params
        n, n_outputs = problem.n_samples, problem.n_outputs
        self.mean = np.zeros_like(params)
        self.table = np.zeros((n, n_outputs))
        self.last = LastGradient(problem)
        self.stepper = make_stepper(problem, options, plan)
        self.z, self.losses = np.zeros(n_outputs), np.zeros(n_outputs)
        targets = problem.targets
        self.targets = targets if problem.several else targets._replace(y=targets.y[:, None])
        self.rows_a_call = max(1, min(int(VALUES_A_CALL / ((4 * problem.n_features + ROW_OVERHEAD) * n_outputs)), n))

    def anchor(self) -> float:
        loss, self.mean[:] = self.problem.gradient(
            self.params, self.table if self.problem.several else self.table[:, 0]
        )
        return loss

    def run(self, order: np.ndarray, rate: float, share: float) -> float:
        params, mean = np.atleast_2d(self.params), np.atleast_2d(self.mean)
        before = self.table[order[-1]].copy()
        self.losses[:] = 0.0
        variance_reduced_general(
            self.problem.X, self.targets, order, rate, self.table, share, self.problem.loss, params, mean,
            self.stepper, self.z, self.losses,
        )  # fmt: skip
        self.last.row, self.last.slopes = int(order[-1]), self.z - before
        return float(self.losses.sum())


def svrg(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Steps corrected by gradients at an anchor, which is made anew every few passes; see `variance_reduced_epoch`."""
    _train(problem, options, plan, watch, params, is_saga=False)


def saga(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Steps corrected by each row's gradient at its last visit; the first pass makes those of all rows at the start."""
    _train(problem, options, plan, watch, params, is_saga=True)


def _train(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray, is_saga: bool) -> None:
    """Change ``params`` until the watch says stop. An epoch is a pass: one of steps, or one that makes an anchor.

    The stopping test needs the whole gradient, which comes with an anchor. saga makes one where the mean of its
    gradients, from the weights of the last pass, looks small enough.
    """
    lazy = isinstance(problem.penalty, ElasticNet) and not is_joint(problem.loss)
    steps: Any = _LazySteps(problem, plan, params) if lazy else _GeneralSteps(problem, options, plan, params)
    stepper = make_stepper(problem, options, plan)
    at_zero = norms_at_zero(problem, options, plan.learning_rate, stepper, params)
    orders = RowOrder(
        problem.n_samples,
        problem.n_values / problem.n_samples * problem.dtype.itemsize,
        str(options.shuffle),
        options.seed,
    )
    share = 1.0 / problem.n_samples if is_saga else 0.0
    anchor_due, walks, walks_at_anchor = True, 0, 0
    for epoch in watch.epochs():
        rate = float(options.schedule.rate(plan.learning_rate, walks * problem.n_samples, float(epoch - 1)))
        rate *= watch.rate_factor
        # Without a pass of steps to follow, an anchor would be for nothing.
        if anchor_due and watch.passes_left > 1:
            loss = steps.anchor()
            anchor_due, walks_at_anchor = False, walks
            norms = mapping_norms(params, steps.mean, plan.learning_rate, stepper)
            at_zero = norms if at_zero is None else at_zero
            objective = loss + problem.penalty_at(params)
            watch.evaluate(objective)
            watch.tick(1.0, loss, rate)
            watch.record(loss, rate, float(np.linalg.norm(norms)))
            watch.evaluate(objective)
            if options.tol and all_small(norms, at_zero, options.tol, problem.independent):
                watch.stop("tol", converged=True)
            else:
                watch.certified(steps.mean)
            continue
        walks += 1
        loss = _walk(options, watch, steps, orders.epoch(walks), rate, share, walks)
        watch.record(loss, rate)
        watch.evaluate_if_small()
        watch.lower_if_stalled(loss)
        if not is_saga:
            anchor_due = walks - walks_at_anchor >= INNER_PASSES
        elif options.tol and at_zero is not None:
            norms = mapping_norms(params, steps.mean, plan.learning_rate, stepper)
            anchor_due = all_small(norms, at_zero, options.tol, problem.independent)


def _walk(
    options: Options,
    watch: Watch,
    steps: Steps,
    order: np.ndarray,
    rate: float,
    share: float,
    walk: int,
) -> float:
    """A step for each row of ``order``; return the mean loss before each."""
    n, total, by_step = len(order), 0.0, options.trace == "step"
    rows_a_call = 1 if by_step else steps.rows_a_call
    for start in range(0, n, rows_a_call):
        rows = order[start : start + rows_a_call]
        mean = steps.mean.copy() if by_step else steps.mean
        losses = steps.run(rows, rate, share)
        total += losses
        done = start + len(rows)
        if by_step:
            watch.step((walk - 1) * n + done, int(rows[0]), losses, rate, steps.last.gradient() + mean)
        watch.tick(done / n, total / done, rate)
    return total / n
