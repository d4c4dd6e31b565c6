"""The explanation of a divergence: its epoch, the largest stable rate, the columns that cause it, and a rate to try."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..certificate.certificate import Certificate
from ..errors import DivergedError
from ..kernels.update_step import Preconditioner
from ..objective.column_statistics import column_moments
from ..objective.intercept_only import best_constant
from ..objective.objective import Objective
from ..objective.passes import PassCounter
from ..objective.preconditioner import is_identity
from ..objective.smoothness import smoothness, squared_norms
from ..solvers.learning_rates import stable_limit, stable_rates
from ..solvers.options import SECOND_ORDER, Options
from ..solvers.plan import Plan
from ..solvers.rate_search import rows_to_try
from ..solvers.solver_choice import make_solver
from ..solvers.step_size import StepSize
from ..terms.losses import loss_traits
from ..terms.rule_protocol import rule_traits
from ..terms.schedule_protocol import schedule_traits
from ..wording import for_reader, option
from .divergence_guard import Diverged
from .loop import TrainingLoop
from .progress import Reporter, reporting_to

# A column is named if its root mean square is above this many times the median of the others.
MIN_COLUMN_RATIO = 10.0
MAX_COLUMNS = 3
# A rate is tried for as many epochs as handle about this many values, some tenths of a second.
TRIAL_VALUES = 1 << 26
MIN_TRIAL_EPOCHS, MAX_TRIAL_EPOCHS = 3, 100
# A rate that does not lower F is divided by this and tried again.
RATE_DIVISOR = 4.0
MAX_RATES = 24


class ColumnScale(NamedTuple):
    """A large column: its mean and spread; ``typical`` is the median root mean square of the others."""

    name: str
    mean: float
    spread: float
    typical: float


@dataclass(frozen=True)
class Divergence:
    """The explanation of a divergence; for the attributes see `DivergedError`."""

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


def explain(objective: Objective, options: Options, plan: Plan, start: np.ndarray, epoch: int) -> Divergence:
    """Explain why training from ``start`` diverged in this epoch and what to do."""
    what = f"training diverged in epoch {epoch}: the loss grew instead of falling"
    if schedule_traits(options.schedule).sets_rate:
        text = f"{what}. The rates of the schedule are too large: try another schedule"
        return Divergence(text, epoch, None, None, ())
    rate, own_units = plan.learning_rate, is_identity(plan.preconditioner)
    limit, symbol = _stable_rate(objective, options, plan)
    columns = _large_columns(objective) if own_units else ()
    suggested = suggest_rate(objective, options, plan, start)
    if limit is not None and rate > limit:
        cause = f"The learning rate {rate:g} is too large: rates up to {_short(limit)} ({symbol}) are stable"
    else:  # the limit is not a bound here
        cause, limit = f"The learning rate {rate:.4g} is too large for these data", None
    sentences = [what, cause, *_columns_sentence(objective, columns), _advice(options, suggested, own_units)]
    return Divergence(". ".join(sentences), epoch, limit, suggested, columns)


def _stable_rate(objective: Objective, options: Options, plan: Plan) -> tuple[float | None, str]:
    """The largest rate known to be stable, and its formula; None if no such rate is known."""
    unbounded = loss_traits(objective.loss).curvature is None
    if unbounded or rule_traits(options.rule).adaptive or options.method in SECOND_ORDER:
        return None, ""
    found = smoothness(objective, plan.preconditioner, plan.batch_size)
    most = stable_limit(options, plan.batch_size >= objective.n_samples)
    constant = float(found.constants.max())
    return (most / constant, f"{most:.3g}/{found.symbol}") if constant > 0 else (None, "")


# --- What to try ----------------------------------------------------------------------------------------------------


def suggest_rate(objective: Objective, options: Options, plan: Plan, start: np.ndarray) -> float | None:
    """A rate below the plan's at which the same method, tried from ``start``, lowers F; None if none was found.

    The first to try is the rate that ``learning_rate="auto"`` would take, in the variables of the plan.
    """
    first = 1.0
    if options.method not in SECOND_ORDER:
        first = float(stable_rates(objective, options, plan.preconditioner, plan.batch_size).values.min())
    rate = min(first, plan.learning_rate / 2.0)
    few = _trial_rows(objective, plan.preconditioner)
    for _ in range(MAX_RATES):
        rate = round_down(rate)
        if _lowers_objective(few, options, plan, start, rate):
            return rate
        rate /= RATE_DIVISOR
    return None


def _trial_rows(objective: Objective, preconditioner: Preconditioner) -> Objective:
    """F on a sample of the rows that includes the longest rows."""
    chosen = rows_to_try(objective.n_samples, squared_norms(objective, preconditioner))
    rows = objective.rows if len(chosen) == objective.n_samples else objective.rows.take(chosen)
    return objective.on(rows, PassCounter(len(chosen)))


def _lowers_objective(objective: Objective, options: Options, plan: Plan, start: np.ndarray, rate: float) -> bool:
    """Whether some epochs of training at this rate lower F."""
    affordable = max(TRIAL_VALUES // max(objective.n_values * objective.n_outputs, 1), MIN_TRIAL_EPOCHS)
    epochs = min(options.max_epochs, MAX_TRIAL_EPOCHS, affordable)
    options = replace(
        options, learning_rate=rate, max_epochs=epochs, max_seconds=None, tol=0.0, gap_tol=None, trace="epoch",
        callbacks=(),
    )  # fmt: skip
    plan = replace(plan, learning_rate=rate, batch_size=min(plan.batch_size, objective.n_samples))
    objective = objective.on(objective.rows, PassCounter(objective.n_samples))
    before = objective.evaluate(start)
    with reporting_to(Reporter()):
        solver = make_solver(objective, options, plan)
        loop = TrainingLoop(
            objective, options, solver, StepSize(options.schedule, rate), at_start=before.objective, start=start,
            constant=best_constant(objective), preconditioner=None, certificate=Certificate(objective),
        )  # fmt: skip
        objective.passes.training = 0.0
        try:
            loop.begin(before)
            loop.run()
        except Diverged:
            return False
        finally:
            solver.close()
        return bool(objective.value(loop.params) < before.objective)


def round_down(value: float) -> float:
    """Round down to two significant digits."""
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


# --- Columns that cause it ------------------------------------------------------------------------------------------


def _large_columns(objective: Objective) -> tuple[ColumnScale, ...]:
    """The columns with values far larger than in half of the others, the largest first.

    They set the largest eigenvalue of X'X, and so the stable rate, for all columns.
    """
    mean, spread = column_moments(objective, centred=True)
    size = np.hypot(mean, spread)
    found = []
    if len(size) + int(objective.fit_intercept) == 1:
        return ()  # there are no others
    for j in np.argsort(-size, kind="stable")[:MAX_COLUMNS]:
        typical = float(np.median(np.append(np.delete(size, j), np.ones(int(objective.fit_intercept)))))
        if size[j] > MIN_COLUMN_RATIO * typical:
            name = names[j] if (names := objective.rows.feature_names) else str(j + 1)
            found.append(ColumnScale(name, float(mean[j]), float(spread[j]), typical))
    return tuple(found)


def _columns_sentence(objective: Objective, columns: tuple[ColumnScale, ...]) -> list[str]:
    """A sentence on the columns, if there are any."""
    if not columns:
        return []
    named = [f"{column.name!r} ({_scale_of(column)})" for column in columns]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    subject = f"Column {listed} is" if len(named) == 1 else f"Columns {listed} are"
    others = "half of the others are" if objective.n_features > len(columns) else "the intercept's column is"
    return [f"{subject} the cause, while {others} no larger than {_short(columns[0].typical)}"]


def _scale_of(column: ColumnScale) -> str:
    spread = f"spread {_short(column.spread)}"
    return f"mean {_short(column.mean)}, {spread}" if abs(column.mean) > column.spread else spread


def _short(value: float) -> str:
    """A number in two or three digits, thousands with commas."""
    return f"{float(f'{value:.3g}'):,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.2g}"
