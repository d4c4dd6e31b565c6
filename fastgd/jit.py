"""How kernels are compiled and launched: the decorators, the threads, the guards around them.

`kernel` is a compiled function that Python calls, `parallel_kernel` one that runs on all threads,
and `subroutine` one that only kernels call.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numba
from numba.core import event
from numba.core.errors import NumbaError

from .errors import OptionError
from .jit_cache import KernelCache

# Never fastmath=True: it lets LLVM assume there is no NaN and delete the checks for it.
FASTMATH = frozenset({"reassoc", "contract", "arcp", "nsz"})
COMPILE_OPTIONS = {"fastmath": set(FASTMATH), "error_model": "numpy", "nogil": True}


def subroutine(function: Callable[..., Any]) -> Any:
    """A function that kernels call; compiled, and mostly inlined, into each of them."""
    return numba.njit(**COMPILE_OPTIONS)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """A serial kernel, its machine code kept on disk."""
    return _cached(numba.njit(**COMPILE_OPTIONS)(function))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """A kernel whose ``prange`` loops run on all threads, with a serial twin for where they cannot.

    Such a kernel must give the same bits however many threads there are: a number of chunks that
    depends on the shape alone, a partial result for each, added up in a fixed order.
    """
    if numba.config.DISABLE_JIT:
        return function
    return _ParallelKernel(function)


def _cached(dispatcher: Any) -> Any:
    if not numba.config.DISABLE_JIT:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


class _ParallelKernel:
    """Launches one parallel kernel at a time and never in a forked child.

    numba's workqueue layer aborts the process when two Python threads launch at once, and GNU
    OpenMP kills a forked child at its first launch. So launches take turns under a lock, and a
    child forked after the first launch runs the serial twin, which gives the same bits.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.py_func = function
        self.parallel = _cached(numba.njit(parallel=True, **COMPILE_OPTIONS)(function))
        self.serial = _cached(numba.njit(**COMPILE_OPTIONS)(_renamed(function, "serial")))

    def __call__(self, *args: Any) -> Any:
        if _launches.forbidden:
            return self.serial(*args)
        with _launches.lock:
            _launches.begun = True
            return self.parallel(*args)


def _renamed(function: Any, suffix: str) -> Any:
    """A copy under another name, since the disk cache tells kernels apart by name."""
    copy = type(function)(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copy.__module__, copy.__qualname__ = function.__module__, f"{function.__qualname__}_{suffix}"
    return copy


class _Launches:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = False
        self.forbidden = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        self.lock = threading.Lock()  # the parent may have held it
        self.forbidden = self.forbidden or self.begun


_launches = _Launches()


def thread_pool_size() -> int:
    """The most threads a parallel kernel can use in this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


def threading_layer() -> str:
    """What numba runs its threads on: tbb, omp or workqueue."""
    numba.set_num_threads(numba.get_num_threads())  # starts the pool, which settles it
    with suppress(ValueError):
        return str(numba.threading_layer())
    return "not started yet"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run parallel kernels on ``count`` threads within the block."""
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


class CompileClock(event.Listener):  # type: ignore[misc]  # numba ships no type hints
    """Seconds spent compiling since it was made; ``on_start`` is told when a compilation begins."""

    def __init__(self, on_start: Callable[[str], None] = lambda _kernel: None) -> None:
        self._on_start = on_start
        self._depth = 0
        self._began = 0.0
        self._seconds = 0.0
        self.count = 0

    @property
    def seconds(self) -> float:
        return self._seconds + (time.perf_counter() - self._began if self._depth else 0.0)

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            self._began = time.perf_counter()
            self.count += 1
            self._on_start(event.data["dispatcher"].__name__)
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._seconds += time.perf_counter() - self._began

    @contextmanager
    def listening(self) -> Iterator[CompileClock]:
        with event.install_listener("numba:compile", self):
            yield self


@contextmanager
def compile_error() -> Iterator[None]:
    """Turn numba's long account of what it could not compile into one sentence."""
    try:
        yield
    except NumbaError as error:
        lines = [line.strip() for line in str(error.msg if hasattr(error, "msg") else error).splitlines()]
        telling = [
            line
            for line in lines
            if line and not line.startswith(("-", "During", "File", "<source", "^", "[", "Failed"))
        ]
        reason = telling[0] if telling else "its code uses what numba cannot compile"
        raise OptionError(
            f"a term cannot be compiled: {reason}; set NUMBA_DISABLE_JIT=1 to run it as plain Python"
        ) from error
