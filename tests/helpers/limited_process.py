"""A child process with limits on memory and time, so that a crash or a runaway counts as a failed test."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

MEMORY = 6 << 30  # bytes of address space beyond which allocations fail; libraries reserve 1 to 3 GB, and use little
SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How the process ended, and what it wrote."""

    code: int
    out: str
    err: str


def run_limited(
    *arguments: str,
    memory: int = MEMORY,
    seconds: float = SECONDS,
    given: str = "",
    environment: Mapping[str, str] = {},
) -> Ended:
    """Run Python with these arguments; its exit code is negative where a signal ended it, and -9 after ``seconds``."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        done = subprocess.run(
            [sys.executable, *arguments], input=given, capture_output=True, text=True, timeout=seconds,
            env={**os.environ, **environment}, preexec_fn=limit, check=False, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return Ended(-9, str(late.stdout or ""), f"took more than {seconds} s")
    return Ended(done.returncode, done.stdout, done.stderr)
