"""Fits in several threads and processes at once give the bits of one alone, under every threading layer of numba."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest
from helpers.processes import answer_of, start

import fastgd
from fastgd.errors import FastgdError


def has_layer(name):
    try:
        import_module(f"numba.np.ufunc.{name if name == 'workqueue' else name + 'pool'}")
    except ImportError:
        return False
    return True


LAYERS = ["omp", "workqueue", "tbb"]
CACHE = Path(os.environ["NUMBA_CACHE_DIR"]) if "NUMBA_CACHE_DIR" in os.environ else None  # as for this process

# A module, since processes that do not fork import what they run.
FITS = """
import numpy as np
import fastgd

random = np.random.default_rng(0)
X = random.standard_normal((60_000, 8))  # enough values for parallel kernels
y = X @ random.standard_normal(8) + random.standard_normal(len(X))
LABELS = y > 0
TASKS = [
    {"method": "newton", "loss": "logistic"},
    {"method": "gd", "loss": "squared"},
    {"method": "lbfgs", "loss": "huber"},
    {"method": "minibatch", "loss": "squared", "rule": "adam"},
    {"method": "sgd", "loss": "logistic", "shards": 2},
    {"method": "svrg", "loss": "logistic", "alpha": 1e-3},
    {"method": "working_set", "loss": "squared", "penalty": "l1", "alpha": 0.01},
    {"method": "interior_point", "loss": "absolute"},
]


def bits(k):
    task = TASKS[k]
    result = fastgd.fit(X, LABELS if task["loss"] == "logistic" else y, max_epochs=6, **task)
    return result.coef.tobytes().hex()
"""

COMPARE = """
    import json, multiprocessing, sys, threading
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    if __name__ == "__main__":
        import fits
        from fastgd.compile.jit import threading_layer

        everything = range(len(fits.TASKS))
        answer = {"layer": threading_layer(), "alone": [fits.bits(k) for k in everything]}
        with ThreadPoolExecutor(8) as pool:
            answer["threads"] = list(pool.map(fits.bits, everything))
        for way in sys.argv[1].split(","):
            with ProcessPoolExecutor(2, multiprocessing.get_context(way)) as pool:
                answer[way] = list(pool.map(fits.bits, everything))
        print(json.dumps(answer))
"""

JOBLIB = """
    import json
    from joblib import Parallel, delayed

    import fits

    everything = range(len(fits.TASKS))
    answer = {"alone": [fits.bits(k) for k in everything]}
    for backend in ("threading", "loky"):
        answer[backend] = Parallel(n_jobs=2, backend=backend)(delayed(fits.bits)(k) for k in everything)
    print(json.dumps(answer))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "fits.py").write_text(FITS)
    return tmp_path


@pytest.mark.parametrize("layer", LAYERS)
def test_equal_bits_in_threads_and_processes(folder, layer):
    """Spawned processes take the longest to begin, so that they run under one layer only."""
    if not has_layer(layer):
        pytest.skip(f"numba has no library of {layer} here")
    ways = [way for way in ("fork", "forkserver") if hasattr(os, "fork")] + ["spawn"] * (layer == "workqueue")
    answer = answer_of(start([COMPARE], ",".join(ways), path=folder, cache=CACHE, NUMBA_THREADING_LAYER=layer))
    assert answer["layer"] == layer
    for way in ("threads", *ways):
        assert answer[way] == answer["alone"], way


def test_equal_bits_by_joblib(folder):
    pytest.importorskip("joblib")
    answer = answer_of(start([JOBLIB], path=folder, cache=CACHE))
    assert answer["threading"] == answer["loky"] == answer["alone"]


def test_a_layer_that_cannot_be_loaded_is_named(folder):
    if has_layer("tbb"):
        pytest.skip("numba has the library of tbb here")
    script = """
        import fastgd
        try:
            fastgd.fit([[1.0], [2.0]], [1.0, 2.0])
        except fastgd.FastgdError as error:
            import json
            print(json.dumps({"error": str(error)}))
    """
    answer = answer_of(start([script], path=folder, cache=CACHE, NUMBA_THREADING_LAYER="tbb"))
    assert answer["error"].startswith("numba cannot load the threading layer 'tbb' that NUMBA_THREADING_LAYER asks for")


def test_free_threaded_python_is_refused(monkeypatch):
    """Where Python runs without its lock, the first fit says that fastgd needs it."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(FastgdError, match="free-threaded"):
        fastgd.fit([[1.0], [2.0]], [1.0, 2.0])
