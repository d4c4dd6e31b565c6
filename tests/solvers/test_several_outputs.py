"""Several outputs through `fit`: one against the rest, several targets, several labels, softmax."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from reference import outputs as reference_outputs
from reference.losses import Huber, Softmax

import fastgd
from fastgd import DataError, OptionError

pytestmark = pytest.mark.plain_python

RANDOM = np.random.default_rng(5)
N, D = 43, 3
X = RANDOM.normal(size=(N, D)) * [0.5, 1.0, 2.0] + [0.0, 1.0, 0.0]
TARGETS = X @ RANDOM.normal(size=(D, 4)) + RANDOM.normal(size=(N, 4))
CLASSES = TARGETS.argmax(axis=1)  # 0 to 3
TWO = (TARGETS[:, :3] > 0.5).astype(int)  # three targets of two labels each
BATCH = {"gd": N, "sgd": 1, "minibatch": 8}
LOSS = "huber:delta=1.5"

each_method = pytest.mark.parametrize("method", BATCH)


def fit(y, loss=LOSS, X=X, **options):
    options = {"method": "gd", "learning_rate": 0.05, "max_epochs": 5, **options}
    if options["method"] == "minibatch":
        options.setdefault("batch_size", BATCH["minibatch"])
    return fastgd.fit(X, y, loss=loss, **options)


def weights(result):
    return np.column_stack([result.coef, result.intercept])


def agree(several, singles, tolerance=1e-10):
    """The outputs of one fit equal the single fits at every epoch, and its F is the sum of their F."""
    paths = [single.path for single in singles]
    np.testing.assert_allclose(several.path, np.stack(paths, axis=1), rtol=0, atol=tolerance)
    np.testing.assert_allclose(weights(several), [[*s.coef, s.intercept] for s in singles], rtol=0, atol=tolerance)
    for name in ("objective", "running_loss"):
        total = sum(single.trace[name] for single in singles)
        np.testing.assert_allclose(several.trace[name], total, rtol=1e-10)
    assert several.objective == pytest.approx(sum(single.objective for single in singles), rel=1e-10)


# --- Each output is a fit of its own ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [{"learning_rate": 0.3}, {"learning_rate": "auto", "scale": True, "tol": 0}])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_against_the_rest_equals_a_fit_per_class(rate, fit_intercept):
    options = {**rate, "alpha": 0.1, "fit_intercept": fit_intercept, "max_epochs": 20}
    agree(
        fit(CLASSES, "logistic", **options),
        [fit(np.isin(CLASSES, k), "logistic", **options) for k in range(4)],
    )


@each_method
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("penalty", ["none", "elasticnet"])
def test_several_targets_equal_a_fit_per_target(method, shuffle, penalty):
    options = {"method": method, "shuffle": shuffle, "seed": 3, "penalty": penalty}
    options |= {} if penalty == "none" else {"alpha": 0.3, "l1_ratio": 0.5}
    agree(fit(TARGETS, **options), [fit(TARGETS[:, k], **options) for k in range(4)])


@pytest.mark.parametrize("rule", ["momentum", "schedule_free"])
def test_each_output_has_its_own_rule_state(rule):
    options = {"rule": rule, "penalty": "elasticnet", "alpha": 0.3, "max_epochs": 12}
    agree(fit(TARGETS[:, :2], **options), [fit(TARGETS[:, k], **options) for k in range(2)])


def test_several_labels_equal_a_fit_per_label():
    several, singles = fit(TWO, "logistic"), [fit(TWO[:, k], "logistic") for k in range(3)]
    agree(several, singles)
    assert several.classes.tolist() == [[0, 1]] * 3
    assert several.predict(X).tolist() == np.column_stack([single.predict(X) for single in singles]).tolist()
    np.testing.assert_allclose(
        several.predict_proba(X), np.column_stack([single.predict_proba(X)[:, 1] for single in singles]), rtol=1e-12
    )


@each_method
@pytest.mark.parametrize("loss", ["softmax", LOSS])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_every_update_matches_the_reference(method, loss, fit_intercept):
    joint = loss == "softmax"
    result = fit(
        CLASSES if joint else TARGETS, loss, method=method, alpha=0.2, start=0.1, shuffle=False, trace="step",
        fit_intercept=fit_intercept, max_epochs=1,
    )  # fmt: skip
    path, totals = reference_outputs.minibatch(
        X, CLASSES.tolist() if joint else TARGETS.tolist(), Softmax() if joint else Huber(1.5), rates=[0.05] * N,
        order=range(N), start=([[0.1] * D] * 4, [0.0] * 4), batch_size=BATCH[method], l2=0.2,
        fit_intercept=fit_intercept,
    )  # fmt: skip
    expected = np.array([np.column_stack([W, B]) for W, B in path])[1:, :, : D + fit_intercept]
    assert result.steps["weights"].shape == expected.shape == (math.ceil(N / BATCH[method]), 4, D + fit_intercept)
    np.testing.assert_allclose(result.steps["weights"], expected, rtol=0, atol=1e-13)
    assert result.steps["loss"].mean() == pytest.approx(sum(totals) / N, rel=1e-12 if BATCH[method] != 8 else 0.5)
    assert result.trace["running_loss"][1] == pytest.approx(sum(totals) / N, rel=1e-12)
    # With plain steps and l2, a step is the rate times the gradient of the loss and that of the penalty.
    before = np.concatenate([result.path[:1, :, : D + fit_intercept], expected[:-1]])
    pull = 0.2 * before
    pull[..., D:] = 0.0
    np.testing.assert_allclose(result.steps["gradient"], (before - expected) / 0.05 - pull, rtol=0, atol=1e-11)


# --- Softmax ----------------------------------------------------------------------------------------------------------


def test_softmax_reaches_the_optimum_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    alpha = 0.05
    theirs = linear_model.LogisticRegression(C=1 / (N * alpha), tol=1e-10, max_iter=1000).fit(X, CLASSES)
    result = fit(CLASSES, "softmax", alpha=alpha, learning_rate="auto", max_epochs=2000, tol=1e-9)
    assert result.converged
    np.testing.assert_allclose(result.coef, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(result.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert result.predict(X).tolist() == theirs.predict(X).tolist()


def test_softmax_of_two_classes_is_logistic_with_half_the_penalty():
    """alpha / 2 (|u|^2 + |v|^2) is least at u = -v for any u - v = w, and there it is alpha / 4 |w|^2."""
    y, options = CLASSES > 1, {"learning_rate": "auto", "max_epochs": 2000, "tol": 0}
    softmax = fit(y, "softmax", alpha=0.1, **options)
    logistic = fit(y, "logistic", alpha=0.05, **options)
    assert (softmax.coef.shape, softmax.n_outputs) == ((2, D), 2)
    np.testing.assert_allclose(softmax.coef[1] - softmax.coef[0], logistic.coef, atol=1e-7)
    np.testing.assert_allclose(softmax.predict_proba(X), logistic.predict_proba(X), atol=1e-7)
    assert softmax.predict(X).tolist() == logistic.predict(X).tolist()
    assert softmax.objective == pytest.approx(logistic.objective, rel=1e-10)


# --- Labels -----------------------------------------------------------------------------------------------------------

WORDS = np.array(["ant", "bee", "cat", "dog"])
LABELS_OF_ANY_KIND = {
    "strings": (WORDS[CLASSES], list(WORDS)),
    "list of strings": (WORDS[CLASSES].tolist(), list(WORDS)),
    "objects": (WORDS[CLASSES].astype(object), list(WORDS)),
    "far apart": (np.array([3, 7, 8, 100])[CLASSES], [3, 7, 8, 100]),
    "negative": (np.array([-9, -2, 0, 5])[CLASSES], [-9, -2, 0, 5]),
    "floats": (CLASSES.astype(float), [0.0, 1.0, 2.0, 3.0]),
    "uint8": (CLASSES.astype(np.uint8), [0, 1, 2, 3]),
    "a column": (CLASSES[:, np.newaxis], [0, 1, 2, 3]),
    "pandas": (pd.Series(WORDS[CLASSES], index=np.arange(N)[::-1]), list(WORDS)),
    "categories": (pd.Series(WORDS[CLASSES], dtype="category"), list(WORDS)),
    "polars": (pl.Series(WORDS[CLASSES].tolist()), list(WORDS)),
    "days": (np.array(["2020-01-01", "2020-01-02", "2021-01-01", "2022-02-02"], "M8[D]")[CLASSES], None),
}


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.parametrize("kind", LABELS_OF_ANY_KIND)
def test_labels_keep_their_values_and_type(kind, loss):
    y, labels = LABELS_OF_ANY_KIND[kind]
    result, plain = fit(y, loss), fit(CLASSES, loss)
    assert result.coef.tobytes() == plain.coef.tobytes()
    if labels is not None:
        assert result.classes.tolist() == labels
    assert result.predict(X).tolist() == result.classes[plain.predict(X)].tolist()


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.parametrize("y", [CLASSES > 1, [bool(c > 1) for c in CLASSES], (CLASSES > 1).astype(object)])
def test_boolean_targets(y, loss):
    result, plain = fit(y, loss), fit((CLASSES > 1).astype(int), loss)
    assert result.coef.tobytes() == plain.coef.tobytes()
    assert result.classes.tolist() == [False, True]
    assert result.predict(X).tolist() == plain.predict(X).astype(bool).tolist()


def test_each_target_has_its_own_labels():
    y = np.column_stack([np.array(["no", "yes"])[TWO[:, 0]], np.array(["a", "b"])[TWO[:, 1]]])
    result, plain = fit(y, "logistic"), fit(TWO[:, :2], "logistic")
    assert result.coef.tobytes() == plain.coef.tobytes()
    assert result.classes.tolist() == [["no", "yes"], ["a", "b"]]
    expected = [["yes" if u else "no", "b" if v else "a"] for u, v in plain.predict(X)]
    assert result.predict(X).tolist() == expected


# --- What a model gives -----------------------------------------------------------------------------------------------


def test_scores_predictions_and_probabilities(rng):
    new = rng.normal(size=(6, D))
    for y, loss in ((TARGETS, LOSS), (CLASSES, "logistic"), (CLASSES, "softmax"), (TWO, "logistic")):
        result = fit(y, loss)
        z = new @ result.coef.T + result.intercept
        np.testing.assert_allclose(result.decision_function(new), z, rtol=1e-12)
        predicted = result.predict(new)
        if y is TARGETS:
            np.testing.assert_allclose(predicted, z, rtol=1e-12)
            continue
        assert predicted.tolist() == ((z > 0).astype(int) if y is TWO else z.argmax(axis=1)).tolist()
        odds = np.exp(z) if loss == "softmax" else 1 / (1 + np.exp(-z))
        expected = odds if y is TWO else odds / odds.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(result.predict_proba(new), expected, rtol=1e-12)


def test_offset_is_added_to_every_output():
    result, offset = fit(TARGETS, offset=np.arange(N) / 10), np.array([0.5, -1.0])
    new = X[:2] @ result.coef.T + result.intercept + offset[:, None]
    np.testing.assert_allclose(result.predict(X[:2], offset=offset), new, rtol=1e-12)


def test_predict_proba_needs_a_loss_with_probabilities():
    with pytest.raises(fastgd.FastgdError, match="is no classification and has no probabilities"):
        fit(TARGETS).predict_proba(X)
    with pytest.raises(fastgd.FastgdError, match="gives scores, not probabilities"):
        replace(fit(CLASSES, "logistic"), loss=fastgd.losses.LOSSES["hinge"]()).predict_proba(X)


@pytest.mark.parametrize(
    ("y", "loss"), [(TARGETS, LOSS), (WORDS[CLASSES], "logistic"), (CLASSES, "softmax"), (TWO, "logistic")]
)
def test_a_saved_model_predicts_the_same(y, loss, tmp_path):
    result = fit(y, loss, trace="step")
    result.save(tmp_path / "model.fastgd")
    loaded = fastgd.load(tmp_path / "model.fastgd")
    for name in ("coef", "intercept", "path", "trace", "steps"):
        assert getattr(loaded, name).tobytes() == getattr(result, name).tobytes()
    assert (loaded.classes is None) == (result.classes is None)
    assert loaded.predict(X).tolist() == result.predict(X).tolist()
    assert loaded.n_outputs == result.n_outputs == len(result.coef)
    if result.classes is not None:
        assert loaded.classes.tolist() == result.classes.tolist()
        assert loaded.predict_proba(X).tolist() == result.predict_proba(X).tolist()


# --- Where it starts, and how it went ---------------------------------------------------------------------------------

COEF, INTERCEPT = np.arange(4.0 * D).reshape(4, D) / 10, np.array([1.0, -1.0, 0.5, 0.0])


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (0.5, (np.full((4, D), 0.5), np.zeros(4))),
        (COEF, (COEF, np.zeros(4))),
        (COEF.tolist(), (COEF, np.zeros(4))),
        ((COEF, INTERCEPT), (COEF, INTERCEPT)),
        ((COEF.tolist(), INTERCEPT.tolist()), (COEF, INTERCEPT)),
        (0, (np.zeros((4, D)), np.zeros(4))),
    ],
)
def test_start_of_several_outputs(start, first):
    assert fit(TARGETS, start=start).path[0].tolist() == np.column_stack(first).tolist()


@pytest.mark.parametrize(("y", "loss"), [(TARGETS, LOSS), (CLASSES, "softmax")])
def test_a_result_can_be_the_start(y, loss):
    first = fit(y, loss, max_epochs=2)
    assert weights(fit(y, loss, max_epochs=3, start=first)).tobytes() == weights(fit(y, loss)).tobytes()
    assert first.path[-1].tobytes() == weights(first).tobytes()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (COEF[0], r"start has the shape \(3,\), but the model has 4 x 3 coefficients"),
        (COEF.T, r"start has the shape \(3, 4\)"),
        ((COEF, INTERCEPT[:2]), "start has 2 intercepts, but the model has 4"),
        ((COEF, np.full(4, np.nan)), "start holds NaN"),
    ],
)
def test_error_names_the_shape_of_a_wrong_start(start, message):
    with pytest.raises(OptionError, match=message):
        fit(TARGETS, start=start)


def test_callback_states_hold_copies_of_all_outputs():
    seen = []

    def look(state):
        seen.append((state.coef.copy(), state.intercept.copy(), state.objective))
        state.coef[:] = state.intercept[:] = 0.0

    result = fit(TARGETS, callbacks=[look], max_epochs=3)
    for (coef, intercept, objective), path, trace in zip(seen, result.path[1:], result.trace[1:], strict=True):
        assert np.column_stack([coef, intercept]).tobytes() == path.tobytes()
        assert objective == trace["objective"]
    assert weights(result).tobytes() == result.path[-1].tobytes()
    assert fit(TARGETS, callbacks=[look], fit_intercept=False).intercept.tolist() == [0.0] * 4


# --- Forms of y -------------------------------------------------------------------------------------------------------

NAMES = list("abcd")
FORMS = {
    "lists": lambda y: y.tolist(),
    "tuples": lambda y: [tuple(row) for row in y.tolist()],
    "rows": list,
    "columns": np.asfortranarray,
    "float32": lambda y: y.astype(np.float32),
    "objects": lambda y: y.astype(object),
    "pandas": lambda y: pd.DataFrame(y, columns=NAMES, index=np.arange(N)[::-1]),
    "polars": lambda y: pl.DataFrame(y, schema=NAMES),
    "arrow": lambda y: pa.table(dict(zip(NAMES, y.T, strict=True))),
}
del RANDOM  # tests draw from the fixture `rng`


@pytest.mark.parametrize("form", FORMS)
def test_targets_in_arrays_and_data_frames(form):
    y = np.round(16 * TARGETS) / 16  # exact in float32
    made = FORMS[form](y)
    assert weights(fit(made)).tobytes() == weights(fit(y)).tobytes()
    assert fit(made).predict(X).shape == (N, 4)


@pytest.mark.parametrize("form", [FORMS[name] for name in ("lists", "pandas", "polars", "arrow")])
def test_a_target_of_one_column_is_one_output(form):
    y = TARGETS[:, :1]
    made = y.tolist() if form is FORMS["lists"] else pd.DataFrame(y, columns=["a"])
    assert fit(made).coef.tobytes() == fit(TARGETS[:, 0]).coef.tobytes()
    assert fit(y).coef.shape == (D,)


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, pa.table])
def test_data_frames_of_words(form):
    words = {name: np.array(["no", "yes"])[column].tolist() for name, column in zip("abc", TWO.T, strict=True)}
    result = fit(form(words), "logistic")
    assert result.classes.tolist() == [["no", "yes"]] * 3
    assert result.coef.tobytes() == fit(TWO, "logistic").coef.tobytes()


BAD = {
    "softmax of several targets": (TWO, "softmax", OptionError, "this loss takes one target, but y has 3"),
    "three labels in a column": (
        np.column_stack([TWO[:, 0], CLASSES]), "logistic", DataError, "column 2 has 4 different values; .*two classes",
    ),
    "numbers": (TARGETS[:, 0], "logistic", DataError, "y has 43 different numbers .*; for a regression use"),
    "numbers for softmax": (TARGETS[:, 0], "softmax", DataError, "for a regression use loss='squared'"),
    "one class": (["a"] * N, "softmax", DataError, "y is a in every row: a classification needs two classes"),
    "one class of several": (np.column_stack([TWO[:, 0], 0 * CLASSES]), "logistic", DataError, "column 2 of y is 0 in"),
    "a constant target": (np.column_stack([TARGETS[:, 0], 0 * CLASSES]), LOSS, DataError, "column 2 of y is 0 in"),
    "numbers of several": (TARGETS, "logistic", DataError, "but column 1 of y has 43 different numbers"),
    "words for a regression": (WORDS[CLASSES], LOSS, DataError, "y holds words such as"),
    "ragged": ([[1.0, 2.0], [3.0]] * 21 + [[1.0]], LOSS, DataError, "y must have rows of one length"),
    "NaN": (np.vstack([TARGETS[:4], [[1.0, np.nan, 2.0, 3.0]] * 39]), LOSS, DataError, "39 NaN .*first in row 5"),
    "None": ([[None, 1.0], *TARGETS[1:, :2].tolist()], LOSS, DataError, "y has missing values"),
    "no columns": (TARGETS[:, :0], LOSS, DataError, r"not the shape \(43, 0\)"),
    "three dimensions": (TARGETS[:, :, None], LOSS, DataError, r"not the shape \(43, 4, 1\)"),
    "too short": (TARGETS[1:], LOSS, DataError, "X has 43 rows but y has 42 values"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_error_names_the_fault_of_the_target(what):
    y, loss, error, message = BAD[what]
    with pytest.raises(error, match=message):
        fit(y, loss)
