"""`compare`: methods side by side from one start, how fast each goes through the rows and how soon it is at a goal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .compile.jit import compile_error, thread_pool_size, threads
from .data import open as open_table
from .errors import DivergedError, FastgdError, OptionError
from .fitting import fit, pose
from .model.result import Result
from .objective.many_points import objectives_at
from .objective.problem import Problem, RowOptions
from .solvers.options import COMPARED, METHODS, check_whole
from .terms.losses import LOSSES
from .terms.penalties import resolve_penalty
from .terms.update_rules import RULES

# Those that take an update rule.
WITH_RULE = ("gd", "sgd", "minibatch")
# The default goal: so much of the way from F at the start to the lowest F that any of them has got to.
SHARE_OF_THE_WAY = 0.99
# Below this F has left the saddle of the built-in data, where it is 1/6, for the bottom of a valley, where it is 0.
OUT_OF_THE_SADDLE = 0.01


@dataclass(frozen=True)
class Entry:
    """How one method fared.

    Attributes
    ----------
    label : method, batch size and rule, as in "minibatch 32, adam".
    settings : what `fit` was given for it: "method", perhaps "batch_size" and "rule".
    result : what it came to; of a run that diverged, what there was. Its trace has F after each epoch, wherever the
        weights there were kept. None where the method does not take the problem.
    error : why there is no model: the `DivergedError`, or the `OptionError` of a method that does not take the
        problem; else None.
    rows_per_second : for 1 thread and for all, by their number: the rows of all passes by the median of the seconds;
        empty without a model.
    speedup : the second of these divided by the first; NaN where there is one thread only.
    epochs_to_goal, seconds_to_goal : after which epoch F is at the goal for the first time, and how long that took on
        all threads, as its trace counts: from the first step, without checks and the choice of a learning rate before
        it. None where it never is.
    objective : F at the end; NaN without a model.
    leaves_saddle : whether it finds a way down from the saddle point of the built-in data ``saddle``; None where it
        does not take the problem.
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
    """What `compare` found.

    Attributes
    ----------
    entries : an `Entry` for each method, in order.
    goal : the F to reach; NaN where no method has a model.
    start : F at the start.
    n_threads : what "all threads" are.
    runs : by label the results, or how they diverged: for `plot_loss`, `landscape` and a `Report`.
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
    X: Any,
    y: Any = None,
    *,
    methods: Sequence[str] = COMPARED,
    rules: Sequence[Any] = ("sgd",),
    goal: float | None = None,
    repeats: int = 3,
    n_threads: int | None = None,
    **options: Any,
) -> Comparison:
    """Fit one problem by several methods, from one start and with one seed, and measure each.

    Every fit is done ``repeats`` times on all threads and on one, in turn; they go through the same weights, since the
    bits do not depend on threads, and differ in seconds alone, of which the medians count. Compilation does not. Which
    methods get away from a saddle point is tried on the built-in data ``saddle``.

    Parameters
    ----------
    methods : names of methods; "minibatch:256" is mini-batches of 256 rows.
    rules : update rules, each for every one of gd, sgd and minibatch.
    goal : the F whose epochs and seconds are counted; by default 99 % of the way from F at the start to the lowest F
        that any of the methods has got to.
    repeats : how often each is timed.
    n_threads : what "all threads" are; as many as there are unless given.
    options : all others are those of `fit`.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError, OptionError
        As `fit` does; an OptionError for a method where none of them takes the problem.
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
    all_threads = thread_pool_size()
    if n_threads is not None:
        all_threads = min(check_whole("n_threads", n_threads, 1), all_threads)
    plans = [(label(settings), settings) for settings in _settings_of(methods, rules)]
    runs = {name: _timed(X, y, settings, repeats, all_threads, options) for name, settings in plans}
    errors = [run for run in runs.values() if isinstance(run, OptionError)]
    if len(errors) == len(runs):
        raise errors[0]
    problem = _problem(X, y, options)
    fits = {name: run for name, run in runs.items() if isinstance(run, _Timed)}
    with threads(all_threads), compile_error(), np.errstate(all="ignore"):
        for run in fits.values():
            run.fill_objectives(problem)
    begun = next((float(run.result.trace["objective"][0]) for run in fits.values()), math.nan)
    if goal is None:
        lowest = min((run.lowest for run in fits.values()), default=math.inf)
        goal = begun - SHARE_OF_THE_WAY * (begun - lowest) if math.isfinite(lowest) else math.nan
    entries = [_entry(name, settings, runs[name], goal) for name, settings in plans]
    return Comparison(tuple(entries), float(goal), begun, all_threads, dict(options))


def _settings_of(methods: Sequence[str], rules: Sequence[Any]) -> list[dict[str, Any]]:
    """What `fit` is given for each row of the table."""
    for rule in rules:
        RULES.resolve(rule)
    found = []
    for text in methods:
        name, _, size = text.partition(":")
        settings: dict[str, Any] = {"method": name}
        if size:
            if name != "minibatch" or not size.isdecimal() or int(size) == 0:
                raise OptionError(f"{text!r} is no method: of batches one is minibatch:32, say")
            settings["batch_size"] = int(size)
        elif name not in METHODS:
            raise OptionError(f"unknown method {name!r} (known: {', '.join(METHODS)}, and minibatch:32, say)")
        found += [{**settings, "rule": rule} for rule in rules] if name in WITH_RULE else [settings]
    if not found:
        raise OptionError("there is nothing to compare: name at least one method and one rule")
    names = [label(settings) for settings in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise OptionError(f"{twice!r} is named twice")
    return found


def label(settings: Mapping[str, Any]) -> str:
    """Method, batch size and rule, as far as they say something."""
    batch = f" {settings['batch_size']}" if "batch_size" in settings else ""
    rule = settings.get("rule", "sgd")
    return f"{settings['method']}{batch}" + ("" if rule == "sgd" else f", {rule}")


@dataclass
class _Timed:
    """A fit that was done several times, on one thread and on all of them."""

    result: Result
    error: DivergedError | None
    seconds: dict[int, float]

    @property
    def lowest(self) -> float:
        values = self.result.trace["objective"]
        return float(np.nanmin(np.where(np.isfinite(values), values, np.nan))) if not self.error else math.inf

    def fill_objectives(self, problem: Problem) -> None:
        """F at each row of the trace, also where the fit itself did not look."""
        path, trace = self.result.path, self.result.trace.copy()
        missing = np.isnan(trace["objective"])
        if path is None or not missing.any():
            return
        points = path[..., : problem.n_parameters][missing]
        trace["objective"][missing] = objectives_at(problem, points)
        self.result = replace(self.result, trace=trace)


def _timed(
    X: Any, y: Any, settings: dict[str, Any], repeats: int, all_threads: int, options: dict[str, Any]
) -> _Timed | OptionError:
    """The fits of one method; the error of one that does not take the problem."""
    seconds: dict[int, list[float]] = {count: [] for count in sorted({1, all_threads})}
    runs: list[tuple[float, Result]] = []
    error: DivergedError | None = None
    with suppress(DivergedError, OptionError):
        fit(X, y, **{**options, **settings, "max_epochs": 1}, n_threads=all_threads)  # compiles, or loads, the kernels
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
    saddle = _leaves_saddle(settings)
    if isinstance(run, OptionError):
        return Entry(name, settings, None, run, {}, None, None, saddle)
    trace = run.result.trace
    rows = float(trace["passes"][-1]) * run.result.n_samples
    reached = np.flatnonzero(trace["objective"] <= goal)
    row = trace[reached[0]] if len(reached) and not run.error else None
    return Entry(
        label=name,
        settings=settings,
        result=run.result,
        error=run.error,
        rows_per_second={} if run.error else {count: rows / seconds for count, seconds in run.seconds.items()},
        epochs_to_goal=None if row is None else int(row["epoch"]),
        seconds_to_goal=None if row is None else float(row["seconds"]),
        leaves_saddle=saddle,
    )


def _leaves_saddle(settings: dict[str, Any]) -> bool | None:
    """Tried from the start of the built-in data; its seven rows choose the size of mini-batches themselves."""
    table = open_table("saddle")
    tried = {name: value for name, value in settings.items() if name != "batch_size"}
    try:
        result = fit(table, **{**table.defaults, **tried})
    except DivergedError:
        return False
    except OptionError:
        return None
    return result.objective < OUT_OF_THE_SADDLE


def _problem(X: Any, y: Any, options: dict[str, Any]) -> Problem:
    """The problem that all of them fit, to evaluate F."""
    given = {name: options.get(name) for name in ("sample_weight", "class_weight", "offset", "penalty_weights")}
    rows = RowOptions(**given, validation=options.get("validation"), seed=int(options.get("seed", 0)))
    penalty = resolve_penalty(options.get("penalty"), options.get("alpha", 0.0), options.get("l1_ratio"))

    loss = LOSSES.resolve(options.get("loss", "squared"))
    return pose(X, y, loss, penalty, options.get("fit_intercept", True), rows)[0]
