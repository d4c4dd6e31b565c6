"""Constraints: penalties that are infinite outside a set; their prox projects onto the set, for every step size."""

from __future__ import annotations

import math
from typing import Any

from ...compile.term import term
from ...errors import OptionError
from .penalty_protocol import PENALTIES, check_strength, scale_within


@PENALTIES.register("box")
@term
class Box:
    """0 where lower <= w_j <= upper for all j, else infinity; prox: the nearest point of the box.

    Source: Rosen, The gradient projection method for nonlinear programming (1960); the prox is in
    Parikh and Boyd, Proximal algorithms (2014), section 6.2.4.
    """

    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        if not (self.lower <= self.upper and self.lower < math.inf and self.upper > -math.inf):
            raise OptionError(f"box: no number lies between lower={self.lower} and upper={self.upper}")

    def value(self, w: Any) -> float:
        for j in range(w.shape[0]):
            if not self.lower <= w[j] <= self.upper:
                return math.inf
        return 0.0

    def prox(self, v: Any, step: Any) -> None:
        for j in range(v.shape[0]):
            v[j] = min(max(v[j], self.lower), self.upper)

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        import numpy as np

        gradient = np.where((w > self.lower) & (w < self.upper), 0.0, np.nan)
        return gradient, np.zeros_like(w), np.full_like(w, self.lower), np.full_like(w, self.upper)

    def no_conjugate(self) -> str:
        bounded = -math.inf < self.lower and self.upper < math.inf
        return "" if bounded else "the box is not bounded on both sides"

    def fenchel_gap(self, w: Any, u: Any, factors: Any) -> float:
        return float(((self.lower - w) * u).clip((self.upper - w) * u).sum())

    def finite_conjugate(self) -> bool:
        return True

    def leaves_free(self, factors: Any) -> bool:
        return False


@PENALTIES.register("nonnegative")
@term
class NonNegative:
    """alpha sum_j w_j where w_j >= 0 for all j, else infinity; prox: max(v - step alpha, 0).

    alpha = 0 is the constraint alone, alpha > 0 the nonnegative lasso.

    Source: Lawson and Hanson, Solving least squares problems (1974), chapter 23; with alpha, Breiman,
    Better subset regression using the nonnegative garrote (1995).
    """

    alpha: float = 0.0

    def __post_init__(self) -> None:
        check_strength("nonnegative", "alpha", self.alpha)

    def value(self, w: Any) -> float:
        total = 0.0
        for j in range(w.shape[0]):
            if not w[j] >= 0.0:
                return math.inf
            total += self.alpha * w[j]
        return total

    def prox(self, v: Any, step: Any) -> None:
        for j in range(v.shape[0]):
            v[j] = max(v[j] - self.alpha * step[j], 0.0)

    def selects(self) -> bool:
        return self.alpha > 0.0

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        import numpy as np

        gradient = np.where(w > 0.0, self.alpha * factors, np.nan)
        return gradient, np.zeros_like(w), np.zeros_like(w), np.full_like(w, np.inf)

    def no_conjugate(self) -> str:
        return "" if self.alpha > 0 else "coefficients without an upper bound and without a penalty can grow for ever"

    def fenchel_gap(self, w: Any, u: Any, factors: Any) -> float:
        return float((w * (self.alpha * factors - u).clip(0.0)).sum())

    def dual_scale(self, u: Any, factors: Any) -> float:
        return scale_within(self.alpha * factors, u.clip(0.0))
