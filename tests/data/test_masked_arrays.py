"""Masked arrays with hidden values are refused at every door; without hidden values they are arrays like others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import fastgd
from fastgd import DataError
from fastgd.model.metrics import evaluate

X, Y = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]]), np.array([1.0, 2.0, 4.0, 3.0])
HIDDEN = np.ma.masked_equal(X, 5.0)
HIDDEN_Y = np.ma.masked_equal(Y, 4.0)


def fit(X=X, y=Y, **options):
    return fastgd.fit(X, y, max_epochs=2, **options)


def sparse_with_hidden_values():
    matrix = sp.csr_array(X)
    matrix.data = np.ma.masked_equal(matrix.data, 5.0)
    return matrix


DOORS = {
    "X": ("X", lambda: fit(HIDDEN)),
    "X as a list of rows": ("X", lambda: fit(list(HIDDEN))),
    "X, sparse": ("X", lambda: fit(sparse_with_hidden_values())),
    "y": ("y", lambda: fit(y=HIDDEN_Y)),
    "y as a list": ("y", lambda: fit(y=list(HIDDEN_Y))),
    "y of two columns": ("y", lambda: fit(y=np.ma.column_stack([Y, HIDDEN_Y]))),
    "labels": ("y", lambda: fit(y=np.ma.array(["a", "b", "a", "b"], mask=[0, 0, 1, 0]), loss="logistic")),
    "sample_weight": ("sample_weight", lambda: fit(sample_weight=HIDDEN_Y)),
    "offset": ("offset", lambda: fit(offset=HIDDEN_Y)),
    "penalty_weights": ("penalty_weights", lambda: fit(alpha=1.0, penalty_weights=HIDDEN[2])),
    "start": ("start", lambda: fit(start=HIDDEN[2])),
    "an intercept to start from": ("start", lambda: fit(start=([1.0, 2.0], np.ma.masked))),
    "X of a validation set": ("the validation set: X", lambda: fit(validation=(HIDDEN, Y))),
    "y of a validation set": ("the validation set: y", lambda: fit(validation=(X, HIDDEN_Y))),
    "predict": ("X", lambda: fit().predict(HIDDEN)),
    "an offset of predictions": ("offset", lambda: fit().predict(X, offset=HIDDEN_Y)),
    "evaluate": ("y", lambda: evaluate(fit(), X, HIDDEN_Y)),
    "fit_path": ("X", lambda: fastgd.fit_path(HIDDEN, Y, alphas=[1.0])),
    "a Table": ("X", lambda: fit(fastgd.Table(HIDDEN, Y, ("a", "b"), "y", "t"), None)),
}


@pytest.mark.parametrize("door", DOORS)
def test_hidden_values_are_refused(door):
    name, call = DOORS[door]
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(f"{name} is a masked array with 1 hidden value, the first in row "), message
    assert message.endswith("; fill them in with .filled(...) or leave those rows out")


def test_the_first_row_with_hidden_values_is_named():
    with pytest.raises(DataError, match=r"^X is a masked array with 3 hidden values, the first in row 2;"):
        fit(np.ma.array(X, mask=[[0, 0], [1, 1], [0, 0], [0, 1]]))


def test_masks_that_hide_nothing_change_nothing():
    expected = fit().coef
    for unmasked in (np.ma.array(X), np.ma.array(X, mask=np.zeros(X.shape))):
        np.testing.assert_array_equal(fit(unmasked, np.ma.array(Y)).coef, expected)


def test_missing_values_of_pandas_keep_their_own_message():
    with pytest.raises(DataError, match=r"1 missing value, the first in row 3 \(counted from 1\), column 'b'"):
        fit(pd.DataFrame({"a": [1, 2, 3, 4], "b": pd.array([1, 2, None, 4], "Int64")}))
