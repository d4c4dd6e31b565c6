"""User code outside the package is checked against its types: what is wrong does not type-check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import get_args

import pytest
from helpers.source_tree import ROOT

from fastgd.solvers import options
from fastgd.solvers.options import METHODS, Method, OnDivergence, Shuffle, TraceRows

SAMPLE = """
import numpy as np
import fastgd
from fastgd import Result, Table

X, y = np.ones((4, 2)), np.arange(4.0)


def good(state: fastgd.State) -> bool:
    return state.objective < 0.1


result: Result = fastgd.fit(X, y, method="newton", trace="step", on_divergence="shrink", callbacks=[good])
coef: np.ndarray = result.coef
table: Table = fastgd.open("linear")
fastgd.fit(table, method="auto", shuffle="full")
fastgd.fit_path(X, y, alphas=[0.1], method="newton")
fastgd.learning_rate_range(X, y, method="sgd")
fastgd.fit(X, y, method="foo")  # wrong
fastgd.fit(X, y, trace="rows")  # wrong
fastgd.fit(X, y, on_divergence="ignore")  # wrong
fastgd.fit(X, y, shuffle="some")  # wrong
fastgd.fit(X, y, scale="yes")  # wrong
fastgd.fit(X, y, max_epochs="many")  # wrong
fastgd.fit_path(X, y, method="foo")  # wrong
fastgd.learning_rate_range(X, y, method="foo")  # wrong
fastgd.fit(X, y, penality="l1")  # wrong
result.coefs  # wrong
"""


def test_literal_types_are_the_names_that_are_taken():
    assert get_args(Method) == tuple(METHODS)
    assert get_args(OnDivergence) == tuple(options.ON_DIVERGENCE)
    assert get_args(get_args(Shuffle)[1]) == options.SHUFFLES
    assert get_args(TraceRows) == ("epoch", "step")


def test_user_code_is_checked(tmp_path):
    """As in a user's own project: mypy --strict, outside the repository. That py.typed is installed is another test."""
    pytest.importorskip("mypy")
    (tmp_path / "sample.py").write_text(SAMPLE)
    words = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", "cache", "sample.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    found = {int(line) for line in re.findall(r"^sample\.py:(\d+): error", done.stdout, re.MULTILINE)}
    wanted = {k for k, line in enumerate(SAMPLE.splitlines(), 1) if line.endswith("# wrong")}
    assert found == wanted, done.stdout + done.stderr
