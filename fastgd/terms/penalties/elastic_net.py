"""The penalty behind none, l2, l1 and elasticnet: one class, so that kernels are compiled once for all four."""

from __future__ import annotations

from typing import Any

from ...compile.term import term
from .penalty_protocol import PENALTIES, check_strength


@PENALTIES.enter("elasticnet")
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

    def prox(self, v: Any, step: Any) -> None:
        if self.l1 > 0.0:
            for j in range(v.shape[0]):
                threshold = self.l1 * step[j]
                v[j] -= min(max(v[j], -threshold), threshold)
