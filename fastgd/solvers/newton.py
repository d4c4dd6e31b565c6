"""Newton's method with the Hessian of a sample of the rows and the gradient of all rows.

A fit has three phases, in this order:

1. the optimum of the sample (`optimum_of_sample`), which is the first point to try;
2. steps on all rows, one per pass, with the sample's Hessian and its quasi-Newton updates;
3. if such a step fails, renewal of the Hessian from a larger sample, and back to 2.

Where the sample is all rows, this is Newton's method: no phase 1, and a new Hessian after every step that is kept.
Sources: Erdogdu and Montanari, Convergence rates of sub-sampled Newton methods (2015); Byrd, Chin, Neveitt and Nocedal,
On the use of stochastic Hessian information in optimization methods for machine learning (2011).
"""

from __future__ import annotations

import numpy as np

from ..kernels.outputs_gradient import is_joint
from ..objective.column_statistics import sample_size
from ..objective.evaluation import Evaluation
from ..objective.intercept_only import constant_losses
from ..objective.objective import Objective
from ..objective.sampled_hessian import HessianSample
from ..terms.losses import is_squared
from ..terms.penalties import is_smooth
from .curvature_models import is_reliable
from .options import Options
from .plan import Plan
from .protocol import RowBlock, Step
from .quasi_newton import QuasiNewtonSolver, QuasiNewtonState
from .sample_optimum import model_at, optimum_of_sample
from .stationarity import mapping_norms, norms_at_zero
from .step_size import StepSize

# A step that fails shows that the sample is unlike the other rows: each renewal multiplies the sample size by GROWTH.
# After MAX_RENEWALS the Hessian is not the cause.
GROWTH, MAX_RENEWALS = 8, 4


def begins_on_sample(objective: Objective, params: np.ndarray) -> bool:
    """Whether the first pass is at the optimum of a sample: from zero coefficients, where F needs no pass over X."""
    return (
        not objective.split(params)[0].any()
        and not objective.several
        and sample_size(objective, True) < objective.n_samples
    )


class Newton(QuasiNewtonSolver):
    """The state's model holds the Hessian. Samples follow from the seed and are not part of the state."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        super().__init__(objective, options, plan)
        self.uses_all_rows = sample_size(objective, True) >= objective.n_samples
        self.is_quadratic = is_squared(objective.loss) and is_smooth(objective.penalty)

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> QuasiNewtonState:
        sample = self._sample(0)
        if self.uses_all_rows:
            at = self.scaled.evaluate(params) if start is None else self.scaled.scaled(start)
            return self._with_norms(self.search.start(at, model_at(sample, at.params, objective.n_samples)), params)
        found = optimum_of_sample(sample, params, self.stepper, self.search.longest)
        if start is not None:
            at = self.scaled.scaled(start)
            return self._with_norms(self.search.start(at, found.model)._replace(trial=found.params), params)
        at_start = constant_losses(objective, np.atleast_1d(objective.split(params)[1]))
        value = float((at_start + objective.penalties(params)).sum())
        state = self.search.start_unseen(params, value, found.model, found.params)
        reference = mapping_norms(params, found.first_gradient, state.mapping_rate, self.stepper)
        return state._replace(reference_norms=reference)

    def _with_norms(self, state: QuasiNewtonState, start: np.ndarray) -> QuasiNewtonState:
        objective, rate = self.scaled.objective, state.mapping_rate
        return self.search.with_norms(state, norms_at_zero(objective, start, rate, self.stepper, self.has_tol))

    def next_proposal(self, objective: Objective, state: QuasiNewtonState) -> QuasiNewtonState:
        """Choose the step after a trial: from a renewed Hessian if due, else from the model; or the shortened step."""
        kept, failed = state.kept, not state.kept
        if self.uses_all_rows:
            renews = kept and (not is_joint(objective.loss) or self._sample(0).couples)
        else:
            renews = failed and state.moved and state.renewals < MAX_RENEWALS
        state = state._replace(moved=kept)
        if renews:
            renewals = state.renewals + (0 if self.uses_all_rows else 1)
            model = model_at(self._sample(renewals), state.params, objective.n_samples)
            state = state._replace(model=model, renewals=renewals)
        return self.search.propose(state) if renews else state

    def step(self, objective: Objective, state: QuasiNewtonState, rows: RowBlock, step_size: StepSize) -> Step:
        state, report = super().step(objective, state, rows, step_size)
        if report.remaining is None or not is_reliable(state.model):
            return state, report
        if self.is_quadratic:
            return state, report._replace(remaining=report.remaining._replace(kind="estimate"))
        step_to_minimum = self.scaled.moved(np.zeros_like(state.params), state.change)
        return state, report._replace(remaining=report.remaining._replace(step=step_to_minimum))

    def _sample(self, renewals: int) -> HessianSample:
        size = sample_size(self.scaled.objective, True, GROWTH**renewals)
        return HessianSample.draw(self.scaled, size, self.seed)
