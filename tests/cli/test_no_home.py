"""A user without a home: no variable HOME, and no entry in the database of users, as in many containers."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path

import numba
import pytest
from helpers.command_line import fastgd
from helpers.limited_process import run_limited

from fastgd.compile import jit_cache

HOMELESS = """
import os, pwd, sys

def unknown(user):
    raise KeyError(f"getpwuid(): uid not found: {user}")

pwd.getpwuid = unknown
for name in list(os.environ):
    if name in ("HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "PLOTLY_DIR") or name.startswith("XDG_"):
        del os.environ[name]
from fastgd_cli.main import main
main()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text("a,y\n1,2\n2,3\n4,9\n5,7\n")
    return tmp_path


def test_no_folder_is_made(folder):
    """Neither for pictures and reports, nor for compiled kernels; `~` without a home is a name like others."""
    outputs = {"--save": "m.fastgd", "--trace": "t.csv", "--plot": "p.svg", "--report": "r.html"}
    words = ["run", "d.csv", *(word for pair in outputs.items() for word in pair)]
    ended = run_limited("-c", HOMELESS, *words, environment={"NUMBA_DISABLE_JIT": "1"})
    assert ended.code == 0, ended.err
    told = run_limited("-c", HOMELESS, "info")
    assert told.code == 0, told.err
    assert re.search(r"^kernels +not kept, since no folder is writable; set NUMBA_CACHE_DIR to one$", told.out, re.M)
    assert "warning: no folder for compiled kernels is writable, so each process compiles them again" in told.err
    assert len(told.err.splitlines()) == 1
    assert set(os.listdir(folder)) == {"d.csv", *outputs.values()}


HOME = {"HOME": "/home/me"}


@pytest.mark.parametrize(
    ("variables", "numba_cache", "expected"),
    [
        ({"HOME": "~"}, "", None),
        ({"HOME": "relative"}, "", None),
        (HOME, "", "/home/me/.cache"),
        (HOME | {"XDG_CACHE_HOME": "~/cache"}, "", "/home/me/.cache"),
        (HOME | {"XDG_CACHE_HOME": "/cache"}, "", "/cache"),
        (HOME, "~/kernels", "/home/me/kernels"),
        ({"HOME": "~"}, "~/kernels", None),
        (HOME, "kernels", "kernels"),
    ],
)
def test_no_folder_of_kernels_is_called_tilde(monkeypatch, variables, numba_cache, expected):
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba_cache)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert jit_cache._roots() == ([] if expected is None else [Path(expected) / "fastgd"])


def test_a_warning_is_one_line(folder, monkeypatch):
    def warn(*_words, **_options):
        warnings.warn("two\nlines \x1b[31m", UserWarning, stacklevel=2)
        raise KeyboardInterrupt

    monkeypatch.setattr("fastgd.fit", warn)
    shown = warnings.showwarning
    assert "warning: two lines \\x1b[31m\n" in fastgd("run", "d.csv").err
    assert warnings.showwarning is shown
