"""What is left to gain by a quadratic model of F: an estimate of F - F* from the gradient and a sampled Hessian.

For a smooth penalty it is half the squared Newton decrement, g' H^-1 g / 2; for a penalty with kinks, the decrease of
the model with the penalty itself. Flat directions count: a small gradient along a direction of small curvature can have
much to gain, which the norm of the gradient does not show. Source: Boyd and Vandenberghe, Convex optimization (2004),
section 9.5; Lee, Sun and Saunders, Proximal Newton-type methods for minimizing composite functions (2014).
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ..kernels.outputs_gradient import is_joint
from ..kernels.update_step import Preconditioner, Stepper
from ..objective.column_statistics import sample_size
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..objective.preconditioner import choose_preconditioner
from ..objective.recession import FAR, falls_by, may_have_no_optimum
from ..objective.sampled_hessian import HessianSample
from ..objective.scaled_objective import ScaledEvaluation, ScaledObjective
from ..terms.losses import is_squared
from ..terms.penalties import ElasticNet, is_smooth
from ..terms.update_rules import SGD
from .conjugate_gradients import conjugate_gradients
from .curvature_models import minimise_model
from .method_choice import MAX_HESSIAN_VALUES, has_useful_curvature

# Eigenvalues of a Hessian scaled to a diagonal of ones are rounding below this, per parameter.
EIGENVALUE_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
# The model holds if along its step the curvature of the losses does not fall below this part.
MIN_CURVATURE_LEFT = 0.5
# Curvatures per squared change of the linear predictors below this are rounding: softmax is flat along some directions.
CURVATURE_ROUNDING = 1e-12
# A decrease of at most this part of F may be rounding: that of a penalty with kinks is a difference.
DECREASE_ROUNDING = 1e-14
# Maximum change of a linear predictor by a step to an optimum that surely exists.
MAX_SURE_CHANGE = 0.1
MODEL_TOLERANCE = 1e-12  # of the minimum of the model with a penalty


class ModelStep(NamedTuple):
    """The step to the minimum of the quadratic model, in scaled variables, and the decrease of each output's part."""

    change: np.ndarray
    decreases: np.ndarray


class NewtonDecrement:
    """Estimates of F - F* for smooth convex losses; see `has_estimate`."""

    def __init__(self, objective: Objective, seed: int, preconditioner: Preconditioner | None = None) -> None:
        if preconditioner is None:
            preconditioner = choose_preconditioner(objective, only_if_different=True, for_hessian=True)
        self.scaled = ScaledObjective(objective, preconditioner)
        self.has_hessian = has_hessian(objective)
        self.sample = HessianSample.draw(self.scaled, sample_size(objective, True), seed)
        self.may_have_no_optimum = may_have_no_optimum(objective)
        self.direction: np.ndarray | None = None  # the last step, in the user's units

    def remaining(self, at: Evaluation) -> np.ndarray:
        """F - F* of each output, shape (n_outputs,); infinite where the model does not hold."""
        at = _without_diverged(at)
        scaled, z = self.scaled.scaled(at), self.sample.predictors(at.params)
        step = self._model_step(scaled, z)
        self.direction = self.scaled.moved(np.zeros_like(at.params), step.change)
        if not np.isfinite(step.decreases).all():
            return np.full(len(step.decreases), np.inf)
        if self.holds(at.params, self.direction, z):
            return step.decreases
        return np.full(len(step.decreases), np.inf)

    def _model_step(self, at: ScaledEvaluation, z: np.ndarray) -> ModelStep:
        if not self.has_hessian:
            product, diagonal = self.sample.products(z)
            change, decrease = conjugate_gradients(product, at.gradient, diagonal)
            return ModelStep(change, np.full(len(change), decrease / len(change)))
        matrices = self.sample.matrices(z, ridge=0.0)
        if is_smooth(self.scaled.objective.penalty):
            rows = zip(matrices, at.gradient.reshape(len(matrices), -1), strict=True)
            change = np.stack([_newton_step(matrix, gradient) for matrix, gradient in rows])
            change = change.reshape(at.gradient.shape)
            decreases = -0.5 * np.einsum("ki,ki->k", change, at.gradient)
        else:
            change = minimise_model(matrices, at, self._stepper, MODEL_TOLERANCE)
            decreases = self._decreases(matrices, at, change) + self._missed(matrices, at, change)
        if self.sample.couples:  # a step along all outputs may raise the part of one
            decreases = np.full(len(decreases), decreases.mean())
        is_rounding = np.abs(decreases) <= DECREASE_ROUNDING * np.abs(at.at.objectives)
        decreases = np.where(is_rounding, np.maximum(decreases, 0.0), decreases)
        return ModelStep(change, np.where(decreases >= 0.0, decreases, np.inf))

    @cached_property
    def _stepper(self) -> Stepper:
        objective = self.scaled.objective
        return Stepper.make(
            SGD(), objective.penalty, self.scaled.preconditioner, objective.n_parameters,
            strength=objective.strength, weights=objective.penalty_weights,
        )  # fmt: skip

    def _decreases(self, matrices: np.ndarray, at: ScaledEvaluation, change: np.ndarray) -> np.ndarray:
        """The decrease of the model of each output by a ``change``, the kinks of the penalty included."""
        d, objective = self.scaled.n_features, self.scaled.objective
        rises = objective.penalties(self.scaled.moved(at.params, change)) - at.at.penalties
        # The smooth part of the penalty is in the gradient and the Hessian already.
        smooth = self.scaled.scaled(at.at._replace(gradient=np.zeros_like(at.at.gradient))).gradient[:, :d]
        of_penalty = smooth + 0.5 * self.scaled.penalty_curvature() * change[:, :d]
        kinks = rises - np.einsum("ki,ki->k", of_penalty, change[:, :d])
        blocks = change.reshape(len(matrices), -1)
        products = np.einsum("kij,kj->ki", matrices, blocks).reshape(change.shape)
        return np.asarray(-np.einsum("ki,ki->k", at.gradient + 0.5 * products, change) - kinks)

    def _missed(self, matrices: np.ndarray, at: ScaledEvaluation, change: np.ndarray) -> np.ndarray:
        """A bound on what coordinate descent has missed among the coefficients that are not 0, of each output.

        It is slow along flat directions. With |w_j| replaced by sign(w_j) w_j, which is nowhere above it, the model is
        a quadratic of these coefficients, and its decrease is half a squared Newton decrement.
        """
        objective, d = self.scaled.objective, self.scaled.n_features
        if not isinstance(objective.penalty, ElasticNet):
            return np.zeros(len(change))
        moved = np.atleast_2d(self.scaled.moved(at.params, change))[:, :d]
        blocks = change.reshape(len(matrices), -1)
        gradient = at.gradient + np.einsum("kij,kj->ki", matrices, blocks).reshape(change.shape)
        factors = np.array([objective.penalty_factors(k) for k in range(objective.n_outputs)])
        gradient[:, :d] += objective.penalty.l1 * factors * np.sign(moved) * self.scaled.scale
        active = np.ones(change.shape, bool)
        active[:, :d] = (moved != 0.0) | (factors == 0.0)
        missed = np.zeros(change.shape)
        flat = missed.reshape(blocks.shape)
        rows = zip(matrices, gradient.reshape(blocks.shape), active.reshape(blocks.shape), strict=True)
        for k, (matrix, g, chosen) in enumerate(rows):
            if not chosen.any():
                continue
            flat[k, chosen] = -0.5 * g[chosen] * _newton_step(matrix[np.ix_(chosen, chosen)], g[chosen])
        return np.asarray(np.maximum(missed.sum(axis=1), 0.0))

    def _falls_without_end(self, params: np.ndarray, step: np.ndarray, along: np.ndarray) -> bool:
        """Whether F on the sample is lower far out along a step, which changes linear predictors by ``along``."""
        longest = float(np.abs(along).max())
        return longest > MAX_SURE_CHANGE and falls_by(self.sample.objective, params, step * (FAR / longest))

    def has_flat_losses(self, params: np.ndarray) -> bool:
        """Whether the losses of some rows of the sample have no curvature."""
        return not is_squared(self.scaled.objective.loss) and self.sample.has_flat_losses(params)

    def holds(self, params: np.ndarray, step: np.ndarray, z: np.ndarray | None = None) -> bool:
        """Whether the losses keep their curvature along a step: else there is more to gain than its model says.

        ``z`` are the linear predictors on the sample at ``params``, if they are known.
        """
        if is_squared(self.scaled.objective.loss) or not step.any():
            return True
        z = self.sample.predictors(params) if z is None else z
        along = self.sample.predictors(step)
        if self.may_have_no_optimum and self._falls_without_end(params, step, along):
            return False
        here, there = (self.sample.loss_curvature_along(at, along) for at in (z, z + along))
        return bool(there >= MIN_CURVATURE_LEFT * here - CURVATURE_ROUNDING * float((along**2).mean()))


def has_hessian(objective: Objective) -> bool:
    """Whether there are few enough parameters for a Hessian."""
    coupled = objective.n_outputs if is_joint(objective.loss) else 1
    return objective.n_outputs * coupled * objective.n_parameters**2 <= MAX_HESSIAN_VALUES


def has_estimate(objective: Objective) -> bool:
    """Whether `NewtonDecrement` applies: by a Hessian, or for a smooth penalty by products with it."""
    return has_useful_curvature(objective) and (has_hessian(objective) or is_smooth(objective.penalty))


def _without_diverged(at: Evaluation) -> Evaluation:
    """The evaluation with outputs that have diverged at zero parameters and gradients: the others may converge."""
    fine = np.isfinite(at.objectives) & np.isfinite(np.atleast_2d(at.gradient)).all(axis=1)
    if fine.all() or len(fine) == 1:
        return at
    return at._replace(
        params=np.where(fine[:, None], at.params, 0.0), gradient=np.where(fine[:, None], at.gradient, 0.0)
    )


def _newton_step(matrix: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    matrix, size = equilibrated(matrix)
    return np.asarray(solve_positive_definite(matrix, -gradient / size) / size)


def equilibrated(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with rows and columns divided by ``size``, so that its diagonal is one, or zero; and ``size``."""
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    size[size == 0.0] = 1.0
    return matrix / np.outer(size, size), size


def solve_positive_definite(matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Solve for a matrix with a diagonal of ones; an eigenvalue that may be rounding counts as the rounding itself."""
    floor = EIGENVALUE_ROUNDING * len(matrix)
    factor, failed = dpotrf(matrix + floor * np.eye(len(matrix)), lower=True)
    if not failed:
        return np.asarray(dpotrs(factor, b, lower=True)[0])
    if not np.isfinite(matrix).all():
        return np.full_like(b, np.nan)
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors @ ((vectors.T @ b) / np.maximum(values, floor)))
