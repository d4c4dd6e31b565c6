"""Curvature models of quasi-Newton methods: values that each step updates.

Both have `change`, the step to try and the decrease of F that the gradient promises for it; `updated`, the model after
a step; and `scaled_by`, the model times a factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.update_step import Stepper
from ..objective.factored_hessian import FactoredHessian
from ..objective.scaled_objective import ScaledEvaluation
from .penalised_quadratic import PenalisedQuadratic

# Minimum s'y / (|s| |y|) of a step s and its change of gradient y: below it the curvature may be rounding.
MIN_CURVATURE = 1e-10
MODEL_TOLERANCE = 1e-10  # of the minimum of a model with a penalty
MEMORY = 20  # steps
# Squared pivots of a Hessian, relative to its diagonal, from which on a ridge of 1e-13 changes nothing.
MIN_RELIABLE_PIVOT = 1e-8


class DenseCurvature(NamedTuple):
    """The Hessian of each output, (n_outputs, n_parameters, n_parameters), with a BFGS update for every step.

    Or one Hessian for all outputs together.

    For penalties with kinks: coordinate descent minimises the quadratic plus the penalty. Source: Lee, Sun and
    Saunders, Proximal Newton-type methods for minimizing composite functions (2014); the update is that of Broyden,
    Fletcher, Goldfarb and Shanno (1970), Nocedal and Wright, Numerical optimization (2006), 6.19.
    """

    hessian: np.ndarray
    largest: float  # entry of the first diagonals

    @classmethod
    def of(cls, hessian: FactoredHessian) -> DenseCurvature:
        return cls(hessian.matrices, hessian.largest)

    def change(self, at: ScaledEvaluation, stepper: Stepper) -> tuple[np.ndarray, np.ndarray]:
        change = minimise_model(self.hessian, at, stepper, MODEL_TOLERANCE)
        blocks = change.reshape(len(self.hessian), -1)
        # At the minimum of the model the gradient and the penalty promise at least this decrease.
        return change, np.einsum("ki,kij,kj->k", blocks, self.hessian, blocks)

    def updated(self, step: np.ndarray, gradient_change: np.ndarray) -> DenseCurvature:
        blocks = (x.reshape(len(self.hessian), -1) for x in (step, gradient_change))
        for hessian, s, y in zip(self.hessian, *blocks, strict=True):
            if (curvature := float(s @ y)) > MIN_CURVATURE * float(np.linalg.norm(s) * np.linalg.norm(y)):
                product = hessian @ s
                hessian += np.outer(y, y) / curvature - np.outer(product, product) / float(s @ product)
        return self

    def scaled_by(self, factor: float) -> DenseCurvature:
        return self._replace(hessian=self.hessian * factor)


class Pair(NamedTuple):
    """A step, its change of gradient, and their scalar product."""

    step: np.ndarray
    gradient_change: np.ndarray
    curvature: float


class LimitedMemory(NamedTuple):
    """L-BFGS: the last few steps and their changes of gradient, on a Hessian or a diagonal. For smooth penalties.

    ``hessian`` or ``diagonal``, (n_outputs, n_parameters), is the model without steps; ``length`` multiplies it.
    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989).
    """

    hessian: FactoredHessian | None
    diagonal: np.ndarray | None
    largest: float  # entry of the diagonals
    length: float = 1.0
    self_scaling: bool = False
    pairs: tuple[Pair, ...] = ()

    @classmethod
    def over_hessian(cls, hessian: FactoredHessian) -> LimitedMemory:
        return cls(hessian, None, hessian.largest)

    @classmethod
    def over_diagonal(cls, diagonal: np.ndarray, length: float) -> LimitedMemory:
        """``length`` is the one for the first step; later ones come from the steps."""
        return cls(None, diagonal, float(diagonal.max()), length, self_scaling=True)

    def change(self, at: ScaledEvaluation, stepper: Stepper) -> tuple[np.ndarray, np.ndarray]:
        direction = -at.gradient
        shares = []
        for s, y, curvature in reversed(self.pairs):
            shares.append(_dot(s, direction) / curvature)
            direction -= shares[-1] * y
        direction = self._solve(direction) / self.length
        for (s, y, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            direction += (share - _dot(y, direction) / curvature) * s
        return direction, -np.einsum("ki,ki->k", at.gradient, direction)

    def updated(self, step: np.ndarray, gradient_change: np.ndarray) -> LimitedMemory:
        curvature = _dot(step, gradient_change)
        if not curvature > MIN_CURVATURE * float(np.linalg.norm(step) * np.linalg.norm(gradient_change)):
            return self
        pairs = (*self.pairs, Pair(step, gradient_change, curvature))[-MEMORY:]
        length = self.length
        if self.self_scaling:
            length = _dot(gradient_change, self._solve(gradient_change)) / curvature
        return self._replace(pairs=pairs, length=length)

    def scaled_by(self, factor: float) -> LimitedMemory:
        return self._replace(length=self.length * factor)

    def _solve(self, gradient: np.ndarray) -> np.ndarray:
        if self.hessian is not None:
            return self.hessian.solve(gradient)
        assert self.diagonal is not None
        return np.asarray(gradient / self.diagonal)


def minimise_model(matrices: np.ndarray, at: ScaledEvaluation, stepper: Stepper, part: float) -> np.ndarray:
    """The change, (n_outputs, n_parameters), that minimises the quadratic model plus the penalty, with its kinks.

    ``matrices`` has a Hessian for each output, or one for all outputs together. The intercepts, which no penalty holds,
    are eliminated: at their minimum given the coefficients the quadratic has a smaller Hessian. Coordinate descent goes
    on until no move gains more than ``part`` of the largest of the first sweep.
    """
    d = len(stepper.weights)
    factors, change = np.outer(stepper.strength, stepper.weights), np.empty_like(at.gradient)
    coef, scale = np.atleast_2d(at.params)[:, :d], np.broadcast_to(stepper.preconditioner.scale, factors.shape)
    is_coef = np.zeros(change.shape, bool)
    is_coef[:, :d] = True
    n = len(matrices)  # of blocks of outputs
    for H, gradient, w, s, of_penalty, free, out in zip(
        matrices, *(x.reshape(n, -1) for x in (at.gradient, coef, scale, factors, is_coef, change)), strict=True
    ):
        kept, rest = np.flatnonzero(free), np.flatnonzero(~free)
        inverse = np.linalg.pinv(H[np.ix_(rest, rest)], hermitian=True)
        by_coef = -inverse @ H[np.ix_(rest, kept)]  # how the intercepts follow the coefficients
        matrix = (H[np.ix_(kept, kept)] + H[np.ix_(kept, rest)] @ by_coef) / np.outer(s, s)
        moved = w.copy()
        quadratic = PenalisedQuadratic.of(matrix, stepper.penalty, of_penalty, None)
        quadratic.minimise(moved, (gradient[kept] + by_coef.T @ gradient[rest]) / s, part)
        out[kept] = (moved - w) / s
        out[rest] = by_coef @ out[kept] - inverse @ gradient[rest]
    return change


CurvatureModel = DenseCurvature | LimitedMemory


def is_reliable(model: CurvatureModel) -> bool:
    """Whether the model is a Hessian in which no direction is so flat that its ridge would hide what it promises."""
    if not isinstance(model, LimitedMemory) or model.hessian is None or not model.hessian.positive_definite.all():
        return False
    pivots, diagonals = (np.einsum("kii->ki", of) for of in (model.hessian.factors, model.hessian.matrices))
    return bool((pivots**2 >= MIN_RELIABLE_PIVOT * diagonals).all())


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b))
