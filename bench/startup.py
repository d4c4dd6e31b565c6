"""Question: how many seconds does a command take? Complete processes, compared with the minimum for such a process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .scale import Scale
from .table import Table
from .timing import in_turn

TRIVIAL = "import numba\n@numba.njit(cache=True)\ndef f(x):\n    return x + 1\nf(1)\n"


def command(*words: str, cache: str | None = None):
    """A function that runs Python with these arguments."""
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)


def first_run() -> None:
    """A run with an empty cache, which compiles all kernels."""
    with tempfile.TemporaryDirectory() as folder:
        command("-m", "fastgd_cli", "run", "--method", "minibatch", cache=folder)()


def measure(scale: Scale) -> Table:
    """Seconds of complete processes; "more" is the difference to the process in "beside"."""
    table = Table("Seconds until a command is done", ("command", "seconds", "beside", "its seconds", "more"))
    with tempfile.TemporaryDirectory() as folder:
        trivial = Path(folder, "trivial.py")
        trivial.write_text(TRIVIAL)
        timings = in_turn(
            {
                "python -c pass": command("-c", "pass"),
                "fastgd --help": command("-m", "fastgd_cli", "--help"),
                "a script with one cached kernel": command(str(trivial)),
                "fastgd run tutorial": command("-m", "fastgd_cli", "run", "tutorial"),
            },
            rounds=scale.rounds(9),
        )
    pairs = (("fastgd --help", "python -c pass"), ("fastgd run tutorial", "a script with one cached kernel"))
    for name, base in pairs:
        more = timings[name].less(timings[base]).median
        table.rows.append((name, timings[name].median, base, timings[base].median, more))
    first = in_turn({"first": first_run}, rounds=3)["first"]
    table.rows.append(("fastgd run --method minibatch, nothing compiled", first.median, None, None, None))
    return table
