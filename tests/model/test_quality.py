"""`Quality`: metrics, confusion matrix, precision and recall, held to plain Python and scikit-learn, and printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference.metrics as plain
import sklearn.metrics as theirs
from helpers.picture_cases import result

import fastgd
from fastgd.losses import LOSSES

X = np.random.default_rng(21).normal(size=(90, 3))
SCORE = X @ [1.5, -1.0, 0.5] + np.random.default_rng(22).normal(size=90)
WEIGHT = np.random.default_rng(23).choice([0.5, 1.0, 3.0], 90)
WEIGHTED = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
TARGETS = {
    "words": np.where(SCORE > 0, "up", "down"),
    "booleans": SCORE > 0.5,
    "integers": np.array([2**60, 2**60 + 1])[(SCORE > 0).astype(int)],
    "three": np.array(["ant", "bee", "cat"])[np.digitize(SCORE, [-1.0, 1.0])],
}


def model_of(y, loss):
    """A model of least-squares coefficients, without training: its quality is what is tested."""
    classes = np.unique(y)
    positive = y == classes[1] if len(classes) == 2 and loss != "softmax" else y[:, np.newaxis] == classes
    coef = np.linalg.lstsq(np.column_stack([X, np.ones(90)]), 2.0 * positive - 1.0, rcond=None)[0].T
    intercept = float(coef[3]) if coef.ndim == 1 else coef[:, 3].copy()
    return result([1.0], coef=coef[..., :3].copy(), intercept=intercept, loss=LOSSES.resolve(loss), classes=classes)


@WEIGHTED
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize("name", TARGETS)
def test_classification_agrees_with_plain_python_and_scikit_learn(name, loss, weight):
    y = TARGETS[name]
    model = model_of(y, loss)
    found = fastgd.evaluate(model, X, y, sample_weight=weight)
    classes, labels, predicted = model.classes.tolist(), y.tolist(), model.predict(X).tolist()
    rows = [1.0] * 90 if weight is None else weight.tolist()
    probabilities = model.predict_proba(X)
    matrix = plain.confusion(labels, predicted, classes, rows)
    np.testing.assert_allclose(found.confusion, matrix, rtol=1e-12)
    np.testing.assert_allclose(found.confusion, theirs.confusion_matrix(y, model.predict(X), sample_weight=weight))
    assert found.precision.tolist() == pytest.approx([plain.precision(matrix, k) for k in range(len(classes))])
    assert found.recall.tolist() == pytest.approx([plain.recall(matrix, k) for k in range(len(classes))])
    by_class = theirs.precision_recall_fscore_support(y, model.predict(X), sample_weight=weight)
    np.testing.assert_allclose([found.precision, found.recall], by_class[:2])
    areas = [
        plain.auc([true == label for true in labels], probabilities[:, k].tolist(), rows)
        for k, label in enumerate(classes)
    ]
    assert dict(found) == {
        "accuracy": pytest.approx(plain.accuracy(labels, predicted, rows)),
        "log_loss": pytest.approx(plain.log_loss(labels, probabilities.tolist(), classes, rows)),
        "brier": pytest.approx(plain.brier(labels, probabilities.tolist(), classes, rows)),
        "auc": pytest.approx(np.mean(areas)),
    }
    positive = {"y_prob": probabilities[:, 1], "pos_label": classes[1]}
    args = positive if len(classes) == 2 else {"y_proba": probabilities}
    try:
        expected = theirs.brier_score_loss(y, *[args.pop(next(iter(args)))], **args, sample_weight=weight)
    except ValueError:  # scikit-learn before 1.7 has it for two classes only
        assert len(classes) > 2
    else:
        assert found["brier"] == pytest.approx(expected)


@WEIGHTED
def test_regression_agrees_with_plain_python(weight):
    coef = np.array([1.0, -1.0, 0.0])
    model = result([1.0], coef=coef, intercept=0.25, loss=LOSSES.resolve("squared"), classes=None)
    found = fastgd.evaluate(model, X, SCORE, sample_weight=weight)
    rows, predicted = [1.0] * 90 if weight is None else weight.tolist(), (X @ coef + 0.25).tolist()
    expected = {name: getattr(plain, name)(SCORE.tolist(), predicted, rows) for name in ("r2", "rmse", "mae")}
    assert dict(found) == pytest.approx(expected)
    assert (found.classes, found.confusion, found.precision, found.recall) == (None, None, None, None)


def test_table_brings_its_targets_weights_and_offset(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [f"{a},{b},{c},{y},{w},{o}" for (a, b, c), y, w, o in zip(X, TARGETS["words"], WEIGHT, SCORE, strict=True)]
    path.write_text("\n".join(["a,b,c,y,w,o", *lines]))
    table = fastgd.open(path, target="y", weight="w", offset="o")
    model = model_of(TARGETS["words"], "logistic")
    expected = fastgd.evaluate(model, X, TARGETS["words"], sample_weight=WEIGHT, offset=SCORE)
    assert fastgd.evaluate(model, table) == expected
    with pytest.raises(fastgd.DataError, match="y is missing"):
        fastgd.evaluate(model, X)


def test_class_that_is_never_predicted_has_no_precision_and_one_without_rows_no_recall():
    model = model_of(TARGETS["three"], "softmax")
    model.intercept[0] = -1e3  # no row is predicted to be an ant
    some = TARGETS["three"] != "cat"
    found = fastgd.evaluate(model, X[some], TARGETS["three"][some])
    assert math.isnan(found.precision[0])
    assert found.recall[0] == 0
    assert math.isnan(found.recall[2])
    assert repr(found).splitlines()[-1].split()[1] == "-"


def test_printed_as_a_table():
    found = fastgd.Quality({"accuracy": 0.75, "auc": 0.5}, 1234, np.array(["no", "yes"]), np.array([[2, 1], [0, 3]]))
    assert repr(found).splitlines() == [
        "1,234 rows",
        "accuracy  0.75",
        "AUC        0.5",
        "",
        "actual \\ predicted  no   yes  recall",
        "no                   2     1   0.667",
        "yes                  0     3       1",
        "precision            1  0.75",
    ]


def test_many_classes_are_printed_one_by_one():
    found = fastgd.Quality({"accuracy": 1.0}, 78, np.arange(12), np.diag(np.arange(1, 13)))
    lines = repr(found).splitlines()
    assert lines[3].split() == ["class", "precision", "recall", "rows"]
    assert lines[4].split() == ["2", "1", "1", "3"]
    assert lines[-1] == "and 2 classes with fewer rows"


def test_everything_for_json():
    found = fastgd.evaluate(model_of(TARGETS["words"], "logistic"), X, TARGETS["words"])
    assert list(found.as_dict()) == ["n_samples", "metrics", "classes", "confusion", "precision", "recall"]
    assert found.as_dict()["metrics"] == dict(found)
