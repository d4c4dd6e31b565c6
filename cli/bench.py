"""``fastgd bench``: how fast the kernels are on this machine, beside its memory and beside other packages."""

from __future__ import annotations

import click
from fastgd_bench import QUESTIONS, USUAL

from fastgd.errors import OptionError

from .console import remark
from .options import json_option, quiet_option

WORDS = "\n".join(f"  {name:<17} {what}" for name, what in QUESTIONS.items())


@click.command(short_help="How fast it is on this machine, beside peers.", epilog=f"\b\nQuestions:\n{WORDS}")
@click.argument("questions", nargs=-1, type=click.Choice([*QUESTIONS, "all"]), metavar="[QUESTION]...")
@click.option("--quick", is_flag=True, help="Less data, fewer cases and rounds: rough numbers in some three minutes.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw a picture: .png, .svg or .pdf.")
@json_option
@quiet_option
def bench(questions: tuple[str, ...], quick: bool, plot: str | None, as_json: bool, quiet: bool) -> None:
    """Measure how fast fastgd is on this machine: beside the speed of its memory, and beside other packages.

    Everything is timed in turn, by medians of several rounds; keep the machine quiet. Without a QUESTION, it asks those
    that have goals, and ends with a table of them. What is not installed is not measured, and named.
    """
    from fastgd_bench import ask as asking
    from fastgd_bench.goals import against_goals
    from fastgd_bench.machine import describe, in_words
    from fastgd_bench.scale import Scale

    from .summary import echo_json

    chosen = tuple(QUESTIONS) if "all" in questions else tuple(dict.fromkeys(questions)) or USUAL
    if plot:
        check_plot(plot, chosen)
    aloud = not as_json
    if aloud:
        click.echo(in_words(describe()))
    answers = asking.ask(
        chosen,
        Scale(quick),
        begins=lambda question: remark(f"measuring: {QUESTIONS[question]}", quiet),
        ends=lambda table: click.echo(f"\n{table}") if aloud else None,
    )
    if as_json:
        echo_json(asking.as_json(answers))
    elif (goals := against_goals(answers)).rows:
        click.echo(f"\n{goals}")
    if plot:
        from fastgd_bench.plot import draw

        draw(answers, plot, describe())


def check_plot(path: str, questions: tuple[str, ...]) -> None:
    """Before minutes of measuring."""
    from fastgd.show.plots import check_picture

    if missing := [name for name in USUAL if name not in questions]:
        raise OptionError(f"--plot draws the usual questions; these were not asked: {', '.join(missing)}")
    check_picture(path)
