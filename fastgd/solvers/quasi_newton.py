"""Steps to the minimum of a quadratic model of F, and the models: a dense Hessian, or a memory of the last steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ..data.feature_matrix import check_finite
from ..kernels.second_derivatives import minimise_quadratic
from ..objective.scaled import Scaled
from ..training.watch import Watch
from .options import Options
from .stationarity import all_small, mapping_norms, norms_at_zero

# A step is taken if F falls by this part of what the slope promises. Source: Armijo, Minimization of functions
# having Lipschitz continuous first partial derivatives (1966).
SUFFICIENT = 1e-4
# A rejected step is cut to where a parabola through what is known has its minimum, but within these parts of it.
SHORTEST_CUT, LONGEST_CUT = 0.1, 0.5
# Pairs of a step and a change of slope are kept if their curvature is more than rounding.
LEAST_CURVATURE = 1e-10
# Once F is as low as rounding lets it, a pass has to make the slope shorter by this.
WORTH_A_PASS = 0.5
SWEEPS, SWEEP_TOLERANCE = 200, 1e-10
MEMORY = 20


class Hessian:
    """That of each output, (n_outputs, n_parameters, n_parameters), and its factors, which are made once."""

    def __init__(self, matrices: np.ndarray) -> None:
        self.matrices = matrices
        self.largest = float(np.einsum("kii->ki", matrices).max())

    @cached_property
    def factors(self) -> list[np.ndarray | None]:
        """Of each matrix, see `lower_factor`."""
        return [lower_factor(matrix) for matrix in self.matrices]


class CurvatureModel(Protocol):
    """What a method thinks of the curvature of F; ``largest`` is the largest on its diagonal at first."""

    largest: float

    def change(self, scaled: Scaled, params: np.ndarray) -> tuple[np.ndarray, float]:
        """The change of variables to try from ``params``, and the decrease of F that its slope promises."""

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        """Agree with what a step showed."""

    def stretch(self, factor: float) -> None:
        """Take the curvature for so many times as large."""

    def distrust(self) -> None:
        """Take the size of the curvature from what steps show, from now on, and its shape alone from the model."""


class Dense:
    """The Hessian of each output, (n_outputs, n_parameters, n_parameters), corrected by every step that is taken.

    For penalties with kinks: the minimum of the quadratic and the penalty is found by coordinate descent. Source: Lee,
    Sun and Saunders, Proximal Newton-type methods for minimizing composite functions (2014); the correction is that
    of Broyden, Fletcher, Goldfarb and Shanno (1970), Nocedal and Wright, Numerical optimization (2006), 6.19; the size
    that follows the steps that of Oren and Luenberger, Self-scaling variable preconditioner algorithms (1974).
    """

    def __init__(self, hessian: np.ndarray) -> None:
        self.hessian, self.rescaled = hessian, False
        self.largest = float(np.einsum("kii->ki", hessian).max())

    def change(self, scaled: Scaled, params: np.ndarray) -> tuple[np.ndarray, float]:
        change, d = np.empty_like(scaled.slope), scaled.n_features
        for k, (hessian, weights) in enumerate(zip(self.hessian, np.atleast_2d(params), strict=True)):
            args = (k, SWEEPS, SWEEP_TOLERANCE, change[k])
            minimise_quadratic(hessian, scaled.slope[k].copy(), weights[:d].copy(), scaled.stepper, *args)
        # At the minimum of the model, slope and kinked penalty together promise this much at least.
        return change, float(np.einsum("ki,kij,kj->", change, self.hessian, change))

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        for hessian, s, y in zip(self.hessian, step, change_of_slope, strict=True):
            if (curvature := float(s @ y)) > LEAST_CURVATURE * float(np.linalg.norm(s) * np.linalg.norm(y)):
                product = hessian @ s
                if self.rescaled:
                    factor = curvature / float(s @ product)
                    hessian *= factor
                    product *= factor
                hessian += np.outer(y, y) / curvature - np.outer(product, product) / float(s @ product)

    def stretch(self, factor: float) -> None:
        self.hessian *= factor

    def distrust(self) -> None:
        self.rescaled = True


class LimitedMemory:
    """The last few steps and their changes of slope, over a simpler model: for smooth penalties.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989).

    Parameters
    ----------
    solve : the simpler model: the change of variables that changes the slope by as much as it is given.
    largest : the model's largest curvature along a single variable.
    length : multiplies the simpler model's curvature; with ``rescaled`` it follows the last step.
    """

    def __init__(
        self, solve: Callable[[np.ndarray], np.ndarray], largest: float, length: float = 1.0, rescaled: bool = False
    ) -> None:
        self.solve, self.largest, self.length, self.rescaled = solve, largest, length, rescaled
        self.pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=MEMORY)

    @classmethod
    def over_hessian(cls, hessian: Hessian) -> LimitedMemory:
        """Over a Hessian."""
        solvers = [solver_of(*each) for each in zip(hessian.matrices, hessian.factors, strict=True)]

        def solve(slope: np.ndarray) -> np.ndarray:
            return np.stack([solver(row) for solver, row in zip(solvers, slope, strict=True)])

        return cls(solve, hessian.largest)

    @classmethod
    def over_diagonal(cls, diagonal: np.ndarray, length: float) -> LimitedMemory:
        """Over a Hessian's diagonal, (n_outputs, n_parameters), and a ``length`` that suits the first step."""
        return cls(lambda slope: slope / diagonal, float(diagonal.max()), length, rescaled=True)

    def change(self, scaled: Scaled, params: np.ndarray) -> tuple[np.ndarray, float]:  # noqa: ARG002  # as the protocol
        direction = -scaled.slope
        shares = []
        for s, y, curvature in reversed(self.pairs):
            shares.append(_dot(s, direction) / curvature)
            direction -= shares[-1] * y
        direction = self.solve(direction) / self.length
        for (s, y, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            direction += (share - _dot(y, direction) / curvature) * s
        return direction, -_dot(scaled.slope, direction)

    def learn(self, step: np.ndarray, change_of_slope: np.ndarray) -> None:
        curvature = _dot(step, change_of_slope)
        if curvature > LEAST_CURVATURE * float(np.linalg.norm(step) * np.linalg.norm(change_of_slope)):
            self.pairs.append((step, change_of_slope, curvature))
            if self.rescaled:
                self.length = _dot(change_of_slope, self.solve(change_of_slope)) / curvature

    def stretch(self, factor: float) -> None:
        self.length *= factor

    def distrust(self) -> None:
        self.rescaled = True


def lower_factor(matrix: np.ndarray) -> np.ndarray | None:
    """Cholesky's, with anything above its diagonal; None where the symmetric ``matrix`` is not positive definite.

    By LAPACK's own call: around it SciPy takes longer to check a small matrix, and NumPy to clear half of a large one.
    """
    factor, failed = dpotrf(matrix.T, lower=True, clean=False)
    return None if failed else np.asarray(factor)


def solver_of(hessian: np.ndarray, factor: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the x with ``hessian`` x = b for each b, of a ``factor`` as `lower_factor` makes it."""
    if factor is None:  # rounding has made it indefinite, or overflow worse
        inverse = np.linalg.inv(hessian)
        return lambda b: np.asarray(inverse @ b)
    return lambda b: np.asarray(dpotrs(factor, b, lower=True)[0])


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b))


class QuasiNewton:
    """Weights that go down F step by step, each step tried, and kept or cut, at the cost of one pass over X.

    Attributes
    ----------
    params : the best weights so far; ``objective``, ``loss``, ``gradient`` of the loss and ``slope`` are F's there.
    length : the part of the model's step that is tried next.

    Where the ``objective`` at ``params`` is known, the pass is saved that would tell it, and the rest with it: the first
    weights that are tried come from elsewhere, see `jump`.
    """

    def __init__(
        self, scaled: Scaled, params: np.ndarray, model: CurvatureModel, longest: float, objective: float | None = None
    ) -> None:
        self.scaled, self.model, self.longest, self.length = scaled, model, longest, longest
        self.params, self.known = params.copy(), objective is None
        if objective is None:
            self._evaluate()
            self.propose()
        else:
            self.objective, self.promised = objective, math.inf  # no step is proposed yet

    def _evaluate(self) -> None:
        self.scaled.evaluate(self.params)
        self._keep()

    def propose(self) -> None:
        """Make the next step: the model's, from the best weights so far."""
        self.change, self.promised = self.model.change(self.scaled, self.params)
        self.length = self.longest

    @property
    def exhausted(self) -> bool:
        """Whether the step promises no more than what F is rounded by."""
        return bool(self.length * self.promised <= self._rounding)

    def jump(self, trial: np.ndarray) -> bool:
        """Try weights from elsewhere, and keep them if F is lower there."""
        self.scaled.evaluate(trial)
        lower = self.scaled.objective < self.objective and bool(np.isfinite(self.scaled.slope).all())
        if lower:
            self.params = trial
            self._keep()
        elif self.known:
            self._return()
        else:
            self._evaluate()
            if not np.isfinite(self.objective):
                check_finite(self.scaled.problem.X, self.scaled.problem.feature_names)
        return lower

    def judge(self) -> bool:
        """Try the step, and keep it if F falls enough; else cut it."""
        scaled = self.scaled
        trial = scaled.moved(self.params, self.length * self.change)
        scaled.evaluate(trial)
        promised = self.length * self.promised
        if scaled.objective <= self.objective - SUFFICIENT * promised + self._rounding:  # a NaN is not
            self.model.learn(self.length * self.change, scaled.slope - self.slope)
            self.params = trial
            self._keep()
            return True
        rise = scaled.objective - self.objective + promised
        cut = 0.5 * promised / rise if np.isfinite(rise) else 0.0
        self.length *= min(max(cut, SHORTEST_CUT), LONGEST_CUT)
        self._return()
        return False

    def _keep(self) -> None:
        scaled, self.known = self.scaled, True
        self.objective, self.loss, self.slope = scaled.objective, scaled.loss, scaled.slope
        self.gradient = scaled.gradient.copy()
        self._rounding = 4.0 * float(np.finfo(scaled.problem.dtype).eps) * abs(self.objective)

    def _return(self) -> None:
        self.scaled.slope = self.slope


def descend(
    descent: QuasiNewton,
    options: Options,
    watch: Watch,
    params: np.ndarray,
    *,
    first: np.ndarray | None = None,
    at_start: np.ndarray | None = None,
    renewed: Callable[[np.ndarray, bool], CurvatureModel | None] = lambda _theta, _kept: None,
) -> None:
    """Change ``params`` by a step a pass until the watch says stop.

    ``first`` are weights to try before all steps, ``at_start`` the gradient at ``params`` if that is not to be taken
    from the descent; ``renewed`` may have another model, from the best weights and whether they are new.
    """
    scaled = descent.scaled
    step = 1.0 / descent.model.largest
    at_zero = norms_at_zero(scaled.problem, options, step, scaled.stepper, params)
    if at_zero is None:
        at_zero = mapping_norms(params, descent.gradient if at_start is None else at_start, step, scaled.stepper)
    last = math.inf
    for epoch in watch.epochs():
        length = descent.length
        kept = descent.judge() if first is None else descent.jump(first)
        first = None
        params[:] = descent.params
        norms = mapping_norms(params, descent.gradient, step, scaled.stepper)
        watch.step(epoch, -1, descent.loss, length, descent.gradient)
        watch.tick(1.0, descent.loss, length)
        norm = float(np.linalg.norm(norms))
        watch.record(descent.loss, length, norm)
        watch.evaluate(descent.objective)
        if options.tol and all_small(norms, at_zero, options.tol, scaled.problem.independent):
            watch.stop("tol", converged=True)
            break
        if watch.certified(descent.gradient):
            break
        model = renewed(descent.params, kept) if watch.passes_left >= 1 else None
        descent.model = descent.model if model is None else model
        if kept or model is not None:
            descent.propose()
        # Where F tells no more, the slope still may.
        if descent.exhausted and not norm <= WORTH_A_PASS * last:
            watch.stop("precision", converged=True)
        last = norm
