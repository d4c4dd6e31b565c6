"""Why fits end, and what they return: tol, max_epochs, max_seconds, callbacks, divergence, interrupts."""

from __future__ import annotations

import re
from itertools import count
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from helpers.optimum import Small

import fastgd
from fastgd import DivergedError, Interrupted
from fastgd.solvers.row_calls import ROW_OVERHEAD

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(20, 3))
Y = X @ [1.0, -2.0, 3.0] + 1.0 + 0.5 * RANDOM.normal(size=20)
del RANDOM  # tests draw from the fixture `rng`
METHODS = ["gd", "sgd", "minibatch"]
BATCH = 5

each_method = pytest.mark.parametrize("method", METHODS)


def fit(X=X, y=Y, **options):
    options = {"method": "minibatch", "learning_rate": 0.03, "max_epochs": 6, **options}
    if options["method"] == "minibatch":
        options.setdefault("batch_size", BATCH)
    return fastgd.fit(X, y, **options)


def mean_square(params, X=X, y=Y):
    return np.mean((X @ params[:-1] + params[-1] - y) ** 2)


def weights(result):
    return np.append(result.coef, result.intercept)


# --- converged --------------------------------------------------------------------------------------------------------


def prox_gradient_norm(params, l1, l2, step):
    residual = X @ params[:-1] + params[-1] - Y
    gradient = 2 * np.append(residual @ X, residual.sum()) / len(Y)
    gradient[:-1] += l2 * params[:-1]
    moved = params - step * gradient
    moved[:-1] = np.sign(moved[:-1]) * np.maximum(np.abs(moved[:-1]) - step * l1, 0)
    return np.linalg.norm(params - moved) / step


@pytest.mark.parametrize("start", [None, ([3.0, 3.0, 3.0], -2.0)])
@pytest.mark.parametrize("tol", [0.3, 1e-3, 1e-6])
def test_gd_stops_where_little_is_left_to_gain(tol, start):
    l1, l2, step = 0.2, 0.6, 0.1
    options = {"penalty": "elasticnet", "alpha": l1 + l2, "l1_ratio": l1 / (l1 + l2), "learning_rate": step}
    result = fit(method="gd", tol=tol, max_epochs=500, start=start, **options)
    optimum, _, _ = Small(X, Y, "squared", l1=l1, l2=l2).least((np.zeros(3), 0.0))
    left = (result.trace["objective"] - optimum) / (Y.var() - optimum)
    assert left[-1] <= tol
    assert left[-3] > 0.01 * tol  # and not many epochs later
    assert (result.stop_reason, result.converged) == ("tol", True)
    assert 0 < result.n_epochs < 500
    norms = [prox_gradient_norm(params, l1, l2, step) for params in result.path]
    np.testing.assert_allclose(result.trace["gradient_norm"][1:], norms[1:], rtol=1e-9)


def test_gd_at_a_stationary_start_takes_no_step():
    best = fit(method="gd", learning_rate=0.3, max_epochs=2000)
    again = fit(method="gd", start=best, tol=1e-6)
    assert (again.n_epochs, again.stop_reason) == (0, "tol")
    assert again.coef.tobytes() == best.coef.tobytes()


@pytest.mark.parametrize("patience", [1, 4])
@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_the_stochastic_methods_stop_when_the_running_loss_stalls(method, patience):
    tol = 0.02
    result = fit(method=method, tol=tol, patience=patience, max_epochs=300)
    best, stalled, expected = np.inf, 0, None
    for epoch, loss in enumerate(result.trace["running_loss"][1:], start=1):
        stalled = 0 if epoch == 1 or loss < best * (1 - tol) else stalled + 1
        best = min(best, loss)
        if expected is None and stalled == patience:
            expected = epoch
    assert expected == result.n_epochs < 300
    assert (result.stop_reason, result.converged) == ("tol", True)


@each_method
def test_a_given_rate_runs_all_epochs_without_tol(method):
    result = fit(method=method, max_epochs=120)
    assert (result.n_epochs, result.stop_reason, result.converged) == (120, "max_epochs", False)
    assert result.settings["tol"] == 0
    automatic = fit(method=method, learning_rate="auto", max_epochs=1000)
    assert automatic.settings["tol"] == 1e-4
    assert (automatic.stop_reason, automatic.converged) == ("tol", True)
    assert fit(method=method, learning_rate="auto", max_epochs=150, tol=0).stop_reason == "max_epochs"


@each_method
def test_max_epochs_bounds_all_passes(method):
    result = fit(method=method, learning_rate="auto", max_epochs=30, tol=0)
    before = result.trace["passes"][0]
    assert 0 < before <= 29
    np.testing.assert_allclose(np.diff(result.trace["passes"]), 1)
    assert 29 < result.trace["passes"][-1] <= 30
    assert result.n_epochs == len(result.trace) - 1
    assert fit(method=method, learning_rate="auto", max_epochs=1).n_epochs == 1


# --- max_seconds ------------------------------------------------------------------------------------------------------


class Clock(fastgd.Reporter):
    """A clock for `fit` that advances by one second at each report of progress."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        fake = SimpleNamespace(perf_counter=lambda: self.now)
        for module in ("training.loop", "compile.jit", "training.run"):
            monkeypatch.setattr(f"fastgd.{module}.time", fake)

    def advanced(self, passes, max_epochs, loss):
        self.now += 1.0


@pytest.fixture
def clock(monkeypatch):
    made = Clock(monkeypatch)
    with fastgd.reporting_to(made):
        yield made


@each_method
def test_max_seconds_ends_after_a_whole_epoch(clock, method):
    result = fit(method=method, max_seconds=2.5)
    assert (result.n_epochs, result.stop_reason, result.converged) == (3, "max_seconds", False)
    assert result.trace["seconds"].tolist() == [0, 1, 2, 3]
    assert result.seconds == {"compile": 0, "fit": 3}
    assert result.coef.tobytes() == fit(method=method, max_epochs=3).coef.tobytes()


def test_max_seconds_ends_within_an_epoch_of_traced_steps(clock, monkeypatch):
    """With a batch in each kernel call an epoch is four calls; the sixth ends in the midst of the second epoch."""
    monkeypatch.setattr("fastgd.solvers.row_calls.VALUES_PER_CALL", BATCH * (3 + ROW_OVERHEAD))
    result = fit(max_seconds=6, trace="step")
    assert (result.n_epochs, result.stop_reason) == (1, "max_seconds")
    assert result.trace["passes"].tolist() == [0, 1, 1.5]
    assert result.trace["epoch"].tolist() == [0, 1, 1]
    assert result.objective == result.trace["objective"][-1] == pytest.approx(mean_square(weights(result)))
    assert weights(result).tobytes() == result.path[-1].tobytes() == result.steps["weights"][-1].tobytes()
    assert len(result.steps) == 6
    assert result.trace["running_loss"][-1] == pytest.approx(result.steps["loss"][4:].mean())


def test_max_seconds_that_is_long_enough(clock):
    assert fit(max_seconds=100).stop_reason == "max_epochs"


# --- callbacks --------------------------------------------------------------------------------------------------------


@each_method
def test_a_callback_sees_every_epoch(method):
    states = []
    result = fit(method=method, callbacks=[states.append])
    assert [state.epoch for state in states] == [state.passes for state in states] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal([[*state.coef, state.intercept] for state in states], result.path[1:])
    for name in ("running_loss", "learning_rate"):
        assert [getattr(state, name) for state in states] == result.trace[name][1:].tolist()
    expected = [mean_square(params) for params in result.path[1:]]
    np.testing.assert_allclose([state.objective for state in states], expected, rtol=1e-13)
    assert result.coef.tobytes() == fit(method=method).coef.tobytes()


def test_a_callback_cannot_change_the_weights():
    def spoil(state):
        state.coef[:] = 1e9

    assert fit(callbacks=[spoil]).coef.tobytes() == fit().coef.tobytes()


@each_method
@pytest.mark.parametrize("true", [True, np.True_])
def test_a_callback_that_returns_true_ends_the_fit(method, true):
    seen = []
    callbacks = [lambda state: state.epoch == 3 and true, seen.append]
    result = fit(method=method, callbacks=iter(callbacks))
    assert (result.n_epochs, result.stop_reason, result.converged) == (3, "callback", False)
    assert len(seen) == 3, "the callbacks after it still see that epoch"
    assert result.coef.tobytes() == fit(method=method, max_epochs=3).coef.tobytes()
    assert result.objective == pytest.approx(mean_square(weights(result)))


@pytest.mark.parametrize("answer", [None, False, np.False_, 0, "no"])
def test_other_values_of_a_callback_do_not_end_the_fit(answer):
    assert fit(callbacks=[lambda state: answer]).n_epochs == 6


def test_errors_of_callbacks_are_raised_unchanged():
    def fail(state):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fit(callbacks=[fail])


# --- diverged ---------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("rate", [1.5, 1e3, 1e300])
def test_divergence_error_names_the_rate_and_holds_the_result(method, rate):
    with pytest.raises(
        DivergedError, match=f"learning rate {re.escape(f'{rate:g}')} is too large: rates up to .* are stable. Try "
    ) as caught:
        fit(method=method, learning_rate=rate, max_epochs=100)
    result = caught.value.result
    epoch = int(re.search(r"diverged in epoch (\d+)", str(caught.value))[1])
    assert result.n_epochs == epoch - 1 == len(result.trace) - 1
    assert (result.stop_reason, result.converged) == ("diverged", False)
    assert np.isfinite(weights(result)).all()
    assert weights(result).tobytes() == result.path[-1].tobytes()
    with np.errstate(over="ignore"):
        expected = np.array([mean_square(params) for params in result.path])
    finite = np.isfinite(expected)
    np.testing.assert_allclose(result.trace["objective"][finite], expected[finite], rtol=1e-9)
    assert (np.isfinite(result.trace["objective"]) == finite).all()
    assert isinstance(caught.value, ArithmeticError)


def test_divergence_in_the_only_epoch():
    with pytest.raises(DivergedError, match="diverged in epoch 1:"):
        fit(method="gd", learning_rate=1e300, max_epochs=1)


def test_a_large_but_falling_objective_is_no_divergence():
    """Divergence is relative to the best constant model, even if the loss at the start is small."""
    best = fit(method="gd", learning_rate=0.3, max_epochs=2000)
    exact = X @ best.coef + best.intercept
    # The length of Adam's first steps is its rate, for any gradient.
    adam = fit(y=exact + 1e-9 * Y, start=best, method="gd", rule="adam", learning_rate=0.1)
    assert adam.trace["objective"].max() > 1e6 * adam.trace["objective"][0]
    assert fit(start=1e6, max_epochs=300).objective == pytest.approx(best.objective, rel=0.2)


@pytest.mark.parametrize("options", [{"learning_rate": 1.5, "rule": "momentum"}, {"learning_rate": 3.0, "alpha": 2.0}])
def test_advice_depends_on_the_other_options(options):
    with pytest.raises(DivergedError) as caught:
        fit(**options, max_epochs=100)
    rate = suggested(caught.value)
    result = fit(**{**options, "learning_rate": rate}, max_epochs=300)
    assert result.objective < 0.6 * result.trace["objective"][0]


@fastgd.term
class Steep:
    """r^4, whose curvature is not bounded."""

    def value(self, y: float, z: float) -> float:
        return (z - y) ** 4

    def derivative(self, y: float, z: float) -> float:
        return 4.0 * (z - y) ** 3

    def mean(self, z: float) -> float:
        return z


def test_without_a_curvature_the_advice_is_a_smaller_rate():
    with pytest.raises(DivergedError, match=r"The learning rate 0\.5 is too large for these data\. Try learning_rate="):
        fit(method="gd", loss=Steep(), learning_rate=0.5)


def suggested(error):
    assert f"Try learning_rate={error.suggested_rate:g} or 'auto'" in str(error)
    return error.suggested_rate


def random_problem(seed):
    """A problem with columns in different units, and options that cycle through losses and methods."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(5, 60)), int(random.integers(1, 8))
    X = (random.normal(size=(n, d)) + random.normal(size=d)) * np.exp(random.normal(size=d))
    y = X @ random.normal(size=d) + random.normal()
    y += 0.1 * y.std() * random.normal(size=n)
    loss = ["squared", "half_squared", "huber", "logistic"][seed % 4]
    options = {"loss": loss, "method": METHODS[seed // 4 % 3], "fit_intercept": bool(random.random() < 0.8)}
    if options["method"] == "minibatch":
        options["batch_size"] = int(random.integers(2, n + 1))
    if loss == "logistic":
        y = (y > np.median(y)) != (random.random(n) < 0.1)  # not linearly separable
    return X, y, options | {"alpha": random.choice([0.0, 0.01])}


def check_the_advice(seed):
    X, y, options = random_problem(seed)
    try:
        fastgd.fit(X, y, **options, learning_rate=1e4, max_epochs=200)
    except DivergedError as error:
        rate = suggested(error)
    else:
        assert options["loss"] == "logistic", "its loss is flat where labels are right, so that any rate may do"
        return
    result = fastgd.fit(X, y, **options, learning_rate=rate, max_epochs=200)
    objectives = result.trace["objective"]
    assert objectives.min() < objectives[0]
    if options["method"] == "gd":
        assert (np.diff(objectives) <= 1e-12 * objectives[0]).all()
    else:  # stochastic steps end near the optimum, not at it
        assert objectives.max() < 1.5 * objectives[0]


@pytest.mark.parametrize("seed", range(12))
def test_the_suggested_rate_converges(seed):
    check_the_advice(seed)


@pytest.mark.campaign
def test_the_suggested_rate_converges_on_many_problems():
    for seed in range(12, 600):
        check_the_advice(seed)


# --- interrupted ------------------------------------------------------------------------------------------------------


@each_method
def test_interrupt_returns_the_last_whole_epoch(method):
    def interrupt(state):
        if state.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fit(method=method, callbacks=[interrupt])
    assert type(caught.value) is Interrupted
    result = caught.value.result
    assert (result.n_epochs, result.stop_reason, result.converged) == (3, "interrupted", False)
    assert result.coef.tobytes() == fit(method=method, max_epochs=3).coef.tobytes()
    assert result.objective == pytest.approx(mean_square(weights(result)))
    np.testing.assert_allclose(result.predict(X), X @ result.coef + result.intercept)


def test_interrupt_within_an_epoch_returns_its_start():
    class Interrupting(fastgd.Reporter):
        def advanced(self, passes, max_epochs, loss):
            if passes > 2.3:
                raise KeyboardInterrupt

    with fastgd.reporting_to(Interrupting()), pytest.raises(Interrupted) as caught:
        fit(trace="step")
    result, whole = caught.value.result, fit(max_epochs=2)
    assert result.coef.tobytes() == whole.coef.tobytes()
    assert len(result.trace) == len(whole.trace)


# --- reporters --------------------------------------------------------------------------------------------------------


class Listener(fastgd.Reporter):
    def __init__(self):
        self.kernels, self.progress = [], []

    def compiling(self, kernel):
        self.kernels.append(kernel)

    def advanced(self, passes, max_epochs, loss):
        self.progress.append((passes, max_epochs, loss))


@each_method
def test_reporters_get_progress(method):
    with fastgd.reporting_to(Listener()) as heard:
        result = fit(method=method)
    expected = zip(count(1), result.trace["running_loss"][1:], strict=False)
    assert heard.progress == [(passes, 6, loss) for passes, loss in expected]
    fit(method=method)
    assert len(heard.progress) == 6, "a fit after the block is none of its business"


def test_reporters_get_compilations():
    def compile_something(state):
        numba.njit(lambda a: a + 1)(1)

    with fastgd.reporting_to(Listener()) as outer, fastgd.reporting_to(Listener()) as heard:
        result = fit(max_epochs=2, callbacks=[compile_something])
    assert heard.kernels[-2:] == ["<lambda>", "<lambda>"]
    assert result.seconds["compile"] > 0
    assert outer.kernels == outer.progress == []
