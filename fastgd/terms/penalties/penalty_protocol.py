"""The protocol of penalties: the members that a penalty must have, those that it may have, and their registry."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple, Protocol

from ...errors import OptionError
from ..registry import Members, Registry, cached_by_value


class Penalty(Protocol):
    """A function of the coefficients w: a smooth part with a ``derivative``, plus a part that acts through a ``prox``.

    A penalty must define ``value`` and ``prox``; the other members are optional. The second part may have kinks, jumps
    or infinite values.
    """

    convex: ClassVar[bool] = True
    separable: ClassVar[bool] = True  # a sum of functions of one coefficient each

    def value(self, w: Any) -> float:
        """The whole penalty at the coefficients w, an array."""
        ...

    def derivative(self, w_j: float) -> float:
        """The derivative of the smooth part at one coefficient; it joins the gradient before the update rule."""
        return 0.0

    def prox(self, v: Any, step: Any) -> None:
        """argmin_x sum_j (x_j - v_j)^2 / (2 step_j) + second part of the penalty at x, written into the array v.

        ``step`` has a step size for each coefficient, as adaptive rules do. The minimum must be global for every step;
        of several minimisers, any will do. A step of 0 moves v to the nearest point where the penalty is finite.
        """
        ...

    def smooth(self) -> bool:
        """Whether the second part is zero, so that ``prox`` does nothing."""
        return False

    def check(self, n_features: int) -> None:
        """Raise an `OptionError` where the penalty does not fit data with so many features."""


PENALTIES = Registry("penalty", Penalty, required=("value", "prox"), supplied=("derivative",))


class PenaltyTraits(NamedTuple):
    """The optional members of a penalty; see `Penalty`."""

    smooth: bool
    convex: bool
    separable: bool


@cached_by_value
def penalty_traits(penalty: Any) -> PenaltyTraits:
    """The optional members of a penalty, with the defaults of `Penalty`."""
    members = Members(penalty, Penalty)
    return PenaltyTraits(
        smooth=bool(members.get("smooth")()),
        convex=bool(members.get("convex")),
        separable=bool(members.get("separable")),
    )


def check_features(penalty: Any, n_features: int) -> None:
    """Raise an `OptionError` where the penalty does not fit data with so many features; see `Penalty.check`."""
    Members(penalty, Penalty).get("check")(n_features)


def check_strength(penalty: str, name: str, value: float) -> None:
    """Raise an `OptionError` unless the value is finite and not negative."""
    if not 0 <= value < math.inf:
        raise OptionError(f"{penalty}: {name} must be a finite number, 0 or more, not {value}")


def is_smooth(penalty: Any) -> bool:
    """Whether the penalty has no part that acts through its prox."""
    return penalty_traits(penalty).smooth
