"""`learning_rate_range`: the loss of each rate equals that of `fit`, and the suggested rate trains well."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd import DivergedError, OptionError, learning_rate_range
from fastgd.penalties import GroupLasso
from fastgd.rate_range import suggest_rate
from fastgd.solvers import minibatch

N, D = 60, 4


def data():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.7)
    return X, X @ [1.0, -2.0, 0.0, 0.5] + 0.5 + 0.3 * rng.normal(size=N)


X, Y = data()
CLASSES = np.array(["ant", "bee", "cat"])[np.digitize(Y, [-0.5, 1.0])]
HUBER = "huber:delta=1.5"
METHODS = {"gd": {}, "sgd": {}, "minibatch": {"batch_size": 8}}
RATES = [0.01, 0.05, 0.2]

each_method = pytest.mark.parametrize("method", METHODS)


def fitted(rate, epochs, y=Y, **options):
    return fastgd.fit(options.pop("X", X), y, learning_rate=rate, max_epochs=epochs, tol=0, **options)


def agree(found, y=Y, rel=1e-9, **options):
    for rate, loss in zip(found.rates, found.losses, strict=True):
        assert loss == pytest.approx(fitted(float(rate), found.epochs, y, **options).objective, rel=rel, abs=0)


# --- The losses ------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_each_loss_is_that_of_fit(method, form):
    options = {"method": method, "loss": HUBER, "penalty": "elasticnet", "alpha": 0.1, **METHODS[method]}
    found = learning_rate_range(form(X), Y, rates=RATES, epochs=3, **options)
    agree(found, X=form(X), **options)
    assert (found.method, found.epochs, found.batch_size) == (method, 3, {"gd": N, "sgd": 1, "minibatch": 8}[method])


@pytest.mark.parametrize("rule", ["momentum", "schedule_free"])
def test_losses_of_rules_with_state(rule):
    """Also schedule_free, whose model differs from the point of its gradients."""
    options = {"method": "gd", "loss": HUBER, "rule": rule}
    agree(learning_rate_range(X, Y, rates=RATES, epochs=3, **options), **options)


def test_losses_with_weights_offset_scaling_and_start(rng):
    options = {
        "loss": HUBER, "method": "minibatch", "batch_size": 8, "alpha": 0.1, "scale": True, "shuffle": "full",
        "seed": 4, "fit_intercept": False, "penalty_weights": [0.0, 1.0, 2.0, 1.0], "offset": np.linspace(-1, 1, N),
        "sample_weight": rng.integers(0, 3, N).astype(float), "start": [1.0, 0.0, -1.0, 0.5],
    }  # fmt: skip
    found = learning_rate_range(X, Y, rates=RATES, epochs=2, **options)
    agree(found, **options)
    assert found.settings == {"loss": HUBER, "penalty": "l2 0.1", "rule": "sgd", "scaled": False}


ONE_BY_ONE = {
    "classes": (CLASSES, {"loss": "softmax"}),
    "one against the rest": (CLASSES, {"loss": "logistic", "class_weight": "balanced"}),
    "targets": (np.column_stack([Y, -Y]), {"loss": HUBER}),
    "groups": (Y, {"loss": HUBER, "penalty": GroupLasso(0.1, [0, 0, 1, 1])}),
    "clipped": (Y, {"loss": HUBER, "clip_norm": 0.1}),
}


@pytest.mark.parametrize("what", ONE_BY_ONE)
def test_models_trained_one_by_one_equal_fit_bit_for_bit(what):
    y, options = ONE_BY_ONE[what]
    options = {"method": "minibatch", "batch_size": 8, **options}
    found = learning_rate_range(X, y, rates=RATES, epochs=2, **options)
    agree(found, y, rel=0, **options)
    assert found.suggested in RATES


def test_random_start_is_the_same_for_all_rates():
    y = (X @ [1.0, -2.0, 0.0, 0.5]) ** 2
    options = {"loss": "phase_retrieval", "method": "gd", "seed": 3, "fit_intercept": False}
    found = learning_rate_range(X, y, rates=[1e-4, 1e-3, 1e-3 * 2], epochs=5, **options)
    agree(found, y, **options)


def test_single_rate():
    options = {"loss": HUBER, "method": "gd"}
    found = learning_rate_range(X, Y, rates=[0.1], epochs=3, **options)
    agree(found, **options)
    assert (found.suggested, found.diverges_at) == (0.1, None)


def test_diverging_rate_is_infinite_and_does_not_change_the_others():
    """The other losses keep their bits; the rates are powers of 2, so that their ratios are exact."""
    few, more = ([2.0**-6, 2.0**-4, last] for last in (2.0**-3, 2.0**40))
    fine = learning_rate_range(X, Y, rates=few, method="gd", epochs=80)
    with_one = learning_rate_range(X, Y, rates=more, method="gd", epochs=80)
    assert with_one.losses[:2].tobytes() == fine.losses[:2].tobytes()
    assert with_one.losses[2] == math.inf
    assert with_one.diverges_at == 2.0**40
    assert with_one.suggested in few[:2]


def test_equal_bits_on_any_number_of_threads(rng):
    wide, target = rng.normal(size=(2, 500, 40)), rng.normal(size=500)
    found = [learning_rate_range(wide[0], target, rates=RATES, method="gd", n_threads=n, loss=HUBER) for n in (1, 2)]
    assert found[0].losses.tobytes() == found[1].losses.tobytes()
    assert found[0].suggested == found[1].suggested


# --- The grid --------------------------------------------------------------------------------------------------------


def test_one_pass_trains_all_models(monkeypatch):
    seen = []
    kernel = minibatch.minibatch_outputs_epoch

    def counting(X, targets, order, *rest):
        seen.append((len(order), len(rest[5])))  # rows, models
        return kernel.serial(X, targets, order, *rest)

    counting.serial = counting
    monkeypatch.setattr(minibatch, "minibatch_outputs_epoch", counting)
    monkeypatch.setattr(minibatch, "of_fixed_types", lambda kernel: kernel)
    many = np.tile(X, (40, 1)), np.tile(Y, 40)
    found = learning_rate_range(*many, loss=HUBER)
    assert sum(rows for rows, _ in seen) == len(many[0])
    assert {models for _, models in seen} == {len(found.rates)} == {24}
    assert found.epochs == 1


@each_method
def test_default_epochs_give_50_updates(method):
    epochs = {"gd": 50, "sgd": 1, "minibatch": 7}[method]  # of 1, 60 and 8 steps
    assert learning_rate_range(X, Y, loss=HUBER, method=method, **METHODS[method]).epochs == epochs


@each_method
@pytest.mark.parametrize("rule", ["sgd", "momentum"])
def test_default_rates_surround_the_automatic_rate(method, rule):
    options = {"method": method, "loss": HUBER, "rule": rule, **METHODS[method]}
    found = learning_rate_range(X, Y, **options)
    automatic = fastgd.fit(X, Y, scale=False, max_epochs=1, **options).learning_rate
    assert found.automatic == automatic
    assert len(found.rates) == 24
    assert found.rates[0] == pytest.approx(1e-4 * automatic, rel=0.06)
    assert found.rates[-1] == pytest.approx(1e2 * automatic, rel=0.06)
    assert (np.diff(found.rates) > 0).all()
    assert found.start_loss == fitted(1e-300, 1, **options).trace["objective"][0]


def test_stability_limit_of_gd_is_found():
    """The stability limit of gd, 2 / L, lies between diverges_at and the next smaller rate."""
    columns = np.column_stack([X, np.ones(N)])
    limit = 2.0 / (2.0 * np.linalg.eigvalsh(columns.T @ columns / N)[-1])
    found = learning_rate_range(X, Y, method="gd", epochs=200)
    below = found.rates[np.flatnonzero(found.rates == found.diverges_at)[0] - 1]
    assert below < limit < found.diverges_at
    assert found.suggested <= found.diverges_at / 2


def test_rates_are_sorted_and_unique():
    found = learning_rate_range(X, Y, rates=[0.2, 0.01, 0.2, 0.05], loss=HUBER, method="gd")
    assert found.rates.tolist() == RATES


def test_columns_of_different_scale_get_a_remark_and_scale_true_scales_them():
    units = X * [1.0, 1e3, 1.0, 1e-3]
    found = learning_rate_range(units, Y, loss=HUBER, method="gd")
    assert "scale" in found.remarks[0]
    assert not found.settings["scaled"]
    scaled = learning_rate_range(units, Y, loss=HUBER, method="gd", scale=True)
    assert scaled.remarks == ()
    assert scaled.settings["scaled"]
    assert scaled.automatic == fastgd.fit(units, Y, loss=HUBER, method="gd", max_epochs=1).learning_rate
    assert scaled.losses.min() < 0.5 * found.losses.min()
    agree(learning_rate_range(units, Y, loss=HUBER, method="gd", scale=True, rates=RATES), X=units, loss=HUBER,
          method="gd", scale=True)  # fmt: skip


# --- The suggestion --------------------------------------------------------------------------------------------------

GRID = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64])
CHOICES = {
    # losses at the rates above, F of the best constant model -> suggested, diverges_at
    "the middle of the good rates": ([9.0, 5.0, 1.0, 1.0, 1.1, 3.0, 20.0], 10.0, 0.08, 0.64),
    "the smaller of two": ([9.0, 5.0, 1.0, 1.1, 5.0, 6.0, 7.0], 10.0, 0.04, None),
    "good rates separated from the best do not count": ([1.1, 5.0, 1.0, 1.0, 1.1, 3.0, 7.0], 10.0, 0.08, None),
    "all": ([1.0] * 7, 10.0, 0.08, None),
    "the first": ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 10.0, 0.01, None),
    "the last": ([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 10.0, 0.64, None),
    "the gain counts from the best constant": ([9.0, 1.9, 1.4, 1.0, 1.9, 2.0, 20.0], 2.0, 0.08, 0.64),
    "or from the start if no rate is better than the constant": ([9.0, 1.9, 1.4, 1.0, 1.9, 2.0, 20.0], 0.5, 0.04, 0.64),
    "not too close to divergence": ([9.0, 8.0, 7.0, 6.0, 1.0, math.inf, math.inf], 10.0, 0.16, 0.32),
    "above the start is too large": ([9.0, 1.0, 5.0, 11.0, 9.0, 12.0, math.inf], 10.0, 0.02, 0.08),
    "above the start below the best rate is not": ([10.1, 5.0, 1.0, 3.0, 5.0, 6.0, 7.0], 10.0, 0.04, None),
    "none": ([10.0, 11.0, 12.0, 13.0, math.inf, math.inf, math.inf], 10.0, None, 0.01),
}


@pytest.mark.parametrize("what", CHOICES)
def test_choice_of_the_rate(what):
    losses, best_constant, suggested, diverges_at = CHOICES[what]
    assert suggest_rate(GRID, np.array(losses), 10.0, best_constant) == (suggested, diverges_at)


def test_suggestion_keeps_a_margin_to_divergence_on_a_fine_grid():
    rates = np.array([1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2])
    losses = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 11.0])
    assert suggest_rate(rates, losses, 10.0, 10.0) == (1.2, 2.2)
    assert suggest_rate(rates + 1.0, losses, 10.0, 10.0) == (2.0, 3.2)  # no rate is below the margin


def random_problem(random):
    """Random size, scale and correlation of the columns, sometimes with outlying rows."""
    n, d, rho = int(10 ** random.uniform(1.7, 3.0)), int(random.integers(1, 12)), random.choice([0.0, 0.6, 0.95])
    features = random.standard_normal((n, d))
    for j in range(1, d):
        features[:, j] = rho * features[:, j - 1] + math.sqrt(1 - rho**2) * features[:, j]
    if random.random() < 0.3:
        features *= random.standard_t(3, (n, 1))
    z = features @ random.normal(size=d) + 2 * random.normal()
    return features * 10 ** random.uniform(-2, 2), z + random.choice([0.01, 1.0]) * random.normal(size=n)


@each_method
@pytest.mark.parametrize("loss", [HUBER, "logistic"])
def test_suggested_rate_trains_well(method, loss, monkeypatch):
    """It gains at least 90 % of the best rate, and gd does not diverge in four times as many epochs."""
    monkeypatch.setattr("fastgd.objective.objective.MIN_PARALLEL_VALUES", math.inf)  # compile no parallel kernels
    random = np.random.default_rng(5)
    for _ in range(12):
        features, y = random_problem(random)
        y = y if loss == HUBER else (y > np.median(y)).astype(float)
        options = {"method": method, "loss": loss}
        found = learning_rate_range(features, y, **options)
        result = fitted(found.suggested, found.epochs, y, X=features, **options)
        gain = found.start_loss - found.losses.min()
        assert result.objective <= found.losses.min() + 0.1 * gain
        if method == "gd":
            longer = fitted(found.suggested, 4 * found.epochs, y, X=features, **options)
            assert longer.objective < found.start_loss


def test_rate_that_recovers_from_divergence_counts_as_diverged():
    """Its loss rises to 20 times F at the start, where `fit` stops, and ends at a tenth of F at the start."""
    random = np.random.default_rng(5)
    features, y = [random_problem(random) for _ in range(12)][-1]
    options = {"method": "gd", "loss": "logistic"}
    y = (y > np.median(y)).astype(float)
    found = learning_rate_range(features, y, rates=[1.0, 36.0, 120.0], **options)
    assert found.losses[2] == math.inf
    assert found.diverges_at == 120.0
    with pytest.raises(DivergedError):
        fitted(120.0, found.epochs, y, X=features, **options)


# --- Invalid options -------------------------------------------------------------------------------------------------

BAD = {
    "method auto": ({"method": "auto"}, "method 'auto' chooses its own learning rate: use minibatch, sgd or gd"),
    "a method": ({"method": "newtonian"}, "unknown method 'newtonian'"),
    "no rates": ({"rates": []}, "rates is empty: give at least one"),
    "a number": ({"rates": 0.1}, "rates must be a list of numbers, not 0.1"),
    "words": ({"rates": ["fast"]}, r"rates must be a list of numbers, not \['fast'\]"),
    "rate 0": ({"rates": [0.1, 0.0]}, "rates must be finite and above 0, not 0.0"),
    "rate infinity": ({"rates": [0.1, math.inf]}, "rates must be finite and above 0, not inf"),
    "rate NaN": ({"rates": [0.1, math.nan]}, "rates must be finite and above 0, not nan"),
    "epochs": ({"epochs": 0}, "epochs must be a whole number, 1 or more, not 0"),
    "alpha": ({"alpha": -1.0}, "alpha must be a finite number, 0 or more, not -1"),
    "batches": ({"method": "gd", "batch_size": 8}, "method 'gd' takes all rows in each step"),
}


@pytest.mark.parametrize("what", BAD)
def test_invalid_options_are_refused(what):
    options, message = BAD[what]
    with pytest.raises(OptionError, match=message):
        learning_rate_range(X, Y, **options)
