"""Steps to the minimum of a quadratic model of F, and the models: a dense Hessian, or a memory of the last steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ..kernels.curvature import minimise_quadratic
from ..options import Options
from ..watch import Watch
from .scaled import Scaled
from .stationarity import all_small, mapping_norms, norms_at_zero

# A step is taken if F falls by this part of what the slope promises. Source: Armijo, Minimization of functions
# having Lipschitz continuous first partial derivatives (1966).
SUFFICIENT = 1e-4
# A rejected step is cut to where a parabola through what is known has its minimum, but within these parts of it.
SHORTEST_CUT, LONGEST_CUT = 0.1, 0.5
# Pairs of a step and a change of slope are kept if their curvature is more than rounding.
LEAST_CURVATURE = 1e-10
SWEEPS, SWEEP_TOLERANCE = 200, 1e-10
MEMORY = 10


class CurvatureModel(Protocol):
    """What a method thinks of the curvature of F; ``largest`` is the largest on its diagonal at first."""

    largest: float

    def change(self, scaled: Scaled, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """The change of variables to try from ``theta``, and the decrease of F that its slope promises."""

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        """Agree with what a step showed."""


class Dense:
    """The Hessian of each output, (n_outputs, n_parameters, n_parameters), corrected by every step that is taken.

    Source: the update is that of Broyden, Fletcher, Goldfarb and Shanno (1970), in Nocedal and Wright, Numerical
    optimization (2006), equation 6.19; with a penalty that has kinks, Lee, Sun and Saunders, Proximal Newton-type
    methods for minimizing composite functions (2014).
    """

    def __init__(self, hessian: np.ndarray, smooth: bool) -> None:
        self.smooth = smooth
        self.largest = float(np.einsum("kii->ki", hessian).max())
        # A smooth penalty needs the inverse alone, which a step corrects as easily.
        self.matrix = np.linalg.inv(hessian) if smooth else hessian

    def change(self, scaled: Scaled, theta: np.ndarray) -> tuple[np.ndarray, float]:
        if self.smooth:
            change = -np.einsum("kij,kj->ki", self.matrix, scaled.slope)
            return change, -_dot(scaled.slope, change)
        change, d = np.empty_like(scaled.slope), scaled.n_features
        for k, (hessian, weights) in enumerate(zip(self.matrix, np.atleast_2d(theta), strict=True)):
            args = (k, SWEEPS, SWEEP_TOLERANCE, change[k])
            minimise_quadratic(hessian, scaled.slope[k].copy(), weights[:d].copy(), scaled.stepper, *args)
        # At the minimum of the model, slope and kinked penalty together promise this much at least.
        return change, float(np.einsum("ki,kij,kj->", change, self.matrix, change))

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        for matrix, s, y in zip(self.matrix, step, change_of_slope, strict=True):
            curvature = float(s @ y)
            if curvature <= LEAST_CURVATURE * float(np.linalg.norm(s) * np.linalg.norm(y)):
                continue
            if self.smooth:
                product = matrix @ y
                both = np.outer(s, product)
                matrix += (1.0 + float(y @ product) / curvature) / curvature * np.outer(s, s)
                matrix -= (both + both.T) / curvature
            else:
                product = matrix @ s
                matrix += np.outer(y, y) / curvature - np.outer(product, product) / float(s @ product)


class LimitedMemory:
    """The last few steps and their changes of slope, over a diagonal of the shape (n_outputs, n_parameters).

    ``length`` multiplies the diagonal until the first step.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989).
    """

    def __init__(self, diagonal: np.ndarray, length: float) -> None:
        self.diagonal, self.largest = diagonal, float(diagonal.max())
        self.length = length
        self.pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=MEMORY)

    def change(self, scaled: Scaled, theta: np.ndarray) -> tuple[np.ndarray, float]:  # noqa: ARG002  # as the protocol
        direction = -scaled.slope
        kept = []
        for s, y, curvature in reversed(self.pairs):
            share = _dot(s, direction) / curvature
            direction -= share * y
            kept.append(share)
        direction /= self.length * self.diagonal
        for (s, y, curvature), share in zip(self.pairs, reversed(kept), strict=True):
            direction += (share - _dot(y, direction) / curvature) * s
        return direction, -_dot(scaled.slope, direction)

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        curvature = _dot(step, change_of_slope)
        if curvature > LEAST_CURVATURE * float(np.linalg.norm(step) * np.linalg.norm(change_of_slope)):
            self.pairs.append((step, change_of_slope, curvature))
            self.length = _dot(change_of_slope, change_of_slope / self.diagonal) / curvature


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b))


class QuasiNewton:
    """Weights that go down F step by step, each step tried, and kept or cut, at the cost of one pass over X.

    Attributes
    ----------
    theta : the best weights so far; ``objective``, ``loss``, ``gradient`` of the loss and ``slope`` are F's there.
    length : the part of the model's step that is tried next.
    """

    def __init__(self, scaled: Scaled, theta: np.ndarray, model: CurvatureModel, longest: float) -> None:
        self.scaled, self.model, self.longest = scaled, model, longest
        self.theta = theta.copy()
        scaled.evaluate(self.theta)
        self._keep()
        self.propose()

    def propose(self) -> None:
        """Make the next step: the model's, from the best weights so far."""
        self.change, self.promised = self.model.change(self.scaled, self.theta)
        self.length = self.longest

    @property
    def exhausted(self) -> bool:
        """Whether the step promises no more than what F is rounded by."""
        return not self.length * self.promised > self._rounding

    def jump(self, trial: np.ndarray) -> bool:
        """Try weights from elsewhere, and keep them if F is lower there."""
        self.scaled.evaluate(trial)
        lower = self.scaled.objective < self.objective
        self._keep() if lower else self._return()
        self.theta = trial if lower else self.theta
        return lower

    def judge(self) -> bool:
        """Try the step, and keep it if F falls enough; else cut it."""
        scaled = self.scaled
        trial = scaled.moved(self.theta, self.length * self.change)
        scaled.evaluate(trial)
        promised = self.length * self.promised
        if scaled.objective <= self.objective - SUFFICIENT * promised + self._rounding:  # a NaN is not
            self.model.learn(self.length * self.change, scaled.slope - self.slope)
            self.theta = trial
            self._keep()
            return True
        rise = scaled.objective - self.objective + promised
        cut = 0.5 * promised / rise if np.isfinite(rise) else 0.0
        self.length *= min(max(cut, SHORTEST_CUT), LONGEST_CUT)
        self._return()
        return False

    def _keep(self) -> None:
        scaled = self.scaled
        self.objective, self.loss, self.slope = scaled.objective, scaled.loss, scaled.slope
        self.gradient = scaled.gradient.copy()
        self._rounding = 4.0 * float(np.finfo(scaled.problem.dtype).eps) * abs(self.objective)

    def _return(self) -> None:
        self.scaled.slope = self.slope


def descend(
    descent: QuasiNewton,
    options: Options,
    watch: Watch,
    theta: np.ndarray,
    *,
    first: np.ndarray | None = None,
    renewed: Callable[[np.ndarray, bool], CurvatureModel | None] = lambda _theta, _kept: None,
) -> None:
    """Change ``theta`` by a step a pass until the watch says stop.

    ``first`` are weights to try before all steps; ``renewed`` may have another model, from the best weights and
    whether they are new.
    """
    scaled = descent.scaled
    step = 1.0 / descent.model.largest
    at_zero = norms_at_zero(scaled.problem, options, step, scaled.stepper, theta)
    if at_zero is None:
        at_zero = mapping_norms(theta, descent.gradient, step, scaled.stepper)
    for epoch in watch.epochs():
        length = descent.length
        kept = descent.judge() if first is None else descent.jump(first)
        first = None
        theta[:] = descent.theta
        norms = mapping_norms(theta, descent.gradient, step, scaled.stepper)
        watch.step(epoch, -1, descent.loss, length, descent.gradient)
        watch.tick(1.0, descent.loss, length)
        watch.record(descent.loss, length, float(np.linalg.norm(norms)))
        watch.evaluate(descent.objective)
        if options.tol and all_small(norms, at_zero, options.tol, scaled.problem.independent):
            watch.stop("tol", converged=True)
            break
        model = renewed(descent.theta, kept)
        descent.model = descent.model if model is None else model
        if kept or model is not None:
            descent.propose()
        if descent.exhausted:
            watch.stop("precision", converged=True)
