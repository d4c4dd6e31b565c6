"""The training loop: it drives every solver, epoch by epoch; observers record training and stop it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..certificate.certificate import Certificate
from ..data.row_order import RowOrder
from ..kernels.update_step import Preconditioner
from ..objective.evaluation import Evaluation
from ..objective.intercept_only import ConstantModel
from ..objective.objective import Objective
from ..solvers.options import VARIANCE_REDUCED, Options
from ..solvers.protocol import RowBlock, Solver, StepReport
from ..solvers.step_size import StepSize
from ..terms.schedule_protocol import schedule_traits
from .checkpoint import Checkpoint, LoopState, copied
from .convergence import ConvergenceTest
from .divergence_guard import DivergenceGuard, divergence_limit
from .early_stopping import ValidationMonitor
from .progress import current_reporter
from .stop_rules import (
    Callbacks,
    Converged,
    EpochEnd,
    GapTolerance,
    LossStalls,
    RunningLossSettles,
    SolverIsExhausted,
    Stop,
    StopRule,
    TimeLimit,
    ValidationPatience,
)
from .trace import TraceRecorder, TraceRow

# Maximum values of X for which F is evaluated after every epoch; on larger X only at the start and the end, unless the
# solver knows it.
MAX_EVALUATED_VALUES = 1 << 17


class TrainingLoop:
    """Trains with one solver from one starting point.

    Attributes
    ----------
    params : the model: the parameters to report.
    known : F and its gradient at the model, if known.
    stop : why training ended.
    is_cut_short : whether it ended within an epoch.
    """

    def __init__(
        self,
        objective: Objective,
        options: Options,
        solver: Solver,
        step_size: StepSize,
        *,
        at_start: float,
        start: np.ndarray,
        constant: ConstantModel,
        preconditioner: Preconditioner | None,
        certificate: Certificate,
        validation: ValidationMonitor | None = None,
        compile_seconds: Callable[[], float] = lambda: 0.0,
        after_call: Callable[[np.ndarray], None] = lambda _losses: None,
        after_epoch: Callable[[TrainingLoop], None] = lambda _loop: None,
    ) -> None:
        self.objective, self.options, self.solver, self.step_size = objective, options, solver, step_size
        self.at_start, self.start, self.certificate, self.validation = at_start, start.copy(), certificate, validation
        self.after_call, self.after_epoch, self._compile_seconds = after_call, after_epoch, compile_seconds
        self.trace = TraceRecorder(start, options.trace == "step", objective.rows.positions)
        limit = divergence_limit(at_start, constant)
        self.guard = DivergenceGuard(objective, limit, schedule_traits(options.schedule).sets_rate)
        self.test = ConvergenceTest(
            objective, certificate, constant, float(options.tol or 0.0), options.seed, preconditioner
        )
        self.time_limit = TimeLimit(options.max_seconds, lambda: self.seconds)
        self.orders = RowOrder(objective.n_samples, objective.rows.row_bytes, str(options.shuffle), options.seed)
        self.rules = self._stop_rules()
        self.epoch, self.stop = 0, Stop("max_epochs")
        self.state: Any = None
        self.params: np.ndarray = start.copy()
        self.known: Evaluation | None = None
        self._is_done, self.is_cut_short = False, False
        self._began = time.perf_counter() - compile_seconds()

    def _stop_rules(self) -> Sequence[StopRule]:
        options, test, rules = self.options, self.test, list[StopRule]()
        if test.tol:
            rules.append(Converged(test))
        if test.tol or options.gap_tol is not None:
            rules.append(SolverIsExhausted(test, options))
        if options.gap_tol is not None:
            rules.append(GapTolerance(options.gap_tol, self.certificate, options.method in VARIANCE_REDUCED))
        if test.tol and test.is_convex and options.method in ("saga", "gd"):
            rules.append(RunningLossSettles(test))
        by_loss = test.tol and options.method in ("sgd", "minibatch") and self.validation is None
        if by_loss or self.step_size.lowers_at_stalls:
            rules.append(LossStalls(self.step_size, test, options))
        if self.validation is not None:
            rules.append(ValidationPatience(self.validation, options.patience))
        return [*rules, Callbacks(self.objective, options.callbacks), self.time_limit]

    # --- Running ----------------------------------------------------------------------------------------------------

    def begin(self, known: Evaluation | None) -> None:
        """Make the solver's first state and the first row of the trace; ``known`` is F at the start, if known."""
        self.known = known
        row = TraceRow(0, self.objective.passes.training, self.seconds, self.at_start)
        self.trace.append(self._with_validation_loss(row, self.start), self.start)
        self.state = self.solver.init(self.objective, self.start.copy(), known)
        self._check_rules(EpochEnd(self.solver.report(self.state), row, self.params, is_start=True))

    def run(self) -> None:
        """Train until a rule stops it or ``max_epochs`` is reached; raises `Diverged`."""
        while not self._is_done and (self.epoch == 0 or self.passes_left >= 1 - 1e-9):
            self._run_epoch()
        if not self._is_done and self.test.tol:
            self._test_at_end()

    def _test_at_end(self) -> None:
        """Test for convergence at the limit of epochs, where the method evaluates F exactly enough to get there."""
        if self.options.method in ("sgd", "minibatch") or not self.test.is_convex:
            return
        if self.known is None:
            with self.objective.passes.for_monitoring():
                self.known = self.test.evaluate(self.params)
        if self.test.has_converged(self.known):
            self._end(Stop("tol", True))

    @property
    def passes_left(self) -> float:
        """The part of ``max_epochs`` that is left. An epoch in which a solver has nothing to do takes no pass."""
        return self.options.max_epochs - max(self.objective.passes.training, self.epoch)

    @property
    def may_go_on(self) -> bool:
        """Whether training has not ended and passes are left."""
        return not self._is_done and self.passes_left > 0

    def _run_epoch(self) -> None:
        number = self.solver.order_number(self.state, self.epoch + 1, self.passes_left)
        report = self._step_on_all_rows() if number is None else self._update_by_order(self.orders.epoch(number))
        if report is None:
            return
        self._set_params(report.evaluation)
        for seen in report.seen:
            self.certificate.see(seen)
        if report.remaining is not None and report.remaining.kind == "bound" and report.evaluation is not None:
            self.certificate.know(report.evaluation.objectives - report.remaining.values)
        if report.is_epoch:
            self.epoch += 1
            self._record(report)
        self._check_rules(EpochEnd(report, self.trace.rows[-1], self.params))
        if not report.is_epoch and not self._is_done:  # tol=0 runs all epochs
            self.epoch += 1
            self._record(report)
        if report.is_epoch:
            self.after_epoch(self)

    def _step_on_all_rows(self) -> StepReport:
        """Make a step on all rows."""
        t = self.state.t
        self.state, report = self.solver.step(
            self.objective, self.state, RowBlock(None, self.epoch + 1), self.step_size
        )
        if report.is_epoch:
            if self.trace.by_update and self.state.t > t:  # an anchor of svrg is no update
                params = self.state.params
                self.trace.add_update(
                    self.epoch + 1, self.epoch + 1, -1, report.running_loss, report.rate, report.gradient(), params
                )
            self._after_call(1.0, report.running_losses)
        return report

    def _update_by_order(self, order: np.ndarray) -> StepReport | None:
        """Make updates on the rows of an ``order``, one kernel call at a time; None if time ran out before the end."""
        n, total, report = len(order), np.zeros(1), None
        for start in range(0, n, self.solver.rows_per_call):
            rows = RowBlock(order[start : start + self.solver.rows_per_call], self.epoch + 1, start)
            if self.trace.by_update:
                self._record_updates(rows)
            self.state, report = self.solver.step(self.objective, self.state, rows, self.step_size)
            done = min(start + self.solver.rows_per_call, n)
            total = total + report.running_losses * (done - start)
            self._after_call(done / n, total / done)
            if done < n and self.time_limit.is_over:
                self._end_within_epoch(float(total.sum()) / done, report.rate)
                return None
        assert report is not None
        return report._replace(running_losses=total / n)

    def _record_updates(self, rows: RowBlock) -> None:
        """Record the updates of a call, made one at a time on a copy of the state, so that training is not changed."""
        state, size = copied(self.state), self.solver.rows_per_update
        counted = self.objective.passes.training
        assert rows.order is not None
        for first in range(0, len(rows.order), size):
            one = RowBlock(rows.order[first : first + size], rows.epoch, rows.start + first)
            state, report = self.solver.step(self.objective, state, one, self.step_size)
            row, loss = int(one.order[0]), report.running_loss  # type: ignore[index]
            self.trace.add_update(state.t, rows.epoch, row, loss, report.rate, report.gradient(), state.params)
        self.objective.passes.monitoring += self.objective.passes.training - counted
        self.objective.passes.training = counted

    def _after_call(self, fraction: float, running_losses: np.ndarray) -> None:
        done, running_loss = self.epoch + fraction, float(running_losses.sum())
        self.after_call(running_losses)
        self.trace.calls.append((done, self.objective.passes.training, self.seconds, running_loss))
        self.guard.check_call(self.epoch, self.state.params, running_loss)
        current_reporter().advanced(done, self.options.max_epochs, running_loss)

    def _end_within_epoch(self, running_loss: float, rate: float) -> None:
        self._set_params(None)
        row = TraceRow(self.epoch, self.objective.passes.training, self.seconds, math.nan, running_loss, rate)
        self.trace.append(self._with_validation_loss(row, self.params), self.params)
        self.is_cut_short = True
        self._end(Stop("max_seconds"))

    # --- Observing --------------------------------------------------------------------------------------------------

    def _set_params(self, known: Evaluation | None) -> None:
        self.params, self.known = self.solver.params(self.state), known

    def _record(self, report: StepReport) -> None:
        objective = math.nan
        if report.evaluation is not None:
            objective = report.evaluation.objective
        elif self.objective.n_values < MAX_EVALUATED_VALUES:
            objective = self._evaluate()
        norm = math.nan if report.norms is None else float(np.linalg.norm(report.norms))
        row = TraceRow(
            self.epoch, self.objective.passes.training, self.seconds, objective, report.running_loss, report.rate, norm
        )
        row = self._with_validation_loss(row, self.params)
        self.trace.append(row, self.params)
        if self.validation is not None:
            current_reporter().validated(self.epoch, row.validation_loss)

    def _with_validation_loss(self, row: TraceRow, params: np.ndarray) -> TraceRow:
        if self.validation is None:
            return row
        return row._replace(validation_loss=self.validation.look_at(params, len(self.trace.rows), row.epoch))

    def _evaluate(self) -> float:
        with self.objective.passes.for_monitoring():
            return self.objective.value(self.params)

    def _check_rules(self, end: EpochEnd) -> None:
        for rule in self.rules:
            if (stop := rule.check(end)) is not None:
                self._end(stop)
                return

    def _end(self, stop: Stop) -> None:
        self.stop, self._is_done = stop, True

    def interrupt(self, reason: str) -> None:
        """End training and return to the parameters of the last row of the trace: an update may be incomplete."""
        self._end(Stop(reason))
        self.params, self.known = self.trace.params.copy(), None

    def interrupt_after(self, reason: str) -> None:
        """After training: say that its end was interrupted; the model stays."""
        self._end(Stop(reason))

    @property
    def seconds(self) -> float:
        """Seconds since the start, without compilation."""
        return time.perf_counter() - self._began - self._compile_seconds()

    # --- Going back and resuming ------------------------------------------------------------------------------------

    def go_back(self) -> None:
        """After divergence: return to the last row of the trace, or to the start if that was better; shrink the rate.

        Better means a lower validation loss if there is one, else a lower F.
        """
        params, first, last = self.trace.params.copy(), self.trace.rows[0], self.trace.rows[-1]
        known = self.known if self.known is not None and np.array_equal(self.known.params, params) else None
        if self.validation is not None:
            is_better = last.validation_loss <= first.validation_loss
        else:
            is_better = (self.objective.value(params) if known is None else known.objective) <= self.at_start
        if not is_better:
            params, known = self.start.copy(), None
            self.trace.replace_last(params, self.at_start, first.validation_loss)
        self.trace.calls.clear()
        self.step_size.shrink()
        needs_gradient = self.options.method not in ("sgd", "minibatch", *VARIANCE_REDUCED)
        if known is None and needs_gradient:
            known = self.objective.evaluate(params)
        self.params, self.known = params, known
        self.state = self.solver.init(self.objective, params.copy(), known)

    def checkpoint(self, fingerprint: str) -> Checkpoint:
        """Everything that training knows at the end of an epoch, as a value."""
        passes, validation = self.objective.passes, self.validation
        loop = LoopState(
            self.epoch, (passes.training, passes.monitoring, passes.trials), self.step_size.state, self.trace.state,
            self.test.state, None if validation is None else validation.state, self.certificate.state,
        )  # fmt: skip
        return Checkpoint(fingerprint, copied(self.state), loop)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a `checkpoint`."""
        state: Any = checkpoint.loop
        self.epoch, self.state = state.epoch, copied(checkpoint.solver)
        self.step_size.state, self.test.state = state.step_size, state.convergence
        self.trace.restore(state.trace)
        if self.validation is not None:
            self.validation.state = state.validation
        self.certificate.restore(state.certificate)
        passes = self.objective.passes
        passes.training, passes.monitoring, passes.trials = state.passes
        self._set_params(self.solver.report(self.state).evaluation)
