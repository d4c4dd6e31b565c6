"""``fastgd compare``: a table of methods with their speed, time to a goal, and whether they leave a saddle point."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from fastgd.rules import RULES
from fastgd.solvers.options import COMPARED, METHODS
from fastgd.wording import table_lines

from . import options as shared
from .console import echo, print_table, progress, remark
from .pictures import Pictures, check_weights, plot_options
from .values import NAMES
from .written_files import WrittenFiles

if TYPE_CHECKING:
    from fastgd import Comparison, Table
    from fastgd.comparison import Entry


@shared.data_command("Compare methods: speed, time to a goal, saddle points.")
@click.option(
    "--methods", type=NAMES, default=",".join(COMPARED),
    help=f"Methods, with commas between them: {', '.join(METHODS)}. minibatch:256 has batches of 256 rows.",
)  # fmt: skip
@click.option(
    "--rules", type=NAMES, default="sgd", help="Update rules for gd, sgd and minibatch, with commas between them: "
    f"{', '.join(RULES)}. {shared.SETTINGS_HELP} momentum:beta=0.8.",
)  # fmt: skip
@click.option(
    "--goal",
    type=float,
    help="Objective to count epochs and seconds to.  [default: 99 % of the way to the lowest one found]",
)
@click.option("--repeats", type=int, default=3, help="Number of timed fits per method.")
@shared.penalty_options
@shared.rate_options
@shared.scale_option
@shared.epochs_option
@shared.tol_option
@shared.start_options
@plot_options
@shared.output_options
def compare(
    data: str, target: str | None, drop: list[str] | None, sample_weight: str | None, offset: str | None,
    methods: list[str], rules: list[str], goal: float | None, repeats: int, as_json: bool, quiet: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Fit DATA by several methods from the same start, and measure each.

    Rows a second count all passes over the data, on one thread and on all threads: batch gradient descent processes
    rows in parallel, stochastic gradient descent one after the other. Whether a method leaves a saddle point is
    measured on the built-in data set saddle.

    \b
    fastgd compare                                 an artificial data set of a million rows
    fastgd compare houses.csv --target price --methods gd,sgd,minibatch:64,auto
    fastgd compare diabetes --rules sgd,momentum,adam --plot curves.png
    """  # noqa: D301  # click does not rewrap lines after the character \b
    pictures = Pictures.take(options)
    pictures.check(trace_steps=False)
    import fastgd

    with progress(f"reading {data}", quiet):
        columns, format_ = shared.columns_of(options), shared.text_of(options)
        table, seconds_read = shared.read_table(data, target, drop, sample_weight, offset, columns, format_)
        options = shared.fit_options(table, options)
        check_weights(pictures.plot_weights, table, options["fit_intercept"])
        found = fastgd.compare(table, methods=methods, rules=rules, goal=goal, repeats=repeats, **options)
    for text in table.remarks:
        remark(text, quiet)
    files = WrittenFiles()
    with progress("drawing", quiet or not pictures.files):
        if pictures.files:
            from .report import comparison_report

            titles = f"{table.source}: comparison of methods", f"{table.source}: the path of each method"
            pictures.draw(found.runs, table, options, titles, "seconds", partial(comparison_report, found), files)
    if as_json:
        print_json(table, found, seconds_read, files.paths)
    else:
        print_comparison(table, found, files.paths)
    files.raise_error()


def columns(found: Comparison) -> tuple[str, ...]:
    """The names of the table's columns."""
    count = found.n_threads
    speeds = ("rows a second",) if count == 1 else ("rows a second, 1 thread", f"{count} threads", "ratio")
    return ("method", *speeds, "epochs to goal", "seconds to goal", "objective", "leaves the saddle")


def cells(entry: Entry, found: Comparison) -> tuple[str, ...]:
    """The text of a method's row."""
    from .summary import large

    speeds = [large(speed) for speed in entry.rows_per_second.values()]
    if found.n_threads > 1:
        speeds = [*speeds, f"{entry.speedup:.2f}"] if speeds else ["-"] * 3
    return (
        entry.label,
        *(speeds or ["-"]),
        "-" if entry.epochs_to_goal is None else str(entry.epochs_to_goal),
        "-" if entry.seconds_to_goal is None else f"{entry.seconds_to_goal:.3g}",
        "-" if entry.result is None else "diverged" if entry.error else f"{entry.objective:.6g}",
        {None: "-", True: "yes", False: "no"}[entry.leaves_saddle],
    )


def print_comparison(table: Table, found: Comparison, files: dict[str, str]) -> None:
    from .summary import describe_data, describe_loss

    rows = [("data", describe_data(table))]
    some = next((entry.result for entry in found.entries if entry.result is not None), None)
    rows += [] if some is None else [("loss", describe_loss(some))]
    rows += [("goal", f"{found.goal:.8g}, from {found.start:.8g} at the start")] if math.isfinite(found.goal) else []
    print_table(rows)
    echo()
    echo("\n".join(table_lines([columns(found), *(cells(entry, found) for entry in found.entries)])))
    notes = [(entry.label, str(entry.error)) for entry in found.entries if entry.error]
    notes += files.items()
    if notes:
        echo()
        print_table(notes)


def print_json(table: Table, found: Comparison, seconds_read: float, files: dict[str, str]) -> None:
    """The keys are a public contract."""
    from .summary import attributes, echo_results

    entries = [
        {
            "label": entry.label,
            **entry.settings,
            "rows_per_second": {str(count): speed for count, speed in entry.rows_per_second.items()},
            "speedup": entry.speedup,
            "epochs": None if entry.result is None else entry.result.n_epochs,
            **attributes(entry, "epochs_to_goal", "seconds_to_goal", "objective", "leaves_saddle"),
            "stop_reason": None if entry.result is None else entry.result.stop_reason,
            "error": None if entry.error is None else str(entry.error),
        }
        for entry in found.entries
    ]
    keys = {**attributes(found, "goal", "start", "n_threads"), "entries": entries}
    echo_results(table, keys, {"read": seconds_read}, (), files)
