"""`compare`: several methods on one problem: rows per second, and the time to reach an objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .compile.jit import compile_error, thread_pool_size, threads
from .data.loss_choice import choose_loss
from .data.readers.open_table import open as open_table
from .data.training_data import RowOptions
from .errors import DivergedError, FastgdError, OptionError
from .fitting import fit, pose
from .model.result import Result
from .objective.many_points import objectives_at
from .objective.objective import Objective
from .solvers.options import COMPARED, METHODS, check_whole
from .terms.penalties import resolve_penalty
from .terms.update_rules import RULES
from .wording import option

# Methods that use an update rule.
WITH_RULE = ("gd", "sgd", "minibatch")
# The default goal is this share of the decrease from F at the start to the lowest F that any method reaches.
GOAL_SHARE = 0.99
# F of the built-in data ``saddle`` is 1/6 at the saddle point and 0 in the valleys; below this it has left the saddle.
SADDLE_LEFT = 0.01


@dataclass(frozen=True)
class Entry:
    """The measurements of one method.

    Attributes
    ----------
    label : method, batch size and rule, as in "minibatch 32, adam".
    settings : the options of `fit` for this method: "method", possibly "batch_size" and "rule".
    result : the fitted model; after divergence, the last state. Its trace has F after each epoch, if the coefficients
        were recorded. None if the method does not support the problem.
    error : why there is no model: a `DivergedError`, or the `OptionError` of a method that does not support the
        problem; else None.
    rows_per_second : by number of threads, 1 and all: rows of all passes / median of the seconds; empty without a
        model.
    speedup : rows per second on all threads / on one; NaN if there is only one.
    epochs_to_goal, seconds_to_goal : the first epoch at which F reaches the goal, and the seconds until then on all
        threads, counted as in the trace: from the first update, without choosing the learning rate. None if F does not
        reach it.
    objective : F at the end; NaN without a model.
    leaves_saddle : whether the method escapes from the saddle point of the built-in data ``saddle``; None if it does
        not support the problem.
    """

    label: str
    settings: Mapping[str, Any]
    result: Result | None
    error: FastgdError | None
    rows_per_second: Mapping[int, float]
    epochs_to_goal: int | None
    seconds_to_goal: float | None
    leaves_saddle: bool | None

    @property
    def objective(self) -> float:
        return math.nan if self.result is None or self.error else self.result.objective

    @property
    def speedup(self) -> float:
        speeds = [*self.rows_per_second.values()]
        return speeds[-1] / speeds[0] if len(speeds) > 1 else math.nan


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    Attributes
    ----------
    entries : an `Entry` for each method, in order.
    goal : the F to reach; NaN if no method has a model.
    start : F at the start.
    n_threads : the number meant by "all threads".
    runs : by label, the `Result` or `DivergedError` of each method, for `plot_loss`, `landscape` and `Report`.
    """

    entries: tuple[Entry, ...]
    goal: float
    start: float
    n_threads: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> dict[str, Result | DivergedError]:
        ended = {e.label: e.error if isinstance(e.error, DivergedError) else e.result for e in self.entries}
        return {name: run for name, run in ended.items() if run is not None}


def compare(
    X: Any, y: Any = None, *, methods: Sequence[str] = COMPARED, rules: Sequence[Any] = ("sgd",),
    goal: float | None = None, repeats: int = 3, n_threads: int | None = None, **options: Any,
) -> Comparison:  # fmt: skip
    """Fit one problem with several methods, from the same start and seed, and measure each.

    Every fit is repeated ``repeats`` times on all threads and on one, in turn. The repetitions differ only in their
    seconds, since results do not depend on the number of threads; the medians count, without compilation. Whether a
    method escapes from a saddle point is tested on the built-in data ``saddle``.

    Parameters
    ----------
    methods : names of methods; "minibatch:256" is mini-batches of 256 rows.
    rules : update rules; each is combined with gd, sgd and minibatch.
    goal : the F to reach; by default 99 % of the decrease from F at the start to the lowest F that any method reaches.
    repeats : number of timed repetitions.
    n_threads : number of "all threads"; by default as many as there are.
    options : all other options of `fit`.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError, OptionError
        As `fit`; also an OptionError if no method supports the problem.
    Interrupted
        On Ctrl-C.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    >>> found = fastgd.compare(X, y, methods=["gd", "sgd"], repeats=1, fit_intercept=False)
    >>> [entry.leaves_saddle for entry in found.entries]
    [False, True]
    """
    repeats = check_whole("repeats", repeats, 1)
    if goal is not None and not math.isfinite(goal):
        raise OptionError(f"{option('goal')} must be a finite number, not {goal!r}")
    all_threads = thread_pool_size()
    if n_threads is not None:
        all_threads = min(check_whole("n_threads", n_threads, 1), all_threads)
    plans = [(method_label(settings), settings) for settings in _settings_of(methods, rules)]
    runs = {name: _timed(X, y, settings, repeats, all_threads, options) for name, settings in plans}
    errors = [run for run in runs.values() if isinstance(run, OptionError)]
    if len(errors) == len(runs):
        raise errors[0]
    objective = _objective(X, y, options)
    fits = {name: run for name, run in runs.items() if isinstance(run, _Timed)}
    with threads(all_threads), compile_error(), np.errstate(all="ignore"):
        for run in fits.values():
            run.fill_objectives(objective)
    start = next((float(run.result.trace["objective"][0]) for run in fits.values()), math.nan)
    if goal is None:
        lowest = min((run.lowest for run in fits.values()), default=math.inf)
        goal = start - GOAL_SHARE * (start - lowest) if math.isfinite(lowest) else math.nan
    entries = [_entry(name, settings, runs[name], goal) for name, settings in plans]
    return Comparison(tuple(entries), float(goal), start, all_threads, dict(options))


def _settings_of(methods: Sequence[str], rules: Sequence[Any]) -> list[dict[str, Any]]:
    """The options of `fit` for each entry."""
    for rule in rules:
        RULES.resolve(rule)
    found = []
    for text in methods:
        name, _, size = text.partition(":")
        settings: dict[str, Any] = {"method": name}
        if size:
            if name != "minibatch" or not size.isdecimal() or int(size) == 0:
                raise OptionError(f"{text!r} is not a method; for batches use minibatch:SIZE, such as minibatch:32")
            settings["batch_size"] = int(size)
        elif name not in METHODS:
            raise OptionError(f"unknown method {name!r} (known: {', '.join(METHODS)}, and minibatch:SIZE)")
        found += [{**settings, "rule": rule} for rule in rules] if name in WITH_RULE else [settings]
    if not found:
        raise OptionError("nothing to compare: give at least one method and one rule")
    names = [method_label(settings) for settings in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise OptionError(f"{twice!r} is given twice")
    return found


def method_label(settings: Mapping[str, Any]) -> str:
    """Method, batch size and rule, without defaults, as in "minibatch 32, adam"."""
    batch = f" {settings['batch_size']}" if "batch_size" in settings else ""
    rule = settings.get("rule", "sgd")
    return f"{settings['method']}{batch}" + ("" if rule == "sgd" else f", {rule}")


@dataclass
class _Timed:
    """A fit that was repeated on one thread and on all: the result of median time, and median seconds by threads."""

    result: Result
    error: DivergedError | None
    seconds: dict[int, float]

    @property
    def lowest(self) -> float:
        """The lowest F of the trace; infinity after divergence."""
        values = self.result.trace["objective"]
        return float(np.nanmin(np.where(np.isfinite(values), values, np.nan))) if not self.error else math.inf

    def fill_objectives(self, objective: Objective) -> None:
        """Evaluate F at the rows of the trace where the fit did not."""
        path, trace = self.result.path, self.result.trace.copy()
        missing = np.isnan(trace["objective"])
        if path is None or not missing.any():
            return
        points = path[..., : objective.n_parameters][missing]
        trace["objective"][missing] = objectives_at(objective, points)
        self.result = replace(self.result, trace=trace)


def _timed(
    X: Any, y: Any, settings: dict[str, Any], repeats: int, all_threads: int, options: dict[str, Any]
) -> _Timed | OptionError:
    """Repeat the fit of one method; return its `OptionError` if it does not support the problem."""
    seconds: dict[int, list[float]] = {count: [] for count in sorted({1, all_threads})}
    runs: list[tuple[float, Result]] = []
    error: DivergedError | None = None
    with suppress(DivergedError, OptionError):
        fit(X, y, **{**options, **settings, "max_epochs": 1}, n_threads=all_threads)  # compiles or loads the kernels
    for _ in range(repeats):
        for count in seconds:
            try:
                result = fit(X, y, **{**options, **settings}, n_threads=count)
            except DivergedError as diverged:
                if diverged.result is None:
                    raise
                result, error = diverged.result, diverged
            except OptionError as refused:
                return refused
            seconds[count].append(result.seconds["fit"])
            if count == all_threads:
                runs.append((result.seconds["fit"], result))
    middle = sorted(runs, key=lambda run: run[0])[len(runs) // 2][1]
    return _Timed(middle, error, {count: float(np.median(times)) for count, times in seconds.items()})


def _entry(name: str, settings: dict[str, Any], run: _Timed | OptionError, goal: float) -> Entry:
    """The entry of one method."""
    saddle = _leaves_saddle(settings)
    if isinstance(run, OptionError):
        return Entry(name, settings, None, run, {}, None, None, saddle)
    trace = run.result.trace
    rows = float(trace["passes"][-1]) * run.result.n_samples
    reached = np.flatnonzero(trace["objective"] <= goal)
    row = trace[reached[0]] if len(reached) and not run.error else None
    return Entry(
        label=name, settings=settings, result=run.result, error=run.error,
        rows_per_second={} if run.error else {count: rows / seconds for count, seconds in run.seconds.items()},
        epochs_to_goal=None if row is None else int(row["epoch"]),
        seconds_to_goal=None if row is None else float(row["seconds"]), leaves_saddle=saddle,
    )  # fmt: skip


def _leaves_saddle(settings: dict[str, Any]) -> bool | None:
    """Whether a fit escapes from the saddle point of the built-in data, which has 7 rows and its own batch size."""
    table = open_table("saddle")
    options = {name: value for name, value in settings.items() if name != "batch_size"}
    try:
        result = fit(table, **{**table.defaults, **options})
    except DivergedError:
        return False
    except OptionError:
        return None
    return result.objective < SADDLE_LEFT


def _objective(X: Any, y: Any, options: dict[str, Any]) -> Objective:
    """F that all methods minimise."""
    names = ("sample_weight", "class_weight", "offset", "penalty_weights", "validation")
    given: dict[str, Any] = {name: options.get(name) for name in names}
    rows = RowOptions(**given, seed=int(options.get("seed", 0)))
    penalty = resolve_penalty(options.get("penalty"), options.get("alpha", 0.0), options.get("l1_ratio"))
    chosen = choose_loss(options.get("loss", "auto"), X, y, options.get("sample_weight"))
    return pose(X, chosen.y, chosen.term, penalty, options.get("fit_intercept", True), rows).objective
