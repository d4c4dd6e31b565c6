"""The penalty of the names none, l2, l1 and elasticnet: one class, so that kernels are compiled only once."""

from __future__ import annotations

from typing import Any

from ...compile.term import term
from .penalty_protocol import PENALTIES, check_strength, scale_within, side_of_zero


@PENALTIES.register("elasticnet", "elastic_net")
@term
class ElasticNet:
    """l1 |w|_1 + l2 / 2 |w|_2^2; prox: soft thresholding by step * l1.

    Source: Zou and Hastie, Regularization and variable selection via the elastic net (2005); the prox
    is in Parikh and Boyd, Proximal algorithms (2014), section 6.5.2.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        check_strength("elasticnet", "l1", self.l1)
        check_strength("elasticnet", "l2", self.l2)

    def value(self, w: Any) -> float:
        total = 0.0
        for j in range(w.shape[0]):
            total += self.l1 * abs(w[j]) + 0.5 * self.l2 * w[j] * w[j]
        return total

    def derivative(self, w_j: float) -> float:
        return self.l2 * w_j

    def smooth(self) -> bool:
        return self.l1 == 0.0

    def selects(self) -> bool:
        return self.l1 > 0.0

    def prox(self, v: Any, step: Any) -> None:
        if self.l1 > 0.0:
            for j in range(v.shape[0]):
                threshold = self.l1 * step[j]
                v[j] -= min(max(v[j], -threshold), threshold)

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        return side_of_zero(w, self.l1 * factors)

    def fenchel_gap(self, w: Any, u: Any, factors: Any) -> float:
        import numpy as np

        l1, l2 = self.l1 * factors, self.l2 * factors
        within = np.clip(u, -l1, l1)
        # u is the gradient of the penalty at (u - within) / l2.
        beyond = (u - within - l2 * w) ** 2 / (2.0 * l2) if self.l2 > 0 else 0.0
        return float(np.sum(beyond + np.abs(w) * (l1 - within * np.sign(w))))

    def dual_scale(self, u: Any, factors: Any) -> float:
        return 1.0 if self.l2 > 0 else scale_within(self.l1 * factors, abs(u))

    def finite_conjugate(self) -> bool:
        return self.l2 > 0

    def leaves_free(self, factors: Any) -> bool:
        return self.l1 + self.l2 == 0 or not (factors > 0).all()
