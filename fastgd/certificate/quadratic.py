"""Least squares know their distance from the optimum: F is a quadratic, whose minimum follows from one gradient."""

from __future__ import annotations

import numpy as np

from ..objective.gram import gram
from ..objective.problem import Problem
from ..terms.losses import is_squared
from ..terms.penalties import ElasticNet
from .dual_point import predictor, product, rounding, slopes_by_intercept

# Columns count as dependent on each other where some combination of them, scaled to unit length, is this small.
DEPENDENT = 1e-13


def is_quadratic(problem: Problem) -> bool:
    """Whether F is a quadratic of the weights."""
    penalty = problem.penalty
    return is_squared(problem.loss) and isinstance(penalty, ElasticNet) and penalty.l1 == 0


class Quadratic:
    """F - F* = g' H^+ g / 2 for the gradient g at any weights and the Hessian H = c X'SX / n + l2 T.

    g lies in the range of H, whatever its rank is. Columns are centred where there is an intercept, whose part is then
    g_b^2 / (2 c), and scaled to unit length; c is the second derivative of the loss.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        weight = problem.targets.weight
        self.weight = weight if len(weight) else np.ones(problem.n_samples)
        means = product(problem, self.weight)
        self.means = means if problem.fit_intercept else np.zeros_like(means)
        self.gram = gram(problem.X, self.weight[:, None] / problem.n_samples, self.means, intercept=False)[0]
        squares = np.diag(self.gram) + self.means**2
        # A column that is constant up to rounding has no spread.
        constant = np.diag(self.gram) <= 1e-24 * squares
        self.gram[constant], self.gram[:, constant] = 0.0, 0.0
        self.lengths = np.sqrt(squares)
        self._eigen: dict[float, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def gap(self, k: int, params: np.ndarray) -> tuple[float, float]:
        """F of output k and how far it is above its least; the latter is NaN where rounding hides it."""
        problem, d = self.problem, self.problem.n_features
        w, b = params[:d], float(params[d]) if problem.fit_intercept else 0.0
        here = slopes_by_intercept(problem, k, predictor(problem, w, problem.targets.offset))(
            b, np.empty(problem.n_samples)
        )
        slope = here.mean if problem.fit_intercept else 0.0
        slopes = here.rows - slope * self.weight
        size = rounding(problem) * float(np.linalg.norm(slopes)) / np.sqrt(problem.n_samples)
        penalty = 0.5 * problem.penalty.l2 * float(problem.penalty_factors(k) @ w**2)
        return here.loss + penalty, self._distance(k, w, product(problem, slopes), slope, size)

    def estimate(self, k: int, params: np.ndarray, gradient: np.ndarray) -> float:
        """The gap from the gradient of the mean loss, as good as that is."""
        d = self.problem.n_features
        slope = float(gradient[d]) if self.problem.fit_intercept else 0.0
        return self._distance(k, params[:d], gradient[:d] - slope * self.means, slope, 0.0)

    def _distance(self, k: int, w: np.ndarray, gradient: np.ndarray, slope: float, noise: float) -> float:
        """g' H^+ g / 2, where ``noise`` times the length of a column is what g may be off by."""
        lengths, values, vectors = self._spectrum(k)
        whole = gradient + self.problem.penalty.l2 * self.problem.penalty_factors(k) * w
        along = np.abs(vectors.T @ (whole / lengths))
        blur = noise * (np.abs(vectors.T) @ (self.lengths / lengths))
        known = values > DEPENDENT * len(w)
        if noise > 0.0 and (along[~known] > blur[~known]).any():
            return np.nan
        of_intercept = slope * slope / (2.0 * self.problem.loss.curvature())  # ** raises where a model has diverged
        return float(np.sum((along + blur)[known] ** 2 / (2.0 * values[known])) + of_intercept)

    def _spectrum(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lengths that scale the Hessian of output k, and the eigenvalues and eigenvectors of it scaled."""
        problem, strength = self.problem, float(self.problem.strength[k])
        if strength not in self._eigen:
            hessian = problem.loss.curvature() * self.gram
            hessian[np.diag_indices_from(hessian)] += problem.penalty.l2 * problem.penalty_factors(k)
            lengths = np.sqrt(np.diag(hessian))
            lengths[lengths == 0.0] = 1.0
            self._eigen[strength] = (lengths, *np.linalg.eigh(hessian / np.outer(lengths, lengths)))
        return self._eigen[strength]
