"""A user's loss in a file: --loss FILE.py:Class."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.command_line import fastgd

import fastgd as library

CAUCHY = '''\
import math

import fastgd


@fastgd.term
class Cauchy:
    """log(1 + (r / c)^2) with r = z - y."""

    c: float = 1.0

    def value(self, y, z):
        return math.log1p(((z - y) / self.c) ** 2)

    def derivative(self, y, z):
        r = z - y
        return 2.0 * r / (self.c * self.c + r * r)

    def mean(self, z):
        return z

    def curvature(self):
        return 2.0 / (self.c * self.c)


class NoTerm:
    pass


number = 1
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to stand in, with a file of losses and a table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_losses.py").write_text(CAUCHY)
    X = np.random.default_rng(0).normal(size=(50, 2))
    np.savetxt("data.csv", np.column_stack([X, X @ [2.0, -1.0]]), delimiter=",", header="a,b,y", comments="")
    return tmp_path


def run(loss, *words):
    return fastgd("run", "data.csv", "--method", "gd", "--quiet", "--loss", loss, *words)


def refuse(ran, *parts):
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran
    for part in parts:
        assert part in ran.err


@pytest.mark.parametrize("settings", ["", ":c=2", ":c=0.5"])
def test_a_loss_from_a_file(folder, settings):
    found = run(f"my_losses.py:Cauchy{settings}", "--json").json
    sys.path.insert(0, str(folder))
    try:
        from my_losses import Cauchy
    finally:
        sys.path.remove(str(folder))
        del sys.modules["my_losses"]
    loss = Cauchy(c=float(settings.partition("=")[2] or 1.0))
    table = library.open("data.csv")
    assert found["coef"] == library.fit(table, loss=loss, method="gd").coef.tolist()
    assert found["loss"] == "Cauchy"


def test_a_loss_by_its_path_that_imports_from_its_folder(folder, monkeypatch):
    other = folder / "other"
    other.mkdir()
    (folder / "my_losses.py").rename(other / "my-losses.py")
    (other / "my-losses.py").write_text("from scale import UNIT\n" + CAUCHY.replace("2.0 * r", "UNIT * 2.0 * r"))
    (other / "scale.py").write_text("UNIT = 1.0\n")
    assert run(f"{other}/my-losses.py:Cauchy").code == 0
    assert str(other) not in sys.path


def test_no_file_is_written_beside_the_loss(folder, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert run("my_losses.py:Cauchy", "--epochs", 2).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["data.csv", "my_losses.py"]


def test_an_edited_file_is_read_again(folder):
    before = run("my_losses.py:Cauchy", "--json").json["objective"]
    (folder / "my_losses.py").write_text(CAUCHY.replace("c: float = 1.0", "c: float = 3.0"))
    assert run("my_losses.py:Cauchy", "--json").json["objective"] != before


def test_a_file_may_be_called_like_another_module(folder):
    (folder / "my_losses.py").rename(folder / "numpy.py")
    assert run("numpy.py:Cauchy", "--epochs", 2).code == 0
    assert sys.modules["numpy"] is np


def test_a_second_process_compiles_nothing(folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    words = ["-m", "fastgd_cli", "run", "data.csv", "--method", "gd", "--epochs", "2", "--json"]

    def again(loss):
        line = [sys.executable, *words, "--loss", loss]
        ran = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        kernels = {path.name for path in (folder / "cache").rglob("*.kernel")}
        return "compiling" in ran.stderr, json.loads(ran.stdout)["seconds"]["compile"], kernels

    compiled, _, kernels = again("my_losses.py:Cauchy")
    assert compiled
    assert again("my_losses.py:Cauchy") == (False, 0.0, kernels)
    assert again("my_losses.py:Cauchy:c=2") == (False, 0.0, kernels)


def test_predict_and_evaluate_need_the_loss(folder):
    assert run("my_losses.py:Cauchy:c=2", "--save", "m.fastgd").code == 0
    for command in ("predict", "evaluate"):
        refuse(fastgd(command, "m.fastgd", "data.csv"), "m.fastgd", "the loss Cauchy", "--loss FILE.py:Cauchy")
        assert fastgd(command, "m.fastgd", "data.csv", "--loss", "my_losses.py:Cauchy:c=2").code == 0
    rows = list(csv.reader(io.StringIO(fastgd("predict", "m.fastgd", "data.csv", "--loss", "my_losses.py:Cauchy").out)))
    y = np.loadtxt("data.csv", delimiter=",", skiprows=1)[:, 2]
    np.testing.assert_allclose(np.array(rows[1:], float)[:, 0], y, atol=0.1)


@pytest.mark.parametrize(
    ("loss", "parts"),
    [
        ("my_loses.py:Cauchy", ["my_loses.py: there is no such file; did you mean 'my_losses.py'?"]),
        ("nowhere/my.py:Cauchy", ["nowhere/my.py: there is no folder 'nowhere'"]),
        ("my_losses.py", ["my_losses.py: name the class of the loss after a colon; there is 'Cauchy'"]),
        ("my_losses.py:", ["my_losses.py: name the class of the loss after a colon"]),
        ("my_losses.py:Cauchi", ["my_losses.py: has no class 'Cauchi'; did you mean 'Cauchy'?"]),
        ("my_losses.py:NoTerm", ["my_losses.py: NoTerm is not a term; put @fastgd.term above its class"]),
        ("my_losses.py:number", ["number is not a term"]),
        ("my_losses.py:Cauchy:d=2", ["loss 'Cauchy' has no setting 'd'", "c"]),
        ("my_losses.py:Cauchy:c=two", ["c='two' is not a number"]),
    ],
)
def test_error_for_a_wrong_name_is_one_sentence(folder, loss, parts):
    refuse(run(loss), *parts)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (CAUCHY + "1 / 0\n", ["line 31: ZeroDivisionError: division by zero; fix the file"]),
        (CAUCHY.replace("math.log1p(", "math.log1p(("), ["line 13: SyntaxError: '(' was never closed; fix the file"]),
        ("import nonsense\n" + CAUCHY, ["line 1: ModuleNotFoundError: No module named 'nonsense'; fix the file"]),
        ("def f():\n    raise OSError('two\\nlines')\n\nf()\n", ["line 2: OSError: two; fix the file"]),
        ("import sys\nsys.exit(3)\n", ["line 2: SystemExit: 3; fix the file"]),
        ("raise GeneratorExit\n", ["line 1: GeneratorExit", "; fix the file"]),
        ("raise BaseException('no')\n", ["line 1: BaseException: no; fix the file"]),
        (
            CAUCHY.replace("def value", "def __post_init__(self):\n        raise SystemExit(0)\n\n    def value"),
            ["SystemExit: 0; fix the file"],
        ),
        (CAUCHY.replace("r = z - y", "raise SystemExit(0)"), ["loss Cauchy: derivative(", "fails with SystemExit: 0"]),
        (CAUCHY.replace("r = z - y", "raise GeneratorExit"), ["loss Cauchy: derivative(", "fails with GeneratorExit"]),
        (
            CAUCHY.replace(
                "r = z - y\n", "r = z - y\n        if 4.95 < z < 4.98:\n            raise ValueError('here')\n"
            ),
            ["my_losses.py: a method raises ValueError: here; fix the file"],  # late in training
        ),
        (CAUCHY.replace("c: float", "c: complex"), ["line 6: Cauchy.c is annotated complex", "; fix the file"]),
        (CAUCHY.replace("def derivative", "def slope"), ["has no method derivative(self, y, z)"]),
        (CAUCHY.replace("2.0 * r /", "3.0 * r /"), ["derivative(", "correct one of the two"]),
    ],
)
def test_error_in_the_file_is_one_sentence(folder, content, parts):
    (folder / "my_losses.py").write_text(content)
    refuse(run("my_losses.py:Cauchy"), *parts)


def test_what_the_file_prints_is_not_among_the_results(folder):
    (folder / "my_losses.py").write_text(f"print('loaded')\n{CAUCHY}")
    ran = run("my_losses.py:Cauchy", "--json")
    assert (ran.code, ran.err) == (0, "loaded\n")
    assert ran.json["loss"] == "Cauchy"


def test_no_command_that_a_message_advises_runs_what_a_model_file_holds(folder):
    assert run("my_losses.py:Cauchy", "--save", "m.fastgd").code == 0
    result = library.load("m.fastgd")
    result.loss = "$(reboot)"
    result.save("m.fastgd")
    refuse(fastgd("predict", "m.fastgd", "data.csv"), "--loss 'FILE.py:$(reboot)'")
