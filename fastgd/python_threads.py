"""Python's own threads, for work that releases Python's lock; also while the interpreter shuts down.

From then on Python starts no threads: in functions registered with `atexit`, and in threads that outlive the main one.
Work is then done in the calling thread, as it is where the system has no more threads to give.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
        call = _Call(function, arguments)
        try:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(self.size)
            running = self._pool.submit(call)
        except RuntimeError:  # no thread could be started; the pool may have queued the call for another all the same
            return call
        return running.result

    def map(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """The results for each tuple of ``arguments``, as of the built-in `map`."""
        calls = [self.start(function, *each) for each in zip(*arguments, strict=True)]
        return [wait() for wait in calls]

    def close(self) -> None:
        """Wait for all calls and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class _Call:
    """A function call that is made once, by the first thread that asks; others wait for its result."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments
        self._lock = threading.Lock()
        self._made = False
        self._result: Any = None
        self._error: BaseException | None = None

    def __call__(self) -> Any:
        with self._lock:
            if not self._made:
                self._made = True
                try:
                    self._result = self._function(*self._arguments)
                except BaseException as error:
                    self._error = error
        if self._error is not None:
            raise self._error
        return self._result
