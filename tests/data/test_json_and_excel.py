"""JSON lines and Excel sheets, and their error messages."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.excel import excel_bytes
from helpers.table_files import error_message

import fastgd
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.writers.write_table import write_columns

pytestmark = pytest.mark.plain_python


def json_file(tmp_path, text: str):
    path = tmp_path / "data.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def test_json_lines(tmp_path):
    text = '{"n": 1, "b": true, "w": "u", "y": 2.5}\n\n{"y": 3, "w": "v", "b": false, "n": 2}\n'
    table = open_table(json_file(tmp_path, text))
    assert table.feature_names == ("n", "b", "w=u", "w=v")
    np.testing.assert_array_equal(table.X, [[1, 1, 1, 0], [2, 0, 0, 1]])
    assert table.y.tolist() == [2.5, 3.0]


def test_what_is_written_as_json_lines_is_read(tmp_path, rng):
    values = rng.normal(size=(20, 2))
    path = tmp_path / "data.jsonl"
    write_columns(path, {"a": values[:, 0], "y": values[:, 1]})
    np.testing.assert_array_equal(open_table(path).X[:, 0], values[:, 0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "y": 2}\n\n{"a": 3, "y" 5}\n', "line 3, character 14: is not JSON (Expecting ':' delimiter)"),
        ('{"a": 1, "y": 2}\n{"a": "x", "y": 5}\n', "line 2, key 'a': 'x' is not of the kind of the values before"),
        ('{"a": 1, "y": 2}\n[3, 4]\n', 'line 2 is not an object such as {"a": 1}'),
        ('[\n{"a": 1}\n]\n', "line 1 begins a JSON document of many lines"),
        ('{"a": 1, "y": 2}\n\n{"y": 5}\n', "1 missing value, the first in line 3, column 'a'"),
        ('{"a": [1], "y": 2}\n{"a": [2], "y": 5}\n', "line 1, column 'a': '[1]' is not a number"),
        ('{"a": 1, "y": 2}\n{"a": 1, "y": "\udce9"}\n', "line 2 is not UTF-8 text (byte 0xe9)"),
        ("", "is empty (0 bytes)"),
        ("\n\n", "has no rows with values"),
    ],
)
def test_error_names_the_line_of_json(tmp_path, text, expected):
    assert error_message(json_file(tmp_path, text)).startswith(expected)


def test_marks_of_missing_values_in_json(tmp_path):
    path = json_file(tmp_path, '{"a": "?", "n": 1, "y": 2}\n{"a": "3", "n": -9, "y": 5}\n')
    text = fastgd.TextFormat(na_values=["?", "-9"])
    table = open_table(path, text=text, columns=fastgd.Columns(missing="zero"))
    np.testing.assert_array_equal(table.X, [[0, 1], [3, 0]])


def excel_file(tmp_path, rows, sheets=("data",)):
    path = tmp_path / "data.xlsx"
    path.write_bytes(excel_bytes(rows, sheets))
    return path


def test_excel_sheet(tmp_path):
    rows = [["n", "w", "b", "y"], [1, "u", True, 2.5], [None, None, None, None], [2, "v", False, 3]]
    table = open_table(excel_file(tmp_path, rows, ("data", "notes")))
    assert table.feature_names == ("n", "w=u", "w=v", "b")
    np.testing.assert_array_equal(table.X, [[1, 1, 0, 1], [2, 0, 1, 0]])
    assert table.y.tolist() == [2.5, 3.0]
    assert "of 2 sheets the first, 'data', is read" in table.remarks


def test_excel_sheet_without_header_and_with_marks(tmp_path):
    path = excel_file(tmp_path, [[1, 2], ["?", 5], [3, 7]])
    message = error_message(path, text=fastgd.TextFormat(na_values=["?"]))
    assert message.startswith("1 missing value, the first in row 2 of the sheet, column '0'")
    with_header = open_table(excel_file(tmp_path, [[2019, 2020], [3, 5]]), text=fastgd.TextFormat(header=True))
    assert (with_header.feature_names, with_header.target_name) == (("2019",), "2020")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "its sheet 'data' is empty"),
        ([["a", "y"]], "its sheet 'data' has a header but no rows"),
        ([["a", "a"], [1, 2]], "the header has 'a' more than once"),
        ([["a", "y"], [1, 2], [None, None], ["x", 3], [4, 5]], "row 4 of the sheet, column 'a': 'x' is not a number"),
    ],
)
def test_error_names_the_row_of_the_sheet(tmp_path, rows, expected):
    assert error_message(excel_file(tmp_path, rows)).startswith(expected)


def test_error_about_a_damaged_sheet(tmp_path, monkeypatch):
    path = excel_file(tmp_path, [["a", "y"], [1, 2]])
    path.write_bytes(path.read_bytes()[:-100])
    assert error_message(path).startswith("is not a complete .xlsx file")
    path = excel_file(tmp_path, [["a", "y"], *[[1, 2]] * 5000])
    monkeypatch.setattr("fastgd.data.expansion.FREE_BYTES", 1000)
    monkeypatch.setattr("fastgd.data.expansion.LARGEST_RATIO", 5)
    assert "expands from" in error_message(path)
