"""Ctrl-C during training: the first one stops training at the next pass over the rows; no later one loses the model.

Python raises KeyboardInterrupt between any two instructions, also while the model is being kept. Within `deferred` a
handler only notes the signal, and `check`, which every pass calls, raises it once, where training can be stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Noted:
    """The signals of this process: whether one was noted, was raised, and whether raising would do harm now."""

    def __init__(self) -> None:
        self.is_deferring = self.requested = self.raised = False
        self.shields = 0

    def note(self, _number: int, _frame: Any) -> None:
        self.requested = True


_noted = _Noted()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def deferred(ignored_afterwards: bool = False) -> Iterator[None]:
    """Within the block, Ctrl-C is noted; afterwards it does again what it did before.

    Nothing changes outside of the main thread, where Python delivers no signals, and where the host has a handler of
    its own. ``ignored_afterwards``: after a first Ctrl-C others are ignored for good, for a process that ends then.
    """
    if _noted.is_deferring or not _in_main_thread() or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield
        return
    _noted.is_deferring, _noted.requested, _noted.raised = True, False, False
    signal.signal(signal.SIGINT, _noted.note)
    try:
        yield
    finally:
        is_over = ignored_afterwards and _noted.requested
        _noted.is_deferring = False
        signal.signal(signal.SIGINT, signal.SIG_IGN if is_over else signal.default_int_handler)


def check() -> None:
    """Raise KeyboardInterrupt where a Ctrl-C was noted, once, unless `shielded`."""
    if pending() and not _noted.shields:
        _noted.raised = True
        raise KeyboardInterrupt


def pending() -> bool:
    """Whether a Ctrl-C was noted and not raised yet."""
    return _noted.requested and not _noted.raised and _noted.is_deferring and _in_main_thread()


@contextmanager
def shielded() -> Iterator[None]:
    """Within the block `check` does not raise: the model is being completed."""
    _noted.shields += 1
    try:
        yield
    finally:
        _noted.shields -= 1
