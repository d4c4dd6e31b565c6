"""The objective in scaled and centred variables, as methods see it that keep a model of its curvature."""

from __future__ import annotations

import numpy as np

from ..kernels.update_step import Stepper
from ..solvers.steps import penalty_curvature
from .penalty_terms import penalty_gradient
from .problem import Problem


class Scaled:
    """F as a function of u_j = w_j / inverse_j and b + shift . w, for each output: arrays of (n_outputs, n_parameters).

    Weights stay as `Problem` has them, ``params``. Attributes ``loss`` and ``objective``, sums over the outputs, and
    ``slope``, of the smooth part of F in the variables, are those where it was evaluated last.
    """

    def __init__(self, problem: Problem, stepper: Stepper) -> None:
        self.problem, self.stepper = problem, stepper
        self.shift, self.scale = stepper.preconditioner
        self.n_features = problem.n_features
        self.shape = (problem.n_outputs, problem.n_parameters)

    def evaluate(self, params: np.ndarray) -> None:
        """One pass over X."""
        self.loss, self.gradient = self.problem.gradient(params)
        self.objective = self.loss + self.problem.penalty_at(params)
        self.slope = self._in_variables(np.atleast_2d(params), np.atleast_2d(self.gradient))

    def moved(self, params: np.ndarray, change: np.ndarray) -> np.ndarray:
        """The weights after a change of the variables."""
        d = self.n_features
        by = change.copy()
        by[:, :d] *= self.scale
        if self.shape[1] > d:
            by[:, d] -= by[:, :d] @ self.shift
        return np.asarray(params + by.reshape(params.shape))

    def _in_variables(self, params: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        d, stepper = self.n_features, self.stepper
        slope = gradient.copy()
        for k in range(len(slope)):
            slope[k, :d] += penalty_gradient(stepper.penalty, params[k, :d], self.problem.penalty_factors(k))
        if self.shape[1] > d:
            slope[:, :d] -= np.outer(gradient[:, d], self.shift)
        slope[:, :d] *= self.scale
        return slope

    def smooth_curvature(self) -> np.ndarray:
        """The second derivatives of the smooth part of a quadratic penalty, shape (n_outputs, n_features)."""
        return np.asarray(penalty_curvature(self.problem) * self.scale**2)
