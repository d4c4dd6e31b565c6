"""Loss curves of a run, to be drawn: from a `Result`, a `DivergedError`, or a file written by ``--trace``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, DivergedError, OptionError
from ..wording import option, quoted
from .smoothing import smooth

if TYPE_CHECKING:
    from ..model.result import Result

# The x axes of curves, and their labels.
AXES: Mapping[str, str] = {
    "epoch": "epochs (passes over the rows)",
    "passes": "passes over the rows, including statistics and line searches",
    "seconds": "seconds of training",
    "step": "updates",
}
# The curves of a trace, and their labels.
CURVES: Mapping[str, str] = {
    "objective": "objective F",
    "running_loss": "running loss",
    "validation_loss": "validation loss",
    "loss": "batch loss",
}


BY_EPOCH = ("epoch", "passes", "seconds", "objective", "running_loss")  # columns of every trace by epochs
# Ratio of the largest to the smallest value from which a scale is logarithmic.
LOGARITHMIC_FROM = 30.0


@dataclass(frozen=True)
class Curve:
    """A loss in the course of a run.

    Attributes
    ----------
    name : one of ``CURVES``.
    x : ascending coordinates, shape (n,), for each axis of ``AXES`` that is known.
    values : array of shape (n,), without NaN; infinity if the loss was not finite.
    label : its name in a legend.
    complete : whether every row of the trace has a value, so that points may be joined by lines.
    """

    name: str
    x: Mapping[str, np.ndarray]
    values: np.ndarray
    label: str
    complete: bool = True

    def smoothed(self, beta: float) -> Curve:
        """The curve with its values smoothed by `smooth`."""
        return replace(self, values=smooth(self.values, beta))


@dataclass(frozen=True)
class Trace:
    """The curves of one run.

    Attributes
    ----------
    label : the name of the run in a legend.
    curves : the curves by name.
    default : names of the curves that are drawn by default, the most informative first.
    diverged : the epoch in which the run diverged; None if it did not, or if that is not known.
    """

    label: str
    curves: Mapping[str, Curve]
    default: tuple[str, ...]
    diverged: int | None = None

    def is_complete(self, name: str) -> bool:
        """Whether that curve exists and has a finite value for every row."""
        return name in self.curves and self.curves[name].complete and bool(np.isfinite(self.curves[name].values).all())

    def chosen(self, names: Iterable[str] | None, axis: str, single: bool) -> list[Curve]:
        """The curves to draw against ``axis``: those of ``names``, or the default ones (only the first of them unless
        ``single``).

        Raises
        ------
        OptionError
            When the run has none of these curves, or a curve has no such axis.
        """
        if axis not in AXES:
            raise OptionError(f"unknown axis {axis!r} (known: {', '.join(AXES)})")
        if names is None:
            known = [name for name in self.default if axis in self.curves[name].x]
            names = (known or self.default)[: None if single else 1]
        names = tuple(names)
        if unknown := [name for name in names if name not in CURVES]:
            raise OptionError(f"unknown curve {quoted(unknown)} (known: {quoted(tuple(CURVES))})")
        found = [self.curves[name] for name in names if name in self.curves]
        if not found:
            raise OptionError(f"{self.label}: has no {' or '.join(names)}, only {' and '.join(self.curves)}")
        for curve in found:
            if axis not in curve.x:
                message = f"{self.label}: the {curve.label} is recorded by {', '.join(curve.x)}, not by {axis}"
                advice = f"; train with {option('trace', 'step')} to record every update" if axis == "step" else ""
                raise OptionError(message + advice)
        return found


def evenly_spaced(n: int, at_most: int) -> np.ndarray:
    """Indices of at most that many points of a curve of n points, with both ends."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).round().astype(np.intp))


def spans_decades(*values: np.ndarray) -> bool:
    """Whether the finite values are positive and span enough for a logarithmic scale."""
    joined = np.concatenate(values)
    finite = joined[np.isfinite(joined)]
    return bool(len(finite) and finite.min() > 0 and finite.max() >= LOGARITHMIC_FROM * finite.min())


def as_traces(runs: Any) -> list[Trace]:
    """The traces of runs (`Result`, `DivergedError` or `Trace`): of one, of a list, or of a dictionary by label."""
    if isinstance(runs, Mapping):
        traces = [replace(as_trace(run), label=str(label)) for label, run in runs.items()]
    else:
        traces = [as_trace(run) for run in (runs if isinstance(runs, (list, tuple)) else [runs])]
    if not traces:
        raise OptionError("no runs to draw: give at least one result or trace")
    return traces


def as_trace(run: Any) -> Trace:
    """The trace of one run; raises `OptionError` if ``run`` is not a run."""
    if isinstance(run, Trace):
        return run
    result: Result | None = run.result if isinstance(run, DivergedError) else run
    columns = getattr(result, "trace", None)
    if result is None or not isinstance(columns, np.ndarray):
        raise OptionError(f"a run is a Result, a DivergedError or a Trace, not {type(run).__name__}")
    under_way = run.under_way if isinstance(run, DivergedError) else None
    curves = _curves_by_epoch(columns, under_way)
    default = _default_names(curves, columns)
    if result.steps is not None and len(result.steps):
        curves |= _curves_by_step(result.steps)
        default = ("loss", "objective")
    diverged = None
    if result.stop_reason == "diverged":
        diverged = run.epoch if isinstance(run, DivergedError) else result.n_epochs + 1
    return Trace(result.method, curves, default, diverged)


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace, by epochs or by updates, from a file that ``fastgd run --trace`` wrote.

    Raises
    ------
    DataError
        When the file is missing or damaged, or is not a trace.
    """
    from ..data.readers.read_columns import read_columns

    columns = read_columns(path)
    missing = [name for name in BY_EPOCH if name not in columns]
    default: tuple[str, ...] = ("loss",)
    if {"step", "epoch", "loss"} <= set(columns):
        curves = _curves_by_step(columns)
    elif not missing:
        curves = _curves_by_epoch(columns, None)
        default = _default_names(curves, columns)
    else:
        raise DataError(
            f"{os.fspath(path)}: not a trace, since it has no numeric column {quoted(missing)}; "
            "write a trace with fastgd run --trace FILE.csv"
        )
    if not curves:
        raise DataError(f"{os.fspath(path)}: the trace has no losses; write it again with fastgd run --trace")
    return Trace(Path(path).name, curves, default)


def _default_names(curves: Mapping[str, Curve], columns: Any) -> tuple[str, ...]:
    """Names of the curves to draw, the most informative first: F if known after every epoch, else the running loss.

    Methods with many updates an epoch get both. The others, which record a gradient norm, have a running loss that is F
    one epoch earlier, so it is omitted.
    """
    names = [name for name in ("objective", "running_loss", "validation_loss") if name in curves]
    if names[:2] == ["objective", "running_loss"]:
        if len(curves["objective"].values) < 2:
            names.remove("objective")  # a single point at the start
        elif not curves["objective"].complete:
            names[:2] = ["running_loss", "objective"]
        elif _column(columns, "gradient_norm") is not None and np.isfinite(columns["gradient_norm"]).any():
            names.remove("running_loss")
    return tuple(names)


def _column(columns: Any, name: str) -> np.ndarray | None:
    """A column of a structured array or a mapping; None if it is missing."""
    names = columns.dtype.names if isinstance(columns, np.ndarray) else columns
    return np.asarray(columns[name], np.float64) if name in names else None


def _curves_by_epoch(columns: Any, under_way: np.ndarray | None) -> dict[str, Curve]:
    """Curves of a trace with a row for each epoch; ``under_way`` has the blocks of rows of the epoch that diverged."""
    curves = {}
    for name in ("objective", "running_loss", "validation_loss"):
        values = _column(columns, name)
        if values is None:
            continue
        x = {axis: np.asarray(columns[axis], np.float64) for axis in ("epoch", "passes", "seconds")}
        complete = name == "running_loss" or (len(values) > 1 and not np.isnan(values).any())
        known = ~np.isnan(values)
        x, values = {axis: at[known] for axis, at in x.items()}, values[known]
        if name == "running_loss" and under_way is not None:
            if not len(values):  # it diverged in the first epoch: the curve begins with F at the start
                x = {axis: np.asarray(columns[axis][:1], np.float64) for axis in x}
                values = np.asarray(columns["objective"][:1], np.float64)
            x = {axis: np.append(at, under_way[axis]) for axis, at in x.items()}
            values = np.append(values, np.nan_to_num(under_way[name], nan=np.inf, posinf=np.inf))
        if len(values):
            label = CURVES[name] if complete else f"{CURVES[name]} (where evaluated)"
            curves[name] = Curve(name, x, values, label, complete)
    return curves


def _curves_by_step(columns: Any) -> dict[str, Curve]:
    """Curves of a trace with a row for each update; ``epoch`` is fractional: the share of its updates done so far."""
    step, epoch, values = (np.asarray(columns[name], np.float64) for name in ("step", "epoch", "loss"))
    known = ~np.isnan(values) & ~np.isnan(epoch) & ~np.isnan(step)
    step, epoch, values = step[known], epoch[known], values[known]
    if not len(values):
        return {}
    counts = np.unique(epoch, return_counts=True)[1]
    done = np.concatenate([np.arange(1, count + 1) / counts.max() for count in counts])
    return {"loss": Curve("loss", {"step": step, "epoch": epoch - 1.0 + done}, values, CURVES["loss"])}
