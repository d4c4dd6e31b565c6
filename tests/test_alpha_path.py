"""`fit_path`: models trained together equal single fits, even if other models diverge."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd import OptionError, fit_path
from fastgd.penalties import ElasticNet

pytestmark = pytest.mark.plain_python

RANDOM = np.random.default_rng(6)
N, D = 40, 4
X = RANDOM.normal(size=(N, D)) * (RANDOM.random((N, D)) < 0.7)
Y = X @ [1.0, -2.0, 0.0, 0.5] + 0.5 + 0.3 * RANDOM.normal(size=N)
WEIGHT, OFFSET = RANDOM.integers(0, 3, N).astype(float), RANDOM.normal(size=N)
del RANDOM  # tests draw from the fixture `rng`
HUBER = "huber:delta=1.5"
METHODS = {"gd": {}, "sgd": {}, "minibatch": {"batch_size": 8}}
ALPHAS = [0.0, 1.0, 0.1, 0.5]
RATES = [0.05, 0.3, 0.1]

each_method = pytest.mark.parametrize("method", METHODS)


def options_of(method, **options):
    return {"loss": HUBER, "method": method, "max_epochs": 4, "tol": 0, **METHODS[method], **options}


def weights(result):
    return np.append(result.coef, result.intercept)


def agree(result, single, tolerance=1e-10):
    """Objectives of single models are known at the start and at the end only."""
    np.testing.assert_allclose(result.path, single.path, rtol=0, atol=tolerance)
    np.testing.assert_allclose(weights(result), weights(single), rtol=0, atol=tolerance)
    for name in ("objective", "learning_rate"):
        assert getattr(result, name) == pytest.approx(getattr(single, name), rel=1e-10)
    np.testing.assert_allclose(result.trace["objective"][[0, -1]], single.trace["objective"][[0, -1]], rtol=1e-10)
    np.testing.assert_allclose(result.trace["learning_rate"], single.trace["learning_rate"], rtol=1e-12)
    assert result.trace["epoch"].tolist() == single.trace["epoch"].tolist()
    for name in ("n_epochs", "converged", "stop_reason", "method", "settings", "loss", "n_samples"):
        assert getattr(result, name) == getattr(single, name)
    assert (result.classes is None) == (single.classes is None)


# --- Alphas -----------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_each_alpha_equals_a_single_fit(method, penalty, form):
    options = options_of(method, penalty=penalty, l1_ratio=0.5 if penalty == "elasticnet" else None)
    models = fit_path(form(X), Y, alphas=ALPHAS, **options)
    for alpha, model in zip(ALPHAS, models, strict=True):
        single = fastgd.fit(form(X), Y, alpha=alpha, **options)
        agree(model, single)
        assert (model.coef == 0).tolist() == (single.coef == 0).tolist()


@each_method
def test_each_alpha_equals_a_single_fit_with_weights_and_offset(method):
    # l1, since scaled variables with l2 depend on alpha, and models trained together share them.
    options = options_of(
        method, sample_weight=WEIGHT, offset=OFFSET, penalty_weights=[0.0, 1.0, 2.0, 1.0], scale=True, shuffle="full",
        seed=4, fit_intercept=False, penalty="l1",
    )  # fmt: skip
    for alpha, model in zip(ALPHAS, fit_path(X, Y, alphas=ALPHAS, **options), strict=True):
        agree(model, fastgd.fit(X, Y, alpha=alpha, **options))


def test_two_classes():
    options = options_of("gd", loss="logistic", class_weight={"b": 2.0}, rule="momentum", schedule="invscaling")
    y = np.where(Y > 0, "b", "a")
    for alpha, model in zip(ALPHAS, fit_path(X, y, alphas=ALPHAS, **options), strict=True):
        single = fastgd.fit(X, y, alpha=alpha, **options)
        agree(model, single)
        assert model.classes.tolist() == ["a", "b"]
        assert model.predict(X).tolist() == single.predict(X).tolist()
        np.testing.assert_allclose(model.predict_proba(X), single.predict_proba(X), rtol=1e-9)


def test_a_path_of_one_alpha():
    (model,) = fit_path(X, Y, alphas=[0.3], **options_of("gd"))
    agree(model, fastgd.fit(X, Y, alpha=0.3, **options_of("gd")))


def test_training_goes_on_until_all_models_converge():
    options = options_of("gd", tol=1e-10, max_epochs=1000)
    models = fit_path(X, Y, alphas=ALPHAS, **options)
    singles = [fastgd.fit(X, Y, alpha=alpha, **options) for alpha in ALPHAS]
    assert all(model.converged and model.stop_reason == "tol" for model in models)
    assert {model.n_epochs for model in models} == {max(single.n_epochs for single in singles)}
    for model, single in zip(models, singles, strict=True):
        np.testing.assert_allclose(weights(model), weights(single), atol=1e-4)


def test_models_can_be_saved_and_can_start_a_fit(tmp_path):
    _, model, _ = fit_path(X, Y, learning_rates=RATES, **options_of("gd"))
    model.save(tmp_path / "model.fastgd")
    assert fastgd.load(tmp_path / "model.fastgd").predict(X).tolist() == model.predict(X).tolist()
    on = fastgd.fit(X, Y, learning_rate=RATES[1], start=model, **options_of("gd"))
    longer = fastgd.fit(X, Y, learning_rate=RATES[1], **options_of("gd", max_epochs=8))
    np.testing.assert_allclose(weights(on), weights(longer), atol=1e-10)


# --- Learning rates ---------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("alphas", [None, [0.1, 0.0, 1.0]])
def test_each_rate_equals_a_single_fit(method, alphas):
    options = options_of(method, schedule="exponential")
    models = fit_path(X, Y, learning_rates=RATES, alphas=alphas, **options)
    for rate, alpha, model in zip(RATES, alphas or [0.0] * 3, models, strict=True):
        agree(model, fastgd.fit(X, Y, learning_rate=rate, alpha=alpha, **options))


@pytest.mark.parametrize("penalty", [ElasticNet(0.05, 0.2), "elasticnet:l1=0.05,l2=0.2"])
def test_penalty_terms_with_their_own_strength(penalty):
    models = fit_path(X, Y, learning_rates=RATES, penalty=penalty, **options_of("gd"))
    for rate, model in zip(RATES, models, strict=True):
        agree(model, fastgd.fit(X, Y, learning_rate=rate, penalty=penalty, **options_of("gd")))
    with pytest.raises(OptionError, match=r"remove alpha|has no alpha"):
        fit_path(X, Y, alphas=[0.1], penalty=penalty)


@each_method
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_a_diverging_model_does_not_change_the_others(method, penalty):
    """The others keep the same bits; rates are powers of 2, so that their ratios are exact."""
    options = options_of(method, penalty=penalty, max_epochs={"gd": 90, "sgd": 4, "minibatch": 20}[method])

    def models(rate):
        return fit_path(X, Y, learning_rates=[2.0**-5, rate, 2.0**-4], alphas=[0.1, 0.5, 0.3], **options)

    (first, diverged, last), (first_alone, fine, last_alone) = models(2.0**20), models(2.0**-6)
    assert [diverged.stop_reason, diverged.converged, np.isfinite(diverged.objective)] == ["diverged", False, False]
    assert fine.stop_reason == first.stop_reason == last.stop_reason == "max_epochs"
    for model, alone in ((first, first_alone), (last, last_alone)):
        assert np.isfinite(model.path).all()
        assert model.path.tobytes() == alone.path.tobytes()
        assert model.objective == alone.objective


def test_a_diverging_model_does_not_prevent_convergence_of_the_others():
    options = options_of("gd", tol=1e-11, max_epochs=2000)
    good, diverged = fit_path(X, Y, learning_rates=[0.25, 2.0**20], alphas=[0.5, 0.5], **options)
    assert good.converged
    assert (diverged.converged, diverged.stop_reason) == (False, "diverged")
    np.testing.assert_allclose(weights(good), weights(fastgd.fit(X, Y, alpha=0.5, **options)), atol=1e-5)


def test_a_diverged_model_has_no_gap_bound():
    good, diverged = fit_path(X, Y, learning_rates=[0.1, 2.0**20], method="gd", max_epochs=27, tol=0)
    assert 1e160 < abs(diverged.intercept) < math.inf
    assert (good.gap_bound is None, diverged.gap_bound) == (False, None)


# --- Errors -----------------------------------------------------------------------------------------------------------

BAD = {
    "nothing": ({}, r"give fit_path the models to fit: alphas=\[...\] or learning_rates=\[...\]"),
    "no alphas": ({"alphas": []}, "the list of models to fit is empty"),
    "no rates": ({"learning_rates": []}, "the list of models to fit is empty"),
    "lengths": ({"alphas": [1.0, 2.0], "learning_rates": RATES}, "2 alphas and 3 learning_rates: give as many"),
    "negative alpha": ({"alphas": [0.1, -1.0]}, "alpha must be a finite number, 0 or more, not -1"),
    "NaN alpha": ({"alphas": [0.1, math.nan]}, "alpha must be a finite number, 0 or more, not nan"),
    "a number": ({"alphas": 0.1}, "alphas is a list of numbers, not 0.1"),
    "words": ({"learning_rates": ["fast", "slow"]}, r"learning_rates is a list of numbers, not \['fast', 'slow'\]"),
    "rate 0": ({"learning_rates": [0.1, 0.0]}, "learning_rates are numbers above 0, not 0.0"),
    "rate NaN": ({"learning_rates": [0.1, math.nan]}, "learning_rates are numbers above 0, not nan"),
    "a constraint": ({"alphas": [0.1], "penalty": "mcp"}, "fit_path takes the penalties none, l2, l1 and elasticnet"),
    "none": ({"alphas": [0.1], "penalty": "none"}, "penalty='none' and alpha=0.1 contradict"),
    "several targets": ({"alphas": [0.1], "y": np.column_stack([Y, -Y])}, "fit_path fits one target of numbers or two"),
    "three classes": (
        {"alphas": [0.1], "loss": "logistic", "y": np.arange(N) % 3}, "fit_path fits one target of numbers or two",
    ),
    "softmax": ({"alphas": [0.1], "loss": "softmax", "y": Y > 0}, "fit_path fits one target of numbers or two"),
    "rates from alpha": (
        {"alphas": [0.1, 1.0], "schedule": "pegasos"}, "this schedule sets the rates from alpha, so it goes with a",
    ),
    "an option of fit": ({"alphas": [0.1], "method": "adam"}, "unknown method 'adam'"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_error_names_the_wrong_argument(what):
    options, message = BAD[what]
    with pytest.raises(OptionError, match=message):
        fit_path(X, **{"y": Y} | options)


def test_a_single_alpha_allows_schedules_that_set_rates():
    options = options_of("minibatch", schedule="pegasos")
    (model,) = fit_path(X, Y, alphas=[0.5], **options)
    agree(model, fastgd.fit(X, Y, alpha=0.5, **options))
