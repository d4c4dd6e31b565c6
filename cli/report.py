"""``--report``: the content of the page about a run or a comparison."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd import DivergedError, FastgdError, Landscape, Report, Result, Table
from fastgd.losses import LOSSES
from fastgd.model.quality import METRIC_NAMES
from fastgd.wording import label, plural

from .summary import describe_method, samples_per_second, training_quality, weight_rows, why_stopped

if TYPE_CHECKING:
    from fastgd import Comparison
    from fastgd.comparison import Entry

COLUMNS_NAMED = 30
CLASSES_COUNTED = 20
# The landscape evaluates F a few hundred times, on at most this many numbers: a few seconds.
MOST_NUMBERS = 5_000_000


def run_report(
    run: Result | DivergedError, table: Table, asked: Mapping[str, Any], title: str, smooth: float | None
) -> Report:
    """The report of ``fastgd run``; ``asked`` are the arguments of `fastgd.fit` that `fastgd.landscape` takes."""
    result = run.result if isinstance(run, DivergedError) else run
    report = _report({result.method: result}, [table_row(run, result)], table, asked, title, smooth)
    return replace(
        report, settings=settings_of(result, asked.get("n_threads")), model=model_facts(run, result, table),
        runs={result.method: run}, remarks=(*table.remarks, *result.remarks),
    )  # fmt: skip


def comparison_report(
    found: Comparison, table: Table, asked: Mapping[str, Any], title: str, smooth: float | None
) -> Report:
    """The report of ``fastgd compare``."""
    results = {entry.label: entry.result for entry in found.entries if entry.result is not None}
    some = next(iter(results.values()))
    rows = [comparison_row(entry, found) for entry in found.entries]
    refused = [f"{entry.label}: {entry.error}" for entry in found.entries if entry.result is None]
    settings = {
        "loss": LOSSES.describe(some.loss),
        "penalty": some.settings["penalty"],
        "goal": found.goal if math.isfinite(found.goal) else None,
        "objective at the start": found.start,
        **{name: found.settings.get(name) for name in ("learning_rate", "max_epochs", "seed")},
        "n_threads": found.n_threads,
    }
    report = _report(results, rows, table, asked, title, smooth)
    return replace(report, settings=settings, runs=found.runs, remarks=(*table.remarks, *refused))


def _report(
    results: Mapping[str, Result], rows: list[dict[str, Any]], table: Table, asked: Mapping[str, Any], title: str,
    smooth: float | None,
) -> Report:  # fmt: skip
    """The content that both reports have: the command line, the data, the table and the landscape."""
    found, missing = surface(results, table, asked)
    return Report(
        title, shlex.join(["fastgd", *sys.argv[1:]]), data=data_facts(table), columns=list(rows[0]),
        rows=[list(row.values()) for row in rows], landscape=found, no_landscape=missing,
        smooth=0.9 if smooth is None else smooth,
    )  # fmt: skip


def comparison_row(entry: Entry, found: Comparison) -> dict[str, Any]:
    """The cells of a method's row, by column."""
    counts = sorted({1, found.n_threads})
    speeds = {f"rows a second, {plural(count, 'thread')}": entry.rows_per_second.get(count) for count in counts}
    return {
        "method": entry.label,
        **{name: None if speed is None else round(speed) for name, speed in speeds.items()},
        **({"ratio": round(entry.speedup, 2) if entry.rows_per_second else None} if len(counts) > 1 else {}),
        "epochs to the goal": entry.epochs_to_goal,
        "seconds to the goal": entry.seconds_to_goal,
        "objective": None if entry.error else entry.objective,
        "leaves the saddle": entry.leaves_saddle,
    }


def settings_of(result: Result, n_threads: int | None) -> dict[str, Any]:
    return {
        "loss": LOSSES.describe(result.loss),
        "method": describe_method(result),
        **result.settings,
        "n_threads": n_threads or "all",
    }


def table_row(run: Result | DivergedError, result: Result) -> dict[str, Any]:
    """The cells of the run's row, by column."""
    return {
        "method": result.method,
        "learning rate": result.learning_rate,
        "epochs": result.n_epochs,
        "seconds": result.seconds["fit"],
        "rows a second": round(samples_per_second(result)),
        "objective": result.objective,
        "gap at most": result.gap_bound,
        "stopped": f"diverged in epoch {run.epoch}" if isinstance(run, DivergedError) else why_stopped(result),
    }


def model_facts(run: Result | DivergedError, result: Result, table: Table) -> dict[str, Any]:
    facts: dict[str, Any] = dict(weight_rows(result))
    if isinstance(run, Result):
        quality = training_quality(table, result)
        facts |= {f"{METRIC_NAMES[name]} on the training data": value for name, value in quality.items()}
    return facts


def data_facts(table: Table) -> dict[str, Any]:
    names = list(table.feature_names[:COLUMNS_NAMED])
    if table.n_features > COLUMNS_NAMED:
        names.append(f"and {table.n_features - COLUMNS_NAMED:,} more")
    kind = "dense" if isinstance(table.X, np.ndarray) else f"sparse, {plural(table.X.nnz, 'value')}"
    facts: dict[str, Any] = {
        "source": table.source,
        "rows": table.n_samples,
        "columns": table.n_features,
        "names": names,
        "kind": f"{kind}, {table.X.dtype}",
        "target": table.target_name,
        **target_facts(table.y),
        "weights": "one for each row" if table.sample_weight is not None else None,
        "offset": table.offset_name,
    }
    return {name: value for name, value in facts.items() if value is not None}


def target_facts(y: np.ndarray | None) -> dict[str, Any]:
    """Statistics of the target, if it is a single one."""
    if y is None or y.ndim != 1:
        return {}
    values, counts = np.unique(y, return_counts=True)
    if y.dtype.kind != "f" or len(values) <= 2:
        shown = zip(values.tolist()[:CLASSES_COUNTED], counts.tolist(), strict=False)
        more = len(values) - CLASSES_COUNTED
        lines = [f"{label(value)}: {count:,}" for value, count in shown]
        return {"target values": [*lines, *([f"and {more:,} more"] if more > 0 else [])]}
    return {
        "target mean": float(y.mean()),
        "target standard deviation": float(y.std()),
        "target minimum": float(y.min()),
        "target maximum": float(y.max()),
    }


def surface(results: Mapping[str, Result], table: Table, asked: Mapping[str, Any]) -> tuple[Landscape | None, str]:
    """The landscape of F around the paths, or the reason why it is not drawn."""
    kept = {name: result for name, result in results.items() if result.path is not None}
    if not kept:
        return None, "the weights of all epochs are more than a million numbers and were not kept."
    n_outputs = next(iter(kept.values())).n_outputs
    numbers = table.X.size * n_outputs if n_outputs > 1 else 2 * table.n_samples
    if numbers > MOST_NUMBERS:
        return None, "the data is large, so it would take long; fastgd run --plot-landscape FILE.svg draws it."
    from fastgd import landscape

    try:
        return landscape(table, results=kept, **asked), ""
    except FastgdError as error:  # the page is written without it
        return None, f"{error}."
