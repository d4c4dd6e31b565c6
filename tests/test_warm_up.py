"""What is compiled ahead of time, and that nothing is left to compile after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from helpers.command_line import fastgd

from fastgd import warm_up
from fastgd.compile.jit import CompileClock


class Kind:
    def __init__(self, description, compiled):
        self.description, self.compiled = description, compiled

    def compile(self):
        return self.compiled


def test_a_kind_that_was_compiled_is_not_compiled_again():
    kinds = {kind.description: kind for kind in warm_up.usual()}
    kind = kinds["squared, gd, small tables"]
    kind.compile()
    with CompileClock().listening() as clock:
        assert kind.compile() == 0
    assert clock.count == 0


def test_kinds_are_told_apart():
    descriptions = [kind.description for kind in warm_up.usual()]
    assert len(set(descriptions)) == len(descriptions)


def test_the_command_counts_and_sums_up(monkeypatch):
    monkeypatch.setattr(warm_up, "usual", lambda: [Kind("one kind", 2), Kind("another", 3)])
    ran = fastgd("info", "--warm-up", "--json")
    assert ran.err.splitlines()[:2] == ["compiling 1 of 2: one kind", "compiling 2 of 2: another"]
    assert ran.err.splitlines()[2].startswith("compiled 5 kernels in ")
    assert "cache" in ran.json
    assert fastgd("info", "--warm-up", "--quiet").err == ""
    monkeypatch.setattr(warm_up, "usual", lambda: [Kind("one kind", 0)])
    assert "nothing to compile" in fastgd("info", "--warm-up").err


@pytest.mark.campaign
@pytest.mark.parametrize(
    "words",
    ["", "--method minibatch", "--method sgd --epochs 1", "logistic", "diabetes", "diabetes --method gd --epochs 9"],
)
def test_after_it_a_run_compiles_nothing(words, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "warmed-up"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}

    def command(*words: str) -> str:
        whole = [sys.executable, "-m", "fastgd_cli", *words]
        return subprocess.run(whole, env=environment, capture_output=True, text=True, check=True).stdout

    if not folder.exists():
        command("info", "--warm-up", "--quiet")
    assert json.loads(command("run", *words.split(), "--json", "--quiet"))["seconds"]["compile"] == 0
