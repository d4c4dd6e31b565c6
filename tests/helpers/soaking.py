"""Random fits for a while in one process, and what was measured after each round as a JSON object.

    python -m helpers.soaking SECONDS SEED

A round is every kind of fit once, in random order and on new data of the same shape, so that rounds can be compared.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

import fastgd

N, D = 3000, 8
WARM_UP_ROUNDS = 4  # kernels are loaded, pools of threads started and buffers grown
LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "dense": np.asarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": csr_array,
}
# Layout and options of each kind of fit.
FITS: list[tuple[str, dict[str, Any]]] = [
    ("dense", {"loss": "squared"}),
    ("dense", {"loss": "logistic", "method": "gd", "alpha": 1e-3}),
    ("csr", {"loss": "logistic", "method": "sgd"}),
    ("dense", {"loss": "squared", "method": "minibatch", "rule": "adam"}),
    ("csr", {"loss": "logistic", "method": "saga", "alpha": 1e-3}),
    ("dense", {"loss": "logistic", "method": "newton"}),
    ("dense", {"loss": "huber", "method": "lbfgs"}),
    ("csr", {"loss": "squared", "method": "working_set", "penalty": "l1", "alpha": 0.01}),
    ("dense", {"loss": "absolute", "method": "interior_point"}),
    ("float32", {"loss": "squared", "method": "svrg"}),
    ("float32", {"loss": "logistic", "method": "minibatch", "average": True, "schedule": "cosine"}),
    ("csr", {"loss": "hinge", "method": "interior_point", "alpha": 1e-3}),
    ("dense", {"loss": "poisson", "method": "newton", "alpha": 1e-3}),
    ("dense", {"loss": "softmax", "method": "lbfgs", "alpha": 1e-3}),
    ("dense", {"loss": "squared", "method": "sgd", "shards": 2}),
    ("dense", {"loss": "logistic", "validation": 0.3, "patience": 2, "method": "gd"}),
]
SHORT = 9  # kinds of fits in a short soak: each needs kernels of its own


class _CallbackError(Exception):
    pass


def targets(loss: str, z: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if loss == "softmax":
        return np.digitize(z, [-1.0, 1.0])
    if loss in ("logistic", "hinge"):
        return np.where(z + random.normal(size=len(z)) > 0, 1, 0)
    if loss == "poisson":
        return random.poisson(np.exp(np.clip(z, -3, 3)))
    return z + random.normal(size=len(z))


def problem(layout: str, loss: str, random: np.random.Generator) -> tuple[Any, np.ndarray]:
    X = random.normal(size=(N, D)) * (random.random((N, D)) < 0.8)
    return LAYOUTS[layout](X), targets(loss, X @ random.normal(size=D), random)


def fit(layout: str, options: dict[str, Any], random: np.random.Generator, **more: Any) -> fastgd.Result:
    X, y = problem(layout, options["loss"], random)
    return fastgd.fit(X, y, **{"max_epochs": 8, "seed": int(random.integers(1000)), **options, **more})


def fails(error: type[BaseException], **options: Any) -> Callable[[np.random.Generator], None]:
    def run(random: np.random.Generator) -> None:
        try:
            fit("dense", {"loss": "squared", "method": "gd", "tol": 0, **options}, random)
        except error:
            return
        raise AssertionError(f"{error.__name__} was expected of {options}")

    return run


def interrupt(_state: Any) -> None:
    signal.raise_signal(signal.SIGINT)


def fail(_state: Any) -> None:
    raise _CallbackError


def refuse_hole(random: np.random.Generator) -> None:
    X, y = problem("dense", "squared", random)
    X[3, 2] = np.nan
    try:
        fastgd.fit(X, y)
    except fastgd.DataError:
        return
    raise AssertionError("NaN was not refused")


def save_and_load(random: np.random.Generator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.fastgd")
        result = fit("dense", FITS[0][1], random)
        result.save(path)
        X, _ = problem("dense", "squared", random)
        assert fastgd.load(path).predict(X).tobytes() == result.predict(X).tobytes()


ENDINGS: list[Callable[[np.random.Generator], None]] = [
    fails(fastgd.Interrupted, callbacks=[interrupt]),
    fails(_CallbackError, callbacks=[fail]),
    fails(fastgd.DivergedError, learning_rate=1e6),
    fails(fastgd.OptionError, alpha=-1.0),
    refuse_hole,
    save_and_load,
]


def one_round(kinds: list[Callable[[np.random.Generator], Any]], random: np.random.Generator) -> float:
    """Processor time of all kinds once, per fit."""
    began = time.process_time()
    for k in random.permutation(len(kinds)):
        kinds[k](random)
    return (time.process_time() - began) / len(kinds)


def yardstick() -> float:
    """Processor time of a fixed piece of work in Python and NumPy, by which rounds on a busy machine are compared."""
    began = time.process_time()
    values = np.arange(4000.0)
    for _ in range(300):
        np.sort(np.sin(values)).tolist()
    return time.process_time() - began


def held() -> dict[str, int]:
    """What this process holds now: resident bytes, threads, open files."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "memory": resident,
        "threads": len(os.listdir("/proc/self/task")),
        "files": len(os.listdir("/proc/self/fd")),
    }


def soak(seconds: float, seed: int, n_kinds: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    kinds = [lambda random, kind=kind: fit(*kind, random) for kind in FITS[:n_kinds]] + ENDINGS
    for _ in range(WARM_UP_ROUNDS):
        one_round(kinds, random)
        yardstick()
    rounds: list[dict[str, float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        measured = {"seconds": one_round(kinds, random), "yardstick": yardstick()}
        rounds.append({**measured, **held()})
    return {"kinds": len(kinds), "rounds": rounds}


if __name__ == "__main__":
    long = float(sys.argv[1]) > 60
    json.dump(soak(float(sys.argv[1]), int(sys.argv[2]), len(FITS) if long else SHORT), sys.stdout)
