"""`evaluate`: the metrics of each loss and kind of target, compared with scikit-learn's."""

from __future__ import annotations

import math
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as theirs
from helpers.picture_cases import result

import fastgd
from fastgd import DataError
from fastgd.losses import LOSSES
from fastgd.model.metrics import evaluate


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


X = normal(4, 60, 3)
Y = X @ [1.0, -2.0, 0.5] + normal(5, 60)
WEIGHT = np.random.default_rng(6).choice([0.0, 0.5, 2.0], 60)
OFFSET = normal(7, 60)
WORDS = np.where(Y > 0, "up", "down")
PETS = np.array(["ant", "bee", "cat"])[np.digitize(Y, [-1.0, 1.0])]
COUNTS = np.random.default_rng(8).poisson(np.exp(0.5 * Y))
WEIGHTED = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])


def model_of(y, loss="squared", X=X):
    """A `Result` with least-squares coefficients: metrics need a model, not a good one, and this compiles no fit."""
    term, columns, classes = LOSSES.resolve(loss), y, None
    if getattr(term, "classifies", False):
        if y.ndim == 2:
            classes = np.array([np.unique(labels) for labels in y.T])
            positive = y == classes[:, 1]
        else:
            classes = np.unique(y)
            positive = y == classes[1] if len(classes) == 2 and loss != "softmax" else y[:, np.newaxis] == classes
        columns = 2.0 * positive - 1.0
    coef = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), np.asarray(columns, np.float64), rcond=None)[0].T
    intercept = float(coef[3]) if coef.ndim == 1 else coef[:, 3].copy()
    return result([1.0], coef=coef[..., :3].copy(), intercept=intercept, loss=term, classes=classes)


SQUARES = np.column_stack([Y, Y**2])
LABELS = np.column_stack([Y > 0, X[:, 0] + normal(9, 60) > 0.5]).astype(int)
MANY = np.arange(60) % 12
MODELS = {
    "numbers": (Y,),
    "squares": (SQUARES, "huber"),
    "words": (WORDS, "logistic"),
    "1 or 2": ((Y > 0) + 1, "logistic"),
    "1.0 or 2.0": ((Y > 0) + 1.0, "logistic"),
    "pets": (PETS, "logistic"),
    "many": (MANY, "hinge"),
    "labels": (LABELS, "logistic"),
    "counts": (COUNTS, "poisson", 0.3 * X),
}


@cache
def example(name):
    """One of the MODELS."""
    return model_of(*MODELS[name])


# --- Regressions -----------------------------------------------------------------------------------------------------


@WEIGHTED
def test_regression_metrics(weight):
    found, predicted = evaluate(example("numbers"), X, Y, sample_weight=weight), example("numbers").predict(X)
    assert found == {
        "r2": pytest.approx(theirs.r2_score(Y, predicted, sample_weight=weight)),
        "rmse": pytest.approx(theirs.root_mean_squared_error(Y, predicted, sample_weight=weight)),
        "mae": pytest.approx(theirs.mean_absolute_error(Y, predicted, sample_weight=weight)),
    }


def test_targets_may_be_lists_series_frames_or_objects():
    found = evaluate(example("numbers"), X, Y)
    for y in (Y.tolist(), Y[:, np.newaxis], pd.Series(Y, index=np.arange(60)[::-1]), Y.astype(object)):
        assert evaluate(example("numbers"), X, y) == found
    found = evaluate(example("squares"), X, SQUARES)
    for y in (SQUARES.tolist(), pd.DataFrame(SQUARES), SQUARES.astype(object)):
        assert evaluate(example("squares"), X, y) == found


@WEIGHTED
def test_several_targets_give_the_mean_of_each_metric(weight):
    found, predicted = evaluate(example("squares"), X, SQUARES, sample_weight=weight), example("squares").predict(X)
    assert found == {
        "r2": pytest.approx(theirs.r2_score(SQUARES, predicted, sample_weight=weight)),
        "rmse": pytest.approx(theirs.root_mean_squared_error(SQUARES, predicted, sample_weight=weight)),
        "mae": pytest.approx(theirs.mean_absolute_error(SQUARES, predicted, sample_weight=weight)),
    }


@WEIGHTED
def test_offset_is_added_to_the_prediction(weight):
    found = evaluate(example("numbers"), X, Y, sample_weight=weight, offset=OFFSET)
    predicted = example("numbers").predict(X) + OFFSET
    assert found["rmse"] == pytest.approx(theirs.root_mean_squared_error(Y, predicted, sample_weight=weight))


@WEIGHTED
@pytest.mark.parametrize(("loss", "power"), [("poisson", 1.0), ("gamma", 2.0), ("tweedie:power=1.2", 1.2)])
def test_metrics_of_poisson_gamma_and_tweedie(loss, power, weight):
    y = COUNTS + 0.5 * (power == 2)
    model = model_of(y, loss, 0.3 * X)
    found, predicted = evaluate(model, 0.3 * X, y, sample_weight=weight), model.predict(0.3 * X)
    assert list(found) == ["d2", "deviance", "rmse", "mae"]
    weights = {"sample_weight": weight, "power": power}
    assert found["deviance"] == pytest.approx(theirs.mean_tweedie_deviance(y, predicted, **weights))
    assert found["d2"] == pytest.approx(theirs.d2_tweedie_score(y, predicted, **weights))
    assert found["mae"] == pytest.approx(theirs.mean_absolute_error(y, predicted, sample_weight=weight))


def test_deviance_of_several_targets_is_the_mean():
    y = np.column_stack([COUNTS, COUNTS[::-1]])
    model = model_of(y, "poisson", 0.3 * X)
    found, predicted = evaluate(model, 0.3 * X, y)["deviance"], model.predict(0.3 * X)
    expected = np.mean([theirs.mean_poisson_deviance(y[:, k], predicted[:, k]) for k in (0, 1)])
    assert found == pytest.approx(expected)


@WEIGHTED
def test_metrics_of_a_quantile(weight):
    model = model_of(Y, "quantile:quantile=0.8")
    found, predicted = evaluate(model, X, Y, sample_weight=weight), model.predict(X)
    assert found == {
        "pinball": pytest.approx(theirs.mean_pinball_loss(Y, predicted, sample_weight=weight, alpha=0.8)),
        "mae": pytest.approx(theirs.mean_absolute_error(Y, predicted, sample_weight=weight)),
    }


@pytest.mark.parametrize("loss", ["half_squared", "huber", "absolute", "epsilon_insensitive"])
def test_metrics_of_other_regression_losses(loss):
    assert list(evaluate(model_of(Y, loss), X, Y)) == ["r2", "rmse", "mae"]


# --- Classifications -------------------------------------------------------------------------------------------------


@WEIGHTED
def test_metrics_of_two_classes(weight):
    found = evaluate(example("words"), X, WORDS, sample_weight=weight)
    predicted, probability = example("words").predict(X), example("words").predict_proba(X)
    assert found == {
        "accuracy": pytest.approx(theirs.accuracy_score(WORDS, predicted, sample_weight=weight)),
        "log_loss": pytest.approx(theirs.log_loss(WORDS, probability, sample_weight=weight)),
        "brier": pytest.approx(theirs.brier_score_loss(WORDS == "up", probability[:, 1], sample_weight=weight)),
        "auc": pytest.approx(theirs.roc_auc_score(WORDS, probability[:, 1], sample_weight=weight)),
    }
    for y in (WORDS.tolist(), pd.Series(WORDS), WORDS.astype(object), WORDS[:, np.newaxis]):
        assert evaluate(example("words"), X, y, sample_weight=weight) == found


@WEIGHTED
def test_metrics_of_three_classes(weight):
    found = evaluate(example("pets"), X, PETS, sample_weight=weight)
    probability, weights = example("pets").predict_proba(X), {"sample_weight": weight}
    assert found == {
        "accuracy": pytest.approx(theirs.accuracy_score(PETS, example("pets").predict(X), **weights)),
        "log_loss": pytest.approx(theirs.log_loss(PETS, probability, **weights)),
        "brier": pytest.approx(
            np.average(((probability - (PETS[:, None] == ["ant", "bee", "cat"])) ** 2).sum(1), weights=weight)
        ),
        "auc": pytest.approx(theirs.roc_auc_score(PETS, probability, multi_class="ovr", average="macro", **weights)),
    }


@WEIGHTED
@pytest.mark.parametrize(
    ("y", "loss"), [(WORDS, "hinge"), (WORDS, "squared_hinge"), (WORDS, "perceptron"), (PETS, "hinge")]
)
def test_losses_without_probabilities_have_no_log_loss(loss, y, weight):
    model = model_of(y, loss)
    found, z = evaluate(model, X, y, sample_weight=weight), model.decision_function(X)
    assert list(found) == ["accuracy", "auc"]
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(y, model.predict(X), sample_weight=weight))
    columns = {"up": z} if z.ndim == 1 else dict(zip(model.classes, z.T, strict=True))
    expected = [theirs.roc_auc_score(y == label, score, sample_weight=weight) for label, score in columns.items()]
    assert found["auc"] == pytest.approx(np.mean(expected))


@WEIGHTED
@pytest.mark.parametrize("y", [WORDS, PETS], ids=["two", "three"])
def test_metrics_of_softmax(y, weight):
    model = model_of(y, "softmax")
    found, probability = evaluate(model, X, y, sample_weight=weight), model.predict_proba(X)
    scores = probability[:, 1] if len(model.classes) == 2 else probability
    expected = theirs.roc_auc_score(y, scores, multi_class="ovr", sample_weight=weight)
    assert found["auc"] == pytest.approx(expected)
    assert found["log_loss"] == pytest.approx(theirs.log_loss(y, probability, sample_weight=weight))
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(y, model.predict(X), sample_weight=weight))


def test_modified_huber_has_a_log_loss():
    model = model_of(WORDS, "modified_huber")
    found = evaluate(model, X, WORDS)["log_loss"]
    assert found == pytest.approx(theirs.log_loss(WORDS, model.predict_proba(X)))


@WEIGHTED
def test_metrics_of_several_labels(weight):
    found = evaluate(example("labels"), X, LABELS, sample_weight=weight)
    predicted, probability = example("labels").predict(X), example("labels").predict_proba(X)
    weights = {"sample_weight": weight}
    each = [theirs.log_loss(LABELS[:, k], probability[:, k], **weights) for k in (0, 1)]
    assert found == {
        "subset_accuracy": pytest.approx(theirs.accuracy_score(LABELS, predicted, **weights)),
        "hamming_loss": pytest.approx(theirs.hamming_loss(LABELS, predicted, **weights)),
        "log_loss": pytest.approx(np.mean(each)),
        "brier": pytest.approx(np.average(((probability - LABELS) ** 2).mean(axis=1), weights=weight)),
        "auc": pytest.approx(theirs.roc_auc_score(LABELS, probability, average="macro", **weights)),
    }
    words = np.where(LABELS == 1, ["yes", "tall"], ["no", "small"])
    assert evaluate(model_of(words, "logistic"), X, words, sample_weight=weight) == found
    assert list(evaluate(model_of(words, "hinge"), X, words)) == ["subset_accuracy", "hamming_loss", "auc"]


@WEIGHTED
def test_offset_in_a_classification(weight):
    found = evaluate(example("words"), X, WORDS, sample_weight=weight, offset=OFFSET)
    probability = example("words").predict_proba(X, offset=OFFSET)
    assert found["log_loss"] == pytest.approx(theirs.log_loss(WORDS, probability, sample_weight=weight))
    assert found["accuracy"] == pytest.approx(np.average((probability[:, 1] > 0.5) == (Y > 0), weights=weight))


def test_labels_may_be_numbers_or_booleans():
    found = evaluate(example("words"), X, WORDS)
    one_two, zero_one = model_of((Y > 0) + 1, "logistic"), model_of((Y > 0) + 0, "logistic")
    assert evaluate(one_two, X, (Y > 0) + 1) == evaluate(one_two, X, (Y > 0) + 1.0) == found
    assert evaluate(zero_one, X, Y > 0) == found


def test_unknown_label_of_rows_with_weight_zero_is_ignored():
    """`fit` drops rows of weight 0, so the model may not know their labels."""
    y, weight = np.where(np.arange(60) == 5, "new", WORDS), np.where(np.arange(60) == 5, 0.0, 1.0)
    model = fastgd.fit(X, y, loss="logistic", sample_weight=weight, method="gd", max_epochs=20)
    found = evaluate(model, X, y, sample_weight=weight)
    assert found == evaluate(model, np.delete(X, 5, axis=0), np.delete(y, 5))


def test_auc_of_a_single_class_is_nan():
    some = WORDS == "up"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(example("words"), X[some], WORDS[some])
        assert math.isnan(evaluate(example("pets"), X[PETS != "cat"], PETS[PETS != "cat"])["auc"])
    assert math.isnan(found["auc"])
    assert 0 < found["accuracy"] <= 1


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        ("words", [*WORDS[1:], "sideways"], "y holds the label sideways, but the model knows only down and up"),
        ("words", Y > 0, "the model knows only down and up"),
        ("1 or 2", ((Y > 0) + 1).astype(str), "label [12], but the model knows only 1 and 2"),
        ("1.0 or 2.0", (Y > 0) + 2.0, "y holds the label 3, but the model knows only 1 and 2"),
        ("pets", [*PETS[1:], "dog"], "y holds the label dog, but the model knows only ant, bee, cat$"),
        ("many", MANY + 1, "y holds the label 12, but the model knows only 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "),
        ("labels", LABELS + 1, "y holds the label 2, but the model knows only 0 and 1"),
        ("labels", LABELS[:, 0], "y has 1 columns, but the model predicts 2; they must match"),
        ("numbers", WORDS, "y has text values, but the model predicts numbers"),
        ("numbers", Y[:-1], "X has 60 rows but y has 59 values; they must match"),
        ("numbers", Y[:1], "X has 60 rows but y has 1 values; they must match"),
        ("numbers", [np.nan, *Y[1:]], "y has 1 NaN or infinite value, the first in row 1"),
        ("numbers", X, "y has 3 columns, but the model predicts 1; they must match"),
        ("words", WORDS[:-1], "X has 60 rows but y has 59 values; they must match"),
        ("counts", Y, "y must be 0 or more for the loss poisson"),
    ],
)  # fmt: skip
def test_targets_of_another_kind_are_refused(model, y, message):
    with pytest.raises(DataError, match=message):
        evaluate(example(model), X, y)


def test_invalid_weights_are_refused():
    with pytest.raises(DataError, match="sample_weight has 1 negative value, the first in row 1"):
        evaluate(example("numbers"), X, Y, sample_weight=[-1.0] + [1.0] * 59)
    with pytest.raises(DataError, match="sample_weight must hold a number for each of the 60 rows"):
        evaluate(example("numbers"), X, Y, sample_weight=[1.0] * 59)


def test_predict_refuses_rows_with_nan():
    model = fastgd.fit([[1.0], [2.0], [3.0]], [0, 1, 1], loss="logistic", method="gd", max_epochs=3)
    with pytest.raises(fastgd.DataError, match="NaN or infinite values in 1 row, the first in row 2; fill them in"):
        model.predict([[1.0], [np.nan]])
