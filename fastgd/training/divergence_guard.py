"""Whether training diverges: parameters that are not finite, or a loss far above those of simple models."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from ..objective.intercept_only import best_constant
from ..objective.objective import Objective

DIVERGED_AT = 10.0


class Diverged(Exception):  # noqa: N818  # a signal
    """Raised where the loss explodes; `fit` turns it into a `DivergedError`."""


class GuardState(NamedTuple):
    """The largest running loss that is allowed, and whether the best constant model is in it."""

    limit: float
    is_final: bool


def divergence_limit(at_start: float, constant: float) -> float:
    """Ten times the larger of F at the start and F of the best constant model.

    For a loss that can be negative, such as poisson without its constants, neither says what is large: the larger of
    the two plus ten times their difference.
    """
    largest = max(at_start, constant)
    if min(at_start, constant) >= 0:
        return DIVERGED_AT * largest or sys.float_info.max  # a loss of zero is no measure
    return largest + DIVERGED_AT * (abs(at_start - constant) or sys.float_info.max / DIVERGED_AT)


class DivergenceGuard:
    """Raises `Diverged`. Of independent models each may diverge alone, so it looks at none.

    ``sets_rate``: the first rates of some schedules are meant to be too large, so their first epoch is not judged.
    """

    def __init__(self, objective: Objective, at_start: float, sets_rate: bool) -> None:
        self.objective, self.at_start, self.sets_rate = objective, at_start, sets_rate
        self.state = GuardState(DIVERGED_AT * max(at_start, 0.0), False)

    def check_call(self, epochs_done: int, params: np.ndarray, running_loss: float) -> None:
        """After a kernel call."""
        if self.objective.independent:
            return
        if not np.isfinite(params).all():
            raise Diverged
        if not (self.sets_rate and epochs_done == 0):
            self._check_limit(running_loss)

    def check_end(self, objective: float, loss: float) -> None:
        """After the last step: F there, and the mean loss."""
        if self.objective.independent:
            return
        if not np.isfinite(objective):
            raise Diverged
        if not self.sets_rate:
            self._check_limit(loss)

    def _check_limit(self, loss: float) -> None:
        if loss <= self.state.limit:
            return
        if not self.state.is_final:
            self.state = GuardState(divergence_limit(self.at_start, best_constant(self.objective)), True)
        if not loss <= self.state.limit:  # a NaN is not <= either
            raise Diverged
