"""From a `Run` to a `Result`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..model.result import Result
from ..terms.penalties import describe_penalty
from ..terms.rate_schedules import SCHEDULES
from ..terms.update_rules import RULES
from .run import UNFINISHED, Run


def result_of(run: Run, **described: Any) -> Result:
    """The model of all outputs; ``described`` has the fields of `Result` that a run does not know."""
    objective, loop = run.objective, run.loop
    coef, intercept = objective.split(run.params)
    return Result(
        coef=coef.copy(),
        intercept=intercept.copy() if objective.several else float(intercept),
        objective=float(loop.trace.rows[run.best_row].objective),
        n_epochs=loop.epoch,
        converged=loop.stop.converged,
        stop_reason=loop.stop.reason,
        method=run.plan.method,
        learning_rate=loop.step_size.base_rate,
        rate_reason=run.rate_reason,
        trace=loop.trace.trace,
        path=_path(run),
        steps=loop.trace.step_trace,
        feature_names=objective.rows.feature_names,
        **_bound(run, run.gaps, run.certificate.reason),
        n_samples=objective.n_samples,
        passes=objective.passes.by_purpose,
        seconds=run.seconds,
        remarks=tuple(run.remarks),
        best_epoch=None if loop.validation is None else loop.validation.state.epoch,
        divergences=run.shrinks,
        stationary=run.stationary,
        constant_objective=run.constant.objective,
        **described,
    )


def result_of_output(run: Run, k: int, **described: Any) -> Result:
    """The model of output k alone, for independent outputs."""
    whole = result_of(run, **described)
    value, rate = float(run.objectives[k]), float(run.plan.output_rates[k])
    trace = whole.trace.copy()
    for name in ("objective", "running_loss", "gradient_norm"):
        trace[name] = np.nan
    trace["learning_rate"] *= rate
    trace["objective"][[0, -1]] = run.at_start[k], value
    diverged = not np.isfinite(value)
    return replace(
        whole,
        coef=whole.coef[k].copy(),
        intercept=float(whole.intercept[k]),
        objective=value,
        constant_objective=float(run.constant.losses[k]),
        **_bound(run, run.gaps[k : k + 1], run.certificate.reasons[k]),
        converged=whole.converged and not diverged,
        stop_reason="diverged" if diverged else whole.stop_reason,
        learning_rate=whole.learning_rate * rate,
        trace=trace,
        path=None if whole.path is None else np.ascontiguousarray(whole.path[:, k]),
    )


def _path(run: Run) -> np.ndarray | None:
    """The path of the parameters; intercepts are 0 if none is fitted."""
    if run.loop.trace.path is None:
        return None
    models = np.array(run.loop.trace.path)
    path = np.zeros((*models.shape[:-1], run.objective.n_features + 1))
    path[..., : run.objective.n_parameters] = models
    return path


def _bound(run: Run, gaps: np.ndarray, reason: str) -> dict[str, Any]:
    """``gap_bound`` and ``gap_note`` of a result."""
    gap = float(gaps.sum())
    if np.isfinite(gap):
        return {"gap_bound": gap}
    unfinished = run.loop.stop.reason in UNFINISHED
    other = "training did not finish" if unfinished else "columns are so nearly dependent that rounding hides it"
    return {"gap_bound": None, "gap_note": reason or other}


def settings_of(run: Run, penalty: Any, loss_reason: str = "") -> dict[str, Any]:
    """The options as text and numbers, to reproduce the run; ``loss_reason`` says why an automatic loss was taken."""
    options = run.options
    as_given = ("max_epochs", "tol", "gap_tol", "patience", "clip_norm", "average", "on_divergence", "shuffle", "seed")
    return {
        "loss_reason": loss_reason,
        "penalty": describe_penalty(penalty),
        "rule": RULES.describe(options.rule),
        "schedule": SCHEDULES.describe(options.schedule),
        "batch_size": run.plan.batch_size,
        "shards": run.plan.shards,
        "fit_intercept": run.objective.fit_intercept,
        "validation_samples": 0 if run.validation is None else run.validation.n_samples,
        **{name: getattr(options, name) for name in as_given},
    }
