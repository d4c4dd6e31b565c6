"""`compare`: each entry equals a fit, and its objectives, goals and speeds are correct; the command."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.command_line import fastgd as command

import fastgd
from fastgd.comparison import method_label
from fastgd.compile.jit import thread_pool_size
from fastgd.errors import DataError, OptionError

X, NOISE = np.random.default_rng(0).normal(size=(200, 3)), np.random.default_rng(1).normal(size=200)
Y = X @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * NOISE
OPTIONS = {"alpha": 0.01, "max_epochs": 12, "seed": 3}
METHODS = ["gd", "sgd", "minibatch:16", "auto"]


def objective(params) -> float:
    """F with the options above, in NumPy."""
    return float(np.mean((X @ params[:3] + params[3] - Y) ** 2) + 0.005 * params[:3] @ params[:3])


@pytest.fixture(scope="module")
def found():
    return fastgd.compare(X, Y, methods=METHODS, repeats=1, **OPTIONS)


def test_each_entry_equals_a_fit(found):
    assert [entry.label for entry in found.entries] == ["gd", "sgd", "minibatch 16", "auto"]
    for entry, batch in zip(found.entries, ("auto", "auto", 16, "auto"), strict=True):
        alone = fastgd.fit(X, Y, method=entry.settings["method"], batch_size=batch, **OPTIONS)
        assert entry.result.coef.tobytes() == alone.coef.tobytes()
        assert entry.objective == alone.objective
        assert entry.error is None
    assert list(found.runs) == [entry.label for entry in found.entries]


def test_objective_is_known_after_every_epoch(found):
    for entry in found.entries:
        trace = entry.result.trace
        assert trace["objective"] == pytest.approx([objective(params) for params in entry.result.path], rel=1e-10)


def test_goal_and_when_it_is_reached(found):
    paths = {entry.label: [objective(params) for params in entry.result.path] for entry in found.entries}
    lowest = min(map(min, paths.values()))
    assert found.start == pytest.approx(objective(np.array([0.0, 0.0, 0.0, Y.mean()])))
    assert found.goal == pytest.approx(found.start - 0.99 * (found.start - lowest), rel=1e-9)
    for entry in found.entries:
        first = next((row for row, value in enumerate(paths[entry.label]) if value <= found.goal), None)
        assert entry.epochs_to_goal == (None if first is None else entry.result.trace["epoch"][first])
        seconds = None if first is None else entry.result.trace["seconds"][first]
        assert entry.seconds_to_goal == seconds
    assert any(entry.epochs_to_goal for entry in found.entries)


def test_given_goal():
    low, high = (
        fastgd.compare(X, Y, methods=["gd"], repeats=1, goal=goal, **OPTIONS).entries[0] for goal in (-1.0, 1e9)
    )
    assert (low.epochs_to_goal, low.seconds_to_goal) == (None, None)
    assert high.epochs_to_goal == 0


def test_speeds_on_one_thread_and_on_all(found):
    for entry in found.entries:
        assert list(entry.rows_per_second) == sorted({1, thread_pool_size()})
        assert all(speed > 0 for speed in entry.rows_per_second.values())
        if thread_pool_size() > 1:
            one, all_of_them = entry.rows_per_second.values()
            assert entry.speedup == all_of_them / one
    alone = fastgd.compare(X, Y, methods=["gd"], repeats=1, n_threads=1, **OPTIONS)
    assert alone.n_threads == 1
    assert math.isnan(alone.entries[0].speedup)


def test_which_methods_leave_the_saddle(found):
    assert [entry.leaves_saddle for entry in found.entries[:3]] == [False, True, True]


def test_rules_are_combined_with_methods_that_use_one():
    found = fastgd.compare(X, Y, methods=["gd", "lbfgs"], rules=["sgd", "momentum"], repeats=1, **OPTIONS)
    assert [entry.label for entry in found.entries] == ["gd", "gd, momentum", "lbfgs"]
    alone = fastgd.fit(X, Y, method="gd", rule="momentum", **OPTIONS)
    assert found.entries[1].result.coef.tobytes() == alone.coef.tobytes()


def test_diverged_method_has_an_entry():
    found = fastgd.compare(X, Y, methods=["gd", "newton"], repeats=1, learning_rate=10.0, max_epochs=8)
    gd, newton = found.entries
    assert "diverged" in str(gd.error)
    assert math.isnan(gd.objective)
    assert gd.epochs_to_goal is None
    assert newton.error is None or "learning_rate" in str(newton.error)


def test_unsupported_method_has_the_reason():
    found = fastgd.compare(X, Y, methods=["gd", "lbfgs"], repeats=1, penalty="l1", **OPTIONS)
    assert found.entries[0].error is None
    assert found.entries[1].result is None
    assert "lbfgs" in str(found.entries[1].error)
    assert list(found.runs) == ["gd"]
    with pytest.raises(OptionError, match="lbfgs"):
        fastgd.compare(X, Y, methods=["lbfgs"], repeats=1, penalty="l1", **OPTIONS)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": ["gdd"]}, OptionError, "unknown method 'gdd'"),
        ({"methods": ["gd:4"]}, OptionError, "'gd:4' is not a method"),
        ({"methods": ["minibatch:0"]}, OptionError, "'minibatch:0' is not a method"),
        ({"methods": ["gd", "gd"]}, OptionError, "'gd' is given twice"),
        ({"methods": []}, OptionError, "nothing to compare"),
        ({"rules": [], "methods": ["sgd"]}, OptionError, "nothing to compare"),
        ({"repeats": 0}, OptionError, "repeats"),
        ({"rules": ["moment"]}, OptionError, "moment"),
        ({"sample_weight": [1.0]}, DataError, "sample_weight"),
    ],
)
def test_invalid_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        fastgd.compare(X, Y, **options)


def test_method_labels():
    assert method_label({"method": "minibatch", "batch_size": 8, "rule": "adam"}) == "minibatch 8, adam"
    assert method_label({"method": "sgd", "rule": "sgd"}) == "sgd"


# --- The command -----------------------------------------------------------------------------------------------------

WORDS = ("compare", "diabetes", "--repeats", 1, "--epochs", 5, "--methods", "gd,sgd,minibatch:16", "--quiet")


def test_command_prints_a_row_for_each_method():
    lines = command(*WORDS).out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("method "))
    assert "leaves the saddle" in lines[head]
    assert [line.split("  ")[0] for line in lines[head + 1 : head + 4]] == ["gd", "sgd", "minibatch 16"]
    assert [line.split()[-1] for line in lines[head + 1 : head + 4]] == ["no", "yes", "yes"]
    assert lines[0].startswith("data  diabetes: 442 rows x 10 columns")


def test_command_prints_json():
    content = command(*WORDS, "--json").json
    assert [entry["label"] for entry in content["entries"]] == ["gd", "sgd", "minibatch 16"]
    assert content["entries"][2]["batch_size"] == 16
    assert [entry["leaves_saddle"] for entry in content["entries"]] == [False, True, True]
    assert content["n_samples"] == 442
    assert content["goal"] < content["start"]
    assert set(content["entries"][0]["rows_per_second"]) == {"1", str(content["n_threads"])}


def test_command_prints_divergence_below_the_table():
    ran = command(*WORDS[:-1], "--quiet", "--learning-rate", 1.0)
    assert ran.code == 0
    assert "diverged" in ran.out
    assert ran.out.splitlines()[-1].startswith("minibatch 16")


def test_command_draws_plots(tmp_path):
    curves, ways = tmp_path / "curves.svg", tmp_path / "ways.png"
    ran = command(*WORDS, "--plot", curves, "--plot-landscape", ways, "--plot-weights", "bmi,intercept")
    assert ran.code == 0
    drawn = curves.read_text()
    assert all(name in drawn for name in ("minibatch 16", "sgd", "seconds of training"))
    assert ways.read_bytes().startswith(b"\x89PNG")
    assert str(ways) in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "nothing"), "unknown method 'nothing'"),
        (("--plot", "picture.bmp"), ".png"),
        (("--repeats", "0"), "repeats"),
        (("--against", "step", "--plot", "a.png"), "--trace-steps"),
    ],
)
def test_command_reports_wrong_usage_in_one_sentence(words, message):
    ran = command("compare", "diabetes", *words)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_command_writes_a_report(tmp_path):
    """A row and a curve for each method, also a diverged one, and the reasons of unsupported methods."""
    page = tmp_path / "all.html"
    words = ("--methods", "gd,sgd,lbfgs", "--learning-rate", 1.0, "--penalty", "l1", "--alpha", 0.1, "--report", page)
    ran = command("compare", "diabetes", "--repeats", 1, "--epochs", 3, "--quiet", *words)
    assert ran.code == 0, ran.err
    text = page.read_text(encoding="utf-8")
    assert text.count('<th scope="row">gd</th>') == 1
    assert "training diverged" in text
    assert "lbfgs: " in text
    assert "rows a second, 1 thread" in text
    assert "leaves the saddle" in text


@pytest.mark.parametrize("goal", [math.nan, math.inf])
def test_a_goal_is_finite(goal):
    with pytest.raises(fastgd.OptionError, match="goal must be a finite number, not "):
        fastgd.compare(X, Y, methods=["gd"], repeats=1, goal=goal, **OPTIONS)
