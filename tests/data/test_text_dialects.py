"""Text tables as people have them: read, and said where it is not usual; or one sentence about what is wrong.

The target is the last column throughout.
"""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pyarrow as pa
import pytest
from helpers.table_files import error_message
from helpers.workbooks import workbook

import fastgd
from fastgd import TextFormat
from fastgd.data.readers.kept_columns import kept_columns
from fastgd.data.readers.open_table import open as open_table
from fastgd.wording import speaking_in_flags

pytestmark = pytest.mark.plain_python


@pytest.fixture
def file(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# Name, content, names of the features, X, y, and a part of a remark, which is empty where there is nothing to say.
READ = [
    ("byte order mark", "\ufeffa,y\n1,2\n4,7\n", ["a"], [[1], [4]], [2, 7], ""),
    ("byte order mark and quotes", '\ufeff"a","y"\r\n"1","2"\r\n"4","7"\r\n', ["a"], [[1], [4]], [2, 7], ""),
    ("utf-16", "a,y\n1,2\n3,4\n".encode("utf-16"), ["a"], [[1], [3]], [2, 4], ""),
    ("latin-1 in the header", "größe,y\n1,2\n3,5\n".encode("latin-1"), ["größe"], [[1], [3]], [2, 5], "read as cp1252"),
    ("latin-1 in a label", "a,y\n1,süß\n3,sauer\n".encode("latin-1"), ["a"], [[1], [3]], ["süß", "sauer"], "0xfc"),
    ("windows quotes", "a,y\n1,“x”\n3,z\n".encode("cp1252"), ["a"], [[1], [3]], ["“x”", "z"], "read as cp1252"),
    ("semicolons", "a;b;y\n1.5;2;3.25\n4.5;5;7\n", ["a", "b"], [[1.5, 2], [4.5, 5]], [3.25, 7], "by semicolons"),
    ("decimal commas", "a;b;y\n1,5;2;3,25\n4,5;5;7\n", ["a", "b"], [[1.5, 2], [4.5, 5]], [3.25, 7], "decimal mark"),
    ("tabs", "a\tb\ty\n1\t2\t3\n4\t5\t6\n", ["a", "b"], [[1, 2], [4, 5]], [3, 6], "separated by tabs"),
    ("tabs and decimal commas", "a\ty\n0,5\t3\n4,25\t6\n", ["a"], [[0.5], [4.25]], [3, 6], "decimal mark"),
    ("vertical bars", "a|b|y\n1|2|3\n4|5|6\n", ["a", "b"], [[1, 2], [4, 5]], [3, 6], "by vertical bars"),
    ("blanks", "a b y\n1 2 3\n4 5 6\n", ["a", "b"], [[1, 2], [4, 5]], [3, 6], "separated by blanks"),
    ("aligned by blanks", " a   b  y\n 1.0  2  3\n40.0 15  6 \n", ["a", "b"], [[1, 2], [40, 15]], [3, 6], "by blanks"),
    ("Excel's separator line", "sep=;\na;y\n1;2\n3;5\n", ["a"], [[1], [3]], [2, 5], ""),
    ("comments above", "# by x\n# in m\na,y\n1,2\n3,5\n", ["a"], [[1], [3]], [2, 5], "2 lines of comments"),
    ("NumPy's header", "# a,y\n1,2\n3,5\n", ["a"], [[1], [3]], [2, 5], ""),
    ("blanks around", " a , y \n 1 , 2 \n 3 , 5 \n", ["a"], [[1], [3]], [2, 5], ""),
    ("line end in a name", '"area\n(m2)",y\n1,5\n2,6\n', ["area\n(m2)"], [[1], [2]], [5, 6], ""),
    ("trailing comma", "a,y,\n1,2,\n4,7,\n", ["a"], [[1], [4]], [2, 7], "column 3 has neither a name nor values"),
    ("nameless index", ",a,y\n0,1,2\n1,3,5\n2,4,9\n", ["a"], [[1], [3], [4]], [2, 5, 9], "counts the rows; it is left"),
    ("blank lines", "a,y\n\n1,2\n\n3,5\n\n\n", ["a"], [[1], [3]], [2, 5], ""),
    ("old Mac", "a,y\r1,2\r3,5\r", ["a"], [[1], [3]], [2, 5], ""),
    ("end mark of DOS", "a,y\n1,2\n3,5\n\x1a", ["a"], [[1], [3]], [2, 5], ""),
    ("no header", "7,2,3\n4,5,7\n8,9,1\n", ["0", "1"], [[7, 2], [4, 5], [8, 9]], [3, 7, 1], ""),
    ("years", "2019,2020\n1,2\n4,5\n", ["0"], [[2019], [1], [4]], [2020, 2, 5], "not taken as the header (--header if"),
    (
        "numbers and a label",
        "5.1,3.5,b\n4.9,3.0,b\n6,2,v\n",
        ["5.1", "3.5"],
        [[4.9, 3], [6, 2]],
        ["b", "v"],
        "--no-header",
    ),
    ("booleans", "a,y\n1,True\n2,False\n3,FALSE\n", ["a"], [[1], [2], [3]], [True, False, False], ""),
    ("dates", "d,a,y\n1970-01-02,1,2\n1970-01-05,3,5\n", ["d", "a"], [[1, 1], [4, 3]], [2, 5], "d: days since 1970"),
    ("gzip by content", gzip.compress(b"a,y\n1,2\n3,5\n"), ["a"], [[1], [3]], [2, 5], ""),
    ("bzip2 by content", bz2.compress(b"a,y\n1,2\n3,5\n"), ["a"], [[1], [3]], [2, 5], ""),
]


@pytest.mark.parametrize(("content", "names", "X", "y", "said"), [case[1:] for case in READ], ids=[c[0] for c in READ])
def test_files_are_read_and_what_is_not_usual_is_said(file, content, names, X, y, said):
    with speaking_in_flags():
        table = open_table(file(content))
    assert list(table.feature_names) == names
    np.testing.assert_array_equal(table.X, X)
    assert table.y.tolist() == y
    other = [text for text in table.remarks if "the target is" not in text]
    assert any(said in text for text in other) if said else not other


def test_words_that_are_no_numbers_stay_words(file):
    table = open_table(file("a,b,y\nyes,1,2\nno,2,5\nyes,3,3\n"))
    assert table.feature_names == ("a=no", "a=yes", "b")


def test_whole_numbers_beyond_floating_point_get_a_remark(file):
    rows = "".join(f"{72048431380967004 + k},{k * k % 7},{k % 5}\n" for k in range(12))
    remarks = open_table(file("id,a,y\n" + rows)).remarks
    assert any("the column 'id' has whole numbers beyond 2^53" in text for text in remarks)


REFUSED = [
    ("thousands", 'a,y\n"1,234.50",5\n12,7\n', "line 2, column 'a': '1,234.50'", "--thousands ','"),
    ("thousands of spaces", "a,y\n1\xa0234,2\n3,5\n", "line 2, column 'a'", "--thousands"),
    ("decimal comma in quotes", 'a,y\n"1,5",5\n"2,25",6\n', "'1,5' is a number with decimal commas", "--decimal ','"),
    ("percent", "a,y\n12%,2\n13%,5\n", "'12%' is a number with percent signs", "remove them"),
    ("currency", "a,y\n5,1\n$1200,2\n$1300.50,5\n", "line 3, column 'a': '$1200'", "currency signs; remove"),
    ("accounting", 'a,y\n"(1,200)",2\n"3",5\n', "line 2, column 'a': '(1,200)'", "with a minus sign"),
    ("minus sign", "a,y\n\u22121.5,2\n3,5\n", "line 2, column 'a'", "write them with -"),
    ("single quotes", "a,y\n'1',2\n'3',5\n", "line 2, column 'a'", "--quote"),
    ("Fortran", "a,y\n1.5D3,2\n2d2,5\n", "line 2, column 'a': '1.5D3'", "write them with e"),
    ("underscores", "a,y\n1_000,2\n2_000,5\n", "line 2, column 'a': '1_000'", "--thousands"),
    ("zero byte", "a,y\n1,2\n\x003,5\n", "line 3, column 'a'", "is not a number"),
    ("twice", "a,a,y\n1,2,3\n", "the header has 'a' more than once", "rename"),
    ("header only", "a,b,y\n", "has a header but no rows", ""),
    ("empty", "", "is empty (0 bytes)", ""),
    ("question mark", "a,y\n1,2\n?,5\n4,6\n", "line 3, column 'a': '?' is not a number", "--na-values '?'"),
    ("N/A", "a,y\n1,2\nN/A,5\n4,6\n", "1 missing value, the first in line 3, column 'a'", "--missing"),
    ("no label", "a,y\n1,cat\n2,\n3,dog\n", "1 missing value in the target 'y', the first in line 3", ""),
    ("workbook", b"PK\x03\x04abc", "is an Excel workbook or a zip file", "name it .xlsx"),
    ("web page", "\n<!DOCTYPE html><html>404</html>\n", "is a web page", "download the table itself"),
    ("parquet", b"PAR1abc", "is a Parquet file", "name it .parquet"),
    ("a row too long", "a,b,y\n1,2,3\n4,5,6,7\n", "line 3 has 4 fields where the header has 3", ""),
    ("too large", "a,y\n1e400,2\n1,5\n", "1 infinite value, the first in line 2, column 'a'", ""),
    ("separator in some lines", "a;b;c\n1;2\n", "has one column, called 'a;b;c'; if ';' separates", "--separator ';'"),
]


@pytest.mark.parametrize(
    ("content", "what", "advice"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_one_sentence_says_what_is_wrong_and_what_to_do(file, content, what, advice):
    with speaking_in_flags():
        message = error_message(file(content))
    assert what in message
    assert advice in message


# --- What the format says ---------------------------------------------------------------------------------------------

NAMED = [
    ({"thousands": ","}, 'a,y\n"1,234.50",5\n"2,345,678.25",6\n12,7\n', [1234.5, 2345678.25, 12], [5, 6, 7]),
    ({"decimal": ","}, 'a,y\n"1,5",5\n"2,25",6\n', [1.5, 2.25], [5, 6]),
    ({"thousands": ".", "decimal": ",", "separator": ";"}, "a;y\n1.234,5;1\n2;3\n", [1234.5, 2], [1, 3]),
    ({"quote": "'"}, "a,y\n'1',2\n'3',5\n", [1, 3], [2, 5]),
    ({"comment": "%"}, "a,y\n%none\n1,2\n% 7,8\n3,5\n", [1, 3], [2, 5]),
    ({"header": False}, "1,b\n4,c\n", [1, 4], ["b", "c"]),
    ({"header": True}, "2019,2020\n1,2\n4,5\n", [1, 4], [2, 5]),
    ({"separator": "tab"}, "a,b\ty\n1\t2\n4\t5\n", [1, 4], [2, 5]),
    ({"separator": "~"}, "a~y\n1~2\n4~5\n", [1, 4], [2, 5]),
    ({"encoding": "cp437"}, "ä,y\n1,2\n4,5\n".encode("cp437"), [1, 4], [2, 5]),
]


@pytest.mark.parametrize(("text", "content", "x", "y"), NAMED, ids=["-".join(case[0]) for case in NAMED])
def test_what_the_format_says_is_used(file, text, content, x, y):
    table = open_table(file(content), text=TextFormat(**text))
    np.testing.assert_array_equal(table.X, np.array(x)[:, None])
    assert table.y.tolist() == y
    assert [text for text in table.remarks if "the target is" not in text] == []


def test_marks_of_missing_values(file):
    path = file("a,k,y\n1,u,2\n?,-,5\n4,u,6\n")
    columns = fastgd.Columns(missing="mean")
    table = open_table(path, text=TextFormat(na_values=["?", "-"]), columns=columns)
    assert table.feature_names == ("a", "k=u")
    np.testing.assert_array_equal(
        table.X.toarray() if hasattr(table.X, "toarray") else table.X, [[1, 1], [2.5, 1], [4, 1]]
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"separator": ";;"}, "separator is one character"),
        ({"decimal": ";"}, "decimal is . or ,"),
        ({"thousands": ",", "decimal": ","}, "decimal and thousands are both ','"),
        ({"encoding": "utf-9"}, "encoding has no 'utf-9'"),
        ({"encoding": "base64"}, "is not an encoding of text"),
        ({"comment": " "}, "comment is a text"),
        ({"na_values": "?"}, "na_values takes a list"),
    ],
)
def test_a_format_that_cannot_be_is_refused(options, told):
    with pytest.raises(fastgd.OptionError, match=told):
        TextFormat(**options)


def test_another_type_is_refused(file):
    with pytest.raises(fastgd.OptionError, match=r"text is a fastgd\.TextFormat, not str"):
        open_table(file("a,y\n1,2\n"), text=";")


def test_kept_columns_are_read_in_the_same_format(file):
    kept = kept_columns(str(file("id;x\n007;1,5\n012;2,5\n")), None, TextFormat(decimal=","))
    assert kept["id"].to_pylist() == ["007", "012"]
    assert kept["x"].to_pylist() == [1.5, 2.5]


# --- Other files of text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("data.csv.bz2", bz2.compress),
        ("data.csv.zst", lambda content: pa.Codec("zstd").compress(content, asbytes=True)),
        ("data.txt.gz", gzip.compress),
    ],
)
def test_compressed_text_is_read_and_damage_is_told(tmp_path, name, compress):
    path = tmp_path / name
    path.write_bytes(compress(b"a,y\n" + b"1,2\n3,4\n" * 500))
    assert open_table(path).X.shape == (1000, 1)
    path.write_bytes(path.read_bytes()[:-20])
    assert "truncated" in error_message(path)


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("bomb.csv.bz2", bz2.compress),
        ("bomb.csv.zst", lambda content: pa.Codec("zstd").compress(content, asbytes=True)),
    ],
)
def test_what_a_small_file_expands_to_is_bounded(tmp_path, name, compress):
    path = tmp_path / name
    path.write_bytes(compress(b"a,y\n" + b"1,2\n" * 20_000_000))
    assert error_message(path).startswith("expands from ")


def test_json_lines_are_read(file):
    table = open_table(file('{"a": 1, "k": "u", "y": 2.5}\n{"a": 3, "k": "v", "y": 4}\n', "data.jsonl"))
    assert table.feature_names == ("a", "k=u", "k=v")
    assert table.y.tolist() == [2.5, 4.0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": 1, "y": 2}\n{"a": 1, "y"\n', "line 2 is not a JSON object"),
        ('{"a": 1, "y": 2}\n{"a": "x", "y": 2}\n', "line 2 is not a JSON object as the lines before it"),
        ('{"a": [1], "y": 2}\n', "the field 'a' holds lists or objects"),
        ('{"a": null, "y": 2}\n{"a": 1, "y": 2}\n', "1 missing value, the first in line 1, column 'a'"),
    ],
)
def test_lines_that_are_not_json_are_named(file, content, told):
    assert error_message(file(content, "data.jsonl")).startswith(told)


def test_the_first_sheet_of_a_workbook_is_read(tmp_path):
    pytest.importorskip("python_calamine", reason="reads .xlsx")
    path = tmp_path / "data.xlsx"
    path.write_bytes(workbook([["a", "k", "y"], [1.5, "u", 2], [3.0, "v", 4]]))
    table = open_table(path)
    assert table.feature_names == ("a", "k=u", "k=v")
    assert table.y.tolist() == [2, 4]
    path.write_bytes(workbook([["a", "y"], [1.5, 2], ["", 4]]))
    assert error_message(path).startswith("1 missing value, the first in row 3 of the sheet, column 'a'")
    path.write_bytes(path.read_bytes()[:100])
    assert error_message(path).startswith("is not a complete .xlsx workbook")
