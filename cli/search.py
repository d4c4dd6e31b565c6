"""``fastgd search``: divide and conquer over a few weights, with a map of the cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgd.wording import plural, table_lines

from . import options as shared
from .chart import can_print
from .console import echo, progress, remark
from .pictures import check_weights
from .values import NAMES, PICTURE, SPANS
from .written_files import WrittenFiles

if TYPE_CHECKING:
    from fastgd import SearchResult, Table

SHADES, ASCII_SHADES = "█▓▒░ ", "#+:. "  # from the lowest objectives to the highest
BEST = "()"
MOST_LINES = 32  # of the map
MOST_LOSSES_IN_JSON = 4096


@shared.data_command("Search a few weights by divide and conquer.", "valleys")
@shared.penalty_options
@click.option(
    "--span",
    type=SPANS,
    help="Range to search: LO:HI for all weights, or one per weight with commas between them, the intercept last.  "
    "[default: -4:4]",
)
@click.option("--cells", type=int, default=4, help="Number of parts to divide each weight's span into.")
@click.option("--rounds", type=int, default=3, help="Number of rounds; each divides the best cells.")
@click.option("--keep", type=int, default=1, help="Number of best cells to divide in the next round.")
@shared.no_intercept_option
@shared.threads_option
@click.option("--plot", type=PICTURE, help="Plot the cells of all rounds to this file: .png, .svg or .pdf.")
@click.option(
    "--plot-weights", type=NAMES, metavar="NAMES",
    help="Axes of the plot, two weights or one: age,intercept.  [default: the two weights with the widest span]",
)  # fmt: skip
@shared.output_options
def search(
    data: str, target: str | None, drop: list[str] | None, sample_weight: str | None, offset: str | None,
    plot: Path | None, plot_weights: list[str] | None, as_json: bool, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """Search the weights of a model of DATA by divide and conquer.

    The span of each weight is divided into cells, the loss is evaluated at the centre of each, and the best cells are
    divided again, round by round. The search needs no gradient and no learning rate, and is not trapped in a local
    minimum; but each further weight multiplies the evaluations by --cells, and a valley narrower than a cell is missed.

    \b
    fastgd search valleys                          finds the deep valley, which gd misses
    fastgd search valleys --cells 2 --rounds 6     is too coarse to find it
    fastgd search valleys --cells 2 --rounds 6 --keep 4 --plot cells.png
    fastgd search houses.csv --target price --drop city,rooms --span 0:900
    """  # noqa: D301  # click does not rewrap lines after the character \b
    if plot_weights and plot is None:
        raise click.UsageError("--plot-weights needs a plot: add --plot FILE.png")
    import fastgd

    with progress(f"reading {data}", quiet):
        columns, format_ = shared.columns_of(options), shared.text_of(options)
        table, seconds_read = shared.read_table(data, target, drop, sample_weight, offset, columns, format_)
        options = shared.fit_options(table, options)
        check_weights(plot_weights, table, options["fit_intercept"])
        options.pop("start", None)  # built-in data sets suggest one, to descend from
        found = fastgd.search(table, **options)
    for text in (*table.remarks, *found.remarks):
        remark(text, quiet)

    def draw(path: Path) -> None:
        from fastgd.show.plots import save

        title = f"{Path(table.source).name}: {found.settings['loss']} loss, {found.evaluations:,} evaluations"
        save(fastgd.plot_search(found, weights=plot_weights or None, title=title), path)

    files = WrittenFiles()
    files.write("plot", plot, draw)
    if as_json:
        print_json(table, found, seconds_read, files.paths)
    else:
        print_search(table, found, files.paths)
    files.raise_error()


def print_json(table: Table, found: SearchResult, seconds_read: float, files: dict[str, str]) -> None:
    """The keys are a public contract."""
    from .summary import attributes, echo_results

    rounds = [
        {
            "size": one.size,
            "kept": one.centres[one.kept],
            "objectives": one.objectives if len(one.objectives) <= MOST_LOSSES_IN_JSON else None,
        }
        for one in found.rounds
    ]
    counts = attributes(found, "cells", "keep", "resolution", "evaluations", "evaluations_saved")
    best = attributes(found, "objective", "coef", "intercept")
    keys = {**found.settings, "span": found.span, **counts, **best, "rounds": rounds}
    echo_results(table, keys, {"read": seconds_read, **found.seconds}, found.remarks, files)


def print_search(table: Table, found: SearchResult, files: dict[str, str]) -> None:
    """Print the result and its cost, the best cell of each round, and for two weights a map."""
    from .console import print_styled, print_table
    from .summary import describe_data

    names = found.parameter_names
    print_table(
        [
            ("data", describe_data(table)),
            ("loss", f"{found.settings['loss']}, penalty {found.settings['penalty']}"),
            ("search", _describe(found)),
            ("evaluations", _cost(found)),
            ("objective", f"{found.objective:.8g}"),
            ("weights", ", ".join(f"{name} {w:.6g}" for name, w in zip(names, found.parameters, strict=True))),
            *files.items(),
        ]
    )
    echo()
    echo("\n".join(round_lines(found)))
    if len(names) == 2 and found.cells <= MOST_LINES:
        shades = SHADES if can_print(SHADES) else ASCII_SHADES
        echo()
        lines = picture(found, names, shades)
        print_styled([(part, "bold green" if part == BEST else "") for part in line] for line in lines)
    if not found.settings["fit_intercept"]:
        echo()
        echo(f"to descend from here: fastgd run ... --start {','.join(f'{w:.6g}' for w in found.coef)}")


def grid(cells: int, n_weights: int) -> str:
    """4 x 4, or 4^3."""
    return " x ".join([str(cells)] * n_weights) if n_weights <= 2 else f"{cells}^{n_weights}"


def _describe(found: SearchResult) -> str:
    kept = "the best cell is" if found.keep == 1 else f"the best {found.keep} cells are"
    again = f", {kept} divided in the next" if len(found.rounds) > 1 else ""
    cells = grid(found.cells, len(found.span))
    return f"{plural(len(found.rounds), 'round')} of {cells} cells{again}; {found.seconds['fit']:.3g} s"


def _cost(found: SearchResult) -> str:
    """The number of evaluations, and the number of a full grid with the cells of the last round."""
    whole = found.evaluations + found.evaluations_saved
    saved = f", so {found.evaluations_saved:,} are saved" if found.evaluations_saved > 0 else ""
    return f"{found.evaluations:,}; a full grid, {grid(found.resolution, len(found.span))}, takes {whole:,}{saved}"


def round_lines(found: SearchResult) -> list[str]:
    """The best cell of each round: its objective, centre and size."""
    rows = [("round", "objective", "best cell", "size")]
    for number, one in enumerate(found.rounds, 1):
        best = one.kept[0]
        middle, size = (", ".join(f"{x:.5g}" for x in values) for values in (one.centres[best], one.size))
        rows.append((str(number), f"{one.objectives[best]:.6g}", f"({middle})", size))
    return table_lines(rows)


def picture(found: SearchResult, names: list[str], shades: str) -> list[list[str]]:
    """A map of two weights, the first along x and the second along y: the darker a cell, the lower its objective.

    Each character cell of the map shows the smallest evaluated cell around it that is at least as large. Lines are
    lists of parts; the best cell is the part `BEST`.
    """
    import numpy as np

    coarse = [one for r, one in enumerate(found.rounds, 1) if found.cells**r <= MOST_LINES]
    n = found.cells ** len(coarse)
    drawn = np.zeros((n, n))
    low, width = found.span[:, 0], found.span[:, 1] - found.span[:, 0]
    for r, one in enumerate(coarse, 1):
        side = n // found.cells**r
        first = np.round((one.centres - one.size / 2 - low) / width * n).astype(int)
        for (a, b), value in zip(first, one.objectives, strict=True):
            drawn[a : a + side, b : b + side] = value
    levels = np.quantile(drawn, np.arange(1, len(shades)) / len(shades), method="nearest")
    a, b = np.minimum((found.parameters - low) / width * n, n - 1).astype(int)
    lines = []
    for row in range(n - 1, -1, -1):
        places = [2 * shades[int(np.searchsorted(levels, drawn[column, row]))] for column in range(n)]
        if row == b:
            places[a] = BEST
        lines.append([*_ends(row, n, names[1], found.span[1]), "|", *places, "|"])
    margin = " " * len("".join(lines[0][:1]))
    ends = [f"{x:g}" for x in found.span[0]]
    axis = margin + " " + ends[0] + f"{names[0]:^{2 * n - len(''.join(ends))}}" + ends[1]
    return [*lines, [axis], [f"{margin} ", BEST, f" the best   {2 * shades[0]} low, blank high"]]


def _ends(row: int, n: int, name: str, span: Any) -> list[str]:
    """The label of a line of the map: the limits of the second weight's span, and its name in the middle."""
    low, high = (f"{x:g}" for x in span)
    width = max(len(low), len(high), len(name))
    text = {n - 1: high, 0: low, n // 2: name}.get(row, "")
    return [f"{text:>{width}} "]
