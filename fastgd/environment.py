"""Versions, processor and threads of this process, for bug reports, benchmarks and reports of runs."""

from __future__ import annotations

import platform
from typing import Any

PACKAGES = ("numba", "llvmlite", "numpy", "scipy", "pyarrow", "click", "rich")
INSTRUCTION_SETS = ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")


def environment() -> dict[str, Any]:
    """Versions, processor and threads by name."""
    from importlib.metadata import version

    import llvmlite.binding as llvm

    from . import __version__
    from .compile.jit import thread_pool_size, threading_layer

    features = llvm.get_host_cpu_features()
    return {
        "fastgd": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "cpu": llvm.get_host_cpu_name(),
        "simd": [name for name in INSTRUCTION_SETS if features.get(name)],
        "threads": thread_pool_size(),
        "threading_layer": threading_layer(),
    }
