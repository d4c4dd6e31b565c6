"""Penalties: what a model pays for large weights; the intercept pays nothing.

A penalty is a smooth part, whose ``derivative`` joins the gradient before the update rule, plus a
part that may have kinks, which acts through its ``prox``:

    prox(v, step) = argmin_x  sum_j (x_j - v_j)^2 / (2 step_j) + kinked part of x,    written into v

``step`` holds a step size for each weight, since adaptive rules have one for each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from numbers import Real
from typing import Any

from .errors import OptionError
from .term import term
from .vocabulary import Vocabulary, nearest

PENALTIES = Vocabulary("penalty", {"value": ("w",), "derivative": ("w_j",), "prox": ("v", "step")})


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
        for name, strength in (("l1", self.l1), ("l2", self.l2)):
            if not 0 <= strength < float("inf"):
                raise OptionError(f"elasticnet: {name} must be a finite number, 0 or more, not {strength}")

    def value(self, w: Any) -> float:
        total = 0.0
        for j in range(w.shape[0]):
            total += self.l1 * abs(w[j]) + 0.5 * self.l2 * w[j] * w[j]
        return total

    def derivative(self, w_j: float) -> float:
        return self.l2 * w_j

    def prox(self, v: Any, step: Any) -> None:
        if self.l1 > 0.0:
            for j in range(v.shape[0]):
                threshold = self.l1 * step[j]
                v[j] -= min(max(v[j], -threshold), threshold)


# The names a user gives with alpha and l1_ratio. One class serves all four, so that kernels are
# compiled once for them.
NAMED: dict[str, Callable[[float, float], ElasticNet]] = {
    "none": lambda _alpha, _l1_ratio: ElasticNet(),
    "l2": lambda alpha, _l1_ratio: ElasticNet(l2=alpha),
    "l1": lambda alpha, _l1_ratio: ElasticNet(l1=alpha),
    "elasticnet": lambda alpha, l1_ratio: ElasticNet(l1=alpha * l1_ratio, l2=alpha * (1.0 - l1_ratio)),
}


def describe_penalty(penalty: Any) -> str:
    """A penalty by the name and the strengths that a user knows it by."""
    if not isinstance(penalty, ElasticNet):
        return PENALTIES.describe(penalty)
    if penalty.l1 == 0 and penalty.l2 == 0:
        return "none"
    if penalty.l1 == 0 or penalty.l2 == 0:
        return f"l1 {penalty.l1:g}" if penalty.l1 else f"l2 {penalty.l2:g}"
    return f"elasticnet (l1 {penalty.l1:g}, l2 {penalty.l2:g})"


def resolve_penalty(penalty: Any, alpha: Any, l1_ratio: Any) -> Any:
    """The penalty term for ``penalty`` (None, a name or a term), ``alpha`` and ``l1_ratio``.

    None with alpha > 0 means l2; ``l1_ratio`` defaults to 0.15.

    Raises
    ------
    OptionError
        For an unknown name, a strength that is negative or not finite, a strength beside a term
        that carries its own, or an ``l1_ratio`` outside elasticnet.
    """
    if not _is_number_up_to(sys.float_info.max, alpha):
        raise OptionError(f"alpha must be a finite number, 0 or more, not {alpha}")
    alpha = float(alpha)
    if l1_ratio is not None and penalty != "elasticnet":
        raise OptionError("l1_ratio goes with penalty='elasticnet' only")
    if l1_ratio is not None and not _is_number_up_to(1.0, l1_ratio):
        raise OptionError(f"l1_ratio lies between 0 and 1, not {l1_ratio}")
    if penalty is None:
        penalty = "l2" if alpha > 0 else "none"
    if not isinstance(penalty, str):
        if alpha != 0:
            raise OptionError("the penalty term carries its own strength: leave alpha out")
        return PENALTIES.resolve(penalty)
    if penalty not in NAMED:
        raise OptionError(f"unknown penalty {penalty!r}{nearest(penalty, NAMED)} (known: {', '.join(NAMED)})")
    if penalty == "none" and alpha != 0:
        raise OptionError(f"penalty='none' with alpha={alpha} contradict each other: leave one out")
    return NAMED[penalty](alpha, 0.15 if l1_ratio is None else l1_ratio)


def _is_number_up_to(most: float, value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and 0.0 <= float(value) <= most
