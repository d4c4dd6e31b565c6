"""The learning rate of scheduled steps: its only owner, from the schedule to what divergence and stalls make of it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernels.update_step import fill_rates
from ..terms.schedule_protocol import schedule_traits

# An automatic rate at which training diverges is divided by this, and training goes on from before it did.
SHRINK = 4.0
MAX_SHRINKS = 16
# A schedule that lowers the rate at stalls has done what it can once the rate is this small a part of the first.
MIN_FACTOR = 1e-6


class StepSizeState(NamedTuple):
    """``factor``: what stalls have made of the rate; ``shrinks``: how often divergence has divided it."""

    factor: float = 1.0
    shrinks: int = 0
    best_loss: float = math.inf
    stalled: int = 0


class StepSize:
    """Learning rates: ``learning_rate`` through the schedule, divided after divergence, lowered at stalls.

    The share of each output multiplies them in the update itself, see `Plan.output_rates`.
    """

    def __init__(self, schedule: Any, learning_rate: float) -> None:
        self.schedule, self.first_rate, self.state = schedule, learning_rate, StepSizeState()

    @property
    def base_rate(self) -> float:
        """The rate that goes into the schedule, before stalls lower it."""
        return self.first_rate / SHRINK**self.state.shrinks

    def at(self, t: int, epoch: float) -> float:
        """The rate of an update after ``t`` others, ``epoch`` passes into training."""
        return float(self.schedule.rate(self.base_rate, t, epoch)) * self.state.factor

    def fill(self, rates: np.ndarray, t: int, rows_done: int, rows_per_update: int, n_samples: int) -> None:
        """Write the rates of the next ``len(rates)`` updates, after ``t`` others and ``rows_done`` rows."""
        base = self.base_rate * self.state.factor
        fill_rates(self.schedule, base, t, rows_done, rows_per_update, n_samples, rates)

    def shrink(self) -> None:
        """Divide the rate after divergence."""
        self.state = self.state._replace(shrinks=self.state.shrinks + 1)

    @property
    def can_shrink(self) -> bool:
        return self.state.shrinks < MAX_SHRINKS

    @property
    def answers_to_stalls(self) -> bool:
        """Whether the schedule lowers the rate when the loss stalls."""
        return schedule_traits(self.schedule).feedback

    def lower_if_stalled(self, running_loss: float) -> bool:
        """Lower the rate after ``patience`` epochs without progress; True once it is too small to matter."""
        if self.stalled_for(running_loss, self.schedule.tol) < self.schedule.patience:
            return False
        self.state = self.state._replace(stalled=0, factor=self.state.factor * self.schedule.factor)
        return self.state.factor < MIN_FACTOR

    def stalled_for(self, running_loss: float, tol: float) -> int:
        """Epochs in a row that have not improved on the best running loss by ``tol`` of it, this one included."""
        best = self.state.best_loss
        improved = best == math.inf or running_loss < best - tol * abs(best)
        stalled = 0 if improved else self.state.stalled + 1
        self.state = self.state._replace(best_loss=min(best, running_loss), stalled=stalled)
        return stalled
