"""``fastgd plot``: loss curves from the files that ``fastgd run --trace`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import echo
from .file_checks import FileChecking
from .pictures import against_option, smooth_option
from .values import NAMES, PICTURE

if TYPE_CHECKING:
    import numpy as np

    from fastgd.show.trace_curves import Trace

CURVES = ("objective", "running_loss", "validation_loss", "loss")
SCALES = ("auto", "log", "linear")
# Rows of text per chart: of a single one, and of one among several.
TALL, LOW = 12, 7
WIDEST = 100
COLOURS = ("blue", "red", "green", "magenta", "yellow", "cyan")


@click.command(cls=FileChecking, short_help="Plot the loss curves of traces.")
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@click.option(
    "--output", "-o", type=PICTURE, help="Plot to this file: .png, .svg or .pdf.  [default: a chart in the terminal]"
)
@against_option
@smooth_option
@click.option(
    "--curves",
    type=NAMES,
    help=f"Curves to draw: {', '.join(CURVES)}.  [default: all of a single trace, one of each of several]",
)
@click.option("--scale", type=click.Choice(SCALES), default="auto", help="Scale of the loss axis.")
@click.option("--title", help="Title of the plot.  [default: the name of a single file]")
def plot(
    traces: tuple[str, ...], output: Path | None, against: str | None, smooth: float | None, curves: list[str] | None,
    scale: str, title: str | None,
) -> None:  # fmt: skip
    """Plot the loss curves of TRACE files, written by `fastgd run --trace`, in the terminal or to a file.

    \b
    fastgd run diabetes --method sgd --trace sgd.csv
    fastgd run diabetes --method gd --trace gd.csv
    fastgd plot sgd.csv
    fastgd plot sgd.csv gd.csv --against seconds -o both.png
    fastgd run tutorial --method sgd --trace steps.csv --trace-steps
    fastgd plot steps.csv --smooth 0.9 -o smooth.svg
    """  # noqa: D301  # click does not rewrap lines after the character \b
    from fastgd.show.trace_curves import read_trace

    read = [read_trace(path) for path in traces]
    named = dict(zip(labels(traces), read, strict=True))
    if output is None:
        print_charts(named, against or "epoch", curves or None, smooth, scale)
        return
    from fastgd.show.plots import plot_loss, save

    if title is None and len(read) == 1:
        title = read[0].label
    options: dict[str, Any] = {"curves": curves or None, "smooth": smooth, "scale": scale, "title": title}
    save(plot_loss(named, against=against or "epoch", **options), output)
    echo(f"plotted to {output}")


def labels(paths: tuple[str, ...]) -> list[str]:
    """The names of the files, with their folders if two names are equal."""
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def print_charts(
    traces: dict[str, Trace], against: str, names: list[str] | None, beta: float | None, scale: str
) -> None:
    """Print a chart for each curve, all with the same axes."""
    import numpy as np

    from fastgd.show.trace_curves import AXES, spans_decades

    from .chart import BRAILLE, can_print, framed_chart
    from .console import console_width, print_styled

    drawn = points(traces, against, names, beta)
    logarithmic = scale == "log" or (scale == "auto" and spans_decades(*(y for _, _, y in drawn)))
    if logarithmic:
        drawn = [(label, x[y > 0], y[y > 0]) for label, x, y in drawn]
    drawn = [(label, x, y) for label, x, y in drawn if len(x)]
    if not drawn:
        echo("there is no finite loss" + " above 0" * logarithmic + " to draw")
        return
    limits = [(min(map(np.min, some)), max(map(np.max, some))) for some in list(zip(*drawn, strict=True))[1:]]
    size = min(console_width(), WIDEST), TALL if len(drawn) == 1 else LOW
    for k, (label, x, y) in enumerate(drawn):
        echo(label + ", log scale" * logarithmic)
        lines = framed_chart(x, y, limits[0], limits[1], size, logarithmic, can_print(chr(BRAILLE + 1)))
        print_styled([(line, COLOURS[k % len(COLOURS)])] for line in lines)
    echo(f"against {AXES[against]}")


def points(
    traces: dict[str, Trace], against: str, names: list[str] | None, beta: float | None
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The label of each curve with its finite points."""
    from dataclasses import replace

    import numpy as np

    found = []
    for label, trace in traces.items():
        for curve in replace(trace, label=label).chosen(names, against, len(traces) == 1):
            drawn = curve if beta is None else curve.smoothed(beta)
            known = np.isfinite(drawn.values) & np.isfinite(drawn.x[against])
            name = f"{label}: {curve.label}" + ("" if beta is None else f", smoothed (beta {beta:g})")
            found.append((name, drawn.x[against][known], drawn.values[known]))
    return found
