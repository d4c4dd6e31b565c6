"""Random fits for a long time in one process: memory, threads, open files and time per fit stay as they are.

`make test` takes 10 seconds, the campaign FASTGD_SOAK_SECONDS (1500). Each round fits every kind once, see
`helpers.soaking`, so that rounds differ by noise alone. A quantity grows if the median of the slopes between all pairs
of rounds (Theil, 1950; Sen, 1968) has a 99 % interval above what is allowed. The upper end of that interval is among
the figures: smaller growth could not have been seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers.campaign_figures import record
from scipy.stats import theilslopes

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads and files are counted in /proc")

BYTES_PER_FIT = 1024  # a model of 8 coefficients with its trace takes more
TIME_OF_ALL_FITS = 0.1  # growth from the first round to the last, as a share
ROUNDS_TO_JUDGE_TIME = 50  # a noisy machine says little in fewer


class Growth(NamedTuple):
    """Growth of a quantity per round."""

    median: float
    lower: float
    upper: float


def growth(values: list[float]) -> Growth:
    slope, _, lower, upper = theilslopes(values, alpha=0.99)
    return Growth(slope, lower, upper)


def faults(soak: dict[str, Any]) -> tuple[list[str], dict[str, float]]:
    """What grew, and the figures."""
    rounds, n_kinds = soak["rounds"], soak["kinds"]
    memory = growth([each["memory"] / n_kinds for each in rounds])
    relative = np.log([each["seconds"] / each["yardstick"] for each in rounds])
    time = growth((relative * len(rounds)).tolist())  # over all rounds
    threads, files = ([each[name] for each in rounds] for name in ("threads", "files"))
    found = []
    if memory.lower > BYTES_PER_FIT:
        found.append(f"memory grew by {memory.median:.0f} bytes per fit")
    if time.lower > np.log1p(TIME_OF_ALL_FITS) and len(rounds) >= ROUNDS_TO_JUDGE_TIME:
        found.append(f"fits took {np.expm1(time.median):.0%} longer in the end")
    found += [
        f"{name} rose from {counts[0]} to {counts[-1]}"
        for name, counts in (("threads", threads), ("open files", files))
        if min(counts[len(counts) // 2 :]) > counts[0]
    ]
    return found, {
        "fits": n_kinds * len(rounds),
        "resident_megabytes": round(rounds[-1]["memory"] / 1e6),
        "memory_growth_bytes_per_fit": round(memory.median),
        "memory_growth_bytes_per_fit_at_most": round(memory.upper),
        "time_growth_percent": round(100 * np.expm1(time.median), 1),
        "time_growth_percent_at_most": round(100 * np.expm1(time.upper), 1),
        "threads_first_and_most": f"{threads[0]}, {max(threads)}",
        "files_first_and_most": f"{files[0]}, {max(files)}",
    }


def soaked(seconds: float) -> dict[str, Any]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.soaking", str(seconds), "0"], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False, timeout=seconds + 600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def made_up(n_rounds: int, **rise: float) -> dict[str, Any]:
    """Rounds with noise, in which quantities rise by so much in each."""
    random = np.random.default_rng(0)
    rounds = [
        {
            "memory": 3e8 + 2e5 * random.normal() + rise.get("memory", 0) * k,
            "seconds": 0.01 * (1 + 0.1 * random.normal() + rise.get("seconds", 0) * k),
            "yardstick": 0.02 * (1 + 0.1 * random.normal()),
            "threads": 5 + int(rise.get("threads", 0) * k),
            "files": 7 + int(rise.get("files", 0) * k),
        }
        for k in range(n_rounds)
    ]
    return {"kinds": 20, "rounds": rounds}


def test_noise_is_no_growth():
    assert faults(made_up(200))[0] == []


@pytest.mark.parametrize(
    ("rise", "told"),
    [
        ({"memory": 20 * 3000}, "memory grew"),
        ({"seconds": 0.003}, "fits took"),
        ({"threads": 0.02}, "threads rose"),
        ({"files": 0.02}, "open files rose"),
    ],
)
def test_growth_is_noticed(rise, told):
    (found,), _ = faults(made_up(200, **rise))
    assert found.startswith(told)


def test_soak_of_seconds():
    assert faults(soaked(10))[0] == []


@pytest.mark.campaign
def test_soak():
    found, figures = faults(soaked(float(os.environ.get("FASTGD_SOAK_SECONDS", "1500"))))
    record("soak", **figures)
    assert found == []
