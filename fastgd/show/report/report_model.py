"""`Report`: the content of an HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model.landscape import Landscape


@dataclass(frozen=True)
class Report:
    """The content of an HTML report, for `write_report`. All attributes except the title are optional.

    Values are text, numbers, booleans, None, or lists of these; they are escaped on the page.

    Attributes
    ----------
    title : title of the page.
    command : how to reproduce the runs: a command line or Python code.
    settings : the settings of the runs by name, including the seed.
    data : facts about the data by name.
    columns, rows : a table with a row for each run; the first column is the name of the run.
    runs : the runs whose loss curves are drawn, by label: `Result`, `DivergedError` (its message is shown too) or
        `Trace`.
    model : facts about the fitted model by name, such as its coefficients.
    landscape : F around the paths of the runs, which the reader can follow step by step.
    no_landscape : why there is no landscape.
    remarks : sentences.
    environment : versions, processor and threads by name; by default those of this process.
    smooth : the ``beta`` of `fastgd.smooth` for smoothed curves.
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
