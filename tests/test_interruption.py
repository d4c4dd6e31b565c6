"""Ctrl-C: the first one stops training and keeps what was asked for, however many follow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastgd
from fastgd import interruption

random_delays = np.random.default_rng(4).uniform(0.0, 0.6, size=(40, 4))

# Prints "ready" when training begins, and the outcome at the end.
LIBRARY = """
import json, sys
import numpy as np, fastgd
rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 20)); y = X @ rng.normal(size=20) + rng.normal(size=20_000)
def begin(state):
    if state.epoch == 1:
        print("ready", flush=True)
options = dict(method=sys.argv[1], learning_rate=1e-4, tol=0, max_epochs=10**6, callbacks=[begin])
try:
    fastgd.fit(X, y, **options)
except fastgd.Interrupted as ended:
    result = ended.result
    finite = bool(np.isfinite(result.coef).all())
    print(json.dumps({"epochs": result.n_epochs, "reason": result.stop_reason, "finite": finite}))
"""


@pytest.fixture(autouse=True)
def python_handles_interruptions():
    """Also in a process in the background of a shell, which ignores them, as do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(command: list[str], delays: np.ndarray, until: bytes = b"ready"):
    """The process after Ctrl-C at these times: exit code and outputs."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    if until:
        assert process.stdout.readline().strip() == until
    for delay in delays:
        time.sleep(delay)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("method", ["gd", "sgd"])
def test_one_interruption_keeps_the_model(method):
    code, out, err = interrupted([sys.executable, "-c", LIBRARY, method], np.array([0.05]))
    assert code == 0, err
    found = json.loads(out)
    assert found["reason"] == "interrupted"
    assert found["finite"]
    assert found["epochs"] >= 1


@pytest.mark.parametrize("trial", [0, pytest.param(range(1, 40), marks=pytest.mark.campaign)])
def test_many_interruptions_keep_the_outputs_of_the_command(trial, tmp_path):
    for k in np.atleast_1d(trial):
        model, trace = tmp_path / f"{k}.fastgd", tmp_path / f"{k}.csv"
        command = [
            sys.executable, "-m", "fastgd_cli.main", "run", "linear", "--method", "gd", "--learning-rate", "1e-6",
            "--tol", "0", "--epochs", "100000", "--save", str(model), "--trace", str(trace), "--quiet",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(4.0 + random_delays[k, 0])
        for delay in random_delays[k] / 20:
            os.kill(process.pid, signal.SIGINT)
            time.sleep(delay)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert b"Traceback" not in err
        assert fastgd.load(model).n_epochs >= 1
        assert trace.read_text().count("\n") >= 2


def test_a_noted_interruption_raises_once_and_never_while_shielded():
    with interruption.deferred():
        signal.raise_signal(signal.SIGINT)
        with interruption.shielded():
            interruption.check()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
        signal.raise_signal(signal.SIGINT)
        interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_host_stays_in_place():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        fastgd.fit(
            [[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], tol=0, max_epochs=3,
            callbacks=[lambda _state: signal.raise_signal(signal.SIGINT)],
        )  # fmt: skip
    finally:
        assert signal.signal(signal.SIGINT, before) is not before
    assert seen


def test_an_interruption_after_the_last_pass_keeps_the_whole_model(monkeypatch):
    from fastgd.training import run

    def interrupting(*_args):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(run, "copied_columns", interrupting)
    X = np.random.default_rng(1).normal(size=(30, 2))
    with pytest.raises(fastgd.Interrupted) as ended:
        fastgd.fit(X, X @ [1.0, 2.0] + X[:, 0] ** 2)
    assert ended.value.result.converged
