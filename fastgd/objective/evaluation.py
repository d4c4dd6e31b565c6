"""The result of one pass over the rows: F and its gradient at some parameters. It never changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Evaluation(NamedTuple):
    """F and its gradient at ``params``, for one output or several.

    ``losses`` and ``penalties`` have the shape (n_outputs,): the mean loss and the penalty of each output.
    ``gradient`` is the gradient of the mean loss, without the penalty, in the shape of ``params``.
    """

    params: np.ndarray
    losses: np.ndarray
    penalties: np.ndarray
    gradient: np.ndarray

    @property
    def loss(self) -> float:
        """The mean loss, summed over the outputs."""
        return float(self.losses.sum())

    @property
    def objective(self) -> float:
        """F: the mean loss plus the penalty, summed over the outputs."""
        return float(self.losses.sum()) + float(self.penalties.sum())

    @property
    def objectives(self) -> np.ndarray:
        """F of each output, shape (n_outputs,)."""
        return np.asarray(self.losses + self.penalties)
