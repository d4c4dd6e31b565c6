"""The reader of .csv and .tsv files, and its error messages."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pyarrow as pa
import pytest
from helpers.table_files import error_message
from pyarrow import csv

from fastgd.data.readers.open_table import open as open_table
from fastgd.wording import speaking_in_flags


@pytest.fixture
def text_file(tmp_path):
    """A function that writes text or bytes to a file, compressed for .gz, and returns its path."""

    def write(content: str | bytes, name: str = "data.csv"):
        content = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


X_EXPECTED = [[1.0, 2.5], [3.0, -4.0]]


@pytest.mark.parametrize(
    "content",
    [
        "a,b,y\n1,2.5,7\n3,-4,8\n",
        "a,b,y\r\n1,2.5,7\r\n3,-4,8\r\n",
        "a,b,y\n1,2.5,7\n3,-4,8",
        "\ufeffa,b,y\n1,2.5,7\n3,-4,8\n",
        '"a", b , "y"\n1, 2.5 ,7\n+3,-4.0,8e0\n',
        "\n\na,b,y\n\n1,2.5,7\n   \n3,-4,8\n\n",
        '"a\n",b,y\n1,2.5,7\n3,-4,8\n',
    ],
    ids=["plain", "crlf", "no last line end", "bom", "quotes and blanks", "blank lines", "line end in the header"],
)
@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.csv.gz", "data.tsv.gz"])
def test_forms_of_text_are_read(text_file, content, name):
    content = content.replace(",", "\t") if ".tsv" in name else content
    read = open_table(text_file(content, name))
    np.testing.assert_array_equal(read.X, X_EXPECTED)
    np.testing.assert_array_equal(read.y, [7.0, 8.0])
    assert (read.X.dtype, read.y.dtype) == (np.float64, np.float64 if "8e0" in content else np.int64)
    assert read.X.flags.c_contiguous
    assert read.feature_names == ("a", "b")
    assert read.target_name == "y"


def test_columns_without_header_are_named_by_index(text_file):
    read = open_table(text_file("1,2,3\n4,,6\n".replace(",,", ",5,")), target=0)
    assert read.feature_names == ("1", "2")
    assert read.target_name == "0"
    np.testing.assert_array_equal(read.X, [[2, 3], [5, 6]])


def test_an_empty_field_does_not_make_a_header(text_file):
    assert "line 1, column '1'" in error_message(text_file("1,,3\n4,5,6\n"))


def test_a_byte_order_mark_does_not_make_a_header(text_file):
    assert open_table(text_file("\ufeff1,2\n3,4\n")).X.shape == (2, 1)


def test_booleans_become_0_and_1(text_file):
    read = open_table(text_file("a,b,y\nTrue,true,1\nFalse,false,0\n"))
    np.testing.assert_array_equal(read.X, [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("header", "name", "remark"),
    [
        ("Y,b,c", "Y", "the target is the column 'Y'"),
        ("a,Target,c", "Target", "the target is the column 'Target'"),
        ("label,b,target", "target", "the target is the column 'target'"),
        ("a,b,price", "price", "the target is the last column, 'price'"),
    ],
)
def test_default_target_and_its_remark(text_file, header, name, remark):
    read = open_table(text_file(f"{header}\n1,2,3\n4,5,6\n"))
    assert read.target_name == name
    assert read.remarks == (remark,)


@pytest.mark.parametrize("target", ["a", 0, "0", -3, "-3"])
def test_target_by_name_or_index(text_file, target):
    read = open_table(text_file("a,b,c\n1,2,3\n4,5,6\n"), target=target)
    assert (read.target_name, read.feature_names) == ("a", ("b", "c"))
    np.testing.assert_array_equal(read.y, [1, 4])


def test_a_name_takes_precedence_over_an_index(text_file):
    assert open_table(text_file("a,b,0\n1,2,3\n4,5,6\n"), target="0").target_name == "0"


def test_words_in_the_target_become_labels(text_file):
    read = open_table(text_file("a,kind\n1, cat\n2,dog \n3,cat\n"))
    assert read.y.dtype.kind == "U"
    assert read.y.tolist() == ["cat", "dog", "cat"]


def test_dropped_columns_are_not_features(text_file):
    read = open_table(text_file("a,b,c\n1,x,3\n4,y,6\n"), drop=["b"])
    assert read.feature_names == ("a",)


def test_remarks_about_a_column_without_name_and_a_doubtful_header(text_file):
    read = open_table(text_file(",a,y\n3,1,2\n1,3,4\n"))
    assert read.feature_names == ("0", "a")
    assert "the column without a name is named '0'" in read.remarks
    read = open_table(text_file("5.1,3.5,setosa\n1,2,3\n"))
    assert read.remarks[0].startswith("the first line is taken as the header, though 2 of its 3 fields are numbers; ")


def test_a_row_can_be_longer_than_a_block_of_pyarrow(text_file):
    n = 12_000  # of 100 bytes each, where pyarrow takes a MiB at a time
    row = ",".join(["0." + "1234567890" * 10] * n)
    assert open_table(text_file(f"{row}\n{row}\n")).X.shape == (2, n - 1)


BAD = {
    "empty": ("", "is empty (0 bytes); write it again"),
    "blank": ("\n  \n\n", "has only blank lines; write it again"),
    "header only": ("a,b\n", "has a header but no rows; write it again"),
    "duplicate": ("a,b,a\n1,2,3\n", "the header has 'a' more than once; rename"),
    "semicolons in the header only": (
        "a;b;c\n1\n2\n",
        "has one column, 'a;b;c', but semicolons in its first line; if ';' is the separator, say so with "
        "text=TextFormat(separator=';')",
    ),
    "tabs in some lines": ("a\tb\n1\t2\t3\n", "has one column, 'a\\tb', but tabs in its first line; if a tab is"),
    "open quote": (
        "a,y\n1,2\n" + '3,"' + "4,5\n" * 100,
        "line 3, target 'y': the label '"
        + r"4,5\n" * 10
        + "...' has 399 characters; look for a quote that is not closed",
    ),
    "one column": ("a\n1\n", "no column is left for the features"),
    "short row": ("a,b,c\n1,2,3\n\n4,5\n", "line 4 has 2 fields where the header has 3; fix the line"),
    "long row": ("1,2\n3,4\n5,6,7\n", "line 3 has 3 fields where the first line has 2; fix the line"),
    "long header": ("a,b,c,d\n1,2,3\n4,5,6\n", "line 2 has 3 fields where the header has 4"),
    "word": (
        "age,y\n1,2\n\nabc,4\n5,6\n",
        "line 4, column 'age': 'abc' is not a number; fix the value, or leave the column out with drop=['age']",
    ),
    "word after a quoted line end": ('n,age,y\n"1\n",1,2\n2,abc,4\n', "line 4, column 'age': 'abc'"),
    "several words": (
        "age,y\n1,2\n?,4\n-,6\n7,8\n",
        "line 3, column 'age': '?' is not a number; if '?' marks a missing value, say so with "
        "text=TextFormat(na_values=['?']), or leave",
    ),
    "decimal comma": (
        'a,y\n"1,5",2\n2,3\n',
        "line 2, column 'a': '1,5' is not a number; it has a decimal comma: say so with text=TextFormat(decimal=',')",
    ),
    "missing": (
        "a,b,y\n1,2,3\n4,,6\n, ,9\n",
        "3 missing values, the first in line 3, column 'b' ('a' 1, 'b' 2; of 3 rows); fill them in with "
        "columns=Columns(missing=...) (mean, median, zero or indicator; drop leaves out the rows), or leave",
    ),
    "one missing": (
        "a,b,y\n1,2,3\n4,NA,6\n",
        "1 missing value, the first in line 3, column 'b'; fill them in with columns=",
    ),
    "nan": ("a,b,y\n1,2,3\n4, nan ,6\n", "1 missing value, the first in line 3, column 'b'"),
    "nothing in a column": (
        "a,b,y\n1,,3\n4,,6\n",
        "column 'b' has no values at all; leave the column out with drop=['b']",
    ),
    "infinite": ("a,b,y\n1,2,3\n4,-inf,6\n", "1 infinite value, the first in line 3, column 'b'; replace them, or"),
    "overflow": ("a,b,y\n1,2,3\n4,1e999,6\n", "1 infinite value, the first in line 3, column 'b'"),
    "target missing": (
        "a,y\n1,2\n3,\n5,\n",
        "2 missing values in the target 'y', the first in line 3; fill them in, remove such rows, or name another",
    ),
    "label missing": ("a,y\n1,u\n3,\n5,v\n", "1 missing value in the target 'y', the first in line 3"),
    "target empty": ("a,y\n1,\n3,\n", "the target 'y' has only missing values; name another column"),
    "target infinite": ("a,y\n1,inf\n3,4\n", "1 infinite value in the target 'y', the first in line 2"),
    "latin-1 cell": (
        "a,y\n1,2\ncaf\xe9,3\n".encode("latin-1"),
        "line 3, column 'a': 'caf\xe9' is not a number",
    ),
    "latin-1 among UTF-8": (
        b"a,y\ncaf\xc3\xa9,2\ncaf\xe9,3\n",
        "line 3 is not UTF-8 text (byte 0xe9); save the file as UTF-8, or name its encoding with text=TextFormat(enc",
    ),
    "latin-1 after the beginning": (
        b"a,y\n" + b"1,2\n" * 300_000 + b"caf\xe9,3\n",
        "line 300,002 is not UTF-8 text (byte 0xe9); save the file as UTF-8",
    ),
    "signs": (b"a,y\n\x80\x81,2\n", "line 2 is not UTF-8 text (byte 0x80)"),
    "utf-16": ("a,y\n1,2\nx\n".encode("utf-16"), "line 3 has 1 field where the header has 2"),
    "broken utf-16": ("a,y\n1,2\n".encode("utf-16") + b"x", "has bytes that are not utf-16"),
    "foreign bytes": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, "line 1 is not UTF-8 text (byte 0x89)"),
}


@pytest.mark.parametrize(("content", "expected"), BAD.values(), ids=BAD.keys())
def test_error_names_the_line_and_column(text_file, content, expected):
    assert error_message(text_file(content)).startswith(expected)


def test_error_names_flags_at_the_command_line(text_file):
    path = text_file("a,b,my day,y\n,x,2020-01-01,1\nu,v,,2\n")
    with speaking_in_flags():
        message = error_message(path)
    assert "fill them in with --missing (mean, median, zero or indicator" in message
    assert message.endswith('leave the columns out with --drop "a,my day"')


def test_error_names_the_line_of_a_compressed_file(text_file):
    path = text_file("\n\na,y\n" + "1,2\n" * 1000 + "x,3\n", "data.csv.gz")
    assert error_message(path).startswith("line 1,004, column 'a': 'x'")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target": "prize"}, "has no column 'prize' to be the target; did you mean 'price'?"),
        ({"target": "zzz"}, "has no column 'zzz' to be the target; there are 'age', 'height', 'price' and 'Weight'"),
        ({"target": 7}, "has no column 7 to be the target; it has 4 columns, counted from 0"),
        ({"drop": ["wieght"]}, "has no column 'wieght' to drop; did you mean 'Weight' or 'height'?"),
        ({"drop": ["age"], "target": "age"}, "column 'age' is both the target and to be dropped"),
        ({"drop": ["age", "height", "price"]}, "no column is left for the features"),
        ({"features": ["age", "u", "v"]}, "2 of the model's 3 columns are missing: 'u' and 'v'; add what is missing"),
        ({"features": ["age"], "target": "age"}, "column 'age' is both the target and one of the model's features"),
    ],
)
def test_error_about_the_choice_of_columns(text_file, options, expected):
    path = text_file("age,height,price,Weight\n1,2,3,4\n5,6,7,8\n")
    assert error_message(path, **options).startswith(expected)


def test_features_are_found_by_name_in_any_order(text_file):
    path = text_file("c,extra,y,a\n1,word,3,4\n5,word,7,8\n")
    read = open_table(path, features=["a", "c"], target="y")
    np.testing.assert_array_equal(read.X, [[4, 1], [8, 5]])
    np.testing.assert_array_equal(read.y, [3, 7])
    assert read.feature_names == ("a", "c")


def test_prediction_needs_no_target_and_ignores_an_incomplete_one(text_file):
    options = {"features": ["a"], "target": "y", "need_target": False}
    read = open_table(text_file("a,b\n1,2\n3,4\n"), **options)
    assert (read.y, read.target_name) == (None, None)
    read = open_table(text_file("a,y\n1,2\n3,\n"), **options)
    assert read.y is None
    assert "the target 'y' has missing values and is not used" in read.remarks
    assert open_table(text_file("a,y\n1,2\n3,4\n"), **options).y.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("row", "features", "target", "need_target", "expected"),
    [
        ("0,1,2,3", "123", "0", True, [1, 2, 3]),
        ("0,1,2,3", "123", "0", False, [1, 2, 3]),
        ("1,2,3", "123", "0", False, [1, 2, 3]),
        ("1,2,3,0", "012", "3", False, [1, 2, 3]),
        ("1,2,3", ["a", "b", "c"], "y", False, [1, 2, 3]),
        ("1,2,3,0", ["a", "b", "c"], None, True, [1, 2, 3]),
        ("0,1,9,3,4", "134", "0", False, [1, 3, 4]),
        ("1,3,4", "134", "0", False, [1, 3, 4]),
        ("0,1,3,4", "134", "0", True, [1, 3, 4]),
        ("0,1,2,3,4", "123", "0", False, "has 4 features, but the model was fitted with 3; drop the others"),
        ("0,1", "123", "0", False, "has 1 feature, but the model was fitted with 3; add what is missing"),
        ("1,2,3,0", ["a", "b", "c"], "y", False, "has 4 features, but the model was fitted with 3"),
        ("1,9,3,4", "134", "0", False, "has 4 features, but the model was fitted with 3"),
    ],
)
def test_features_of_a_model_in_a_table_without_header(text_file, row, features, target, need_target, expected):
    path = text_file(f"{row}\n{row}\n")
    options = {"features": list(features), "target": target, "need_target": need_target}
    if isinstance(expected, str):
        assert error_message(path, **options).startswith(expected)
        return
    read = open_table(path, **options)
    np.testing.assert_array_equal(read.X, [expected] * 2)
    assert read.feature_names == tuple(features)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_threads_of_pyarrow_call_nothing_written_in_python(suffix, tmp_path, monkeypatch):
    """They outlive an error: such a call while the interpreter ends aborts the process, in one run of twenty."""
    calls = []

    def read_csv(stream, read, parsing, convert):
        calls.append((type(stream), parsing.invalid_row_handler is not None and read.use_threads))
        return whole(stream, read, parsing, convert)

    def open_csv(stream, read, parsing, convert):
        calls.append((type(stream), parsing.invalid_row_handler is not None))
        return in_blocks(stream, read, parsing, convert)

    whole, in_blocks = csv.read_csv, csv.open_csv
    monkeypatch.setattr(csv, "read_csv", read_csv)
    monkeypatch.setattr(csv, "open_csv", open_csv)
    text = b"a,y\n1,2\n  \n3,4\n"
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(gzip.compress(text) if suffix == "csv.gz" else text)
    np.testing.assert_array_equal(open_table(path).X, [[1], [3]])
    # By blocks, as a whole, without its line of blanks, and of the target's own text.
    assert len(calls) == 4
    assert not any(issubclass(stream, pa.PythonFile) or calls_back for stream, calls_back in calls)


def test_error_about_damaged_compression(text_file, rng):
    text = "a,y\n" + "".join(f"{u},{v}\n" for u, v in rng.normal(size=(5000, 2)))
    path = text_file(text, "data.csv.gz")
    path.write_bytes(path.read_bytes()[:-5000])
    assert re.search("is truncated", error_message(path))
    path.write_bytes(b"a,y\n1,2\n")
    assert error_message(path).startswith("is not a gzip file, despite its name; rename it or compress it again")
