"""Line search on steps to the minimum of a quadratic model of F; each trial costs one pass."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from ..kernels.update_step import Stepper
from ..objective.objective import Objective
from ..objective.scaled_objective import ScaledEvaluation, ScaledObjective
from .curvature_models import CurvatureModel
from .options import Options
from .plan import Plan, make_stepper
from .protocol import Remaining, RowBlock, SolverBase, Step, StepReport
from .stationarity import mapping_norms
from .step_size import StepSize

# Minimum part of the promised decrease for a step to be kept. Source: Armijo, Minimization of functions having
# Lipschitz continuous first partial derivatives (1966).
SUFFICIENT_DECREASE = 1e-4
# A rejected step is cut to the minimum of a parabola through the known values, within these parts of its length.
MIN_CUT, MAX_CUT = 0.1, 0.5
# Once F can fall no further than by rounding, steps go on only while each multiplies the gradient norm by at most this.
WORTH_A_PASS = 0.5
UNKNOWN = np.array([np.inf])


class QuasiNewtonState(NamedTuple):
    """The best parameters so far, the curvature model there, and the step to try next.

    Attributes
    ----------
    params, objective : the best parameters, and F there.
    at : F and its gradient there; None where only F is known, before the first pass.
    model : the curvature model.
    change, promises : the model's step in scaled variables, and the decrease that the gradient promises for each output
        along it, twice the one to expect.
    length : the part of that step to try next.
    trial : parameters to try before any step; None later.
    kept : whether the last trial was kept; then the next step is due.
    norms, previous_norm, reference_norms : for the stopping tests; norms of the proximal-gradient mapping with the step
        length ``mapping_rate``, which stays the one of the first model.
    moved, renewals : for newton: whether a step was kept since the Hessian was last computed; how often it was renewed.
    """

    params: np.ndarray
    t: int
    objective: float
    at: ScaledEvaluation | None
    model: CurvatureModel
    change: np.ndarray
    promises: np.ndarray
    length: float
    trial: np.ndarray | None
    kept: bool
    norms: np.ndarray
    previous_norm: float
    reference_norms: np.ndarray
    mapping_rate: float
    moved: bool = True
    renewals: int = 0

    @property
    def promised(self) -> float:
        """The promised decrease of F."""
        return float(self.promises.sum())


class ArmijoSearch:
    """Trial steps on one objective in scaled variables; ``longest`` is the part of a step that is tried first."""

    def __init__(self, scaled: ScaledObjective, stepper: Stepper, longest: float) -> None:
        self.scaled, self.stepper, self.longest = scaled, stepper, longest
        self.epsilon = 4.0 * float(np.finfo(scaled.objective.dtype).eps)

    def start(self, at: ScaledEvaluation, model: CurvatureModel) -> QuasiNewtonState:
        """Begin at an evaluated point."""
        none = np.zeros(0)
        state = QuasiNewtonState(
            at.params, 0, at.objective, at, model, none, UNKNOWN, self.longest, None, False, none, math.inf, none,
            1.0 / model.largest,
        )  # fmt: skip
        return self.propose(state)

    def start_unseen(
        self, params: np.ndarray, objective: float, model: CurvatureModel, trial: np.ndarray
    ) -> QuasiNewtonState:
        """Begin where only F is known and try ``trial`` first, which saves the pass for the gradient."""
        none = np.zeros(0)
        return QuasiNewtonState(
            params, 0, objective, None, model, none, UNKNOWN, self.longest, trial, False, none, math.inf,
            none, 1.0 / model.largest,
        )  # fmt: skip

    def propose(self, state: QuasiNewtonState) -> QuasiNewtonState:
        """Take the model's step from the best parameters as the next to try."""
        assert state.at is not None
        change, promises = state.model.change(state.at, self.stepper)
        return state._replace(change=change, promises=promises, length=self.longest)

    def is_exhausted(self, state: QuasiNewtonState) -> bool:
        """Whether the next step promises to lower F by no more than rounding."""
        return bool(state.length * state.promised <= self._rounding(state))

    def _rounding(self, state: QuasiNewtonState) -> float:
        return self.epsilon * abs(state.objective)

    def try_step(self, state: QuasiNewtonState) -> tuple[QuasiNewtonState, ScaledEvaluation]:
        """Try the next step; keep it if F falls enough, else cut it."""
        assert state.at is not None
        step = state.length * state.change
        trial = self.scaled.evaluate(self.scaled.moved(state.params, step))
        promised = state.length * state.promised
        highest = state.objective - SUFFICIENT_DECREASE * promised + self._rounding(state)
        if trial.objective <= highest:  # not so for NaN
            model = state.model.updated(step, trial.gradient - state.at.gradient)
            return self._keep(state, trial)._replace(model=model), trial
        rise = trial.objective - state.objective + promised
        cut = 0.5 * promised / rise if np.isfinite(rise) else 0.0
        return state._replace(length=state.length * min(max(cut, MIN_CUT), MAX_CUT), kept=False), trial

    def try_elsewhere(self, state: QuasiNewtonState) -> tuple[QuasiNewtonState, tuple[ScaledEvaluation, ...]]:
        """Try ``state.trial``, and keep it if F is lower there; else evaluate the best parameters, if still to do."""
        assert state.trial is not None
        trial = self.scaled.evaluate(state.trial)
        state = state._replace(trial=None)
        if trial.objective < state.objective and bool(np.isfinite(trial.gradient).all()):
            return self._keep(state, trial), (trial,)
        if state.at is not None:
            return state._replace(kept=False), (trial,)
        here = self.scaled.evaluate(state.params)
        if not np.isfinite(here.objective):
            self.scaled.objective.rows.check_finite()
        return self._keep(state, here)._replace(kept=False), (trial, here)

    def _keep(self, state: QuasiNewtonState, at: ScaledEvaluation) -> QuasiNewtonState:
        return state._replace(params=at.params, objective=at.objective, at=at, kept=True)

    def with_norms(self, state: QuasiNewtonState, reference: np.ndarray | None) -> QuasiNewtonState:
        """The state with the norms for the stopping test; ``reference`` None takes the norms here."""
        assert state.at is not None
        norms = mapping_norms(state.params, state.at.at.gradient, state.mapping_rate, self.stepper)
        return state._replace(norms=norms, reference_norms=norms if reference is None else reference)


def report_of(state: QuasiNewtonState, length: float, seen: tuple[ScaledEvaluation, ...]) -> StepReport:
    """The report of a trial: F and its gradient at the best parameters so far."""
    assert state.at is not None
    at = state.at.at
    return StepReport(
        at.losses, length, lambda: at.gradient, at, tuple(one.at for one in seen), state.norms, state.reference_norms,
        Remaining(0.5 * state.promises, "guess") if state.kept else None,
    )  # fmt: skip


class QuasiNewtonSolver(SolverBase, ABC):
    """What newton and lbfgs have in common: one trial step per pass. Subclasses have `init` and `next_proposal`."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.scaled = ScaledObjective(objective, plan.preconditioner)
        self.stepper = make_stepper(objective, options, plan)
        self.search = ArmijoSearch(self.scaled, self.stepper, plan.learning_rate)
        self.has_tol, self.seed = bool(options.tol), options.seed

    @abstractmethod
    def next_proposal(self, objective: Objective, state: QuasiNewtonState) -> QuasiNewtonState:
        """Choose the next step after a trial; where the trial was not kept, its length has been cut."""

    def step(self, objective: Objective, state: QuasiNewtonState, rows: RowBlock, step_size: StepSize) -> Step:
        if state.t:
            norm = float(np.linalg.norm(state.norms))
            state = self.next_proposal(objective, state)
            if self.search.is_exhausted(state) and not norm <= WORTH_A_PASS * state.previous_norm:
                return state, self.report(state)._replace(is_epoch=False, stop_reason="precision")
            state = state._replace(previous_norm=norm)
        length = state.length
        if state.trial is not None:
            state, tried = self.search.try_elsewhere(state)
        else:
            state, one = self.search.try_step(state)
            tried = (one,)
        if state.kept:
            state = self.search.propose(state)
        state = self.search.with_norms(state._replace(t=state.t + 1), state.reference_norms)
        return state, report_of(state, length, tried)

    def report(self, state: QuasiNewtonState) -> StepReport:
        if state.at is None:
            return super().report(state)._replace(reference_norms=state.reference_norms)
        return report_of(state, np.nan, (state.at,))
