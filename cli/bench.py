"""``fastgd bench``: the speed of fastgd, of this machine's memory and of other packages."""

from __future__ import annotations

from pathlib import Path

import click
from fastgd_bench import QUESTIONS, USUAL

from fastgd.errors import OptionError

from .console import echo, remark
from .options import output_options
from .sections import SectionedCommand
from .values import PICTURE


@click.command(
    cls=SectionedCommand,
    short_help="Measure the speed of fastgd and of other packages.",
    lists={"Questions": QUESTIONS},
)
@click.argument("questions", nargs=-1, type=click.Choice([*QUESTIONS, "all"]), metavar="[QUESTION]...")
@click.option("--quick", is_flag=True, help="Less data, fewer cases and rounds: rough numbers in about three minutes.")
@click.option("--plot", type=PICTURE, help="Plot the results to this file: .png, .svg or .pdf.")
@output_options
def bench(questions: tuple[str, ...], quick: bool, plot: Path | None, as_json: bool, quiet: bool) -> None:
    """Compare the speed of fastgd on this machine with the speed of its memory and with other packages.

    Times are medians of several rounds, in which the candidates take turns; run nothing else meanwhile. Without a
    QUESTION, all questions with goals are measured, followed by a table of the goals. Packages that are not installed
    are named and left out.
    """
    from fastgd_bench import ask as asking
    from fastgd_bench.goals import against_goals
    from fastgd_bench.machine import describe, in_words
    from fastgd_bench.scale import Scale

    from .summary import echo_json

    chosen = tuple(QUESTIONS) if "all" in questions else tuple(dict.fromkeys(questions)) or USUAL
    if plot:
        check_plot(chosen)
    aloud = not as_json
    if aloud:
        echo(in_words(describe()))
    answers = asking.ask(
        chosen, Scale(quick), begins=lambda question: remark(f"measuring: {QUESTIONS[question]}", quiet),
        ends=lambda table: echo(f"\n{table}") if aloud else None,
    )  # fmt: skip
    if as_json:
        echo_json(asking.as_json(answers))
    elif (goals := against_goals(answers)).rows:
        echo(f"\n{goals}")
    if plot:
        from fastgd_bench.plot import draw

        draw(answers, plot, describe())


def check_plot(questions: tuple[str, ...]) -> None:
    """Check before minutes of measuring that there will be something to plot."""
    if missing := [name for name in USUAL if name not in questions]:
        raise OptionError(f"--plot needs the questions that have goals; missing: {', '.join(missing)}")
