"""Passes over the rows, counted where they are made, in fractions of all rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .. import interruption


class PassCounter:
    """Counts how often the rows of a data set are read.

    Attributes
    ----------
    training : passes that training takes: steps, line searches, statistics, samples. ``max_epochs`` bounds these.
    monitoring : passes that only observe training: F for the trace, certificates, the kind of a stationary point.
    trials : passes of fits that only choose a learning rate, see `rate_search`.
    """

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples
        self.training, self.monitoring, self.trials = 0.0, 0.0, 0.0
        self._is_monitoring = False

    def add(self, n_rows: float) -> None:
        """Count ``n_rows`` rows that are read once; raises KeyboardInterrupt after Ctrl-C."""
        interruption.check()
        passes = n_rows / self.n_samples
        if self._is_monitoring:
            self.monitoring += passes
        else:
            self.training += passes

    @property
    def by_purpose(self) -> dict[str, float]:
        """All passes, by purpose."""
        return {"training": self.training, "monitoring": self.monitoring, "trials": self.trials}

    @contextmanager
    def for_monitoring(self) -> Iterator[None]:
        """Within the block, passes count as monitoring."""
        before, self._is_monitoring = self._is_monitoring, True
        try:
            yield
        finally:
            self._is_monitoring = before
