"""A fit leaves the process that hosts it as it was: threads, signal handlers, error state, filters, environment."""

from __future__ import annotations

import locale
import os
import random
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

import fastgd

data = np.random.default_rng(5)
X = data.normal(size=(200, 3))
Y = X @ [1.0, 2.0, -1.0] + data.normal(size=200)


def state_of_process():
    return {
        "blas": [(pool.prefix, pool.num_threads) for pool in ThreadpoolController().lib_controllers],
        "numba": numba.get_num_threads(),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "errors": np.geterr(),
        "filters": list(warnings.filters),
        "environment": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "random": random.getstate(),
        "numpy random": np.random.get_state()[1].tolist(),  # that fits do not touch it is the point
    }


def interrupt(_state):
    raise KeyboardInterrupt


def fail(_state):
    raise ValueError("of the callback")


@pytest.fixture(autouse=True)
def several_blas_threads():
    """Two BLAS threads, so that a fit which leaves one behind is seen."""
    fastgd.fit(X, Y)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, None),
        ({"method": "minibatch", "max_epochs": 3}, None),
        ({"alpha": -1.0}, fastgd.OptionError),
        ({"method": "gd", "learning_rate": 1e6}, fastgd.DivergedError),
        ({"tol": 0, "callbacks": [interrupt]}, fastgd.Interrupted),
        ({"tol": 0, "callbacks": [fail]}, ValueError),
    ],
)
def test_nothing_of_the_process_changes(options, error):
    before = state_of_process()
    if error is None:
        fastgd.fit(X, Y, **options)
    else:
        with pytest.raises(error):
            fastgd.fit(X, Y, **options)
    assert state_of_process() == before


def test_fits_that_overlap_restore_what_was_there_before_the_first():
    """The first to begin is the first to end: the second, which began while one BLAS thread was set, keeps that one."""
    before, left_to_second = state_of_process(), []
    first_began, second_began, first_ended = threading.Event(), threading.Event(), threading.Event()

    def fit(callback):
        return fastgd.fit(X, Y, method="gd", tol=0, max_epochs=20, callbacks=[callback]).objective

    def first():
        def callback(_state):
            first_began.set()
            return not second_began.wait(30)

        found = fit(callback)
        first_ended.set()
        return found

    def second():
        def callback(_state):
            second_began.set()
            ended = first_ended.wait(30)
            left_to_second.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
            return not ended

        assert first_began.wait(30)
        return fit(callback)

    with ThreadPoolExecutor(2) as pool:
        assert len({one.result() for one in [pool.submit(first), pool.submit(second)]}) == 1
    assert set(left_to_second) == {1}
    assert state_of_process() == before


def test_many_concurrent_fits():
    before = state_of_process()
    with ThreadPoolExecutor(8) as pool:
        fits = [pool.submit(fastgd.fit, X, Y, method="gd", tol=0, max_epochs=50) for _ in range(16)]
        assert len({one.result().coef.tobytes() for one in fits}) == 1
    assert state_of_process() == before


def test_arrays_are_unchanged_and_the_next_fit_has_the_same_bits_after_an_end_within_a_fit():
    def run_out_of_memory(state):
        if state.epoch == 1:
            raise MemoryError

    fits = {"method": "saga", "tol": 0, "max_epochs": 12}
    kept = X.copy(), Y.copy()
    first = fastgd.fit(X, Y, **fits)
    for ending, error in ((interrupt, fastgd.Interrupted), (run_out_of_memory, MemoryError), (fail, ValueError)):
        with pytest.raises(error):
            fastgd.fit(X, Y, **fits, callbacks=[ending])
    with pytest.raises(fastgd.DivergedError):
        fastgd.fit(X, Y, method="saga", learning_rate=1e5)
    fastgd.fit(X, Y, validation=0.3, patience=1, method="saga")
    again = fastgd.fit(X, Y, **fits)
    assert (kept[0] == X).all()
    assert (kept[1] == Y).all()
    assert again.coef.tobytes() == first.coef.tobytes()
