"""Random fits one after the other: memory, threads, open files and the time of a fit stay flat."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.campaign_figures import record

import fastgd

SECONDS = float(os.environ.get("FASTGD_SOAK_SECONDS", "1500"))
METHODS = ("auto", "gd", "sgd", "minibatch", "newton", "lbfgs", "svrg", "saga")
LOSSES = ("squared", "logistic", "huber", "softmax", "poisson")
N, D = 400, 6


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def stop_at_third(state):
    if state.epoch == 3:
        raise KeyboardInterrupt
    return False


def fit_at_random(
    random: np.random.Generator, methods: tuple[str, ...], losses: tuple[str, ...], sparse: float
) -> None:
    """A fit of a random kind; some are interrupted, diverge, or are refused. ``sparse`` is the share of sparse X."""
    X = random.normal(size=(N, D))
    loss = str(random.choice(losses))
    z = X @ random.normal(size=D)
    y = {
        "logistic": z > 0, "softmax": np.digitize(z, [-1.0, 1.0]), "poisson": random.poisson(np.exp(np.clip(z, -3, 3)))
    }.get(loss, z)  # fmt: skip
    options = {"method": str(random.choice(methods)), "alpha": float(random.choice([0.0, 0.01])), "max_epochs": 8}
    end = random.integers(0, 8)
    if end == 0:
        options["callbacks"] = [stop_at_third]
    elif end == 1:
        options |= {"method": "gd", "learning_rate": 1e9, "on_divergence": "raise"}
    elif end == 2:
        y = np.where(np.arange(N) == 3, np.nan, np.asarray(y, float))
    with contextlib.suppress(fastgd.FastgdError, KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fastgd.fit(sp.csr_array(X) if random.random() < sparse else X, y, loss=loss, **options)


def soak(seconds: float, warm_up: int, *kinds) -> dict[str, float]:
    """Fit for some seconds, after fits that compile all kernels; compare the second and the fourth quarter."""
    random = np.random.default_rng(0)
    for _ in range(warm_up):
        fit_at_random(random, *kinds)
    begin, rows = time.perf_counter(), []
    while (now := time.perf_counter() - begin) < seconds:
        before = time.perf_counter()
        for _ in range(25):
            fit_at_random(random, *kinds)
        gc.collect()
        took = (time.perf_counter() - before) / 25
        rows.append((now, resident_bytes(), threading.active_count(), len(os.listdir("/proc/self/fd")), took))
    table = np.array(rows)
    quarters = [table[(table[:, 0] >= a * seconds) & (table[:, 0] < (a + 0.25) * seconds)] for a in (0.25, 0.75)]
    second, fourth = (np.median(quarter, axis=0) for quarter in quarters)
    assert fourth[1] - second[1] <= max(0.01 * second[1], 4e6), (second, fourth)
    assert fourth[2] == second[2]
    assert fourth[3] == second[3]
    assert fourth[4] <= 2.0 * second[4], (second, fourth)  # other programs run beside
    return {
        "fits": 25 * len(rows),
        "seconds": round(seconds),
        "memory_growth_mb": round((fourth[1] - second[1]) / 1e6, 1),
    }


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory of the process from /proc")
def test_a_short_soak():
    soak(4.0, 60, ("auto", "minibatch"), ("squared", "logistic"), 0.0)


@pytest.mark.campaign
def test_a_long_soak():
    record("soak", **soak(SECONDS, 600, METHODS, LOSSES, 0.3))
