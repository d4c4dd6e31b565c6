"""Compilation and launch of kernels: decorators, threads, and protection against forks.

`kernel` makes a compiled function that Python calls; `parallel_kernel` one that runs on numba's threads; `threaded` one
whose chunks run on Python's threads; `subroutine` one that only kernels call.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import overload
from numba.np.ufunc import parallel

from ..errors import FastgdError, OptionError
from ..python_threads import PythonThreads
from .blas_threads import blas
from .jit_cache import KernelCache
from .linkage import KernelCompiler

# Not fastmath=True, with which LLVM assumes that there is no NaN and deletes the checks for it.
FASTMATH = frozenset({"reassoc", "contract", "arcp", "nsz"})
COMPILE_OPTIONS = {"fastmath": set(FASTMATH), "error_model": "numpy", "nogil": True}
# Functions that only kernels call need no wrapper for Python or C, which takes as long to compile as a small function.
CALLED_BY_KERNELS = {**COMPILE_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# First words of the lines of numba's errors that tell where the error is, not what it is.
LOCATIONS = (
    "- ", "<source", "During: ", "File ", "No implementation of ", "None", "Overload ",
    "Rejected as ", "There are ", "With argument(s)", ">>> ", "^", "raised from ",
)  # fmt: skip


def subroutine(function: Callable[..., Any]) -> Any:
    """Decorator: a function that kernels call, compiled into each of them."""
    return numba.njit(**CALLED_BY_KERNELS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Decorator: a subroutine that is always inlined."""
    return numba.njit(**CALLED_BY_KERNELS, forceinline=True)(function)


def two_forms(
    parameter: str, is_second: Callable[[Any], bool], is_second_type: Callable[[Any], bool], *, inline: bool = True
) -> Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]:
    """One subroutine from two forms, selected by the value of ``parameter`` or, compiled, by its numba type."""

    def make(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
        position = list(inspect.signature(first).parameters).index(parameter)

        def choose(*args: Any) -> Any:
            return (second if is_second(args[position]) else first)(*args)

        def choose_compiled(*args: Any) -> Any:
            return second if is_second_type(args[position]) else first

        choose_compiled.__signature__ = inspect.signature(first)  # type: ignore[attr-defined]  # numba reads it
        overload(choose, jit_options={**CALLED_BY_KERNELS, "forceinline": inline})(choose_compiled)
        return choose

    return make


def kernel(function: Callable[..., Any]) -> Any:
    """Decorator: a serial kernel, with its machine code cached on disk."""
    return _cached(numba.njit(**COMPILE_OPTIONS, pipeline_class=KernelCompiler)(function))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """Decorator: a kernel whose ``prange`` loops run on all threads, with a serial twin for processes that cannot.

    It must return the same bits for any number of threads: a number of chunks that depends on the shape alone, a
    partial result for each chunk, added in a fixed order.
    """
    parallel = _cached(numba.njit(parallel=True, **COMPILE_OPTIONS, pipeline_class=KernelCompiler)(function))
    return _ParallelKernel(function, parallel, kernel(_renamed(function, "serial")))


def threaded(
    chunks: str, finish: Callable[..., Any] = lambda *_args: None, prepare: Callable[..., Any] = lambda *_args: None
) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: a serial kernel for a range of chunks of rows, which Python's threads call in parallel.

    For passes that a fit makes only a few times: a launch takes 0.1 ms, 10 times as long as of a `parallel_kernel`, and
    compilation a quarter to a half of the time. The kernel's first two parameters are the first chunk and the end of
    the range; the caller passes the others. ``chunks`` names the parameter with the number of chunks: an integer, an
    array with a row per chunk, or a field of a tuple, as "work.sums". ``prepare`` and ``finish`` are called with the
    same arguments before and after the chunks; ``finish`` adds up the results.
    """

    def make(function: Callable[..., Any]) -> Any:
        return _Threaded(function, chunks, prepare, finish)

    return make


class _Threaded:
    """The launcher of one `threaded` kernel; each chunk runs the same machine code on any number of threads."""

    def __init__(
        self, function: Callable[..., Any], chunks: str, prepare: Callable[..., Any], finish: Callable[..., Any]
    ) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.py_func = function
        self.kernel = kernel(function)
        self._prepare = prepare
        self._finish = finish
        parameter, *self._part = chunks.split(".")
        self._position = list(inspect.signature(function).parameters).index(parameter) - 2

    def __call__(self, *args: Any) -> Any:
        n_chunks = self._count(args)
        n_threads = min(threads_in_use(), n_chunks)
        bounds = [n_chunks * thread // n_threads for thread in range(n_threads + 1)]
        self._prepare(*args)
        compiled = bound(self.kernel, 0, 0, *args)  # in this thread: numba does not compile in two at once
        others = [_launches.python_threads.start(compiled, *part, *args) for part in pairwise(bounds[1:])]
        compiled(bounds[0], bounds[1], *args)
        for other in others:
            other()
        return self._finish(*args)

    def serial(self, *args: Any) -> Any:
        """Run all chunks in this thread."""
        self._prepare(*args)
        args_of_all = 0, self._count(args), *args
        bound(self.kernel, *args_of_all)(*args_of_all)
        return self._finish(*args)

    def _count(self, args: tuple[Any, ...]) -> int:
        chunks = functools.reduce(getattr, self._part, args[self._position])
        return chunks if isinstance(chunks, int) else len(chunks)


def bound(kernel: Any, *args: Any) -> Callable[..., Any]:
    """The machine code of a serial kernel for arguments of these types, compiled or loaded on first use.

    A kernel determines the types of its arguments at every call, which for a term or a named tuple of arrays takes
    longer than a short pass. The function that this returns must be called with the same types.
    """
    if numba.config.DISABLE_JIT:
        return kernel  # type: ignore[no-any-return]
    kinds = kernel, *(_kind(kernel, value) for value in args)
    if kinds not in _bound:
        _bound[kinds] = kernel.compile(tuple(kernel.typeof_pyval(value) for value in args))
    return _bound[kinds]


_bound: dict[tuple[Any, ...], Callable[..., Any]] = {}


def _kind(kernel: Any, value: Any) -> Any:
    """A key for the type of an argument; numba itself takes 20 us for an array, 90 us for a tuple of arrays."""
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return type(value), *(_kind(kernel, part) for part in value)
    return kernel.typeof_pyval(value)


def of_fixed_types(kernel: Any) -> Callable[..., Any]:
    """The kernel for a caller with arguments of the same types at every call; only the first call is slow."""
    if isinstance(kernel, _ParallelKernel):
        return _ParallelKernel(kernel.py_func, of_fixed_types(kernel.parallel), of_fixed_types(kernel.serial))
    compiled: Callable[..., Any] | None = None

    def launch(*args: Any) -> Any:
        nonlocal compiled
        compiled = compiled or bound(kernel, *args)
        return compiled(*args)

    return launch


def _cached(dispatcher: Any) -> Any:
    if not numba.config.DISABLE_JIT:
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


class _ParallelKernel:
    """The launcher of one parallel kernel: one launch at a time, and none in a process forked from one with threads.

    numba's workqueue layer aborts the process when two Python threads launch at the same time, and GNU OpenMP kills a
    forked child at its first launch. So a lock serialises launches, and a child forked after the threads were started
    runs the serial twin, which returns the same bits.
    """

    def __init__(self, function: Callable[..., Any], parallel: Any, serial: Any) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.py_func = function
        self.parallel = parallel
        self.serial = serial

    def __call__(self, *args: Any) -> Any:
        if _launches.forbidden:
            return self.serial(*args)
        with _launches.lock:
            return self.parallel(*args)


def _renamed(function: Any, suffix: str) -> Any:
    """A copy under another name, by which the disk cache distinguishes kernels."""
    copy = type(function)(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__module__, copy.__qualname__ = function.__module__, f"{function.__qualname__}_{suffix}"
    return copy


class _Launches:
    """The lock and the threads for launches, and their state after a fork.

    A fork waits until no thread compiles, or the child would inherit numba's lock without a thread to release it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forbidden = False
        self.python_threads = PythonThreads(numba.config.NUMBA_NUM_THREADS)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=global_compiler_lock.acquire,
                after_in_parent=global_compiler_lock.release,
                after_in_child=self._in_child,
            )

    def _in_child(self) -> None:
        global_compiler_lock.release()
        self.lock = threading.Lock()  # the parent may have held it
        self.python_threads = PythonThreads(numba.config.NUMBA_NUM_THREADS)
        self.forbidden = parallel._is_initialized  # started by fastgd or by other code
        blas.in_child()


_launches = _Launches()


def get_ready() -> None:
    """Initialise numba's compiler, which takes some tenths of a second at the first call of a kernel otherwise."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def thread_pool_size() -> int:
    """The largest number of threads of a parallel kernel in this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


def threads_in_use() -> int:
    """The number of threads of parallel kernels at present, set by `threads`."""
    return int(numba.get_num_threads())


def threading_layer() -> str:
    """The threading layer of numba: tbb, omp or workqueue."""
    numba.set_num_threads(numba.get_num_threads())  # starts the pool, which selects the layer
    with suppress(ValueError):
        return str(numba.threading_layer())
    return "not started yet"


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Run parallel kernels on at most ``count`` threads within the block, on all by default, and BLAS on one thread.

    Idle BLAS threads spin, which makes every pass several times slower.

    Raises
    ------
    FastgdError
        On Python without its global lock, and where numba cannot load the threading layer that the user asks for.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise FastgdError(
            "fastgd does not support free-threaded Python: start it with PYTHON_GIL=1, or use a usual build"
        )
    try:
        before = numba.get_num_threads()
    except ValueError:
        layer = os.environ.get("NUMBA_THREADING_LAYER", "default")
        raise FastgdError(
            f"numba cannot load the threading layer {layer!r} that NUMBA_THREADING_LAYER asks for: "
            "install its library, or unset the variable"
        ) from None
    numba.set_num_threads(min(count or thread_pool_size(), thread_pool_size()))
    try:
        with blas.on_one_thread():
            yield
    finally:
        numba.set_num_threads(before)


class CompileClock(event.Listener):  # type: ignore[misc]  # numba ships no type hints
    """Seconds spent compiling while it listens; calls ``on_start`` with the kernel's name when a compilation begins."""

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

    def on_end(self, event: Any) -> None:  # noqa: ARG002  # numba's signature
        self._depth -= 1
        if self._depth == 0:
            self._seconds += time.perf_counter() - self._began

    @contextmanager
    def listening(self) -> Iterator[CompileClock]:
        with event.install_listener("numba:compile", self):
            yield self


@contextmanager
def compile_error() -> Iterator[None]:
    """Turn a numba compilation error into an `OptionError` of one sentence."""
    try:
        yield
    except Exception as error:
        if isinstance(error, FastgdError) or not _was_compiling_kernel(error):
            raise
        # Remove the digest in the name of a term's type, addresses and paths.
        told = re.sub(r"#[0-9a-f]{16}\b| at 0x[0-9a-f]+| from '[^']*'", "", str(error))
        culprit = re.search(r"BoundFunction\(\(.*, '(\w+)'\) for (?:.*\.)?(\w+)\)", told)
        name = f"{culprit[2]}.{culprit[1]}" if culprit else "a term"
        advice = "set NUMBA_DISABLE_JIT=1 to run it as plain Python"
        raise OptionError(f"{name} cannot be compiled: {_reason(told)}; {advice}") from error


def _was_compiling_kernel(error: Exception) -> bool:
    """Whether numba raised it in a call from this package, and not in a call from, say, a user's callback."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    numba_home, home = os.path.dirname(numba.__file__), os.path.dirname(os.path.dirname(__file__))
    first = next((k for k, file in enumerate(files) if file.startswith(numba_home)), 0)
    return first > 0 and files[first - 1].startswith(home)


def _reason(told: str) -> str:
    """The most informative line of numba's message: the first about the term's own code."""
    for line in map(str.strip, told.splitlines()):
        # The two exceptions are functions of this package.
        if line.startswith(">>> ") and not line.startswith((">>> resolve(", ">>> choose(")):
            return f"numba has no {line.removeprefix('>>> ')}"
        if line and not line.startswith(LOCATIONS) and "Failed in nopython mode" not in line:
            return re.sub(r"\.* Raised from .*", "", line)
    return "it uses what numba cannot compile"
