"""Fits by every method have the same bits whatever the state of the kernel cache when they begin.

The short forms, for two methods and three processes, are in `compile/test_linkage.py` and `compile/test_jit_cache.py`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numba
import numpy as np
import pytest
from helpers.campaign_figures import record
from helpers.processes import answer_of, start

from fastgd.solvers.options import METHODS

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="plain Python is neither compiled nor cached"),
]

# Digests of fits by the methods that are given, in this order, and the number of kernels that were compiled.
FITS = """
    import hashlib, json, sys
    import numpy as np
    import fastgd
    from fastgd.compile.jit import CompileClock

    OPTIONS = {
        "gd": {"loss": "squared", "rule": "nesterov"},
        "sgd": {"loss": "logistic", "average": True},
        "minibatch": {"loss": "huber", "rule": "adam"},
        "newton": {"loss": "logistic", "alpha": 1e-3},
        "lbfgs": {"loss": "poisson", "alpha": 1e-3},
        "interior_point": {"loss": "quantile:quantile=0.7"},
        "working_set": {"penalty": "l1", "alpha": 0.01},
    }
    random = np.random.default_rng(0)
    X = random.normal(size=(9000, 11))
    z = X @ random.normal(size=11) / 3
    TARGETS = {"logistic": z > 0.1 * random.normal(size=len(z)), "poisson": random.poisson(np.exp(z))}
    y = z + random.normal(size=len(z))
    digests = {}
    with CompileClock().listening() as clock:
        for method in sys.argv[1].split(","):
            options = {"loss": "squared", **OPTIONS.get(method, {})}
            result = fastgd.fit(X, TARGETS.get(options["loss"], y), method=method, max_epochs=8, **options)
            trace = [result.trace[name] for name in ("objective", "gradient_norm")]
            bits = b"".join(np.asarray(part).tobytes() for part in (result.coef, *trace, result.predict(X)))
            digests[method] = hashlib.sha256(bits).hexdigest(), str(result.gap_bound), str(result.intercept)
    print(json.dumps({"digests": digests, "compiled": clock.count}))
"""
ORDER = [*METHODS]
N_PROCESSES, N_REMOVED = 8, 12


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(0)


def begin(path: Path, cache: Path, order: list[str]) -> subprocess.Popen:
    return start([FITS], ",".join(order), path=path, cache=cache)


def kernels(cache: Path) -> list[Path]:
    return sorted((cache / "fastgd").rglob("*.kernel"))


def test_processes_have_the_same_bits_with_any_cache(tmp_path, random):
    """Empty, filled in another order, complete, with single files or half of them removed, and without a folder."""
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    shuffled = [str(name) for name in random.permutation(ORDER)]
    first = answer_of(begin(tmp_path, tmp_path / "first", ORDER))
    assert first["compiled"] > len(ORDER)

    def check(cache: Path, order: list[str], compiled: int | None = None) -> None:
        answer = answer_of(begin(tmp_path, cache, order))
        assert answer["digests"] == first["digests"]
        assert compiled in (None, answer["compiled"])

    check(tmp_path / "second", ORDER[::-1], first["compiled"])
    check(tmp_path / "third", shuffled, first["compiled"])
    check(no_folder / "cache", ORDER, first["compiled"])
    for cache, order in (("first", shuffled), ("second", ORDER), ("third", ORDER[::-1])):
        check(tmp_path / cache, order, 0)
    files = kernels(tmp_path / "first")
    assert len(files) == first["compiled"]
    for file in random.choice(files, N_REMOVED, replace=False):
        file.unlink()
        check(tmp_path / "first", shuffled, 1)
    for file in random.choice(files, len(files) // 2, replace=False):
        file.unlink()
    check(tmp_path / "first", ORDER, len(files) // 2)
    record("threads", states_of_the_kernel_cache=8 + N_REMOVED, methods=len(ORDER), kernels=len(files))


def test_many_processes_fill_an_empty_cache_at_once(tmp_path, random):
    cache = tmp_path / "cache"
    orders = [[str(name) for name in random.permutation(ORDER)] for _ in range(N_PROCESSES)]
    answers = [answer_of(each) for each in [begin(tmp_path, cache, order) for order in orders]]
    later = answer_of(begin(tmp_path, cache, ORDER))
    assert later["compiled"] == 0
    assert all(answer["digests"] == later["digests"] for answer in answers)
    assert all(answer["complaints"] == later["complaints"] == "" for answer in answers)
    assert {path.suffix for path in (cache / "fastgd").rglob("*") if path.is_file()} == {".kernel"}
    record("threads", processes_that_fill_a_cache=N_PROCESSES)
