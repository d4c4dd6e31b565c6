"""Flags for the format of text files, from training to prediction."""

from __future__ import annotations

import pytest
from helpers.command_line import fastgd

TABLE = "a:b:y\n'1,5':1.000:3\n?:3:4\n'2,5':1:9\n'4,5':7:1\n"
FLAGS = ["--separator", ":", "--decimal", ",", "--thousands", ".", "--quote", "'", "--na-values", "?,-", "--header"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    table, path = folder / "table.csv", folder / "table.fastgd"
    table.write_text(TABLE)
    done = fastgd(
        "run", str(table), *FLAGS, "--missing", "median", "--validation", str(table), "--save", str(path), "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    return path, table


def test_predict_and_evaluate_take_the_same_flags(model):
    path, table = (str(name) for name in model)
    done = fastgd("predict", path, table, *FLAGS, "--keep", "a,b")
    assert done.code == 0, done.err
    assert [line.rpartition(",")[0] for line in done.out.splitlines()] == ["a,b", "1.5,1000", ",3", "2.5,1", "4.5,7"]
    assert fastgd("evaluate", path, table, *FLAGS).code == 0


def test_predict_names_the_place_and_its_own_flags(model):
    path, table = (str(name) for name in model)
    done = fastgd("predict", path, table, *FLAGS[:-3])
    assert done.code == 2
    assert (
        "line 3, column 'a': '?' is not a number; if '?' marks a missing value, say so with --na-values '?'" in done.err
    )


def test_wrong_guess_at_the_command_line(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a;b;c\n1\n2\n")
    done = fastgd("run", str(path))
    assert done.code == 2
    assert "has one column, 'a;b;c'" in done.err
    assert "if ';' is the separator, say so with --separator ';'" in done.err


def test_format_flag_for_a_source_without_format():
    done = fastgd("run", "linear", "--separator", ";")
    assert done.code == 2
    assert "--separator is for text files such as .csv" in done.err
