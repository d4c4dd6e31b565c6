"""The passes that a result claims are those that were made: counted independently, by an X that records its reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.recorded_rows import CASES

# In a shuffled order a row may come up again so soon that the recorder takes both reads for one.
SHUFFLED = {"sgd", "sgd in scaled columns", "minibatch", "minibatch, rate by trial", "svrg", "saga"}
READ_TWICE_AS_ONCE = 0.03


@pytest.fixture(scope="module")
def found():
    """For each case the passes claimed and recorded, from one process in which kernels are plain Python."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.recorded_rows"], env={**os.environ, "PYTHONPATH": path, "NUMBA_DISABLE_JIT":
        "1"}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_claimed_passes_are_those_that_were_made(case, found):
    claimed, read = found[case]
    if case in SHUFFLED:
        assert (1 - READ_TWICE_AS_ONCE) * claimed <= read <= claimed
    else:
        assert claimed == pytest.approx(read, rel=1e-9)
