"""Labels keep their type: from arrays, frames and files, in `classes`, in predictions and through the model file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.command_line import fastgd as run_fastgd

import fastgd

X = np.random.default_rng(61).normal(size=(30, 2))
BIG = 2**53
LABELS = {
    "booleans": [False, True],
    "integers": [3, 7],
    "integers beyond 2^53": [BIG + 1, BIG + 3],
    "the largest integers": [-(2**63), 2**63 - 1],
    "words": ["no", "yes"],
    "words of digits": ["01234", "1234"],
    "floats": [0.5, 1.5],
}
FRAMES = {
    "list": list,
    "array": np.array,
    "objects": lambda values: np.array(values, dtype=object),
    "pandas": pd.Series,
    "pandas category": lambda values: pd.Series(values, dtype="category"),
    "polars": lambda values: pl.Series("y", values),
    "arrow": pa.array,
    "arrow dictionary": lambda values: pa.array(values).dictionary_encode(),
}


def values_of(labels):
    return [labels[int(row[0] > 0)] for row in X]


@pytest.mark.plain_python
@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_as_they_were(name, kind, tmp_path):
    labels = LABELS[name]
    y = FRAMES[kind](values_of(labels))
    result = fastgd.fit(X, y, loss="logistic", alpha=0.1, method="gd", max_epochs=20)
    result.save(tmp_path / "model")
    for model in (result, fastgd.load(tmp_path / "model")):
        assert model.classes.dtype == np.array(labels).dtype
        assert model.classes.tolist() == labels
        predicted = model.predict(X)
        assert predicted.dtype == np.array(labels).dtype
        assert set(predicted.tolist()) == set(labels)
        assert fastgd.evaluate(model, X, y)["accuracy"] > 0.8


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int64", "uint64"])
def test_integers_keep_their_width(dtype):
    y = pd.Series(np.array([3, 7], dtype)[(X[:, 0] > 0).astype(int)])
    assert fastgd.fit(X, y, loss="logistic", alpha=0.1, max_epochs=2).classes.dtype == np.dtype(dtype)


def test_integers_beyond_2_to_53_are_numbers_too():
    y = np.array([BIG + 1, BIG + 3])[(X[:, 0] > 0).astype(int)]
    for target in (y, pd.Series(y), pl.Series(y), pa.array(y), y.tolist()):
        result = fastgd.fit(X, target, loss="squared")
        assert result.classes is None
        assert result.predict(X) == pytest.approx(np.full(30, 2.0**53), rel=1e-12)


# --- Files -----------------------------------------------------------------------------------------------------------


def write(path, labels):
    columns = {"a": X[:, 0], "b": X[:, 1]}
    if path.suffix == ".parquet":
        pq.write_table(pa.table({**columns, "y": values_of(labels)}), path)
    else:
        lines = [f"{a!r},{b!r},{y}" for a, b, y in zip(*map(np.ndarray.tolist, columns.values()), values_of(labels))]  # noqa: B905
        path.write_text("\n".join(["a,b,y", *lines]))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_files_come_back_as_they_were(name, suffix, tmp_path):
    labels, model = LABELS[name], tmp_path / "m.fastgd"
    path = write(tmp_path / f"data{suffix}", labels)
    assert run_fastgd("run", path, "--loss", "logistic", "--alpha", 0.1, "--save", model).code == 0
    classes = fastgd.load(model).classes
    assert (classes.dtype, classes.tolist()) == (np.array(labels).dtype, labels)
    assert run_fastgd("predict", model, path, "-o", tmp_path / "p.parquet").code == 0
    predicted = pq.read_table(tmp_path / "p.parquet").column("prediction").to_pylist()
    assert set(predicted) == set(labels)
    assert run_fastgd("evaluate", model, path, "--json").json["metrics"]["accuracy"] > 0.8


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_integers_of_numpy_files_come_back_as_they_were(suffix, tmp_path):
    y = np.array([BIG + 1, BIG + 3])[(X[:, 0] > 0).astype(int)]
    path = tmp_path / f"data{suffix}"
    whole = (100 * X).astype(np.int64)
    if suffix == ".npy":
        np.save(path, np.column_stack([whole, y]))
    else:
        np.savez(path, X=whole, y=y)
    result = fastgd.fit(fastgd.open(path), loss="logistic", alpha=0.1)
    assert (result.classes.dtype, result.classes.tolist()) == (np.int64, [BIG + 1, BIG + 3])


# --- Labels that begin with a zero -----------------------------------------------------------------------------------


@pytest.fixture
def codes(tmp_path):
    return write(tmp_path / "codes.csv", ["01234", "1234"])


def test_text_with_leading_zeros_is_labels_for_labels_and_numbers_for_numbers(codes):
    table = fastgd.open(codes)
    assert table.y.dtype == np.int64
    assert set(table.label_text.tolist()) == {"01234", "1234"}
    assert fastgd.fit(table, loss="logistic", alpha=0.1).classes.tolist() == ["01234", "1234"]
    with pytest.raises(fastgd.DataError, match="y is 1234 in every row"):
        fastgd.fit(table, loss="squared")


def test_table_without_leading_zeros_has_its_numbers_only(tmp_path):
    table = fastgd.open(write(tmp_path / "plain.csv", [10, 20]))
    assert table.label_text is None
    assert fastgd.fit(table, loss="logistic", alpha=0.1).classes.tolist() == [10, 20]


@pytest.mark.parametrize("text", ["0.5", "0", "-0.25", "0e3"])
def test_fractions_and_zero_are_no_codes(tmp_path, text):
    assert fastgd.open(write(tmp_path / "numbers.csv", [text, "1"])).label_text is None


def test_held_out_and_validation_rows_have_the_same_labels(codes):
    words = ("run", codes, "--loss", "logistic", "--alpha", 0.1)
    found = run_fastgd(*words, "--test-size", 0.3, "--validation", 0.3, "--json").json
    assert found["test"]["classes"] == found["validation"]["classes"] == ["01234", "1234"]
    assert found["metrics"]["accuracy"] > 0.8
    assert run_fastgd(*words, "--validation", codes, "--json").json["validation"]["n_samples"] == 30


def test_file_in_which_no_label_begins_with_a_zero_is_evaluated_all_the_same(codes, tmp_path):
    model = tmp_path / "m.fastgd"
    run_fastgd("run", codes, "--loss", "logistic", "--alpha", 0.1, "--save", model)
    lines = [line for line in codes.read_text().splitlines() if not line.endswith(",01234")]
    (tmp_path / "some.csv").write_text("\n".join(lines))
    found = run_fastgd("evaluate", model, tmp_path / "some.csv", "--json").json
    assert np.sum(found["confusion"], axis=1).tolist() == [0, len(lines) - 1]


def test_column_with_gaps_and_codes(tmp_path):
    (tmp_path / "gaps.csv").write_text("a,y\n1,007\n2,\n3,08\n")
    with pytest.raises(fastgd.DataError, match="1 missing value in the target 'y', the first in line 3"):
        fastgd.open(tmp_path / "gaps.csv")
