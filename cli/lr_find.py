"""``fastgd lr-find``: train at many learning rates in one pass, and suggest one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options as shared
from .chart import BLOCKS, bar, can_print
from .console import echo, progress, remark
from .values import NUMBER_LIST, PICTURE
from .written_files import WrittenFiles

if TYPE_CHECKING:
    from fastgd import RateRange, Table

METHODS = ("minibatch", "sgd", "gd")  # the methods with a learning rate
LONGEST_BAR = 40  # characters
SUGGESTED, DIVERGES = "<- suggested", "<- diverges"


@shared.data_command("Try many learning rates in one pass and suggest one.")
@click.option("--method", type=click.Choice(METHODS), default="minibatch", help="Method to train with.")
@shared.penalty_options
@shared.rule_option
@click.option(
    "--rates",
    type=NUMBER_LIST,
    help="Learning rates to try, with commas between them.  [default: 24, from 1e-4 to 100 times the automatic one]",
)
@shared.step_options
@click.option(
    "--epochs", type=int, help="Passes over the data for each rate.  [default: 1, or more for at least 50 steps]"
)
@shared.start_options
@click.option("--plot", type=PICTURE, help="Plot the losses to this file as well: .png, .svg or .pdf.")
@shared.output_options
def lr_find(
    data: str, target: str | None, drop: list[str] | None, sample_weight: str | None, offset: str | None,
    plot: Path | None, as_json: bool, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA at each of many learning rates, all in one pass, and suggest a rate.

    The bar of a rate is as long as the loss that is left after the pass: full where the rate is too small to change
    anything, short where the rate is good, and full with a > at the end where training diverges. The suggested rate is
    the middle of the good ones.

    \b
    fastgd lr-find houses.csv --target price
    fastgd lr-find higgs.tsv --target 0 --loss logistic --method sgd
    fastgd lr-find houses.csv --rates 0.001,0.01,0.1
    """  # noqa: D301  # click does not rewrap lines after the character \b
    import fastgd

    with progress(f"reading {data}", quiet):
        columns, format_ = shared.columns_of(options), shared.text_of(options)
        table, seconds_read = shared.read_table(data, target, drop, sample_weight, offset, columns, format_)
        options = shared.fit_options(table, options)
        found = fastgd.learning_rate_range(table, **options)
    for text in (*table.remarks, *found.remarks):
        remark(text, quiet)

    def draw(path: Path) -> None:
        from fastgd.show.plots import save

        scaled = ", scaled columns" if found.settings["scaled"] else ""
        title = f"{Path(table.source).name}: {found.settings['loss']} loss, {method_of(found)}{scaled}"
        save(fastgd.plot_rate_range(found, title=title), path)

    files = WrittenFiles()
    files.write("plot", plot, draw)
    if as_json:
        print_json(table, found, seconds_read, files.paths)
    else:
        print_range(table, found, files.paths)
    files.raise_error()


def method_of(found: RateRange) -> str:
    """The method and its settings."""
    batches = f", batches of {found.batch_size}" if found.method == "minibatch" else ""
    rule = f", rule {found.settings['rule']}" if found.settings["rule"] != "sgd" else ""
    return f"{found.method}{batches}{rule}"


def print_json(table: Table, found: RateRange, seconds_read: float, files: dict[str, str]) -> None:
    """The keys are a public contract."""
    from .summary import attributes, echo_results

    names = ("batch_size", "epochs", "start_loss", "rates", "losses", "suggested", "diverges_at", "automatic")
    keys = {"method": found.method, **found.settings, **attributes(found, *names)}
    echo_results(table, keys, {"read": seconds_read, **found.seconds}, found.remarks, files)


def print_range(table: Table, found: RateRange, files: dict[str, str]) -> None:
    """Print a row for each rate, and the suggestion as options of `fastgd run`."""
    from .console import console_width, print_styled, print_table
    from .summary import describe_data

    passes = "one pass over the data" if found.epochs == 1 else f"{found.epochs} passes over the data"
    print_table(
        [
            ("data", describe_data(table)),
            ("loss", f"{found.settings['loss']}, penalty {found.settings['penalty']}"),
            ("method", method_of(found)),
            ("training", f"{len(found.rates)} rates in {passes}, {found.seconds['fit']:.3g} s"),
            ("start", f"{found.start_loss:.6g}"),
            *files.items(),
        ]
    )
    echo()
    print_styled([line] for line in picture(found, console_width(), can_print(BLOCKS)))
    echo()
    echo(suggestion(found))


def picture(found: RateRange, width: int, blocks: bool) -> list[tuple[str, str]]:
    """Lines of text with the style of each: rate, loss, a bar as long as the loss that is left, a mark.

    Bars of losses above the loss at the start are full and end in >.
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
    """The suggested rate as options of `fastgd run`."""
    auto = f"(auto: {found.automatic:.3g})"
    if found.suggested is None:
        return f"suggested: none, since no rate lowers the loss; try smaller --rates   {auto}"
    options = f"--method {found.method} --learning-rate {found.suggested:g}{' --scale' * found.settings['scaled']}"
    return f"suggested: {options}   {auto}"
