"""Losses: one class each, as scalar functions of the target y and the linear predictor z.

``value(y, z)`` and ``derivative(y, z)``, its derivative in z, are compiled into the kernels;
``mean(z)`` turns a linear predictor into a prediction of y. ``curvature()`` is the largest second
derivative in z, from which learning rates follow. Classification losses see y in {-1, +1} and set
``classifies``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, ClassVar

from .errors import OptionError
from .term import term
from .vocabulary import Vocabulary

STEP = 1e-6  # of the finite differences that a user's derivative is held to

LOSSES = Vocabulary("loss", {"value": ("y", "z"), "derivative": ("y", "z"), "mean": ("z",)})


def log1p_of_fraction(e: float) -> float:
    """log(1 + e) for e in [0, 1], as 2 atanh(s) with s = e / (2 + e), by its series; to 2e-16, relative.

    Twice as fast in a kernel as a call of log1p. Source: Abramowitz and Stegun (1964), 4.1.27.
    """
    s = e / (2.0 + e)
    q = s * s  # at most 1/9, so that the first term left out is below 1e-17
    tail = 1 / 23 + q * (1 / 25 + q * (1 / 27 + q * (1 / 29 + q * (1 / 31 + q / 33))))
    tail = 1 / 13 + q * (1 / 15 + q * (1 / 17 + q * (1 / 19 + q * (1 / 21 + q * tail))))
    tail = 1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * tail))))
    return 2.0 * s * (1.0 + q * tail)


def check_own_loss(loss: Any, targets: Iterable[float]) -> None:
    """Try a user's loss as plain Python on a few targets: its derivative has to be that of its value.

    Raises
    ------
    OptionError
        When a method fails, gives anything but a number, or the two contradict each other.
    """
    name = type(loss).__qualname__
    for y in targets:
        for z in (y - 1.7, -0.6, 0.3, y + 0.9):
            below, at, above = (_call(loss, name, "value", y, z + h) for h in (-STEP, 0.0, STEP))
            slope = _call(loss, name, "derivative", y, z)
            left, right = (at - below) / STEP, (above - at) / STEP
            margin = 1e-3 * (abs(left) + abs(right)) + 1e-6 * (1.0 + abs(at))
            if not min(left, right) - margin <= slope <= max(left, right) + margin:  # between the two at a kink
                told = f"derivative({y:g}, {z:g}) is {slope:g}, but value rises there by {(left + right) / 2:g}"
                raise OptionError(f"loss {name}: {told} for each unit of z; mend one of the two")


def _call(loss: Any, name: str, method: str, y: float, z: float) -> float:
    try:
        result = getattr(loss, method)(y, z)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise OptionError(f"loss {name}: {method}({y:g}, {z:g}) fails with {told}") from error
    if isinstance(result, bool) or not isinstance(result, Real) or not math.isfinite(result):
        raise OptionError(f"loss {name}: {method}({y:g}, {z:g}) gives {result!r}, not a finite number")
    return float(result)


@LOSSES.enter("squared")
@term
class Squared:
    """(z - y)^2, whose mean is the mean squared error. Source: Gauss, Theoria motus (1809)."""

    def value(self, y: float, z: float) -> float:
        return (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return 2.0 * (z - y)

    def mean(self, z: float) -> float:
        return z

    def curvature(self) -> float:
        return 2.0


@LOSSES.enter("half_squared")
@term
class HalfSquared:
    """(z - y)^2 / 2, which scikit-learn calls squared_error. Source: Gauss, Theoria motus (1809)."""

    def value(self, y: float, z: float) -> float:
        return 0.5 * (z - y) * (z - y)

    def derivative(self, y: float, z: float) -> float:
        return z - y

    def mean(self, z: float) -> float:
        return z

    def curvature(self) -> float:
        return 1.0


@LOSSES.enter("huber")
@term
class Huber:
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with r = z - y.

    Source: Huber, Robust estimation of a location parameter (1964), equation 2.8. The default
    delta = 1.35 keeps 95 % efficiency for a normal error of unit variance.
    """

    delta: float = 1.35

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise OptionError(f"huber: delta must be above 0, not {self.delta}")

    def value(self, y: float, z: float) -> float:
        r = abs(z - y)
        return 0.5 * r * r if r <= self.delta else self.delta * (r - 0.5 * self.delta)

    def derivative(self, y: float, z: float) -> float:
        return min(max(z - y, -self.delta), self.delta)

    def mean(self, z: float) -> float:
        return z

    def curvature(self) -> float:
        return 1.0


@LOSSES.enter("logistic")
@term
class Logistic:
    """log(1 + exp(-y z)) for y in {-1, +1}: the negative log likelihood of logistic regression.

    Source: Cox, The regression analysis of binary sequences (1958). Written with exp(-|y z|), which
    cannot overflow (Maechler, Accurately computing log(1 - exp(-|a|)), 2012).
    """

    classifies: ClassVar[bool] = True

    def value(self, y: float, z: float) -> float:
        margin = y * z
        return max(-margin, 0.0) + log1p_of_fraction(math.exp(-abs(margin)))

    def derivative(self, y: float, z: float) -> float:
        margin = y * z
        e = math.exp(-abs(margin))
        return -y * (e if margin > 0.0 else 1.0) / (1.0 + e)

    def mean(self, z: float) -> float:
        e = math.exp(-abs(z))
        return (1.0 if z > 0.0 else e) / (1.0 + e)

    def curvature(self) -> float:
        return 0.25
