"""What the summary of a run says first, why training stopped, and what to do where there is no optimum."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fastgd_cli.summary import STOP_REASONS
from helpers.command_line import fastgd

from fastgd import Result


@pytest.fixture
def separated(tmp_path, rng):
    """A table whose column a separates the labels."""
    rows = [(size if i % 2 else -size, b, i % 2) for i, (size, b) in enumerate(rng.uniform(0.5, 2.0, (40, 2)))]
    path = tmp_path / "separated.csv"
    path.write_text("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    return path


def rows_of(out):
    """The summary's rows as (label, text)."""
    return [tuple(re.split(r"\s{2,}", line, maxsplit=1)) for line in out.splitlines() if not line.startswith(" ")]


def test_a_model_worse_than_a_constant_is_told_first(separated):
    words = ("--loss", "logistic", "--method", "gd", "--learning-rate", 1e-9, "--epochs", 1)
    first = rows_of(fastgd("run", separated, *words, "--start", -30).out)[0]
    assert first[0] == "warning"
    assert first[1].startswith("the model is worse than the best constant: its objective is ")
    assert first[1].endswith(", and 0.693147 with all coefficients zero")
    assert rows_of(fastgd("run", separated, *words).out)[0][0] == "data"
    content = fastgd("run", separated, *words, "--start", -30, "--json").json
    assert content["objective"] > content["constant_objective"] == pytest.approx(np.log(2))


@pytest.mark.parametrize("method", ["auto", "gd", "lbfgs"])
def test_separated_classes_do_not_converge_and_the_remark_names_a_flag(separated, method):
    words = ("--loss", "logistic", "--method", method, "--epochs", 300)
    rows = dict(rows_of(fastgd("run", separated, *words).out))
    assert re.match(r"at the limit of 300 epochs|at the limit of --epochs: 300 passes over the rows", rows["stopped"])
    assert rows["remark"] == (
        "there is no optimum: X separates the classes, so the loss falls as the coefficients grow; add a penalty, such "
        "as --alpha 0.0001"
    )
    content = fastgd("run", separated, *words, "--json").json
    assert (content["converged"], content["stationary"]) == (False, None)
    assert "no optimum" in content["remarks"][-1]
    with_penalty = fastgd("run", separated, *words, "--alpha", 1e-2).out
    assert "converged: what is left to gain is below the tolerance" in with_penalty
    assert "no optimum" not in with_penalty


def test_the_limit_is_in_passes_where_an_epoch_takes_several(separated):
    words = ("--loss", "logistic", "--epochs", 12, "--tol", 0, "--method")
    rows = dict(rows_of(fastgd("run", separated, *words, "newton").out))
    assert rows["stopped"].startswith("at the limit of --epochs: 12 passes over the rows")
    assert dict(rows_of(fastgd("run", separated, *words, "sgd").out))["stopped"].startswith("at the limit of 12 epochs")


def test_copied_columns_are_named(tmp_path, rng):
    path = tmp_path / "copies.csv"
    path.write_text("a,b,c,y\n" + "".join(f"{a},{b},{a},{a + e}\n" for a, b, e in rng.normal(size=(30, 3))))
    remark = dict(rows_of(fastgd("run", path, "--target", "y").out))["remark"]
    assert remark.startswith("columns 'a' and 'c' are copies of each other, so only the sum of their coefficients is ")
    assert remark.endswith("leave one out, or add a penalty, such as --alpha 0.0001")


def test_a_given_rate_that_stalls_is_not_called_converged(tmp_path, rng):
    path = tmp_path / "noise.csv"
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, 2.0, 0.0] + 5 * rng.normal(size=200)
    path.write_text("a,b,c,y\n" + "".join(",".join(map(str, row)) + "\n" for row in np.column_stack([X, y])))
    words = ("--target", "y", "--method", "sgd", "--learning-rate", 0.02, "--tol", 1e-4, "--epochs", 500)
    assert dict(rows_of(fastgd("run", path, *words).out))["stopped"] == (
        "the loss no longer falls, but the optimum is not reached"
    )
    content = fastgd("run", path, *words, "--json").json
    assert (content["converged"], content["stop_reason"]) == (False, "stalled")


def test_every_reason_to_stop_has_words():
    documented = re.search(r"stop_reason : (.*?)\n    learning_rate", Result.__doc__, re.DOTALL)
    reasons = set(re.findall(r'"(\w+)"', documented[1]))
    # Of these three the summary says more: the limit, the explanation, or nothing at all.
    assert reasons - {"max_epochs", "diverged", "interrupted"} == set(STOP_REASONS)
    assert {name for name, words in STOP_REASONS.items() if words.startswith("converged")} == {
        "tol",
        "gap_tol",
        "precision",
    }
