"""The protocol of penalties: the members that a penalty must have, those that it may have, and their registry."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple, Protocol

from ...errors import OptionError
from ..registry import Members, Registry, cached_by_value, read_traits


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

    def selects(self) -> bool:
        """Whether coefficients near 0 become exactly 0, so that a model uses few of many columns."""
        return False

    # Coordinate descent moves a block at a time: one coefficient, or a group of them.

    def block_numbers(self) -> Any:
        """The number of each feature's block; None where the penalty is separable, or not a sum over blocks."""
        return None

    def block_prox(self, v: Any, step: Any) -> None:
        """``prox`` for the coefficients of one block alone; a penalty that is not separable must define it."""
        self.prox(v, step)

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        """The second part near w, where it is smooth: gradient, second derivatives, and ends (low, high) of that piece.

        By NumPy, an array each, times ``factors``. The gradient is NaN for coefficients at a kink, which do not move.
        With this member, coordinate descent ends in Newton steps on the other coefficients.
        """
        ...

    def check(self, n_features: int) -> None:
        """Raise an `OptionError` where the penalty does not fit data with ``n_features`` features."""

    # Duality gaps use the convex conjugate R*(u) = sup_w w.u - R(w) of the penalty R, by NumPy. The array ``factors``
    # multiplies the penalty of each coefficient. A penalty that defines ``fenchel_gap`` has a gap.

    def no_conjugate(self) -> str:
        """Why R* is infinite for nearly every u and all factors; empty if it is not."""
        return ""

    def fenchel_gap(self, w: Any, u: Any, factors: Any) -> float:
        """R(w) + R*(u) - w.u >= 0, which is 0 exactly where u is a subgradient of R at w; R*(u) is finite.

        It should be a sum of terms of one sign, which keeps its digits near 0. Source: Rockafellar, Convex analysis
        (1970), theorem 23.5.
        """
        ...

    def dual_scale(self, u: Any, factors: Any) -> float:
        """The largest c <= 1 for which R*(c u) is finite."""
        return 1.0

    def finite_conjugate(self) -> bool:
        """Whether R*(u) is finite for every u, where all factors are positive."""
        return False

    def leaves_free(self, factors: Any) -> bool:
        """Whether some coefficient has no penalty, so that R*(u) is infinite unless u_j = 0."""
        return not (factors > 0).all()


PENALTIES = Registry(
    "penalty", Penalty, required=("value", "prox"), supplied=("derivative", "block_prox", "dual_scale", "leaves_free")
)


class PenaltyTraits(NamedTuple):
    """The optional members of a penalty; see `Penalty`."""

    smooth: bool
    convex: bool
    separable: bool
    block_numbers: Any
    selects: bool
    has_smooth_piece: bool
    no_conjugate: str  # why there is no usable conjugate; empty where there is one
    finite_conjugate: bool


@cached_by_value
def penalty_traits(penalty: Any) -> PenaltyTraits:
    """The optional members of a penalty, with the defaults of `Penalty`."""
    members = Members(penalty, Penalty)
    if not members.get("convex"):
        return read_traits(penalty, Penalty, PenaltyTraits, no_conjugate="the penalty is not convex")
    if not members.has("fenchel_gap"):
        reason = "the penalty has no method fenchel_gap(w, u, factors), which states its conjugate"
        return read_traits(penalty, Penalty, PenaltyTraits, no_conjugate=reason)
    return read_traits(penalty, Penalty, PenaltyTraits)


def check_features(penalty: Any, n_features: int) -> None:
    """Raise an `OptionError` where the penalty does not fit the number of features; see `Penalty.check`."""
    Members(penalty, Penalty).get("check")(n_features)


def scale_within(limits: Any, sizes: Any) -> float:
    """The largest c <= 1 for which c times each size is at most its limit."""
    largest = float((sizes / limits).max())
    return 1.0 if largest <= 1.0 else 1.0 / largest


def side_of_zero(w: Any, slope: Any) -> tuple[Any, Any, Any, Any]:
    """`Penalty.smooth_piece` of sum_j slope_j |w_j|: one side of zero, or the whole line where the slope is 0."""
    import numpy as np

    line = slope == 0.0
    gradient = np.where((w != 0.0) | line, slope * np.sign(w), np.nan)
    low, high = np.where((w > 0.0) & ~line, 0.0, -np.inf), np.where((w < 0.0) & ~line, 0.0, np.inf)
    return gradient, np.zeros_like(w), low, high


def check_strength(penalty: str, name: str, value: float) -> None:
    """Raise an `OptionError` unless the value is finite and not negative."""
    if not 0 <= value < math.inf:
        raise OptionError(f"{penalty}: {name} must be a finite number, 0 or more, not {value}")


def is_smooth(penalty: Any) -> bool:
    """Whether the penalty has no part that acts through its prox."""
    return penalty_traits(penalty).smooth
