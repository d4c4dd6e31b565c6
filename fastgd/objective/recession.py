"""Directions in which F falls without end, so that no optimum exists.

Source: Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models (1984).
"""

from __future__ import annotations

import numpy as np

from ..terms.losses import loss_traits
from ..terms.penalties import ElasticNet
from .objective import Objective

# A convex F falls without end in a direction if it is lower after a move that changes a linear predictor by this.
FAR = 1e4
# A loss that falls from the first of these margins to the second falls at any margin.
MARGINS = 50.0, 100.0
# A difference of this part of F may be rounding.
ROUNDING = 1e-11


def is_unpenalised(objective: Objective) -> bool:
    """Whether the penalty is zero everywhere."""
    penalty = objective.penalty
    return isinstance(penalty, ElasticNet) and penalty.l1 == 0 and penalty.l2 == 0


def falls_forever(objective: Objective) -> bool:
    """Whether the loss of a row can fall without end: of a label at any margin, of a count of 0 with a log link."""
    loss, traits = objective.loss, loss_traits(objective.loss)
    if traits.joint:
        return True
    if traits.classifies:
        return bool(loss.value(1.0, MARGINS[0]) > loss.value(1.0, MARGINS[1]))
    if float(loss.mean(MARGINS[0])) == MARGINS[0]:  # a loss of the residual grows on both sides
        return False
    lowest = float(objective.targets.y.min())
    return any(loss.value(lowest, s * MARGINS[0]) > loss.value(lowest, s * MARGINS[1]) for s in (-1.0, 1.0))


def may_have_no_optimum(objective: Objective) -> bool:
    """Whether F may fall without end: without a penalty, and with a loss that has no minimum."""
    return is_unpenalised(objective) and falls_forever(objective)


def falls_by(objective: Objective, params: np.ndarray, move: np.ndarray) -> bool:
    """Whether F is lower after a ``move``, by more than rounding; in two passes."""
    here, there = objective.value(params), objective.value(params + move)
    return there < here - ROUNDING * abs(here)
