"""The metrics, held to scikit-learn's."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import DataError
from fastgd.metrics import classification_metrics, evaluate, regression_metrics

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 60)


@given(n=sizes, seed=seeds, scale=st.sampled_from([1e-6, 1.0, 1e6]), offset=st.sampled_from([0.0, 10.0]))
def test_regression(n, seed, scale, offset):
    random = np.random.default_rng(seed)
    y = scale * (random.normal(size=n) + offset)
    predicted = y + random.choice([0.1, 10]) * scale * random.normal(size=n)
    assert regression_metrics(y, predicted) == {
        "r2": pytest.approx(sklearn.metrics.r2_score(y, predicted), rel=1e-9),
        "rmse": pytest.approx(sklearn.metrics.root_mean_squared_error(y, predicted), rel=1e-12),
        "mae": pytest.approx(sklearn.metrics.mean_absolute_error(y, predicted), rel=1e-12),
    }


@given(n=sizes, value=st.floats(-1e6, 1e6))
def test_r2_of_a_constant_target_is_not_a_number(n, value):
    """The mean of equal numbers is often another number."""
    found = regression_metrics(np.full(n, value), np.arange(n, dtype=np.float64))
    assert math.isnan(found["r2"])
    assert math.isfinite(found["rmse"])


@given(n=sizes, seed=seeds, ties=st.sampled_from([0, 1, 4, 20]))
def test_classification(n, seed, ties):
    random = np.random.default_rng(seed)
    positive = random.random(n) < random.choice([0.1, 0.5, 0.9])
    probability = np.clip(random.normal(0.3 + 0.4 * positive, 0.3), 0, 1)
    if ties:
        probability = np.round(probability * ties) / ties
    found = classification_metrics(positive, probability)
    assert found["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(positive, probability > 0.5))
    expected = sklearn.metrics.log_loss(positive, probability, labels=[False, True])
    assert found["log_loss"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if positive.all() or not positive.any():
        assert math.isnan(found["auc"])
    else:
        assert found["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(positive, probability), abs=1e-12)


# --- of a model -------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(40, 3))
Y = X @ [1.0, -2.0, 0.5] + RANDOM.normal(size=40)
WORDS = np.where(Y > 0, "up", "down")
REGRESSION = fastgd.fit(X, Y, method="gd", max_epochs=20)
CLASSIFICATION = fastgd.fit(X, WORDS, loss="logistic", method="gd", max_epochs=20)


def numbered(zero_one):
    """The same model as of labels 1 and 2, or 0 and 1."""
    return fastgd.fit(X, (Y > 0) + (0 if zero_one else 1), loss="logistic", method="gd", max_epochs=20)


def test_a_regression():
    found, predicted = evaluate(REGRESSION, X, Y), REGRESSION.predict(X)
    assert list(found) == ["r2", "rmse", "mae"]
    assert found["r2"] == pytest.approx(sklearn.metrics.r2_score(Y, predicted))
    for y in (Y.tolist(), Y[:, np.newaxis], pd.Series(Y, index=np.arange(40)[::-1]), Y.astype(object)):
        assert evaluate(REGRESSION, X, y) == found


def test_a_classification_with_words_for_labels():
    found, probability = evaluate(CLASSIFICATION, X, WORDS), CLASSIFICATION.predict_proba(X)
    assert list(found) == ["accuracy", "log_loss", "auc"]
    assert found["accuracy"] == sklearn.metrics.accuracy_score(WORDS, CLASSIFICATION.predict(X))
    assert found["log_loss"] == pytest.approx(sklearn.metrics.log_loss(WORDS, probability))
    assert found["auc"] == pytest.approx(sklearn.metrics.roc_auc_score(WORDS, probability[:, 1]))
    for y in (WORDS.tolist(), pd.Series(WORDS), WORDS.astype(object), WORDS[:, np.newaxis]):
        assert evaluate(CLASSIFICATION, X, y) == found


def test_numbers_for_labels():
    found = evaluate(CLASSIFICATION, X, WORDS)
    assert evaluate(numbered(zero_one=False), X, (Y > 0) + 1) == found
    assert evaluate(numbered(zero_one=False), X, (Y > 0) + 1.0) == found
    assert evaluate(numbered(zero_one=True), X, Y > 0) == found


def test_rows_of_a_single_class():
    some = WORDS == "up"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(CLASSIFICATION, X[some], WORDS[some])
    assert math.isnan(found["auc"])
    assert 0 < found["accuracy"] <= 1


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (CLASSIFICATION, [*WORDS[1:], "sideways"], "y holds the label sideways, but the model knows only down and up"),
        (CLASSIFICATION, Y > 0, "the model knows only down and up"),
        (numbered(zero_one=False), ((Y > 0) + 1).astype(str), "the label [12], but the model knows only 1 and 2"),
        (numbered(zero_one=False), (Y > 0) + 2, "the label 3, but the model knows only 1 and 2"),
        (REGRESSION, WORDS, "y holds words, but the model predicts numbers"),
        (REGRESSION, Y[:-1], "X has 40 rows but y has 39 values; they must match"),
        (REGRESSION, Y[:1], "X has 40 rows but y has 1 values; they must match"),
        (REGRESSION, [np.nan, *Y[1:]], "y has 1 NaN or infinite value, the first in row 1"),
        (REGRESSION, X, "y must have one dimension"),
        (CLASSIFICATION, WORDS[:-1], "X has 40 rows but y has 39 values; they must match"),
    ],
)  # fmt: skip
def test_targets_that_do_not_fit_the_model(model, y, message):
    with pytest.raises(DataError, match=message):
        evaluate(model, X, y)


def test_a_row_with_a_gap_is_not_predicted_as_if_there_were_none():
    model = fastgd.fit([[1.0], [2.0], [3.0]], [0, 1, 1], loss="logistic", method="gd", max_epochs=3)
    with pytest.raises(fastgd.DataError, match="NaN or infinite values in 1 row, the first in row 2; fill them in"):
        model.predict([[1.0], [np.nan]])
