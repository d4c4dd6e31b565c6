"""``loss="auto"``: which loss the values of a target ask for, and what is said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers.command_line import fastgd as run_fastgd

import fastgd
from fastgd.data.loss_choice import choose_loss
from fastgd.losses import LOSSES

X = np.random.default_rng(51).normal(size=(24, 2))
WORDS = np.array(["no", "yes"] * 12)
LOGISTIC = {
    "two words": WORDS,
    "objects": WORDS.astype(object),
    "a list of words": WORDS.tolist(),
    "pandas": pd.Series(WORDS),
    "a pandas category": pd.Series(WORDS, dtype="category"),
    "polars": pl.Series(WORDS.tolist()),
    "an Arrow dictionary": pa.array(WORDS.tolist()).dictionary_encode(),
    "booleans": WORDS == "yes",
    "Arrow booleans": pa.array((WORDS == "yes").tolist()),
    "0 and 1": (WORDS == "yes").astype(int),
    "0.0 and 1.0": (WORDS == "yes").astype(float),
    "float32": (WORDS == "yes").astype(np.float32),
    "uint8": (WORDS == "yes").astype(np.uint8),
    "two targets of words": np.column_stack([WORDS, WORDS[::-1]]),
    "two targets of 0 and 1": np.column_stack([WORDS == "yes", X[:, 0] > 0]).astype(int),
}
SQUARED = {
    "numbers": X[:, 0],
    "1 and 2": np.array([1, 2] * 12),
    "-1 and 1": np.array([-1, 1] * 12),
    "0 and 2": np.array([0, 2] * 12),
    "0, 1 and 2": np.array([0, 1, 2] * 8),
    "0, 1 and 0.5": np.array([0, 1, 0.5] * 8),
    "0 only": np.zeros(24),
    "counts beyond the first thousand rows": np.array([0, 1] * 600 + [7]),
    "one target of 0 and 1, one of numbers": np.column_stack([X[:, 0], [0, 1] * 12]),
}


@pytest.mark.parametrize("y", LOGISTIC.values(), ids=LOGISTIC)
def test_labels_of_two_kinds_are_logistic(y):
    assert LOSSES.name_of(choose_loss("auto", X, y).term) == "logistic"


@pytest.mark.parametrize("y", SQUARED.values(), ids=SQUARED)
def test_numbers_are_squared(y):
    assert LOSSES.name_of(choose_loss("auto", X, y).term) == "squared"


def test_more_than_two_words_are_softmax():
    assert LOSSES.name_of(choose_loss("auto", X, np.array(["a", "b", "c"] * 8)).term) == "softmax"


def test_a_given_loss_is_taken_without_a_word():
    chosen = choose_loss("huber:delta=2", X, WORDS)
    assert (LOSSES.describe(chosen.term), chosen.reason, chosen.remarks) == ("huber:delta=2.0", "", ())


def test_rows_of_weight_zero_do_not_count():
    y = np.array([0, 1] * 11 + [5, 1])
    assert LOSSES.name_of(choose_loss("auto", X, y).term) == "squared"
    assert LOSSES.name_of(choose_loss("auto", X, y, np.where(y == 5, 0.0, 1.0)).term) == "logistic"


@pytest.mark.parametrize(
    ("y", "remark"),
    [
        (X[:, 0], "the loss is squared, since the target is a number"),
        (np.array([1, 2, 3] * 8), "the loss is squared, since the target is a number; loss='logistic' is for labels"),
        (WORDS, "the loss is logistic, since the target has 2 labels"),
        (WORDS == "yes", "the loss is logistic, since the target is False or True; loss='squared' is for numbers"),
        (np.array([0.0, 1.0] * 12), "the loss is logistic, since the target is 0 or 1; loss='squared' is for numbers"),
        (np.array(["a", "b", "c"] * 8), "the loss is softmax, since the target has 3 labels"),
    ],
)  # fmt: skip
def test_the_first_remark_says_which_loss(y, remark):
    result = fastgd.fit(X, y, alpha=0.1, max_epochs=2)
    assert result.remarks[0] == remark
    assert result.settings["loss_reason"] in remark
    given = fastgd.fit(X, y, loss=result.loss, alpha=0.1, max_epochs=2)
    assert given.remarks == result.remarks[1:]
    assert given.coef.tobytes() == result.coef.tobytes()


@pytest.mark.parametrize("name", ["saddle", "logistic", "diabetes", "tutorial"])
def test_built_in_tables_keep_the_loss_they_suggest(name):
    table = fastgd.open(name)
    assert LOSSES.name_of(choose_loss("auto", table, None).term) == table.defaults["loss"]
    assert run_fastgd("run", "tutorial", "--json").json["loss"] == "squared"


def test_every_public_function_chooses_alike():
    y = WORDS == "yes"
    assert LOSSES.name_of(fastgd.fit_path(X, y, alphas=[0.1, 1.0])[1].loss) == "logistic"
    found = fastgd.search(X, y, rounds=1)
    assert (found.settings["loss"], found.remarks[0][:21]) == ("logistic", "the loss is logistic,")
    rates = fastgd.learning_rate_range(X, y, rates=[0.1, 1.0])
    assert (rates.settings["loss"], rates.remarks[0][:21]) == ("logistic", "the loss is logistic,")
    compared = fastgd.compare(X, y, methods=["gd"], repeats=1)
    assert LOSSES.name_of(compared.entries[0].result.loss) == "logistic"


def test_summary_begins_with_the_loss_that_was_taken(tmp_path):
    lines = [f"{a},{b},{word}" for (a, b), word in zip(X, WORDS, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *lines]))
    out = run_fastgd("run", tmp_path / "t.csv", "--alpha", 0.1).out.splitlines()
    assert out[0].split(maxsplit=1) == ["loss", "logistic, penalty l2 0.1 (auto: the target has 2 labels)"]
    assert not any("the loss is" in line for line in out)
    given = run_fastgd("run", tmp_path / "t.csv", "--alpha", 0.1, "--loss", "logistic").out.splitlines()
    assert given[0].split()[0] == "data"
    assert "auto" not in given[1]


def test_missing_target_is_still_an_error():
    with pytest.raises(fastgd.DataError, match="y is missing"):
        fastgd.fit(X)


def test_names_are_no_classes():
    y = np.array([f"person {i}" for i in range(200)])
    with pytest.raises(fastgd.DataError, match="y has 200 different words in 200 rows, so it is rather a name than a"):
        choose_loss("auto", None, y)
    assert LOSSES.name_of(choose_loss("softmax", None, y).term) == "softmax"
    assert LOSSES.name_of(choose_loss("auto", None, y[:50]).term) == "softmax"
    assert LOSSES.name_of(choose_loss("auto", None, np.tile(y, 3)).term) == "softmax"
