"""Early stopping by validation rows: when a fit ends, and that its model is the best on them."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from helpers.command_line import fastgd as command
from reference import LOSSES, batch_gradient

import fastgd
from fastgd import Interrupted
from fastgd.training.early_stopping import ValidationMonitor

RANDOM = np.random.default_rng(3)
# Fewer rows than columns, and more noise than signal: the more epochs, the worse the model is on other rows.
D = 30
TRUE = np.where(np.arange(D) < 3, 1.0, 0.0)
X, X_VAL = RANDOM.normal(size=(20, D)), RANDOM.normal(size=(40, D))
Y, Y_VAL = X @ TRUE + 2 * RANDOM.normal(size=20), X_VAL @ TRUE + 2 * RANDOM.normal(size=40)
del RANDOM  # tests draw from the fixture `rng`
RATES = {"gd": 0.02, "sgd": 0.004, "minibatch": 0.01}

each_method = pytest.mark.parametrize("method", RATES)


def fit(X=X, y=Y, **options):
    method = options.setdefault("method", "gd")
    options = {"learning_rate": RATES.get(method, "auto"), "max_epochs": 200, "validation": (X_VAL, Y_VAL), **options}
    if method == "minibatch":
        options.setdefault("batch_size", 5)
    return fastgd.fit(X, y, **options)


def mean_loss(params, X, y, loss="squared", weight=None):
    """The reference's mean loss; ``params`` are coefficients and intercept."""
    return batch_gradient(X, y, params[:-1], params[-1], LOSSES[loss], sample_weight=weight)[2]


def weights(result):
    return np.append(result.coef, result.intercept)


def stops_after(losses, tol, patience):
    """The epoch after which ``patience`` losses in a row were not below (1 - tol) times the best before."""
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
    np.testing.assert_allclose(losses, [mean_loss(params, X_VAL, Y_VAL) for params in result.path], rtol=1e-12)
    assert result.n_epochs == len(losses) - 1 == stops_after(losses.tolist(), tol, patience) < 200
    assert (result.stop_reason, result.converged) == ("validation", False)
    best = int(losses.argmin())
    assert 0 < best == result.best_epoch <= result.n_epochs
    assert tol or best < result.n_epochs
    assert weights(result).tobytes() == result.path[best].tobytes()
    assert result.objective == pytest.approx(mean_loss(weights(result), X, Y) + 0.05 * result.coef @ result.coef)
    assert result.objective == result.trace["objective"][best]
    assert result.settings["validation_samples"] == 40


def test_tol_is_relative_to_the_best_validation_loss():
    """The default tol of automatic rates is 1e-4; it ends these losses earlier than tol=0."""
    losses = [10.0, 9.0, 8.9995, 8.999, 8.9985, 8.0]
    assert stops_after(losses, 1e-4, 3) == 4
    assert stops_after(losses, 0.0, 3) is None
    seen = ValidationMonitor(Losses(losses), 1e-4)
    stalled = [seen.look_at(np.full(1, k), k, k) and seen.state.stalled for k in range(len(losses))]
    assert stalled == [0, 0, 1, 2, 3, 0]
    assert (seen.state.best, seen.state.row, seen.state.params.tolist()) == (8.0, 5, [5])


class Losses:
    """Stands for F on the validation rows."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def mean_losses(self, params):
        return np.array([next(self.losses)])


def test_nan_and_infinity_are_no_improvement():
    seen = ValidationMonitor(Losses([math.nan, math.inf, 3.0, math.nan, 2.0]), 0.0)
    for k in range(5):
        seen.look_at(np.full(1, k), k, k)
        assert (seen.state.stalled, seen.state.row) == [(1, -1), (2, -1), (0, 2), (1, 2), (0, 4)][k]


@each_method
def test_the_best_model_is_returned_however_the_fit_ends(method):
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


def test_a_diverged_fit_keeps_the_best_model():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(learning_rate=0.4, tol=0.0, patience=50)
    result = caught.value.result
    assert result.stop_reason == "diverged"
    assert weights(result).tobytes() == result.path[result.best_epoch].tobytes()
    assert result.trace["validation_loss"][result.best_epoch] == result.trace["validation_loss"].min()


def test_the_start_can_be_the_best_model():
    start = fit(X_VAL, Y_VAL, validation=None, max_epochs=500)
    result = fit(start=start)
    assert (result.best_epoch, result.n_epochs, result.stop_reason) == (0, 5, "validation")
    assert weights(result).tobytes() == weights(start).tobytes()
    assert result.objective == result.trace["objective"][0]


def test_running_loss_does_not_end_a_fit_with_validation():
    """The loss on noisy training rows stalls while the loss on validation rows without noise still falls."""
    random = np.random.default_rng(12)
    X = random.normal(size=(500, 3))
    y = X.sum(axis=1) + 5 * random.normal(size=500)
    options = {"method": "minibatch", "learning_rate": 3e-3, "tol": 0.02, "patience": 3, "max_epochs": 60}
    without = fastgd.fit(X, y, **options)
    assert without.stop_reason == "stalled"
    result = fastgd.fit(X, y, validation=(X, X.sum(axis=1)), **options)
    assert result.stop_reason == "validation"
    assert result.n_epochs > without.n_epochs
    assert stops_after(result.trace["validation_loss"].tolist(), 0.02, 3) == result.n_epochs


def test_gradient_norm_ends_gd_with_validation():
    """With a gradient of zero no further epoch can improve the model."""
    result = fit(tol=1e-3, patience=10_000, max_epochs=10_000, alpha=1.0)
    assert (result.stop_reason, result.n_epochs < 10_000) == ("tol", True)
    assert weights(result).tobytes() == result.path[result.best_epoch].tobytes()


def test_without_validation_there_is_no_best_epoch():
    result = fit(validation=None, max_epochs=3)
    assert result.best_epoch is None
    assert np.isnan(result.trace["validation_loss"]).all()
    assert weights(result).tobytes() == result.path[-1].tobytes()


@each_method
def test_reporters_and_callbacks_get_the_validation_loss(method):
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


def test_a_saved_model_keeps_best_epoch_and_trace(tmp_path):
    result = fit(max_epochs=20)
    result.save(tmp_path / "model")
    again = fastgd.load(tmp_path / "model")
    assert (again.best_epoch, again.divergences) == (result.best_epoch, 0)
    np.testing.assert_array_equal(again.trace["validation_loss"], result.trace["validation_loss"])


@pytest.mark.parametrize("method", ["newton", "lbfgs", "svrg", "saga"])
def test_second_order_and_variance_reduced_methods_return_the_best(method):
    """These methods fit the noise quickly; the best model, of an early epoch, is kept."""
    for start in (None, 3.0):
        result = fit(method=method, alpha=0.1, start=start, tol=1e-9)
        losses = result.trace["validation_loss"]
        np.testing.assert_allclose(losses, [mean_loss(params, X_VAL, Y_VAL) for params in result.path], rtol=1e-10)
        best = int(losses.argmin())
        assert result.best_epoch == result.trace["epoch"][best]
        assert weights(result).tobytes() == result.path[best].tobytes()
        assert result.objective == pytest.approx(mean_loss(weights(result), X, Y) + 0.05 * result.coef @ result.coef)
        if result.stop_reason == "validation":
            assert stops_after(losses.tolist(), 1e-9, 5) == result.n_epochs


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_the_objective_of_the_best_model_on_large_data(method):
    random = np.random.default_rng(1)
    X = random.normal(size=(20_000, 8))
    y = X.sum(axis=1) + random.normal(size=20_000)
    wrong = X.sum(axis=1) / 2  # the best model comes before the end
    result = fastgd.fit(
        X, y, method=method, learning_rate=1e-3 if method == "minibatch" else 3e-5, validation=(X, wrong)
    )
    assert 0 < result.best_epoch < result.n_epochs
    assert result.objective == pytest.approx(np.mean((X @ result.coef + result.intercept - y) ** 2))


# --- On the command line ----------------------------------------------------------------------------------------------


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


def test_validation_file_on_the_command_line(files):
    train, other = files
    head, *lines = other.read_text().splitlines()  # columns that are not in the training file are ignored
    other.write_text("\n".join([f"note,{head}", *(f"word{k},{line}" for k, line in enumerate(lines))]) + "\n")
    expected = fit()
    ran = command("run", train, *GD, "--validation", other, "--json").json
    assert ran["coef"] == expected.coef.tolist()
    assert (ran["stop_reason"], ran["best_epoch"]) == ("validation", expected.best_epoch)
    assert ran["validation_loss"] == expected.trace["validation_loss"].min()
    said = command("run", train, *GD, "--validation", other).out
    assert re.search(
        rf"validation +40 rows, lowest loss [\d.]+ after epoch {expected.best_epoch}: this is the model", said
    )
    assert "the loss on the validation rows no longer improves" in said


def test_validation_share_on_the_command_line(files, tmp_path):
    expected = fit(validation=0.25, seed=3)
    trace = tmp_path / "trace.csv"
    ran = command("run", files[0], *GD, "--validation", 0.25, "--seed", 3, "--json", "--trace", trace).json
    assert ran["coef"] == expected.coef.tolist()
    assert "validation_loss" in trace.read_text().splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        ("2", "must be a fraction"),
        ("nowhere.csv", "--validation: nowhere.csv"),
        ("diabetes", "--validation: "),
    ],
)
def test_error_names_the_validation_option(files, validation, words):
    ran = command("run", files[0], *GD, "--validation", validation)
    assert ran.code == 2
    assert words in ran.err
