"""The readers of .npy, .npz, .parquet, .feather and .arrow files, and their error messages."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from helpers.table_files import error_message, write_arrow
from scipy import sparse

from fastgd.data.readers.open_table import open as open_table
from fastgd.errors import DataError

ARRAY = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def save(path, array, **arrays):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        np.savez(path, array, **arrays) if array is not None else np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (ARRAY, np.float64),
        (np.asfortranarray(ARRAY), np.float64),
        (ARRAY.astype(np.float32), np.float32),
        (ARRAY.astype(">f4"), np.float32),
        (ARRAY.astype(np.float16), np.float64),
        (ARRAY.astype(np.int8), np.float64),
        (ARRAY.astype(np.uint64), np.float64),
        (ARRAY > 2, np.float64),
    ],
)
@pytest.mark.parametrize(("target", "left"), [(None, [0, 1]), (0, [1, 2]), ("1", [0, 2])])
def test_npy_of_any_type_becomes_contiguous_floats(tmp_path, array, dtype, target, left):
    table = open_table(save(tmp_path / "data.npy", array), target=target)
    assert table.X.dtype == dtype
    assert table.X.dtype.isnative
    assert table.X.flags.c_contiguous
    assert not isinstance(table.X, np.memmap)
    np.testing.assert_array_equal(table.X, array[:, left])
    np.testing.assert_array_equal(table.y, array[:, ({0, 1, 2} - set(left)).pop()])
    assert table.feature_names == tuple(map(str, left))


def test_npy_without_target_is_read_into_memory(tmp_path):
    path = save(tmp_path / "data.npy", ARRAY)
    table = open_table(path, need_target=False)
    assert not isinstance(table.X.base, np.memmap)
    assert table.X.shape == (2, 3)
    path.unlink()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (ARRAY[0], r"the array has 1 dimension, shape \(3,\); it needs 2, with a row per sample"),
        (ARRAY[None], r"the array has 3 dimensions, shape \(1, 2, 3\)"),
        (ARRAY * 1j, r"holds complex numbers \(complex128\); keep the real part"),
        (ARRAY.astype(str), "holds values of type <U32, not numbers"),
        (ARRAY[:0], "has no rows"),
        (ARRAY[:, :0], "has no columns"),
        (ARRAY[:, :1], "no column is left for the features"),
        (
            np.where(ARRAY == 5, np.nan, ARRAY),
            r"1 missing value, the first in row 2 \(counted from 1\), column '1'; fill",
        ),
        (np.where(ARRAY == 4, np.inf, ARRAY), r"1 infinite value, the first in row 2 \(counted from 1\), column '0'"),
        (
            np.where(ARRAY == 6, np.nan, ARRAY),
            r"1 missing value in the target '2', the first in row 2 \(counted from 1\)",
        ),
        (np.array([[{}, 1]], object), "holds pickled Python objects, which are never loaded"),
    ],
)
def test_error_about_a_bad_npy(tmp_path, array, expected):
    with pytest.raises(DataError, match=expected):
        open_table(save(tmp_path / "data.npy", array))


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet", "feather", "arrow"])
@pytest.mark.parametrize("content", [b"hello, this is not it" * 20, b"\x93NUMPY", b"PAR1", b"PK\x03\x04junk"])
def test_error_about_a_file_of_another_format(tmp_path, suffix, content):
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(content)
    assert error_message(path) == f"is not a complete .{suffix} file: truncated, or another format; write it again"


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet", "feather", "arrow"])
def test_error_about_an_empty_or_truncated_file(tmp_path, suffix):
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(b"")
    assert error_message(path) == "is empty (0 bytes); write it again"
    save_as(path, pa.table({"a": np.arange(1000.0), "y": np.arange(1000.0)}))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"is not a complete .{suffix} file" in error_message(path)


class FailsWhenUnpickled:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_pickle_is_never_loaded(tmp_path, suffix):
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(pickle.dumps(FailsWhenUnpickled()))
    error_message(path)
    objects = np.array([[FailsWhenUnpickled()]], object)
    save(path, objects) if suffix == "npy" else save(path, None, X=objects, y=ARRAY)
    assert error_message(path).startswith("holds pickled Python objects, which are never loaded")


def test_npz_with_X_and_y(tmp_path):
    table = open_table(save(tmp_path / "data.npz", None, X=ARRAY, y=np.array([1, 2])))
    np.testing.assert_array_equal(table.X, ARRAY)
    np.testing.assert_array_equal(table.y, [1.0, 2.0])
    assert (table.feature_names, table.target_name) == (("0", "1", "2"), "y")
    table = open_table(save(tmp_path / "data.npz", None, X=ARRAY, y=np.array(["u", "v"])))
    assert table.y.tolist() == ["u", "v"]
    table = open_table(save(tmp_path / "data.npz", None, X=ARRAY), features=["a", "b", "c"], need_target=False)
    assert (table.y, table.feature_names) == (None, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"data": ARRAY, "target": ARRAY}, "needs the arrays X and y, but has 'data' and 'target'; rename them"),
        ({"X": ARRAY}, "has no array y for the target, only 'X'; add it"),
        ({"X": ARRAY, "y": ARRAY[0]}, r"y has shape \(3,\), but X has 2 rows; give y one value per row"),
        ({"X": ARRAY[0], "y": ARRAY[0]}, "the array has 1 dimension"),
        ({"X": ARRAY, "y": ARRAY[:, 0] * 1j}, "y holds values of type complex128"),
        ({"X": ARRAY, "y": np.array([1, np.nan])}, r"1 missing value in the target 'y', the first in row 2 \(counted"),
        ({"X": ARRAY, "y": ARRAY[:, 0], "feature_names": np.array(["a"])}, "has 1 feature name for 3 columns of X"),
        (
            {"X_data": [1.0], "X_indices": [7], "X_indptr": [0, 1], "X_shape": [1, 2], "y": [1.0]},
            "is damaged: it has the column index 7, but only 2 columns",
        ),
    ],
)
def test_error_about_a_bad_npz(tmp_path, arrays, expected):
    with pytest.raises(DataError, match=expected):
        open_table(save(tmp_path / "data.npz", None, **arrays))


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_npz_of_scipy_sparse_becomes_csr(tmp_path, layout):
    sparse.save_npz(tmp_path / "data.npz", sparse.coo_array(ARRAY).asformat(layout))
    table = open_table(tmp_path / "data.npz", target=0)
    assert sparse.issparse(table.X)
    assert table.X.format == "csr"
    np.testing.assert_array_equal(table.X.toarray(), ARRAY[:, 1:])
    np.testing.assert_array_equal(table.y, ARRAY[:, 0])
    assert table.feature_names == ("1", "2")


def save_as(path, table):
    """The table in the format of the suffix; without names in .npy, and another table in .npz."""
    if path.suffix == ".npy":
        return save(path, np.column_stack(table.columns))
    if path.suffix == ".npz":
        return save(path, None, X=ARRAY, y=ARRAY)
    write_arrow(path, table)
    return path


@pytest.fixture(params=["parquet", "feather", "arrow"])
def arrow_path(request, tmp_path):
    return tmp_path / f"data.{request.param}"


def test_numeric_arrow_types_become_floats(arrow_path):
    columns = {
        "int": pa.array([1, 2], pa.int8()),
        "bool": pa.array([True, False]),
        "decimal": pa.array([1, 2], pa.decimal128(6, 2)),
        "numbers in text": pa.array(["1.5", " -2e0"]),
        "unused": pa.array(["u", "v"]),
        "Label": pa.array(["cat", "dog"]).dictionary_encode(),
    }
    table = open_table(save_as(arrow_path, pa.table(columns)), drop=["unused"])
    np.testing.assert_array_equal(table.X, [[1, 1, 1, 1.5], [2, 0, 2, -2]])
    assert table.y.tolist() == ["cat", "dog"]
    assert table.target_name == "Label"
    assert table.X.flags.c_contiguous


@pytest.mark.parametrize(("kinds", "dtype"), [(("f4", "f4"), np.float32), (("f4", "f8"), np.float64)])
def test_X_is_float32_if_all_columns_are(arrow_path, kinds, dtype):
    columns = {name: np.array([1, 2], kind) for name, kind in zip("ab", kinds, strict=True)}
    table = open_table(save_as(arrow_path, pa.table({**columns, "y": [1, 2]})))
    assert (table.X.dtype, table.y.dtype) == (dtype, np.int64)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"a": [1.0, None], "y": [1, 2]},
            "1 missing value, the first in row 2 (counted from 1), column 'a'; fill them",
        ),
        ({"a": [1.0, np.nan], "y": [1, 2]}, "1 missing value, the first in row 2 (counted from 1), column 'a'"),
        ({"a": [True, None], "y": [1, 2]}, "1 missing value, the first in row 2 (counted from 1), column 'a'"),
        (
            {"a": ["1", "x"], "y": [1, 2]},
            "row 2 (counted from 1), column 'a': 'x' is not a number; fix the value, or leave",
        ),
        (
            {"a": [[1], [2]], "y": [1, 2]},
            "row 1 (counted from 1), column 'a': '[1]' is not a number, and it is a column of",
        ),
        ({"a": pa.nulls(2), "y": [1, 2]}, "column 'a' has no values at all; leave the column out with drop=['a']"),
        ({"a": [1, 2], "y": [[1], [2]]}, "column 'y' has list<"),
        ({"a": pa.array([], pa.int8()), "y": pa.array([], pa.int8())}, "has columns but no rows"),
    ],
)
def test_error_about_bad_columns(arrow_path, columns, expected):
    assert error_message(save_as(arrow_path, pa.table(columns))).startswith(expected)


def test_error_about_duplicate_names(arrow_path):
    path = save_as(
        arrow_path, pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "b", "a"])
    )
    assert error_message(path).startswith("has the column 'a' more than once")


def test_arrow_stream_format_is_read(tmp_path):
    path = tmp_path / "data.arrow"
    table = pa.table({"a": [1.0, 2.0], "y": [3, 4]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    np.testing.assert_array_equal(open_table(path).X, [[1], [2]])
