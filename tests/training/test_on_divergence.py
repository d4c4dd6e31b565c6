"""``on_divergence``: retry with a smaller rate, or raise."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.command_line import fastgd as command

import fastgd
from fastgd import DivergedError, OptionError
from fastgd.solvers.learning_rates import Rates
from fastgd.solvers.step_size import MAX_SHRINKS, SHRINK

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(20, 3))
Y = X @ [1.0, -2.0, 3.0] + 1.0 + 0.5 * RANDOM.normal(size=20)
del RANDOM  # tests draw from the fixture `rng`
TOO_LARGE = {"gd": 2.5, "sgd": 3.0, "minibatch": 3.0}

each_method = pytest.mark.parametrize("method", TOO_LARGE)


def fit(method="gd", X=X, y=Y, **options):
    options = {"learning_rate": TOO_LARGE[method], "max_epochs": 60, **options}
    if method == "minibatch":
        options.setdefault("batch_size", 5)
    return fastgd.fit(X, y, method=method, **options)


def objective(params, X=X, y=Y):
    return np.mean((X @ params[:-1] + params[-1] - y) ** 2)


@pytest.fixture
def rates_far_too_large(monkeypatch):
    """An automatic rate that is much too large."""

    def stable_rates(objective, *_):
        return Rates(np.full(objective.n_outputs, 4.0), "misled")

    monkeypatch.setattr(fastgd.solvers.plan, "stable_rates", stable_rates)


@each_method
def test_shrink_retries_with_a_smaller_rate(method):
    result = fit(method, on_divergence="shrink")
    assert result.divergences > 0
    assert result.learning_rate == TOO_LARGE[method] / SHRINK**result.divergences
    assert result.objective < 0.1 * result.trace["objective"][0]
    assert result.stop_reason == "max_epochs"
    assert result.trace["passes"][-1] <= 60, "what was done in vain counts as well"
    assert len(result.trace) == result.n_epochs + 1 < 60
    times = "once" if result.divergences == 1 else f"{result.divergences} times"
    assert any(f"training diverged {times}, went back to where it had not" in text for text in result.remarks)
    expected = [objective(params) for params in result.path]
    np.testing.assert_allclose(result.trace["objective"], expected, rtol=1e-9)
    assert max(expected) < 10 * expected[0], "a row of the trace is of weights that exploded"
    assert result.settings["on_divergence"] == "shrink"


@each_method
@pytest.mark.parametrize("on_divergence", ["auto", "raise"])
def test_auto_and_raise_stop_a_given_rate(method, on_divergence):
    with pytest.raises(DivergedError, match=r"diverged in epoch .* Try learning_rate=") as caught:
        fit(method, on_divergence=on_divergence)
    assert caught.value.result.divergences == 0
    assert caught.value.result.learning_rate == TOO_LARGE[method]


@each_method
@pytest.mark.usefixtures("rates_far_too_large")
def test_automatic_rates_raise_only_on_request(method):
    for on_divergence in ("auto", "shrink"):
        result = fit(method, learning_rate="auto", on_divergence=on_divergence, tol=0.0)
        assert result.divergences > 0
        assert result.objective < 0.2 * result.trace["objective"][0]
    with pytest.raises(DivergedError) as caught:
        fit(method, learning_rate="auto", on_divergence="raise")
    assert caught.value.result.learning_rate == 4.0


def test_the_number_of_retries_is_limited():
    with pytest.raises(DivergedError) as caught:
        fit(learning_rate=1e300, on_divergence="shrink")
    assert caught.value.result.divergences == MAX_SHRINKS
    with pytest.raises(DivergedError) as caught:
        fit(learning_rate=1e300, on_divergence="shrink", max_epochs=4)
    assert 0 < caught.value.result.divergences < 4, "out of passes before the rate was small enough"


def test_options_make_no_difference_without_a_divergence():
    for on_divergence in ("auto", "shrink", "raise"):
        result = fit(learning_rate=0.1, loss="squared", on_divergence=on_divergence)
        assert result.divergences == 0
        assert not result.remarks
        assert result.coef.tobytes() == fit(learning_rate=0.1).coef.tobytes()


def test_a_saved_model_keeps_the_number_of_divergences(tmp_path):
    result = fit(on_divergence="shrink")
    result.save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model").divergences == result.divergences > 0


def test_shrink_with_validation_returns_the_best():
    result = fit("sgd", on_divergence="shrink", validation=(X, Y), patience=60)
    assert result.divergences > 0
    losses = result.trace["validation_loss"]
    assert result.best_epoch == losses.argmin()
    assert np.append(result.coef, result.intercept).tobytes() == result.path[result.best_epoch].tobytes()


@pytest.mark.parametrize("on_divergence", ["halve", None, True])
def test_error_names_the_values_of_on_divergence(on_divergence):
    with pytest.raises(OptionError, match="on_divergence must be one of auto, shrink, raise, not "):
        fit(on_divergence=on_divergence)


def test_error_when_the_schedule_sets_the_rates():
    with pytest.raises(
        OptionError, match=r"schedule 'pegasos' sets the learning rate itself, so .* leave on_divergence='shrink' out"
    ):
        fit(learning_rate="auto", schedule="pegasos", alpha=0.1, on_divergence="shrink")


def test_later_fits_are_unaffected_by_an_error_in_a_callback():
    def fail(state):
        raise ZeroDivisionError("mine")

    before = fit(learning_rate=0.1)
    with pytest.raises(ZeroDivisionError, match="mine"):
        fit("minibatch", learning_rate=0.1, validation=0.2, average=True, callbacks=[fail], n_threads=1)
    assert fit(learning_rate=0.1).coef.tobytes() == before.coef.tobytes()
    assert fastgd.compile.jit.threads_in_use() == fastgd.compile.jit.thread_pool_size()


def test_on_divergence_on_the_command_line():
    words = ("run", "diabetes", "--method", "gd", "--epochs", 30, "--learning-rate", 10, "--quiet", "--json")
    for on_divergence in ("auto", "raise"):
        ran = command(*words, "--on-divergence", on_divergence)
        assert (ran.code, "diverged in epoch" in ran.err) == (1, True)
    ran = command(*words, "--on-divergence", "shrink")
    assert ran.code == 0
    assert ran.json["divergences"] > 0
    assert ran.json["learning_rate"] == 10 / SHRINK ** ran.json["divergences"]
    assert command(*words, "--on-divergence", "halve").code == 2
