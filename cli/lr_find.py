"""``fastgd lr-find``: what each of many learning rates comes to, and which one to take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastgd.wording import plural

from .chart import BLOCKS, bar, can_print
from .console import progress, remark
from .options import (
    DATA_HELP,
    Numbers,
    fit_options,
    json_option,
    penalty_options,
    quiet_option,
    read_table,
    rule_option,
    start_options,
    step_options,
    table_options,
)
from .pictures import picture_type

if TYPE_CHECKING:
    from fastgd import RateRange, Table

METHODS = ("minibatch", "sgd", "gd")  # those that take a rate
LONGEST_BAR = 40  # characters
SUGGESTED, DIVERGES = "<- suggested", "<- diverges"


@click.command(short_help="Try many learning rates in one pass, and say which to take.", epilog=DATA_HELP)
@click.argument("data", default="linear")
@table_options
@click.option("--method", type=click.Choice(METHODS), default="minibatch", show_default=True, help="How to descend.")
@penalty_options
@rule_option
@click.option(
    "--rates",
    type=Numbers(as_list=True),
    help="Rates to try, with commas between.  [default: 24, from 1e-4 to 100 times the automatic one]",
)
@step_options
@click.option("--epochs", type=int, help="Passes over the data for each rate.  [default: 1, or for at least 50 steps]")
@start_options
@click.option("--plot", type=picture_type, help="Draw it in this file as well: .png, .svg or .pdf.")
@json_option
@quiet_option
def lr_find(
    data: str, target: str | None, drop: list[str], sample_weight: str | None, offset: str | None,
    plot: Path | None, as_json: bool, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA at each of many learning rates, all of them in one pass, and say which rate to take.

    For each rate there is a bar, as long as what is left of the loss after that pass: the whole of it at first, where
    the rate is so small that nothing happens; next to nothing where the rate is good; and again all of it, with a > at
    the end, where training diverges. Suggested is the middle of the good ones.

    \b
    fastgd lr-find houses.csv --target price
    fastgd lr-find higgs.tsv --target 0 --loss logistic --method sgd
    fastgd lr-find houses.csv --rates 0.001,0.01,0.1
    """  # noqa: D301  # click wants the character \b itself, before lines that it must not fill
    if plot is not None:
        from fastgd.show.plots import check_picture

        check_picture(plot)
    import fastgd

    from .own_loss import read_loss

    options["loss"] = read_loss(options["loss"])
    with progress(f"reading {data}", quiet):
        table, seconds_read = read_table(data, target, drop, sample_weight, offset)
        options = fit_options(table, options)
        found = fastgd.learning_rate_range(table, **options)
    for text in (*table.remarks, *found.remarks):
        remark(text, quiet)
    if plot is not None:
        from fastgd.show.plots import save

        scaled = ", scaled columns" if found.settings["scaled"] else ""
        title = f"{Path(table.source).name}: {found.settings['loss']} loss, {method_of(found)}{scaled}"
        save(fastgd.plot_rate_range(found, title=title), plot)
    files = {} if plot is None else {"plot": str(plot)}
    if as_json:
        print_json(table, found, seconds_read, files)
    else:
        print_range(table, found, files)


def method_of(found: RateRange) -> str:
    """In words."""
    batches = f", batches of {found.batch_size}" if found.method == "minibatch" else ""
    rule = f", rule {found.settings['rule']}" if found.settings["rule"] != "sgd" else ""
    return f"{found.method}{batches}{rule}"


def print_json(table: Table, found: RateRange, seconds_read: float, files: dict[str, str]) -> None:
    """The keys are a public contract."""
    from .summary import echo_json

    echo_json(
        {
            "data": table.source,
            "n_samples": table.n_samples,
            "n_features": table.n_features,
            "target": table.target_name,
            "method": found.method,
            **found.settings,
            "batch_size": found.batch_size,
            "epochs": found.epochs,
            "start_loss": found.start_loss,
            "rates": found.rates.tolist(),
            "losses": found.losses.tolist(),
            "suggested": found.suggested,
            "diverges_at": found.diverges_at,
            "automatic": found.automatic,
            "seconds": {"read": seconds_read, **found.seconds},
            "remarks": [*table.remarks, *found.remarks],
            **files,
        }
    )


def print_range(table: Table, found: RateRange, files: dict[str, str]) -> None:
    """A row for each rate, and the suggestion in words that can be pasted behind `fastgd run`."""
    from rich.console import Console
    from rich.text import Text

    from .console import print_table
    from .summary import in_words

    passes = "one pass over the data" if found.epochs == 1 else f"{found.epochs} passes over the data"
    size = f"{plural(table.n_samples, 'row')} x {plural(table.n_features, 'column')}"
    data = f"{table.source}: {size}, {in_words(table.target_name)}"
    print_table(
        [
            ("data", data),
            ("loss", f"{found.settings['loss']}, penalty {found.settings['penalty']}"),
            ("method", method_of(found)),
            ("training", f"{len(found.rates)} rates in {passes}, {found.seconds['fit']:.3g} s"),
            ("start", f"{found.start_loss:.6g}"),
            *files.items(),
        ]
    )
    console = Console(highlight=False, soft_wrap=True)
    click.echo()
    for line, style in picture(found, console.width, can_print(BLOCKS)):
        console.print(Text(line, style=style))
    click.echo()
    click.echo(suggestion(found))


def picture(found: RateRange, width: int, blocks: bool) -> list[tuple[str, str]]:
    """Lines of text, and the style of each: rate, loss, a bar as long as what is left of the loss, a mark.

    The bars of losses above the start are as long as that of the start and end in >.
    """
    import numpy as np

    rates = [f"{rate:.3g}" for rate in found.rates]
    losses = ["diverged" if np.isinf(loss) else f"{loss:.6g}" for loss in found.losses]
    margins = max(map(len, [*rates, "rate"])), max(map(len, [*losses, "loss"]))
    longest = max(8, min(LONGEST_BAR, width - sum(margins) - len(SUGGESTED) - 8))
    best = float(found.losses.min())
    span = found.start_loss - best
    lines = [(f"{'rate':>{margins[0]}}  {'loss':>{margins[1]}}", "bold")]
    for k, (rate, loss) in enumerate(zip(found.rates, found.losses, strict=True)):
        share = min((loss - best) / span, 1.0) if span > 0 else 1.0
        over = loss > found.start_loss
        drawn = bar(share, longest, blocks) + (">" if over else "")
        mark, style = "", "red" if found.diverges_at is not None and rate >= found.diverges_at else ""
        if rate == found.diverges_at:
            mark = DIVERGES
        if rate == found.suggested:
            mark, style = SUGGESTED, "bold green"
        lines.append(
            (f"{rates[k]:>{margins[0]}}  {losses[k]:>{margins[1]}}  {drawn:{longest + 1}} {mark}".rstrip(), style)
        )
    return lines


def suggestion(found: RateRange) -> str:
    """In options of `fastgd run` that a person can copy."""
    auto = f"(auto: {found.automatic:.3g})"
    if found.suggested is None:
        return f"suggested: none, since no rate ends below the start; try smaller --rates   {auto}"
    options = f"--method {found.method} --learning-rate {found.suggested:g}{' --scale' * found.settings['scaled']}"
    return f"suggested: {options}   {auto}"
