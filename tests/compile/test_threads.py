"""Launches of kernels: from several threads, after forks, on a given number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from textwrap import dedent

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import fastgd
from fastgd.compile.jit import thread_pool_size, threading_layer, threads
from fastgd.kernels.batch_gradient import linear_predictor

LAYERS = ["omp", "workqueue"]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

X = np.random.default_rng(0).standard_normal((2000, 5))
W = np.arange(1.0, 6.0)

# Launches in another process; `settled(children)` fails if a forked child died or hangs.
LAUNCH = """
    import multiprocessing, os, sys, threading, time
    import numpy as np
    from numba import prange
    from fastgd.compile.jit import of_fixed_types, parallel_kernel, threads
    from fastgd.kernels.batch_gradient import linear_predictor, mean_loss
    from fastgd.kernels.row_targets import Targets
    from fastgd.losses import LOSSES

    X = np.random.default_rng(0).standard_normal((2000, 5))

    @parallel_kernel
    def first_products(X, w, z):
        for i in prange(len(X)):
            z[i] = X[i, 0] * w[0]

    first_products = of_fixed_types(first_products)

    def launch(seed=0):
        # On numba's threads, and on Python's.
        w, z, first = np.arange(1.0, 6.0) + seed, np.full(len(X), np.nan), np.full(len(X), np.nan)
        first_products(X, w, first)
        linear_predictor(X, w, 0.5, 16, z)
        return first.tobytes() + z.tobytes()

    def fork(check):
        child = os.fork()
        if child == 0:
            os._exit(0 if check() else 1)
        return child

    def settled(*children):
        return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)
"""


@pytest.fixture(scope="module")
def launching(tmp_path_factory):
    """Run a script after `LAUNCH` with a threading layer; it must end without an error."""
    cache = tmp_path_factory.mktemp("kernels")

    def launching(script: str, layer: str = "workqueue", **environment: str) -> str:
        path = os.pathsep.join(filter(None, sys.path))
        environment = {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), "NUMBA_NUM_THREADS": "2", **environment}
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(map(dedent, [LAUNCH, script]))],
            env={**os.environ, "NUMBA_THREADING_LAYER": layer, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if "No threading layer could be loaded" in done.stderr:
            pytest.skip(f"there is no {layer} here")
        assert done.returncode == 0, done.stderr
        return done.stdout

    return launching


# --- Threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
def test_two_python_threads_launch_at_the_same_time(launching, layer):
    """Without our lock, numba's workqueue layer aborts the process."""
    launching(
        """
        want = [launch(seed) for seed in range(2)]
        together, wrong = threading.Barrier(2), []

        def work(seed):
            together.wait()
            wrong.extend(k for k in range(300) if launch(seed) != want[seed])

        workers = [threading.Thread(target=work, args=[seed]) for seed in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not wrong
        """,
        layer,
    )


def test_two_python_threads_fit_at_the_same_time():
    y = X @ W

    def fit() -> bytes:
        return fastgd.fit(X, y, method="gd", learning_rate=0.1, max_epochs=20).coef.tobytes()

    want, got = fit(), []
    workers = [threading.Thread(target=lambda: got.append(fit())) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert got == [want] * 3


def test_two_python_threads_compile_a_new_loss_at_the_same_time(launching, tmp_path):
    """One thread must not compile with a type that the other has not completed."""
    launching(
        """
        together, got = threading.Barrier(2), []

        def work():
            together.wait()
            loss = LOSSES.resolve("logistic")
            got.append(mean_loss.serial(np.ones((1, 1)), Targets(np.ones(1)), np.ones(1), 0.0, loss, np.zeros((1, 2))))

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(got) == 2 and got[0] == got[1], got
        """,
        NUMBA_CACHE_DIR=str(tmp_path),  # an empty cache
    )


def test_threads_restores_the_previous_count():
    def fail_on_all_threads() -> None:
        with threads(thread_pool_size()):
            assert numba.get_num_threads() == thread_pool_size()
            raise KeyError

    before = numba.get_num_threads()
    with threads(1):
        assert numba.get_num_threads() == 1
        with pytest.raises(KeyError):
            fail_on_all_threads()
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before


def test_remark_for_too_many_threads():
    options = {"loss": "squared", "method": "gd", "learning_rate": 0.1, "max_epochs": 2}
    result = fastgd.fit(X, X @ W, n_threads=10_000, **options)
    size = thread_pool_size()
    assert result.remarks == (f"n_threads=10000 is more than the {size} available; using {size}",)
    assert fastgd.fit(X, X @ W, n_threads=1, **options).remarks == ()


def test_serial_twin_and_any_number_of_threads_have_the_same_bits():
    def predictions(launch, count: int) -> bytes:
        z = np.empty(len(X))
        with threads(count):
            launch(X, W, 0.5, 16, z)
        return z.tobytes()

    want = predictions(linear_predictor.serial, 1)
    assert np.frombuffer(want) == pytest.approx(X @ W + 0.5, rel=1e-12)
    assert [predictions(linear_predictor, count) for count in range(1, thread_pool_size() + 1)] == (
        [want] * thread_pool_size()
    )


def test_threading_layer_has_a_name():
    assert threading_layer() in ("tbb", "omp", "workqueue")


# --- BLAS -----------------------------------------------------------------------------------------------------------


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
def test_blas_has_one_thread_during_a_fit(method):
    """BLAS threads spin for a while after each call, which slows the kernels down."""
    seen = []
    X @ W
    before = blas_threads()
    assert before
    fastgd.fit(X, X @ W, method=method, max_epochs=2, callbacks=[lambda state: seen.append(blas_threads())])
    assert seen
    assert all(count == 1 for counts in seen for count in counts)
    assert blas_threads() == before


# --- Forks ----------------------------------------------------------------------------------------------------------


@forks
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("start", ["want = launch()", "with threads(1): pass"], ids=["launched", "threads started"])
def test_forked_child_launches_kernels(launching, layer, start):
    """GNU OpenMP kills a forked child at its first launch; the threads of workqueue do not exist in it."""
    launching(
        f"""
        {start}
        assert settled(*[fork(lambda: launch() == launch()) for _ in range(2)])
        """,
        layer,
    )


@forks
@pytest.mark.parametrize("layer", LAYERS)
def test_forked_child_has_the_same_bits(launching, layer):
    launching(
        """
        want = launch()
        grandchild = lambda: settled(fork(lambda: launch() == want))
        assert settled(fork(lambda: launch() == want), fork(grandchild))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(launch, range(4)) == [launch(seed) for seed in range(4)]
        assert launch() == want
        """,
        layer,
    )


@forks
def test_child_forked_before_threads_start_runs_in_parallel(launching):
    launching(
        """
        from fastgd.compile import jit
        assert settled(fork(lambda: launch() and not jit._launches.forbidden))
        assert launch()
        """
    )


@forks
@pytest.mark.parametrize("layer", LAYERS)
def test_fork_while_another_thread_launches(launching, layer):
    launching(
        """
        want, done = launch(), []

        def work():
            while not done:
                launch()

        worker = threading.Thread(target=work)
        worker.start()
        children = [fork(lambda: launch() == want) for _ in range(20)]
        good = settled(*children)
        done.append(True)
        worker.join()
        assert good
        """,
        layer,
    )


@forks
def test_fork_while_another_thread_compiles(launching):
    """The child would wait for numba's compiler lock, which no thread of it holds."""
    launching(
        """
        from fastgd.compile.jit import CompileClock

        compiling = threading.Event()

        def ask(loss, dtype):
            X = np.ones((1, 1), dtype)
            return mean_loss.serial(X, Targets(np.zeros(1)), X[0], 2.0, LOSSES.resolve(loss), np.zeros((1, 2)))

        def work():
            with CompileClock(lambda name: compiling.set()).listening():
                ask("logistic", np.float64)

        worker = threading.Thread(target=work)
        worker.start()
        assert compiling.wait(60)
        child = fork(lambda: ask("squared", np.float64) == 9.0)
        assert settled(child)
        worker.join()
        assert ask("squared", np.float64) == 9.0
        """
    )


# --- Without compilation ----------------------------------------------------------------------------------------------


def test_everything_runs_in_plain_python(launching):
    """``NUMBA_DISABLE_JIT=1``, for debuggers and for terms that cannot be compiled."""
    small, methods = X[:40], ("gd", "sgd", "minibatch")
    compiled = [fastgd.fit(small, small @ W, method=method, max_epochs=3).objective for method in methods]
    script = """
        import fastgd
        small = X[:40]
        for method in ("gd", "sgd", "minibatch"):
            print(fastgd.fit(small, small @ np.arange(1.0, 6.0), method=method, max_epochs=3).objective)
    """
    plain = launching(script, NUMBA_DISABLE_JIT="1").split()
    assert list(map(float, plain)) == pytest.approx(compiled, rel=1e-9)
