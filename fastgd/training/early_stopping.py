"""Validation: the loss on rows that training does not use, and the parameters with the lowest one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..objective.objective import Objective


class ValidationState(NamedTuple):
    """The lowest validation loss so far, the row of the trace and the epoch it is from, and the parameters there.

    Until a loss is finite, ``row`` is -1, ``epoch`` 0 and ``params`` None. ``stalled`` counts epochs in a row that have
    not improved on the best by ``tol`` of it.
    """

    best: float = math.inf
    row: int = -1
    epoch: int = 0
    params: np.ndarray | None = None
    stalled: int = 0


class ValidationMonitor:
    """Tracks the mean loss on the validation rows, without the penalty.

    Source: Prechelt, Early stopping - but when? (1998), with the patience of scikit-learn, Keras and LightGBM.
    """

    def __init__(self, objective: Objective, tol: float) -> None:
        self.objective, self.tol = objective, tol
        self.state = ValidationState()

    def look_at(self, params: np.ndarray, row: int, epoch: int) -> float:
        """Evaluate and record the loss of the parameters at a row of the trace."""
        loss = float(self.objective.mean_losses(params).sum())
        state = self.state
        # Any improvement counts where tol is 0.
        improved = loss < state.best - (self.tol * abs(state.best) if state.params is not None else 0.0)
        stalled = 0 if improved else state.stalled + 1
        if loss < state.best:
            self.state = ValidationState(loss, row, epoch, params.copy(), stalled)
        else:
            self.state = state._replace(stalled=stalled)
        return loss
