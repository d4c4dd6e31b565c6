"""`write_report`: a report as one self-contained HTML file that loads nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.writers.outputs import check_writable, write_atomically
from ...environment import environment
from ...errors import DivergedError, FastgdError
from .chart_style import Chart
from .landscape_chart import landscape_chart
from .loss_chart import loss_chart
from .page_text import escaped, is_number, json_in_html, shown
from .report_model import Report

SUFFIXES = (".html",)
# Characters above which a table cell is wrapped.
LONG_TEXT = 16


def check_report(path: str | os.PathLike[str]) -> None:
    """Check that a report can be written to ``path``.

    Raises
    ------
    DataError
        When the suffix is not .html, or the folder is missing or not writable.
    FastgdError
        When plotly is not installed.
    """
    check_writable(path, SUFFIXES)
    _plotly_script()


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report as one HTML page, completely or not at all.

    The page contains its charts and plotly.js (about 5 MB) and loads nothing else, so it works offline. It follows the
    light or dark mode of the reader's system.

    Parameters
    ----------
    path : the file, .html.
    report : the content of the page.

    Raises
    ------
    DataError
        When the file cannot be written.
    OptionError
        When one of the runs is not a run, or ``smooth`` is outside [0, 1).
    FastgdError
        When plotly is not installed.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    >>> runs = {rule: fastgd.fit(X, y, method="gd", rule=rule, learning_rate=0.1) for rule in ("sgd", "adam")}
    >>> rows = [(rule, run.n_epochs, run.objective) for rule, run in runs.items()]
    >>> report = fastgd.Report("two rules", columns=("rule", "epochs", "objective"), rows=rows, runs=runs)
    >>> fastgd.write_report("rules.html", report)  # doctest: +SKIP
    """
    check_report(path)
    write_atomically(path, page_of(report).encode())


def page_of(report: Report) -> str:
    """The HTML of the page."""
    charts: dict[str, Chart] = {}
    if report.runs:
        charts["curves"] = loss_chart(report.runs, report.smooth)
    if report.landscape is not None:
        charts["landscape"] = landscape_chart(report.landscape)
    folder = Path(__file__).parent
    scripts = [_plotly_script(), (folder / "page.js").read_text(encoding="utf-8")] if charts else []
    parts = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_policy(scripts)}',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">',
        f"<title>{escaped(report.title)}</title>",
        f"<style>\n{(folder / 'page.css').read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>",
        *_sections(report, charts),
        "</main>",
        f'<script type="application/json" id="charts">{json_in_html(charts)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _plotly_script() -> str:
    """The source of plotly.js, safe inside a script element; a `FastgdError` if plotly is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise FastgdError("reports need plotly, which is not installed: pip install 'fastgd[report]'") from None
    # Browsers normalise line ends before they hash a script for the policy; "</script" would end the element.
    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


def _policy(scripts: list[str]) -> str:
    """Content security policy: only these scripts run, nothing is loaded; plotly.js may set styles."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{code}'" for code in hashes) or "'none'"
    rules = (
        "default-src 'none'", f"script-src {allowed}", "style-src 'unsafe-inline'", "img-src data: blob:",
        "base-uri 'none'", "form-action 'none'",
    )  # fmt: skip
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


# --- Sections --------------------------------------------------------------------------------------------------------


def _sections(report: Report, charts: Mapping[str, Chart]) -> list[str]:
    process = _flat(environment() if report.environment is None else report.environment)
    return [
        f"<header>\n<h1>{escaped(report.title)}</h1>",
        f"<p>To reproduce it:</p>\n<pre><code>{escaped(report.command)}</code></pre>" if report.command else "",
        "</header>",
        *_failures(report.runs),
        _table(report) if report.columns else "",
        _curves(charts["curves"]) if "curves" in charts else "",
        _landscape(charts.get("landscape"), report.no_landscape),
        '<div class="facts">',
        _facts("Settings", report.settings),
        _facts("Data", report.data),
        _facts("Model", report.model),
        _facts("Environment", process),
        "</div>",
        _remarks(report),
    ]


def _failures(runs: Mapping[str, Any]) -> list[str]:
    """The messages of runs that diverged, at the top of the page."""
    return [
        f'<p class="failure" role="alert"><strong>{escaped(label)}:</strong> {escaped(str(run))}</p>'
        for label, run in runs.items()
        if isinstance(run, DivergedError)
    ]


def _table(report: Report) -> str:
    by_column = list(zip(*report.rows, strict=True)) or [()] * len(report.columns)
    kinds = [_kind(column) for column in by_column]
    head = "".join(
        f'<th scope="col"{kind}>{escaped(name)}</th>' for name, kind in zip(report.columns, kinds, strict=True)
    )
    body = "\n".join(f"<tr>{_cells(row, kinds)}</tr>" for row in report.rows)
    return (
        f'<section>\n<h2>{"Run" if len(report.rows) == 1 else "Runs"}</h2>\n<div class="wide" tabindex="0">\n'
        f'<table id="runs">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n</section>'
    )


def _kind(column: Sequence[Any]) -> str:
    """CSS class of the cells of a column: numbers are right-aligned, long text gets a wider column."""
    if column and all(is_number(value) or value is None for value in column):
        return ' class="number"'
    return ' class="words"' if any(len(shown(value)) > LONG_TEXT for value in column) else ""


def _cells(row: Sequence[Any], kinds: Sequence[str]) -> str:
    cells = [f"<td{kind}>{escaped(value)}</td>" for value, kind in zip(row, kinds, strict=True)]
    return "".join([f'<th scope="row">{escaped(row[0])}</th>', *cells[1:]])


def _curves(chart: Chart) -> str:
    controls = "\n".join(_control("curves", k, control) for k, control in enumerate(chart["controls"]))
    return (
        f'<section>\n<h2>Loss</h2>\n<div class="controls">\n{controls}\n</div>\n'
        '<div id="curves" class="chart" role="img" aria-label="Loss curves"></div>\n'
        '<p class="hint">Drag over the chart to zoom, double-click to zoom out; click a name below it to hide its '
        "curve.</p>\n</section>"
    )


def _control(chart: str, k: int, control: Chart) -> str:
    """Radio buttons for the choices of control k, the first one selected."""
    name = f"{chart}-{k}"
    choices = "".join(
        f'<label><input type="radio" name="{name}" data-chart="{chart}" data-control="{k}" value="{c}"'
        f"{' checked' if c == 0 else ''}>{escaped(choice['label'])}</label>"
        for c, choice in enumerate(control["choices"])
    )
    return f"<fieldset><legend>{escaped(control['name'])}</legend>{choices}</fieldset>"


def _landscape(chart: Chart | None, missing: str) -> str:
    if chart is None:
        return f"<section>\n<h2>Landscape</h2>\n<p>Not drawn: {escaped(missing)}</p>\n</section>" if missing else ""
    last = max(len(path["x"]) for path in chart["paths"]) - 1
    return (
        '<section>\n<h2>Landscape</h2>\n<div class="controls player">\n'
        '<button type="button" id="play" aria-pressed="false">Play</button>\n'
        '<button type="button" id="back" aria-label="one step back">\N{LEFTWARDS ARROW}</button>\n'
        '<button type="button" id="forward" aria-label="one step forward">\N{RIGHTWARDS ARROW}</button>\n'
        f'<input type="range" id="step" min="0" max="{last}" value="{last}" aria-label="step of the paths">\n'
        "</div>\n"
        '<div id="landscape" class="chart" role="img" aria-label="The objective and the paths of the runs"></div>\n'
        '<output id="where" for="step"></output>\n'
        '<p class="hint">The objective F, and the paths of the runs from the start to the star; a step is an epoch, '
        "or 1/400 of a longer run. If the model has more parameters than are drawn, F is the value of the landscape at "
        "the projected path.</p>\n</section>"
    )


def _facts(title: str, facts: Mapping[str, Any]) -> str:
    """A section with a table of names and values; empty without facts."""
    if not facts:
        return ""
    rows = "\n".join(
        f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>' for name, value in facts.items()
    )
    return f"<section>\n<h2>{title}</h2>\n<table>\n{rows}\n</table>\n</section>"


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with nested mappings flattened."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        flat |= value if isinstance(value, Mapping) else {str(name).replace("_", " "): value}
    return flat


def _remarks(report: Report) -> str:
    lines = "\n".join(f"<li>{escaped(text)}</li>" for text in report.remarks)
    return f"<section>\n<h2>Remarks</h2>\n<ul>\n{lines}\n</ul>\n</section>" if lines else ""
