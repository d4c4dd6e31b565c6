"""Directions in which F falls without end, so that no optimum exists.

Source: Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models (1984).
"""

from __future__ import annotations

from typing import Any

from ..terms.losses import loss_traits
from ..terms.penalties import ElasticNet
from .objective import Objective

# A convex F falls without end in a direction if it is lower after a move that changes a linear predictor by this.
FAR = 1e4
# A loss that falls from the first of these margins to the second falls at any margin.
MARGINS = 50.0, 100.0


def is_unpenalised(objective: Objective) -> bool:
    """Whether the penalty is zero everywhere."""
    penalty = objective.penalty
    return isinstance(penalty, ElasticNet) and penalty.l1 == 0 and penalty.l2 == 0


def falls_forever(loss: Any) -> bool:
    """Whether the loss can fall without end: with two classes, at any margin."""
    traits = loss_traits(loss)
    return not traits.classifies or traits.joint or bool(loss.value(1.0, MARGINS[0]) > loss.value(1.0, MARGINS[1]))


def may_have_no_optimum(objective: Objective) -> bool:
    """Whether F may fall without end: without a penalty, and with a loss that has no minimum."""
    return is_unpenalised(objective) and falls_forever(objective.loss)
