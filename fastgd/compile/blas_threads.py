"""One BLAS thread while fits run: idle BLAS threads spin, which makes every pass several times slower.

The setting is of the whole process, so concurrent fits share it: the first to begin sets it, the last to end restores
what was there before.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """The thread pools of the libraries that are loaded, NumPy and SciPy among them; the search takes milliseconds."""
    return ThreadpoolController()


class _Users:
    """How many blocks need one BLAS thread, and how to restore the threads when none does."""

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.limit: Any = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def enter(self) -> None:
        with self.lock:
            if self.count == 0:
                self.limit = _thread_pools().limit(limits=1, user_api="blas")
            self.count += 1

    def leave(self) -> None:
        with self.lock:
            if self.count == 1:
                self.limit.restore_original_limits()
            self.count = max(self.count - 1, 0)  # 0 already in a child that was forked within a block

    def _in_child(self) -> None:
        """A child has only the thread that forked: fits of the parent's other threads do not run in it."""
        self.lock = threading.Lock()
        if self.count:
            self.count = 0
            self.limit.restore_original_limits()


_users = _Users()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One BLAS thread within the block, in all threads of the process."""
    _users.enter()
    try:
        yield
    finally:
        _users.leave()
