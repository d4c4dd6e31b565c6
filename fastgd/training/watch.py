"""The watch over a fit: its trace, when to stop and why, and whether it diverges."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..certificate.certificate import Certificate
from ..objective.intercept_only import best_constant
from ..objective.problem import Problem
from ..solvers.options import Options
from .early_stopping import EarlyStopping
from .progress import current_reporter

TRACE_DTYPE = np.dtype(
    [
        ("epoch", np.int64),
        ("passes", np.float64),
        ("seconds", np.float64),
        ("objective", np.float64),
        ("running_loss", np.float64),
        ("learning_rate", np.float64),
        ("gradient_norm", np.float64),
        ("validation_loss", np.float64),
    ]
)
STEP_FIELDS = [
    ("step", np.int64),
    ("epoch", np.int64),
    ("row", np.int64),
    ("loss", np.float64),
    ("learning_rate", np.float64),
]
# Of the epoch that is under way, a row for each block of it.
UNDER_WAY_DTYPE = np.dtype([(name, np.float64) for name in ("epoch", "passes", "seconds", "running_loss")])
# The path keeps the weights of every row of the trace while they are no more than this many numbers.
PATH_VALUES = 1_000_000
# On X this small the stochastic methods evaluate F after every epoch; on larger ones at both ends only.
EVALUATE_EVERY_EPOCH_BELOW = 1 << 17
DIVERGED_AT = 10.0
# A schedule that answers to stalls has done what it can once the rate is this small a part of the first.
SMALLEST_RATE = 1e-6


@dataclass(frozen=True)
class State:
    """What a callback sees after each epoch. ``coef`` and ``intercept`` are as in `Result`, and copies.

    The numbers are those of the trace, see `Result`: ``objective`` is NaN on large data, ``gradient_norm`` for methods
    that do not know it, ``validation_loss`` without rows to validate on.
    """

    epoch: int
    passes: float
    seconds: float
    objective: float
    running_loss: float
    learning_rate: float
    coef: np.ndarray
    intercept: Any
    gradient_norm: float
    validation_loss: float


class Diverged(Exception):  # noqa: N818  # a signal
    """Raised within a method when the loss explodes; `fit` turns it into a `DivergedError`."""


class Stopped(Exception):  # noqa: N818  # a signal
    """Raised within a method to end it between two blocks of an epoch."""


def divergence_limit(at_start: float, constant: float) -> float:
    """Ten times the larger of F at the start and F of the best constant model. Of a loss that can be negative, as
    that of poisson without its constants, neither says what is large, but the way from one to the other does.
    """
    largest = max(at_start, constant)
    if min(at_start, constant) >= 0:
        return DIVERGED_AT * largest or sys.float_info.max  # a loss of zero is no measure
    return largest + DIVERGED_AT * (abs(at_start - constant) or sys.float_info.max / DIVERGED_AT)


class Watch:
    """Keeps the trace of one fit and decides when it ends.

    A method runs ``for epoch in watch.epochs(): ...`` and calls `tick` after each block of work and
    `record` at the end of the epoch.
    """

    def __init__(
        self,
        problem: Problem,
        options: Options,
        params: np.ndarray,
        objective: float,
        passes: float = 0.0,
        compile_seconds: Callable[[], float] = lambda: 0.0,
        certificate: Certificate | None = None,
    ) -> None:
        self.problem = problem
        self.options = options
        self.certificate = certificate or Certificate(problem, options.gap_tol is not None)
        self.params = params  # the method's own vector, changed in place
        self.rows: list[tuple[Any, ...]] = []
        self.path: list[np.ndarray] | None = []
        self.steps: list[tuple[Any, ...]] = []
        self.blocks: list[tuple[float, ...]] = []  # of the epoch under way, see `under_way`
        self.model: Callable[[], np.ndarray] = lambda: params  # for a rule that keeps its model elsewhere, see `follow`
        self.good = params.copy()  # the model at the last row of the trace
        self.rate_factor = 1.0  # what a schedule that answers to stalls has made of the rate
        self.early: EarlyStopping | None = None
        if problem.validation is not None:
            assert options.tol is not None
            self.early = EarlyStopping(problem.validation, options.tol)
        self.epoch = 0
        self.passes_before = passes  # statistics took them, and max_epochs bounds all passes
        self.converged = False
        self.stop_reason = "max_epochs"
        self.reporter = current_reporter()
        self._limit = DIVERGED_AT * max(objective, 0.0)
        self._limit_is_final = False
        self._at_start, self.start = objective, params.copy()
        # Models of their own may diverge alone; and the first rates of some schedules are meant to be too large.
        self._sets_rate = bool(getattr(options.schedule, "sets_rate", False))
        self._best_running = math.inf
        self._stalled = 0
        self._done = False
        self._fraction = 0.0  # of the epoch that is under way
        self._compile_seconds = compile_seconds
        self._began = time.perf_counter() - self._compile_seconds()
        self._append(passes, objective, math.nan, math.nan, math.nan)

    def epochs(self) -> Iterator[int]:
        """The numbers of the epochs to run, from 1."""
        while not self._done:
            yield self.epoch + 1
            if self.passes_before + self.epoch + 1 > self.options.max_epochs:
                return

    def stop(self, reason: str, converged: bool = False) -> None:
        """End the fit after what is under way."""
        self._done, self.stop_reason, self.converged = True, reason, converged

    def tick(self, fraction: float, mean_loss: float, rate: float) -> None:
        """A block of the epoch is done: ``fraction`` of it so far, at a running loss of ``mean_loss``.

        Raises `Diverged`, or `Stopped` where the time is up.
        """
        self._fraction = fraction
        done = self.epoch + fraction
        self.blocks.append((done, self.passes_before + done, self.seconds, mean_loss))
        if not self.problem.independent and not np.isfinite(self.params).all():
            raise Diverged
        if not self.problem.independent and not (self._sets_rate and self.epoch == 0):
            self._check_limit(mean_loss)
        self.reporter.advanced(self.epoch + fraction, self.options.max_epochs, mean_loss)
        limit = self.options.max_seconds
        if limit is not None and self.seconds >= limit:
            self.stop("max_seconds")
            if fraction < 1.0:
                self._append(self.passes_before + self.epoch + fraction, math.nan, mean_loss, rate, math.nan)
                raise Stopped

    def check_end(self, objective: float, mean_loss: float) -> None:
        """The last step is done, and this is where it led; raises `Diverged`.

        The running loss of batch gradient descent is that before the step.
        """
        if not self.problem.independent:
            if not np.isfinite(objective):
                raise Diverged
            if not self._sets_rate:
                self._check_limit(mean_loss)

    def _check_limit(self, mean_loss: float) -> None:
        if mean_loss <= self._limit:
            return
        if not self._limit_is_final:
            self._limit, self._limit_is_final = self._final_limit(), True
        if not mean_loss <= self._limit:  # a NaN is not <= either
            raise Diverged

    def _final_limit(self) -> float:
        return divergence_limit(self._at_start, best_constant(self.problem))

    def follow(self, model: Callable[[], np.ndarray]) -> None:
        """Record, evaluate and return what ``model`` gives, in place of the weights that steps are taken from."""
        self.model = model

    def go_back(self) -> None:
        """Return to the last row of the trace, to try another way from there, or to the start if that was better.

        That is the one with the lower validation loss, or else objective. What was done since counts as passes, as
        does the look at which of the two is better.
        """
        self.restore()
        if self.early is not None:
            better = self.rows[-1][-1] <= self.rows[0][-1]
        else:
            better = self.problem.objective(self.params) <= self._at_start
        if not better:
            self._put_start_in_last_row()
        self.passes_before += self._fraction + 1.0
        self._fraction = 0.0
        self.blocks.clear()

    def _put_start_in_last_row(self) -> None:
        """The state after the epoch of that row is now the start again."""
        self.params[:] = self.good[:] = self.start
        self.rows[-1] = (*self.rows[-1][:-1], self.rows[0][-1])
        self.evaluate(self._at_start)
        if self.path is not None:
            self.path[-1] = self.start.copy()

    @property
    def passes_left(self) -> float:
        """How many of ``max_epochs`` there are yet to run."""
        return self.options.max_epochs - self.passes_before - self._fraction - self.epoch

    @property
    def done(self) -> bool:
        """Whether no epoch is left."""
        return self._done or self.passes_left <= 0

    def restore(self) -> None:
        """Make the model of the trace's last row the weights."""
        self.params[:] = self.good
        self.model = lambda: self.params

    def step(self, number: int, row: int, loss: float, rate: float, gradient: np.ndarray) -> None:
        """One update is done, for the trace of single steps; ``row`` is the first row of its batch, -1 for all rows."""
        if self.options.trace == "step":
            if self.problem.rows is not None and row >= 0:
                row = int(self.problem.rows[row])
            self.steps.append((number, self.epoch + 1, row, loss, rate, gradient.copy(), self.params.copy()))

    def record(self, running_loss: float, rate: float, gradient_norm: float = math.nan) -> None:
        """An epoch is done."""
        self.epoch += 1
        self._fraction = 0.0
        self.blocks.clear()
        self._append(self.passes_before + self.epoch, math.nan, running_loss, rate, gradient_norm)
        if self.early is not None:
            self.reporter.validated(self.epoch, self.rows[-1][-1])
            if self.early.stalled >= self.options.patience:
                self.stop("validation", converged=True)
        if self.options.callbacks:
            self._call_back(running_loss, rate, gradient_norm)

    def evaluate(self, objective: float, row: int = -1) -> None:
        """Enter F at the weights of a row of the trace, the last unless another is named."""
        self.rows[row] = (*self.rows[row][:3], objective, *self.rows[row][4:])

    @property
    def best_row(self) -> int:
        """The row of the trace that the model is from: where the validation loss is lowest, or the last one."""
        return -1 if self.early is None else self.early.row

    def restore_best(self) -> None:
        """Make the model with the lowest validation loss the weights, where there are rows to validate on."""
        if self.early is not None and self.early.weights is not None:
            self.params[:] = self.early.weights
            self.model = lambda: self.params

    def evaluate_if_small(self) -> None:
        if self.problem.n_values < EVALUATE_EVERY_EPOCH_BELOW:
            self.evaluate(self.problem.objective(self.model()))

    def stop_if_stalled(self, running_loss: float) -> None:
        """The stochastic methods' test: ``patience`` epochs without an improvement of ``tol`` times the best."""
        assert self.options.tol is not None
        if self.lower_if_stalled(running_loss) or not self.options.tol or self.early is not None:
            return  # rows that no step is taken for say better when to stop
        if self._stalled_for(running_loss, self.options.tol) >= self.options.patience:
            self.stop("tol", converged=True)

    def certified(self, gradient: np.ndarray | None = None) -> bool:
        """Whether ``gap_tol`` is proved to be reached, which ends the fit; each proof counts as the passes it takes.

        With the gradient of the mean loss at the model none is tried before it can succeed.
        """
        tol, model, certificate = self.options.gap_tol, self.model(), self.certificate
        if tol is None or (gradient is not None and not certificate.estimate(model, gradient) <= tol):
            return False
        before = certificate.passes
        if certificate.gap(model) <= tol:
            self.stop("gap_tol", converged=True)
        self.passes_before += certificate.passes - before
        return self.stop_reason == "gap_tol"

    def lower_if_stalled(self, running_loss: float) -> bool:
        """Whether the schedule answers to stalls; if so it lowers the rate, until that is of no use any more."""
        schedule = self.options.schedule
        if not getattr(schedule, "feedback", False):
            return False
        if self._stalled_for(running_loss, schedule.tol) >= schedule.patience:
            self._stalled = 0
            self.rate_factor *= schedule.factor
            if self.rate_factor < SMALLEST_RATE:
                self.stop("tol", converged=True)
        return True

    def _stalled_for(self, running_loss: float, tol: float) -> int:
        """Epochs in a row that have not improved on the best by ``tol`` of it."""
        best = self._best_running
        improved = best == math.inf or running_loss < best - tol * abs(best)
        self._stalled = 0 if improved else self._stalled + 1
        self._best_running = min(best, running_loss)
        return self._stalled

    @property
    def seconds(self) -> float:
        """Since the start, but for compilation."""
        return time.perf_counter() - self._began - self._compile_seconds()

    @property
    def step_trace(self) -> np.ndarray:
        shape = self.params.shape
        weights = [("gradient", np.float64, shape), ("weights", np.float64, shape)]
        return np.array(self.steps, dtype=[*STEP_FIELDS, *weights])

    @property
    def under_way(self) -> np.ndarray:
        """Of the epoch that is not done yet: epochs, passes, seconds and running loss after each block of it."""
        return np.array(self.blocks, dtype=UNDER_WAY_DTYPE)

    @property
    def trace(self) -> np.ndarray:
        return np.array(self.rows, dtype=TRACE_DTYPE)

    def _append(self, passes: float, objective: float, running: float, rate: float, norm: float) -> None:
        self.good[:] = self.model()
        held_out = math.nan if self.early is None else self.early.look_at(self.good, len(self.rows), self.epoch)
        self.rows.append((self.epoch, passes, self.seconds, objective, running, rate, norm, held_out))
        if self.path is not None:
            self.path.append(self.good.copy())
            if len(self.path) * self.params.size > PATH_VALUES:
                self.path = None

    def _call_back(self, running_loss: float, rate: float, gradient_norm: float) -> None:
        d = self.problem.n_features
        model = self.good.copy()
        intercept: Any = model[..., d] if self.problem.fit_intercept else np.zeros(model.shape[:-1])
        self.evaluate_if_small()
        objective, validation_loss = self.rows[-1][3], self.rows[-1][-1]
        state = State(
            self.epoch,
            self.passes_before + self.epoch,
            self.seconds,
            objective,
            running_loss,
            rate,
            model[..., :d],
            intercept if self.problem.several else float(intercept),
            gradient_norm,
            validation_loss,
        )
        for callback in self.options.callbacks:
            if isinstance(answer := callback(state), (bool, np.bool_)) and answer:
                self.stop("callback")
