"""Python's own threads, for work that releases Python's lock; also while the interpreter shuts down.

From then on Python starts no threads: in functions registered with `atexit`, and in threads that outlive the main one.
Work is then done in the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class PythonThreads:
    """A pool of at most ``size`` threads, started when first used."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._pool: ThreadPoolExecutor | None = None

    def start(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Begin a call; the returned function waits for its result."""
        with suppress(RuntimeError):  # the interpreter shuts down
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self.size)
            running = self._pool.submit(function, *arguments)
            return lambda: running.result()
        result = function(*arguments)
        return lambda: result

    def map(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """The results for each tuple of ``arguments``, as of the built-in `map`."""
        calls = [self.start(function, *each) for each in zip(*arguments, strict=True)]
        return [wait() for wait in calls]

    def close(self) -> None:
        """Wait for all calls and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
