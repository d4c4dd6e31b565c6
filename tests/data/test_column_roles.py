"""Several targets, and columns with the weight and offset of each row, in every format."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers.table_files import error_message, write_arrow
from scipy import sparse

from fastgd.data.readers.open_table import open as open_table
from fastgd.errors import DataError, OptionError

NAMES = ["size", "price", "w", "rent", "o"]
ROWS = np.array([[1.0, 10, 2, 20, 0.5], [2, 30, 0, 25, -0.5], [4, 50, 1, 80, 0]])
WITH_NAMES = ["csv", "tsv", "parquet", "feather", "arrow", "pandas", "polars", "pyarrow"]
WITHOUT_NAMES = ["csv without header", "npy", "sparse npz"]


def make_table(kind: str, folder, columns=None):
    """The columns (by default ROWS) as a file or as a frame."""
    columns = columns or dict(zip(NAMES, ROWS.T, strict=True))
    if kind in ("pandas", "polars", "pyarrow"):
        return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[kind](columns)
    form, _, header = kind.partition(" without ")
    path = folder / f"data.{form.split()[-1]}"
    if form in ("csv", "tsv"):
        pd.DataFrame(columns).to_csv(path, sep="\t" if form == "tsv" else ",", index=False, header=not header)
    elif form == "npy":
        np.save(path, ROWS)
    elif form == "sparse npz":
        sparse.save_npz(path, sparse.csr_array(ROWS))
    else:
        write_arrow(path, pa.table(columns))
    return path


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


def check_all_roles(table, names):
    np.testing.assert_array_equal(dense(table.X), ROWS[:, [0]])
    np.testing.assert_array_equal(table.y, ROWS[:, [3, 1]])
    np.testing.assert_array_equal(table.sample_weight, ROWS[:, 2])
    np.testing.assert_array_equal(table.offset, ROWS[:, 4])
    assert table.sample_weight.dtype == table.offset.dtype == np.float64
    assert table.sample_weight.shape == table.offset.shape == (3,)
    assert (table.feature_names, table.target_name, table.remarks) == (names[:1], (names[3], names[1]), ())
    assert f"targets ({names[3]!r}, {names[1]!r})" in repr(table)


@pytest.mark.parametrize("target", ["rent,price", "rent, price", ["rent", "price"], ("rent", 1), [3, "1"]])
@pytest.mark.parametrize("kind", WITH_NAMES)
def test_columns_with_roles_are_found_by_name(kind, target, tmp_path):
    table = open_table(make_table(kind, tmp_path), target=target, weight="w", offset="o")
    check_all_roles(table, tuple(NAMES))


@pytest.mark.parametrize("target", ["3,1", [3, 1], ["3", "1"]])
@pytest.mark.parametrize("kind", WITHOUT_NAMES)
def test_columns_with_roles_are_found_by_index(kind, target, tmp_path):
    table = open_table(make_table(kind, tmp_path), target=target, weight=2, offset="-1")
    check_all_roles(table, tuple("01234"))


def test_no_weight_or_offset_by_default(tmp_path):
    table = open_table(make_table("csv", tmp_path))
    assert (table.sample_weight, table.offset, table.target_name, table.y.ndim) == (None, None, "o", 1)


def test_one_name_in_a_list_is_one_target(tmp_path):
    table = open_table(make_table("csv", tmp_path), target=["price"])
    assert (table.target_name, table.y.shape) == ("price", (3,))


def test_a_column_name_with_a_comma_takes_precedence_over_two_columns(tmp_path):
    columns = {"a": [1, 2], "b": [3, 4], "a,b": [5, 6]}
    table = open_table(make_table("csv", tmp_path, columns), target="a,b")
    assert (table.target_name, table.y.tolist(), table.feature_names) == ("a,b", [5, 6], ("a", "b"))
    del columns["a,b"]
    assert open_table(make_table("csv", tmp_path, {**columns, "c": [0, 1]}), target="a,b").target_name == ("a", "b")
    with pytest.raises(DataError, match="has no column 'a,b' to be the target"):  # in a list, each item is one name
        open_table(make_table("csv", tmp_path, columns), target=["a,b"])


def test_the_default_target_has_no_other_role(tmp_path):
    columns = {"x": [1, 2], "price": [3, 4], "y": [1, 1], "label": [0, 0]}
    table = open_table(make_table("csv", tmp_path, columns), weight="y", offset="label")
    assert (table.target_name, table.feature_names) == ("price", ("x",))
    assert table.remarks == ("the target is the last column, 'price'",)


@pytest.mark.parametrize("kind", ["csv", "parquet", "pandas"])
def test_several_targets_are_all_labels_if_one_has_words(kind, tmp_path):
    columns = {"x": [1, 2, 3], "pet": ["cat", "dog", "cat"], "many": [0, 1, 1], "half": [0.5, 1.0, 2.0]}
    table = open_table(make_table(kind, tmp_path, columns), target=["pet", "many", "half"])
    assert table.y.tolist() == [["cat", "0", "0.5"], ["dog", "1", "1"], ["cat", "1", "2"]]
    assert table.y.dtype.kind == "U"


WRONG = {
    "a missing weight": ({"weight": "ww"}, "has no column 'ww' to be the sample weight; did you mean 'w'?"),
    "a missing offset": ({"offset": 7}, "has no column 7 to be the offset; it has 5 columns, counted from 0"),
    "one missing target": ({"target": "price,rant"}, "has no column 'rant' to be the target; did you mean 'rent'?"),
    "a target that is a weight": ({"target": "w", "weight": "w"}, "column 'w' is both the target and the sample"),
    "a weight that is an offset": ({"weight": "w", "offset": 2}, "column 'w' is both the sample weight and the offset"),
    "a dropped weight": ({"weight": "w", "drop": ["w"]}, "column 'w' is both the sample weight and to be dropped"),
    "a target named twice": ({"target": "o,o"}, "column 'o' is named twice as the target; name it once"),
    "an offset that is a feature": (
        {"offset": "o", "features": ["o"], "target": "rent"},
        "column 'o' is both the offset and one of the model's features",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), WRONG.values(), ids=WRONG.keys())
def test_error_about_the_role_of_a_column(options, expected, tmp_path):
    assert error_message(make_table("csv", tmp_path), **options).startswith(expected)


def test_error_about_an_empty_list_of_targets():
    with pytest.raises(OptionError, match="target is an empty list; name a column"):
        open_table("diabetes", target=[])


BAD_CELLS = {
    "a word": (["1", "x", "3"], "line 3, column 'w': 'x' is not a number; fix the value, or name"),
    "words": (["u", "x", "v"], "line 2, column 'w': 'u' is not a number, and it is a column of words; name"),
    "a missing value": (["1", "", "3"], "1 missing value, the first in line 3, column 'w'; fill them in, or name"),
    "infinity": (["1", "2", "inf"], "1 infinite value, the first in line 4, column 'w'; replace them, or name"),
    "nothing": (["", "", ""], "column 'w' has no values at all; name"),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "expected"), BAD_CELLS.values(), ids=BAD_CELLS.keys())
@pytest.mark.parametrize(("role", "words"), [("weight", "sample weight"), ("offset", "offset")])
def test_error_about_a_weight_that_is_not_a_number(role, words, cells, expected, tmp_path):
    message = error_message(make_table("csv", tmp_path, {"x": [1, 2, 3], "w": cells, "y": [4, 5, 6]}), **{role: "w"})
    assert message.startswith(expected)
    assert message.endswith(f"name another column as the {words}")


def test_error_about_a_missing_weight_in_npy(tmp_path):
    rows = ROWS.copy()
    rows[1, 2] = np.nan
    np.save(tmp_path / "data.npy", rows)
    with pytest.raises(
        DataError, match=r"1 missing value, the first in row 2 \(counted from 1\), column '2'; fill them"
    ):
        open_table(tmp_path / "data.npy", weight=2)


def test_missing_values_in_one_of_several_targets(tmp_path):
    path = make_table("csv", tmp_path, {"x": [1, 2], "a": [3, 4], "b": ["u", ""]})
    with pytest.raises(DataError, match="1 missing value in the target 'b', the first in line 3"):
        open_table(path, target="a,b")
    table = open_table(path, target="a,b", features=["x"], need_target=False)
    assert table.y is None
    assert table.remarks == ("the target 'b' has missing values and is not used",)


# --- Columns that a model asks for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("need_target", [False, True])
@pytest.mark.parametrize("kind", ["csv", "parquet", "pandas"])
def test_columns_of_a_model_are_found_by_name(kind, need_target, tmp_path):
    columns = dict(zip(reversed(NAMES), ROWS.T[::-1], strict=True)) | {"extra": ["u", "v", "w"]}
    options = {"target": ("rent", "price"), "features": ["size"], "weight": "w", "offset": "o"}
    check_all_roles(open_table(make_table(kind, tmp_path, columns), **options, need_target=need_target), tuple(NAMES))


def test_prediction_uses_targets_only_if_all_exist(tmp_path):
    path = make_table("csv", tmp_path)
    for target, used in ((("rent", "price"), True), (("rent", "tax"), False), (("tax", "toll"), False)):
        table = open_table(path, target=target, features=["size"], need_target=False)
        assert (table.y is not None, table.target_name) == (used, target if used else None)
    with pytest.raises(DataError, match="has no column 'tax' to be the target"):
        open_table(path, target=("rent", "tax"), features=["size"])


@pytest.mark.parametrize("need_target", [False, True])
@pytest.mark.parametrize("kind", WITHOUT_NAMES)
def test_columns_of_a_model_are_found_by_index(kind, need_target, tmp_path):
    options = {"target": ("3", "1"), "features": ["0"], "weight": "2", "offset": "4"}
    check_all_roles(open_table(make_table(kind, tmp_path), **options, need_target=need_target), tuple("01234"))


@pytest.mark.parametrize(
    ("row", "options", "X", "offset"),
    [
        ("1,2,7", {"features": "01", "target": "2", "offset": 2}, [1, 2], 7),
        ("7,1,2", {"features": "12", "target": "3", "offset": 0}, [1, 2], 7),
        ("1,2,3,7", {"features": "01", "target": "2", "offset": 3}, [1, 2], 7),
        ("1,2,7", {"features": ["a", "b"], "target": "y", "offset": -1}, [1, 2], 7),
        ("1,9,2,3,7", {"features": "02", "target": ("1", "3"), "offset": 4}, [1, 2], 7),
    ],
)
def test_prediction_from_a_table_without_header(row, options, X, offset, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f"{row}\n{row}\n")
    table = open_table(path, **{**options, "features": list(options["features"])}, need_target=False)
    np.testing.assert_array_equal(table.X, [X, X])
    np.testing.assert_array_equal(table.offset, [offset, offset])


@pytest.mark.parametrize(("features", "target"), [("01", "2"), ("02", "1"), ("04", ("1", "2"))])
def test_error_about_one_column_too_many_for_a_model(features, target, tmp_path):
    """The features, targets and offset are all the columns of the training table; this table has one more."""
    path = tmp_path / "data.csv"
    path.write_text(",".join("123456"[: 5 + isinstance(target, tuple)]) + "\n")
    with pytest.raises(DataError, match="has 3 features, but the model was fitted with 2; drop the others"):
        open_table(path, features=list(features), target=target, offset=3, need_target=False)


# --- Formats that store the target separately -------------------------------------------------------------------------


def test_npz_with_several_targets_and_separate_weights(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=ROWS[:, :3], y=ROWS[:, 3:], w=np.array([1, 2, 3]), o=ROWS[:, 0])
    for target in (None, "y0,y1", ("y0", "y1")):
        table = open_table(path, weight="w", offset="2", target=target)
        np.testing.assert_array_equal(table.X, ROWS[:, :2])
        np.testing.assert_array_equal(table.y, ROWS[:, 3:])
        assert (table.target_name, table.feature_names) == (("y0", "y1"), ("0", "1"))
        assert table.sample_weight.tolist() == [1, 2, 3]
        assert table.sample_weight.dtype == np.float64
        assert table.offset.tolist() == ROWS[:, 2].tolist()
    assert open_table(path, offset="o").offset.tolist() == ROWS[:, 0].tolist()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones(2), r"w has shape \(2,\), but X has 3 rows; name another column as the sample weight"),
        (np.array(["a", "b", "c"]), "w holds values of type <U1, not numbers; name another column"),
        (np.array([1, np.nan, 2]), r"1 missing value, the first in row 2 \(counted from 1\), column 'w'; fill them in"),
    ],
)
def test_error_about_bad_weights_in_npz(array, expected, tmp_path):
    np.savez(tmp_path / "data.npz", X=ROWS, y=ROWS[:, 0], w=array)
    with pytest.raises(DataError, match=expected):
        open_table(tmp_path / "data.npz", weight="w")


def test_error_about_bad_targets_in_npz(tmp_path):
    for y, expected in (
        (ROWS[:2], r"y has shape \(2, 5\), but X has 3 rows"),
        (np.where(ROWS == 25, np.nan, ROWS), r"1 missing value in the target 'y3', the first in row 2"),
        (ROWS[:, :0], r"y has shape \(3, 0\)"),
    ):
        np.savez(tmp_path / "data.npz", X=ROWS, y=y)
        with pytest.raises(DataError, match=expected):
            open_table(tmp_path / "data.npz")


def test_columns_of_a_builtin_can_have_roles():
    table = open_table("diabetes", target="bmi,bp", weight="age", offset="sex")
    whole = open_table("diabetes")
    assert (table.X.shape, table.target_name) == ((442, 7), ("bmi", "bp"))
    np.testing.assert_array_equal(table.sample_weight, whole.X[:, whole.feature_names.index("age")])
    assert open_table("tutorial", target="y").y.shape == (3,)


@pytest.mark.parametrize("role", ["weight", "offset"])
def test_error_about_a_weight_column_in_svmlight(role, tmp_path):
    path = tmp_path / "data.svm"
    path.write_text("1 1:2 2:3\n0 1:4 2:1\n")
    with pytest.raises(OptionError) as caught:
        open_table(path, **{role: "2"})
    word = {"weight": "sample weight", "offset": "offset"}[role]
    assert f"svmlight has no column '2' for the {word} of each row; write the table" in str(caught.value)


def test_error_about_two_targets_in_svmlight(tmp_path):
    path = tmp_path / "data.svm"
    path.write_text("1 1:2 2:3\n0 1:4 2:1\n")
    with pytest.raises(DataError, match="has a separate target, 'label'; '1,2' cannot be the target"):
        open_table(path, target="1,2")
