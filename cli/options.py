"""Types and options that several commands share."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastgd.data import BUILTINS
from fastgd.data.encoding.columns import DATES, DEFAULT_HASH_BITS, MISSING, REFERENCES, UNKNOWN, Columns
from fastgd.data.file_formats import READ_SUFFIXES
from fastgd.data.text_format import TextFormat
from fastgd.losses import LOSSES
from fastgd.penalties import PENALTY_NAMES
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES
from fastgd.solvers.options import SHUFFLES

from .sections import SectionedCommand
from .values import (
    AUTO_OR_FLOAT,
    AUTO_OR_INT,
    CLASS_WEIGHTS,
    INT_BY_COLUMN,
    LOSS,
    NAMES,
    NUMBER_LIST,
    NUMBERS,
    WORD_BY_COLUMN,
)

if TYPE_CHECKING:
    from fastgd import Table

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS_HELP = "Settings follow a colon, as in"
LARGE_FILE = 10_000_000  # bytes
DATA_HELP = (
    f"DATA is a file ({', '.join(READ_SUFFIXES)}; text also with .gz, .bz2 or .zst) or one of the built-in data sets: "
    f"{', '.join(BUILTINS)}."
)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator for several options."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


# The options that several commands have.
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
output_options = together(
    json_option, click.option("--quiet", "-q", is_flag=True, help="Print no progress and no remarks.")
)
table_options = together(
    click.option(
        "--target", help="Column to predict, by its name or its index from 0; several with commas between them.  "
        "[default: y, target or label, else the last column]",
    ),
    click.option("--drop", type=NAMES, help="Columns to leave out, with commas between them."),
    click.option(
        "--loss", type=LOSS,
        help=f"Loss function: auto, {', '.join(LOSSES)}. {SETTINGS_HELP} huber:delta=2. FILE.py:CLASS is a loss of "
        "your own, with settings after another colon. auto takes squared for numbers, and logistic (softmax for more "
        "than two) for words, booleans and the numbers 0 and 1.  [default: auto, or the built-in data set's own]",
    ),
    click.option("--sample-weight", help="Column with the weight of each row, 0 or more."),
    click.option(
        "--class-weight", type=CLASS_WEIGHTS,
        help="Weight of each class; balanced gives all classes the same total weight.",
    ),
    click.option("--offset", help="Column to add to the linear predictor of each row, such as the log of an exposure."),
)  # fmt: skip
columns_options = together(
    click.option(
        "--missing", type=WORD_BY_COLUMN,
        help=f"What missing values become: {', '.join(MISSING)}; also by column, age=median,deck=indicator. Of words "
        "mean, median and zero take the most frequent, and indicator adds a level.  [default: error]",
    ),
    click.option("--categorical", type=NAMES, help="Columns of numbers that are codes of categories."),
    click.option(
        "--reference", type=WORD_BY_COLUMN,
        help=f"Level of words without a feature: {', '.join(REFERENCES)}, or cut=Ideal,color=D.  [default: none]",
    ),
    click.option(
        "--min-frequency", type=float,
        help="Levels of fewer rows share one feature; below 1 a fraction of the rows.  [default: 0]",
    ),
    click.option(
        "--hash-bits", type=INT_BY_COLUMN,
        help="Columns of more than 2^BITS levels are hashed into that many features; site=12 hashes that column.  "
        f"[default: {DEFAULT_HASH_BITS}]",
    ),
    click.option(
        "--interact", "interactions", type=NAMES, help="Products of columns to add, a:b with commas between several."
    ),
    click.option("--dates", type=click.Choice(DATES), help="Dates as one number, or also their parts as categories.  "
                 "[default: number]"),
    click.option("--unknown", type=click.Choice(UNKNOWN), help="Levels that training did not see.  [default: ignore]"),
)  # fmt: skip
text_options = together(
    click.option("--separator", help="Character between fields, or tab; blank stands for several as well.  "
                 "[default: found in the file]"),
    click.option("--decimal", help="Decimal mark of numbers.  [default: found in the file]"),
    click.option("--thousands", help="Mark between thousands.  [default: found in the file]"),
    click.option("--quote", help='Character around fields with separators, or none.  [default: "]'),
    click.option("--comment", help="Lines that begin with this character are left out.  "
                 "[default: # before the first row]"),
    click.option("--encoding", help="Encoding, such as latin-1.  [default: found in the file]"),
    click.option("--header/--no-header", default=None, help="Whether the first line has the names of the columns.  "
                 "[default: found in the file]"),
    click.option("--na-values", type=NAMES, help="Marks of missing values, with commas between them: \"?,-\"."),
)  # fmt: skip
saved_loss_option = click.option(
    "--loss", type=LOSS, help="Loss of the model as FILE.py:CLASS, if it was trained with one of your own."
)
penalty_options = together(
    click.option(
        "--penalty", help=f"Penalty on the coefficients: {', '.join(PENALTY_NAMES)}. {SETTINGS_HELP} mcp:gamma=4.  "
        "[default: l2 if --alpha is above 0, else none]",
    ),
    click.option("--alpha", type=float, default=0.0, help="Strength of the penalty."),
    click.option("--l1-ratio", type=float, help="Share of L1 in elasticnet, from 0 to 1.  [default: 0.15]"),
    click.option(
        "--penalty-weights", type=NUMBER_LIST, help="Factor of the penalty for each column, with commas between them."
    ),
)  # fmt: skip
rule_option = click.option(
    "--rule", default="sgd", help=f"Update rule: {', '.join(RULES)}. {SETTINGS_HELP} momentum:beta=0.8."
)
rate_options = together(
    click.option("--learning-rate", type=AUTO_OR_FLOAT, default="auto", help="Step size; auto chooses one."),
    click.option(
        "--schedule", default="constant",
        help=f"Schedule of the learning rate: {', '.join(SCHEDULES)}. {SETTINGS_HELP} step:every=5.",
    ),
)  # fmt: skip
scale_option = click.option(
    "--scale/--no-scale",
    default=None,
    help="Take the steps in scaled columns; the model stays in the units of the data.  "
    "[default: if columns differ much and the learning rate is auto]",
)
step_options = together(
    click.option("--batch-size", type=AUTO_OR_INT, default="auto", help="Rows per minibatch step."), scale_option
)
epochs_option = click.option(
    "--epochs", "max_epochs", type=int, default=100, help="Maximum number of passes over the data."
)
tol_option = click.option(
    "--tol",
    type=float,
    help="Part of what there is to gain that may be left at the end; 0 runs all epochs.  "
    "[default: 1e-4 if the learning rate is auto and there is no --gap-tol, else 0]",
)
no_intercept_option = click.option("--no-intercept", is_flag=True, help="Fit no intercept.")
threads_option = click.option("--threads", "n_threads", type=int, help="Maximum number of threads.  [default: all]")
start_options = together(
    click.option("--clip-norm", type=float, help="Maximum norm of a gradient; longer ones are shortened to it."),
    click.option(
        "--start", type=NUMBERS, help="Coefficients to start from: one for all, or one per column.  "
        "[default: 0, and the best intercept]",
    ),
    no_intercept_option,
    click.option(
        "--shuffle", type=click.Choice(SHUFFLES), default="blocks",
        help="Order of the rows in an epoch: random blocks, a full random permutation, or as they are.",
    ),
    click.option("--no-shuffle", is_flag=True, help="The same as --shuffle none."),
    click.option("--seed", type=int, default=0, help="Seed of all random numbers."),
    threads_option,
)  # fmt: skip


def data_command(short_help: str, data: str = "linear", **settings: Any) -> Callable[..., click.Command]:
    """Decorator: a command with the argument DATA, by default the built-in ``data``, and the options of a table."""
    command = click.command(cls=SectionedCommand, short_help=short_help, epilog=DATA_HELP, **settings)
    return lambda function: command(
        click.argument("data", default=data)(table_options(columns_options(text_options(function))))
    )


def columns_of(options: dict[str, Any]) -> Columns:
    """The `Columns` of the options of a command, which are taken out of ``options``."""
    return Columns(**_taken(options, Columns))


def text_of(options: dict[str, Any]) -> TextFormat:
    """The `TextFormat` of the options of a command, which are taken out of ``options``."""
    return TextFormat(**_taken(options, TextFormat))


def _taken(options: dict[str, Any], of: type[Any]) -> dict[str, Any]:
    given = {field.name: options.pop(field.name, None) for field in dataclasses.fields(of)}
    return {name: value for name, value in given.items() if value is not None}


def read_table(
    data: str,
    target: str | None,
    drop: list[str] | None,
    sample_weight: str | None,
    offset: str | None,
    columns: Columns,
    text: TextFormat,
) -> tuple[Table, float]:
    """The table, and the seconds it took to read."""
    import fastgd

    loading = threading.Thread(target=_load_fit, daemon=True)
    if is_large(data):
        with suppress(RuntimeError):  # no thread can be started
            loading.start()  # reading waits for the disk and for Arrow, which release the GIL
    began = time.perf_counter()
    table = fastgd.open(
        data, target=target, drop=drop or (), weight=sample_weight, offset=offset, columns=columns, text=text
    )
    seconds = time.perf_counter() - began
    if loading.ident is not None:
        loading.join()
    return table, seconds


def is_large(data: str) -> bool:
    """Whether reading the data takes about as long as loading numba and the kernels."""
    if data in ("linear", "logistic"):
        return True
    try:
        return os.path.getsize(data) > LARGE_FILE
    except OSError:
        return False


def _load_fit() -> None:
    """Load what training needs; an error here is ignored, since training will raise it again."""
    with suppress(Exception):
        import fastgd.fitting  # noqa: F401
        from fastgd.compile.jit import get_ready

        get_ready()


def fit_options(table: Table, options: dict[str, Any]) -> dict[str, Any]:
    """The options of `fastgd.fit`: those given, else the defaults of a built-in data set, else of `fastgd.fit`."""
    given = {name: value for name, value in options.items() if value is not None}
    if given.pop("no_intercept"):
        given["fit_intercept"] = False
    if given.pop("no_shuffle", False):
        given["shuffle"] = "none"
    return {"fit_intercept": True, **table.defaults, **given}
