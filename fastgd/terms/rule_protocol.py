"""The protocol of update rules: how a gradient moves a parameter, and the registry of rules."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

from .registry import Registry, cached_by_value, read_traits

Step = tuple[float, float, float, float, float]
Settled = tuple[float, float, float, float]


class Rule(Protocol):
    """The update of one parameter; kernels loop over them. A rule must define ``step``; the other members are optional.

    ``m``, ``v`` and ``s`` are the rule's state for this parameter, all 0 at the start; ``lr`` is the learning rate and
    ``t`` the number of the update, 1 for the first.
    """

    adaptive: ClassVar[bool] = False  # the prox has a step size of its own for each parameter
    decouples: ClassVar[bool] = False  # the smooth part of the penalty is not in g: w moves by -lr times its derivative
    default_rate: ClassVar[float | None] = None  # the learning rate of "auto"; None: a rate from the data
    model_under_prox: ClassVar[bool] = False  # ``model`` differs from w only for penalties with a prox

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        """``move, reach, m, v, s``: the parameter becomes w + move, then the prox acts with step size ``reach``.

        g is the gradient, with the smooth part of the penalty. A constant gradient must move the parameter by
        -reach g, so that the prox undoes the move at the optimum.
        """
        ...

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        """``w, m, v, s`` after the prox, which moved the parameter by ``change`` (exactly 0 where it did nothing).

        Momentum needs it: its state must hold the displacement after the prox, or the parameters converge to a point
        other than the optimum.
        """
        return w, m, v, s

    def model(self, w: float, m: float, v: float, s: float) -> float:
        """The parameter to report, where it is not w, the point at which gradients are taken."""
        return w

    def damping(self) -> float:
        """The learning rate that suits noisy gradients, relative to that of `SGD`."""
        return 1.0

    def stable_limit(self) -> float:
        """The largest stable learning rate times L, for a quadratic with largest curvature L."""
        return 2.0


RULES = Registry("rule", Rule, required=("step",), supplied=("settle",))


class RuleTraits(NamedTuple):
    """The optional members of a rule; see `Rule`."""

    adaptive: bool
    decouples: bool
    default_rate: float | None
    damping: float
    stable_limit: float
    has_model: bool
    model_under_prox: bool


@cached_by_value
def rule_traits(rule: Any) -> RuleTraits:
    """The optional members of a rule, with the defaults of `Rule`."""
    return read_traits(rule, Rule, RuleTraits)
