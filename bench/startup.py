"""How long one waits for a command: whole processes, by turns with the least that any such process can take."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import in_turn, print_table

TRIVIAL = "import numba\n@numba.njit(cache=True)\ndef f(x):\n    return x + 1\nf(1)\n"


def command(*words: str, cache: str | None = None):
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)


def first_run() -> None:
    """With nothing compiled: a fresh cache each time."""
    with tempfile.TemporaryDirectory() as folder:
        command("-m", "fastgd_cli", "run", "--method", "minibatch", cache=folder)()


def main() -> None:
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
            rounds=9,
        )
    first = in_turn({"fastgd run, nothing compiled": first_run}, rounds=3)
    rows = [[name, f"{timing.median:.2f}"] for name, timing in {**timings, **first}.items()]
    extra = timings["fastgd run tutorial"].median - timings["a script with one cached kernel"].median
    rows.append(["fastgd run tutorial, more than the script", f"{extra:.2f}"])
    rows.append(
        ["fastgd --help, more than python", f"{timings['fastgd --help'].median - timings['python -c pass'].median:.2f}"]
    )
    print_table("Seconds until a command is done", ["command", "seconds"], rows)


if __name__ == "__main__":
    main()
