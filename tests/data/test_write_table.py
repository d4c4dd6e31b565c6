"""The writers: what they write reads back the same, and a failed write leaves the old file."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from scipy import sparse

from fastgd.data.readers.open_table import open as open_table
from fastgd.data.writers.outputs import atomic_file, check_writable, write_atomically
from fastgd.data.writers.write_svmlight import write_svmlight
from fastgd.data.writers.write_table import write, write_columns, write_text
from fastgd.errors import DataError

TEXT = [".csv", ".tsv", ".svm", ".svmlight", ".libsvm", ".csv.gz", ".tsv.gz", ".svm.gz"]
BINARY = [".parquet", ".feather", ".arrow", ".npy", ".npz"]
NAMES = ("age", "price, in $", 'the "best"')


@pytest.fixture
def numbers(rng):
    """X and y of 200 rows with magnitudes from 1e-200 to 1e200."""
    return rng.standard_normal((200, 3)) * 10.0 ** rng.integers(-200, 200, (200, 3)), rng.standard_normal(200)


@pytest.mark.parametrize("suffix", TEXT + BINARY)
def test_numbers_are_read_back_exactly(tmp_path, suffix, numbers):
    X, y = numbers
    path = tmp_path / f"data{suffix}"
    write(path, X, y, NAMES)
    table = open_table(path)
    X_read = table.X.toarray() if sparse.issparse(table.X) else table.X
    np.testing.assert_array_equal(X_read, X)
    np.testing.assert_array_equal(table.y, y)
    if ".svm" not in suffix and suffix not in (".libsvm", ".npy"):
        assert (table.feature_names, table.target_name) == (NAMES, "y")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow", ".npy", ".npz"])
def test_float32_is_read_back_as_float32(tmp_path, suffix):
    X = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    path = tmp_path / f"data{suffix}"
    write(path, X, np.array([1, 2], np.float32))
    table = open_table(path)
    assert table.X.dtype == np.float32
    np.testing.assert_array_equal(table.X, X)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".svm", ".parquet"])
def test_sparse_X_is_read_back_exactly(tmp_path, suffix):
    X = sparse.random(40, 9, density=0.4, random_state=0, format="csr")
    write(tmp_path / f"data{suffix}", X, np.arange(40.0))
    table = open_table(tmp_path / f"data{suffix}")
    assert sparse.issparse(table.X) == (suffix in (".npz", ".svm"))
    np.testing.assert_array_equal(table.X.toarray() if sparse.issparse(table.X) else table.X, X.toarray())


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet", ".feather", ".arrow", ".npz"])
def test_labels_are_read_back_exactly(tmp_path, suffix):
    labels = np.array(["cat", "d,og", 'a "fox"', "été"])
    write(tmp_path / f"data{suffix}", np.eye(4), labels, target_name="y")
    assert open_table(tmp_path / f"data{suffix}").y.tolist() == labels.tolist()


def test_a_table_without_target_is_written(tmp_path):
    write(tmp_path / "data.csv", np.eye(2), names=["a", "b"])
    assert (tmp_path / "data.csv").read_text() == "a,b\n1,0\n0,1\n"


def test_blocks_of_rows_are_all_written(tmp_path, numbers):
    X, y = numbers
    with open(tmp_path / "data.csv", "wb") as file:
        write_text(file, ",", {"x": X[:, 0], "y": y}, rows_at_a_time=7)
    with open(tmp_path / "data.svm", "wb") as file:
        write_svmlight(file, X, y, entries=10)
    for name in ("data.csv", "data.svm"):
        np.testing.assert_array_equal(open_table(tmp_path / name).y, y)


def test_equal_tables_give_equal_bytes(tmp_path, numbers):
    X, y = numbers
    for name in ("a.csv.gz", "b.csv.gz"):
        write(tmp_path / name, X, y)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        (
            "data.svm",
            {"y": np.array(["u", "v"])},
            ".svm cannot hold labels in words; write .csv, .parquet or .npz instead",
        ),
        ("data.npy", {"y": np.array(["u", "v"])}, ".npy cannot hold labels in words"),
        ("data.csv", {"y": np.ones(3)}, r"y has shape \(3,\) for 2 rows of X"),
        ("data.csv", {"names": ["a"]}, "1 name for 2 features; give one for each"),
        ("data.csv", {"y": np.ones(2), "names": ["x", "y"]}, "'y' is both the target and a feature"),
        ("data.xls", {}, "the suffix '.xls' is not known; use .csv"),
        ("data.npy.gz", {}, "the suffix '.gz' is not known"),
        ("data", {}, "there is no suffix to tell the format"),
        ("nowhere/data.csv", {}, r"there is no folder '.*nowhere'; make it first"),
    ],
)
def test_error_about_a_table_or_path_that_cannot_be_written(tmp_path, name, arguments, expected):
    with pytest.raises(DataError, match=expected):
        write(tmp_path / name, np.eye(2), **arguments)
    assert list(tmp_path.iterdir()) == []


def columns():
    return {"epoch": np.arange(3), "loss": np.array([0.1, np.nan, 1e-9]), "note": np.array(["a", "b,c", ""])}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".arrow"])
def test_columns_are_read_back_exactly(tmp_path, suffix):
    path = tmp_path / f"trace{suffix}"
    write_columns(path, columns())
    if suffix == ".csv":
        assert path.read_text() == 'epoch,loss,note\n0,0.1,"a"\n1,nan,"b,c"\n2,1e-9,""\n'
    numbers_only = {name: column[[0, 2]] for name, column in columns().items() if name != "note"}
    write_columns(path, numbers_only)
    table = open_table(path, target="loss")
    np.testing.assert_array_equal(table.X[:, 0], [0, 2])
    np.testing.assert_array_equal(table.y, [0.1, 1e-9])


def test_columns_in_npy_are_a_structured_or_a_plain_array(tmp_path):
    write_columns(tmp_path / "trace.npy", columns())
    rows = np.load(tmp_path / "trace.npy", allow_pickle=False)
    assert rows.dtype.names == ("epoch", "loss", "note")
    assert rows["note"].tolist() == ["a", "b,c", ""]
    write_columns(tmp_path / "one.npy", {"prediction": np.arange(3.0)})
    np.testing.assert_array_equal(np.load(tmp_path / "one.npy"), [0, 1, 2])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("old")
    with pytest.raises(pa.ArrowInvalid):
        write_columns(path, {"a": np.arange(3), "b": np.arange(2)})
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"half of", "it"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_about_a_full_disk(tmp_path):
    path = tmp_path / "data.csv"
    expected = r"data\.csv: cannot be written \(No space left on device\); nothing was changed"
    with pytest.raises(DataError, match=expected), atomic_file(path):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    write(tmp_path / "link.csv", np.eye(1), names=["a"])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "a\n1\n"


def test_write_atomically_takes_any_suffix(tmp_path):
    for name in ("model.fastgd", "plain.gz"):
        write_atomically(tmp_path / name, b"bytes")
        assert (tmp_path / name).read_bytes() == b"bytes"


def test_check_writable_names_the_obstacle(tmp_path, monkeypatch):
    check_writable(tmp_path / "data.anything")
    check_writable("data.csv", (".csv",))
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        check_writable(tmp_path)
    with pytest.raises(DataError, match=r"there is no folder '.*nowhere'; make it first"):
        check_writable(tmp_path / "nowhere" / "data.csv")
    with pytest.raises(DataError, match=r"the suffix '\.txt' is not known; use \.csv \(text also with \.gz\)"):
        check_writable(tmp_path / "data.txt", (".csv",))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(DataError, match="is not writable; choose another or change its permissions"):
        check_writable(tmp_path / "data.csv")


def test_listing_the_builtins_imports_no_heavy_package():
    code = (
        "import sys, fastgd.data.file_formats, fastgd.data; list(fastgd.data.BUILTINS);"
        "heavy = {'numpy', 'pyarrow', 'scipy', 'numba'} & set(sys.modules); assert not heavy, heavy;"
        "fastgd.open; heavy = {'pandas', 'polars', 'sklearn', 'numba'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FORMULAS = [
    "=1+1",
    "+x",
    "-y",
    "@z",
    "\tt",
    "\rr",
    "\nn",
    "\N{FULLWIDTH EQUALS SIGN}a",
    "\N{FULLWIDTH PLUS SIGN}b",
    "\N{FULLWIDTH HYPHEN-MINUS}c",
    "\N{FULLWIDTH COMMERCIAL AT}d",
    "-inf",
    "-5 apples",
    "--1",
    "+",
]
HARMLESS = ["-5", "+.5", "-1e-3", "+7.25E+08", "a=b", "a-b", "'=x", " ", "é", "1-2"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_words_that_a_spreadsheet_takes_for_formulas_get_an_apostrophe(tmp_path, suffix):
    words = np.array(FORMULAS + HARMLESS)
    path = tmp_path / f"words{suffix}"
    write_columns(path, {"=name": words, "-5": np.arange(len(words))})
    opened = gzip.open if suffix.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t" if suffix == ".tsv" else ",")
    assert header == ["'=name", "-5"]
    assert [row[0] for row in rows] == [f"'{word}" for word in FORMULAS] + HARMLESS


def test_bytes_are_words_in_text(tmp_path):
    write_columns(tmp_path / "a.csv", {"name": np.array([b"=1", b"b", "é".encode(), b"\xff"])})
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").split() == ["name", '"\'=1"', '"b"', '"é"', '"\\xff"']


READERS = {
    ".parquet": parquet.read_table,
    ".feather": feather.read_table,
    ".arrow": lambda path: pa.ipc.open_file(path).read_all(),
}


@pytest.mark.parametrize("suffix", READERS)
def test_binary_files_hold_words_as_they_are(tmp_path, suffix):
    write_columns(tmp_path / f"words{suffix}", {"=name": np.array(FORMULAS)})
    assert READERS[suffix](tmp_path / f"words{suffix}")["=name"].to_pylist() == FORMULAS
