"""BLAS on one thread while fits run."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """The thread pools of the libraries that are loaded, NumPy and SciPy among them; the search takes milliseconds."""
    return ThreadpoolController()


class Blas:
    """Keeps BLAS on one thread while any fit runs, in any thread of this process.

    The number of threads of most BLAS libraries belongs to the process: the first fit sets it and the last restores it.
    If the first restored it, the others would sum in another order. Libraries that run on OpenMP have a number for each
    Python thread.
    """

    def __init__(self) -> None:
        self.lock, self.n_running = threading.Lock(), 0
        self.before: list[tuple[Any, int]] = []

    @contextmanager
    def on_one_thread(self) -> Iterator[None]:
        libraries = [one for one in _thread_pools().lib_controllers if one.user_api == "blas"]
        own = [one for one in libraries if getattr(one, "threading_layer", "") == "openmp"]
        own_before = [(one, one.num_threads) for one in own]
        self._set([(one, 1) for one in own])
        with self.lock:
            if self.n_running == 0:
                self.before = [(one, one.num_threads) for one in libraries if one not in own]
                self._set([(one, 1) for one, _ in self.before])
            self.n_running += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_running -= 1
                if self.n_running == 0:
                    self._set(self.before)
            self._set(own_before)

    def in_child(self) -> None:
        """After a fork, which leaves only the thread that forked: fits of other threads are over."""
        self.lock = threading.Lock()
        if self.n_running:
            self.n_running = 0
            self._set(self.before)

    @staticmethod
    def _set(numbers: list[tuple[Any, int]]) -> None:
        for library, number in numbers:
            release = getattr(library, "clear_controlling_thread", lambda force: None)  # noqa: ARG005  # threadpoolctl < 3.8
            release(force=True)  # the first fit may have run in another thread
            library.set_num_threads(number)
            release(force=True)


blas = Blas()
