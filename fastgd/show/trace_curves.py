"""What a run went through, as curves to be drawn: from a `Result`, a `DivergedError`, or a file of ``--trace``."""

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

# What a curve may be drawn against, and what the axis is called.
AXES: Mapping[str, str] = {
    "epoch": "epochs (passes over the rows)",
    "passes": "passes over the rows, those for statistics and line searches included",
    "seconds": "seconds of training",
    "step": "updates of the weights",
}
# The curves that a trace may have, and what they are called.
CURVES: Mapping[str, str] = {
    "objective": "objective F",
    "running_loss": "running loss",
    "validation_loss": "validation loss",
    "loss": "loss of each update's rows",
}


@dataclass(frozen=True)
class Curve:
    """A loss that changes in the course of a run.

    Attributes
    ----------
    name : one of ``CURVES``.
    x : for each axis that it can be drawn against, one of ``AXES``, an array of shape (n,), ascending.
    values : array of shape (n,), without NaN; infinity where the loss was not finite.
    label : what a legend calls it.
    complete : whether it has a value for each row of the trace, so that neighbours may be joined.
    """

    name: str
    x: Mapping[str, np.ndarray]
    values: np.ndarray
    label: str
    complete: bool = True

    def smoothed(self, beta: float) -> Curve:
        """The same curve after `smooth`."""
        return replace(self, values=smooth(self.values, beta))


@dataclass(frozen=True)
class Trace:
    """The curves of one run.

    Attributes
    ----------
    label : what a legend calls the run.
    curves : those that it has, by name.
    usual : the names of those that tell the most, the first the most of all.
    diverged : the epoch in which the run diverged; None where it did not, or where that is not known.
    """

    label: str
    curves: Mapping[str, Curve]
    usual: tuple[str, ...]
    diverged: int | None = None

    def is_complete(self, name: str) -> bool:
        """Whether it has that curve, with a finite value for each row."""
        return name in self.curves and self.curves[name].complete and bool(np.isfinite(self.curves[name].values).all())

    def chosen(self, names: Iterable[str] | None, axis: str, single: bool) -> list[Curve]:
        """The curves of these names, to be drawn against an axis; by default the usual ones, of a run among several
        only the first.

        Raises
        ------
        OptionError
            Where the run has none of these names, or none with such an axis.
        """
        if axis not in AXES:
            raise OptionError(f"curves are drawn against {', '.join(AXES)}, not {axis!r}")
        if names is None:
            known = [name for name in self.usual if axis in self.curves[name].x]
            names = (known or self.usual)[: None if single else 1]
        names = tuple(names)
        if unknown := [name for name in names if name not in CURVES]:
            raise OptionError(f"there is no curve {quoted(unknown)}; there are {quoted(tuple(CURVES))}")
        found = [self.curves[name] for name in names if name in self.curves]
        if not found:
            raise OptionError(f"{self.label}: has no {' or '.join(names)}, but {' and '.join(self.curves)}")
        for curve in found:
            if axis not in curve.x:
                told = f"{self.label}: the {curve.label} is known against {', '.join(curve.x)}, not against {axis}"
                advice = f"; train with {option('trace', 'step')} to record single updates" if axis == "step" else ""
                raise OptionError(told + advice)
        return found


def as_traces(runs: Any) -> list[Trace]:
    """The traces of one run or of several: results, errors of divergence or traces, alone, in a list or by label."""
    if isinstance(runs, Mapping):
        traces = [replace(as_trace(run), label=str(label)) for label, run in runs.items()]
    elif isinstance(runs, (list, tuple)):
        traces = [as_trace(run) for run in runs]
    else:
        traces = [as_trace(runs)]
    if not traces:
        raise OptionError("there is no run to draw: give at least one result or trace")
    return traces


def as_trace(run: Any) -> Trace:
    """The trace of one run; raises `OptionError` where it is none."""
    if isinstance(run, Trace):
        return run
    result: Result | None = run.result if isinstance(run, DivergedError) else run
    columns = getattr(result, "trace", None)
    if result is None or not isinstance(columns, np.ndarray):
        raise OptionError(f"curves are drawn of a Result, a DivergedError or a Trace, not of {type(run).__name__}")
    under_way = run.under_way if isinstance(run, DivergedError) else None
    curves = _curves_by_epoch(columns, under_way)
    usual = _usual(curves, columns)
    if result.steps is not None and len(result.steps):
        curves |= _curves_by_step(result.steps)
        usual = ("loss", "objective")
    diverged = None
    if result.stop_reason == "diverged":
        diverged = run.epoch if isinstance(run, DivergedError) else result.n_epochs + 1
    return Trace(result.method, curves, usual, diverged)


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """The trace in a file that ``fastgd run --trace`` wrote, by epochs or by steps.

    Raises
    ------
    DataError
        When the file is missing or damaged, or holds something else.
    """
    from ..data.readers.read_columns import read_columns

    columns = read_columns(path)
    by_step, by_epoch = {"step", "epoch", "loss"}, {"epoch", "passes", "seconds", "objective", "running_loss"}
    usual: tuple[str, ...]
    if by_step <= set(columns):
        curves, usual = _curves_by_step(columns), ("loss",)
    elif by_epoch <= set(columns):
        curves = _curves_by_epoch(columns, None)
        usual = _usual(curves, columns)
    else:
        lacking = [name for name in ("epoch", "passes", "seconds", "objective", "running_loss") if name not in columns]
        raise DataError(
            f"{os.fspath(path)}: is no trace, since it has no column of numbers {quoted(lacking)}; "
            "write one with fastgd run --trace FILE.csv"
        )
    if not curves:
        raise DataError(f"{os.fspath(path)}: is a trace without any loss; write it again with fastgd run --trace")
    return Trace(Path(path).name, curves, usual)


def _usual(curves: Mapping[str, Curve], columns: Any) -> tuple[str, ...]:
    """F where it is known all along, else the running loss; and both of a method that makes many steps an epoch.

    The running loss of others, which know the norm of their gradient, is F an epoch later.
    """
    names = [name for name in ("objective", "running_loss", "validation_loss") if name in curves]
    if names[:2] == ["objective", "running_loss"]:
        if len(curves["objective"].values) < 2:
            names.remove("objective")  # a dot where the running loss begins
        elif not curves["objective"].complete:
            names[:2] = ["running_loss", "objective"]
        elif _column(columns, "gradient_norm") is not None and np.isfinite(columns["gradient_norm"]).any():
            names.remove("running_loss")
    return tuple(names)


def _column(columns: Any, name: str) -> np.ndarray | None:
    """A column of a structured array or of a mapping; None where it is not there."""
    names = columns.dtype.names if isinstance(columns, np.ndarray) else columns
    return np.asarray(columns[name], np.float64) if name in names else None


def _curves_by_epoch(columns: Any, under_way: np.ndarray | None) -> dict[str, Curve]:
    """Of a trace with a row for each epoch; ``under_way`` are the blocks of the one in which training diverged."""
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
            if not len(values):  # it diverged in its first epoch: the loss of no rows yet is F at the start
                x = {axis: np.asarray(columns[axis][:1], np.float64) for axis in x}
                values = np.asarray(columns["objective"][:1], np.float64)
            x = {axis: np.append(at, under_way[axis]) for axis, at in x.items()}
            values = np.append(values, np.nan_to_num(under_way[name], nan=np.inf, posinf=np.inf))
        if len(values):
            label = CURVES[name] if complete else f"{CURVES[name]}, where it was evaluated"
            curves[name] = Curve(name, x, values, label, complete)
    return curves


def _curves_by_step(columns: Any) -> dict[str, Curve]:
    """Of a trace with a row for each update; the epoch counts parts of it, as the updates have done."""
    step, epoch, values = (np.asarray(columns[name], np.float64) for name in ("step", "epoch", "loss"))
    known = ~np.isnan(values) & ~np.isnan(epoch) & ~np.isnan(step)
    step, epoch, values = step[known], epoch[known], values[known]
    if not len(values):
        return {}
    sizes = np.unique(epoch, return_counts=True)[1]
    done = np.concatenate([np.arange(1, size + 1) / sizes.max() for size in sizes])
    return {"loss": Curve("loss", {"step": step, "epoch": epoch - 1.0 + done}, values, CURVES["loss"])}
