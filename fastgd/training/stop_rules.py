"""Rules that stop training, one class each. They are checked after every epoch, in order; the first to stop decides."""

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
    """Training at the end of an epoch or before the first: the last step's report, the row of the trace, the model."""

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
        """The reason to stop here, or None to continue."""


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
    """F is proved to be within ``gap_tol`` of the optimum; the passes of a proof count as training.

    If the gradient at the model is known, an estimate tells whether a proof can succeed. ``needs_gradient``: otherwise
    none is tried.
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
    """The running loss stalls: a schedule with feedback lowers its rate, otherwise stochastic steps stop.

    ``tol`` is 0 for methods with another test, and where validation decides instead. ``has_anchors``: passes without
    updates do not count.
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
    """``max_seconds`` have passed, without compilation; also checked after every kernel call."""

    def __init__(self, max_seconds: float | None, seconds: Callable[[], float]) -> None:
        self.max_seconds, self.seconds = max_seconds, seconds

    @property
    def is_over(self) -> bool:
        return self.max_seconds is not None and self.seconds() >= self.max_seconds

    def check(self, end: EpochEnd) -> Stop | None:
        return Stop("max_seconds") if self.is_over and not end.is_start else None
