"""``fastgd run``: train a model, say how it went, keep it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgd.errors import FastgdError
from fastgd.solvers.options import METHODS, ON_DIVERGENCE

from .console import progress, remark
from .options import (
    DATA_HELP,
    epochs_option,
    fit_options,
    json_option,
    penalty_options,
    quiet_option,
    rate_options,
    read_table,
    rule_option,
    start_options,
    step_options,
    table_options,
    tol_option,
)
from .pictures import Pictures, plot_options
from .validation import FractionOrData, open_validation

if TYPE_CHECKING:
    from fastgd import Result


@click.command(short_help="Train a model, say how it went, keep it.", epilog=DATA_HELP)
@click.argument("data", default="linear")
@table_options
@click.option("--method", type=click.Choice(list(METHODS)), default="auto", show_default=True, help="How to descend.")
@penalty_options
@rule_option
@rate_options
@step_options
@epochs_option
@click.option("--max-seconds", type=float, help="Most seconds of training.")
@tol_option
@click.option("--gap-tol", type=float, help="Stop when the objective is proved to be within this of the optimum.")
@click.option(
    "--patience", type=int, default=5, show_default=True, help="Epochs without an improvement of tol before stopping."
)
@click.option(
    "--validation",
    type=FractionOrData(),
    help="Share of the rows to hold out, or data of its own: training stops when the loss there stops falling, "
    "and the model is the best on it.",
)
@click.option(
    "--average",
    type=int,
    default=0,
    show_default=True,
    help="Average the weights after every step from this one on, 1 for all; of sgd and minibatch.",
)
@click.option(
    "--shards",
    type=int,
    help="Parts of the rows that sgd steps through side by side, on as many threads, their weights averaged.",
)
@click.option(
    "--on-divergence",
    type=click.Choice(list(ON_DIVERGENCE)),
    default="auto",
    show_default=True,
    help="Go on at a smaller rate, or stop; auto does the first with an auto rate.",
)
@start_options
@click.option("--save", type=click.Path(path_type=Path), help="Keep the model in this file.")
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(path_type=Path),
    help="Write the trace, a row an epoch (.csv, .parquet, ...).",
)
@click.option("--trace-steps", is_flag=True, help="A row for every single update in the trace.")
@plot_options
@json_option
@quiet_option
def run(
    data: str, target: str | None, drop: list[str], sample_weight: str | None, offset: str | None,
    as_json: bool, quiet: bool, save: Path | None, trace_file: Path | None, trace_steps: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA by gradient descent.

    \b
    fastgd run                                        a million rows, made on the spot
    fastgd run houses.csv --target price              your own table
    fastgd run houses.csv --target price,rent         two targets at once
    fastgd run flats.csv --loss my.py:Cauchy:c=2      a loss of your own, a class in a file
    fastgd run tutorial --method gd --learning-rate 0.01 --start 1.0 --no-intercept
    """  # noqa: D301  # click wants the character \b itself, before lines that it must not fill
    pictures = Pictures.take(options)
    pictures.check(trace_steps)
    check_outputs(save, trace_file, trace_steps, pictures)
    import fastgd

    from .own_loss import read_loss

    options["loss"] = read_loss(options["loss"])
    try:
        with progress(f"reading {data}", quiet):
            table, seconds_read = read_table(data, target, drop, sample_weight, offset)
            options = fit_options(table, options)
            options["validation"] = open_validation(options.get("validation"), table, sample_weight, offset)
            options["trace"] = "step" if trace_steps else "epoch"
            pictures.check_weights(table, options.get("fit_intercept", True))
            result = fastgd.fit(table, **options)
    except (fastgd.Interrupted, fastgd.DivergedError) as ended:
        if ended.result is not None:
            if isinstance(ended, fastgd.DivergedError):
                save = None  # its model is none
            draw = partial(pictures.draw, ended, table, options)
            keep_what_there_is(ended.result, save, trace_file, draw, pictures.files)
        raise
    for text in table.remarks:
        remark(text, quiet)
    write_outputs(result, save, trace_file)
    with progress("drawing", quiet or not pictures.files):
        pictures.draw(result, table, options)
    from .summary import print_json, print_summary

    files = {name: str(path) for name, path in (("model", save), ("trace", trace_file)) if path is not None}
    files |= {name: str(path) for name, path in pictures.files.items()}
    (print_json if as_json else print_summary)(table, result, seconds_read, files)


def check_outputs(save: Path | None, trace_file: Path | None, trace_steps: bool, pictures: Pictures) -> None:
    """Find out before training, not after, that something cannot be written."""
    if trace_steps and trace_file is None and pictures.plot is None:
        raise click.UsageError("--trace-steps needs a file to write to: add --trace FILE.csv or --plot FILE.png")
    if save is None and trace_file is None:
        return
    from fastgd.data.file_formats import COLUMN_SUFFIXES
    from fastgd.data.writers.atomic_files import check_writable

    if save is not None:
        check_writable(save)
    if trace_file is not None:
        check_writable(trace_file, COLUMN_SUFFIXES)


def write_outputs(result: Result, save: Path | None, trace_file: Path | None) -> None:
    if save is not None:
        result.save(save)
    if trace_file is not None:
        from fastgd.data.writers.write_table import write_columns

        write_columns(trace_file, trace_columns(result))


def trace_columns(result: Result) -> dict[str, Any]:
    """The trace as columns: gradients and weights get one for each coefficient of each output."""
    from fastgd.model.result import output_names

    trace = result.trace if result.steps is None else result.steps
    fields = {name: trace[name] for name in trace.dtype.names or ()}
    if result.steps is None and result.path is not None:
        fields["weights"] = result.path
    labels = [*(result.feature_names or map(str, range(result.n_features))), "intercept"]
    outputs = [f"{name}:" for name in output_names(result)] if result.coef.ndim == 2 else [""]
    columns: dict[str, Any] = {}
    for name, values in fields.items():
        if values.ndim == 1:
            columns[name] = values
            continue
        by_output = values.reshape(len(values), len(outputs), -1)
        for (k, output), (j, label) in product(enumerate(outputs), enumerate(labels[: values.shape[-1]])):
            columns[f"{name}[{output}{label}]"] = by_output[:, k, j]
    return columns


def keep_what_there_is(
    result: Result,
    save: Path | None,
    trace_file: Path | None,
    draw: Callable[[], None],
    pictures: dict[str, Path],
) -> None:
    """After Ctrl-C or a divergence: what can be kept is, and it is said."""
    write_outputs(result, save, trace_file)
    kept = [str(path) for path in (save, trace_file) if path is not None]
    try:
        draw()
        kept += map(str, pictures.values())
    except FastgdError as error:  # it must not hide how training ended
        remark(str(error))
    where = f"; kept in {' and '.join(kept)}" if kept else ""
    remark(f"stopped after {result.n_epochs} whole epoch{'' if result.n_epochs == 1 else 's'}{where}")
