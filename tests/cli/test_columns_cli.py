"""Flags for the columns of a table, from training to prediction."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.command_line import fastgd

TITANIC = str(Path(__file__).parents[1] / "data" / "tables" / "titanic.csv")
TRAIN = ["run", TITANIC, "--target", "survived", "--drop", "alive", "--loss", "logistic", "--alpha", "1e-3"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "titanic.fastgd"
    missing = ["--missing", "age=median,deck=indicator,embarked=zero,embark_town=zero"]
    done = fastgd(*TRAIN, *missing, "--interact", "sex:class", "--min-frequency", "2", "--save", str(path))
    assert done.code == 0, done.err
    return path, done.err


def test_run_says_what_was_done_with_each_kind_of_column(model):
    _, said = model
    assert "sex: 2 levels, one-hot\n" in said
    assert "age: missing values become " in said
    assert "missing values are a level" in said
    assert "interactions: sex:class, 6 features" in said


def test_predict_and_evaluate_encode_new_tables(model, tmp_path):
    path, _ = model
    lines = Path(TITANIC).read_text().splitlines()
    new = tmp_path / "new.csv"
    new.write_text("\n".join([lines[0], lines[1].replace("Southampton", "Atlantis"), *lines[2:50]]) + "\n")
    done = fastgd("predict", str(path), str(new))
    assert done.code == 0, done.err
    assert "column 'embark_town': 1 value is a level that training did not see, such as 'Atlantis'" in done.err
    assert len(done.out.splitlines()) == 50
    measured = fastgd("evaluate", str(path), TITANIC, "--json")
    assert measured.json["metrics"]["accuracy"] > 0.75


def test_error_about_gaps_speaks_in_flags():
    done = fastgd(*TRAIN)
    assert done.code == 2
    assert "fill them in with --missing (mean, median, zero or indicator" in done.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--missing", "guess"], "--missing has no 'guess'"),
        (["--interact", "sex"], "--interact takes pairs of two columns such as a:b, not 'sex'"),
        (["--hash-bits", "40"], "--hash-bits is a whole number from 1 to 30, not 40"),
        (["--reference", "sexx=male"], "--reference names the column 'sexx', which is no feature; did you mean 'sex'?"),
    ],
)
def test_wrong_flags_are_named(flags, message):
    done = fastgd(*TRAIN, *flags)
    assert done.code == 2
    assert message in done.err
