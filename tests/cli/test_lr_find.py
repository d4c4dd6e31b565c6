"""`fastgd lr-find`, as a person types it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from unittest import mock

import numpy as np
import pytest
from fastgd_cli.chart import bar
from fastgd_cli.lr_find import picture, suggestion
from fastgd_cli.main import cli, main
from helpers.command_line import fastgd

import fastgd as library
from fastgd import RateRange

KEYS = {
    "data", "n_samples", "n_features", "target", "method", "loss", "penalty", "rule", "scaled", "batch_size", "epochs",
    "start_loss", "rates", "losses", "suggested", "diverges_at", "automatic", "seconds", "remarks",
}  # fmt: skip


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labelled.csv"
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 2))
    words = np.where(X[:, 0] - X[:, 1] > 0, "yes", "no")
    path.write_text(
        "a,b,bought\n" + "".join(f"{a:.4f},{b:.4f},{word}\n" for (a, b), word in zip(X, words, strict=True))
    )
    return path


def found(**changes):
    values = {
        "rates": np.array([0.001, 0.01, 0.1, 1.0]), "losses": np.array([9.0, 1.0, 2.0, np.inf]), "suggested": 0.01,
        "diverges_at": 1.0, "start_loss": 9.0, "automatic": 0.0123, "method": "gd", "batch_size": 3, "epochs": 1,
        "settings": {"loss": "squared", "penalty": "none", "rule": "sgd", "scaled": False}, "seconds": {},
    }  # fmt: skip
    return RateRange(**values | changes)


# --- What it prints ---------------------------------------------------------------------------------------------------


def test_a_row_for_each_rate_and_the_suggestion_last():
    ran = fastgd("lr-find", "diabetes", "--scale")
    assert (ran.code, ran.err.count("\n")) in {(0, 1), (0, 2), (0, 3)}
    table = library.open("diabetes")
    expected = library.learning_rate_range(table, scale=True)
    lines = ran.out.splitlines()
    drawn = lines[lines.index("") + 2 : -2]
    assert [float(line.split()[0]) for line in drawn] == expected.rates.tolist()
    (marked,) = [line for line in drawn if line.endswith("<- suggested")]
    (diverging,) = [line for line in drawn if line.endswith("<- diverges")]
    assert float(marked.split()[0]) == expected.suggested
    assert float(diverging.split()[0]) == expected.diverges_at
    assert "diverged" in diverging
    assert lines[-1] == (
        f"suggested: --method minibatch --learning-rate {expected.suggested:g} --scale   "
        f"(auto: {expected.automatic:.3g})"
    )
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ran.out


def test_the_suggestion_works_with_run():
    last = fastgd("lr-find", "diabetes", "--scale", "--quiet").out.splitlines()[-1]
    options = last.removeprefix("suggested: ").partition("   ")[0].split()
    content = fastgd("run", "diabetes", *options, "--epochs", 4, "--json").json
    assert content["metrics"]["r2"] > 0.4


def test_bars_show_the_loss_that_is_left():
    lines = [line for line, _ in picture(found(), 80, blocks=True)]
    assert lines[0].split() == ["rate", "loss"]
    assert [line.count("█") for line in lines[1:]] == [40, 0, 5, 40]
    assert lines[2].endswith("<- suggested")
    assert lines[4].endswith("█> <- diverges")


def test_bars_are_ascii_without_blocks_and_fit_the_terminal():
    lines = [line for line, _ in picture(found(), 50, blocks=False)]
    assert all(line.isascii() and len(line) <= 50 for line in lines)
    assert lines[1].count("#") > 2 * lines[3].count("#") > 0


@pytest.mark.parametrize(("share", "expected"), [(0.0, ""), (1 / 8, "▏"), (1.0, "█"), (1.5, "█▌"), (10.0, "█" * 10)])
def test_bars_have_eighths_of_a_character(share, expected):
    assert bar(share / 10, 10, blocks=True) == expected


def test_colours_match_the_marks():
    styles = [style for _, style in picture(found(), 80, blocks=True)]
    assert styles == ["bold", "", "bold green", "", "red"]


def test_summary_without_a_suggestion():
    nothing = found(losses=np.array([9.5, 10.0, 11.0, np.inf]), suggested=None, diverges_at=0.001)
    assert suggestion(nothing) == (
        "suggested: none, since no rate lowers the loss; try smaller --rates   (auto: 0.0123)"
    )
    lines = [line for line, _ in picture(nothing, 80, blocks=True)]
    assert lines[1].endswith("<- diverges")


def test_output_is_ascii_without_utf8():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    words = ["fastgd", "lr-find", "tutorial", "--method", "gd", "--quiet"]
    with mock.patch.object(sys, "argv", words), redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "####> <- diverges" in out.buffer.getvalue().decode("ascii")


# --- What it takes ----------------------------------------------------------------------------------------------------


def test_json_has_the_documented_keys():
    content = fastgd("lr-find", "tutorial", "--method", "gd", "--json").json
    assert set(content) == KEYS
    assert set(content["seconds"]) == {"read", "compile", "fit"}
    assert len(content["rates"]) == len(content["losses"]) == 24
    assert content["losses"][-1] is None  # what is infinite
    assert content["suggested"] in content["rates"]
    assert (content["data"], content["target"], content["epochs"], content["start_loss"]) == (
        "tutorial",
        "y",
        50,
        14 / 3,
    )


def test_options_reach_the_range(labelled):
    words = (
        "--target",
        "bought",
        "--loss",
        "logistic",
        "--method",
        "sgd",
        "--alpha",
        0.1,
        "--drop",
        "b",
        "--epochs",
        2,
    )
    more = ("--rates", "0.01,0.1", "--no-intercept", "--no-shuffle", "--seed", 3, "--threads", 1, "--quiet", "--json")
    ran = fastgd("lr-find", labelled, *words, *more)
    table = library.open(labelled, target="bought", drop=["b"])
    expected = library.learning_rate_range(
        table,
        loss="logistic",
        method="sgd",
        alpha=0.1,
        epochs=2,
        rates=[0.01, 0.1],
        fit_intercept=False,
        shuffle="none",
    )
    assert ran.json["losses"] == expected.losses.tolist()
    assert (ran.json["penalty"], ran.json["n_features"], ran.err) == ("l2 0.1", 1, "")


def test_a_user_loss(tmp_path):
    (tmp_path / "my.py").write_text(
        "import fastgd\n\n\n@fastgd.term\nclass Half:\n    def value(self, y: float, z: float) -> float:\n"
        "        return 0.5 * (z - y) ** 2\n\n    def derivative(self, y: float, z: float) -> float:\n"
        "        return z - y\n\n    def mean(self, z: float) -> float:\n        return z\n"
    )
    words = ("--method", "gd", "--rates", 0.1, "--epochs", 1, "--no-intercept", "--json")
    content = fastgd("lr-find", "tutorial", "--loss", f"{tmp_path / 'my.py'}:Half", *words).json
    w = 1.0 + 0.1 * 14 / 3  # a step from 1, where the mean of x (x w - y) is -14/3
    assert content["losses"] == pytest.approx([0.5 * 14 / 3 * (w - 2.0) ** 2])
    assert content["loss"] == "Half"


def test_its_other_options_are_those_of_run():
    """But for what makes no sense when all rates run to the same end."""
    own, run = ({flag for o in cli.commands[name].params for flag in o.opts} for name in ("lr-find", "run"))
    assert own - run == {"--rates"}
    assert {"--target", "--loss", "--rule", "--alpha", "--batch-size", "--scale", "--threads", "--json"} <= own


WRONG = {
    "a method": (("tutorial", "--method", "auto"), "'auto' is not one of"),
    "rates": (("tutorial", "--rates", "0.1,fast"), "'0.1,fast' is not a number"),
    "no rates": (("tutorial", "--rates", "0.1,0"), "--rates must be finite and above 0, not 0.0"),
    "epochs": (("tutorial", "--epochs", 0), "epochs must be a whole number, 1 or more, not 0"),
    "no file": (("nowhere.csv",), "nowhere.csv"),
    "a column": (("diabetes", "--target", "prize"), "prize"),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_are_one_sentence(what):
    words, message = WRONG[what]
    ran = fastgd("lr-find", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
