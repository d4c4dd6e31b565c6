"""Progress and remarks on standard error, tables on standard output. rich is imported only to draw a progress bar."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import click

from fastgd.training.progress import Reporter, reporting_to
from fastgd.wording import printable


def echo(text: str = "") -> None:
    """Print on standard output, control characters as escapes."""
    click.echo(printable(text))


def remark(text: str, quiet: bool = False) -> None:
    """Print a line on standard error; it is lost where that is full or closed, and the work goes on."""
    if not quiet:
        with suppress(OSError):
            click.echo(printable(text), err=True)


class Display(Reporter):
    """Shows the progress of a command; ``validation`` is the text about the last validation loss."""

    validation = ""

    def start(self, description: str) -> None:
        """Nothing to show yet."""

    def stop(self) -> None:
        """Nothing to remove."""

    def validated(self, epoch: int, loss: float) -> None:
        self.validation = f", validation {loss:.6g}"

    def so_far(self, passes: float, max_epochs: int, loss: float) -> str:
        return f"{passes:.1f} of {max_epochs} epochs{'' if math.isnan(loss) else f', loss {loss:.6g}'}{self.validation}"


class Bar(Display):
    """Progress bar on a terminal: compilation, then passes over the data and the running loss."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        bar = BarColumn(bar_width=30)
        columns = TextColumn("{task.description}"), bar, TextColumn("{task.fields[detail]}"), TimeElapsedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task: Any = None

    def start(self, description: str) -> None:
        self._progress.start()
        self._task = self._progress.add_task(description, total=None, detail="")

    def stop(self) -> None:
        self._progress.stop()

    def compiling(self, kernel: str) -> None:
        self._progress.update(self._task, description="compiling", detail=f"{kernel} (once on this machine)")

    def advanced(self, passes: float, max_epochs: int, loss: float) -> None:
        detail = self.so_far(passes, max_epochs, loss)
        self._progress.update(self._task, description="training", completed=passes, total=max_epochs, detail=detail)


class Lines(Display):
    """Progress for a log file or a pipe: a line at the first compilation, then one every 10 seconds."""

    SECONDS_BETWEEN = 10.0

    def __init__(self) -> None:
        self._said_compiling = False
        self._last = time.monotonic()

    def compiling(self, kernel: str) -> None:
        if not self._said_compiling:
            remark("compiling kernels, once on this machine; this takes a few seconds")
            self._said_compiling = True

    def advanced(self, passes: float, max_epochs: int, loss: float) -> None:
        if time.monotonic() - self._last > self.SECONDS_BETWEEN:
            self._last = time.monotonic()
            remark(self.so_far(passes, max_epochs, loss))


@contextmanager
def progress(description: str, quiet: bool) -> Iterator[None]:
    """Show the progress of the block on standard error."""
    if quiet:
        yield
        return
    shown = Bar() if sys.stderr.isatty() else Lines()
    shown.start(description)
    try:
        with reporting_to(shown):
            yield
    finally:
        shown.stop()


@contextmanager
def counted(description: str, total: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the progress of ``total`` steps as a bar or a line each; call the yielded function as each step begins."""
    if quiet or not sys.stderr.isatty():
        done = count(1)
        yield lambda step: remark(f"{description} {next(done)} of {total}: {step}", quiet)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(description, total=total)
        done = count(0)
        yield lambda step: shown.update(task, description=f"{description} {printable(step)}", completed=next(done))


def console_width() -> int:
    """Characters in a line of the terminal, 80 if there is none."""
    from rich.console import Console

    return Console().width


def print_styled(lines: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Print lines of parts, each a text and its style."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*((printable(text), style) for text, style in line)))


def print_table(rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns; on a terminal, long values wrap within their column."""
    margin = max(len(name) for name, _ in rows) + 2
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for name, value in rows:
        filled = textwrap.fill(value, width - 1, initial_indent=name.ljust(margin), subsequent_indent=" " * margin)
        echo(filled)
