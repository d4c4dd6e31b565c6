"""What is said where training diverged: when, above which rate, on account of which columns, and what to try."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..data.matrix import take_rows
from ..errors import DivergedError
from ..kernels.row_targets import Targets
from ..kernels.update_step import Preconditioner
from ..objective.problem import Problem
from ..solvers.methods import RUN
from ..solvers.options import QUASI_NEWTON, Options
from ..solvers.plan import Plan
from ..solvers.rate_search import rows_to_try
from ..solvers.steps import column_moments, smoothness, squared_norms, stable_limit, stable_rates
from ..wording import for_reader, option
from .progress import Reporter, reporting_to
from .watch import Diverged, Watch

# A column is named where it is so many times as large as half of the others.
FAR = 10.0
MOST_COLUMNS = 3
# A rate is tried on as many epochs as handle about this many values, some tenths of a second.
VALUES_TRIED = 1 << 26
FEWEST_EPOCHS, MOST_EPOCHS = 3, 100
# One that does not do is divided by this, and tried again.
SHRINK = 4.0
MOST_TRIALS = 24


class ColumnScale(NamedTuple):
    """A column far larger than others: its mean and spread, and ``typical``, the others' median root mean square."""

    name: str
    mean: float
    spread: float
    typical: float


@dataclass(frozen=True)
class Divergence:
    """A divergence explained; the attributes are those of `DivergedError`."""

    message: str
    epoch: int
    stable_rate: float | None
    suggested_rate: float | None
    columns: tuple[ColumnScale, ...]
    under_way: np.ndarray | None = None

    def error(self, result: Any) -> DivergedError:
        return DivergedError(
            self.message,
            result,
            epoch=self.epoch,
            stable_rate=self.stable_rate,
            suggested_rate=self.suggested_rate,
            columns=self.columns,
            under_way=self.under_way,
        )


def explain(problem: Problem, options: Options, plan: Plan, start: np.ndarray, epoch: int) -> Divergence:
    """Why training from ``start`` diverged in this epoch, and what to do about it."""
    what = f"training diverged in epoch {epoch}: the loss grew instead of falling"
    if getattr(options.schedule, "sets_rate", False):
        text = f"{what}. The rates of the schedule are too large: try another schedule"
        return Divergence(text, epoch, None, None, ())
    rate, own_units = plan.learning_rate, _is_identity(plan.preconditioner)
    limit, symbol = _stable_rate(problem, options, plan)
    columns = _large_columns(problem) if own_units else ()
    suggested = suggest_rate(problem, options, plan, start)
    if limit is not None and rate > limit:
        cause = f"The learning rate {rate:g} is too large: rates up to {_short(limit)} ({symbol}) are stable"
    else:  # the limit does not hold here
        cause, limit = f"The learning rate {rate:.4g} is too large for these data", None
    sentences = [what, cause, *_about_columns(problem, columns), _advice(options, suggested, own_units)]
    return Divergence(". ".join(sentences), epoch, limit, suggested, columns)


def _is_identity(preconditioner: Preconditioner) -> bool:
    return bool((preconditioner.scale == 1).all()) and not preconditioner.shift.any()


def _stable_rate(problem: Problem, options: Options, plan: Plan) -> tuple[float | None, str]:
    """The largest rate known to be stable, and its formula; None where there is none."""
    bounded = getattr(problem.loss, "curvature", None) is not None
    if not bounded or getattr(options.rule, "adaptive", False) or options.method in QUASI_NEWTON:
        return None, ""
    found = smoothness(problem, plan.preconditioner, plan.batch_size)
    most = stable_limit(options, plan.batch_size >= problem.n_samples)
    constant = float(found.constants.max())
    return (most / constant, f"{most:.3g}/{found.symbol}") if constant > 0 else (None, "")


# --- What to try ----------------------------------------------------------------------------------------------------


def suggest_rate(problem: Problem, options: Options, plan: Plan, start: np.ndarray) -> float | None:
    """A rate below the plan's at which the same method, tried from ``start``, lowers F; None where none was found.

    The first to be tried is the one that ``learning_rate="auto"`` would take in the user's variables.
    """
    first = 1.0
    if options.method not in QUASI_NEWTON:
        first = float(stable_rates(problem, options, plan.preconditioner, plan.batch_size).values.min())
    rate = min(first, plan.learning_rate / 2.0)
    few = _few_rows(problem, plan.preconditioner)
    for _ in range(MOST_TRIALS):
        rate = round_down(rate)
        if _lowers(few, options, plan, start, rate):
            return rate
        rate /= SHRINK
    return None


def _few_rows(problem: Problem, preconditioner: Preconditioner) -> Problem:
    """The same problem on a sample of the rows, with the longest ones among them."""
    rows = rows_to_try(problem.n_samples, squared_norms(problem, problem.X, preconditioner, problem.targets.weight))
    if len(rows) == problem.n_samples:
        return problem
    y, weight, offset = (part[rows] if len(part) else part for part in problem.targets[:3])
    targets = Targets(y, weight, offset, *problem.targets[3:])
    return replace(problem, X=take_rows(problem.X, rows), targets=targets, rows=None)


def _lowers(problem: Problem, options: Options, plan: Plan, start: np.ndarray, rate: float) -> bool:
    """Whether training at this rate ends at a lower F."""
    affordable = max(VALUES_TRIED // max(problem.n_values * problem.n_outputs, 1), FEWEST_EPOCHS)
    epochs = min(options.max_epochs, MOST_EPOCHS, affordable)
    options = replace(
        options, learning_rate=rate, max_epochs=epochs, max_seconds=None, tol=0.0, trace="epoch", callbacks=()
    )
    plan = replace(plan, learning_rate=rate, passes=0.0, batch_size=min(plan.batch_size, problem.n_samples))
    params = start.copy()
    before = problem.objective(params)
    with reporting_to(Reporter()):
        watch = Watch(problem, options, params, before)
        try:
            RUN[plan.method](problem, options, plan, watch, params)
        except Diverged:
            return False
        return bool(problem.objective(watch.model()) < before)


def round_down(value: float) -> float:
    """To two significant digits, never above the value."""
    magnitude = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.floor(value / magnitude) * magnitude:.2g}")


def _advice(options: Options, suggested: float | None, own_units: bool) -> str:
    if options.learning_rate == "auto":
        clip = "" if options.clip_norm else f", or {option('clip_norm')}, which shortens the steps of outlying rows"
        smaller = f"a smaller {option('learning_rate')}" if suggested is None else option("learning_rate", suggested)
        return f"Try {smaller}{clip}"
    scales = ", which also scales the columns" if own_units and options.scale == "auto" else ""
    if suggested is None:
        return f"Try {option('learning_rate', 'auto')}{scales}"
    return f"Try {option('learning_rate', suggested)} or {for_reader(repr('auto'), 'auto')}{scales}"


# --- Which columns are to blame -------------------------------------------------------------------------------------


def _large_columns(problem: Problem) -> tuple[ColumnScale, ...]:
    """The columns whose values are far larger than those of half of the others, the largest first.

    They set the largest eigenvalue of X'X, and so the stable rate, for all columns.
    """
    mean, spread = column_moments(problem, centred=True)
    size = np.hypot(mean, spread)
    found = []
    if len(size) + int(problem.fit_intercept) == 1:
        return ()  # there are no others
    for j in np.argsort(-size, kind="stable")[:MOST_COLUMNS]:
        typical = float(np.median(np.append(np.delete(size, j), np.ones(int(problem.fit_intercept)))))
        if size[j] > FAR * typical:
            name = problem.feature_names[j] if problem.feature_names else str(j + 1)
            found.append(ColumnScale(name, float(mean[j]), float(spread[j]), typical))
    return tuple(found)


def _about_columns(problem: Problem, columns: tuple[ColumnScale, ...]) -> list[str]:
    """A sentence on the columns, or none."""
    if not columns:
        return []
    named = [f"{column.name!r} ({_scale_of(column)})" for column in columns]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    subject = f"Column {listed} is" if len(named) == 1 else f"Columns {listed} are"
    others = "half of the others are" if problem.n_features > len(columns) else "the intercept's column is"
    return [f"{subject} the cause, while {others} no larger than {_short(columns[0].typical)}"]


def _scale_of(column: ColumnScale) -> str:
    spread = f"spread {_short(column.spread)}"
    return f"mean {_short(column.mean)}, {spread}" if abs(column.mean) > column.spread else spread


def _short(value: float) -> str:
    """Two or three digits; thousands with commas."""
    return f"{float(f'{value:.3g}'):,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.2g}"
