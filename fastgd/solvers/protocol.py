"""What a solver is: `init` and `step` over a state, which is a value that goes in and comes out.

A state is a NamedTuple of arrays and numbers that holds everything a solver knows: written to bytes and read in another
process, it continues with the same bits. `step` consumes a state and may write to its arrays: copy a state to which you
want to return. Workspace whose content does not matter between steps belongs to the solver itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from .step_size import StepSize


class RowBlock(NamedTuple):
    """The rows of one step: ``order`` holds their positions; it is None for a step on all rows.

    ``epoch`` counts from 1; ``start`` is the number of rows of the epoch that earlier steps took.
    """

    order: np.ndarray | None
    epoch: int
    start: int = 0


class Remaining(NamedTuple):
    """What is left to gain, F - F*, of each output, shape (n_outputs,).

    A "bound" is proved, an "estimate" can be relied on, a "guess" is to be confirmed before training stops. ``step``
    leads to the minimum of a quadratic model with a Hessian in which no direction is flat, in the units of the data:
    then it is enough to confirm that the losses keep their curvature along it.
    """

    values: np.ndarray
    kind: Literal["bound", "estimate", "guess"]
    step: np.ndarray | None = None


class StepReport(NamedTuple):
    """What a step tells the training loop.

    Attributes
    ----------
    running_losses : mean loss of each output, shape (n_outputs,): of each row before its own update, or of all rows
        before the step.
    rate : the last learning rate or step length.
    gradient : returns the gradient of the last update, for the trace of single updates.
    evaluation : F and its gradient at the parameters after the step, if they are known.
    seen : evaluations of all rows that the step made, for certificates.
    norms, reference_norms : norm of the proximal-gradient mapping of each output after the step, and the norm that
        ``tol`` is relative to; None if they are not known.
    remaining : F - F* at the parameters after the step, if the solver knows it; training stops where it is small
        relative to what training has gained, see `tol` of `fit`.
    is_epoch : whether the step was a pass; False if there was nothing left to do.
    stop_reason : "tol" or "precision" if the solver has converged by its own test, else empty.
    """

    running_losses: np.ndarray
    rate: float
    gradient: Callable[[], np.ndarray]
    evaluation: Evaluation | None = None
    seen: tuple[Evaluation, ...] = ()
    norms: np.ndarray | None = None
    reference_norms: np.ndarray | None = None
    remaining: Remaining | None = None
    is_epoch: bool = True
    stop_reason: str = ""

    @property
    def running_loss(self) -> float:
        """The running loss, summed over the outputs."""
        return float(self.running_losses.sum())


# The outcome of a step: the next state and a report.
Step = tuple[Any, StepReport]


class Solver(Protocol):
    """One method. ``rows_per_call`` bounds the rows of a step; it depends on the size of a row only."""

    rows_per_call: int
    rows_per_update: int

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> Any:
        """The first state, at ``params``; ``start`` is F and its gradient there, if evaluated."""

    def order_number(self, state: Any, epoch: int, passes_left: float) -> int | None:
        """The number of the shuffled order of the next epoch; None for a step on all rows at once."""

    def step(self, objective: Objective, state: Any, rows: RowBlock, step_size: StepSize) -> Step:
        """Make a step on all rows, or updates on some; consumes ``state``."""

    def params(self, state: Any) -> np.ndarray:
        """The parameters to report: the last ones, their average, or the ones that an update rule keeps apart."""

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
