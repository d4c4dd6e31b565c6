"""Values whose squares overflow or vanish are refused by a sentence with the column; a few tiny values are fine."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import fastgd
from fastgd import DataError
from fastgd.data.feature_matrix import as_matrix
from fastgd.data.magnitudes import FIRST_VALUES, check_magnitudes

N = 60
FORMS = pytest.mark.parametrize("form", [np.asarray, csr_array], ids=["dense", "csr"])


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 3))


@pytest.fixture
def y(rng, X):
    return X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=N)


def fits(X, y, **options):
    return fastgd.fit(X, y, **options).converged


@FORMS
@pytest.mark.parametrize(
    ("size", "dtype", "what"),
    [
        (1e155, np.float64, "overflow"),
        (1e200, np.float64, "overflow"),
        (1e-155, np.float64, "vanish"),
        (1e-170, np.float64, "vanish"),
        (1e-310, np.float64, "vanish"),  # subnormal
        (1e33, np.float32, "overflow"),
        (1e-33, np.float32, "vanish"),
    ],
)
def test_error_names_the_column_and_its_values(X, y, form, size, dtype, what):
    X[:, 1] *= size
    largest = np.abs(X[:, 1].astype(dtype)).max()
    message = f"column 2 of X holds values of up to {largest:.2g}, whose squares {what} in floating point: give it in "
    with pytest.raises(DataError, match="^" + re.escape(message) + "other units$"):
        fastgd.fit(form(X.astype(dtype)), y)


def test_error_names_the_column_of_a_table(X, y):
    X[:, 2] *= 1e200
    with pytest.raises(DataError, match=r"^column 'size' of X holds values of up to"):
        fastgd.fit(pl.DataFrame(X, schema=["a", "b", "size"]), y)


@pytest.mark.parametrize("size", [1e155, 1e200, 1e-170])
def test_error_for_targets(X, y, size):
    what = "overflow" if size > 1 else "vanish"
    with pytest.raises(
        DataError, match=f"^y holds values of up to .*, whose squares {what} in floating point: give it"
    ):
        fastgd.fit(X, y * size)
    with pytest.raises(DataError, match=r"^column 2 of y holds values of up to"):
        fastgd.fit(X, np.column_stack([y, y * size]))


@FORMS
@pytest.mark.parametrize("size", [1e-120, 1e-30, 1e30, 1e120])
def test_large_and_small_units_within_the_limits_are_fitted(X, y, form, size):
    scaled = X * [1.0, size, 1.0]
    result = fastgd.fit(form(scaled), y)
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), y)[0]
    np.testing.assert_allclose(result.coef * [1.0, size, 1.0], expected[:3], rtol=1e-2)


@FORMS
def test_a_few_tiny_values_and_zeros_are_fine(X, y, form):
    X[:5, 0], X[3, 1], X[:, 2] = 1e-200, 5e-324, 0.0
    assert fits(form(X), y)
    y[:3] = 1e-200
    assert fits(form(X), y)


def test_rows_of_weight_zero_do_not_matter(X, y):
    X[7], y[9] = 1e200, 1e200
    weight = np.where(np.isin(np.arange(N), [7, 9]), 0.0, 1.0)
    assert fits(X, y, sample_weight=weight)


@FORMS
@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize(("size", "what"), [(1e-200, "vanish"), (1e200, "overflow")])
def test_every_column_of_many_rows_is_looked_at(form, column, size, what):
    X = np.ones((FIRST_VALUES // 2 + 5, 4))  # of which every second row is looked at
    X[:, column] = size
    message = f"column {column + 1} of X holds values of up to {size:g}, whose squares {what}"
    with pytest.raises(DataError, match="^" + re.escape(message)):
        check_magnitudes(*as_matrix(form(X)))


@FORMS
def test_a_column_that_looks_tiny_is_looked_at_in_all_rows(form):
    X = np.ones((FIRST_VALUES // 2 + 5, 4))
    X[:, 1] = 1e-200
    X[3, 1] = 1.0
    check_magnitudes(*as_matrix(form(X)))


@FORMS
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("value", [1e20, 1e200])
def test_a_single_huge_value_among_many_rows_does_not_end_as_a_false_optimum(rng, form, loss, value):
    """A fill value, say, that no sample of the rows contains: the other columns are fitted, or nothing is claimed."""
    n = 150_000
    X = rng.normal(size=(n, 4))
    score = X @ [1.0, -2.0, 0.5, 0.0] + rng.logistic(size=n)
    y = score if loss == "squared" else np.where(score > 0, 1, 0)
    X[n // 2 + 1, 1] = value
    # The coefficient of the column is next to 0, or fits this one row.
    reference = fastgd.fit(np.delete(X, 1, axis=1), y, loss=loss)
    result = fastgd.fit(form(X), y, loss=loss)
    assert result.method == "newton"
    assert result.converged == (value == 1e20)
    if result.converged:
        np.testing.assert_allclose(np.delete(result.coef, 1), reference.coef, atol=1e-2)
        assert result.objective <= reference.objective * (1 + 1e-5)
