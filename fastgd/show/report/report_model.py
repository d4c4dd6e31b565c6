"""`Report`: what a page tells of some runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model.landscape import Landscape


@dataclass(frozen=True)
class Report:
    """What `write_report` makes a page of. All of it but the title may be left out, and so is its part of the page.

    Values are text, numbers, booleans, None, or lists of these. None of them is taken for HTML, wherever it comes from.

    Attributes
    ----------
    title : of the page.
    command : how to repeat what it shows: a command line, or a call in Python.
    settings : what was asked for, by name; with the seed.
    data : facts of the data, by name.
    columns, rows : the table, a row for each run; the first column names it.
    runs : for the loss curves, by label: a `Result`, a `DivergedError`, whose message is shown as well, or a `Trace`.
    model : facts of what was found, by name, such as coefficients.
    landscape : F around the paths of the runs, to be walked step by step.
    no_landscape : why there is none.
    remarks : sentences.
    environment : versions, processor, threads; those of this process unless given.
    smooth : the beta of `fastgd.smooth` for the curves when smoothing is switched on.
    """

    title: str
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    runs: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    landscape: Landscape | None = None
    no_landscape: str = ""
    remarks: Sequence[str] = ()
    environment: Mapping[str, Any] | None = None
    smooth: float = 0.9
