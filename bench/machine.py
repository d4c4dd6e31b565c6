"""The machine and the package versions of a measurement."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numba

OURS = ("numba", "numpy", "scipy", "pyarrow")
# Distribution names of the peers, and their display names.
PEERS = {
    "scikit-learn": "scikit-learn",
    "torch": "PyTorch",
    "vowpalwabbit": "Vowpal Wabbit",
    "cyanure": "cyanure",
    "skglm": "skglm",
    "snapml": "snapml",
}


@cache
def version(package: str) -> str | None:
    """The installed version; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def has(package: str) -> bool:
    return version(package) is not None


def describe() -> dict[str, Any]:
    """Processor, threads and versions."""
    import llvmlite.binding as llvm

    from fastgd import __version__
    from fastgd.compile.jit import threading_layer

    return {
        "processor": processor(),
        "cpu": llvm.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "threads": numba.config.NUMBA_NUM_THREADS,
        "threading_layer": threading_layer(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "fastgd": __version__,
        "packages": {name: version(name) for name in OURS},
        "peers": {name: version(package) for package, name in PEERS.items()},
    }


def processor() -> str:
    """The model name of the processor, if the system provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def in_words(machine: dict[str, Any]) -> str:
    """The facts of `describe` as text."""
    cores = f"{machine['cores']} cores, {machine['threads']} threads ({machine['threading_layer']})"
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    peers = ", ".join(f"{name} {number}" for name, number in machine["peers"].items() if number)
    absent = ", ".join(name for name, number in machine["peers"].items() if not number)
    return "\n".join(
        [
            f"machine        {machine['processor']} ({machine['cpu']}), {cores}",
            f"with           Python {machine['python']}, fastgd {machine['fastgd']}, {packages}",
            f"peers          {peers or 'none'}",
            *([f"not installed  {absent}"] if absent else []),
        ]
    )
