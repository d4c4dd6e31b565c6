"""L-BFGS: quasi-Newton steps from a memory of the last few steps, for any number of columns."""

from __future__ import annotations

import numpy as np

from ..objective.column_statistics import SAMPLE_ROWS
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..objective.sampled_hessian import HessianSample
from ..objective.scaled_objective import ScaledObjective
from .curvature_models import LimitedMemory
from .first_point import first_point
from .options import Options
from .plan import Plan, make_stepper
from .protocol import RowBlock, SolverBase, Step, StepReport
from .quasi_newton import WORTH_A_PASS, ArmijoSearch, QuasiNewtonState, report_of
from .stationarity import norms_at_zero
from .step_size import StepSize

TINY = np.finfo(np.float64).tiny


class LBFGS(SolverBase):
    """One step per pass, from the diagonal of a sample's Hessian.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989).
    """

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.scaled = ScaledObjective(objective, plan.preconditioner)
        self.stepper = make_stepper(objective, options, plan)
        self.search = ArmijoSearch(self.scaled, self.stepper, plan.learning_rate)
        self.has_tol, self.seed = bool(options.tol), options.seed

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> QuasiNewtonState:
        sample = HessianSample.draw(self.scaled, SAMPLE_ROWS, self.seed)
        at = first_point(self.scaled, sample, params, start)
        diagonal = sample.diagonal(at.params)
        direction = -at.gradient / diagonal
        # The first step goes to the minimum along the direction, as estimated on the sample.
        length = sample.curvature_along(at.params, direction)
        length /= max(-float(np.vdot(at.gradient, direction)), TINY)
        state = self.search.start(at, LimitedMemory.over_diagonal(diagonal, length or 1.0))
        reference = norms_at_zero(objective, params, state.mapping_rate, self.stepper, self.has_tol)
        return self.search.with_norms(state, reference)

    def step(self, objective: Objective, state: QuasiNewtonState, rows: RowBlock, step_size: StepSize) -> Step:
        if state.t:
            norm = float(np.linalg.norm(state.norms))
            state = self.search.propose(state) if state.kept else state
            if self.search.is_exhausted(state) and not norm <= WORTH_A_PASS * state.previous_norm:
                return state, self.report(state)._replace(is_epoch=False, stop_reason="precision")
            state = state._replace(previous_norm=norm)
        length = state.length
        state, tried = self.search.try_step(state)
        state = self.search.with_norms(state._replace(t=state.t + 1), state.reference_norms)
        return state, report_of(state, length, (tried,))

    def report(self, state: QuasiNewtonState) -> StepReport:
        if state.at is None:
            return super().report(state)
        return report_of(state, np.nan, (state.at,))
