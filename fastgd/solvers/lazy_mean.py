"""The mean of the parameters over the updates, from sums that the kernels of serial SGD update lazily."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.averaging import LazySum, LazySums
from ..objective.objective import Objective
from .aligned import aligned


class LazyMean(NamedTuple):
    """The sums, and the number of updates in them; ``sums`` is None if nothing is averaged."""

    sums: LazySum | LazySums | None
    n_updates: int

    @classmethod
    def make(cls, objective: Objective, is_wanted: bool) -> LazyMean:
        """An empty mean."""
        if not is_wanted:
            return cls(None, 0)
        if objective.several:
            return cls(aligned(LazySums.make(objective.X, objective.n_outputs, objective.n_parameters)), 0)
        return cls(aligned(LazySum.make(objective.n_features, objective.n_parameters)), 0)

    def before_updates(self, begin: int, t: int, n_updates: int) -> LazyMean:
        """The mean after ``n_updates`` more updates following ``t``; updates before number ``begin`` are skipped."""
        if self.sums is None:
            return self
        skip = min(max(begin - (t + 1), 0), n_updates)
        return LazyMean(self.sums._replace(skip=skip), self.n_updates + n_updates - skip)

    def value(self) -> np.ndarray:
        """The mean."""
        assert self.sums is not None
        return self.sums.total / self.n_updates
