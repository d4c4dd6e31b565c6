"""When training stops: one class for each rule, asked after every epoch, the first that answers wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..certificate.certificate import Certificate
from ..objective.objective import Objective
from ..solvers.protocol import StepReport
from ..solvers.stationarity import all_small
from ..solvers.step_size import StepSize
from .callbacks import State
from .early_stopping import ValidationMonitor
from .trace import TraceRow


class EpochEnd(NamedTuple):
    """Training at the end of an epoch, or before the first: the report of the last step, its row, the model."""

    report: StepReport
    row: TraceRow
    params: np.ndarray
    is_start: bool = False


class Stop(NamedTuple):
    """``Result.stop_reason`` and ``Result.converged``."""

    reason: str
    converged: bool = False


class StopRule(Protocol):
    def check(self, end: EpochEnd) -> Stop | None:
        """Why training stops here; None where it goes on."""


class GradientTolerance:
    """The norm of the proximal-gradient mapping is at most ``tol`` times the reference norm."""

    def __init__(self, tol: float, independent: bool) -> None:
        self.tol, self.independent = tol, independent

    def check(self, end: EpochEnd) -> Stop | None:
        norms, reference = end.report.norms, end.report.reference_norms
        if not self.tol or norms is None or reference is None or not len(norms):
            return None
        return Stop("tol", True) if all_small(norms, reference, self.tol, self.independent) else None


class GapTolerance:
    """F is proved to be within ``gap_tol`` of the optimum; each proof counts as the passes it takes.

    With the gradient at the model no proof is tried before it can succeed. ``needs_gradient``: none is tried without.
    """

    def __init__(self, gap_tol: float, certificate: Certificate, needs_gradient: bool) -> None:
        self.gap_tol, self.certificate, self.needs_gradient = gap_tol, certificate, needs_gradient

    def check(self, end: EpochEnd) -> Stop | None:
        at = end.report.evaluation
        if at is None and (self.needs_gradient or end.is_start):
            return None
        if at is not None and not self.certificate.estimate(end.params, at.gradient) <= self.gap_tol:
            return None
        return Stop("gap_tol", True) if self.certificate.gap(end.params) <= self.gap_tol else None


class LossStalls:
    """A schedule that answers to stalls lowers the rate; else stochastic steps stop where the running loss stalls.

    ``tol`` is 0 for methods that have another test, or where validation rows say better when to stop. ``has_anchors``:
    passes without updates do not count.
    """

    def __init__(self, step_size: StepSize, tol: float, patience: int, has_anchors: bool) -> None:
        self.step_size, self.tol, self.patience, self.has_anchors = step_size, tol, patience, has_anchors

    def check(self, end: EpochEnd) -> Stop | None:
        if end.is_start or (self.has_anchors and end.report.evaluation is not None):
            return None
        loss = end.report.running_loss
        if self.step_size.lowers_at_stalls:
            return Stop("tol", True) if self.step_size.lower_if_stalled(loss) else None
        if self.tol and self.step_size.count_stalled(loss, self.tol) >= self.patience:
            return Stop("tol", True)
        return None


class SolverHasConverged:
    """The solver found nothing left to do."""

    def check(self, end: EpochEnd) -> Stop | None:
        reason = end.report.stop_reason
        return Stop(reason, True) if reason else None


class ValidationPatience:
    """The validation loss has not improved for ``patience`` epochs."""

    def __init__(self, monitor: ValidationMonitor, patience: int) -> None:
        self.monitor, self.patience = monitor, patience

    def check(self, end: EpochEnd) -> Stop | None:
        stalled = not end.is_start and self.monitor.state.stalled >= self.patience
        return Stop("validation", True) if stalled else None


class Callbacks:
    """A user's functions; one that returns True ends training."""

    def __init__(self, objective: Objective, functions: Sequence[Callable[[State], object]]) -> None:
        self.objective, self.functions = objective, functions

    def check(self, end: EpochEnd) -> Stop | None:
        if end.is_start or not self.functions or not end.report.is_epoch:
            return None
        coef, intercept = self.objective.split(end.params.copy())
        row = end.row
        state = State(
            row.epoch, row.passes, row.seconds, row.objective, row.running_loss, row.learning_rate, coef,
            intercept if self.objective.several else float(intercept), row.gradient_norm, row.validation_loss,
        )  # fmt: skip
        answers = [function(state) for function in self.functions]
        wants_end = any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)
        return Stop("callback") if wants_end else None


class TimeLimit:
    """``max_seconds`` are over, compilation not counted; also asked after every kernel call."""

    def __init__(self, max_seconds: float | None, seconds: Callable[[], float]) -> None:
        self.max_seconds, self.seconds = max_seconds, seconds

    @property
    def is_over(self) -> bool:
        return self.max_seconds is not None and self.seconds() >= self.max_seconds

    def check(self, end: EpochEnd) -> Stop | None:
        return Stop("max_seconds") if self.is_over and not end.is_start else None
