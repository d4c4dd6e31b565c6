"""Bad input: one sentence on standard error, exit code 2, and no file is changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.command_line import fastgd

GOOD = "a,b,y\n1,2,3\n4,5,7\n6,1,2\n0,3,1\n"

# Content of the file, options after its name, and parts of the expected sentence.
FILES = {
    "empty": ("", (), ["empty"]),
    "header only": ("a,b,y\n", (), ["no rows"]),
    "ragged": ("a,b,y\n1,2,3\n4,5\n", (), ["line 3", "2", "3"]),
    "word in a number column": ("a,b,y\n1,2,3\n4,oops,7\n", (), ["line 3", "'b'", "'oops'"]),
    "NaN": ("a,b,y\n1,2,3\nnan,5,7\n", (), ["1 missing", "line 3", "'a'"]),
    "infinity": ("a,b,y\n1,2,3\ninf,5,7\n", (), ["1 infinite", "line 3", "'a'"]),
    "target column missing": (GOOD.replace("y", "price"), ("--target", "prise"), ["'prise'", "'price'"]),
    "constant target": ("a,y\n1,3\n2,3\n4,3\n", (), ["3 in every row", "constant"]),
    "numbers for labels": ("a,y\n1,0.5\n2,1\n4,2\n", ("--loss", "logistic"), ["classes", "3 different", "squared"]),
    "one class": (
        "a,y\n1,1\n2,1\n4,1\n",
        ("--loss", "logistic"),
        ["in every row", "needs two classes"],
    ),
    "words for a regression": ("a,y\n1,no\n2,yes\n", ("--loss", "huber"), ["'no'", "logistic"]),
    "negative learning rate": (GOOD, ("--learning-rate", "-1"), ["--learning-rate must", "above 0"]),
    "NaN learning rate": (GOOD, ("--learning-rate", "nan"), ["--learning-rate must", "above 0"]),
    "a word for a learning rate": (GOOD, ("--learning-rate", "fast"), ["'fast'", "auto"]),
    "negative alpha": (GOOD, ("--alpha", "-1"), ["--alpha must", "0 or more"]),
    "NaN alpha": (GOOD, ("--alpha", "nan"), ["--alpha must", "0 or more"]),
    "batch size 0": (GOOD, ("--batch-size", "0", "--method", "minibatch"), ["--batch-size must", "1 or more"]),
    "epochs 0": (GOOD, ("--epochs", "0"), ["--epochs must", "1 or more"]),
    "unknown loss": (GOOD, ("--loss", "hubber"), ["'hubber'", "'huber'"]),
    "unknown rule": (GOOD, ("--rule", "adm"), ["'adm'", "'adam'"]),
    "unknown setting": (GOOD, ("--loss", "huber:delt=2"), ["'delt'", "delta"]),
    "unknown method": (GOOD, ("--method", "adam"), ["adam", "minibatch"]),
    "sgd in batches": (GOOD, ("--method", "sgd", "--batch-size", "4"), ["--method minibatch"]),
    "l1_ratio without elasticnet": (GOOD, ("--l1-ratio", "0.5"), ["--l1-ratio", "--penalty elasticnet"]),
    "start of the wrong length": (GOOD, ("--start", "1,2,3"), ["--start", "2 coefficients"]),
    "one of two targets missing": (GOOD, ("--target", "a,bb"), ["'bb'", "'b'"]),
    "a target named twice": (GOOD, ("--target", "a,a"), ["'a'", "twice"]),
    "three labels in one of two targets": (
        "a,b,c\n1,u,0\n2,v,1\n3,w,1\n",
        ("--target", "b,c", "--loss", "logistic"),
        ["2 columns", "column 1", "3 different"],
    ),
    "words beside numbers in two targets": (
        "a,b,c\n1,u,0\n2,v,1\n",
        ("--target", "b,c", "--loss", "mse"),
        ["'u'", "logistic"],
    ),
    "weight column missing": (GOOD, ("--sample-weight", "B"), ["'B'", "sample weight", "'b'"]),
    "weight column is the target": (GOOD, ("--sample-weight", "y", "--target", "y"), ["'y'", "both", "sample weight"]),
    "offset column missing": (GOOD, ("--offset", "9"), ["9", "offset", "3 columns"]),
    "a word for a weight": ("a,w,y\n1,2,3\n2,x,1\n", ("--sample-weight", "w"), ["line 3", "'w'", "'x'"]),
    "a gap in an offset": ("a,o,y\n1,2,3\n2,,1\n", ("--offset", "o"), ["line 3", "'o'", "1 missing"]),
    "a negative weight": ("a,w,y\n1,2,3\n2,-1,1\n", ("--sample-weight", "w"), ["negative", "row 2", "-1"]),
    "no weight at all": ("a,w,y\n1,0,3\n2,0,1\n", ("--sample-weight", "w"), ["0 in every row"]),
    "a weight for no class": ("a,y\n1,0\n2,1\n", ("--loss", "logistic", "--class-weight", "2=1"), ["'2'"]),
    "a weight for a class twice": (GOOD, ("--class-weight", "0=1,0=2"), ["'0=1,0=2'", "balanced"]),
    "a class without a weight": (GOOD, ("--class-weight", "yes"), ["'yes'", "LABEL=WEIGHT"]),
    "class weights for numbers": (GOOD, ("--class-weight", "balanced"), ["--class-weight", "classification"]),
    "too few penalty weights": (GOOD, ("--penalty-weights", "1", "--alpha", "1"), ["--penalty-weights", "2 features"]),
    "a word for a penalty weight": (GOOD, ("--penalty-weights", "1,x"), ["'1,x'", "commas"]),
    "negative clip": (GOOD, ("--clip-norm", "-1"), ["--clip-norm must", "above 0"]),
    "unknown penalty": (GOOD, ("--penalty", "l3"), ["'l3'", "'l2'"]),
    "unknown setting of a penalty": (GOOD, ("--penalty", "mcp:gama=3", "--alpha", "1"), ["'gama'", "'gamma'"]),
    "an unknown option": (GOOD, ("--learning-rat", "1"), ["--learning-rat"]),
    "a column to drop that is not there": (GOOD, ("--drop", "c"), ["'c'"]),
    "trace of steps without a file": (GOOD, ("--trace-steps",), ["--trace FILE"]),
}


@pytest.mark.parametrize("name", FILES)
def test_error_is_one_sentence_with_exit_code_2(name, tmp_path):
    content, words, parts = FILES[name]
    path = tmp_path / "data.csv"
    path.write_text(content)
    refuse(fastgd("run", path, *words), *parts)


def refuse(ran, *parts: str) -> None:
    """One sentence, no traceback, nothing on standard output, exit code 2."""
    assert ran.code == 2, ran
    assert ran.out == ""
    lines = [line for line in ran.err.splitlines() if not line.startswith(("Usage:", "Try ", "compiling"))]
    lines = [line for line in lines if line.strip() and "the target is" not in line]
    assert len(lines) == 1, ran.err
    for part in parts:
        assert part in lines[0], lines[0]


def test_error_for_a_missing_file_names_a_similar_one(tmp_path):
    (tmp_path / "houses.csv").write_text(GOOD)
    refuse(fastgd("run", tmp_path / "house.csv"), "house.csv", "houses.csv")


@pytest.mark.parametrize("option", ["--save", "--trace"])
def test_an_unwritable_output_is_found_before_training(option, tmp_path, monkeypatch):
    import fastgd as library

    monkeypatch.setattr(library, "fit", lambda *a, **k: pytest.fail("it trained first"))
    refuse(fastgd("run", "tutorial", option, tmp_path / "nowhere" / "file.csv"), "nowhere", "no folder")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_error_for_a_folder_without_permission(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    refuse(fastgd("run", "tutorial", "--save", folder / "m.fastgd"), "is not writable")


def test_error_for_predictions_to_an_unwritable_file(tmp_path):
    refuse(fastgd("predict", "m.fastgd", "tutorial", "-o", tmp_path / "none" / "p.csv"), "no folder")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.fastgd"
    data = path.with_name("data.csv")
    data.write_text(GOOD)
    assert fastgd("run", data, "--method", "gd", "--epochs", 3, "--save", path).code == 0
    return path


def test_error_for_more_features_than_the_model(model, tmp_path):
    data = tmp_path / "wide.csv"
    data.write_text("1,2,3,4,5\n6,7,8,9,1\n")
    refuse(fastgd("predict", model, data), "5", "2")


def test_error_for_a_missing_column_at_predict(model, tmp_path):
    data = tmp_path / "narrow.csv"
    data.write_text("a,c\n1,2\n")
    refuse(fastgd("predict", model, data), "'b'")


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_error_for_a_truncated_model(model, keep, tmp_path):
    broken = tmp_path / "broken.fastgd"
    broken.write_bytes(model.read_bytes()[:keep])
    refuse(fastgd("predict", broken, "tutorial"), "broken.fastgd", "not a fastgd model")


def test_error_for_a_file_that_is_no_model(tmp_path):
    foreign = tmp_path / "foreign.fastgd"
    foreign.write_text("dear diary")
    refuse(fastgd("evaluate", foreign, "tutorial"), "foreign.fastgd", "not a fastgd model")


def test_error_for_a_missing_model():
    refuse(fastgd("predict", "none.fastgd", "tutorial"), "none.fastgd")


def test_divergence_has_exit_code_1_and_suggests_a_rate_that_works(tmp_path):
    ran = fastgd("run", "diabetes", "--method", "gd", "--learning-rate", "1")
    assert ran.code == 1
    assert "diverged in epoch" in ran.err
    rate = ran.err.split("Try --learning-rate ")[1].split(" ")[0]
    assert fastgd("run", "diabetes", "--method", "gd", "--learning-rate", rate).code == 0


def test_a_failed_run_does_not_change_the_saved_model(tmp_path):
    kept = tmp_path / "m.fastgd"
    fastgd("run", "tutorial", "--method", "gd", "--save", kept)
    before = kept.read_bytes()
    assert fastgd("run", "tutorial", "--method", "gd", "--learning-rate", "1e9", "--save", kept).code == 1
    assert kept.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.fastgd"]


def test_an_internal_error_is_one_sentence_with_exit_code_1(monkeypatch):
    import fastgd as library

    def broken(*words, **more):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(library, "open", broken)
    ran = fastgd("run", "tutorial")
    assert ran.code == 1
    told = "internal error (ZeroDivisionError: on purpose); set FASTGD_TRACEBACK=1 to see the traceback"
    assert ran.err.strip() == f"fastgd: {told}"
