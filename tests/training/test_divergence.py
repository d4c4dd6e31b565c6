"""Divergence is noticed soon, its error names columns and rates, and the suggested rate works."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd import DivergedError
from fastgd.data.table import Table
from fastgd.losses import LOSSES
from fastgd.solvers.row_calls import ROW_OVERHEAD
from fastgd.training.loop import TrainingLoop

CALLS_PER_EPOCH = 20
METHODS = ["gd", "sgd", "minibatch"]
methods = pytest.mark.parametrize("method", METHODS)


def diverging(X, y, **options):
    """The error of a fit that must diverge."""
    with pytest.raises(DivergedError) as caught:
        fastgd.fit(X, y, **options)
    return caught.value


def random_problem(seed, loss):
    """X, y and sample weights, with columns in any units in every other problem."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(30, 300)), int(random.integers(1, 9))
    X = random.normal(size=(n, d)) + random.integers(0, 2, d)
    z = X @ random.normal(size=d) / np.sqrt(d)
    if seed % 2:
        X *= 10.0 ** random.uniform(-2, 2, d)
    if getattr(LOSSES[loss], "classifies", False):
        y = np.where(z + 0.5 * random.normal(size=n) > np.median(z), 1, -1)
    elif loss == "softmax":
        y = np.digitize(z, np.quantile(z, [0.3, 0.7]))
    elif hasattr(LOSSES[loss], "allows"):
        y = 0.1 + np.exp(np.minimum(z, 3)) * random.gamma(4, 1 / 4, n)
    else:
        y = 3 + z + 0.3 * random.normal(size=n)
    weight = random.integers(1, 5, n) if seed % 3 == 0 else None
    return X, y, weight


# One or two methods for each kind of loss, all methods and rules for one: compilation takes most of the time.
RULES = ["sgd", "momentum", "nesterov", "adam", "schedule_free"]
CASES = [
    *(("half_squared", method, rule) for method in METHODS for rule in RULES),
    *(("logistic", method, "sgd") for method in METHODS),
    *(("poisson", method, "sgd") for method in METHODS),
    *((loss, "minibatch", "sgd") for loss in ("absolute", "gamma")),
    ("phase_retrieval", "gd", "sgd"),
]


@pytest.mark.parametrize("seed", range(50))
def test_the_suggested_rate_does_not_diverge_and_lowers_the_objective(seed):
    loss, method, rule = CASES[seed % len(CASES)]
    X, y, weight = random_problem(seed, loss)
    options = {"loss": loss, "method": method, "rule": rule, "sample_weight": weight, "seed": seed, "max_epochs": 40}
    error = diverging(X, y, learning_rate=1e6, **options)
    assert error.suggested_rate < 1e6
    result = fastgd.fit(X, y, learning_rate=error.suggested_rate, **options)
    assert result.stop_reason == "max_epochs"
    assert result.objective < result.trace["objective"][0]


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "nesterov:beta=0.5", "momentum:beta=0.3"])
@pytest.mark.parametrize("seed", range(2))
def test_rates_below_the_stable_rate_of_gd_converge_and_rates_above_diverge(rule, seed):
    """For a quadratic: just below the stable rate the weights converge, just above they grow without bound."""
    X, y, weight = random_problem(seed, "half_squared")
    options = {"loss": "half_squared", "method": "gd", "rule": rule, "sample_weight": weight, "alpha": 0.3}
    stable = diverging(X, y, learning_rate=1e6, **options).stable_rate
    fastgd.fit(X, y, learning_rate=0.95 * stable, max_epochs=200, **options)
    assert diverging(X, y, learning_rate=1.03 * stable, max_epochs=2000, **options).stable_rate == stable


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_texts_of_the_error(form):
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 5))
    X[:, 1] = 51_000 * random.normal(size=500)
    X[:, 3] = 2010 + random.normal(size=500)
    y = X[:, 0] + 1e-5 * X[:, 1]
    error = diverging(form(X), y, method="gd", learning_rate=1.0)
    design = np.column_stack([X, np.ones(500)])
    expected = 2 / (2 * np.linalg.eigvalsh(design.T @ design / 500)[-1])
    assert error.stable_rate == pytest.approx(expected, rel=1e-6)
    assert error.epoch == 2
    assert [column.name for column in error.columns] == ["2", "4"]
    income, year = error.columns
    assert [income.mean, income.spread] == pytest.approx([X[:, 1].mean(), X[:, 1].std()])
    assert [year.mean, year.spread] == pytest.approx([X[:, 3].mean(), X[:, 3].std()])
    assert 0.9 < income.typical < 1.2
    assert re.fullmatch(
        r"training diverged in epoch 2: the loss grew instead of falling\. The learning rate 1 is too large: "
        r"rates up to \S+ \(2/L\) are stable\. "
        r"Columns '2' \(spread \d\d,\d00\) and '4' \(mean 2,010, spread "
        r"\d\.\d+\) are the cause, while half of the others are no larger than 1\.?\d*\. "
        rf"Try learning_rate={error.suggested_rate:g} or 'auto', which also scales the columns",
        str(error),
    )


def test_columns_are_named_as_the_table_names_them():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3)) * [1, 4000, 1]
    table = Table(X, X[:, 0], ("age", "income", "height"), "y", "made up")
    assert [column.name for column in diverging(table, None, learning_rate=1.0, method="sgd").columns] == ["income"]


@methods
def test_columns_of_one_scale_are_not_named(method):
    X = np.random.default_rng(0).normal(size=(200, 4))
    error = diverging(X, X @ np.ones(4), method=method, learning_rate=50.0)
    assert error.columns == ()
    assert "olumn" not in str(error).split("Try")[0]
    # With scaled columns the rate is one in scaled variables, and the user's columns are not to blame.
    error = diverging(X * [1, 1, 1, 1e4], X @ np.ones(4), method=method, learning_rate=50.0, scale=True)
    assert error.columns == ()
    assert 0.01 < error.stable_rate < 50


@pytest.mark.filterwarnings("error")
def test_a_single_column_is_not_named():
    with pytest.raises(DivergedError, match="Try learning_rate=") as caught:
        fastgd.fit([[100.0], [200.0]], [2.0, 4.0], method="gd", learning_rate=1.0, fit_intercept=False)
    assert "Column" not in str(caught.value)


@methods
@pytest.mark.parametrize(("loss", "rule"), [("poisson", "sgd"), ("half_squared", "adam")])
def test_no_limit_is_named_for_losses_without_a_curvature(method, loss, rule):
    X, y, _ = random_problem(3, "poisson")
    error = diverging(X, y, loss=loss, rule=rule, method=method, learning_rate=1e7)
    assert error.stable_rate is None
    assert "is too large for these data" in str(error)
    assert 0 < error.suggested_rate < 1e7


def test_the_suggested_rate_is_tried_from_the_given_start():
    """Steps of poisson are long far from the optimum: a rate that is stable at zero is not stable there."""
    X, y, _ = random_problem(2, "poisson")
    start = np.full(X.shape[1], 3.0)
    options = {"loss": "poisson", "method": "gd", "start": start, "max_epochs": 50}
    error = diverging(X, y, learning_rate=100.0, **options)
    result = fastgd.fit(X, y, learning_rate=error.suggested_rate, **options)
    assert result.objective < result.trace["objective"][0]


# --- When it is noticed -----------------------------------------------------------------------------------------------


@pytest.fixture
def ticks(monkeypatch):
    """When the training loop looked at a kernel call, in epochs; an epoch of 30,000 x 20 takes about 20 calls."""
    monkeypatch.setattr("fastgd.solvers.row_calls.VALUES_PER_CALL", 30_000 * (20 + ROW_OVERHEAD) // CALLS_PER_EPOCH)
    seen = []
    after_call = TrainingLoop._after_call

    def noted(self, fraction, running_losses):
        seen.append(self.epoch + fraction)
        after_call(self, fraction, running_losses)

    monkeypatch.setattr(TrainingLoop, "_after_call", noted)
    return seen


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_progress_is_reported_at_least_20_times_per_epoch(method, ticks):
    random = np.random.default_rng(0)
    X = random.normal(size=(30_000, 20))
    fastgd.fit(X, X @ random.normal(size=20), loss="half_squared", method=method, max_epochs=2, learning_rate=1e-3)
    assert len(ticks) >= 2 * CALLS_PER_EPOCH
    assert np.diff([0.0, *ticks]).max() < 1.05 / CALLS_PER_EPOCH


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_a_divergence_is_noticed_within_a_twentieth_of_an_epoch(method, ticks):
    random = np.random.default_rng(0)
    X = random.normal(size=(30_000, 20))
    error = diverging(X, X @ random.normal(size=20), loss="half_squared", method=method, learning_rate=10.0)
    assert error.epoch == 1
    assert error.result.n_epochs == 0
    # The later ticks are of the trial of the suggested rate.
    assert ticks[0] == pytest.approx(1 / CALLS_PER_EPOCH, rel=0.05)
    assert abs(ticks[1] - 2 / CALLS_PER_EPOCH) > 0.01


def test_divergence_of_the_last_step_is_noticed():
    """The running loss of gd is taken before its step."""
    X = np.random.default_rng(0).normal(size=(100, 2))
    for epochs in (1, 2):
        error = diverging(X, X[:, 0], method="gd", loss="half_squared", learning_rate=1e3, max_epochs=epochs)
        assert error.epoch == epochs
        assert np.isfinite(error.result.coef).all()


@methods
def test_bits_do_not_depend_on_threads_when_an_epoch_takes_many_calls(method, ticks):
    random = np.random.default_rng(0)
    X = random.normal(size=(30_000, 20))
    y = X @ random.normal(size=20)
    paths = {
        fastgd.fit(X, y, loss="half_squared", method=method, max_epochs=2, n_threads=k, alpha=0.1).coef.tobytes()
        for k in (1, 2, None)
    }
    assert len(paths) == 1
