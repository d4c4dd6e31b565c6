"""Progress and remarks on standard error, tables on standard output. rich is imported only to draw a progress bar."""

from __future__ import annotations

import io
import math
import shutil
import sys
import textwrap
import time
import traceback
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


def flush() -> None:
    """Write what other code has printed and standard output still holds."""
    click.echo(nl=False)


class BinaryOutput(io.RawIOBase):
    """Standard output as a binary file."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        click.echo(bytes(content), nl=False)
        return len(content)


def is_of_output(error: OSError) -> bool:
    """Whether the error is of writing to standard output, and not to another file."""
    return any(frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def remark(text: str, quiet: bool = False) -> None:
    """Print a line on standard error; it is lost where that is full or closed, and the work goes on."""
    if not quiet:
        with suppress(OSError):
            click.echo(printable(text), err=True)


def show_warning(message: Warning | str, *_place: Any, **_more: Any) -> None:
    """Print a warning of Python as one line on standard error, without the file that it is from."""
    remark(f"warning: {' '.join(str(message).split())}")


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

        # Without markup, which the name of a file may look like.
        words, detail = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[detail]"))
        columns = words, BarColumn(bar_width=30), detail, TimeElapsedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task: Any = None

    def start(self, description: str) -> None:
        self._progress.start()
        self._task = self._progress.add_task(printable(description), total=None, detail="")

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
    with console.capture() as captured:  # rich itself would end the process where the reader of a pipe has ended
        for line in lines:
            console.print(Text.assemble(*((printable(text), style) for text, style in line)))
    click.echo(captured.get(), nl=False, color=console.is_terminal)


def print_table(rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns; on a terminal, long values wrap within their column."""
    shown = [(printable(name, kept=""), printable(value, kept="")) for name, value in rows]
    margin = max(len(name) for name, _ in shown) + 2
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for name, value in shown:
        filled = textwrap.fill(value, width - 1, initial_indent=name.ljust(margin), subsequent_indent=" " * margin)
        echo(filled)
