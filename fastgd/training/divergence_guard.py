"""Detection of divergence: parameters that are not finite, or a loss far above the loss of simple models."""

from __future__ import annotations

import sys

import numpy as np

from ..objective.intercept_only import ConstantModel
from ..objective.objective import Objective

# A running loss above this many times F of simple models counts as divergence.
DIVERGENCE_FACTOR = 10.0


class Diverged(Exception):  # noqa: N818  # a signal
    """Raised when training diverges; `fit` turns it into a `DivergedError`."""


def divergence_limit(at_start: float, constant: ConstantModel) -> float:
    """Ten times the larger of F at the start and F of the best constant model.

    For a loss that can be negative, such as poisson without its constants, it is the larger of the two plus ten times
    the range of these and of F at zero parameters.
    """
    largest, at_zero = max(at_start, constant.objective), float(constant.losses_at_zero.sum())
    smallest = min(at_start, constant.objective)
    if smallest >= 0:
        return DIVERGENCE_FACTOR * largest or sys.float_info.max  # F of zero gives no scale
    return largest + DIVERGENCE_FACTOR * (max(largest, at_zero) - smallest or sys.float_info.max / DIVERGENCE_FACTOR)


class DivergenceGuard:
    """Raises `Diverged`. It ignores independent models, since each of them may diverge alone.

    ``limit`` is the largest allowed running loss. ``sets_rate``: a schedule that sets the rate itself may begin with
    rates that are too large: skip the first epoch.
    """

    def __init__(self, objective: Objective, limit: float, sets_rate: bool) -> None:
        self.objective, self.limit, self.sets_rate = objective, limit, sets_rate

    def check_call(self, epochs_done: int, params: np.ndarray, running_loss: float) -> None:
        """Check after a kernel call."""
        if self.objective.independent:
            return
        if not np.isfinite(params).all():
            raise Diverged
        if not (self.sets_rate and epochs_done == 0):
            self._check_limit(running_loss)

    def check_end(self, objective: float, loss: float) -> None:
        """Check after the last step, with F and the mean loss there."""
        if self.objective.independent:
            return
        if not np.isfinite(objective):
            raise Diverged
        if not self.sets_rate:
            self._check_limit(loss)

    def _check_limit(self, loss: float) -> None:
        if not loss <= self.limit:  # also where it is NaN
            raise Diverged
