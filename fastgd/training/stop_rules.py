"""Rules that stop training, one class each. They are checked after every epoch, in order; the first to stop decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..certificate.certificate import Certificate
from ..objective.objective import Objective
from ..solvers.options import AUTO_TOLERANCE, Options
from ..solvers.protocol import StepReport
from ..solvers.step_size import StepSize
from .callbacks import State
from .convergence import ConvergenceTest
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


class Converged:
    """What is left to gain is at most ``tol`` of what the best constant model leaves, see `ConvergenceTest`."""

    def __init__(self, test: ConvergenceTest) -> None:
        self.test = test

    def check(self, end: EpochEnd) -> Stop | None:
        report, test = end.report, self.test
        at, remaining = report.evaluation, report.remaining
        if at is None:
            return None
        # A start that is better than the best constant model may be the optimum already.
        is_due = test.is_due(at.objectives) or (end.is_start and test.is_better_than_constant(at.objectives))
        if remaining is not None:
            if not test.is_small(at.objectives, remaining):
                return None
            is_due = True
            if remaining.kind != "guess" or test.is_confirmed(at, remaining):
                return Stop("tol", True)
        elif not test.is_convex:
            is_due = True
        return Stop("tol", True) if is_due and test.has_converged(at, report.norms, report.reference_norms) else None


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
    """The running loss stalls: training has converged, or continues at a smaller rate, or stops as stalled.

    For methods that do not evaluate F: the test of convergence evaluates it. A rate is lowered if it is automatic, or
    by a schedule with feedback. Of an F that is not convex, a loss that stalls is all that is known: it has converged.
    """

    def __init__(self, step_size: StepSize, test: ConvergenceTest, options: Options) -> None:
        self.step_size, self.test, self.patience = step_size, test, options.patience
        self.lowers_rate = options.learning_rate == "auto"

    def check(self, end: EpochEnd) -> Stop | None:
        if end.is_start:
            return None
        loss, step_size = end.report.running_loss, self.step_size
        by_schedule = step_size.lowers_at_stalls
        tol, patience = (
            (step_size.schedule.tol, step_size.schedule.patience) if by_schedule else (self.test.tol, self.patience)
        )
        if step_size.count_stalled(loss, tol) < patience:
            return None
        if not self.test.is_convex and not by_schedule:
            return Stop("tol", True)
        if self.test.tol and self.test.is_convex and self.test.has_converged(self.test.evaluate(end.params)):
            return Stop("tol", True)
        if not (by_schedule or self.lowers_rate):
            return Stop("stalled")
        if step_size.lower():
            return None
        return Stop("stalled") if self.test.is_convex else Stop("tol", True)


class RunningLossSettles:
    """The running loss stands in for F to tell when the test is due.

    For methods that do not evaluate F at the model: saga, and gd by rules that keep the model apart.
    """

    def __init__(self, test: ConvergenceTest) -> None:
        self.test = test

    def check(self, end: EpochEnd) -> Stop | None:
        report = end.report
        if end.is_start or report.evaluation is not None or not self.test.is_due(report.running_losses):
            return None
        return Stop("tol", True) if self.test.has_converged(self.test.evaluate(end.params)) else None


# What a solver that is exhausted may leave: in float32, rounding ends its steps before a smaller tolerance is met.
TOL_OF_EXHAUSTED = 3e-7
# Maximum values of X that are copied to float64 for that test.
MAX_VALUES_IN_FLOAT64 = 1 << 24


class SolverIsExhausted:
    """The solver found nothing left to do: its steps promise no more than the rounding of F.

    Newton's default tolerance is smaller than the one of other methods, since its last step gains several digits; where
    rounding ends its steps before, theirs counts.
    """

    def __init__(self, test: ConvergenceTest, options: Options) -> None:
        self.test = test
        self.tol = max(test.tol, AUTO_TOLERANCE if options.has_default_tol else TOL_OF_EXHAUSTED)
        # The gradient in float32 has rounding of its own, which may hide what is left to gain.
        small = test.objective.n_values <= MAX_VALUES_IN_FLOAT64
        self.needs_float64 = self.tol < AUTO_TOLERANCE and small and test.objective.dtype == np.float32

    def check(self, end: EpochEnd) -> Stop | None:
        report = end.report
        if not report.stop_reason:
            return None
        if not self.test.is_convex or report.evaluation is None:
            return Stop(report.stop_reason, True)
        at = report.evaluation
        if self.needs_float64:
            self.test.objective.count_pass()
            at = self.test.objective.on(self.test.objective.rows.in_float64()).evaluate(at.params)
        converged = self.test.has_converged(at, tol=self.tol)
        return Stop(report.stop_reason if converged else "stalled", converged)


class ValidationPatience:
    """The validation loss has not improved for ``patience`` epochs."""

    def __init__(self, monitor: ValidationMonitor, patience: int) -> None:
        self.monitor, self.patience = monitor, patience

    def check(self, end: EpochEnd) -> Stop | None:
        stalled = not end.is_start and self.monitor.state.stalled >= self.patience
        return Stop("validation") if stalled else None


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
