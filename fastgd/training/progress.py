"""Reports of the progress of a fit: `with reporting_to(reporter): fit(...)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Reporter:
    """Receives reports of compilation and progress, and ignores them; override the methods of interest."""

    def compiling(self, kernel: str) -> None:
        """A kernel is being compiled, which takes seconds and happens once per machine."""

    def advanced(self, passes: float, max_epochs: int, loss: float) -> None:
        """``passes`` passes over the data are done, and the running loss is ``loss`` (NaN if unknown)."""

    def validated(self, epoch: int, loss: float) -> None:
        """The mean loss on the validation rows is ``loss`` after ``epoch`` epochs."""


_reporter: ContextVar[Reporter] = ContextVar("fastgd_reporter", default=Reporter())  # noqa: B039  # it has no state


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[Reporter]:
    """Send reports of the fits within the block, in this thread, to ``reporter``."""
    token = _reporter.set(reporter)
    try:
        yield reporter
    finally:
        _reporter.reset(token)


def current_reporter() -> Reporter:
    return _reporter.get()
