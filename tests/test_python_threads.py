"""Python's own threads, also while the interpreter shuts down."""

from __future__ import annotations

import threading

import pytest
from helpers.processes import answer_of, start

from fastgd.data import row_order
from fastgd.python_threads import PythonThreads


def test_results_come_in_order():
    pool = PythonThreads(2)
    assert pool.map(lambda a, b: a - b, range(5), range(5, 10)) == [-5] * 5
    threads = set(pool.map(lambda _: threading.current_thread(), range(4)))
    assert threading.current_thread() not in threads
    pool.close()
    assert not any(thread.is_alive() for thread in threads)


def test_an_error_in_a_thread_is_raised():
    pool = PythonThreads(2)
    with pytest.raises(ZeroDivisionError):
        pool.map(lambda x: 1 / x, [1, 0])
    pool.close()


def test_each_call_is_made_once_where_the_system_has_no_more_threads(monkeypatch):
    """The pool puts a call into its queue before it starts a thread for it."""
    begin, calls, begun = threading.Thread.start, [], []

    def begin_only_one(thread):
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", begin_only_one)
    pool = PythonThreads(4)
    assert pool.map(lambda k: calls.append(k) or -k, range(50)) == [-k for k in range(50)]
    pool.close()
    assert sorted(calls) == list(range(50))


def test_rows_have_the_same_order_where_no_thread_can_be_started(monkeypatch):
    """Orders are prepared one epoch ahead; Python 3.12 and later start no threads in functions of atexit."""

    def refuse(_thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    n_samples = 2 * row_order.AHEAD_FROM
    expected = [row_order.RowOrder(n_samples, 8, "full", 0).epoch(number) for number in range(3)]
    monkeypatch.setattr(row_order, "threads_in_use", lambda: 2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    alone = row_order.RowOrder(n_samples, 8, "full", 0)
    for number, order in enumerate(expected):
        assert (alone.epoch(number) == order).all()


def test_fits_while_the_interpreter_shuts_down(tmp_path):
    """In a function registered with atexit, and in a thread that outlives the main one, with equal bits."""
    script = """
        import atexit, json, threading
        import numpy as np

        X = np.random.default_rng(0).normal(size=(3000, 4))
        found = []

        def fit():
            import fastgd  # for the first time in the thread, when Python starts no threads any more
            options = {"method": "sgd", "shards": 2, "learning_rate": 0.01, "max_epochs": 2}
            found.append([fastgd.fit(X, X[:, 0], **more).coef.tolist() for more in ({}, options)])

        def late():
            threading.main_thread().join()
            fit()

        def last():
            fit()
            print(json.dumps({"coefs": found}))

        atexit.register(last)
        threading.Thread(target=late).start()
    """
    answer = answer_of(start([script], path=tmp_path, cache=None))
    in_thread, at_exit = answer["coefs"]
    assert in_thread == at_exit
    assert in_thread[0] == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert not answer["complaints"]
