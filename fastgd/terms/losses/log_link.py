"""Losses for counts and amounts with a log link, mean(z) = e^z: negative log likelihoods without terms of y alone.

Values that exceed the largest double are infinite; no value is NaN.
"""

from __future__ import annotations

import math
import sys
from typing import Any, ClassVar

from ...compile.term import term
from ...errors import OptionError
from .loss_protocol import LOSSES

LARGEST = math.log(sys.float_info.max)
E709 = math.exp(709.0)


def exp(x: float) -> float:
    """e^x, and infinity where `math.exp` raises OverflowError outside a kernel."""
    return math.inf if x > LARGEST else math.exp(x)


def times_exp(a: float, x: float) -> float:
    """a e^x: 0 if a = 0 for every x, and finite if only e^x overflows."""
    if a == 0.0:
        return 0.0
    return a * E709 * exp(x - 709.0) if x > 709.0 else a * math.exp(x)


def difference_of_powers(a: float, b: float, power: float, z: float) -> float:
    """a e^((2 - power) z) - b e^((1 - power) z); if both terms are infinite, the larger one gives the sign."""
    first, second = times_exp(a, (2.0 - power) * z), times_exp(b, (1.0 - power) * z)
    if first == second and abs(first) == math.inf:
        return math.inf if times_exp(a, z) > b else -math.inf
    return first - second


@LOSSES.register("poisson")
@term
class Poisson:
    """e^z - y z for y >= 0: Poisson regression, the negative log likelihood without log y!.

    No curvature: the second derivative e^z has no bound.
    Source: Nelder and Wedderburn, Generalized linear models (1972).
    """

    convex: ClassVar[bool] = True

    def allows(self, y: Any) -> Any:
        return y >= 0

    def domain(self) -> str:
        return "0 or more"

    def constant(self, mean: float) -> float:
        return math.log(mean)

    def minimum(self, y: float) -> float:
        return y - y * math.log(y) if y > 0.0 else 0.0

    def value(self, y: float, z: float) -> float:
        return exp(z) - y * z

    def derivative(self, y: float, z: float) -> float:
        return exp(z) - y

    def second_derivative(self, y: float, z: float) -> float:
        return exp(z)

    def mean(self, z: float) -> float:
        return exp(z)


@LOSSES.register("gamma")
@term
class Gamma:
    """z + y e^(-z) for y > 0: half the gamma deviance without 1 + log y.

    No curvature: the second derivative y e^(-z) has no bound.
    Source: McCullagh and Nelder, Generalized linear models (1989), chapter 8.
    """

    convex: ClassVar[bool] = True

    def allows(self, y: Any) -> Any:
        return y > 0

    def domain(self) -> str:
        return "above 0"

    def constant(self, mean: float) -> float:
        return math.log(mean)

    def minimum(self, y: float) -> float:
        return 1.0 + math.log(y)

    def value(self, y: float, z: float) -> float:
        return z + times_exp(y, -z)

    def derivative(self, y: float, z: float) -> float:
        return 1.0 - times_exp(y, -z)

    def second_derivative(self, y: float, z: float) -> float:
        return times_exp(y, -z)

    def mean(self, z: float) -> float:
        return exp(z)


@LOSSES.register("tweedie")
@term
class Tweedie:
    """e^((2 - power) z) / (2 - power) - y e^((1 - power) z) / (1 - power): half the Tweedie deviance plus terms of y.

    power 0 is least squares of y and e^z, 1 `Poisson`, 2 `Gamma`, 3 the inverse Gaussian; between 1 and 2, y is the
    sum of a Poisson number of gamma amounts, often 0. Convex in z for 1 <= power <= 2. No curvature: the second
    derivative has no bound. Source: Jørgensen, Exponential dispersion models (1987).
    """

    power: float = 1.5

    def __post_init__(self) -> None:
        if not (self.power <= 0 or self.power >= 1) or math.isinf(self.power):
            raise OptionError(f"tweedie: power must be a finite number, 0 or less or 1 or more, not {self.power}")

    def allows(self, y: Any) -> Any:
        if self.power <= 0:
            return y == y
        return y >= 0 if self.power < 2 else y > 0

    def domain(self) -> str:
        if self.power <= 0:
            return "any number"
        return "0 or more" if self.power < 2 else "above 0"

    @property
    def convex(self) -> bool:
        return 1.0 <= self.power <= 2.0

    def constant(self, mean: float) -> float:
        return math.log(mean)

    def minimum(self, y: float) -> float:
        if self.power == 2.0:
            return 1.0 + math.log(y)
        if y == 0.0:
            return 0.0
        return self.value(y, math.log(y))

    def value(self, y: float, z: float) -> float:
        if self.power == 1.0:
            return exp(z) - y * z
        if self.power == 2.0:
            return z + times_exp(y, -z)
        return difference_of_powers(1.0 / (2.0 - self.power), y / (1.0 - self.power), self.power, z)

    def derivative(self, y: float, z: float) -> float:
        return difference_of_powers(1.0, y, self.power, z)

    def second_derivative(self, y: float, z: float) -> float:
        return difference_of_powers(2.0 - self.power, (1.0 - self.power) * y, self.power, z)

    def mean(self, z: float) -> float:
        return exp(z)
