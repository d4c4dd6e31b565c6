"""Batch gradient descent: one step per pass, along the gradient of all rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compile.jit import of_fixed_types
from ..kernels.update_step import Stepper, keeps_model, model_of, update, update_outputs
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from .options import Options
from .plan import Plan, make_stepper
from .protocol import RowBlock, SolverBase, Step, StepReport
from .stationarity import mapping_norms, norms_at_zero
from .step_size import StepSize


class GradientDescentState(NamedTuple):
    """Parameters after ``t`` updates, F there, the memory m, v, s of the rule, and the norms of the stopping test."""

    params: np.ndarray
    t: int
    at: Evaluation
    m: np.ndarray
    v: np.ndarray
    s: np.ndarray
    norms: np.ndarray
    reference_norms: np.ndarray


class GradientDescent(SolverBase):
    """params <- params - rate * gradient, with an update rule and the prox of the penalty. Source: Cauchy (1847)."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.stepper = make_stepper(objective, options, plan)
        self.keeps_model = keeps_model(options.rule, objective.penalty)
        self.has_tol = bool(options.tol)
        self.rate = plan.learning_rate
        self.update = of_fixed_types(update_outputs if objective.several else update)

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> GradientDescentState:
        assert start is not None
        norms = mapping_norms(params, start.gradient, self.rate, self.stepper)
        reference = norms_at_zero(objective, params, self.rate, self.stepper, self.has_tol)
        m, v, s = (np.zeros_like(self.stepper.m) for _ in range(3))
        return GradientDescentState(params, 0, start, m, v, s, norms, norms if reference is None else reference)

    def step(self, objective: Objective, state: GradientDescentState, rows: RowBlock, step_size: StepSize) -> Step:
        rate = step_size.at(rows.epoch - 1, float(rows.epoch - 1))
        before, gradient, params = state.at, state.at.gradient, state.params
        self.update(params, gradient, rate, rows.epoch, self._stepper(state))
        after = objective.evaluate(params)
        norms = mapping_norms(params, after.gradient, self.rate, self.stepper)
        state = state._replace(t=state.t + 1, at=after, norms=norms)
        report = StepReport(before.losses, rate, lambda: gradient, seen=(after,))
        return state, self._with_norms(state, report)

    def report(self, state: GradientDescentState) -> StepReport:
        return self._with_norms(state, super().report(state)._replace(seen=(state.at,)))

    def _with_norms(self, state: GradientDescentState, report: StepReport) -> StepReport:
        known = None if self.keeps_model and state.t else state.at
        return report._replace(evaluation=known, norms=state.norms, reference_norms=state.reference_norms)

    def params(self, state: GradientDescentState) -> np.ndarray:
        return model_of(state.params, self._stepper(state)) if self.keeps_model and state.t else state.params

    def _stepper(self, state: GradientDescentState) -> Stepper:
        return self.stepper._replace(m=state.m, v=state.v, s=state.s)
