"""The owner of the learning rate of scheduled steps: schedule, division after divergence, reduction at stalls."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernels.update_step import fill_rates
from ..terms.schedule_protocol import schedule_traits

# After divergence the rate is divided by this, and training continues from before it.
SHRINK = 4.0
MAX_SHRINKS = 16
# Training ends when stalls have lowered the rate to less than this part of the first.
MIN_FACTOR = 1e-6


class StepSizeState(NamedTuple):
    """How stalls and divergence have changed the rate, and the progress of the running loss.

    ``factor`` is the reduction by stalls, ``shrinks`` how often divergence has divided the rate, ``stalled`` how many
    epochs in a row have not improved on ``best_loss``.
    """

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
        """The rate given to the schedule, before any reduction at stalls."""
        return self.first_rate / SHRINK**self.state.shrinks

    def at(self, t: int, epoch: float) -> float:
        """The rate of the update after ``t`` others, ``epoch`` passes into training."""
        return float(self.schedule.rate(self.base_rate, t, epoch)) * self.state.factor

    def fill(self, rates: np.ndarray, t: int, rows_done: int, rows_per_update: int, n_samples: int) -> None:
        """Write the rates of the next ``len(rates)`` updates, after ``t`` updates and ``rows_done`` rows."""
        base = self.base_rate * self.state.factor
        fill_rates(self.schedule, base, t, rows_done, rows_per_update, n_samples, rates)

    def shrink(self) -> None:
        """Divide the rate after divergence."""
        self.state = self.state._replace(shrinks=self.state.shrinks + 1)

    @property
    def can_shrink(self) -> bool:
        return self.state.shrinks < MAX_SHRINKS

    @property
    def lowers_at_stalls(self) -> bool:
        """Whether the schedule lowers the rate when the loss stalls."""
        return schedule_traits(self.schedule).feedback

    def lower(self) -> bool:
        """Lower the rate after a stall; False if it is then below `MIN_FACTOR` of the first."""
        by = self.schedule.factor if self.lowers_at_stalls else 1.0 / SHRINK
        self.state = self.state._replace(stalled=0, factor=self.state.factor * by)
        return self.state.factor >= MIN_FACTOR

    def count_stalled(self, running_loss: float, tol: float) -> int:
        """Record the loss of an epoch; returns how many in a row have not improved on the best by ``tol`` of it."""
        best = self.state.best_loss
        improved = best == math.inf or running_loss < best - tol * abs(best)
        stalled = 0 if improved else self.state.stalled + 1
        self.state = self.state._replace(best_loss=min(best, running_loss), stalled=stalled)
        return stalled
