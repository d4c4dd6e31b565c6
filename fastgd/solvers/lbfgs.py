"""L-BFGS: quasi-Newton steps from a memory of the last few steps, for any number of columns."""

from __future__ import annotations

import numpy as np

from ..objective.column_statistics import SAMPLE_ROWS
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..objective.sampled_hessian import HessianSample
from .curvature_models import LimitedMemory
from .quasi_newton import QuasiNewtonSolver, QuasiNewtonState
from .stationarity import norms_at_zero

TINY = np.finfo(np.float64).tiny


class LBFGS(QuasiNewtonSolver):
    """One step per pass, from the diagonal of a sample's Hessian.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989).
    """

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> QuasiNewtonState:
        sample = HessianSample.draw(self.scaled, SAMPLE_ROWS, self.seed)
        at = self.scaled.evaluate(params) if start is None else self.scaled.scaled(start)
        diagonal = sample.diagonal(at.params)
        direction = -at.gradient / diagonal
        # The first step goes to the minimum along the direction, as estimated on the sample.
        length = sample.curvature_along(at.params, direction)
        length /= max(-float(np.vdot(at.gradient, direction)), TINY)
        state = self.search.start(at, LimitedMemory.over_diagonal(diagonal, length or 1.0))
        reference = norms_at_zero(objective, params, state.mapping_rate, self.stepper, self.has_tol)
        return self.search.with_norms(state, reference)

    def next_proposal(self, objective: Objective, state: QuasiNewtonState) -> QuasiNewtonState:
        return state
