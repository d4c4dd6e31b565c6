"""How kernels are compiled and launched: the decorators, the threads, the guards around them.

`kernel` is a compiled function that Python calls; `parallel_kernel` one that runs on all of numba's threads, and
`threaded` one that Python's threads share out among themselves; `subroutine` one that only kernels call.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from threadpoolctl import ThreadpoolController

from ..errors import FastgdError, OptionError
from .jit_cache import KernelCache
from .linkage import KernelCompiler

# Never fastmath=True: it lets LLVM assume there is no NaN and delete the checks for it.
FASTMATH = frozenset({"reassoc", "contract", "arcp", "nsz"})
COMPILE_OPTIONS = {"fastmath": set(FASTMATH), "error_model": "numpy", "nogil": True}
# What only kernels call needs no entry for Python or C, which takes as long to compile as a small function itself.
CALLED_BY_KERNELS = {**COMPILE_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# Lines of numba's errors that say where, and not what.
NOT_TELLING = (
    "- ", "<source", "During: ", "File ", "No implementation of ", "None", "Overload ",
    "Rejected as ", "There are ", "With argument(s)", ">>> ", "^", "raised from ",
)  # fmt: skip


def subroutine(function: Callable[..., Any]) -> Any:
    """A function that kernels call; compiled, and mostly inlined, into each of them."""
    return numba.njit(**CALLED_BY_KERNELS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A subroutine that is part of the loop it stands in, whatever the compiler thinks of that."""
    return numba.njit(**CALLED_BY_KERNELS, forceinline=True)(function)


def two_forms(
    parameter: str, is_second: Callable[[Any], bool], is_second_type: Callable[[Any], bool], *, inline: bool = True
) -> Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]:
    """Makes one subroutine of two, chosen by what ``parameter`` is: a value or, compiled, its numba type."""

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
    """A serial kernel, its machine code kept on disk."""
    return _cached(numba.njit(**COMPILE_OPTIONS, pipeline_class=KernelCompiler)(function))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """A kernel whose ``prange`` loops run on all threads, with a serial twin for where they cannot.

    Such a kernel must give the same bits however many threads there are: a number of chunks that
    depends on the shape alone, a partial result for each, added up in a fixed order.
    """
    parallel = _cached(numba.njit(parallel=True, **COMPILE_OPTIONS, pipeline_class=KernelCompiler)(function))
    return _ParallelKernel(function, parallel, kernel(_renamed(function, "serial")))


def threaded(
    chunks: str, finish: Callable[..., Any] = lambda *_args: None, prepare: Callable[..., Any] = lambda *_args: None
) -> Callable[[Callable[..., Any]], Any]:
    """A serial kernel for some of the chunks of rows, which Python's threads call side by side.

    For passes that a fit makes a few times: it takes 0.1 ms to launch where a `parallel_kernel` takes a tenth of it,
    and a quarter to a half of the time to compile. The kernel's first two parameters are the first chunk and the one
    behind the last; who launches it gives the others. ``chunks`` names the one that tells how many chunks there are, a
    number or an array with a row for each, or as "work.sums" a part of one. ``prepare`` and ``finish`` are called with
    the same arguments: before the chunks, and to add up what they have left.
    """

    def make(function: Callable[..., Any]) -> Any:
        return _Threaded(function, chunks, prepare, finish)

    return make


class _Threaded:
    """Same bits on any number of threads: each chunk is the same call of the same machine code."""

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
        compiled = bound(self.kernel, 0, 0, *args)  # by this thread: numba is not made for two at once
        others = [_launches.python_threads.submit(compiled, *part, *args) for part in pairwise(bounds[1:])]
        compiled(bounds[0], bounds[1], *args)
        for other in others:
            other.result()
        return self._finish(*args)

    def serial(self, *args: Any) -> Any:
        """All chunks on this thread."""
        self._prepare(*args)
        args_of_all = 0, self._count(args), *args
        bound(self.kernel, *args_of_all)(*args_of_all)
        return self._finish(*args)

    def _count(self, args: tuple[Any, ...]) -> int:
        chunks = functools.reduce(getattr, self._part, args[self._position])
        return chunks if isinstance(chunks, int) else len(chunks)


def bound(kernel: Any, *args: Any) -> Callable[..., Any]:
    """The machine code of a serial kernel for arguments of these types, compiled or loaded if it is not there yet.

    A kernel looks at the types of its arguments at every call, which for a term or a named tuple of arrays takes
    longer than a short pass. What is given to the function that this returns must have the same types.
    """
    if numba.config.DISABLE_JIT:
        return kernel  # type: ignore[no-any-return]
    kinds = kernel, *(_kind(kernel, value) for value in args)
    if kinds not in _bound:
        _bound[kinds] = kernel.compile(tuple(kernel.typeof_pyval(value) for value in args))
    return _bound[kinds]


_bound: dict[tuple[Any, ...], Callable[..., Any]] = {}


def _kind(kernel: Any, value: Any) -> Any:
    """What decides an argument's type: numba takes 20 us for that of an array, and 90 for that of a tuple of some."""
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return type(value), *(_kind(kernel, part) for part in value)
    return kernel.typeof_pyval(value)


def of_fixed_types(kernel: Any) -> Callable[..., Any]:
    """The kernel for a caller whose arguments have the same types at every call, of which just the first is slow."""
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
    """Launches one parallel kernel at a time, and none where the threads were lost in a fork.

    numba's workqueue layer aborts the process when two Python threads launch at once, and GNU
    OpenMP kills a forked child at its first launch. So launches take turns under a lock, and a child
    forked after the threads were started runs the serial twin, which gives the same bits.
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
    """A copy under another name, since the disk cache tells kernels apart by name."""
    copy = type(function)(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__module__, copy.__qualname__ = function.__module__, f"{function.__qualname__}_{suffix}"
    return copy


class _Launches:
    """Whose turn it is to launch, and what a fork does to it.

    A fork waits until no thread compiles: the child would inherit numba's lock, and nobody to release it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forbidden = False
        self.python_threads = ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)  # started as they are needed
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=global_compiler_lock.acquire,
                after_in_parent=global_compiler_lock.release,
                after_in_child=self._in_child,
            )

    def _in_child(self) -> None:
        global_compiler_lock.release()
        self.lock = threading.Lock()  # the parent may have held it
        self.python_threads = ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)
        self.forbidden = parallel._is_initialized  # started by us or by anybody else


_launches = _Launches()


def get_ready() -> None:
    """Do what numba does at the first call of a kernel, some tenths of a second of it, while there is time."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def thread_pool_size() -> int:
    """The most threads a parallel kernel can use in this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


def threads_in_use() -> int:
    """How many threads parallel kernels run on just now, by `threads`."""
    return int(numba.get_num_threads())


def threading_layer() -> str:
    """What numba runs its threads on: tbb, omp or workqueue."""
    numba.set_num_threads(numba.get_num_threads())  # starts the pool, which settles it
    with suppress(ValueError):
        return str(numba.threading_layer())
    return "not started yet"


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Those of the libraries that are loaded by now, as NumPy and SciPy are: to look for them takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run parallel kernels on ``count`` threads within the block, and BLAS on one: its threads would spin beside them,
    which makes every pass several times slower.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        with _thread_pools().limit(limits=1, user_api="blas"):
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
    """Turn numba's long account of what it could not compile into one sentence."""
    try:
        yield
    except Exception as error:
        if isinstance(error, FastgdError) or not _was_compiling_kernel(error):
            raise
        # The digest in the name of a term's type, addresses and paths tell a reader nothing.
        told = re.sub(r"#[0-9a-f]{16}\b| at 0x[0-9a-f]+| from '[^']*'", "", str(error))
        culprit = re.search(r"BoundFunction\(\(.*, '(\w+)'\) for (?:.*\.)?(\w+)\)", told)
        name = f"{culprit[2]}.{culprit[1]}" if culprit else "a term"
        raise OptionError(
            f"{name} cannot be compiled: {_reason(told)}; set NUMBA_DISABLE_JIT=1 to run it as plain Python"
        ) from error


def _was_compiling_kernel(error: Exception) -> bool:
    """Whether it came out of numba, called by this package: not by a callback, say, with kernels of its own."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    numba_home, home = os.path.dirname(numba.__file__), os.path.dirname(os.path.dirname(__file__))
    first = next((k for k, file in enumerate(files) if file.startswith(numba_home)), 0)
    return first > 0 and files[first - 1].startswith(home)


def _reason(told: str) -> str:
    """The line of numba's account that tells most: the first that is about the term's own code."""
    for line in map(str.strip, told.splitlines()):
        if line.startswith(">>> ") and not line.startswith((">>> resolve(", ">>> choose(")):  # but for ours
            return f"numba has no {line.removeprefix('>>> ')}"
        if line and not line.startswith(NOT_TELLING) and "Failed in nopython mode" not in line:
            return re.sub(r"\.* Raised from .*", "", line)
    return "it uses what numba cannot compile"
