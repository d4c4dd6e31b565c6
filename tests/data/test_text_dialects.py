"""Text tables as people have them: what is found out about each, and the sentence about those that are not clear."""

from __future__ import annotations

import bz2
import gzip
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from helpers.table_files import error_message

import fastgd
from fastgd.data.readers.kept_columns import kept_columns
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.readers.read_columns import read_columns
from fastgd.wording import offering, speaking_in_flags

pytestmark = pytest.mark.plain_python


class Read(NamedTuple):
    """What a file holds: its features by name, its target, and a part of a remark."""

    features: dict[str, list[float]]
    y: list[Any]
    remark: str = ""


X1, XA = {"a": [1, 3]}, {"a": [1, 4], "b": [2, 5]}
TWO_ROWS = Read(X1, [2, 5])
READ = {
    "byte order mark": (b"\xef\xbb\xbfa,y\n1,2\n3,5\n", TWO_ROWS),
    "byte order mark and quotes": (b'\xef\xbb\xbf"a","y"\r\n"1","2"\r\n"3","5"\r\n', TWO_ROWS),
    "UTF-16": ("a,y\n1,2\n3,5\n".encode("utf-16"), TWO_ROWS._replace(remark="the file is UTF-16 text")),
    "UTF-16 without mark": ("a,y\n1,2\n3,5\n".encode("utf-16-be"), TWO_ROWS._replace(remark="taken as UTF-16-BE")),
    "UTF-32": ("a,y\n1,2\n3,5\n".encode("utf-32"), TWO_ROWS._replace(remark="the file is UTF-32 text")),
    "Latin-1 header": (
        "größe,y\n1,2\n3,5\n".encode("latin-1"), Read({"größe": [1, 3]}, [2, 5], "taken as Western European text"),
    ),
    "Latin-1 labels": (
        "a,y\n1,süß\n3,sauer\n".encode("latin-1"), Read(X1, ["süß", "sauer"], "(encoding=...) says otherwise"),
    ),
    "semicolons": (b"a;b;y\n1;2;3.25\n4;5;7\n", Read(XA, [3.25, 7], "fields are separated by semicolons")),
    "semicolons and decimal commas": (
        b"a;b;y\n1,5;2;3,25\n4,5;5;7\n", Read({"a": [1.5, 4.5], "b": [2, 5]}, [3.25, 7], "the decimal mark ','"),
    ),
    "decimal commas without header": (
        b"1,5;2,5\n3,5;4,5\n6,5;7,5\n", Read({"0": [1.5, 3.5, 6.5]}, [2.5, 4.5, 7.5], "separated by semicolons"),
    ),
    "points between thousands": (
        b"a;y\n1.234,5;2\n12;5\n", Read({"a": [1234.5, 12]}, [2, 5], "'.' between thousands"),
    ),
    "tabs in .csv": (b"a\tb\ty\n1\t2\t3\n4\t5\t6\n", Read(XA, [3, 6], "fields are separated by tabs")),
    "commas in .tsv": (b"a,b,y\n1,2,3\n4,5,6\n", Read(XA, [3, 6], "fields are separated by commas")),
    "vertical bars": (b"a|b|y\n1|2|3\n4|5|6\n", Read(XA, [3, 6], "fields are separated by vertical bars")),
    "blanks": (b"a b y\n1 2 3\n4 5 6\n", Read(XA, [3, 6], "fields are separated by blanks")),
    "many blanks in .txt": (
        b"1.0  2.0   3.0\n 4.0\t5.0   6.0 \n", Read({"0": [1, 4], "1": [2, 5]}, [3, 6], "separated by blanks"),
    ),
    "blanks in quotes": (
        b'a  "b  c"  y\n1  2  "u  v"\n4  5  w\n', Read({"a": [1, 4], "b  c": [2, 5]}, ["u  v", "w"]),
    ),
    "line for Excel": (b"sep=;\na;y\n1;2\n3;5\n", TWO_ROWS),
    "commas between thousands": (
        b'a,y\n"1,234.50",5\n"2,345,678.25",6\n12,7\n',
        Read({"a": [1234.5, 2345678.25, 12]}, [5, 6, 7], "',' between thousands"),
    ),
    "comments first": (b"# made by x\n# units m\na,y\n1,2\n3,5\n", TWO_ROWS._replace(remark="2 lines at the begin")),
    "header of numpy": (b"# a,y\n1,2\n3,5\n", TWO_ROWS._replace(remark="line 1, after '#', is the header")),
    "column called #": (b"#,a,y\n7,1,2\n8,3,5\n", Read({"#": [7, 8], "a": [1, 3]}, [2, 5])),
    "blanks in the header": (b" a , y \n 1 , 2 \n 3 , 5 \n", TWO_ROWS),
    "line end in a name": (b'"area\n(m2)",y\n1,5\n2,6\n', Read({"area\n(m2)": [1, 2]}, [5, 6])),
    "comma at the end": (
        b"a,y,\n1,2,\n3,5,\n", TWO_ROWS._replace(remark="the last column has no name and no values; it is left out"),
    ),
    "nameless row numbers": (
        b",a,y\n0,1,2\n1,3,5\n2,4,9\n", Read({"a": [1, 3, 4]}, [2, 5, 9], "counts the rows; it is left out"),
    ),
    "blank lines": (b"a,y\n\n1,2\n\n3,5\n\n\n", TWO_ROWS),
    "lines of an old Mac": (b"a,y\r1,2\r3,5\r", TWO_ROWS),
    "end mark of DOS": (b"a,y\n1,2\n3,5\n\x1a", TWO_ROWS),
    "no header": (b"1,2,3\n4,5,7\n8,9,1\n", Read({"0": [1, 4, 8], "1": [2, 5, 9]}, [3, 7, 1])),
    "no header, labels": (
        b"5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.9,virginica\n",
        Read({"0": [5.1, 4.9, 6.1], "1": [3.5, 3.0, 2.9]}, ["setosa", "setosa", "virginica"], "is taken as a row"),
    ),
    "years in the first line": (
        b"2019,2020,2021\n1,2,3\n4,5,6\n",
        Read({"0": [2019, 1, 4], "1": [2020, 2, 5]}, [2021, 3, 6], "text=TextFormat(header=True) says otherwise"),
    ),
    "booleans": (b"a,y\n1,True\n2,False\n4,FALSE\n", Read({"a": [1, 2, 4]}, [True, False, False])),
    "words": (b"a,b,y\nyes,1,2\nno,2,5\n", Read({"a=no": [0, 1], "a=yes": [1, 0], "b": [1, 2]}, [2, 5])),
    "dates": (b"d,a,y\n1970-01-03,1,2\n1970-02-01,3,5\n", Read({"d": [2, 31], "a": [1, 3]}, [2, 5], "d: days since")),
    "gzip by content": (gzip.compress(b"a,y\n1,2\n3,5\n"), TWO_ROWS._replace(remark="compressed (gzip), which its")),
}  # fmt: skip
SUFFIXES = {"commas in .tsv": ".tsv", "many blanks in .txt": ".txt"}


@pytest.fixture
def text_file(tmp_path):
    def write(content: bytes, suffix: str = ".csv"):
        path = tmp_path / f"data{suffix}"
        path.write_bytes(content)
        return path

    return write


def check(table, expected: Read):
    assert table.feature_names == tuple(expected.features)
    np.testing.assert_allclose(table.X, np.column_stack(list(expected.features.values())), rtol=1e-15)
    assert table.y.tolist() == expected.y
    assert expected.remark in " / ".join(table.remarks)


@pytest.mark.parametrize("name", READ)
def test_text_is_read(name, text_file):
    content, expected = READ[name]
    check(open_table(text_file(content, SUFFIXES.get(name, ".csv"))), expected)


REFUSED = {
    "decimal comma in quotes": (
        b'a,y\n"1,5",5\n"2,25",6\n', "line 2, column 'a': '1,5' is not a number; it has a decimal comma: say so with "
        "text=TextFormat(decimal=',')",
    ),
    "one comma": (
        b'a,y\n"1,500",5\n"2,250",6\n', "line 2, column 'a': '1,500' is not a number; it has a comma, between "
        "thousands or as the decimal mark: say so with text=TextFormat(thousands=','), or text=TextFormat(decimal=',')",
    ),
    "percent": (b"a,y\n12%,2\n13%,5\n", "line 2, column 'a': '12%' is not a number; it has a percent sign"),
    "currency": (b"a,y\n$1200,2\n$1300.50,5\n", "line 2, column 'a': '$1200' is not a number; it has a currency sign"),
    "accounts": (b'a,y\n"(1,200)",2\n"3",5\n', "line 2, column 'a': '(1,200)' is not a number; it has parentheses"),
    "byte 0": (b"a,y\n1,2\n\x003,5\n", "line 3 has a byte 0, which is not text"),
    "minus sign": ("a,y\n\u22121.5,2\n3,5\n".encode(), "line 2, column 'a': '\u22121.5' is not a number; it has a"),
    "no-break space": (
        "a,y\n1\xa0234,2\n3,5\n".encode(), r"line 2, column 'a': '1\xa0234' is not a number; it has blanks between",
    ),
    "single quotes": (
        b"a,y\n'1',2\n'3',5\n", "line 2, column 'a': \"'1'\" is not a number; it has single quotes: say so with "
        "text=TextFormat(quote=\"'\")",
    ),
    "target": (b"a,y\n1,12%\n2,13%\n", "line 2, target 'y': '12%' is not a number; it has a percent sign"),
    "names twice": (b"a,a,y\n1,2,3\n4,5,7\n", "the header has 'a' more than once; rename these columns, or if it"),
    "header only": (b"a,b,y\n", "has a header but no rows"),
    "empty": (b"", "is empty (0 bytes)"),
    "question mark": (
        b"a,y\n1,2\n?,5\n4,6\n", "line 3, column 'a': '?' is not a number; if '?' marks a missing value, say so with "
        "text=TextFormat(na_values=['?'])",
    ),
    "N/A": (b"a,y\n1,2\nN/A,5\n4,6\n", "1 missing value, the first in line 3, column 'a'"),
    "label missing": (b"a,y\n1,cat\n2,\n3,dog\n", "1 missing value in the target 'y', the first in line 3"),
    "zip file": (b"PK\x03\x04abc", "is an Excel or zip file, not text"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a file of an old Excel (.xls), not text"),
    "Parquet": (b"PAR1\x15\x04", "is a Parquet file; name it .parquet"),
    "web page": (b"<!DOCTYPE html><html>404</html>\n", "is a web page, not a table"),
    "XML": (b"<?xml version='1.0'?><a/>\n", "is XML, not a table"),
    "long row": (b"a,b,y\n1,2,3\n4,5,6,7\n8,9,1\n", "line 3 has 4 fields where the header has 3"),
    "large number": (b"a,y\n1e400,2\n1,5\n", "1 infinite value, the first in line 2, column 'a'"),
    "exponent of Fortran": (b"a,y\n1.5D3,2\n2d2,5\n", "line 2, column 'a': '1.5D3' is not a number; it has the exp"),
    "underscores": (
        b"a,y\n1_000,2\n2_000,5\n", "line 2, column 'a': '1_000' is not a number; it has underscores between "
        "thousands: say so with text=TextFormat(thousands='_')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_error_names_the_place_and_what_to_do(name, text_file):
    content, expected = REFUSED[name]
    assert error_message(text_file(content)).startswith(expected)


SAID = {
    "decimal": (b'a,y\n"1,5",2\n"2,25",5\n', {"decimal": ","}, Read({"a": [1.5, 2.25]}, [2, 5])),
    "target's decimal": (b'y,a\n"1,5",2\n"2,25",5\n', {"decimal": ","}, Read({"a": [2, 5]}, [1.5, 2.25])),
    "thousands": (b'a,y\n"1,500", 2\n"-2,250",5\n', {"thousands": ","}, Read({"a": [1500, -2250]}, [2, 5])),
    "target's thousands": (b'y,a\n"1,500",2\n 3,5\n', {"thousands": ","}, Read({"a": [2, 5]}, [1500, 3])),
    "both": (b"a;y\n 1.500,5 ;2\n1.000;5\n", {"decimal": ",", "thousands": "."}, Read({"a": [1500.5, 1000]}, [2, 5])),
    "points only": (b"a;y\n1.500;2\n1.000;5\n", {"thousands": "."}, Read({"a": [1500, 1000]}, [2, 5])),
    "no-break space": (
        "a,y\n1\xa0234,2\n3,5\n".encode(), {"thousands": "\xa0"}, Read({"a": [1234, 3]}, [2, 5]),
    ),
    "no thousands": (
        b'a,y\n"1,234",u\n"1,234",v\n', {"thousands": "none", "decimal": "."}, "line 2, column 'a': '1,234'",
    ),
    "separator": (b"a:y\n1:2\n3:5\n", {"separator": ":"}, TWO_ROWS),
    "tab": (b"a\ty\n1\t2\n3\t5\n", {"separator": "tab"}, TWO_ROWS),
    "quote": (b"a,y\n'1',2\n'3','5'\n", {"quote": "'"}, TWO_ROWS),
    "no quote": (b'a,y\n1,"u\n3,v"\n', {"quote": "none"}, Read(X1, ['"u', 'v"'])),
    "comments": (b"% x\na,y\n1,2\n%,,,\n3,5\n  % z\n", {"comment": "%"}, TWO_ROWS),
    "encoding": ("ы,y\n1,2\n3,5\n".encode("cp1251"), {"encoding": "cp1251"}, Read({"ы": [1, 3]}, [2, 5])),
    "header of numbers": (b"2019,2020\n1,2\n3,5\n", {"header": True}, Read({"2019": [1, 3]}, [2, 5])),
    "no header of words": (b"u,v\nw,x\n", {"header": False}, Read({"0=u": [1, 0], "0=w": [0, 1]}, ["v", "x"])),
    "marks": (b"a,b,y\n1,2,u\n ? ,-9,v\n4,5,-\n", {"na_values": ["?", "-9", "-"]}, "2 missing values, the first"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_text_is_read_as_the_user_says(name, text_file):
    content, said, expected = SAID[name]
    path, text = text_file(content), fastgd.TextFormat(**said)
    target = 0 if name.startswith("target's") else None
    if isinstance(expected, str):
        assert error_message(path, text=text).startswith(expected)
    else:
        check(open_table(path, text=text, target=target), expected)


def test_marks_of_missing_values_in_every_kind_of_column(text_file):
    path = text_file(b"n,w,y\n1,u,1\n?,v,2\n-9, ? ,3\n4,u,?\n")
    text = fastgd.TextFormat(na_values=["?", "-9"])
    message = error_message(path, text=text, target="w", drop=["y"])
    assert message.startswith("2 missing values, the first in line 3, column 'n'")
    filled = open_table(path, text=text, target="y", need_target=False, columns=fastgd.Columns(missing="median"))
    assert filled.feature_names == ("n", "w=u", "w=v")
    np.testing.assert_array_equal(filled.X, [[1, 1, 0], [2.5, 0, 1], [2.5, 1, 0], [4, 1, 0]])


def test_whole_numbers_beyond_floating_point_get_a_remark(text_file):
    rows = "".join(f"{72048431380967004 + k},{k * k % 7},{k % 5}\n" for k in range(12))
    remarks = open_table(text_file(("id,a,y\n" + rows).encode())).remarks
    assert any("the column 'id' has whole numbers beyond 2^53" in text for text in remarks)


def test_lines_are_counted_with_comments_and_compression(text_file):
    path = text_file(bz2.compress(b"# x\n\na;y\n1;2\n# mid\n\n5;6\n7;8\nabc;9\n"), ".csv.bz2")
    assert error_message(path, text=fastgd.TextFormat(comment="#")).startswith("line 9, column 'a': 'abc'")


@pytest.mark.parametrize("suffix", [".csv.bz2", ".csv.zst", ".tsv.zst", ".svm.zst", ".jsonl.bz2"])
def test_compressed_text(suffix, text_file):
    content = {
        ".svm": b"2 1:1\n5 1:3\n",
        ".jso": b'{"a": 1, "y": 2}\n{"a": 3, "y": 5}\n',
        ".tsv": b"a\ty\n1\t2\n3\t5\n",
    }
    text = content.get(suffix[:4], b"a,y\n1,2\n3,5\n")
    packed = bz2.compress(text) if suffix.endswith("bz2") else pa.compress(text, codec="zstd", asbytes=True)
    path = text_file(packed, suffix)
    table = open_table(path)
    np.testing.assert_array_equal(table.X @ np.ones(1), [1, 3])
    assert table.y.tolist() == [2, 5]
    path.write_bytes(packed[:-6])
    assert "truncated" in error_message(path) or "damaged" in error_message(path)
    path.write_bytes(text)
    assert "as its name says" in error_message(path)


def test_text_that_expands_too_much(text_file, monkeypatch):
    monkeypatch.setattr("fastgd.data.expansion.FREE_BYTES", 10_000)
    for suffix, pack in (
        (".csv.bz2", bz2.compress),
        (".csv.zst", lambda text: pa.compress(text, "zstd", asbytes=True)),
    ):
        path = text_file(pack(b"a,y\n" + b"1,2\n" * 200_000), suffix)
        assert "expands from" in error_message(path)


def test_kept_columns_and_curves_have_the_same_format(text_file):
    path = text_file("größe;id\n1,5;007\n2,5;x\n".encode("latin-1"))
    kept = kept_columns(str(path), None)
    assert {name: column.to_pylist() for name, column in kept.items()} == {"größe": [1.5, 2.5], "id": ["007", "x"]}
    np.testing.assert_array_equal(read_columns(path)["größe"], [1.5, 2.5])
    marked = kept_columns(str(path), ["größe"], fastgd.TextFormat(na_values=["1,5"]))
    assert marked["größe"].to_pylist()[1] in (2.5, "2,5")


def test_words_that_look_like_numbers_can_stay_words(text_file):
    path = text_file(b"p,a,y\n555 123 456,1,2\n666 234 567,3,5\n")
    assert "take it as words with columns=Columns(categorical=['p']), or leave" in error_message(path)
    with speaking_in_flags():
        assert "take it as words with --categorical p, or leave" in error_message(path)
    table = open_table(path, columns=fastgd.Columns(categorical=["p"]))
    assert table.feature_names == ("p=555 123 456", "p=666 234 567", "a")
    again = open_table(path, columns=table.encoder, target="y")
    np.testing.assert_array_equal(again.X, table.X)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"separator": ";;"}, "separator"), ({"separator": ""}, "separator"), ({"decimal": "1"}, "decimal"),
        ({"thousands": "+"}, "thousands"), ({"decimal": ",", "thousands": ","}, "thousands"),
        ({"quote": "''"}, "quote"),
        ({"separator": ";", "comment": ";"}, "comment"), ({"encoding": "utf-99"}, "encoding"),
        ({"encoding": "base64"}, "encoding"), ({"header": "yes"}, "header"), ({"na_values": "?"}, "na_values"),
        ({"separator": "\n"}, "separator"), ({"separator": "é"}, "separator"),
    ],
)  # fmt: skip
def test_error_about_a_format(said, name):
    with pytest.raises(fastgd.OptionError, match=name):
        fastgd.TextFormat(**said)


def test_a_format_is_for_text(tmp_path):
    with pytest.raises(fastgd.OptionError, match="separator is for text files such as"):
        fastgd.open("linear", text=fastgd.TextFormat(separator=";"))
    with pytest.raises(fastgd.OptionError, match="not dict"):
        fastgd.open("linear", text={})


def test_messages_speak_in_the_flags_that_a_command_has(text_file):
    path = text_file(b"a,y\n1,2\n?,5\n4,6\n")
    with speaking_in_flags(), offering({"--na-values", "--drop"}):
        assert "say so with --na-values '?', or leave the column out with --drop" in error_message(path)
    with speaking_in_flags(), offering({"--drop"}):
        assert "na-values" not in error_message(path)
    with speaking_in_flags(), offering({"--separator"}):
        assert error_message(text_file(b"a\tb\n1\t2\t3\n")).endswith("say so with --separator tab")
