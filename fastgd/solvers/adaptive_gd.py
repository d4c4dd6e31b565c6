"""Batch gradient descent with a rate that follows the local curvature, for losses without a largest curvature.

Source: Malitsky and Mishchenko, Adaptive gradient descent without descent (2020) and Adaptive proximal gradient method
for convex optimization (2024), algorithm 2:

    L_k = |g_k - g_(k-1)| / |u_k - u_(k-1)|,   growth_k = rate_k / rate_(k-1),
    rate_(k+1) = min(sqrt(2/3 + growth_k) rate_k,  rate_k / sqrt(max(2 rate_k^2 L_k^2 - 1, 0))),

g the gradient of the smooth part of F, in the variables u of the preconditioner. Their steps may raise F; here a step
that raises F is rejected and shortened, since e^z may overflow.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import of_fixed_types
from ..kernels.update_step import Preconditioner, update
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from .options import Options
from .plan import Plan, make_stepper
from .protocol import RowBlock, SolverBase, Step, StepReport
from .stationarity import mapping_norms, norms_at_zero
from .step_size import StepSize

# A rejected step is divided by this.
CUT = 4.0
MAX_CUTS = 60
# F may rise by this part of it, for rounding.
OBJECTIVE_ROUNDING = 1e-13


class AdaptiveState(NamedTuple):
    """Parameters after ``t`` updates, F there, the next rate, and the ratio of the last rate to the one before."""

    params: np.ndarray
    t: int
    at: Evaluation
    rate: float
    growth: float
    norms: np.ndarray
    reference_norms: np.ndarray


class AdaptiveGradientDescent(SolverBase):
    """One step per pass; a rejected step costs a pass too."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.stepper = make_stepper(objective, options, plan)
        self.preconditioner, self.first_rate = plan.preconditioner, plan.learning_rate
        self.has_tol = bool(options.tol)
        self.update = of_fixed_types(update)

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> AdaptiveState:
        assert start is not None
        rate = self.first_rate
        norms = mapping_norms(params, start.gradient, rate, self.stepper)
        reference = norms_at_zero(objective, params, rate, self.stepper, self.has_tol)
        return AdaptiveState(params, 0, start, rate, math.inf, norms, norms if reference is None else reference)

    def step(self, objective: Objective, state: AdaptiveState, rows: RowBlock, step_size: StepSize) -> Step:
        before, seen = state.at, []
        first = rate = state.rate if state.t else step_size.base_rate
        for _ in range(MAX_CUTS):
            params = before.params.copy()
            self.update(params, before.gradient, rate, rows.epoch, self.stepper)
            after = objective.evaluate(params)
            seen.append(after)
            if after.objective <= before.objective + OBJECTIVE_ROUNDING * abs(before.objective):  # not so for NaN
                break
            rate /= CUT
        else:  # F cannot be lowered by more than rounding
            return state, self.report(state)._replace(is_epoch=False, stop_reason="tol")
        growth = state.growth if rate == first else 1.0
        curvature = _local_curvature(objective, self.preconditioner, before, after)
        following, growth = next_rate(rate, growth, curvature)
        norms = mapping_norms(params, after.gradient, following, self.stepper)
        state = state._replace(params=params, t=state.t + 1, at=after, rate=following, growth=growth, norms=norms)
        report = self.report(state)
        return state, report._replace(
            running_losses=before.losses, rate=rate, gradient=lambda: before.gradient, seen=tuple(seen)
        )

    def report(self, state: AdaptiveState) -> StepReport:
        report = super().report(state)._replace(evaluation=state.at, seen=(state.at,))
        return report._replace(norms=state.norms, reference_norms=state.reference_norms)


def next_rate(rate: float, growth: float, curvature: float) -> tuple[float, float]:
    """The rate of the next step and its growth; after the first step, with infinite ``growth``, 1 / (sqrt(2) L)."""
    excess = 2.0 * (rate * curvature) ** 2 - 1.0
    by_curvature = rate / math.sqrt(excess) if excess > 0.0 else math.inf
    if growth == math.inf and curvature > 0.0:
        new = min(by_curvature, 1.0 / (math.sqrt(2.0) * curvature))
    else:
        new = min(math.sqrt(2.0 / 3.0 + min(growth, 1e6)) * rate, by_curvature)
    return new, new / rate


def _local_curvature(
    objective: Objective, preconditioner: Preconditioner, before: Evaluation, after: Evaluation
) -> float:
    """L_k: |change of the gradient| / |step| in the preconditioned variables, with the smooth part of the penalty."""
    d, shift, scale = objective.n_features, *preconditioner
    u: Any = after.params - before.params
    change: Any = after.gradient - before.gradient
    g = change.copy()
    g[:d] += objective.penalty_curvature()[0] * u[:d]
    if objective.fit_intercept:
        u[d] += shift @ u[:d]
        g[:d] -= shift * change[d]
    u[:d] /= scale
    g[:d] *= scale
    length = float(np.linalg.norm(u))
    return float(np.linalg.norm(g)) / length if length > 0.0 else 0.0
