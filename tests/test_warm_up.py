"""`warm_up`: what it compiles, and that common runs compile nothing after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from helpers.command_line import fastgd

from fastgd import warm_up
from fastgd.compile.jit import CompileClock


class StubFit:
    def __init__(self, description, compiled):
        self.description, self.compiled = description, compiled

    def compile(self):
        return self.compiled


def test_compiled_fit_is_not_compiled_again():
    fits = {fit.description: fit for fit in warm_up.common_fits()}
    fit = fits["squared, gd, small tables"]
    fit.compile()
    with CompileClock().listening() as clock:
        assert fit.compile() == 0
    assert clock.count == 0


def test_descriptions_are_unique():
    descriptions = [fit.description for fit in warm_up.common_fits()]
    assert len(set(descriptions)) == len(descriptions)


def test_command_reports_progress_and_the_number_of_kernels(monkeypatch):
    monkeypatch.setattr(warm_up, "common_fits", lambda: [StubFit("one kind", 2), StubFit("another", 3)])
    ran = fastgd("info", "--warm-up", "--json")
    assert ran.err.splitlines()[:2] == ["compiling 1 of 2: one kind", "compiling 2 of 2: another"]
    assert ran.err.splitlines()[2].startswith("compiled 5 kernels in ")
    assert "cache" in ran.json
    assert fastgd("info", "--warm-up", "--quiet").err == ""
    monkeypatch.setattr(warm_up, "common_fits", lambda: [StubFit("one kind", 0)])
    assert "nothing to compile" in fastgd("info", "--warm-up").err


@pytest.mark.campaign
@pytest.mark.parametrize(
    "words",
    ["", "--method minibatch", "--method sgd --epochs 1", "logistic", "diabetes", "diabetes --method gd --epochs 9"],
)
def test_run_after_warm_up_compiles_nothing(words, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "warmed-up"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}

    def command(*words: str) -> str:
        whole = [sys.executable, "-m", "fastgd_cli", *words]
        return subprocess.run(whole, env=environment, capture_output=True, text=True, check=True).stdout

    if not folder.exists():
        command("info", "--warm-up", "--quiet")
    assert json.loads(command("run", *words.split(), "--json", "--quiet"))["seconds"]["compile"] == 0
