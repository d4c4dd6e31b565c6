"""Validation: which rows are held out, that training does not use them, and separate validation sets of all types."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import LOSSES, batch_gradient
from reference.losses import Softmax
from scipy.sparse import csr_array

import fastgd
from fastgd import DataError, OptionError
from fastgd.data.target import Target, as_columns, as_target
from fastgd.data.validation_set import hold_out

D = 30


def overfitting_problem():
    """Training and validation rows, fewer rows than columns and more noise than signal: training longer overfits."""
    rng = np.random.default_rng(3)
    w = np.where(np.arange(D) < 3, 1.0, 0.0)
    X, X_val = rng.normal(size=(20, D)), rng.normal(size=(40, D))
    return X, X @ w + 2 * rng.normal(size=20), X_val, X_val @ w + 2 * rng.normal(size=40)


X, Y, X_VAL, Y_VAL = overfitting_problem()
RATES = {"gd": 0.02, "sgd": 0.004, "minibatch": 0.01}
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(Y, [-1, 1.5])]

each_method = pytest.mark.parametrize("method", RATES)


def fit(X=X, y=Y, **options):
    method = options.setdefault("method", "gd")
    options = {"learning_rate": RATES[method], "max_epochs": 200, "validation": (X_VAL, Y_VAL), **options}
    if method == "minibatch":
        options.setdefault("batch_size", 5)
    return fastgd.fit(X, y, **options)


def mean_loss(params, X, y, loss="squared", weight=None):
    """The mean loss by the reference in plain Python; ``params`` are the coefficients and the intercept."""
    return batch_gradient(X, y, params[:-1], params[-1], LOSSES[loss], sample_weight=weight)[2]


def params_of(result):
    return np.append(result.coef, result.intercept)


# --- The rows that are held out ---------------------------------------------------------------------------------------


def rows_trained_on(**options):
    """The rows of the steps of one epoch of sgd."""
    result = fastgd.fit(method="sgd", learning_rate=1e-12, max_epochs=1, trace="step", **options)
    assert result.n_samples == len(result.steps)
    return sorted(result.steps["row"].tolist())


@given(
    labels=st.lists(st.integers(0, 3), min_size=4, max_size=60).filter(lambda y: len(set(y)) > 1),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
)
def test_held_out_rows_are_stratified_by_class(labels, fraction, seed):
    y = np.array(labels)
    target = as_target(as_columns(y), fastgd.losses.LOSSES["softmax"]())
    counts = {label: int((y == label).sum()) for label in set(labels)}
    wanted = max(1, round(fraction * len(y)))
    try:
        held = hold_out(fraction, target, seed)
    except DataError:
        assert wanted <= sum(count == 1 for count in counts.values()), "each drawn row was the only one of its class"
        return
    reduced = 0
    for label, count in counts.items():
        share, got = count * wanted / len(y), int(held[y == label].sum())
        assert got <= count - 1, "at least one row of the class is left for training"
        reduced += got == count - 1
        assert got <= math.ceil(share - 1e-9)
        assert got >= math.floor(share + 1e-9) or got == count - 1
    assert wanted - reduced <= held.sum() <= wanted
    np.testing.assert_array_equal(held, hold_out(fraction, target, seed))


def test_each_row_is_held_out_equally_often():
    y = np.repeat([0.0, 1.0], [30, 10])
    target = as_target(as_columns(y), fastgd.losses.LOSSES["logistic"]())
    numbers = as_target(as_columns(np.arange(40.0)), fastgd.losses.LOSSES["squared"]())
    for each in (target, numbers):
        held = np.array([hold_out(0.25, each, seed) for seed in range(400)])
        assert (held.sum(axis=1) == 10).all()
        # The standard deviation of a count of 400 draws with probability 1/4 is 8.7.
        assert 60 < held.sum(axis=0).min() <= held.sum(axis=0).max() < 140
        pairs = (held.T.astype(int) @ held)[np.triu_indices(40, 1)]
        assert pairs.max() < 60, "no two rows are always held out together"


@pytest.mark.parametrize("seed", [0, 1])
def test_training_does_not_use_held_out_rows(seed, rng):
    """A fit with a fraction equals, to the bit, a fit on the other rows with the held-out rows as a validation set."""
    n = 60
    X = rng.normal(size=(n, 3)) * [1, 50, 0.02] + [0, 9, 0]
    y, weight, offset = rng.normal(size=n), rng.integers(0, 3, n), rng.normal(size=n)
    options = {"validation": 0.3, "seed": seed, "sample_weight": weight, "offset": offset}
    kept = np.array(rows_trained_on(X=X, y=y, **options))
    held = np.setdiff1d(np.flatnonzero(weight), kept)
    assert len(held) == round(0.3 * (weight > 0).sum())
    X = X.copy()
    X[held] *= 1e3  # these rows would change the scales of columns and the learning rate
    for method in RATES:
        common = {"method": method, "max_epochs": 10, "seed": seed}
        one = fastgd.fit(X, y, **{**options, **common})
        rows = {"sample_weight": weight[kept], "offset": offset[kept]}
        two = fastgd.fit(X[kept], y[kept], validation=(X[held], y[held], weight[held], offset[held]), **rows, **common)
        assert params_of(one).tobytes() == params_of(two).tobytes()
        for name in ("objective", "running_loss", "learning_rate", "validation_loss", "passes"):
            assert one.trace[name].tobytes() == two.trace[name].tobytes()
        loss = [(X[held] @ w[:-1] + w[-1] + offset[held] - y[held]) ** 2 @ weight[held] for w in one.path]
        np.testing.assert_allclose(one.trace["validation_loss"], loss / weight[held].sum(), rtol=1e-12)
    assert rows_trained_on(X=X, y=y, **{**options, "seed": seed + 1}) != kept.tolist()


@each_method
@pytest.mark.parametrize("n_threads", [1, 2])
def test_equal_seeds_give_equal_bits(method, n_threads, rng):
    X = rng.normal(size=(40_000, 8))  # large enough for parallel passes
    y = X.sum(axis=1) + rng.normal(size=40_000)
    one, two = (
        fastgd.fit(X, y, method=method, validation=0.2, max_epochs=5, seed=4, n_threads=threads)
        for threads in (1, n_threads)
    )
    assert params_of(one).tobytes() == params_of(two).tobytes()
    assert one.trace["validation_loss"].tobytes() == two.trace["validation_loss"].tobytes()
    # On data of this size F is not evaluated in every epoch, but it is at the epoch of the returned model.
    assert one.objective == one.trace["objective"][one.best_epoch] > 0


def test_error_about_too_few_rows_to_hold_out():
    assert len(rows_trained_on(X=X[:3], y=Y[:3], validation=0.01)) == 2
    for fraction in (0.9, 0.5):
        with pytest.raises(DataError, match=f"validation={fraction} of 1 row leaves no row for training"):
            hold_out(fraction, Target(np.ones(1)), 0)
    with pytest.raises(DataError, match="or none to hold out"):
        fit(X[:3], LABELS[[0, 1, 2]] + np.array(["1", "2", "3"]), loss="softmax", validation=0.3)


# --- Separate validation sets: types of data --------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [LABELS, np.where(LABELS == "ant", 1, 0)], ids=["three", "two"])
def test_validation_loss_of_softmax_is_weighted_by_row_and_class(labels):
    known = {label: k for k, label in enumerate(np.unique(labels))}
    others = np.random.default_rng(2).choice(labels, len(X_VAL))
    weight = np.arange(len(X_VAL)) % 3
    options = {"loss": "softmax", "validation": (X_VAL, others, weight), "class_weight": {labels[0]: 4.0}}
    result = fit(y=labels, max_epochs=10, **options)
    factors = np.where(others == labels[0], 4.0, 1.0) * weight
    for row, params in zip(result.trace, result.path, strict=True):
        z = X_VAL @ params[:, :-1].T + params[:, -1]
        values = [Softmax().value(known[label], list(zi)) for label, zi in zip(others, z, strict=True)]
        assert row["validation_loss"] == pytest.approx(factors @ values / factors.sum(), rel=1e-10)


def test_validation_loss_of_logistic_with_two_and_three_classes():
    others = np.random.default_rng(2).choice(LABELS, len(X_VAL))
    result = fit(y=LABELS, loss="logistic", validation=(X_VAL, others), max_epochs=10)
    signs = [np.where(others == label, 1.0, -1.0) for label in ("ant", "bee", "cat")]
    for row, params in zip(result.trace, result.path, strict=True):
        expected = sum(mean_loss(w, X_VAL, y, "logistic") for w, y in zip(params, signs, strict=True))
        assert row["validation_loss"] == pytest.approx(expected, rel=1e-10)
    two = fit(y=LABELS == "ant", loss="logistic", validation=(X_VAL, others == "ant"), max_epochs=10)
    expected = [mean_loss(params, X_VAL, signs[0], "logistic") for params in two.path]
    np.testing.assert_allclose(two.trace["validation_loss"], expected, rtol=1e-10)


def test_a_class_may_be_missing_from_the_validation_set():
    some = LABELS != "bee"
    result = fit(y=LABELS, loss="softmax", validation=(X[some], LABELS[some]), max_epochs=5)
    assert np.isfinite(result.trace["validation_loss"]).all()
    assert result.classes.tolist() == ["ant", "bee", "cat"]
    alone = np.array(["a"] * 19 + ["b"])  # the only row of class b stays in training
    assert 19 in rows_trained_on(X=X, y=alone, loss="logistic", validation=0.5)


def test_validation_with_several_targets():
    columns, others = np.column_stack([Y, -2 * Y + 1]), np.column_stack([Y_VAL, Y_VAL])
    result = fit(y=columns, validation=(X_VAL, others), max_epochs=10)
    expected = [sum(mean_loss(w, X_VAL, Y_VAL) for w in params) for params in result.path]
    np.testing.assert_allclose(result.trace["validation_loss"], expected, rtol=1e-10)
    assert result.coef.tobytes() == np.ascontiguousarray(result.path[result.best_epoch][:, :-1]).tobytes()
    words = np.column_stack([LABELS == "ant", np.where(Y > 0, "yes", "no")]).astype(str)
    kept = rows_trained_on(X=X, y=words, loss="logistic", validation=0.25)
    assert len(kept) == 15
    assert all(len(set(words[kept, k])) == 2 for k in range(2))


def test_sparse_and_dense_validation_sets_agree():
    dense = fit(max_epochs=10)
    for X_train, X_other in ((csr_array(X), X_VAL), (X, csr_array(X_VAL)), (csr_array(X), csr_array(X_VAL))):
        result = fit(X_train, validation=(X_other, Y_VAL), max_epochs=10)
        np.testing.assert_allclose(result.trace["validation_loss"], dense.trace["validation_loss"], rtol=1e-12)
    assert rows_trained_on(X=csr_array(X), y=Y, validation=0.2) == rows_trained_on(X=X, y=Y, validation=0.2)


def test_validation_loss_in_float32():
    result = fit(X.astype(np.float32), max_epochs=10)
    expected = [mean_loss(params, X_VAL, Y_VAL) for params in result.path]
    np.testing.assert_allclose(result.trace["validation_loss"], expected, rtol=1e-5)


def test_columns_of_a_validation_table_are_found_by_name():
    pandas = pytest.importorskip("pandas")
    names = [f"x{j}" for j in range(D)]
    train, other = pandas.DataFrame(X, columns=names), pandas.DataFrame(X_VAL, columns=names)
    other["more"] = 1.0
    expected = fit(max_epochs=10)
    result = fit(train, validation=(other[["more", *names[::-1]]], Y_VAL), max_epochs=10)
    assert result.trace["validation_loss"].tobytes() == expected.trace["validation_loss"].tobytes()
    table = fastgd.open(other.assign(goal=Y_VAL), target="goal")
    again = fit(train, validation=table, max_epochs=10)
    assert again.trace["validation_loss"].tobytes() == expected.trace["validation_loss"].tobytes()
    with pytest.raises(DataError, match=r"the validation set: X lacks 1 of the model's columns: 'x7'"):
        fit(train, validation=(other.drop(columns="x7"), Y_VAL))


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "validation", [0, 1, 1.0, -0.1, True, math.nan, "0.1", None.__class__, (X_VAL,), (1, 2, 3, 4, 5), {"X": 1}, X_VAL]
)
def test_error_about_neither_a_fraction_nor_a_set(validation):
    with pytest.raises(
        OptionError, match=r"validation must be a fraction of the rows between 0 and 1, a set \(X, y\), "
    ):
        fit(validation=validation)


def with_nan():
    X = X_VAL.copy()
    X[4, 2] = np.nan
    return X


@pytest.mark.parametrize(
    ("validation", "options", "message"),
    [
        ((X_VAL[:, :3], Y_VAL), {}, "X has 3 columns, but the model was fitted on 30"),
        ((X_VAL, Y_VAL[:5]), {}, "X has 40 rows but y has 5 values"),
        ((X_VAL[:0], Y_VAL[:0]), {}, "X has no rows"),
        ((X_VAL, None), {}, "has no target"),
        ((X_VAL, Y_VAL.astype(str)), {}, "y holds words"),
        ((X_VAL, Y_VAL, -np.ones(40)), {}, "sample_weight has 40 negative values"),
        ((X_VAL, Y_VAL, np.zeros(40)), {}, "sample_weight is 0 in every row"),
        ((X_VAL, np.column_stack([Y_VAL, Y_VAL])), {}, "y has 2 columns, but the model predicts 1"),
        ((with_nan(), Y_VAL), {}, "X has 1 NaN or infinite value, the first in row 5, column 3"),
        ((X_VAL, ["dog"] * 40), {"y": LABELS, "loss": "softmax"}, "label dog, but the model knows only ant, bee, cat"),
        ((X_VAL, [3] * 40), {"y": LABELS == "ant", "loss": "logistic"}, "label 3, but the model knows only"),
        ((X_VAL, Y_VAL), {"y": Y - Y.min(), "loss": "poisson"}, "y must be 0 or more"),
    ],
)
def test_error_about_a_set_that_does_not_match_the_training_data(validation, options, message):
    with pytest.raises(DataError, match=f"^the validation set: .*{re.escape(message)}"):
        fit(validation=validation, **options)


def test_an_unknown_label_of_weight_0_is_ignored():
    others = np.where(np.arange(40) == 7, "dog", "ant")
    result = fit(y=LABELS, loss="softmax", validation=(X_VAL, others, others == "ant"), max_epochs=2)
    assert result.settings["validation_samples"] == 39


def test_error_about_an_offset_in_only_one_of_both_sets():
    with pytest.raises(
        OptionError, match=r"the training rows have an offset, the validation set has none: give \(X, y, "
    ):
        fit(offset=np.ones(20))
    with pytest.raises(OptionError, match="the training rows have none: leave its offset out"):
        fit(validation=(X_VAL, Y_VAL, None, np.ones(40)))


def test_error_names_the_held_out_row_with_an_infinity():
    bad = X.copy()
    bad[rows_left_out(0.3)[0], 1] = np.inf
    with pytest.raises(DataError, match=rf"the first in row {rows_left_out(0.3)[0] + 1}, column 2"):
        fit(bad, validation=0.3)


def rows_left_out(fraction):
    return sorted(set(range(20)) - set(rows_trained_on(X=X, y=Y, validation=fraction)))
