"""Losses of the residual z - y, for real targets."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...compile.term import term
from ...errors import OptionError
from .loss_protocol import LOSSES


@LOSSES.register("squared", "mse", "least_squares")
@term
class Squared:
    """(z - y)^2, whose mean is the mean squared error. Source: Gauss, Theoria motus (1809)."""

    convex: ClassVar[bool] = True

    def constant(self, mean: float) -> float:
        return mean

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        return (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return 2.0 * (z - y)

    def second_derivative(self, y: float, z: float) -> float:
        return 2.0

    def curvature(self) -> float:
        return 2.0


@LOSSES.register("half_squared", "squared_error")
@term
class HalfSquared:
    """(z - y)^2 / 2, which scikit-learn calls squared_error. Source: Gauss, Theoria motus (1809)."""

    convex: ClassVar[bool] = True

    def constant(self, mean: float) -> float:
        return mean

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        return 0.5 * (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return z - y

    def second_derivative(self, y: float, z: float) -> float:
        return 1.0

    def curvature(self) -> float:
        return 1.0


def is_squared(loss: object) -> bool:
    """Whether the loss is quadratic in z, with the same second derivative everywhere."""
    return isinstance(loss, (Squared, HalfSquared))


@LOSSES.register("huber")
@term
class Huber:
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with r = z - y.

    Source: Huber, Robust estimation of a location parameter (1964), equation 2.8. The default
    delta = 1.35 keeps 95 % efficiency for a normal error of unit variance.
    """

    convex: ClassVar[bool] = True
    delta: float = 1.35

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise OptionError(f"huber: delta must be above 0, not {self.delta}")

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        r = abs(z - y)
        return 0.5 * r * r if r <= self.delta else self.delta * (r - 0.5 * self.delta)

    def derivative(self, y: float, z: float) -> float:
        return min(max(z - y, -self.delta), self.delta)

    def second_derivative(self, y: float, z: float) -> float:
        return 1.0 if abs(z - y) <= self.delta else 0.0

    def curvature(self) -> float:
        return 1.0


@LOSSES.register("absolute", "mae", "absolute_error", "least_absolute")
@term
class Absolute:
    """|z - y|, whose best constant is the median of y; derivative at the kink: -1.

    No curvature, because of the kink. Source: Laplace, Mémoire sur la probabilité des causes (1774).
    """

    kinked: ClassVar[bool] = True
    convex: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        import numpy as np  # not above, so that help texts do without it

        return y, np.full_like(y, -1.0), np.full_like(y, 1.0)

    def value(self, y: float, z: float) -> float:
        return abs(z - y)

    def derivative(self, y: float, z: float) -> float:
        return 1.0 if z > y else -1.0


@LOSSES.register("quantile", "pinball")
@term
class Quantile:
    """quantile (y - z) where z <= y, else (1 - quantile) (z - y): the pinball loss; derivative at the kink: -quantile.

    Its best constant is this quantile of y, for 0.5 the median. No curvature, because of the kink.
    Source: Koenker and Bassett, Regression quantiles (1978).
    """

    kinked: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    quantile: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise OptionError(f"quantile: quantile must lie between 0 and 1, not at {self.quantile}")

    def minimum(self, y: float) -> float:
        return 0.0

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        import numpy as np  # not above, so that help texts do without it

        return y, np.full_like(y, -self.quantile), np.full_like(y, 1.0 - self.quantile)

    def value(self, y: float, z: float) -> float:
        return self.quantile * (y - z) if z <= y else (1.0 - self.quantile) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return -self.quantile if z <= y else 1.0 - self.quantile


def _check_epsilon(loss: str, epsilon: float) -> None:
    if not 0 <= epsilon < float("inf"):
        raise OptionError(f"{loss}: epsilon must be a finite number, 0 or more, not {epsilon}")


@LOSSES.register("epsilon_insensitive")
@term
class EpsilonInsensitive:
    """max(0, |z - y| - epsilon): the loss of support vector regression; derivative at the kinks: 0.

    No curvature, because of the kinks. Source: Vapnik, The nature of statistical learning theory (1995).
    """

    kinked: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        _check_epsilon("epsilon_insensitive", self.epsilon)

    def minimum(self, y: float) -> float:
        return 0.0

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        import numpy as np  # not above, so that help texts do without it

        zero, one = np.zeros_like(y), np.ones_like(y)
        return np.stack([y + self.epsilon, y - self.epsilon]), np.stack([zero, -one]), np.stack([one, zero])

    def value(self, y: float, z: float) -> float:
        return max(abs(z - y) - self.epsilon, 0.0)

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        return math.copysign(1.0, r) if abs(r) > self.epsilon else 0.0


@LOSSES.register("squared_epsilon_insensitive")
@term
class SquaredEpsilonInsensitive:
    """max(0, |z - y| - epsilon)^2. Source: Ho and Lin, Large-scale linear support vector regression (2012)."""

    convex: ClassVar[bool] = True
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        _check_epsilon("squared_epsilon_insensitive", self.epsilon)

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        beyond = max(abs(z - y) - self.epsilon, 0.0)
        return beyond * beyond

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        return 2.0 * (r - min(max(r, -self.epsilon), self.epsilon))

    def second_derivative(self, y: float, z: float) -> float:
        return 2.0 if abs(z - y) > self.epsilon else 0.0

    def curvature(self) -> float:
        return 2.0
