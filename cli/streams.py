"""Standard input, output and error: closed when the command begins, full, or read by a program that has ended."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

IN, OUT, ERR = 0, 1, 2


def open_closed() -> None:
    """Open the standard streams that are closed, or a data file would take their numbers.

    What is written to standard output is then refused, with the message of the system; messages are lost.
    """
    for number, flags in ((IN, os.O_RDONLY), (OUT, os.O_RDONLY), (ERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    for name, number, mode in (("stdin", IN, "r"), ("stdout", OUT, "w"), ("stderr", ERR, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream of another kind
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def discard_rest() -> None:
    """Discard what standard output and error still hold, so that Python does not report it again as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
