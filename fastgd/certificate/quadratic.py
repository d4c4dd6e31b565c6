"""The exact gap of least squares: F is a quadratic, so one gradient gives F - F*."""

from __future__ import annotations

import numpy as np

from ..objective.gram import gram
from ..objective.objective import Objective
from ..terms.losses import is_squared
from ..terms.penalties import ElasticNet
from .dual_point import derivatives_by_intercept, predictor, product, rounding

# Maximum eigenvalue, per parameter, that counts as zero: columns of unit length are then linearly dependent.
MAX_ZERO_EIGENVALUE = 1e-13


def is_quadratic(objective: Objective) -> bool:
    """Whether F is a quadratic function of the parameters."""
    penalty = objective.penalty
    return is_squared(objective.loss) and isinstance(penalty, ElasticNet) and penalty.l1 == 0


class Quadratic:
    """F - F* = g' H^+ g / 2 for the gradient g at any parameters and the Hessian H = c X'SX / n + l2 T.

    g lies in the range of H, whatever its rank. Columns are centred where there is an intercept, which then adds
    g_b^2 / (2 c), and scaled to unit length; c is the second derivative of the loss.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        weight = objective.targets.weight
        self.weight = weight if len(weight) else np.ones(objective.n_samples)
        means = product(objective, self.weight)
        self.means = means if objective.fit_intercept else np.zeros_like(means)
        objective.count_pass()
        self.gram = gram(objective.X, self.weight[:, None] / objective.n_samples, self.means, intercept=False)[0]
        squares = np.diag(self.gram) + self.means**2
        self.is_known = bool(np.isfinite(self.gram).all())
        # Columns that are constant up to rounding.
        constant = np.diag(self.gram) <= 1e-24 * squares
        self.gram[constant], self.gram[:, constant] = 0.0, 0.0
        self.lengths = np.sqrt(squares)
        self._eigen: dict[float, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def gap(self, k: int, params: np.ndarray) -> tuple[float, float]:
        """F of output k, and F - F*, which is NaN where rounding hides it."""
        objective, d = self.objective, self.objective.n_features
        w, b = params[:d], float(params[d]) if objective.fit_intercept else 0.0
        z = predictor(objective, w, objective.targets.offset)
        here = derivatives_by_intercept(objective, k, z)(b, np.empty(objective.n_samples))
        mean_derivative = here.mean if objective.fit_intercept else 0.0
        derivatives = here.rows - mean_derivative * self.weight
        size = rounding(objective) * float(np.linalg.norm(derivatives)) / np.sqrt(objective.n_samples)
        penalty = 0.5 * objective.penalty.l2 * float(objective.penalty_factors(k) @ w**2)
        return here.loss + penalty, self._distance(k, w, product(objective, derivatives), mean_derivative, size)

    def estimate(self, k: int, params: np.ndarray, gradient: np.ndarray) -> float:
        """The gap from the gradient of the mean loss, to the precision of that gradient."""
        d = self.objective.n_features
        mean_derivative = float(gradient[d]) if self.objective.fit_intercept else 0.0
        return self._distance(k, params[:d], gradient[:d] - mean_derivative * self.means, mean_derivative, 0.0)

    def _distance(self, k: int, w: np.ndarray, gradient: np.ndarray, mean_derivative: float, noise: float) -> float:
        """g' H^+ g / 2; ``noise`` times the length of a column bounds the error of g."""
        if not self.is_known:
            return np.nan
        lengths, values, vectors = self._spectrum(k)
        whole = gradient + self.objective.penalty.l2 * self.objective.penalty_factors(k) * w
        along = np.abs(vectors.T @ (whole / lengths))
        error = noise * (np.abs(vectors.T) @ (self.lengths / lengths))
        known = values > MAX_ZERO_EIGENVALUE * len(w)
        if noise > 0.0 and (along[~known] > error[~known]).any():
            return np.nan
        # A product, since ** raises an OverflowError where a model has diverged.
        of_intercept = mean_derivative * mean_derivative / (2.0 * self.objective.loss.curvature())
        return float(np.sum((along + error)[known] ** 2 / (2.0 * values[known])) + of_intercept)

    def _spectrum(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lengths that scale the Hessian of output k, and eigenvalues and eigenvectors of the scaled Hessian."""
        objective, strength = self.objective, float(self.objective.strength[k])
        if strength not in self._eigen:
            hessian = objective.loss.curvature() * self.gram
            hessian[np.diag_indices_from(hessian)] += objective.penalty.l2 * objective.penalty_factors(k)
            lengths = np.sqrt(np.diag(hessian))
            lengths[lengths == 0.0] = 1.0
            self._eigen[strength] = (lengths, *np.linalg.eigh(hessian / np.outer(lengths, lengths)))
        return self._eigen[strength]
