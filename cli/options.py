"""Types and options that several commands share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastgd.data import BUILTINS
from fastgd.losses import LOSSES
from fastgd.penalties import PENALTY_NAMES
from fastgd.rules import RULES
from fastgd.schedules import SCHEDULES
from fastgd.solvers.options import SHUFFLES

if TYPE_CHECKING:
    from fastgd import Table

F = TypeVar("F", bound=Callable[..., Any])

OWN_LOSS_HELP = "The loss again, FILE.py:CLASS, of a model that was fitted with one of your own."
SETTINGS_HELP = "Settings follow a colon, as in huber:delta=2."
LARGE_FILE = 10_000_000  # bytes
DATA_HELP = f"DATA is a file or one of the built-ins: {', '.join(BUILTINS)}."


class AutoOr(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The word auto, or a number."""

    def __init__(self, number: type) -> None:
        self.number = number
        self.name = "auto|int" if number is int else "auto|float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto" or isinstance(value, self.number):
            return value
        try:
            return self.number(value)
        except ValueError:
            kind = "a whole number" if self.number is int else "a number"
            self.fail(f"{value!r} is neither 'auto' nor {kind}", param, ctx)


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """One number, or several with commas between them; always a list with ``as_list``."""

    name = "numbers"

    def __init__(self, as_list: bool = False) -> None:
        self.as_list = as_list

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            numbers = [float(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a number, nor several with commas between them", param, ctx)
        return numbers[0] if len(numbers) == 1 and not self.as_list else numbers


class ClassWeights(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The word balanced, or a weight for each of some labels."""

    name = "class weights"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "balanced" or not isinstance(value, str):
            return value
        pairs = [part.rpartition("=") for part in value.split(",")]
        try:
            weights = {label.strip(): float(weight) for label, _, weight in pairs}
        except ValueError:
            weights = {}
        if len(weights) < len(pairs) or "" in weights:
            self.fail(f"{value!r} is neither 'balanced' nor LABEL=WEIGHT, with commas between several", param, ctx)
        return weights


class Names(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(function)


def quiet_option(function: F) -> F:
    return click.option("--quiet", "-q", is_flag=True, help="No progress and no remarks on standard error.")(function)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator of several, in the order of the help text."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


# What the commands that train have in common, in the order in which `fastgd run --help` lists it.
table_options = together(
    click.option(
        "--target",
        help="Column to predict: its name, or its index from 0; several with commas between them.  "
        "[default: y, target or label, else the last]",
    ),
    click.option("--drop", type=Names(), default="", help="Columns not to use, with commas between them."),
    click.option(
        "--loss",
        help=f"One of {', '.join(LOSSES)}. {SETTINGS_HELP} Or your own: FILE.py:CLASS, with settings after another "
        "colon.  [default: squared, or what a built-in wants]",
    ),
    click.option("--sample-weight", help="Column with the weight of each row, 0 or more."),
    click.option(
        "--class-weight",
        type=ClassWeights(),
        metavar="balanced|LABEL=WEIGHT,...",
        help="Weights of the classes; balanced makes up for their sizes.",
    ),
    click.option("--offset", help="Column to add to the linear predictor of each row, such as the log of an exposure."),
)
penalty_options = together(
    click.option(
        "--penalty",
        help=f"What large weights cost: {', '.join(PENALTY_NAMES)}. Settings follow a colon, as in mcp:gamma=4.  "
        "[default: l2 where alpha is above 0]",
    ),
    click.option("--alpha", type=float, default=0.0, show_default=True, help="Strength of the penalty."),
    click.option("--l1-ratio", type=float, help="Share of L1 in elasticnet.  [default: 0.15]"),
    click.option(
        "--penalty-weights",
        type=Numbers(as_list=True),
        help="How many times the penalty of each column counts, with commas between.",
    ),
)
rule_option = click.option(
    "--rule", default="sgd", show_default=True, help=f"Update rule: {', '.join(RULES)}. {SETTINGS_HELP}"
)
rate_options = together(
    click.option("--learning-rate", type=AutoOr(float), default="auto", show_default=True, help="Step size."),
    click.option(
        "--schedule", default="constant", show_default=True, help=f"Of the learning rate: {', '.join(SCHEDULES)}."
    ),
)
scale_option = click.option(
    "--scale/--no-scale",
    default=None,
    help="Step in scaled columns.  [default: where they differ much and the rate is auto]",
)
step_options = together(
    click.option("--batch-size", type=AutoOr(int), default="auto", show_default=True, help="Rows a step of minibatch."),
    scale_option,
)
epochs_option = click.option(
    "--epochs", "max_epochs", type=int, default=100, show_default=True, help="Most passes over the data."
)
tol_option = click.option(
    "--tol",
    type=float,
    help="Relative tolerance to stop at; 0 runs all epochs.  [default: 1e-4 with an auto rate, else 0]",
)
no_intercept_option = click.option("--no-intercept", is_flag=True, help="Fit no intercept.")
threads_option = click.option("--threads", "n_threads", type=int, help="Most threads to use.  [default: all]")
start_options = together(
    click.option("--clip-norm", type=float, help="The longest a gradient may be; longer ones are shortened."),
    click.option(
        "--start", type=Numbers(), help="Coefficients to start from: a number, or one for each column.  [default: 0]"
    ),
    no_intercept_option,
    click.option(
        "--shuffle",
        type=click.Choice(SHUFFLES),
        default="blocks",
        show_default=True,
        help="Order of the rows in an epoch.",
    ),
    click.option("--no-shuffle", is_flag=True, help="Take the rows in order; short for --shuffle none."),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the shuffling."),
    threads_option,
)


def read_table(
    data: str, target: str | None, drop: list[str], sample_weight: str | None, offset: str | None
) -> tuple[Table, float]:
    """The table that ``table_options`` ask for, and the seconds it took to read."""
    import fastgd

    loading = threading.Thread(target=_load_fit, daemon=True)
    if is_large(data):
        loading.start()  # reading waits for the disk and for Arrow, which leave Python to others
    began = time.perf_counter()
    table = fastgd.open(data, target=target, drop=drop, weight=sample_weight, offset=offset)
    seconds = time.perf_counter() - began
    if loading.ident is not None:
        loading.join()
    return table, seconds


def is_large(data: str) -> bool:
    """Whether reading it takes as long as loading what training needs."""
    if data in ("linear", "logistic"):
        return True
    try:
        return os.path.getsize(data) > LARGE_FILE
    except OSError:
        return False


def _load_fit() -> None:
    """What training needs; if it cannot be loaded, training will say so."""
    with suppress(Exception):
        import fastgd.fitting  # noqa: F401
        from fastgd.compile.jit import get_ready

        get_ready()


def fit_options(table: Table, options: dict[str, Any]) -> dict[str, Any]:
    """The options of `fastgd.fit`: what was given, else what the data set suggests, else fastgd's own defaults."""
    given = {name: value for name, value in options.items() if value is not None}
    if given.pop("no_intercept"):
        given["fit_intercept"] = False
    if given.pop("no_shuffle"):
        given["shuffle"] = "none"
    return {"fit_intercept": True, **table.defaults, **given}
