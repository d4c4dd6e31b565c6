"""What a solver is: `init` and `step` over a state, which is a value that goes in and comes out.

A state is a NamedTuple of arrays and numbers, and all that a solver knows: written to bytes and read in another process
it goes on with the same bits. A state is consumed by `step`, which may write to its arrays; who wants to go back to it
copies it first. Workspace that is as good as new before every step belongs to the solver itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from .step_size import StepSize


class RowBlock(NamedTuple):
    """The rows of one step: ``order`` holds their positions, None for all rows in one pass.

    ``epoch`` is the number of the epoch, from 1 on, and ``start`` the number of rows done in it before.
    """

    order: np.ndarray | None
    epoch: int
    start: int = 0


class StepReport(NamedTuple):
    """What a step tells the training loop.

    Attributes
    ----------
    running_losses : of each output the mean loss of the rows before their own update, shape (n_outputs,); of steps on
        all rows the mean loss there.
    rate : the last learning rate or step length.
    gradient : gives the gradient of the last update, for the trace of single updates.
    evaluation : F and its gradient at the parameters after the step, where they are known.
    seen : evaluations of all rows that the step has made, for certificates.
    norms, reference_norms : of each output the norm of the proximal-gradient mapping after the step, and the norm that
        ``tol`` is relative to; None where they are not known.
    is_epoch : whether the step was a pass; False where it found nothing left to do.
    stop_reason : "tol" or "precision" where the solver has converged by its own test, else empty.
    """

    running_losses: np.ndarray
    rate: float
    gradient: Callable[[], np.ndarray]
    evaluation: Evaluation | None = None
    seen: tuple[Evaluation, ...] = ()
    norms: np.ndarray | None = None
    reference_norms: np.ndarray | None = None
    is_epoch: bool = True
    stop_reason: str = ""

    @property
    def running_loss(self) -> float:
        """The sum over the outputs."""
        return float(self.running_losses.sum())


# What a step gives: the next state and its report.
Step = tuple[Any, StepReport]


class Solver(Protocol):
    """One method. ``rows_per_call`` bounds the rows of a step; it depends on the size of a row only."""

    rows_per_call: int
    rows_per_update: int

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> Any:
        """The state to begin with at ``params``; ``start`` is F there, where it has been evaluated."""

    def order_number(self, state: Any, epoch: int, passes_left: float) -> int | None:
        """The number of the shuffled order that the next epoch takes; None for a step on all rows at once."""

    def step(self, objective: Objective, state: Any, rows: RowBlock, step_size: StepSize) -> Step:
        """A pass over all rows, or the updates of some; consumes ``state``."""

    def params(self, state: Any) -> np.ndarray:
        """The parameters to report: the last ones, averaged ones, or those that an update rule keeps apart."""

    def report(self, state: Any) -> StepReport:
        """What is known before the first step."""

    def close(self) -> None:
        """Release threads."""


class SolverBase:
    """What most solvers have in common."""

    rows_per_call = 0
    rows_per_update = 0

    def order_number(self, state: Any, epoch: int, passes_left: float) -> int | None:
        return None

    def report(self, state: Any) -> StepReport:
        return StepReport(np.full(1, np.nan), np.nan, lambda: np.zeros_like(state.params))

    def params(self, state: Any) -> np.ndarray:
        return np.asarray(state.params)

    def close(self) -> None:
        """Nothing to release."""
