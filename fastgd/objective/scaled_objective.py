"""F in scaled and centred variables, for methods with a curvature model of F."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.update_step import Preconditioner
from .evaluation import Evaluation
from .objective import Objective
from .penalty_terms import penalty_gradient


class ScaledEvaluation(NamedTuple):
    """An evaluation, and the gradient of the smooth part of F in the scaled variables, (n_outputs, n_parameters)."""

    at: Evaluation
    gradient: np.ndarray

    @property
    def objective(self) -> float:
        return self.at.objective

    @property
    def params(self) -> np.ndarray:
        return self.at.params


class ScaledObjective:
    """F of u_j = w_j / scale_j and b + shift . w, for each output; ``params`` are in the user's units everywhere."""

    def __init__(self, objective: Objective, preconditioner: Preconditioner) -> None:
        self.objective, self.preconditioner = objective, preconditioner
        self.shift, self.scale = preconditioner
        self.n_features = objective.n_features
        self.shape = (objective.n_outputs, objective.n_parameters)

    def on(self, sample: Objective) -> ScaledObjective:
        """F on a sample, in the same variables."""
        return ScaledObjective(sample, self.preconditioner)

    def evaluate(self, params: np.ndarray) -> ScaledEvaluation:
        """F and its gradient at ``params``, in one pass."""
        return self.scaled(self.objective.evaluate(params))

    def scaled(self, at: Evaluation) -> ScaledEvaluation:
        """Add the gradient in the scaled variables to an evaluation."""
        d, params, gradient = self.n_features, np.atleast_2d(at.params), np.atleast_2d(at.gradient)
        scaled = gradient.copy()
        for k in range(len(scaled)):
            scaled[k, :d] += penalty_gradient(self.objective.penalty, params[k, :d], self.objective.penalty_factors(k))
        if self.shape[1] > d:
            scaled[:, :d] -= np.outer(gradient[:, d], self.shift)
        scaled[:, :d] *= self.scale
        return ScaledEvaluation(at, scaled)

    def moved(self, params: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The parameters after a ``change`` of the scaled variables, shape (n_outputs, n_parameters)."""
        d = self.n_features
        step = change.copy()
        step[:, :d] *= self.scale
        if self.shape[1] > d:
            step[:, d] -= step[:, :d] @ self.shift
        return np.asarray(params + step.reshape(params.shape))

    def penalty_curvature(self) -> np.ndarray:
        """Second derivatives of the smooth part of the penalty in the scaled variables, (n_outputs, n_features)."""
        return np.asarray(self.objective.penalty_curvature() * self.scale**2)
