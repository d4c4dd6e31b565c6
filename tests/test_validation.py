"""Rows to validate on: which are held out, that no step sees them, when they end a fit, and which model they choose."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from command_line import fastgd as command
from hypothesis import given
from hypothesis import strategies as st
from reference import LOSSES, batch_gradient
from reference_losses import Softmax
from scipy.sparse import csr_array

import fastgd
from fastgd import DataError, Interrupted, OptionError
from fastgd.target import Target, as_columns, as_target
from fastgd.validation import hold_out

RANDOM = np.random.default_rng(3)
# Fewer rows than columns, and more noise than signal: the more epochs, the worse the model is on other rows.
D = 30
TRUE = np.where(np.arange(D) < 3, 1.0, 0.0)
X, X_VAL = RANDOM.normal(size=(20, D)), RANDOM.normal(size=(40, D))
Y, Y_VAL = X @ TRUE + 2 * RANDOM.normal(size=20), X_VAL @ TRUE + 2 * RANDOM.normal(size=40)
RATES = {"gd": 0.02, "sgd": 0.004, "minibatch": 0.01}
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(Y, [-1, 1.5])]

each_method = pytest.mark.parametrize("method", RATES)


def fit(X=X, y=Y, **options):
    method = options.setdefault("method", "gd")
    options = {"learning_rate": RATES[method], "max_epochs": 200, "validation": (X_VAL, Y_VAL), **options}
    if method == "minibatch":
        options.setdefault("batch_size", 5)
    return fastgd.fit(X, y, **options)


def mean_loss(theta, X, y, loss="squared", weight=None):
    """By plain Python, `theta` being coefficients and intercept."""
    return batch_gradient(X, y, theta[:-1], theta[-1], LOSSES[loss], sample_weight=weight)[2]


def weights(result):
    return np.append(result.coef, result.intercept)


def stops_after(losses, tol, patience):
    """The epoch after which ``patience`` of them in a row have not improved on the best before by ``tol`` of it."""
    for last in range(patience, len(losses)):
        recent = range(last - patience + 1, last + 1)
        if all(losses[k] >= min(losses[:k]) * (1 - tol) for k in recent):
            return last
    return None


# --- Early stopping ---------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize(("tol", "patience"), [(0.0, 3), (0.0, 1), (0.02, 2)])
def test_stops_when_the_validation_loss_stalls_and_gives_the_best(method, tol, patience):
    result = fit(method=method, tol=tol, patience=patience, alpha=0.1)
    losses = result.trace["validation_loss"]
    np.testing.assert_allclose(losses, [mean_loss(theta, X_VAL, Y_VAL) for theta in result.path], rtol=1e-12)
    assert result.n_epochs == len(losses) - 1 == stops_after(losses.tolist(), tol, patience) < 200
    assert (result.stop_reason, result.converged) == ("validation", True)
    best = int(losses.argmin())
    assert 0 < best == result.best_epoch <= result.n_epochs
    assert tol or best < result.n_epochs
    assert weights(result).tobytes() == result.path[best].tobytes()
    assert result.objective == pytest.approx(mean_loss(weights(result), X, Y) + 0.05 * result.coef @ result.coef)
    assert result.objective == result.trace["objective"][best]
    assert result.settings["validation_samples"] == 40


def test_what_tol_is_relative_to():
    """An automatic rate brings a tolerance of 1e-4, which the path above would end otherwise than 0 does."""
    losses = [10.0, 9.0, 8.9995, 8.999, 8.9985, 8.0]
    assert stops_after(losses, 1e-4, 3) == 4
    assert stops_after(losses, 0.0, 3) is None
    seen = fastgd.early_stopping.EarlyStopping(Losses(losses), 1e-4)
    stalled = [seen.look_at(np.full(1, k), k, k) and seen.stalled for k in range(len(losses))]
    assert stalled == [0, 0, 1, 2, 3, 0]
    assert (seen.best, seen.row, seen.weights.tolist()) == (8.0, 5, [5])


class Losses:
    """Stands for the problem of the validation rows."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def mean_loss(self, theta):
        return next(self.losses)


def test_no_number_is_no_improvement():
    seen = fastgd.early_stopping.EarlyStopping(Losses([math.nan, math.inf, 3.0, math.nan, 2.0]), 0.0)
    for k in range(5):
        seen.look_at(np.full(1, k), k, k)
        assert (seen.stalled, seen.row) == [(1, -1), (2, -1), (0, 2), (1, 2), (0, 4)][k]


@each_method
def test_the_best_is_given_however_the_fit_ends(method):
    options = {"method": method, "patience": 1000, "max_epochs": 60}
    whole = fit(**options)
    best = int(whole.trace["validation_loss"].argmin())
    assert (whole.stop_reason, whole.best_epoch) == ("max_epochs", best)
    assert best < 50, "a later end must have something to go back to"
    assert weights(whole).tobytes() == whole.path[best].tobytes()
    called_off = fit(**options, callbacks=[lambda state: state.epoch == 55])
    assert (called_off.stop_reason, called_off.n_epochs) == ("callback", 55)

    def interrupt(state):
        if state.epoch == 55:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        fit(**options, callbacks=[interrupt])
    for result in (called_off, caught.value.result):
        assert weights(result).tobytes() == weights(whole).tobytes()
        assert (result.objective, result.best_epoch) == (whole.objective, best)


def test_training_that_diverges_keeps_the_best():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(learning_rate=0.4, tol=0.0, patience=50)
    result = caught.value.result
    assert result.stop_reason == "diverged"
    assert weights(result).tobytes() == result.path[result.best_epoch].tobytes()
    assert result.trace["validation_loss"][result.best_epoch] == result.trace["validation_loss"].min()


def test_the_start_may_be_the_best():
    start = fit(X_VAL, Y_VAL, validation=None, max_epochs=500)
    result = fit(start=start)
    assert (result.best_epoch, result.n_epochs, result.stop_reason) == (0, 5, "validation")
    assert weights(result).tobytes() == weights(start).tobytes()
    assert result.objective == result.trace["objective"][0]


def test_the_running_loss_no_longer_ends_a_fit():
    """That of the training rows falls on, and then stalls, long before or after the one that counts."""
    wide = {"method": "minibatch", "tol": 0.5, "patience": 2, "max_epochs": 40}
    without = fit(**wide, validation=None)
    assert without.stop_reason == "tol"
    result = fit(**{**wide, "tol": 0.0, "patience": 39})
    assert (result.stop_reason, result.n_epochs > without.n_epochs) == ("max_epochs", True)


def test_the_gradient_still_ends_gd():
    """Where nothing changes any more nothing will be better."""
    result = fit(tol=1e-3, patience=10_000, max_epochs=10_000, alpha=1.0)
    assert (result.stop_reason, result.n_epochs < 10_000) == ("tol", True)
    assert weights(result).tobytes() == result.path[result.best_epoch].tobytes()


def test_without_rows_to_validate_on():
    result = fit(validation=None, max_epochs=3)
    assert result.best_epoch is None
    assert np.isnan(result.trace["validation_loss"]).all()
    assert weights(result).tobytes() == result.path[-1].tobytes()


@each_method
def test_who_is_told(method):
    class Listener(fastgd.Reporter):
        heard: tuple = ()

        def validated(self, epoch, loss):
            self.heard += ((epoch, loss),)

    states = []
    with fastgd.reporting_to(Listener()) as listener:
        result = fit(method=method, max_epochs=4, callbacks=[states.append])
    losses = result.trace["validation_loss"][1:].tolist()
    assert list(listener.heard) == list(zip([1, 2, 3, 4], losses, strict=True))
    assert [state.validation_loss for state in states] == losses
    norms = result.trace["gradient_norm"][1:]
    np.testing.assert_array_equal([state.gradient_norm for state in states], norms)
    assert np.isfinite(norms).all() == (method == "gd")


def test_a_saved_model_keeps_its_story(tmp_path):
    result = fit(max_epochs=20)
    result.save(tmp_path / "model")
    again = fastgd.load(tmp_path / "model")
    assert (again.best_epoch, again.divergences) == (result.best_epoch, 0)
    np.testing.assert_array_equal(again.trace["validation_loss"], result.trace["validation_loss"])


# --- Which rows are held out ------------------------------------------------------------------------------------------


def rows_seen(**options):
    """The rows that single steps were taken for in an epoch."""
    result = fastgd.fit(method="sgd", learning_rate=1e-12, max_epochs=1, trace="step", **options)
    assert result.n_samples == len(result.steps)
    return sorted(result.steps["row"].tolist())


@given(
    labels=st.lists(st.integers(0, 3), min_size=4, max_size=60).filter(lambda y: len(set(y)) > 1),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 9),
)
def test_each_class_gives_its_share(labels, fraction, seed):
    y = np.array(labels)
    target = as_target(as_columns(y), fastgd.losses.LOSSES["softmax"]())
    counts = {label: int((y == label).sum()) for label in set(labels)}
    wanted = max(1, round(fraction * len(y)))
    try:
        held = hold_out(fraction, target, seed)
    except DataError:
        assert wanted <= sum(count == 1 for count in counts.values()), "all that were drawn had to stay"
        return
    spared = 0
    for label, count in counts.items():
        share, got = count * wanted / len(y), int(held[y == label].sum())
        assert got <= count - 1, "one row at least is left to learn from"
        spared += got == count - 1
        assert got <= math.ceil(share - 1e-9)
        assert got >= math.floor(share + 1e-9) or got == count - 1
    assert wanted - spared <= held.sum() <= wanted
    np.testing.assert_array_equal(held, hold_out(fraction, target, seed))


def test_rows_are_held_out_at_random():
    """Each row about as often as any other, and more rows when the fraction is larger."""
    y = np.repeat([0.0, 1.0], [30, 10])
    target = as_target(as_columns(y), fastgd.losses.LOSSES["logistic"]())
    numbers = as_target(as_columns(np.arange(40.0)), fastgd.losses.LOSSES["squared"]())
    for some in (target, numbers):
        held = np.array([hold_out(0.25, some, seed) for seed in range(400)])
        assert (held.sum(axis=1) == 10).all()
        # Of 400 draws of probability 1/4 a count has the deviation 8.7.
        assert 60 < held.sum(axis=0).min() <= held.sum(axis=0).max() < 140
        pairs = (held.T.astype(int) @ held)[np.triu_indices(40, 1)]
        assert pairs.max() < 60, "no two rows go together"


@pytest.mark.parametrize("seed", [0, 1])
def test_the_rows_that_are_left_are_all_that_training_sees(seed):
    """A fit with a fraction is, to the bit, one on the rows left, with the others as a set of their own."""
    n = 60
    random = np.random.default_rng(9)
    X = random.normal(size=(n, 3)) * [1, 50, 0.02] + [0, 9, 0]
    y, weight, offset = random.normal(size=n), random.integers(0, 3, n), random.normal(size=n)
    options = {"validation": 0.3, "seed": seed, "sample_weight": weight, "offset": offset}
    kept = np.array(rows_seen(X=X, y=y, **options))
    held = np.setdiff1d(np.flatnonzero(weight), kept)
    assert len(held) == round(0.3 * (weight > 0).sum())
    X = X.copy()
    X[held] *= 1e3  # columns would be scaled, and rates set, otherwise if these rows were looked at
    for method in RATES:
        common = {"method": method, "max_epochs": 10, "seed": seed}
        one = fastgd.fit(X, y, **{**options, **common})
        rows = {"sample_weight": weight[kept], "offset": offset[kept]}
        two = fastgd.fit(X[kept], y[kept], validation=(X[held], y[held], weight[held], offset[held]), **rows, **common)
        assert weights(one).tobytes() == weights(two).tobytes()
        for name in ("objective", "running_loss", "learning_rate", "validation_loss", "passes"):
            assert one.trace[name].tobytes() == two.trace[name].tobytes()
        loss = [(X[held] @ w[:-1] + w[-1] + offset[held] - y[held]) ** 2 @ weight[held] for w in one.path]
        np.testing.assert_allclose(one.trace["validation_loss"], loss / weight[held].sum(), rtol=1e-12)
    assert rows_seen(X=X, y=y, **{**options, "seed": seed + 1}) != kept.tolist()


@each_method
@pytest.mark.parametrize("n_threads", [1, 2])
def test_equal_seeds_give_equal_bits(method, n_threads):
    random = np.random.default_rng(1)
    X = random.normal(size=(40_000, 8))  # enough for passes to run in parallel
    y = X.sum(axis=1) + random.normal(size=40_000)
    one, two = (
        fastgd.fit(X, y, method=method, validation=0.2, max_epochs=5, seed=4, n_threads=threads)
        for threads in (1, n_threads)
    )
    assert weights(one).tobytes() == weights(two).tobytes()
    assert one.trace["validation_loss"].tobytes() == two.trace["validation_loss"].tobytes()


def test_few_rows():
    assert len(rows_seen(X=X[:3], y=Y[:3], validation=0.01)) == 2
    for fraction in (0.9, 0.5):
        with pytest.raises(DataError, match=f"validation={fraction} of 1 row leaves none to learn from"):
            hold_out(fraction, Target(np.ones(1)), 0)
    with pytest.raises(DataError, match="or holds none out"):
        fit(X[:3], LABELS[[0, 1, 2]] + np.array(["1", "2", "3"]), loss="softmax", validation=0.3)


# --- Kinds of data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [LABELS, np.where(LABELS == "ant", 1, 0)], ids=["three", "two"])
def test_labels(labels):
    known = {label: k for k, label in enumerate(np.unique(labels))}
    others = np.random.default_rng(2).choice(labels, len(X_VAL))
    weight = np.arange(len(X_VAL)) % 3
    options = {"loss": "softmax", "validation": (X_VAL, others, weight), "class_weight": {labels[0]: 4.0}}
    result = fit(y=labels, max_epochs=10, **options)
    factors = np.where(others == labels[0], 4.0, 1.0) * weight
    for row, theta in zip(result.trace, result.path, strict=True):
        z = X_VAL @ theta[:, :-1].T + theta[:, -1]
        values = [Softmax().value(known[label], list(zi)) for label, zi in zip(others, z, strict=True)]
        assert row["validation_loss"] == pytest.approx(factors @ values / factors.sum(), rel=1e-10)


def test_one_against_the_rest_and_logistic():
    others = np.random.default_rng(2).choice(LABELS, len(X_VAL))
    result = fit(y=LABELS, loss="logistic", validation=(X_VAL, others), max_epochs=10)
    signs = [np.where(others == label, 1.0, -1.0) for label in ("ant", "bee", "cat")]
    for row, theta in zip(result.trace, result.path, strict=True):
        expected = sum(mean_loss(w, X_VAL, y, "logistic") for w, y in zip(theta, signs, strict=True))
        assert row["validation_loss"] == pytest.approx(expected, rel=1e-10)
    two = fit(y=LABELS == "ant", loss="logistic", validation=(X_VAL, others == "ant"), max_epochs=10)
    expected = [mean_loss(theta, X_VAL, signs[0], "logistic") for theta in two.path]
    np.testing.assert_allclose(two.trace["validation_loss"], expected, rtol=1e-10)


def test_a_class_may_be_missing_from_the_rows_to_validate_on():
    some = LABELS != "bee"
    result = fit(y=LABELS, loss="softmax", validation=(X[some], LABELS[some]), max_epochs=5)
    assert np.isfinite(result.trace["validation_loss"]).all()
    assert result.classes.tolist() == ["ant", "bee", "cat"]
    alone = np.array(["a"] * 19 + ["b"])  # of which the only row is left to learn from
    assert 19 in rows_seen(X=X, y=alone, loss="logistic", validation=0.5)


def test_several_targets():
    columns, others = np.column_stack([Y, -2 * Y + 1]), np.column_stack([Y_VAL, Y_VAL])
    result = fit(y=columns, validation=(X_VAL, others), max_epochs=10)
    expected = [sum(mean_loss(w, X_VAL, Y_VAL) for w in theta) for theta in result.path]
    np.testing.assert_allclose(result.trace["validation_loss"], expected, rtol=1e-10)
    assert result.coef.tobytes() == np.ascontiguousarray(result.path[result.best_epoch][:, :-1]).tobytes()
    words = np.column_stack([LABELS == "ant", np.where(Y > 0, "yes", "no")]).astype(str)
    kept = rows_seen(X=X, y=words, loss="logistic", validation=0.25)
    assert len(kept) == 15
    assert all(len(set(words[kept, k])) == 2 for k in range(2))


def test_sparse_and_dense_agree():
    dense = fit(max_epochs=10)
    for X_train, X_other in ((csr_array(X), X_VAL), (X, csr_array(X_VAL)), (csr_array(X), csr_array(X_VAL))):
        result = fit(X_train, validation=(X_other, Y_VAL), max_epochs=10)
        np.testing.assert_allclose(result.trace["validation_loss"], dense.trace["validation_loss"], rtol=1e-12)
    assert rows_seen(X=csr_array(X), y=Y, validation=0.2) == rows_seen(X=X, y=Y, validation=0.2)


def test_single_precision():
    result = fit(X.astype(np.float32), max_epochs=10)
    expected = [mean_loss(theta, X_VAL, Y_VAL) for theta in result.path]
    np.testing.assert_allclose(result.trace["validation_loss"], expected, rtol=1e-5)


def test_tables_find_their_columns_by_name():
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


# --- What cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "validation", [0, 1, 1.0, -0.1, True, math.nan, "0.1", None.__class__, (X_VAL,), (1, 2, 3, 4, 5), {"X": 1}, X_VAL]
)
def test_neither_a_fraction_nor_a_set(validation):
    with pytest.raises(OptionError, match=r"validation is a fraction of the rows between 0 and 1, a set \(X, y\), "):
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
        ((X_VAL, None), {}, "there is no target in it"),
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
def test_a_set_that_does_not_fit(validation, options, message):
    with pytest.raises(DataError, match=f"^the validation set: .*{re.escape(message)}"):
        fit(validation=validation, **options)


def test_a_label_of_weight_zero_may_be_unknown():
    others = np.where(np.arange(40) == 7, "dog", "ant")
    result = fit(y=LABELS, loss="softmax", validation=(X_VAL, others, others == "ant"), max_epochs=2)
    assert result.settings["validation_samples"] == 39


def test_offsets_go_with_offsets():
    with pytest.raises(OptionError, match=r"the training rows have an offset and it has none: give \(X, y, "):
        fit(offset=np.ones(20))
    with pytest.raises(OptionError, match="the training rows have none: leave its offset out"):
        fit(validation=(X_VAL, Y_VAL, None, np.ones(40)))


def test_a_held_out_row_that_is_no_number_is_named():
    bad = X.copy()
    bad[rows_left_out(0.3)[0], 1] = np.inf
    with pytest.raises(DataError, match=rf"the first in row {rows_left_out(0.3)[0] + 1}, column 2"):
        fit(bad, validation=0.3)


def rows_left_out(fraction):
    return sorted(set(range(20)) - set(rows_seen(X=X, y=Y, validation=fraction)))


# --- As a person types it ---------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    for name, X_of, y_of in (("train", X, Y), ("other", X_VAL[:, ::-1], Y_VAL)):
        names = [f"x{j}" for j in (range(D) if name == "train" else range(D - 1, -1, -1))]
        rows = [
            ",".join(["goal", *names]),
            *(",".join(map(repr, map(float, r))) for r in np.column_stack([y_of, X_of])),
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "train.csv", tmp_path / "other.csv"


GD = ("--target", "goal", "--method", "gd", "--learning-rate", 0.02, "--epochs", 200, "--quiet")


def test_a_file_to_validate_on(files):
    train, other = files
    expected = fit()
    ran = command("run", train, *GD, "--validation", other, "--json").json
    assert ran["coef"] == expected.coef.tolist()
    assert (ran["stop_reason"], ran["best_epoch"]) == ("validation", expected.best_epoch)
    assert ran["validation_loss"] == expected.trace["validation_loss"].min()
    said = command("run", train, *GD, "--validation", other).out
    assert re.search(rf"validation +40 rows, lowest loss [\d.]+ after epoch {expected.best_epoch}, which", said)
    assert "the loss on the validation rows no longer improves" in said


def test_a_share_to_validate_on(files, tmp_path):
    expected = fit(validation=0.25, seed=3)
    trace = tmp_path / "trace.csv"
    ran = command("run", files[0], *GD, "--validation", 0.25, "--seed", 3, "--json", "--trace", trace).json
    assert ran["coef"] == expected.coef.tolist()
    assert "validation_loss" in trace.read_text().splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("validation", "words"),
    [("2", "validation is a fraction"), ("nowhere.csv", "--validation: nowhere.csv"), ("diabetes", "--validation: ")],
)
def test_what_a_person_gets_wrong(files, validation, words):
    ran = command("run", files[0], *GD, "--validation", validation)
    assert ran.code == 2
    assert words in ran.err
