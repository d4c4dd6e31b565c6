"""`fastgd predict`: columns kept, probabilities named by class, thresholds, formats of output, and messages."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from helpers.command_line import fastgd as run_fastgd

import fastgd

ROWS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of flowers with an id that begins with zeros, and models of it: of two labels, of three, of numbers."""
    folder = tmp_path_factory.mktemp("predict")
    random = np.random.default_rng(41)
    kind = np.array(["aster", "broom", "clover"])[np.arange(ROWS) % 3]
    length, width = random.normal(size=(2, ROWS)) + np.array([[1.0], [-1.0]]) * (np.arange(ROWS) % 3)
    lines = [
        f"{i:04d},{'NA' if i % 7 == 0 else f'plant, {i}'},{length[i]:.4f},{width[i]:.4f},{kind[i]},{length[i] > 1}"
        for i in range(ROWS)
    ]
    lines = [re.sub(r"(plant, \d+)", r'"\1"', line) for line in lines]
    (folder / "flowers.csv").write_text("\n".join(["id,name,length,width,kind,tall", *lines]))
    for name, target in {"three": "kind", "two": "tall", "number": "width"}.items():
        words = ("--target", target, "--drop", ",".join({"id", "name", "kind", "tall"} - {target}))
        assert run_fastgd("run", folder / "flowers.csv", *words, "--alpha", 0.01, "--save", folder / name).code == 0
    return folder


def rows_of(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def predict(folder, model, *words):
    return run_fastgd("predict", folder / model, folder / "flowers.csv", *words)


def test_probabilities_are_named_by_class(folder):
    rows = rows_of(predict(folder, "three").out)
    assert list(rows[0]) == ["prediction", "probability_aster", "probability_broom", "probability_clover"]
    for row in rows:
        probabilities = {name: float(row[f"probability_{name}"]) for name in ("aster", "broom", "clover")}
        assert sum(probabilities.values()) == pytest.approx(1.0)
        assert row["prediction"] == max(probabilities, key=probabilities.get)
    assert list(rows_of(predict(folder, "two").out)[0]) == ["prediction", "probability_False", "probability_True"]
    assert list(rows_of(predict(folder, "number").out)[0]) == ["prediction"]


def test_kept_columns_come_first_as_they_are_spelled(folder):
    rows = rows_of(predict(folder, "three", "--keep", "name,id").out)
    assert list(rows[0])[:3] == ["name", "id", "prediction"]
    original = rows_of((folder / "flowers.csv").read_text())
    assert [(row["id"], row["name"]) for row in rows] == [(row["id"], row["name"]) for row in original]
    every = rows_of(predict(folder, "three", "--keep", "all").out)
    assert list(every[0])[:7] == ["id", "name", "length", "width", "kind", "tall", "prediction"]
    assert [float(row["length"]) for row in every] == [float(row["length"]) for row in original]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".jsonl", ".parquet", ".feather", ".arrow", ".npy"])
def test_every_format_has_the_same_rows(folder, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    assert predict(folder, "three", "--keep", "id,tall,length", "-o", path).code == 0
    if suffix == ".npy":
        array = np.load(path, allow_pickle=False)
        found = {name: array[name].tolist() for name in array.dtype.names}
    elif suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        found = {name: [line[name] for line in lines] for name in lines[0]}
    else:
        read = {".parquet": pq.read_table, ".feather": pa.feather.read_table}.get(suffix)
        if suffix == ".arrow":
            read = lambda file: pa.ipc.open_file(file).read_all()  # noqa: E731
        if read is None:
            kept = fastgd.data.readers.kept_columns.kept_columns(str(path), None)
            found = {name: column.to_pylist() for name, column in kept.items()}
        else:
            found = read(path).to_pydict()
    expected = rows_of(predict(folder, "three", "--keep", "id,tall,length").out)
    assert list(found) == list(expected[0])
    assert found["id"] == [f"{i:04d}" for i in range(ROWS)]
    assert found["tall"] == [row["tall"] == "true" for row in expected]
    assert found["prediction"] == [row["prediction"] for row in expected]
    for name in ("length", "probability_broom"):
        assert found[name] == [float(row[name]) for row in expected]


def test_json_has_null_for_what_is_missing_and_text_for_dates(tmp_path):
    from fastgd.data.writers.write_table import write_columns

    dates = pa.chunked_array([[None, 18262]], pa.int32()).cast(pa.date32())
    write_columns(tmp_path / "a.jsonl", {"x": np.array([np.nan, 1.5]), "day": dates, "ü": np.array(["a", "ß"])})
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()] == [
        {"x": None, "day": None, "ü": "a"},
        {"x": 1.5, "day": "2020-01-01", "ü": "ß"},
    ]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.9, 1.0])
def test_threshold_is_of_the_larger_label(folder, threshold):
    rows = rows_of(predict(folder, "two", "--threshold", threshold).out)
    assert [row["prediction"] == "true" for row in rows] == [
        float(row["probability_True"]) >= threshold for row in rows
    ]


def test_probability_of_the_threshold_itself_is_enough():
    from helpers.picture_cases import result

    from fastgd.losses import Logistic
    from fastgd.model.prediction_columns import prediction_columns

    model = result([1.0], coef=np.zeros(1), intercept=0.0, loss=Logistic(), classes=np.array(["no", "yes"]))
    assert prediction_columns(model, [[1.0]], threshold=0.5)["prediction"].tolist() == ["yes"]
    assert prediction_columns(model, [[1.0]], threshold=0.5 + 1e-9)["prediction"].tolist() == ["no"]


def test_half_is_the_default_threshold(folder):
    assert predict(folder, "two", "--threshold", 0.5).out == predict(folder, "two").out


@pytest.mark.parametrize(
    ("model", "threshold", "message"),
    [
        ("three", 0.5, "--threshold is for two labels, and this model has 3: leave it out"),
        ("number", 0.5, "--threshold is a probability, and this model has none: leave it out"),
        ("two", 1.5, "--threshold must lie between 0 and 1, not 1.5"),
        ("two", "nan", "--threshold must lie between 0 and 1, not nan"),
    ],
)
def test_threshold_that_makes_no_sense(folder, model, threshold, message):
    ran = predict(folder, model, "--threshold", threshold)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_kept_column_that_is_missing_or_taken(folder, tmp_path):
    ran = predict(folder, "three", "--keep", "lengths")
    assert (ran.code, ran.out) == (2, "")
    assert "has no column 'lengths' to keep; did you mean 'length'?" in ran.err
    again = tmp_path / "again.csv"
    assert predict(folder, "three", "--keep", "all", "-o", again).code == 0
    ran = run_fastgd("predict", folder / "three", again, "--keep", "all")
    assert ran.code == 2
    assert "its column 'prediction' has the name of a column of predictions" in ran.err


@pytest.mark.parametrize("data", ["diabetes", "sparse.svm", "plain.npy", "named.npz"])
def test_columns_of_numbers_can_be_kept(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = fastgd.open("diabetes")
    if data != "diabetes":
        from fastgd.data.writers.write_table import write

        write(data, table.X, table.y, table.feature_names)
    run_fastgd("run", data, "--loss", "squared", "--epochs", 3, "--save", "m.fastgd", "-q")
    keep = "bmi" if data in ("diabetes", "named.npz") else "3" if ".svm" in data else "2"
    ran = run_fastgd("predict", "m.fastgd", data, "--keep", keep)
    assert [float(row[keep]) for row in rows_of(ran.out)] == table.X[:, 2].tolist(), ran.err


def test_nested_columns_go_into_json_but_not_into_text(folder, tmp_path):
    rows = rows_of((folder / "flowers.csv").read_text())
    numbers = {name: pa.array([float(row[name]) for row in rows]) for name in ("length", "width")}
    pq.write_table(pa.table({**numbers, "tags": pa.array([["a", "b"]] * ROWS)}), tmp_path / "nested.parquet")
    ran = run_fastgd(
        "predict", folder / "three", tmp_path / "nested.parquet", "--keep", "tags", "-o", tmp_path / "p.csv"
    )
    assert ran.code == 2
    assert "text cannot hold list<" in ran.err
    assert not (tmp_path / "p.csv").exists()
    out = tmp_path / "p.jsonl"
    assert run_fastgd("predict", folder / "three", tmp_path / "nested.parquet", "--keep", "tags", "-o", out).code == 0
    assert json.loads(out.read_text().splitlines()[0])["tags"] == ["a", "b"]


BAD = {
    "gap": "length,width\n1,\n2,3\n",
    "gaps": "length,width\n1,\n,3\n",
    "all gaps": "length,width\n,1\n,2\n",
    "word": "length,width\n1,x\n2,3\n",
    "words": "length,width\na,x\nb,y\n",
    "infinite": "length,width\n1,inf\n2,3\n",
    "missing": "length,height\n1,2\n",
    "date": "length,width\n1,2020-01-01\n2,2020-01-02\n",
    "empty": "",
    "ragged": "length,width\n1,2,3\n",
    "one column": "length;width\n1;2\n3\n",
    "without header": "1,2,3,4,5\n6,7,8,9,10\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_messages_advise_no_flag_that_the_command_lacks(folder, tmp_path, command, content):
    if command == "evaluate":
        content = "".join(f"{line},{'kind' if i == 0 else 'aster'}\n" for i, line in enumerate(content.splitlines()))
    (tmp_path / "bad.csv").write_text(content)
    ran = run_fastgd(command, folder / "three", tmp_path / "bad.csv")
    assert (ran.code, ran.out) == (2, "")
    options = set(re.findall(r"--[\w-]+", run_fastgd(command, "--help").out))
    assert set(re.findall(r"--[\w-]+", ran.err)) <= options, ran.err


@pytest.mark.parametrize("target", ["2020-01-02", "", "x", "inf", 300 * "x"])
def test_bad_target_does_not_matter(folder, tmp_path, target):
    (tmp_path / "new.csv").write_text(f"width,kind,length\n1.5,{target},2.5\n")
    ran = run_fastgd("predict", folder / "three", tmp_path / "new.csv")
    expected = fastgd.load(folder / "three").predict([[2.5, 1.5]])
    assert [row["prediction"] for row in rows_of(ran.out)] == expected.tolist(), ran.err


def test_kept_numbers_with_gaps_stay_numbers(folder, tmp_path):
    (tmp_path / "gaps.csv").write_text("length,width,size,code\n1,2,5,\n3,4,,07\n5,6,7,8\n")
    out = tmp_path / "out.jsonl"
    assert run_fastgd("predict", folder / "three", tmp_path / "gaps.csv", "--keep", "size,code", "-o", out).code == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["size"] for row in rows] == [5, None, 7]
    assert [row["code"] for row in rows] == ["", "07", "8"]
