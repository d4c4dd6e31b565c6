"""Arrow data whose offsets, indices or text are not valid: one sentence, before pyarrow's functions follow them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from helpers.table_files import error_message, write_arrow

import fastgd
from fastgd import DataError
from fastgd.data.readers.read_columns import read_columns

FAR = 2_000_000_000
X, Y = np.arange(3.0)[:, None], [1.0, 3.0, 2.0]


def array(kind, offsets, *parts, **children):
    return pa.Array.from_buffers(
        kind, 3, [None, pa.py_buffer(np.int32(offsets)), *map(pa.py_buffer, parts)], **children
    )


def coded(words):
    return pa.DictionaryArray.from_arrays(pa.array(np.int32([0, 1, FAR])), pa.array(words), safe=False)


DAMAGED = {
    "text": array(pa.string(), [0, FAR, 2, 3], b"abc"),
    "text that is not UTF-8": array(pa.string(), [0, 1, 2, 3], b"a\xffc"),
    "words by index": coded(["a", "b"]),
    "numbers by index": coded([1.5, 2.5]),
    "lists": array(pa.list_(pa.float64()), [0, FAR, 2, 3], children=[pa.array([1.0, 2.0, 3.0])]),
}
each_damage = pytest.mark.parametrize("damage", DAMAGED)
INVALID = "is damaged: its offsets, indices or text are not valid Arrow data; "


@each_damage
@pytest.mark.parametrize("suffix", ["arrow", "feather"])
def test_error_names_the_damaged_column_of_a_file(damage, suffix, tmp_path):
    path = tmp_path / f"data.{suffix}"
    for columns in ({"x": Y, "b": DAMAGED[damage]}, {"b": DAMAGED[damage], "x": Y}):  # as target, as feature
        write_arrow(path, pa.table(columns))
        assert error_message(path) == f"column 'b' {INVALID}write it again"
        with pytest.raises(DataError, match="column 'b' is damaged"):
            read_columns(path)


@each_damage
def test_a_damaged_column_that_is_left_out_does_no_harm(damage, tmp_path):
    write_arrow(tmp_path / "data.arrow", pa.table({"x": Y, "b": DAMAGED[damage], "y": Y}))
    np.testing.assert_array_equal(fastgd.open(tmp_path / "data.arrow", drop=["b"]).X.ravel(), Y)


@each_damage
@pytest.mark.parametrize("whole", [False, True], ids=["array", "chunked array"])
def test_error_about_damaged_arrays_in_memory(damage, whole):
    column = pa.chunked_array([DAMAGED[damage]]) if whole else DAMAGED[damage]
    table = pa.table({"b": column})
    model = fastgd.fit(X, Y, max_epochs=1)
    doors = {
        "y: column 'y' ": lambda: fastgd.fit(X, column),
        "X: column 'X' ": lambda: fastgd.fit(column, Y),
        "sample_weight: column 'sample_weight' ": lambda: fastgd.fit(X, Y, sample_weight=column),
        "offset: column 'offset' ": lambda: fastgd.fit(X, Y, offset=column),
        "the table: column 'b' ": lambda: fastgd.fit(table, Y),
        "the table: column 'b'": lambda: model.predict(table),
        "the table: column": lambda: fastgd.open(pa.table({"b": column, "y": Y})),
        "the validation set: the table: column 'b' ": lambda: fastgd.fit(X, Y, validation=(table, Y)),
        "the validation set: y: column 'y' ": lambda: fastgd.fit(X, Y, validation=(X, column)),
    }
    for start, call in doors.items():
        with pytest.raises(DataError) as caught:
            call()
        assert str(caught.value).startswith(start)
        assert str(caught.value).endswith(f"{INVALID}make it again")


@pytest.mark.parametrize("form", [pa.array, lambda values: pa.chunked_array([values[:1], values[1:]]), pl.Series])
def test_valid_arrays_are_taken(form):
    weighted = fastgd.fit(X, form(Y), sample_weight=form([1.0, 2.0, 1.0]), max_epochs=3)
    np.testing.assert_array_equal(weighted.coef, fastgd.fit(X, Y, sample_weight=[1, 2, 1], max_epochs=3).coef)
