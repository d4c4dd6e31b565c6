"""``fastgd run``: train a model, summarise it, save it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgd import interruption
from fastgd.solvers.options import METHODS, ON_DIVERGENCE
from fastgd.wording import plural

from . import options as shared
from .console import progress, remark
from .held_out import measure, split_test
from .pictures import Pictures, check_weights, plot_options
from .validation import open_validation
from .values import COLUMN_FILE, FRACTION, FRACTION_OR_FILE, OUTPUT_FILE
from .written_files import WrittenFiles

if TYPE_CHECKING:
    from fastgd import Result


ON_DIVERGENCE_HELP = "; ".join(f"{name}: {what}" for name, what in ON_DIVERGENCE.items())


@shared.data_command("Train a model and summarise it.", lists={"Methods": METHODS})
@click.option("--method", type=click.Choice(list(METHODS)), default="auto", help="See Methods below.")
@shared.penalty_options
@shared.rule_option
@shared.rate_options
@shared.step_options
@shared.epochs_option
@click.option("--max-seconds", type=float, help="Maximum seconds of training, without compilation.")
@shared.tol_option
@click.option("--gap-tol", type=float, help="Stop when the objective is proved to be this close to its minimum.")
@click.option("--patience", type=int, default=5, help="Epochs without an improvement by --tol before stopping.")
@click.option(
    "--test-size", type=FRACTION,
    help="Fraction of the rows to hold out of training, by class for labels, and to measure the model on.",
)  # fmt: skip
@click.option(
    "--validation",
    type=FRACTION_OR_FILE,
    help="Fraction of the rows to hold out, or another file: training stops when the loss on these rows stops falling, "
    "and the model is the one with the lowest such loss.",
)
@click.option(
    "--average", type=int, default=0,
    help="For sgd and minibatch: average the weights over all steps from this one on; 0 averages none.",
)  # fmt: skip
@click.option(
    "--shards", type=int, help="For sgd: parts of the rows to process in parallel; their weights are averaged."
)
@click.option(
    "--on-divergence", type=click.Choice(list(ON_DIVERGENCE)), default="auto",
    help=f"What to do when the loss grows ({ON_DIVERGENCE_HELP}).",
)  # fmt: skip
@shared.start_options
@click.option("--save", type=OUTPUT_FILE, help="Save the model to this file.")
@click.option(
    "--trace", "trace_file", type=COLUMN_FILE,
    help="Write the trace to this file, one row per epoch (.csv, .parquet, ...).",
)  # fmt: skip
@click.option("--trace-steps", is_flag=True, help="Write one row per update instead.")
@plot_options
@shared.output_options
def run(
    data: str, target: str | None, drop: list[str] | None, sample_weight: str | None, offset: str | None,
    test_size: float | None, as_json: bool, quiet: bool, save: Path | None, trace_file: Path | None, trace_steps: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA by gradient descent.

    \b
    fastgd run                                        an artificial data set of a million rows
    fastgd run houses.csv --target price              a table of your own
    fastgd run houses.csv --target price,rent         two targets at once
    fastgd run houses.csv --test-size 0.2             measured on a fifth of the rows
    fastgd run flats.csv --loss my.py:Cauchy:c=2      a loss of your own, a class in a file
    fastgd run tutorial --method gd --learning-rate 0.01 --start 1.0 --no-intercept
    """  # noqa: D301  # click does not rewrap lines after the character \b
    pictures = Pictures.take(options)
    pictures.check(trace_steps)
    if trace_steps and trace_file is None and pictures.plot is None:
        raise click.UsageError("--trace-steps needs a file to write to: add --trace FILE.csv or --plot FILE.png")
    import fastgd

    with progress(f"reading {data}", quiet):
        columns, format_ = shared.columns_of(options), shared.text_of(options)
        table, seconds_read = shared.read_table(data, target, drop, sample_weight, offset, columns, format_)
        options = shared.fit_options(table, options)
        table, test = split_test(table, test_size, options)
        options["validation"] = open_validation(options.get("validation"), table, sample_weight, offset, format_)
        options["trace"] = "step" if trace_steps else "epoch"
        check_weights(pictures.plot_weights, table, options.get("fit_intercept", True))
    with interruption.deferred(ignored_afterwards=True):
        try:
            with progress("training", quiet):
                result = fastgd.fit(table, **options)
        except (fastgd.Interrupted, fastgd.DivergedError) as ended:
            if ended.result is not None:
                if isinstance(ended, fastgd.DivergedError):
                    save = None  # a model that diverged is of no use
                keep_partial_outputs(ended.result, save, trace_file, partial(pictures.draw_run, ended, table, options))
            raise
        for text in table.remarks:
            remark(text, quiet)
        files = write_outputs(result, save, trace_file)
        with progress("drawing", quiet or not pictures.files):
            pictures.draw_run(result, table, options, files)
        held_out = measure(result, table, test, options)
        from .summary import print_json, print_summary

        (print_json if as_json else print_summary)(table, result, held_out, seconds_read, files.paths)
        files.raise_error()
        if interruption.pending():
            raise KeyboardInterrupt


def write_outputs(result: Result, save: Path | None, trace_file: Path | None) -> WrittenFiles:
    from fastgd.data.writers.write_table import write_columns

    files = WrittenFiles()
    files.write("model", save, result.save)
    files.write("trace", trace_file, lambda path: write_columns(path, trace_columns(result)))
    return files


def trace_columns(result: Result) -> dict[str, Any]:
    """The trace as columns, with one for each coefficient of each output in gradients and weights."""
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


def keep_partial_outputs(
    result: Result, save: Path | None, trace_file: Path | None, draw: Callable[[WrittenFiles], None]
) -> None:
    """After Ctrl-C or a divergence: write the outputs that there are, and name them."""
    files = write_outputs(result, save, trace_file)
    draw(files)
    for error in files.errors:  # which must not hide how training ended
        remark(str(error))
    where = f"; kept in {' and '.join(files.paths.values())}" if files.paths else ""
    remark(f"stopped after {plural(result.n_epochs, 'complete epoch')}{where}")
