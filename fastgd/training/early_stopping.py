"""The loss on rows that no step is taken for: the model that is best on them, and when to stop looking for a better."""

from __future__ import annotations

import math

import numpy as np

from ..objective.problem import Problem


class EarlyStopping:
    """Follows the mean loss on the validation rows, without the penalty, over the rows of the trace.

    Source: Prechelt, Early stopping - but when? (1998), with the patience of scikit-learn, Keras and LightGBM.

    Attributes
    ----------
    best : the lowest loss so far.
    row, epoch : of the trace, where that was; -1 and 0 while no loss was finite.
    weights : the model there; None while no loss was finite.
    """

    def __init__(self, problem: Problem, tol: float) -> None:
        self.problem, self.tol = problem, tol
        self.best, self.row, self.epoch = math.inf, -1, 0
        self.weights: np.ndarray | None = None
        self.stalled = 0  # epochs in a row that have not improved on the best by ``tol`` of it

    def look_at(self, params: np.ndarray, row: int, epoch: int) -> float:
        """The loss of the model at a row of the trace."""
        loss = self.problem.mean_loss(params)
        # Any improvement will do where tol is 0.
        improved = loss < self.best - (self.tol * abs(self.best) if self.weights is not None else 0.0)
        self.stalled = 0 if improved else self.stalled + 1
        if loss < self.best:
            self.best, self.row, self.epoch, self.weights = loss, row, epoch, params.copy()
        return loss
