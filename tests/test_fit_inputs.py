"""The types of X, y and options that `fit` accepts, and its error message for each that it does not."""

from __future__ import annotations

import copy
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from helpers.sparse_variants import unsorted, with_duplicates, with_long_indices

import fastgd
from fastgd import DataError, OptionError
from fastgd.data.feature_matrix import as_matrix
from fastgd.kernels.row_access import CSR
from fastgd.penalties import ElasticNet


def small_integers(rng):
    """X and y of integers, many of them 0, which every numeric type holds exactly."""
    X = rng.integers(0, 4, (24, 3)) * (rng.random((24, 3)) < 0.7).astype(np.float64)
    return X, np.round(X @ [1, -2, 3] + rng.normal(size=24) * 3)


X, Y = small_integers(np.random.default_rng(3))
LABELS = np.where(Y > 2.0, 1.0, -1.0)
NAMES = ["a", "b", "c"]
INDEX = np.random.default_rng(4).permutation(24) + 100


def fit(X=X, y=Y, **options):
    return fastgd.fit(X, y, **{"method": "gd", "learning_rate": 0.02, "max_epochs": 4, **options})


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def arrow(X):
    return pa.table(dict(zip(NAMES, X.T, strict=True)))


EXACT = {
    "int64": lambda X: X.astype(np.int64),
    "uint8": lambda X: X.astype(np.uint8),
    "float16": lambda X: X.astype(np.float16),
    "columns": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
    "big-endian": lambda X: X.astype(">f8"),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "csr array": sp.csr_array,
    "csr matrix": sp.csr_matrix,
    "csr, long indices": lambda X: with_long_indices(sp.csr_array(X)),
    "csr of integers": lambda X: sp.csr_array(X.astype(np.int32)),
    "csr, unsorted": unsorted,
    "csc": sp.csc_matrix,
    "coo, duplicates": with_duplicates,
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES),
    "pandas, an index": lambda X: pd.DataFrame(X, index=INDEX, columns=NAMES),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
    "arrow": arrow,
}
FORMS_OF_Y = {
    "int64": lambda y: y.astype(np.int64),
    "float32": lambda y: y.astype(np.float32),
    "big-endian": lambda y: y.astype(">f8"),
    "strided": lambda y: np.repeat(y, 2)[::2],
    "read-only": read_only,
    "a column": lambda y: y[:, np.newaxis],
    "objects": lambda y: y.astype(object),
    "list": lambda y: y.tolist(),
    "pandas": pd.Series,
    "pandas, an index": lambda y: pd.Series(y, index=INDEX),
    "pandas frame": lambda y: pd.DataFrame({"y": y}),
    "polars": pl.Series,
    "arrow": pa.array,
    "arrow, chunks": lambda y: pa.chunked_array([y[:5], y[5:]]),
}


def same(result, plain, tolerance=1e-13):
    np.testing.assert_allclose(result.path, plain.path, rtol=0, atol=tolerance)
    np.testing.assert_allclose(result.trace["objective"], plain.trace["objective"], rtol=tolerance)


@pytest.mark.parametrize("form", EXACT)
def test_every_type_of_X_gives_the_same_fit(form):
    made, plain = EXACT[form](X), fit()
    result = fit(made)
    same(result, plain)
    np.testing.assert_allclose(result.predict(made), plain.predict(X), rtol=1e-13)
    assert result.feature_names == (tuple(NAMES) if form.startswith(("pandas", "polars", "arrow")) else None)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, lambda X: pd.DataFrame(X, columns=NAMES)])
def test_float32_is_not_converted_to_float64(form):
    made = form(X.astype(np.float32))
    result = fit(made)
    same(result, fit(), tolerance=1e-5)
    assert np.abs(result.path - fit().path).max() > 1e-12
    np.testing.assert_allclose(result.predict(made), fit().predict(X), rtol=1e-4)


@pytest.mark.parametrize("form", EXACT)
def test_X_is_converted_to_few_types(form):
    """Kernels are compiled once for each type."""
    matrix, _ = as_matrix(EXACT[form](X))
    if isinstance(matrix, CSR):
        assert (matrix.data.dtype, matrix.indptr.dtype) == (np.float64, np.int64)
        assert matrix.indices.dtype in (np.int32, np.int64)
    else:
        assert matrix.flags.c_contiguous
        assert matrix.dtype.isnative


def test_booleans_are_taken_as_0_and_1():
    same(fit(X > 1, Y > 0), fit((X > 1).astype(np.float64), (Y > 0).astype(np.float64)))


def test_a_memmap_gives_the_same_fit(tmp_path):
    np.save(tmp_path / "X.npy", X)
    same(fit(np.load(tmp_path / "X.npy", mmap_mode="r")), fit())


@pytest.mark.parametrize("form", FORMS_OF_Y)
def test_every_type_of_y_gives_the_same_fit(form):
    same(fit(y=FORMS_OF_Y[form](Y)), fit(), tolerance=0)


def test_frames_without_the_arrow_protocol(monkeypatch):
    frame, series = pd.DataFrame(X, columns=NAMES), pd.Series(Y)
    monkeypatch.delattr(pd.DataFrame, "__arrow_c_stream__")
    monkeypatch.delattr(pd.Series, "__arrow_c_stream__")
    result = fit(frame, series)
    same(result, fit(), tolerance=0)
    assert result.feature_names == tuple(NAMES)


def test_a_table_from_open_gives_the_fit_of_its_arrays():
    table = fastgd.open("diabetes")
    result = fastgd.fit(table, max_epochs=3)
    by_hand = fastgd.fit(table.X, table.y, max_epochs=3)
    assert result.coef.tobytes() == by_hand.coef.tobytes()
    assert (result.feature_names, result.target_name) == (table.feature_names, table.target_name)
    assert result.predict(table).tobytes() == by_hand.predict(table.X).tobytes()
    assert fastgd.fit(table, -table.y, max_epochs=3).coef.tobytes() == (-by_hand.coef).tobytes()


def arrays_of(X):
    if sp.issparse(X):
        return [getattr(X, name) for name in ("data", "indices", "indptr", "row", "col") if hasattr(X, name)]
    return [np.asarray(X)]


@pytest.mark.parametrize(
    ("form", "method"),
    [(form, "gd") for form in ["plain", "columns", "csr array", "csr, unsorted", "coo, duplicates", "pandas"]]
    + [("plain", "sgd"), ("plain", "minibatch"), ("csr array", "sgd")],
)
def test_fit_does_not_change_the_callers_arrays(form, method):
    made, y, start = {"plain": np.copy, **EXACT}[form](X), Y.copy(), np.ones(3)
    before = copy.deepcopy([*arrays_of(made), y, start])
    result = fit(made, y, method=method, start=(start, 2.0), scale=True, learning_rate=1e-3, penalty="l1", alpha=0.1)
    result.predict(made)[:] = 0
    result.coef[:] = 0
    for array, copied in zip([*arrays_of(made), y, start], before, strict=True):
        assert np.array_equal(array, copied)


def test_results_share_no_memory_with_each_other():
    first = fit()
    second = fit(start=first)
    second.coef[:] = 0
    second.path[:] = 0
    assert first.coef.all()
    assert first.coef.tobytes() == first.path[-1, :3].tobytes()


# --- labels -----------------------------------------------------------------------------------------------------------

POSITIVE = LABELS > 0
WORDS = np.where(POSITIVE, "yes", "no")
DAYS = [date(1970, 1, 1), date(2020, 2, 2)]
# Kind -> the labels, and the two there are, the positive one last.
LABELS_OF_ANY_KIND = {
    "-1, 1": (LABELS, [-1, 1]),
    "0, 1": (POSITIVE.astype(int), [0, 1]),
    "2, 5": (np.where(POSITIVE, 5, 2), [2, 5]),
    "floats": (np.where(POSITIVE, 0.5, -7.25), [-7.25, 0.5]),
    "bools": (POSITIVE, [False, True]),
    "strings": (WORDS, ["no", "yes"]),
    "list": (WORDS.tolist(), ["no", "yes"]),
    "objects": (WORDS.astype(object), ["no", "yes"]),
    "objects, bools": (POSITIVE.astype(object), [False, True]),
    "pandas": (pd.Series(WORDS, index=INDEX), ["no", "yes"]),
    "categories": (pd.Series(WORDS, dtype="category"), ["no", "yes"]),
    "polars": (pl.Series(WORDS.tolist()), ["no", "yes"]),
    "bytes": (np.where(POSITIVE, b"yes", b"no"), [b"no", b"yes"]),
    "days": (np.array(DAYS, "M8[D]")[POSITIVE.astype(int)], DAYS),
}


@pytest.mark.parametrize("kind", LABELS_OF_ANY_KIND)
def test_labels_of_every_type(kind):
    y, labels = LABELS_OF_ANY_KIND[kind]
    result, plain = (fit(y=y, loss="logistic", start=0) for y in (y, LABELS))
    assert result.coef.tobytes() == plain.coef.tobytes()
    assert result.classes.tolist() == labels
    predicted = result.predict(X)
    assert predicted.tolist() == [labels[int(z > 0)] for z in X @ plain.coef + plain.intercept]
    assert np.mean((predicted == result.classes[1]) == POSITIVE) > 0.7
    assert (result.predict_proba(X).argmax(axis=1) == (predicted == result.classes[1])).all()


# --- errors ----------------------------------------------------------------------------------------------


def but(array, place, value):
    array = array.copy()
    array[place] = value
    return array


BAD_DATA = {
    "one dimension": ({"X": X[:, 0]}, r"two dimensions.*not 1; for a single feature use X.reshape\(-1, 1\)"),
    "three dimensions": ({"X": X[None]}, "X must have two dimensions.*not 3$"),
    "sparse, one dimension": ({"X": sp.coo_array(X[:, 0])}, "X must have two dimensions.*not 1"),
    "a number": ({"X": 3.0}, "X must have two dimensions.*not 0$"),
    "words": ({"X": X.astype(str)}, "X must hold numbers, not <U32"),
    "words among objects": ({"X": but(X.astype(object), (2, 1), "x")}, "X must hold numbers, not <U"),
    "None among objects": ({"X": but(X.astype(object), (2, 1), None)}, "X must hold numbers, not object"),
    "complex": ({"X": X + 0j}, "X must hold numbers, not complex128"),
    "sparse, complex": ({"X": sp.csr_array(X + 0j)}, "X must hold numbers, not complex128"),
    "ragged": ({"X": [[1.0, 2.0], [3.0]]}, "X must have rows of one length"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, "X has no rows: there is nothing to learn from"),
    "no columns": ({"X": X[:, :0]}, "X has no columns: there is nothing to learn from"),
    "sparse, no rows": ({"X": sp.csr_array((0, 3)), "y": Y[:0]}, "X has no rows"),
    "frame, no rows": ({"X": pd.DataFrame({"a": []}), "y": Y[:0]}, "the table: has 0 rows and 1 column"),
    "frame, words": ({"X": pd.DataFrame({"a": ["x"] + ["1"] * 23})}, "row 1 .*column 'a': 'x' is not a number"),
    "lengths": ({"y": Y[:-1]}, "X has 24 rows but y has 23 values; they must match"),
    "NaN": ({"X": but(X, (4, 1), np.nan)}, "X has 1 NaN or infinite value, the first in row 5, column 2; fill"),
    "infinity": ({"X": but(but(X, (4, 1), np.inf), 7, -np.inf)}, "X has 4 NaN or infinite values, .* row 5, column 2"),
    "sparse, NaN": ({"X": sp.csr_array(but(X, (4, 1), np.nan))}, "X has 1 NaN.*row 5, column 2"),
    "sparse, infinity": ({"X": sp.csc_array(but(X, (4, 1), -np.inf))}, "X has 1 NaN.*row 5, column 2"),
    "frame, NaN": ({"X": pd.DataFrame(but(X, (4, 1), np.nan), columns=NAMES)}, "row 5 .*column 'b'"),
    "too large": ({"X": X * 1e200, "start": 1.0}, "whose squares overflow in floating point: give it in other units"),
    "y too large": ({"y": Y * 1e200}, "whose squares overflow in floating point: give it in other units"),
    "squares too large": ({"X": X * 1e160, "learning_rate": "auto"}, "whose squares overflow in floating point"),
    "y missing": ({"y": None}, "y is missing: give fit"),
    "y, NaN": ({"y": but(Y, 6, np.nan)}, "y has 1 NaN or infinite value, the first in row 7; leave"),
    "y, infinity": ({"y": but(Y, slice(6, 9), np.inf)}, "y has 3 NaN or infinite values, the first in row 7; leave"),
    "labels, NaN": ({"y": but(LABELS, 6, np.nan), "loss": "logistic"}, "y has 1 NaN.*row 7"),
    "y, None": ({"y": [None, *Y[1:]]}, "y has missing values; leave those rows out"),
    "labels, gaps": ({"y": [np.nan, *WORDS[1:]], "loss": "logistic"}, "of one kind, without gaps"),
    "labels, mixed": ({"y": [1, "a"] * 12, "loss": "logistic"}, "y must hold numbers or labels of one kind"),
    "labels, pandas gap": ({"y": pd.Series([None, *"ab" * 11, "a"], dtype="string"), "loss": "logistic"}, "row 1 "),
    "y, ragged": ({"y": [[1.0], [2.0, 3.0]] * 12}, "y must have rows of one length"),
    "y, a cube": ({"y": X.reshape(24, 1, -1)}, r"y must have one dimension, .*, not the shape \(24, 1, 3\)"),
    "y, words": ({"y": WORDS, "loss": "squared"}, "y holds words such as '(yes|no)'.*use loss='logistic'"),
    "y, complex": ({"y": Y + 0j}, "y holds complex128 values such as"),
    "y, constant": ({"y": np.full(24, 2.5)}, "y is 2.5 in every row: there is nothing to learn from a constant target"),
    "one class": ({"y": ["a"] * 24, "loss": "logistic"}, "y is a in every row: a classification needs two classes"),
    "no classes": ({"y": Y + 0.5, "loss": "logistic"}, r"but y has \d+ different numbers \(.*\); for a regression use"),
}  # fmt: skip

BAD_OPTIONS = {
    "learning_rate": [([-1, 0, np.nan, np.inf, "fast", True, None], "must be 'auto' or a number above 0, not {!r}$")],
    "alpha": [([-1, np.nan, np.inf], "alpha must be a finite number, 0 or more, not {}$")],
    "batch_size": [([0, 2.5, "many", True], "must be 'auto' or a whole number, 1 or more, not {!r}$")],
    "max_epochs": [([0, -1, 1.5, True, None], "max_epochs must be a whole number, 1 or more, not {!r}$")],
    "patience": [([0, 1.5], "patience must be a whole number, 1 or more, not {!r}$")],
    "seed": [([-1, 1.5, None], "seed must be a whole number, 0 or more, not {!r}$")],
    "n_threads": [([0, 1.5], "n_threads must be a whole number, 1 or more, not {!r}$")],
    "max_seconds": [([0, -1, np.nan, "1"], "max_seconds must be a number above 0, not {!r}$")],
    "tol": [([-1e-9, np.nan, np.inf, "small"], "tol must be a number, 0 or more, not {!r}$")],
    "method": [
        (["minibach"], r"unknown method 'minibach'; did you mean 'minibatch'\? \(known: auto, gd, sgd, "),
        (["ridge", None], r"unknown method {!r}.* \(known: "),
    ],
    "loss": [
        (["hubber"], "unknown loss 'hubber'; did you mean 'huber'"),
        (["huber:detla=1"], "'huber' has no setting 'detla'; did you mean 'delta'"),
        ([3], "loss: 3 is neither a name .* nor a term"),
    ],
    "rule": [(["addam"], "unknown rule 'addam'; did you mean 'adam'")],
    "schedule": [(["cosin"], "unknown schedule 'cosin'; did you mean 'cosine'")],
    "penalty": [(["elastic"], "unknown penalty 'elastic'; did you mean 'elasticnet'")],
    "shuffle": [(["some", None], "shuffle must be True, False or one of blocks, full, none, not {!r}$")],
    "scale": [(["standard", None, 2], "scale must be True, False or 'auto', not {!r}$")],
    "trace": [(["row"], "trace must be 'epoch' or 'step', not 'row'")],
    "fit_intercept": [(["no", None, 2], "fit_intercept is True or False, not {!r}$")],
    "callbacks": [([[3]], "functions of the state, and 3 cannot be called"), ([print, 3], "a list of functions")],
    "start": [
        ([[1.0, 2.0], [[1.0, 2.0, 3.0]], [5.0]], "start has the shape .*, but the model has 3 coefficients"),
        ([np.nan, [1, 2, np.inf], ([1, 2, 3], np.nan)], "start holds NaN or infinity"),
        (["zero", ([1, 2, 3], "x"), [[1], [2, 3]]], r"start must be coefficients, \(coefficients, intercept\)"),
    ],
}  # fmt: skip
TOGETHER = {
    "l1_ratio alone": ({"l1_ratio": 0.5}, "l1_ratio goes with penalty='elasticnet' only"),
    "l1_ratio and l2": ({"penalty": "l2", "alpha": 1, "l1_ratio": 0.5}, "l1_ratio goes with penalty='elasticnet' only"),
    "l1_ratio too large": ({"penalty": "elasticnet", "l1_ratio": 1.5}, "l1_ratio must lie between 0 and 1, not 1.5"),
    "l1_ratio NaN": ({"penalty": "elasticnet", "l1_ratio": np.nan}, "l1_ratio must lie between 0 and 1, not nan"),
    "a term and alpha": ({"penalty": ElasticNet(0.1, 0.1), "alpha": 1.0}, "has its own strength: remove alpha"),
    "none and alpha": ({"penalty": "none", "alpha": 1.0}, "contradict each other: remove one"),
    "sgd and batch_size": ({"method": "sgd", "batch_size": 2}, "one row per step: .* take method='minibatch'"),
    "gd and batch_size": ({"method": "gd", "batch_size": 2}, "all rows in each step: .* take method='minibatch'"),
    "start, no intercept": ({"start": ([1, 2, 3], 4.0), "fit_intercept": False}, "start has the intercept 4.0, but"),
    "start, one feature": ({"start": (1.0, 2.0)}, r"start has the shape \(2,\), but the model has 3 coefficients"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DATA)
def test_error_for_bad_data(case):
    arguments, message = BAD_DATA[case]
    with pytest.raises(DataError, match=message) as caught:
        fit(**arguments)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        pytest.param(option, value, message, id=f"{option}={value!r}")
        for option, cases in BAD_OPTIONS.items()
        for values, message in cases
        for value in values
    ],
)
def test_error_for_a_bad_option(option, value, message):
    options = {"method": "minibatch", option: value}
    with pytest.raises(OptionError, match=message.format(value)) as caught:
        fit(**options)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", TOGETHER)
def test_error_for_options_that_contradict_each_other(case):
    options, message = TOGETHER[case]
    with pytest.raises(OptionError, match=message):
        fit(**options)


@fastgd.term
class Hinge:
    """A loss whose max() turns NaN into 0."""

    def value(self, y: float, z: float) -> float:
        return max(0.0, 1.0 - y * z)

    def derivative(self, y: float, z: float) -> float:
        return -y if y * z < 1.0 else 0.0

    def mean(self, z: float) -> float:
        return z


def test_nan_in_X_is_found_although_the_loss_hides_it():
    with pytest.raises(DataError, match="X has 1 NaN or infinite value, the first in row 5, column 2"):
        fit(but(X, (4, 1), np.nan), LABELS, loss=Hinge())


def test_numpy_scalars_are_accepted_as_options(tmp_path):
    options = {"max_epochs": 4, "tol": 1e-3, "seed": 3, "fit_intercept": True, "scale": True, "shuffle": False}
    as_numpy = {name: np.array(value)[()] for name, value in options.items()} | {"tol": np.float32(1e-3)}
    result = fit(method="sgd", **as_numpy)
    same(result, fit(method="sgd", **options), tolerance=0)
    result.save(tmp_path / "model")
    assert fit(scale=np.False_).path.tobytes() == fit(scale=False).path.tobytes()
