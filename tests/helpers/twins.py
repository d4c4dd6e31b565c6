"""Parallel kernels and their serial twins, compiled side by side, to be compared to the last bit."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from fastgd.compile.jit import parallel_kernel

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")


@cache
def compiled_here(kernel: Any) -> Any:
    """The kernel and its twin as this worker of the tests compiles them, both, and keeps them for itself on disk.

    What two processes compile may differ in the last bit. A kernel for Python's threads has no twin.
    """
    if not hasattr(kernel, "parallel"):
        return kernel
    fresh = parallel_kernel(kernel.py_func)
    for form in (fresh.parallel, fresh.serial):
        form._cache._name += f"-{WORKER}"
    return fresh
