"""A run of one method on one objective, and its outcome, however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from .. import interruption
from ..certificate.certificate import Certificate
from ..compile.jit import CompileClock, compile_error, thread_pool_size, threads
from ..errors import DataError
from ..objective.evaluation import Evaluation
from ..objective.intercept_only import best_constant, constant_losses
from ..objective.objective import Objective
from ..objective.preconditioner import describe_preconditioner
from ..objective.recession import is_unpenalised
from ..objective.stationary_points import is_convex, stationary_kind
from ..solvers.method_choice import choose_method
from ..solvers.newton import begins_on_sample
from ..solvers.options import VARIANCE_REDUCED, Options
from ..solvers.plan import Plan, make_plan
from ..solvers.solver_choice import make_solver
from ..solvers.starting_point import starting_point
from ..solvers.step_size import SHRINK, StepSize
from ..wording import option
from .checkpoint import Checkpoint, fingerprint
from .divergence import Divergence, explain
from .divergence_guard import Diverged
from .early_stopping import ValidationMonitor
from .loop import TrainingLoop
from .progress import current_reporter
from .remarks import copied_columns, newton_steps, no_optimum
from .stop_rules import Stop

UNFINISHED = ("interrupted", "diverged")
# Maximum values of X for which a bound is improved after training, at some passes, until it is at most so many times
# what is left to gain, or so small a part of what was gained.
MAX_REFINED_VALUES, MAX_REFINEMENTS = 1 << 19, 3
USEFUL_BOUND, NEGLIGIBLE_BOUND = 3.0, 1e-6


class Run:
    """Train from ``start`` (see `starting_point`) or from a ``checkpoint``.

    Attributes
    ----------
    plan : batch size, preconditioner and learning rate; see `Plan`.
    loop : the training loop at its end.
    params, objectives : the model, and F of each output there.
    at_start : F of each output at the start.
    seconds : {"compile": ..., "fit": ...}.
    divergence : the explanation, if training diverged; else None.
    gaps : bounds on F - F* of each output, NaN where there is none; see `Certificate.add`.
    stationary : see `Result`.
    """

    plan: Plan
    loop: TrainingLoop

    def __init__(
        self,
        objective: Objective,
        options: Options,
        start: Any,
        *,
        validation: Objective | None = None,
        certify: bool = True,
        checkpoint: Checkpoint | None = None,
        after_call: Callable[[np.ndarray], None] = lambda _losses: None,
        after_epoch: Callable[[Run], None] = lambda _run: None,
    ) -> None:
        self.objective, self.validation, self.certify = objective, validation, certify
        self._after_call, self._after_epoch = after_call, after_epoch
        self.options = choose_method(objective, options)
        self.remarks: list[str] = []
        self.divergence: Divergence | None = None
        self.certificate = Certificate(objective, options.gap_tol is not None)
        if options.gap_tol is not None:
            self.certificate.require()
        self.clock = CompileClock(current_reporter().compiling)
        began = time.perf_counter()
        n_threads = self._threads()
        with (
            self.clock.listening(),
            threads(n_threads),
            compile_error(),
            np.errstate(all="ignore"),  # divergence is checked for explicitly
        ):
            self.constant = best_constant(objective)
            self._train(starting_point(start, objective, options.seed, self.constant), checkpoint)
        elapsed = time.perf_counter() - began
        self.seconds = {"compile": self.clock.seconds, "fit": elapsed - self.clock.seconds}

    def _threads(self) -> int:
        wanted, size = self.options.n_threads, thread_pool_size()
        if wanted is not None and wanted > size:
            self.remarks.append(f"{option('n_threads', wanted)} is more than the {size} available; using {size}")
        return min(wanted or size, size)

    # --- Training ---------------------------------------------------------------------------------------------------

    def _train(self, start: np.ndarray, checkpoint: Checkpoint | None) -> None:
        known = self._evaluate_start(start)
        self.plan = make_plan(self.objective, self.options)
        if (wanted := self.options.shards or 1) > self.plan.shards:
            self.remarks.append(f"{option('shards', wanted)} is more than the {self.plan.shards} rows: each is a shard")
        if (described := describe_preconditioner(self.plan.preconditioner)) is not None:
            self.remarks.append(f"steps were taken with {described}; the model is in the units of the data")
        solver = make_solver(self.objective, self.options, self.plan)
        self.loop = TrainingLoop(
            self.objective,
            self.options,
            solver,
            StepSize(self.options.schedule, self.plan.learning_rate),
            at_start=float(self.at_start.sum()),
            start=start,
            constant=self.constant,
            preconditioner=self.plan.preconditioner if self.plan.is_scaled else None,
            certificate=self.certificate,
            validation=self._monitor(),
            compile_seconds=lambda: self.clock.seconds,
            after_call=self._after_call,
            after_epoch=lambda _loop: self._after_epoch(self),
        )
        try:
            self._descend(known, checkpoint)
        finally:
            solver.close()
        with interruption.shielded(), self.objective.passes.for_monitoring():
            self._complete()
        shrinks = self.shrinks
        if shrinks and not self.divergence:
            times = "once" if shrinks == 1 else f"{shrinks} times"
            self.remarks.append(
                f"training diverged {times}, went back to where it had not, and went on at a smaller learning rate"
            )

    def _complete(self) -> None:
        """After training: the model to keep, and what is known about it."""
        self._take_best()
        self._remark_on_average()
        self.gaps, self.stationary = np.full(len(self.certificate.reasons), np.nan), None
        try:
            self.gaps = self._certify()
            self.stationary = self._stationary_kind()
            self._remark_on_problem()
        except KeyboardInterrupt:  # by a handler of the host
            self.loop.interrupt_after("interrupted")

    def _evaluate_start(self, start: np.ndarray) -> Evaluation | None:
        """F at the start, and its gradient for the methods that begin with it."""
        objective, method, known = self.objective, self.options.method, None
        with objective.passes.for_monitoring():
            is_constant = not objective.split(start)[0].any()
            if (method == "working_set" and is_constant) or (method == "newton" and begins_on_sample(objective, start)):
                self.at_start = constant_losses(
                    objective, np.atleast_1d(objective.split(start)[1])
                ) + objective.penalties(start)
            elif method in ("sgd", "minibatch", "working_set", *VARIANCE_REDUCED):
                self.at_start = objective.values(start)
            else:
                known = objective.evaluate(start)
                self.certificate.see(known)
                self.at_start = known.objectives
        if not np.isfinite(self.at_start.sum()):
            objective.rows.check_finite()
            raise DataError("the objective at the start is not finite: the values of X, y or start are too large")
        return known

    def _monitor(self) -> ValidationMonitor | None:
        if self.validation is None:
            return None
        assert self.options.tol is not None
        return ValidationMonitor(self.validation, self.options.tol)

    def _descend(self, known: Evaluation | None, checkpoint: Checkpoint | None) -> None:
        loop = self.loop
        try:
            if checkpoint is None:
                loop.begin(known)
            else:
                self._restore(checkpoint)
            self._run_with_retries()
        except KeyboardInterrupt:
            loop.interrupt("interrupted")
            with interruption.shielded():
                self._evaluate_end()
        except Diverged:
            self.objective.rows.check_finite()  # a loss with a max() can hide NaN in X
            epoch = min(loop.epoch + 1, self.options.max_epochs)
            plan = replace(self.plan, learning_rate=loop.step_size.base_rate)
            with self.objective.passes.for_monitoring():
                found = explain(self.objective, self.options, plan, loop.start, epoch)
            self.divergence = replace(found, under_way=loop.trace.under_way)
            loop.interrupt("diverged")
            self._evaluate_end()

    def _run_with_retries(self) -> None:
        """Train; if training diverges and the rate may be shrunk, go back and continue with a smaller one."""
        loop = self.loop
        while True:
            try:
                loop.run()
                self._evaluate_end()
                if not loop.is_cut_short:
                    loop.guard.check_end(float(self.objectives.sum()), float(self.losses.sum()))
                return
            except Diverged:
                if not (self.options.shrinks and loop.step_size.can_shrink and loop.may_go_on):
                    raise
                loop.go_back()

    def _restore(self, checkpoint: Checkpoint) -> None:
        if checkpoint.fingerprint != fingerprint(self.objective, self.options):
            raise DataError("the checkpoint is of other data or options: resume with those it was made with")
        self.loop.restore(checkpoint)

    def checkpoint(self) -> Checkpoint:
        """The state of training at the end of an epoch."""
        return self.loop.checkpoint(fingerprint(self.objective, self.options))

    @property
    def shrinks(self) -> int:
        """How often divergence has divided the learning rate."""
        return self.loop.step_size.state.shrinks

    @property
    def params(self) -> np.ndarray:
        return self.loop.params

    # --- The end ----------------------------------------------------------------------------------------------------

    def _evaluate_end(self) -> None:
        """Evaluate F at the model and set it in the last row of the trace."""
        known, params = self.loop.known, self.params
        if known is None:
            with self.objective.passes.for_monitoring():
                self.losses = self.objective.mean_losses(params)
        else:
            self.losses = known.losses
        self.objectives = self.losses + self.objective.penalties(params)
        self.loop.trace.set_objective(float(self.objectives.sum()))

    @property
    def best_row(self) -> int:
        """The row of the trace with the model: the one with the lowest validation loss, or the last."""
        validation = self.loop.validation
        return -1 if validation is None else validation.state.row

    def _take_best(self) -> None:
        """With validation rows, take the parameters with the lowest validation loss, however training ended."""
        validation = self.loop.validation
        if validation is None or validation.state.params is None:
            return
        self.loop.params, self.loop.known = validation.state.params, None
        self.losses = self.objective.mean_losses(self.params)
        self.objectives = self.losses + self.objective.penalties(self.params)
        self.loop.trace.set_objective(float(self.objectives.sum()), self.best_row)

    def _certify(self) -> np.ndarray:
        """Bounds on F - F* at the model, if asked for; NaN if training did not finish or there are none."""
        unfinished = self.loop.stop.reason in UNFINISHED
        if unfinished or not self.certify or not self.certificate.has_bound:
            return np.full(len(self.certificate.reasons), np.nan)
        return self._refined(self.certificate.add(self.params))

    def _refined(self, gaps: np.ndarray) -> np.ndarray:
        """The bounds, by better dual points where they are far above what is left to gain and a pass is cheap.

        A dual point bounds F* wherever it was found: the nearer to the optimum, the better. Steps of Newton's method
        from the model lead there; the model itself stays.
        """
        test, objective = self.loop.test, self.objective
        is_cheap = objective.n_values <= MAX_REFINED_VALUES and not self.certificate.is_exact
        if not is_cheap or not test.has_model or not np.isfinite(gaps).all():
            return gaps
        at = objective.evaluate(self.params) if self.loop.known is None else self.loop.known
        if gaps.sum() <= NEGLIGIBLE_BOUND * (self.constant.objective - at.objective):
            return gaps
        enough = 0.0
        for step in range(MAX_REFINEMENTS + 1):
            left = float(test.model.remaining(at).sum())
            if step == 0:
                gained = max(self.constant.objective - at.objective, 0.0)
                enough = max(USEFUL_BOUND * left, NEGLIGIBLE_BOUND * gained) if np.isfinite(left) else 0.0
            if gaps.sum() <= enough or test.model.direction is None or step == MAX_REFINEMENTS:
                break
            at = objective.evaluate(at.params + test.model.direction)
            if not np.isfinite(at.gradient).all():
                break
            self.certificate.see(at)
            gaps = self.certificate.improved_at(at.params, gaps)
        return gaps

    def _stationary_kind(self) -> str | None:
        """The kind of stationary point at the model: by the stopping test if F is convex, else by the Hessian."""
        reason, objective = self.loop.stop.reason, self.objective
        if reason in UNFINISHED or not self.certify or objective.independent:
            return None
        if is_convex(objective):
            return "minimum" if self.loop.stop.converged and self.loop.validation is None else None
        gained = float(self.at_start.sum()) - self.loop.trace.rows[self.best_row].objective
        return stationary_kind(objective, self.params, gained)

    def _remark_on_problem(self) -> None:
        """Remarks where F has no optimum, or more than one."""
        objective, loop = self.objective, self.loop
        finished = loop.stop.reason not in UNFINISHED and self.certify and loop.test.is_convex
        if not finished or not is_unpenalised(objective) or objective.independent:
            return
        if not loop.stop.converged or objective.n_values <= MAX_REFINED_VALUES:
            known = [self.params - loop.start, loop.test.direction]
            later = newton_steps(loop.test, self.params) if loop.stop.converged else ()
            directions = chain((one for one in known if one is not None), later)
            value = loop.trace.rows[self.best_row].objective
            found = no_optimum(objective, self.params, value, directions, self.options.seed)
            if found:
                self.remarks.append(found)
                self.stationary = None
                if loop.stop.converged:
                    loop.stop = Stop("stalled")
        if found := copied_columns(objective, self.options.seed):
            self.remarks.append(found)

    def _remark_on_average(self) -> None:
        begin = int(self.options.average)
        updates = self.loop.epoch * -(-self.objective.n_samples // self.plan.rows_per_update)
        if begin > updates:
            given = option("average", begin)
            self.remarks.append(f"{given} is more than the {updates} steps there were, so nothing was averaged")

    @property
    def rate_reason(self) -> str:
        """The reason for the learning rate, in words."""
        divided = f", divided by {SHRINK**self.shrinks:g} since it diverged" if self.shrinks else ""
        return self.plan.reason + divided
