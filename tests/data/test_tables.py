"""Built-in and generated tables, data frames, the names of sources, and pickling of tables."""

from __future__ import annotations

import pickle

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers.table_files import error_message
from scipy import sparse

import fastgd
from fastgd.data import BUILTINS
from fastgd.data.readers.data_frames import to_arrays, to_target
from fastgd.data.readers.generators import generate
from fastgd.data.readers.open_table import open as open_table
from fastgd.errors import DataError, OptionError

SHAPES = {
    "linear": (1_000_000, 20), "logistic": (500_000, 20), "tutorial": (3, 1), "saddle": (7, 2), "valleys": (4, 2),
    "diabetes": (442, 10),
}  # fmt: skip
NAMES = "linear, logistic, tutorial, saddle, valleys, diabetes"
LOSSES = {"logistic": "logistic", "saddle": "phase_retrieval", "valleys": "phase_retrieval"}


@pytest.mark.parametrize("name", BUILTINS)
def test_builtin_has_its_shape_loss_and_repr(name):
    table = open_table(name)
    assert table.X.shape == SHAPES[name]
    assert table.X.flags.c_contiguous
    assert table.y.shape == SHAPES[name][:1]
    assert table.source == name
    assert table.defaults["loss"] == LOSSES.get(name, "squared")
    assert repr(table).startswith(f"Table({name!r}, {SHAPES[name][0]:,} x ")


def test_tutorial_has_the_points_of_the_lesson():
    table = open_table("tutorial")
    assert (table.X.tolist(), table.y.tolist()) == ([[1], [2], [3]], [2, 4, 6])
    assert (table.feature_names, table.target_name) == (("x",), "y")
    assert table.defaults == {"loss": "squared", "start": 1.0}


def test_diabetes_equals_scikit_learns():
    from sklearn.datasets import load_diabetes

    theirs = load_diabetes(scaled=False)
    table = open_table("diabetes")
    np.testing.assert_allclose(table.X, theirs.data, rtol=1e-15)  # older versions differ in the last bit
    np.testing.assert_array_equal(table.y, theirs.target)
    assert table.feature_names == tuple(theirs.feature_names)
    assert table.target_name == "progression"
    assert open_table("diabetes", target="bmi", drop=["sex"]).X.shape == (442, 9)


def test_columns_of_a_builtin_can_be_chosen():
    assert open_table("tutorial", features=["x"], target="price", need_target=False).X.shape == (3, 1)
    with pytest.raises(DataError, match="tutorial: has no column 'z' to drop; there is 'x'"):
        open_table("tutorial", drop=["z"])
    with pytest.raises(DataError, match="tutorial: has a separate target, 'y'; 'x' cannot be the target"):
        open_table("tutorial", target="x")
    with pytest.raises(DataError, match="diabetes: has no column 'bni' to be the target; did you mean 'bmi'"):
        open_table("diabetes", target="bni")


def test_a_builtin_takes_precedence_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tutorial").write_text("not this")
    assert open_table("tutorial").source == "tutorial"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "tutorail",
            f"is neither a file nor a built-in data set ({NAMES}); did you mean 'tutorial'",
        ),
        ("xyzzy", f"is neither a file nor a built-in data set ({NAMES}); name a file with"),
        ("data.docx", "the suffix '.docx' is not known; use .csv, .tsv"),
        ("data.parquet.gz", "the suffix '.gz' is not known"),
        ("plain", "the suffix '' is not known"),
        ("hoses.csv", "there is no such file; did you mean 'houses.csv'"),
        ("qqq.npz", "there is no such file; check the name and the folder"),
        ("nowhere/data.csv", "there is no folder 'nowhere'; check the path"),
        ("folder", "is a folder; name a file in it"),
        ("folder.csv", "is a folder; name a file in it"),
    ],
)
def test_error_about_a_path_suggests_a_name(tmp_path, monkeypatch, name, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("1,2\n")
    (tmp_path / "houses.csv").write_text("1,2\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.csv").mkdir()
    assert error_message(name).startswith(expected)


@pytest.mark.parametrize("source", [3, None, np.eye(2)])
def test_error_about_a_source_that_is_neither_a_path_nor_a_table(source):
    with pytest.raises(DataError, match=r"^the table: cannot be read "):
        open_table(source)


def test_error_about_a_string_in_place_of_a_list_of_names():
    with pytest.raises(OptionError, match=r"take a list of names, not one string"):
        open_table("diabetes", drop="age")


def test_generated_linear_target_has_the_noise_asked_for():
    table = generate("linear", 5000, 4, noise=0.5, seed=3)
    A = np.column_stack([np.ones(5000), table.X])
    _, residual, *_ = np.linalg.lstsq(A, table.y, rcond=None)
    assert np.sqrt(residual[0] / 5000) == pytest.approx(0.5, rel=0.05)
    assert abs(table.X.mean()) < 0.05
    assert table.X.std() == pytest.approx(1.0, rel=0.05)
    exact = generate("linear", 50, 4, noise=0.0)
    assert np.linalg.lstsq(np.column_stack([np.ones(50), exact.X]), exact.y, rcond=None)[1] < 1e-20


def test_generated_labels_have_the_probabilities_of_a_logistic_model():
    # The coefficients depend on the seed only, so that a linear table without noise gives them.
    exact = generate("linear", 50, 2, noise=0.0, seed=5)
    b, *w = np.linalg.lstsq(np.column_stack([np.ones(50), exact.X]), exact.y, rcond=None)[0]
    table = generate("logistic", 200_000, 2, seed=5)
    z = table.X @ w + b
    for rows in np.array_split(np.argsort(z), 10):
        assert table.y[rows].mean() == pytest.approx((1 / (1 + np.exp(-z[rows]))).mean(), abs=0.02)
    assert set(np.unique(table.y)) == {0.0, 1.0}


def test_generated_data_depend_on_the_seed_and_grow_by_rows():
    table = generate("linear", 40_000, 3, seed=1)
    np.testing.assert_array_equal(generate("linear", 40_000, 3, seed=1).X, table.X)
    np.testing.assert_array_equal(generate("logistic", 100, 3, seed=1).X, table.X[:100])
    assert not np.array_equal(generate("linear", 40_000, 3, seed=2).y, table.y)
    assert not np.array_equal(table.X[:100], table.X[1 << 14 : (1 << 14) + 100])
    assert generate("linear", dtype="float32").X.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (("liner",), {}, "unknown kind of data 'liner'; did you mean 'linear'"),
        (("linear", 0, 3), {}, "a table needs 1 or more samples and features, not 0 x 3"),
        (("linear",), {"noise": -1.0}, "noise must be finite and 0 or more, not -1.0"),
        (("linear",), {"dtype": "int8"}, "dtype must be float64 or float32, not 'int8'"),
    ],
)
def test_error_about_an_argument_of_generate(arguments, options, expected):
    with pytest.raises(OptionError, match=expected):
        generate(*arguments, **options)


COLUMNS = {"a": [1.0, 2.0, 3.0], "b": [True, False, True], "c": [4, 5, 6]}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=FRAMES)
def frame(request):
    return FRAMES[request.param]


def test_a_frame_becomes_an_array_and_names(frame):
    X, names = to_arrays(frame(COLUMNS))
    np.testing.assert_array_equal(X, [[1, 1, 4], [2, 0, 5], [3, 1, 6]])
    assert (X.dtype, X.flags.c_contiguous, names) == (np.float64, True, ("a", "b", "c"))
    assert to_arrays(frame({"a": np.ones(2, np.float32)}))[0].dtype == np.float32


def test_a_frame_becomes_a_table(frame):
    table = open_table(frame({**COLUMNS, "kind": ["u", "v", "u"]}), drop=["b"])
    assert (table.feature_names, table.target_name) == (("a", "c"), "kind")
    assert table.y.tolist() == ["u", "v", "u"]
    table = open_table(frame(COLUMNS), target="a", features=["c", "b"])
    np.testing.assert_array_equal(table.X, [[4, 1], [5, 0], [6, 1]])


def test_a_pandas_frame_without_the_arrow_protocol_becomes_a_table(monkeypatch):
    monkeypatch.delattr(pd.DataFrame, "__arrow_c_stream__", raising=False)
    assert open_table(pd.DataFrame(COLUMNS)).X.tolist() == [[1, 1], [2, 0], [3, 1]]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"a": [1.0, None]},
            "1 missing value, the first in row 2 (counted from 1), column 'a'; fill them in, or leave ",
        ),
        (
            {"a": ["1", "x"]},
            "row 2 (counted from 1), column 'a': 'x' is not a number; fix the value, or leave the column",
        ),
        (
            {"a": ["x", "y"]},
            "row 1 (counted from 1), column 'a': 'x' is not a number, and it is a column of words; leave",
        ),
        ({"a": [1.0, float("inf")]}, "1 infinite value, the first in row 2 (counted from 1), column 'a'"),
        (
            {"a": np.array(["2020-01-01"], "M8[ns]")},
            "row 1 (counted from 1), column 'a': '2020-01-01 00:00:00' is not a n",
        ),
        ({"a": np.ones(0)}, "has 0 rows and 1 column; give it some"),
    ],
)
def test_error_about_a_frame_names_the_row_and_column(frame, columns, expected):
    with pytest.raises(DataError) as caught:
        to_arrays(frame(columns))
    assert str(caught.value).startswith(f"the table: {expected}")
    assert "drop=" not in str(caught.value)


def test_a_pandas_index_is_not_a_feature():
    shuffled = pd.DataFrame(COLUMNS).iloc[[2, 0]]
    assert to_arrays(shuffled)[1] == ("a", "b", "c")
    assert to_arrays(pd.DataFrame(COLUMNS).set_index("a"))[1] == ("b", "c")


def test_pandas_categories_and_nullable_columns_become_numbers():
    data = pd.DataFrame({"a": pd.Categorical([3, 5]), "b": pd.array([1, 2], "Int64")})
    X, names = to_arrays(data)
    np.testing.assert_array_equal(X, [[3, 1], [5, 2]])
    assert names == ("a", "b")
    assert to_arrays(pd.DataFrame(np.eye(2)))[1] == ("0", "1")


@pytest.mark.parametrize(
    "data", [pd.DataFrame({"a": [1, "x", [2]]}), pd.DataFrame(np.ones((2, 2)), columns=["a", "a"])]
)
def test_error_about_a_frame_that_arrow_cannot_convert(data):
    with pytest.raises(DataError, match=r"^the table: cannot be read") as caught:
        to_arrays(data)
    assert "\n" not in str(caught.value)


def test_arrays_are_returned_unchanged():
    array = np.ones((2, 2), order="F")
    assert to_arrays(array)[0] is array
    assert to_arrays(array)[1] is None
    assert to_arrays([[1, 2]])[0].shape == (1, 2)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 0, 2], index=[5, 6, 7]),
        pd.Series(pd.Categorical([1, 0, 2])),
        pl.Series("y", [1, 0, 2]),
        pa.array([1, 0, 2]),
        pa.chunked_array([[1, 0], [2]]),
        pd.DataFrame({"y": [1, 0, 2]}, index=[5, 6, 7]),
        pl.DataFrame({"y": [1, 0, 2]}),
        pa.table({"y": [1, 0, 2]}),
        np.array([1, 0, 2]),
        np.array([1, 0, 2], object),
        [1, 0, 2],
    ],
)
def test_whole_numbers_stay_whole_in_a_target(series):
    y = to_target(series)
    assert y.dtype == np.int64
    assert y.tolist() == [1, 0, 2]


@pytest.mark.parametrize("values", [[True, False, True], [2**53 + 1, 2**53 + 3, -7], [2.5, 1.0, 2.0]])
@pytest.mark.parametrize(
    "series", [pd.Series, pl.Series, pa.array, np.array, lambda values: pd.Series(values, dtype="category")]
)
def test_targets_keep_their_type_and_every_digit(values, series):
    y = to_target(series(values))
    assert (y.dtype, y.tolist()) == (np.array(values).dtype, values)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["u", "v"]),
        pd.Series(["u", "v"], dtype=object),
        pd.Series(["u", "v"], dtype="category"),
        pl.Series(["u", "v"]),
        pl.Series(["u", "v"], dtype=pl.Categorical),
        pa.array(["u", "v"]),
        np.array(["u", "v"]),
        np.array(["u", "v"], object),
        ["u", "v"],
    ],
)
def test_words_become_a_target_of_labels(series):
    y = to_target(series)
    assert y.dtype.kind == "U"
    assert y.tolist() == ["u", "v"]


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pd.Series([1, None, 2]), r"y: 1 missing value in the target 'y', the first in row 2 \(counted from 1\)"),
        (pl.Series(["u", None]), r"y: 1 missing value in the target 'y', the first in row 2 \(counted from 1\)"),
        (pd.Series([1, "u"], dtype=object), "y: cannot be read .*; give numbers, or labels as strings"),
        (pd.DataFrame({"a": [1], "b": [2]}), "y: has 2 columns; give the one that is the target"),
    ],
)
def test_error_about_a_target(series, expected):
    with pytest.raises(DataError, match=expected):
        to_target(series)


# --- Pickling ---------------------------------------------------------------------------------------------------------

TABLES = {
    "built-in": lambda: open_table("tutorial"),
    "file, with remarks": lambda: open_table("diabetes", weight="age", offset="bmi"),
    "labels": lambda: open_table(pd.DataFrame({"a": [1.0, 2.0], "kind": ["u", "v"]})),
    "sparse, without target": lambda: fastgd.Table(sparse.csr_array(np.eye(3)), None, ("a", "b", "c"), None, "here"),
}


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
@pytest.mark.parametrize("kind", TABLES)
def test_a_table_can_be_pickled(kind, pickler):
    table = TABLES[kind]()
    again = pickle.loads(pickler.dumps(table))
    assert type(again) is fastgd.Table
    dense, again_dense = (each.X.toarray() if sparse.issparse(each.X) else each.X for each in (table, again))
    assert (again_dense.tobytes(), again_dense.dtype, repr(again)) == (dense.tobytes(), dense.dtype, repr(table))
    for name in ("y", "sample_weight", "offset"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
    for name in ("feature_names", "target_name", "source", "defaults", "remarks", "offset_name"):
        assert getattr(again, name) == getattr(table, name)
