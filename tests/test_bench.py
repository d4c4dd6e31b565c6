"""`fastgd bench`: its tables, goals, plot and messages; no test of speed."""

from __future__ import annotations

import importlib
import math
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from fastgd_bench import QUESTIONS, USUAL, goals, machine, plot, timing
from fastgd_bench.scale import Scale
from fastgd_bench.sparse import rows_like_rcv1
from fastgd_bench.table import Table, shown
from fastgd_bench.timing import Timing
from helpers.command_line import fastgd

GRADIENT = ("dtype", "d", "loss", "MB", "GB/s", "of the roofline", "x NumPy", "x PyTorch", "x compiled", "spread")
SGD = ("X", "loss", "fastgd, ns a row", "peer", "its ns a row", "times faster", "spread")


def answers() -> dict[str, Table]:
    """Made-up tables of the default questions."""
    wide = [
        ("float64", d, "half_squared", 200.0, 12.0, part, 2.5, None, None, 0.1) for d, part in ((28, 0.8), (54, 0.95))
    ]
    narrow = [("float32", 4, "half_squared", 200.0, 3.0, 0.2, 1.0, None, None, 0.1)]
    small = [("float64", 100, "half_squared", 1.0, 3.0, 0.01, 0.1, None, None, 0.1)]
    who = ("who", "seconds", "fastgd is times faster", "spread")
    return {
        "roofline": Table("", ("dtype", "threads", "roofline"), [("float64", 1, 9.0), ("float64", 2, 15.0)]),
        "gradient": Table("", GRADIENT, wide + narrow + small),
        "sgd": Table("", SGD, [("1,000 x 54", "logistic", 40.0, "scikit-learn", 400.0, 10.0, 0.1)]),
        "sparse": Table("", ("what", "peer", "times faster"), [("a gradient", "SciPy", 2.0)]),
        "minibatch": Table("", who, [("fastgd", 1.0, 1.0, 0.1), ("PyTorch eager", 120.0, 120.0, 0.1)]),
        "command": Table("", who, [("fastgd run", 1.0, 1.0, 0.1), ("NumPy script", 4.5, 4.5, 0.1)]),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (99.96, "100"),
        (12345.6, "12300"),
        (0.0, "0"),
        (None, "-"),
        (7, "7"),
        (math.inf, "inf"),
        ("x", "x"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert shown(value) == text


def test_table_aligns_text_left_and_numbers_right():
    text = str(Table("T", ("a", "long column"), [("word", 1.0), ("w", None)]))
    assert text.splitlines() == [
        "T",
        "",
        "a     long column",
        "----  -----------",
        "word         1.00",
        "w               -",
    ]


def test_goals_are_judged_by_the_worst_of_their_records():
    found = {row[0]: row[3:] for row in goals.against_goals(answers()).rows}
    assert found["batch gradient, d 28 to 2000, float64, of the roofline"] == ("0.800 to 0.950", "missed")
    assert found["batch gradient against NumPy, float64, d 28 to 500"] == ("2.50", "reached")
    assert found["batch gradient, d 2 to 16, float64, of the roofline"] == ("-", "not measured")
    assert found["epoch of SGD, d = 3, 10, 28, 54, against scikit-learn"] == ("10.0", "reached")
    assert found["mini-batches of 32, d = 54, against PyTorch eager"] == ("120", "missed")
    narrow = [
        numbers for goal, numbers in goals.measured(answers()) if goal.what == "the same, float32" and goal.goal == 0.5
    ]
    assert narrow == [[0.2]]
    assert goals.verdict(goals.GOALS[0], [0.1]) == "below the minimum"


def test_candidates_are_timed_in_turn():
    called = []
    timings = timing.in_turn({name: lambda name=name: called.append(name) for name in "ab"}, rounds=3)
    assert "".join(called) == "ab" * 4  # the first call of each is not timed
    assert all(len(one.rounds) == 3 for one in timings.values())
    assert Timing((1.0, 2.0, 4.0)).times_faster_than(Timing((3.0, 4.0, 20.0))) == 3.0
    assert Timing((3.0, 5.0)).less(Timing((1.0, 1.0))).rounds == (2.0, 4.0)


def test_plot_is_drawn(tmp_path):
    plot.draw(answers(), str(tmp_path / "bench.svg"), machine.describe())
    drawn = ET.parse(tmp_path / "bench.svg")
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))) > 30
    plot.draw(answers(), str(tmp_path / "bench.png"), machine.describe())
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_json_has_the_machine_and_its_bandwidth():
    content = fastgd("bench", "roofline", "--quick", "--json", "--quiet").json
    assert content["machine"]["packages"]["numpy"] == np.__version__
    assert {record["dtype"] for record in content["roofline"]["records"]} == {"float64", "float32"}
    assert all(record["roofline"] == max(record["sum"], record["X @ w"]) for record in content["roofline"]["records"])
    assert content["goals"] == []


def test_missing_peers_are_named(monkeypatch):
    monkeypatch.setattr(machine, "version", lambda package: None if package == "torch" else "1.0")
    assert "\nnot installed  PyTorch" in machine.in_words(machine.describe())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["roofline", "--plot", "a.png"], "missing: gradient, threads"),
        (["--plot", "a.txt"], "a.txt: the suffix '.txt' is not known; use .png, .svg or .pdf"),
        (["--plot", "nowhere/a.png"], "nowhere/a.png: there is no folder"),
        (["speed"], "'speed' is not one of"),
    ],
)
def test_wrong_usage_is_refused(words, sentence):
    ran = fastgd("bench", *words)
    assert ran.code == 2
    assert sentence in ran.err


def test_missing_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = fastgd("bench", "--plot", "a.png")
    assert ran.code == 2
    assert "pip install 'fastgd[plot]'" in ran.err


def test_every_question_is_a_module_and_the_default_ones_have_goals():
    for question in QUESTIONS:
        assert callable(importlib.import_module(f"fastgd_bench.{question}").measure)
    assert {goal.question for goal in goals.GOALS} | {"roofline"} == set(USUAL)


def test_quick_scale_has_fewer_cases():
    assert Scale(quick=True).subset(1, 2, 3, 4, 5) == (2, 4, 5)
    assert Scale().subset(1, 2, 3) == (1, 2, 3)
    X = rows_like_rcv1(50)
    assert X.shape == (50, 47_000)
    assert X.has_canonical_format
