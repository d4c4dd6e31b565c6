"""One run of one method, and what is left of it however it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from ..certificate.certificate import Certificate
from ..compile.jit import CompileClock, compile_error, thread_pool_size, threads
from ..data.matrix import check_finite
from ..errors import DataError
from ..model.result import Result
from ..objective.intercept_only import loss_at_zero
from ..objective.problem import Problem
from ..objective.stationary_points import is_convex, stationary
from ..solvers.methods import RUN
from ..solvers.newton import begins_on_sample
from ..solvers.options import Options
from ..solvers.plan import Plan, make_plan, settle
from ..solvers.steps import describe_preconditioner
from ..terms.penalties import describe_penalty
from ..terms.rate_schedules import SCHEDULES
from ..terms.update_rules import RULES
from ..wording import option
from .divergence import Divergence, explain
from .progress import current_reporter
from .start import start_weights
from .watch import Diverged, Stopped, Watch

# An automatic rate at which training diverges is divided by this, and training goes on from before it did.
SHRINK = 4.0
MOST_SHRINKS = 16


class Run:
    """Train from the weights that ``start`` stands for (see `start_weights`).

    Attributes
    ----------
    seconds : {"compile": ..., "fit": ...}.
    shrunk : how often an automatic rate was made smaller.
    divergence : what to tell the user where training diverged; else None.
    gaps : how far each output is from its optimum at most, NaN where that is not known; see `Certificate.add`.
    stationary : see `Result`.
    """

    plan: Plan
    watch: Watch

    def __init__(self, problem: Problem, options: Options, start: Any, certify: bool = True) -> None:
        self.problem, self.certify = problem, certify
        self.options = options = settle(problem, options)
        self.remarks: list[str] = []
        self.divergence: Divergence | None = None
        self.shrunk = 0
        self.certificate = Certificate(problem, options.gap_tol is not None)
        if options.gap_tol is not None:
            self.certificate.require()
        clock = CompileClock(current_reporter().compiling)
        began = time.perf_counter()
        n_threads = self._threads()
        with clock.listening(), threads(n_threads), compile_error():
            self.params = start_weights(start, problem, options.seed)
            self._go(clock)
        elapsed = time.perf_counter() - began
        self.seconds = {"compile": clock.seconds, "fit": elapsed - clock.seconds}

    def _threads(self) -> int:
        wanted, size = self.options.n_threads, thread_pool_size()
        if wanted is not None and wanted > size:
            self.remarks.append(f"{option('n_threads', wanted)} is more than the {size} available; using {size}")
        return min(wanted or size, size)

    def _go(self, clock: CompileClock) -> None:
        problem = self.problem
        with np.errstate(all="ignore"):  # divergence is looked for, not stumbled over
            if self.options.method == "newton" and begins_on_sample(problem, self.params):
                self.at_start = loss_at_zero(problem) + problem.penalties(self.params)
            else:
                if self.options.method not in ("sgd", "minibatch"):
                    problem.gradient(self.params)  # theirs to begin with, and F comes with it
                self.at_start = problem.objectives(self.params)
            objective = float(self.at_start.sum())
            if not np.isfinite(objective):
                check_finite(problem.X, problem.feature_names)
                raise DataError("the objective at the start is not finite: the values of X, y or start are too large")
            self.plan = make_plan(problem, self.options)
            if (wanted := self.options.shards or 1) > self.plan.shards:
                self.remarks.append(
                    f"{option('shards', wanted)} is more than the {self.plan.shards} rows: each is a shard"
                )
            self.watch = Watch(
                problem, self.options, self.params, objective, self.plan.passes, lambda: clock.seconds, self.certificate
            )
            if (described := describe_preconditioner(self.plan.preconditioner)) is not None:
                self.remarks.append(f"steps were taken with {described}; the model is in the units of the data")
            self._descend()
            self._take_best()
            self._remark_on_average()
            self.gaps = self._certify()
            self.stationary = self._where_it_stopped()
            if self.shrunk and not self.divergence:
                times = "once" if self.shrunk == 1 else f"{self.shrunk} times"
                self.remarks.append(
                    f"training diverged {times}, went back to where it had not, and went on at a smaller learning rate"
                )

    def _descend(self) -> None:
        watch = self.watch
        try:
            while not self._trained():
                watch.go_back()
                self.plan = replace(self.plan, learning_rate=self.plan.learning_rate / SHRINK)
                self.shrunk += 1
            watch.evaluate(self.problem.objective(watch.model()))
        except Stopped:
            watch.evaluate(self.problem.objective(watch.model()))
        except KeyboardInterrupt:
            watch.stop("interrupted")
            self._restore()
        except Diverged:
            check_finite(self.problem.X, self.problem.feature_names)  # a loss with a max() in it may not have shown it
            watch.stop("diverged")
            epoch = min(watch.epoch + 1, self.options.max_epochs)
            found = explain(self.problem, self.options, self.plan, watch.start, epoch)
            self.divergence = replace(found, under_way=watch.under_way)
            self._restore()

    def _certify(self) -> np.ndarray:
        """The certificate of the model, where it is wanted, training came to an end of itself, and there can be one."""
        unfinished = self.watch.stop_reason in ("interrupted", "diverged")
        if unfinished or not self.certify or all(self.certificate.reasons):
            return np.full(len(self.certificate.reasons), np.nan)
        return self.certificate.add(self.watch.model())

    def _where_it_stopped(self) -> str | None:
        """What F has at the model: of convex functions the stopping test says it, of others the Hessian."""
        watch, problem = self.watch, self.problem
        if watch.stop_reason in ("interrupted", "diverged") or not self.certify or problem.independent:
            return None
        if is_convex(problem):
            by_gradient = watch.stop_reason == "tol" and self.plan.method not in ("sgd", "minibatch")
            whole = watch.early is None  # else the model need not be the last
            return "minimum" if whole and (by_gradient or watch.stop_reason in ("gap_tol", "precision")) else None
        gained = float(self.at_start.sum()) - watch.rows[watch.best_row][3]
        return stationary(problem, watch.model(), gained)

    def _bound(self, gaps: np.ndarray, reason: str) -> dict[str, Any]:
        """``gap_bound`` and ``gap_note`` of a result."""
        gap = float(gaps.sum())
        if np.isfinite(gap):
            return {"gap_bound": gap}
        unfinished = self.watch.stop_reason in ("interrupted", "diverged")
        other = (
            "training did not come to its end"
            if unfinished
            else "columns depend on each other so nearly that rounding hides it"
        )
        return {"gap_bound": None, "gap_note": reason or other}

    def _trained(self) -> bool:
        """Run the method to its end; False where it diverged at an automatic rate, which may be made smaller."""
        try:
            RUN[self.plan.method](self.problem, self.options, self.plan, self.watch, self.params)
            objective = self.problem.objective(self.watch.model())
            self.watch.check_end(objective, float(self.problem.losses.sum()))
        except Diverged:
            if not self.options.shrinks or self.shrunk == MOST_SHRINKS or self.watch.done:
                raise
            return False
        return True

    def _take_best(self) -> None:
        """The model with the lowest loss on the rows to validate on, where there are some, however the run ended."""
        watch = self.watch
        if watch.early is not None:
            watch.restore_best()
            watch.evaluate(self.problem.objective(watch.model()), watch.best_row)

    def _remark_on_average(self) -> None:
        begin, steps = int(self.options.average), self.watch.epoch * -(-self.problem.n_samples // self.plan.rows_a_step)
        if begin > steps:
            self.remarks.append(
                f"{option('average', begin)} is more than the {steps} steps there were, so nothing was averaged"
            )

    def _restore(self) -> None:
        """Go back to the model of the trace's last row: the weights between two epochs may be half made."""
        self.watch.restore()
        self.watch.evaluate(self.problem.objective(self.params))

    def result(self, **described: Any) -> Result:
        """The model of all outputs; ``described`` are the fields of `Result` that a run does not know."""
        problem, watch, d = self.problem, self.watch, self.problem.n_features
        model = watch.model()
        intercept = model[..., d] if problem.fit_intercept else np.zeros(model.shape[:-1])
        return Result(
            coef=model[..., :d].copy(),
            intercept=intercept.copy() if problem.several else float(intercept),
            objective=float(watch.rows[watch.best_row][3]),
            n_epochs=watch.epoch,
            converged=watch.converged,
            stop_reason=watch.stop_reason,
            method=self.plan.method,
            learning_rate=self.plan.learning_rate,
            rate_reason=self._rate_reason(),
            trace=watch.trace,
            path=self._path(),
            steps=watch.step_trace if self.options.trace == "step" else None,
            feature_names=problem.feature_names,
            **self._bound(self.gaps, self.certificate.reason),
            n_samples=problem.n_samples,
            seconds=self.seconds,
            remarks=tuple(self.remarks),
            best_epoch=None if watch.early is None else watch.early.epoch,
            divergences=self.shrunk,
            stationary=self.stationary,
            **described,
        )

    def result_of(self, k: int, **described: Any) -> Result:
        """The model of output k alone, where outputs are models of their own."""
        whole, problem = self.result(**described), self.problem
        objective = float(problem.objectives(self.watch.model())[k])
        trace = whole.trace.copy()
        for name in ("objective", "running_loss", "gradient_norm"):
            trace[name] = np.nan
        trace["learning_rate"] *= self.plan.shares[k] * problem.rate_shares[k]
        trace["objective"][[0, -1]] = self.at_start[k], objective
        diverged = not np.isfinite(objective)
        return replace(
            whole,
            coef=whole.coef[k].copy(),
            intercept=float(whole.intercept[k]),
            objective=objective,
            **self._bound(self.gaps[k : k + 1], self.certificate.reasons[k]),
            converged=whole.converged and not diverged,
            stop_reason="diverged" if diverged else whole.stop_reason,
            learning_rate=float(self.plan.learning_rate * self.plan.shares[k] * problem.rate_shares[k]),
            trace=trace,
            path=None if whole.path is None else np.ascontiguousarray(whole.path[:, k]),
        )

    def _path(self) -> np.ndarray | None:
        """The models along the way, with a last column of zeros where there is no intercept."""
        if self.watch.path is None:
            return None
        models = np.array(self.watch.path)
        path = np.zeros((*models.shape[:-1], self.problem.n_features + 1))
        path[..., : self.problem.n_parameters] = models
        return path

    def _rate_reason(self) -> str:
        return self.plan.reason + (f", divided by {SHRINK**self.shrunk:g} since it diverged" if self.shrunk else "")

    def settings(self, penalty: Any) -> dict[str, Any]:
        """The options in words, to reproduce the run."""
        options = self.options
        return {
            "penalty": describe_penalty(penalty),
            "rule": RULES.describe(options.rule),
            "schedule": SCHEDULES.describe(options.schedule),
            "batch_size": self.plan.batch_size,
            "fit_intercept": self.problem.fit_intercept,
            "max_epochs": options.max_epochs,
            "tol": options.tol,
            "gap_tol": options.gap_tol,
            "patience": options.patience,
            "clip_norm": options.clip_norm,
            "average": options.average,
            "shards": self.plan.shards,
            "on_divergence": options.on_divergence,
            "validation_samples": 0 if self.problem.validation is None else self.problem.validation.n_samples,
            "shuffle": options.shuffle,
            "seed": options.seed,
        }
