"""Automatic learning rates: their reasons, and the rate of gd that adapts to local curvature."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from helpers.command_line import fastgd as command

import fastgd
from fastgd.solvers.adaptive_gd import next_rate

random = np.random.default_rng(0)
X = random.normal(size=(60, 3))
Y = X @ [1.0, -1.0, 0.5] + 0.1 * random.normal(size=60)
del random  # tests draw from the fixture `rng`
ROWS = np.column_stack([X, np.ones(60)])
EIGENVALUE = np.linalg.eigvalsh(ROWS.T @ ROWS / 60)[-1]
LONGEST = (ROWS**2).sum(axis=1).max()


def fit(**options):
    return fastgd.fit(X, Y, **{"loss": "half_squared", "scale": False, "max_epochs": 5, **options})


# --- Reasons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "rate", "reason"),
    [
        ({"method": "gd"}, 1 / EIGENVALUE, f"1 / L, L = {EIGENVALUE:.4g} from the largest eigenvalue of X'X / n"),
        (
            {"method": "gd", "alpha": 0.5},
            1 / (EIGENVALUE + 0.5),
            f"1 / L, L = {EIGENVALUE + 0.5:.4g} from the largest eigenvalue of X'X / n",
        ),
        (
            {"method": "sgd", "rule": "momentum"},
            0.1 / (2 * LONGEST),
            f"0.1 / (2 L_max), L_max = {LONGEST:.4g} from the longest row",
        ),
        ({"method": "saga"}, 1 / (2 * LONGEST), f"1 / (2 L_max), L_max = {LONGEST:.4g} from the longest row"),
        ({"method": "gd", "learning_rate": 0.25}, 0.25, "given"),
        ({"method": "gd", "rule": "adam"}, 0.01, "the default of the rule"),
        ({"method": "newton"}, 1.0, "whole steps of a quadratic model"),
    ],
)
def test_automatic_rates_and_their_reasons(options, rate, reason):
    result = fit(**options)
    assert result.learning_rate == pytest.approx(rate)
    assert result.rate_reason == reason


@pytest.mark.parametrize(("n", "batch"), [(2, 1), (7, 2), (60, 20), (95, 31), (96, 32), (300, 32)])
def test_a_batch_is_at_most_a_third_of_the_rows(rng, n, batch):
    """By default: a batch of all rows would be gd."""
    data, target = rng.normal(size=(n, 2)), rng.normal(size=n)
    assert fastgd.fit(data, target, method="minibatch", max_epochs=1).settings["batch_size"] == batch


def test_reasons_of_rates_of_batches_trials_and_schedules():
    sizes = np.array([32, 28])
    shares = (60 - sizes) / (sizes * 59)
    expected = np.mean(shares * LONGEST + (1 - shares) * EIGENVALUE)
    result = fit(method="minibatch", batch_size=32)
    assert result.learning_rate == pytest.approx(1 / (2 * expected))
    assert result.rate_reason.startswith(f"1 / (2 L_B), L_B = {expected:.4g} from ")
    assert fit(method="minibatch", loss="absolute").rate_reason == "by trial on all rows"
    assert fit(method="minibatch", schedule="pegasos", alpha=50.0).rate_reason == "set by its schedule"


def test_summary_and_json_give_the_reason_of_the_rate():
    words = ("run", "diabetes", "--method", "gd", "--epochs", "3")
    said = json.loads(command(*words, "--json").out)
    assert said["rate_reason"].startswith("1 / L, L = ")
    assert f"learning rate {said['learning_rate']:.4g} ({said['rate_reason']})" in " ".join(command(*words).out.split())


# --- A rate that follows the curvature --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "growth", "curvature", "expected"),
    [
        (0.5, 1.0, 0.1, math.sqrt(5 / 3) * 0.5),  # flat: the largest growth that the last growth allows
        (0.5, 0.0, 0.1, math.sqrt(2 / 3) * 0.5),
        (1.0, 1.0, 2.0, 1 / math.sqrt(7)),  # curved
        (1.0, math.inf, 1e-6, 1e6 / math.sqrt(2)),  # the first step
        (1.0, 1.0, 0.0, math.sqrt(5 / 3)),  # straight
    ],
)
def test_the_rate_of_the_next_step(rate, growth, curvature, expected):
    new, grown = next_rate(rate, growth, curvature)
    assert [new, grown] == pytest.approx([expected, expected / rate])


def counts(seed, kind):
    """Counts in the thousands, which are hard for losses with a log link."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(400, 5))
    if kind == "outliers":
        rows[random.random(400) < 0.01] *= 50
    if kind == "any units":
        rows *= 10.0 ** random.uniform(-4, 4, 5)
    z = np.clip((rows / rows.std(axis=0)) @ random.normal(size=5) / 3, -3, 3) + 8
    return rows, random.poisson(np.exp(z)) + 1.0


@pytest.mark.parametrize("kind", ["plain", "outliers", "any units"])
@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_gd_descends_on_counts_in_the_thousands(loss, kind):
    for seed in range(5):
        rows, y = counts(seed, kind)
        optimum = fastgd.fit(rows, y, loss=loss, method="newton", max_epochs=200, tol=0).objective
        result = fastgd.fit(rows, y, loss=loss, method="gd", max_epochs=30, tol=0)
        trace = result.trace["objective"]
        assert (trace[0] - trace[-1]) / (trace[0] - optimum) > (0.1 if kind == "outliers" else 0.95)
        assert (np.diff(trace) <= 1e-12 * abs(trace[0])).all()  # it never increases
        assert result.trace["passes"][-1] <= 31 + 8  # rejected steps count as passes
        assert len(set(result.trace["learning_rate"][1:])) > 5


def test_adaptive_gd_reaches_the_optimum_with_l1():
    rows, y = counts(0, "plain")
    options = {"loss": "gamma", "penalty": "l1", "alpha": 0.05}
    result = fastgd.fit(rows, y, method="gd", max_epochs=2000, tol=1e-8, **options)
    assert result.stop_reason == "tol"
    best = fastgd.fit(rows, y, method="newton", max_epochs=200, tol=1e-10, **options)
    assert result.objective == pytest.approx(best.objective, rel=1e-10)
    assert ((result.coef == 0) == (best.coef == 0)).all()
