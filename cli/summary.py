"""The summary that ``fastgd run`` prints, as text or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgd import Result, Table
from fastgd.data.table_split import rows_of
from fastgd.losses import LOSSES
from fastgd.model.metrics import evaluate
from fastgd.model.quality import Quality
from fastgd.model.result import output_names
from fastgd.show.trace_curves import as_trace, spans_decades
from fastgd.solvers.options import WHOLE_STEPS
from fastgd.wording import plural

from .chart import STEPS, can_print, sparkline
from .console import echo, print_table
from .held_out import HeldOut, in_one_line, test_rows
from .validation import lowest_loss, validation_rows

STOP_REASONS = {
    "tol": "converged: what is left to gain is below the tolerance",
    "stalled": "the loss no longer falls, but the optimum is not reached",
    "gap_tol": "converged: the objective is proved to be within --gap-tol of its minimum",
    "precision": "converged: the possible improvement is below rounding error",
    "max_seconds": "at the limit of --max-seconds",
    "validation": "the loss on the validation rows no longer improves",
    "callback": "by a callback",
}
COEFFICIENTS_SHOWN = 10
FEWEST_DRAWN, LONGEST_SPARKLINE = 4, 32
OUTPUTS_SHOWN = 5
COLUMNS_IN_JSON = 64
COEFFICIENTS_IN_JSON = 1024  # of all outputs
# Metrics on the training data take a pass over X and a sort; this many rows are enough.
ROWS_MEASURED = 1_000_000


def describe_target(target_name: str | tuple[str, ...] | None) -> str:
    return f"targets {', '.join(target_name)}" if isinstance(target_name, tuple) else f"target {target_name}"


def describe_data(table: Table) -> str:
    size = f"{plural(table.n_samples, 'row')} x {plural(table.n_features, 'column')}"
    return f"{table.source}: {size}, {describe_target(table.target_name)}"


def describe_loss(result: Result) -> str:
    """The loss and the penalty; where the loss was chosen, why."""
    described = f"{LOSSES.describe(result.loss)}, penalty {result.settings['penalty']}"
    return described if not was_chosen(result) else f"{described} (auto: {result.settings['loss_reason']})"


def was_chosen(result: Result) -> bool:
    """Whether the target decided the loss; the first remark is then about it."""
    return bool(result.settings.get("loss_reason"))


def training_quality(table: Table, result: Result) -> Quality:
    return evaluate(result, rows_of(table, slice(ROWS_MEASURED)) if table.n_samples > ROWS_MEASURED else table)


def samples_per_second(result: Result) -> float:
    seconds = float(result.trace["seconds"][-1])
    passes = float(result.trace["passes"][-1] - result.trace["passes"][0])
    return passes * result.n_samples / max(seconds, 1e-9)


def print_summary(table: Table, result: Result, held_out: HeldOut, seconds_read: float, files: dict[str, str]) -> None:
    seconds = result.seconds
    compiled = f", compiling {seconds['compile']:.1f} s (once on this machine)" if seconds["compile"] > 0.05 else ""
    speed = f"{large(samples_per_second(result))} rows a second"
    epochs = plural(result.n_epochs, "epoch")
    rows = [
        *([("warning", result.warning)] if result.warning else []),
        *([("loss", describe_loss(result))] if was_chosen(result) else []),
        ("data", describe_data(table)),
        *([] if was_chosen(result) else [("loss", describe_loss(result))]),
        ("method", describe_method(result)),
        ("training", f"{epochs} in {seconds['fit']:.3g} s, {speed}; reading {seconds_read:.2g} s{compiled}"),
        ("stopped", why_stopped(result)),
        *_where_stopped(result),
        ("objective", f"{result.objective:.8g} (from {result.trace['objective'][0]:.8g} at the start)"),
        *_curve(result),
        ("gap", _gap(result)),
        *validation_rows(result, held_out.validation),
        ("metrics", f"{in_one_line(training_quality(table, result))} (training data)"),
        *test_rows(held_out.test),
        *weight_rows(result),
    ]
    rows += [("remark", text) for text in result.remarks[was_chosen(result) :]]
    if table.source == "tutorial":
        rows += _lesson(result)
    print_table([*rows, *files.items()])
    measured = held_out.test or held_out.validation
    for line in measured.class_lines() if measured is not None else []:
        echo(line)


def why_stopped(result: Result) -> str:
    if result.stop_reason != "max_epochs":
        return STOP_REASONS.get(result.stop_reason, result.stop_reason)  # in a report also interrupted
    before = round(float(result.trace["passes"][0]))
    purpose = "measure the columns" if result.rate_reason == "given" else "choose the learning rate"
    spent = f" ({before} of them to {purpose})" if before else ""
    limit = result.settings["max_epochs"]
    if result.n_epochs + before < limit:  # epochs of several passes each
        return f"at the limit of --epochs: {limit} passes over the rows{spent}"
    return f"at the limit of {plural(limit, 'epoch')}{spent}"


def _where_stopped(result: Result) -> list[tuple[str, str]]:
    """A warning about a saddle point or a maximum, with a way to leave it."""
    if result.stationary == "saddle":
        another = "another --seed or --start" if result.method in ("sgd", "minibatch") else "--method sgd"
        return [("warning", f"stopped at a saddle point: try {another}")]
    return [("warning", "stopped at a maximum: try another --start")] if result.stationary == "maximum" else []


def _curve(result: Result) -> list[tuple[str, str]]:
    """A sparkline of the loss over the epochs, if there are enough of them and the terminal can print it."""
    trace = as_trace(result)
    curve = next((trace.curves[name] for name in ("objective", "running_loss") if trace.is_complete(name)), None)
    if curve is None or not can_print(STEPS):
        return []
    # The running loss begins after the first epoch; the objective at the start goes before it.
    values = curve.values if curve.name == "objective" else np.append(result.trace["objective"][0], curve.values)
    if len(values) < FEWEST_DRAWN or not np.isfinite(values).all():
        return []
    logarithmic = spans_decades(values)
    drawn = sparkline(np.log(values) if logarithmic else values, LONGEST_SPARKLINE)
    return [("curve", f"{drawn}  {curve.label} by epochs{', log scale' * logarithmic}")]


def _gap(result: Result) -> str:
    if result.gap_bound is None:
        return f"unknown: {result.gap_note}"
    return f"within {result.gap_bound:.2g} of the optimum (duality gap)"


def describe_method(result: Result, with_reason: bool = True) -> str:
    """The method and its settings, with the reason for its learning rate."""
    settings = result.settings
    parts = [result.method]
    parts += [f"batches of {settings['batch_size']}"] if result.method == "minibatch" else []
    parts += [f"{settings['shards']} shards in parallel"] if settings["shards"] > 1 else []
    parts += [f"rule {settings['rule']}"] if settings["rule"] != "sgd" else []
    why = f" ({result.rate_reason})" if with_reason and result.rate_reason not in ("", "given") else ""
    parts += [] if result.rate_reason == WHOLE_STEPS else [f"learning rate {result.learning_rate:.4g}{why}"]
    parts += [f"schedule {settings['schedule']}"] if settings["schedule"] != "constant" else []
    return ", ".join(parts)


def weight_rows(result: Result) -> list[tuple[str, str]]:
    """Coefficients and intercept; for several outputs, only of the first few."""
    names = result.feature_names or tuple(map(str, range(result.n_features)))
    with_intercept = result.settings["fit_intercept"]
    if result.coef.ndim == 1:
        rows = [("coef", _coefficients(names, result.coef))]
        return [*rows, ("intercept", f"{result.intercept:.6g}")] if with_intercept else rows
    rows = []
    for output, coef, intercept in zip(output_names(result), result.coef, result.intercept, strict=True):
        apart = f"; intercept {intercept:.6g}" if with_intercept else ""
        rows.append((f"coef of {output}", _coefficients(names, coef) + apart))
    left = len(rows) - OUTPUTS_SHOWN
    return rows if left <= 0 else [*rows[:OUTPUTS_SHOWN], ("", f"and the coefficients of {left:,} more outputs")]


def _coefficients(names: tuple[str, ...], coef: np.ndarray) -> str:
    largest = np.argsort(-np.abs(coef), kind="stable")[:COEFFICIENTS_SHOWN]
    shown = ", ".join(f"{names[j]} {coef[j]:.6g}" for j in sorted(largest))
    zero = int((coef == 0).sum())
    exact = f"; {zero:,} {'is' if zero == 1 else 'are'} exactly 0" if zero else ""
    left = len(coef) - len(largest)
    return shown + (f" and {left:,} smaller ones" if left else "") + exact


def _lesson(result: Result) -> list[tuple[str, str]]:
    """The prediction at x = 4, before and after training."""
    if result.path is None:
        return []
    before, after = (float(4.0 * weights[0] + weights[1]) for weights in (result.path[0], result.path[-1]))
    return [("at x = 4", f"predicts {before} before training, {after:.6g} after it; the truth is 8")]


def large(number: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def print_json(table: Table, result: Result, held_out: HeldOut, seconds_read: float, files: dict[str, str]) -> None:
    """The keys are a public contract."""
    fits = result.n_features <= COLUMNS_IN_JSON and result.coef.size <= COEFFICIENTS_IN_JSON
    keys = {
        "method": result.method,
        "loss": LOSSES.name_of(result.loss),
        **{name: result.settings[name] for name in ("penalty", "rule", "schedule", "batch_size")},
        "epochs": result.n_epochs,
        **attributes(result, "objective", "converged", "stop_reason", "stationary", "learning_rate", "rate_reason"),
        **attributes(result, "n_outputs", "classes"),
        "coef": result.coef if fits else None,
        **attributes(result, "intercept", "gap_bound", "constant_objective", "best_epoch"),
        "validation_loss": None if result.best_epoch is None else lowest_loss(result),
        "divergences": result.divergences,
        "metrics": dict(training_quality(table, result)),
        **{name: None if quality is None else quality.as_dict() for name, quality in held_out._asdict().items()},
        "samples_per_second": samples_per_second(result),
    }
    echo_results(table, keys, {"read": seconds_read, **result.seconds}, result.remarks, files)


def attributes(thing: Any, *names: str) -> dict[str, Any]:
    """These attributes of ``thing`` by name."""
    return {name: getattr(thing, name) for name in names}


def echo_results(
    table: Table, keys: dict[str, Any], seconds: dict[str, float], remarks: Sequence[str], files: dict[str, str]
) -> None:
    """Print the JSON object of a command: about the data, the ``keys`` of the command, and what it took and wrote."""
    data = {"data": table.source, **attributes(table, "n_samples", "n_features"), "target": table.target_name}
    echo_json({**data, **keys, "seconds": seconds, "remarks": [*table.remarks, *remarks], **files})


def echo_json(content: dict[str, Any]) -> None:
    """Print one JSON object; arrays become lists, NaN and infinity null."""
    echo(json.dumps(_without_nan(content), indent=2, allow_nan=False))


def _without_nan(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
