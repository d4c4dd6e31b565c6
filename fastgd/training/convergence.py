"""The test of convergence: what is left to gain, F - F*, relative to what the best constant model leaves.

Training has converged where

    F - F* <= max(tol * (F(constant) - F*), rounding of F).

F - F* is a solver's own bound, a duality gap from gradients that training has seen, which takes no pass over X, or an
estimate by a quadratic model of F (`NewtonDecrement`), which takes about one. The norm of a gradient cannot tell: it is
blind to flat directions, and depends on where training started. Only for an F that is not convex it decides, since
nothing else is known there: such a fit promises a stationary point.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..certificate.certificate import Certificate
from ..certificate.dual_point import rounding
from ..kernels.update_step import Preconditioner
from ..objective.evaluation import Evaluation
from ..objective.intercept_only import ConstantModel
from ..objective.objective import Objective
from ..objective.stationary_points import is_convex
from ..solvers.newton_decrement import NewtonDecrement, has_estimate, has_hessian
from ..solvers.protocol import Remaining
from ..solvers.stationarity import all_small
from ..terms.losses import loss_traits

# F - F* counts as rounding up to this many times the rounding of a sum over the rows as large as F.
ROUNDING_FACTOR = 4.0
# A loss for classes that is not at its minimum at this margin never is.
FAR_MARGIN = 100.0
# A guess by a Hessian of an earlier step is taken this many times.
MARGIN_OF_GUESS = 4.0


class ConvergenceState(NamedTuple):
    """F of each output after the last epoch that knew it, and the decrease per epoch below which to test again."""

    previous: np.ndarray
    threshold: float


class ConvergenceTest:
    """Decides whether training has converged.

    An epoch that lowers F by more than ``tol`` of what training has gained shows that there is more to gain. Below that
    the test is due. If F - F* turns out to be R times too large, the test is due again when the decrease per epoch has
    fallen to a part 1 / R, as it does where F - F* falls at a constant rate.
    """

    def __init__(
        self,
        objective: Objective,
        certificate: Certificate,
        constant: ConstantModel,
        tol: float,
        seed: int,
        preconditioner: Preconditioner | None = None,
    ) -> None:
        self.objective, self.certificate, self.tol, self.seed = objective, certificate, tol, seed
        self.constant, self.rounding = constant, rounding(objective)
        self.is_convex = is_convex(objective)
        # Products with a Hessian take some passes: where there are bounds, they do better.
        self.has_model = has_estimate(objective) and (has_hessian(objective) or not certificate.has_bound)
        self.state = ConvergenceState(np.full(objective.n_outputs, np.inf), tol)
        self.preconditioner = preconditioner
        self._decrement: NewtonDecrement | None = None

    # --- When to test -----------------------------------------------------------------------------------------------

    def is_due(self, values: np.ndarray) -> bool:
        """Record F of each output after an epoch, or a running loss; whether the decrease calls for a test."""
        with np.errstate(invalid="ignore"):  # an output may have diverged
            decrease = np.abs(self.state.previous - values)
        self.state = self.state._replace(previous=values.copy())
        if not self.objective.independent:
            decrease, values = decrease.sum(keepdims=True), values.sum(keepdims=True)
        noise = ROUNDING_FACTOR * self.rounding * np.abs(values)
        is_small = decrease <= np.maximum(self.state.threshold * self._gained(values), noise)
        return bool((is_small | self._has_diverged(values)).all())

    def is_better_than_constant(self, values: np.ndarray) -> bool:
        """Whether F is below the best constant model by more than rounding, for all outputs."""
        values = values if self.objective.independent else values.sum(keepdims=True)
        return bool((self._gained(values) > ROUNDING_FACTOR * self.rounding * np.abs(values)).all())

    def has_failed(self, ratio: float) -> None:
        """After a test: F - F* is ``ratio`` times too large."""
        share = 1.0 / ratio if 1.0 < ratio < np.inf else 0.5
        self.state = self.state._replace(threshold=self.state.threshold * share)

    # --- The test ---------------------------------------------------------------------------------------------------

    def evaluate(self, params: np.ndarray) -> Evaluation:
        """F and its gradient, in a pass that counts as training."""
        at = self.objective.evaluate(params)
        self.certificate.see(at)
        return at

    def has_converged(
        self,
        at: Evaluation,
        norms: np.ndarray | None = None,
        reference: np.ndarray | None = None,
        tol: float | None = None,
    ) -> bool:
        """Whether training may stop at an evaluated model; takes about one pass where a bound does not suffice."""
        if not self.is_convex:
            return (
                norms is not None
                and reference is not None
                and all_small(norms, reference, self.tol, self.objective.independent)
            )
        tol = self.tol if tol is None else tol
        gaps = self.certificate.seen_gaps if self.has_model else self.certificate.add
        ratio = np.inf
        if self._attains_minimum:
            ratio = self._excess(at.objectives, at.objectives - self.certificate.floors, tol)
        if ratio > 1.0:
            ratio = min(ratio, self._excess(at.objectives, gaps(at.params), tol))
        if ratio > 1.0 and self.has_model:
            ratio = self._excess(at.objectives, self.model.remaining(at), tol)
        if ratio > 1.0:
            self.has_failed(ratio)
        return ratio <= 1.0

    @cached_property
    def _attains_minimum(self) -> bool:
        """Whether losses have a known minimum, which each takes at a finite z."""
        loss, traits = self.objective.loss, loss_traits(self.objective.loss)
        if not traits.has_minimum or traits.joint:
            return False
        return not traits.classifies or loss.value(1.0, FAR_MARGIN) == loss.minimum(1.0)

    @property
    def direction(self) -> np.ndarray | None:
        """The step to the minimum of the last quadratic model, if there was one."""
        return None if self._decrement is None else self._decrement.direction

    def is_small(self, objectives: np.ndarray, remaining: Remaining) -> bool:
        """Whether what a solver says is left is small enough."""
        return self._excess(objectives, remaining.values, self.tol) <= 1.0

    def is_confirmed(self, at: Evaluation, remaining: Remaining) -> bool:
        """Whether a guess by a model without flat directions holds, with a margin, along its step."""
        if remaining.step is None or not self.has_model:
            return False
        sure = self._excess(at.objectives, MARGIN_OF_GUESS * remaining.values, self.tol) <= 1.0
        # Where some losses are flat, as those of squared_hinge are beyond the margin, an earlier Hessian may
        # be of other rows.
        return sure and not self.model.has_flat_losses(at.params) and self.model.holds(at.params, remaining.step)

    def _excess(self, objectives: np.ndarray, left: np.ndarray, tol: float) -> float:
        """How many times F - F* is as large as it may be; NaN counts as infinite."""
        left = np.where(np.isfinite(left), left, np.inf)
        if not self.objective.independent:
            left, objectives = np.array([left.sum()]), np.array([objectives.sum()])
        finite = np.where(np.isfinite(left), left, 0.0)
        noise = ROUNDING_FACTOR * self.rounding * np.abs(objectives)
        allowed = np.maximum(tol * self._gained(objectives - finite), noise)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where((left <= allowed) | self._has_diverged(objectives), 0.0, left / allowed)
        return float(ratios.max(initial=0.0))

    def _has_diverged(self, values: np.ndarray) -> np.ndarray:
        """Which of several independent outputs have diverged: the others may still converge."""
        return ~np.isfinite(values) if self.objective.independent else np.zeros(len(values), bool)

    def _gained(self, values: np.ndarray) -> np.ndarray:
        """How far ``values`` of F, of each output or summed, are below the best constant model."""
        constant = self.constant.losses if self.objective.independent else self.constant.objective
        return np.asarray(constant - values)

    @property
    def model(self) -> NewtonDecrement:
        """The quadratic model of F."""
        if self._decrement is None:
            self._decrement = NewtonDecrement(self.objective, self.seed, self.preconditioner)
        return self._decrement
