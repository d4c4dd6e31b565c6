"""`fastgd search`, as a person types it."""

from __future__ import annotations

import io
import string
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from fastgd_cli.main import cli, main
from fastgd_cli.search import BEST, picture, round_lines
from helpers.command_line import fastgd

import fastgd as library

KEYS = {
    "data", "n_samples", "n_features", "target", "loss", "penalty", "fit_intercept", "span", "cells", "keep",
    "resolution", "evaluations", "evaluations_saved", "objective", "coef", "intercept", "rounds", "seconds", "remarks",
}  # fmt: skip
PHASE = {"loss": "phase_retrieval", "fit_intercept": False}


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labelled.csv"
    X = np.random.default_rng(1).standard_normal((80, 2))
    words = np.where(X[:, 0] - X[:, 1] > 0, "yes", "no")
    rows = [f"{a:.4f},{b:.4f},{word}\n" for (a, b), word in zip(X, words, strict=True)]
    path.write_text("a,b,bought\n" + "".join(rows))
    return path


# --- What it prints ---------------------------------------------------------------------------------------------------


def test_summary_has_the_result_and_its_cost():
    ran = fastgd("search", "--quiet")
    expected = library.search(library.open("valleys"), **PHASE)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split(maxsplit=1) == ["data", "valleys: 4 rows x 2 columns, target y"]
    assert "3 rounds of 4 x 4 cells, the best cell is divided in the next;" in lines[2]
    assert lines[3].split(maxsplit=1)[1] == "48; a full grid, 64 x 64, takes 4,096, so 4,048 are saved"
    assert lines[4].split() == ["objective", f"{expected.objective:.8g}"]
    assert lines[5].split(maxsplit=1)[1] == "x1 {:g}, x2 {:g}".format(*expected.coef)
    assert lines[7:11] == round_lines(expected)
    assert lines[-1] == "to descend from here: fastgd run ... --start -1.9375,3.4375"
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in ran.out


def test_the_start_it_prints_works_with_run():
    words = fastgd("search", "valleys", "--quiet").out.splitlines()[-1].partition("... ")[2].split()
    content = fastgd("run", "valleys", *words, "--json").json
    assert content["objective"] == pytest.approx(1.68, abs=0.001)
    assert fastgd("run", "valleys", "--json").json["objective"] == pytest.approx(5.34, abs=0.001)


def test_a_line_for_each_round():
    lines = round_lines(library.search(library.open("valleys"), rounds=2, **PHASE))
    assert [line.split() for line in lines[1:]] == [
        ["1", "13", "(-1,", "3)", "2,", "2"],
        ["2", "3.64502", "(-1.75,", "3.25)", "0.5,", "0.5"],
    ]
    assert len(set(map(len, lines))) == 1


def bowl(**options):
    """F = ((w1 - 3)^2 + (w2 + 1)^2) / 2 over 4 x 4 cells, the best at (3, -1)."""
    return library.search(np.eye(2), [3.0, -1.0], fit_intercept=False, **{"rounds": 1, **options})


def test_the_map_has_the_first_weight_along_x_and_the_second_along_y():
    lines = picture(bowl(), ["a", "b"], "01234")
    assert [line[0] for line in lines[:4]] == [" 4 ", " b ", "   ", "-4 "]
    assert [line[-1] for line in lines[4:]] == ["    -4  a  4", " the best   00 low, blank high"]
    assert [line.index(BEST) for line in lines if BEST in line] == [5, 1]  # the last column, and the legend
    assert BEST in lines[2]  # the second row from below
    levels = [int(part[0]) for line in lines[:4] for part in line[2:-1] if part != BEST]
    F = [((a - 3) ** 2 + (b + 1) ** 2) for b in (3, 1, -1, -3) for a in (-3, -1, 1, 3) if (a, b) != (3, -1)]
    order = np.argsort(F, kind="stable")
    assert (np.diff(np.array(levels)[order]) >= 0).all()  # the lower F, the darker


def test_the_map_shows_the_smallest_cell_around_each_place():
    lines = picture(bowl(rounds=2), ["a", "b"], string.ascii_letters)
    assert len(lines) == 16 + 2
    assert all(len("".join(line)) == len("".join(lines[0])) for line in lines[:16])
    outside = [line[2:14] for line in lines[:16]]  # three of four cells, left as they were
    assert all(places[k] == places[k - k % 4] for places in outside for k in range(12))
    assert len({part for line in lines[8:12] for part in line[14:18]}) > 2  # the cell that was divided


def test_the_map_has_a_maximum_size_and_allows_infinity():
    assert len(picture(bowl(rounds=5), ["a", "b"], "01234")) == 16 + 2
    found = bowl()
    holes = replace(found.rounds[0], objectives=np.where(found.rounds[0].objectives > 5, np.inf, 1.0))
    with np.errstate(invalid="raise"):
        lines = picture(replace(found, rounds=(holes,)), ["a", "b"], "01234")
    assert len(lines) == 4 + 2
    assert lines[0][2] == lines[0][3] != lines[1][4]  # far from the best F is infinite


def test_a_map_is_only_for_two_weights():
    one = fastgd("search", "tutorial", "--no-intercept", "--quiet").out
    three = fastgd("search", "valleys", "--loss", "squared", "--quiet", "--keep", 2)
    assert "|" not in one
    assert "3 rounds of 4 cells" in one
    assert "12; a full grid, 64, takes 64, so 52 are saved" in one
    assert three.code == 0


def test_an_intercept_is_a_weight_too():
    out = fastgd("search", "tutorial", "--quiet").out
    assert "intercept" in out
    assert "--start" not in out  # which has no room for it
    assert "so 4,048 are saved" in out


def test_no_saving_is_claimed_if_there_is_none():
    out = fastgd("search", "valleys", "--rounds", 1, "--cells", 6, "--quiet").out
    assert "36; a full grid, 6 x 6, takes 36\n" in out
    assert "1 round of 6 x 6 cells;" in out


def test_output_is_ascii_without_utf8():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    words = ["fastgd", "search", "--quiet"]
    with mock.patch.object(sys, "argv", words), redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "()####" in out.buffer.getvalue().decode("ascii")


# --- What it takes ----------------------------------------------------------------------------------------------------


def test_json_has_the_documented_keys():
    content = fastgd("search", "valleys", "--json").json
    assert set(content) == KEYS
    assert (content["evaluations"], content["evaluations_saved"], content["resolution"]) == (48, 4048, 64)
    assert content["span"] == [[-4.0, 4.0], [-4.0, 4.0]]
    assert [len(one["objectives"]) for one in content["rounds"]] == [16, 16, 16]
    assert content["rounds"][-1]["kept"] == [content["coef"]]
    assert set(content["seconds"]) == {"read", "compile", "fit"}


def test_options_reach_the_search(labelled):
    words = ("--target", "bought", "--loss", "logistic", "--alpha", 0.1, "--class-weight", "balanced", "--threads", 1)
    more = ("--span", "-2:2,-3:3,-1:1", "--cells", 3, "--rounds", 2, "--keep", 2, "--quiet", "--json")
    ran = fastgd("search", labelled, *words, *more)
    expected = library.search(
        library.open(labelled, target="bought"),
        loss="logistic",
        alpha=0.1,
        class_weight="balanced",
        span=[(-2, 2), (-3, 3), (-1, 1)],
        cells=3,
        rounds=2,
        keep=2,
    )
    assert (ran.json["coef"], ran.json["intercept"]) == (expected.coef.tolist(), expected.intercept)
    assert (ran.json["penalty"], ran.json["evaluations"], ran.err) == ("l2 0.1", 81, "")


def test_one_span_applies_to_all_weights_and_may_be_negative():
    content = fastgd("search", "saddle", "--span", "-3:-1", "--json").json
    assert content["span"] == [[-3.0, -1.0]] * 2
    assert content["remarks"] == [
        "the best cell is at the edge of the span of x1, x2: a wider span may have a better one"
    ]


def test_its_other_options_are_those_of_run():
    own, run = ({flag for o in cli.commands[name].params for flag in o.opts} for name in ("search", "run"))
    assert own - run == {"--span", "--cells", "--rounds", "--keep"}
    assert {"--target", "--loss", "--alpha", "--no-intercept", "--threads", "--json"} <= own


WRONG = {
    "span": (("--span", "4"), "'4' is not LO:HI"),
    "words": (("--span", "low:high"), "'low:high' is not LO:HI"),
    "order": (("--span", "4:-4"), "from a finite number to a larger one, not from 4 to -4"),
    "spans": (("--span", "0:1,0:1,0:1"), "a pair per parameter (2 pairs)"),
    "cells": (("--cells", 1), "cells must be a whole number, 2 or more, not 1"),
    "keep": (("--keep", 17), "--keep 17 is more than the 16 cells of the first round"),
    "too many weights": (("diabetes",), "11 parameters with 4 cells each need 12,582,912 evaluations"),
    "no file": (("nowhere.csv",), "nowhere.csv"),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_are_one_sentence(what):
    words, message = WRONG[what]
    ran = fastgd("search", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err
