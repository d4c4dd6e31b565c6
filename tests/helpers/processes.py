"""Python processes with a given kernel cache, which print a JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent


def start(script: list[str], *arguments: str, path: Path, cache: Path | None, **environment: str) -> subprocess.Popen:
    """A process that runs the parts of ``script``, imports packages from ``path`` and caches kernels in ``cache``."""
    inherited = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(path), *filter(None, sys.path)])}
    environment |= {"NUMBA_CACHE_DIR": str(cache)} if cache else {}
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", "\n".join(map(dedent, script)), *arguments],
        env=inherited | environment,
        cwd=path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer_of(process: subprocess.Popen) -> dict:
    output, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return json.loads(output) | {"complaints": complaints}
