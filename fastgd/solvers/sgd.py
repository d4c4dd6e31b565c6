"""Stochastic gradient descent: an update for each row, serially, at the cost of the row's non-zeros."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.outputs_sgd_epoch import Each, LazyWeights, sgd_outputs_epoch
from ..kernels.sgd_epoch import sgd_epoch
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..terms.penalties import ElasticNet
from ..terms.update_rules import SGD
from .aligned import aligned
from .lazy_mean import LazyMean
from .options import Options
from .plan import Plan
from .protocol import RowBlock, SolverBase, Step, StepReport
from .row_calls import row_gradient, rows_per_call
from .step_size import StepSize


class SerialState(NamedTuple):
    """Parameters after ``t`` updates, and their mean, if asked for."""

    params: np.ndarray
    t: int
    mean: LazyMean


def has_own_kernel(objective: Objective, options: Options, plan: Plan) -> bool:
    """Whether serial SGD has a kernel: for the rule sgd, an elastic-net penalty and the user's own units.

    Otherwise the mini-batch kernel takes batches of one row. A lazy mean needs coefficients that only rows and l2
    change.
    """
    plain = isinstance(options.rule, SGD) and isinstance(objective.penalty, ElasticNet)
    if options.average:
        plain = plain and objective.penalty.l1 == 0
    shift, scale = plan.preconditioner
    return plain and not len(objective.penalty_weights) and not shift.any() and bool((scale == 1).all())


class StochasticGradientDescent(SolverBase):
    """Source: Robbins and Monro, A stochastic approximation method (1951)."""

    rows_per_update = 1
    intercept_factor = 1.0  # of the rates of the intercept, for one output

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.rows_per_call = rows_per_call(objective, 1)
        self.begin = int(options.average)
        self.clip = np.inf if options.clip_norm is None else options.clip_norm
        l1, l2, d = objective.penalty.l1, objective.penalty.l2, objective.n_features
        if objective.several:
            self.lazy = aligned(LazyWeights.make(objective.X, objective.n_outputs))
            self.losses = aligned(np.zeros(objective.n_outputs))
            self.each = Each(plan.output_rates, l1 * objective.strength, l2 * objective.strength)
        else:
            self.v, self.paid = aligned(np.zeros(d, objective.dtype)), aligned(np.zeros(d))

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> SerialState:
        return SerialState(aligned(params), 0, LazyMean.make(objective, bool(self.begin)))

    def order_number(self, state: SerialState, epoch: int, passes_left: float) -> int | None:
        return epoch

    def step(self, objective: Objective, state: SerialState, rows: RowBlock, step_size: StepSize) -> Step:
        order = rows.order
        assert order is not None
        rates = np.empty(len(order))
        step_size.fill(rates, state.t, (rows.epoch - 1) * objective.n_samples + rows.start, 1, objective.n_samples)
        objective.passes.add(len(order))
        return self.descend(objective, state, order, rates)

    def descend(self, objective: Objective, state: SerialState, order: np.ndarray, rates: np.ndarray) -> Step:
        """Make an update for each row of ``order``, at its rate."""
        mean = state.mean.before_updates(self.begin, state.t, len(order))
        X, targets, loss, params = objective.X, objective.targets, objective.loss, state.params
        if objective.several:
            self.losses[:] = 0.0
            sgd_outputs_epoch(
                X, targets, order, rates, loss, self.each, self.clip, params, self.losses, self.lazy, mean.sums
            )
            losses, derivatives = self.losses.copy(), self.lazy.z.copy()
        else:
            l1, l2 = objective.penalty.l1, objective.penalty.l2
            total, last = sgd_epoch(
                X, targets, order, rates, loss, l1, l2, self.clip, self.intercept_factor, params, self.v, self.paid,
                mean.sums,
            )  # fmt: skip
            losses, derivatives = np.array([float(total)]), np.array([last])
        i = int(order[-1])
        report = StepReport(losses / len(order), float(rates[-1]), lambda: row_gradient(objective, i, derivatives))
        return SerialState(params, state.t + len(order), mean), report

    def params(self, state: SerialState) -> np.ndarray:
        return state.mean.value() if state.mean.n_updates else state.params

    def averaged_updates(self, state: SerialState) -> int:
        """Number of updates in the mean that `params` returns; 0 if it returns the last parameters."""
        return state.mean.n_updates
