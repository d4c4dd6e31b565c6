"""What is left to gain, F - F*, from the derivatives of the losses and their products with all columns.

A bound where the penalty has a conjugate (Fenchel's duality gap, see `dual_point`), else an estimate: the sum of what
each coefficient would gain by itself in a quadratic model.
"""

from __future__ import annotations

import numpy as np

from ..kernels.dual_sums import mean_minimum
from ..objective.objective import Objective
from ..objective.penalty_terms import penalty_gradient, prox_of, value_of
from ..terms.losses import loss_traits
from .certificate import why_no_bound


class RemainingGain:
    """F - F* of single outputs of one objective."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.is_bound = not any(why_no_bound(objective, k, False) for k in range(objective.n_outputs))
        self._floors: dict[int, float] = {}

    def bound(self, k: int, w: np.ndarray, products: np.ndarray, loss: float, level: float) -> float:
        """The duality gap of output k: ``products`` of a dual point of this ``level`` with all columns."""
        penalty, factors = self.objective.penalty, self.objective.penalty_factors(k)
        c = float(penalty.dual_scale(-products, factors)) if np.isfinite(level) else 0.0
        above_floor = (1.0 - c) * (level - self._floor(k)) if c > 0.0 else loss - self._floor(k)
        mixing = loss - level if c > 0.0 else 0.0
        return max(mixing, 0.0) + above_floor + float(penalty.fenchel_gap(w, -c * products, factors))

    def estimate(self, k: int, w: np.ndarray, products: np.ndarray, curvatures: np.ndarray) -> float:
        """The gain of a step of the prox in each coefficient; ``curvatures`` are the second derivatives of the loss."""
        objective = self.objective
        penalty, factors = objective.penalty, objective.penalty_factors(k)
        length = curvatures + float(penalty.derivative(1.0)) * factors
        length[length <= 0.0] = np.inf
        gradient = products + penalty_gradient(penalty, w, factors)
        moved = w - gradient / length
        prox_of(penalty, moved, factors / length)
        by, weights = moved - w, objective.penalty_weights
        before, after = (value_of(penalty, at, float(objective.strength[k]), weights) for at in (w, moved))
        return max(-float(products @ by + 0.5 * (curvatures * by) @ by) - (after - before), 0.0)

    def _floor(self, k: int) -> float:
        """The mean of the minima of the losses; -infinity where the loss does not give them."""
        if not loss_traits(self.objective.loss).has_minimum:
            return -np.inf
        if k not in self._floors:
            target, weight = self.objective.output_target(k), self.objective.targets.weight
            self._floors[k] = float(mean_minimum(target, weight, self.objective.loss))
        return self._floors[k]
