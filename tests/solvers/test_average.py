"""``average``: the model is the mean of the weights after each step, as in the reference and in scikit-learn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import reference
from conftest import LAYOUTS, problems
from helpers.command_line import fastgd as command
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

import fastgd
from fastgd import OptionError
from fastgd.kernels.averaging import LazySum
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.sgd_epoch import sgd_epoch
from fastgd.losses import LOSSES

pytestmark = pytest.mark.plain_python

RANDOM = np.random.default_rng(11)
N, D = 23, 4
X = RANDOM.integers(-16, 17, (N, D)) * (RANDOM.random((N, D)) < 0.7) / 16
Y = X @ [1.5, -2.0, 0.0, 0.5] + 0.7 + 0.3 * RANDOM.normal(size=N)
del RANDOM  # tests draw from the fixture `rng`
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(Y, [0.4, 1.0])]
SIZES = {"sgd": 1, "minibatch": 5}
EPOCHS = 3

each_method = pytest.mark.parametrize("method", SIZES)


def fit(method="sgd", X=X, y=Y, **options):
    options = {"learning_rate": 0.02, "max_epochs": EPOCHS, "shuffle": False, "average": True, "start": 0, **options}
    if method == "minibatch":
        options["batch_size"] = SIZES[method]
    return fastgd.fit(X, y, method=method, **options)


def weights(result):
    return np.append(result.coef, result.intercept)


def walk(method="sgd", y=Y, *, loss="squared", rate=0.02, **options):
    """The reference's weights after every step."""
    path = reference.minibatch(
        X, y, reference.LOSSES[loss], lr=rate, epochs=EPOCHS, batch_size=SIZES[method], **options
    )
    return np.array([[*w, b] for w, b in path])


def close(value, tolerance=1e-12):
    return pytest.approx(value, rel=tolerance, abs=tolerance)


# --- Against the reference --------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("begin", [True, 2, 7, EPOCHS * N // 5])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_average_is_the_mean_of_the_reference_steps(method, begin, alpha):
    result = fit(method, average=begin, alpha=alpha)
    path = walk(method, l2=alpha)
    mean = path[int(begin) - 1 :].mean(axis=0)
    assert weights(result) == close(mean)
    assert np.abs(mean - path[-1]).max() > 1e-3
    objective = reference.objective(X, Y, mean[:-1], mean[-1], reference.LOSSES["squared"], l2=alpha)
    assert result.objective == result.trace["objective"][-1] == close(objective)
    a_epoch = len(path) // EPOCHS
    for k, row in enumerate(result.path[1:], start=1):
        steps = path[: k * a_epoch][int(begin) - 1 :]
        expected = steps.mean(axis=0) if len(steps) else path[k * a_epoch - 1]
        assert row == close(expected), "before it begins the model is where the steps are"


@each_method
@pytest.mark.parametrize(
    "options",
    [
        {"rule": "momentum"},
        {"rule": "adam", "alpha": 0.2},
        {"penalty": "l1", "alpha": 0.2},
        {"penalty": "elasticnet", "alpha": 0.4, "l1_ratio": 0.5},
        {"rule": "nesterov", "alpha": 0.2},
        {"fit_intercept": False, "alpha": 0.2},
        {"schedule": "invscaling"},
        {"loss": "logistic"},
    ],
    ids=str,
)
def test_average_with_rules_penalties_schedules_and_losses(method, options):
    loss, alpha, ratio = options.get("loss", "huber"), options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
    ratio = 1.0 if options.get("penalty") == "l1" else ratio
    y = np.where(Y > 0.7, 1.0, -1.0) if loss == "logistic" else Y
    path = walk(
        method, y, loss=loss, l1=alpha * ratio, l2=alpha * (1 - ratio),
        rule=reference.RULES[options.get("rule", "sgd")], fit_intercept=options.get("fit_intercept", True),
        schedule=reference.SCHEDULES[options.get("schedule", "constant")],
    )  # fmt: skip
    assert weights(fit(method, y=y, **{"loss": loss, **options})) == close(path.mean(axis=0), 1e-11)


@each_method
def test_average_of_several_targets(method):
    result = fit(method, y=np.column_stack([Y, -2 * Y]), loss="huber", alpha=0.3, average=5)
    for k, y in enumerate([Y, -2 * Y]):
        path = walk(method, y, loss="huber", l2=0.3)
        assert np.append(result.coef[k], result.intercept[k]) == close(path[4:].mean(axis=0))
    bare = fit(method, y=np.column_stack([Y, -2 * Y]), loss="huber", fit_intercept=False)
    assert bare.coef[0] == close(walk(method, loss="huber", fit_intercept=False).mean(axis=0)[:-1])


@each_method
def test_average_of_softmax_on_sparse_rows(method):
    """The decay is so large that the scale underflows."""
    result = fit(method, csr_array(X), LABELS, loss="softmax", trace="step", alpha=5.0)
    assert np.column_stack([result.coef, result.intercept]) == close(result.steps["weights"].mean(axis=0))
    whole = fit(method, csr_array(X), LABELS, loss="softmax", alpha=5.0)
    assert whole.coef == close(result.coef), "whole epochs in one call"


@pytest.mark.parametrize("layout", ["dense float64", "csr float32"])
@given(
    drawn=problems(least_rows=2),
    l2=st.sampled_from([0.0, 0.3, 4.0, 40.0]),
    has_intercept=st.booleans(),
    data=st.data(),
)
def test_lazy_sums_match_the_reference(layout, drawn, l2, has_intercept, data):
    """Two calls, some steps left out, and a decay after which the scale is folded in many times."""
    n, d = drawn.X.shape
    cut, skip = data.draw(st.integers(0, n)), data.draw(st.integers(0, n - 1))
    rate = 0.9 / ((drawn.X**2).sum(axis=1).max() + 1 + l2)
    rows = LAYOUTS[layout](drawn.X)
    params = np.array([*drawn.w, drawn.b][: d + has_intercept])
    v, paid, sums = np.zeros(d, np.float32 if "32" in layout else float), np.zeros(d), LazySum.make(d, len(params))
    loss, order = LOSSES["huber"](1.5), np.arange(n)
    for start, part in ((0, order[:cut]), (cut, order[cut:])):
        some = sums._replace(skip=max(skip - start, 0))
        rates = np.full(len(part), rate)
        sgd_epoch(rows, Targets(drawn.y), part, rates, loss, 0.0, l2, np.inf, 1.0, params, v, paid, some)
        assert not sums.u.any()
    path = reference.sgd(
        drawn.X, drawn.y, reference.Huber(1.5), lr=rate, epochs=1, l2=l2, fit_intercept=has_intercept,
        start=(drawn.w, drawn.b if has_intercept else 0.0),
    )  # fmt: skip
    path = np.array([[*w, b] for w, b in path])[:, : len(params)]
    tolerance = 20 * n * (n + d) * np.finfo(v.dtype).eps * (1 + np.abs(path).max())
    assert params == pytest.approx(path[-1], rel=0, abs=tolerance)
    assert sums.total == pytest.approx(path[skip:].sum(axis=0), rel=0, abs=tolerance)


def test_average_when_decay_underflows_the_scale():
    """At a rate of 0.9 / l2 each step multiplies the weights by 0.1: by 1e-23 in an epoch."""
    result = fit("sgd", learning_rate=0.18, alpha=5.0, fit_intercept=False)
    assert result.coef == close(walk("sgd", rate=0.18, l2=5.0, fit_intercept=False).mean(axis=0)[:-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_average_keeps_its_precision_over_many_steps(dtype):
    """The mean of 100,000 steps, by the lazy sum and by adding the steps here."""
    n, d = 20_000, 6
    random = np.random.default_rng(0)
    X = random.normal(size=(n, d)).astype(dtype)
    y = X @ np.arange(d) + random.normal(size=n)
    options = {"method": "sgd", "learning_rate": 0.01, "alpha": 1.0, "max_epochs": 5, "shuffle": False, "start": 0}
    result = fastgd.fit(X, y, average=True, **options)
    path, params = np.zeros(d + 1), np.zeros(d + 1)
    rows = np.column_stack([X.astype(float), np.ones(n)])
    decay = np.append(np.full(d, 1 - 0.01), 1.0)
    for _ in range(5):
        for x, target in zip(rows, y, strict=True):
            params = decay * params - 0.01 * 2 * (x @ params - target) * x
            path += params
    expected = path / (5 * n)
    assert weights(result) == pytest.approx(expected, rel=1e-3 if dtype == np.float32 else 1e-10, abs=1e-5)


def test_sparse_rows_agree_with_dense_ones():
    S = random_array((300, 200), density=0.05, format="csr", rng=np.random.default_rng(4))
    y = S @ np.random.default_rng(5).normal(size=200)
    for method in SIZES:
        sparse, dense = (fit(method, rows, y, average=100, alpha=0.01, learning_rate=0.1) for rows in (S, S.toarray()))
        assert weights(sparse) == close(weights(dense), 1e-10)
    with_prox = [fit("sgd", rows, y, penalty="l1", alpha=0.01) for rows in (S, S.toarray())]
    assert weights(with_prox[0]) == close(weights(with_prox[1]), 1e-10)


@pytest.mark.parametrize("average", [True, 10, 200])
@pytest.mark.parametrize("layout", [np.asarray, csr_array])
def test_average_equals_scikit_learns(average, layout):
    linear_model = pytest.importorskip("sklearn.linear_model")
    options = {"alpha": 0.05, "learning_rate": "constant", "eta0": 0.01, "max_iter": 20, "tol": None, "shuffle": False}
    # On sparse rows scikit-learn lowers the rate of the intercept.
    peer = linear_model.SGDRegressor(average=average, fit_intercept=False, **options).fit(layout(X), Y)
    ours = fit(
        X=layout(X), alpha=0.1, learning_rate=0.005, max_epochs=20, average=average, fit_intercept=False
    )  # scikit-learn halves the loss
    assert ours.coef == close(peer.coef_, 1e-9)


# --- What averaging gains ---------------------------------------------------------------------------------------------


@each_method
def test_average_reduces_the_noise(method):
    random = np.random.default_rng(8)
    X = random.normal(size=(2000, 5))
    y = X @ np.ones(5) + 2 * random.normal(size=2000)
    best = fastgd.fit(X, y, method="gd", max_epochs=500, tol=1e-12).objective
    options = {"method": method, "learning_rate": 0.02, "max_epochs": 10, "batch_size": SIZES[method]}
    last, mean = (fastgd.fit(X, y, average=average, **options) for average in (False, 4000 // SIZES[method]))
    assert mean.objective - best < 0.1 * (last.objective - best)
    assert mean.trace["running_loss"].tobytes() == last.trace["running_loss"].tobytes(), "the steps are the same"


def test_auto_with_average_chooses_minibatch():
    assert fastgd.fit(X, Y, average=True, max_epochs=3, rule="momentum").method == "minibatch"
    assert fastgd.fit(X, Y, average=True, max_epochs=3).method == "minibatch"
    assert fastgd.fit(X, Y, max_epochs=3, rule="momentum").method == "gd"


@each_method
def test_step_trace_holds_steps_and_callbacks_see_the_average(method):
    """The trace holds the steps; callbacks get the model."""
    states = []
    result = fit(method, trace="step", callbacks=[states.append])
    path = result.steps["weights"]
    assert weights(result) == close(path.mean(axis=0))
    assert path == close(walk(method))
    assert [states[-1].objective, *states[-1].coef] == [result.objective, *result.coef]
    assert weights(result).tobytes() == result.path[-1].tobytes()


def test_average_in_scaled_columns():
    """The mean of steps in scaled columns is the same in any units."""
    random = np.random.default_rng(6)
    X = random.normal(size=(300, 3)) * [1, 1000, 0.01] + [0, 500, 3]
    y = X @ [1, 0.001, 100] + random.normal(size=300)
    for method in SIZES:
        result = fastgd.fit(X, y, method=method, average=True, trace="step", max_epochs=3, seed=2)
        assert any("scaled" in remark for remark in result.remarks)
        assert weights(result) == close(result.steps["weights"].mean(axis=0), 1e-9)


def test_remark_when_averaging_would_start_after_the_last_step():
    result = fit(average=1000)
    assert weights(result) == close(walk()[-1])
    assert "average=1000 is more than the 69 steps there were, so nothing was averaged" in result.remarks
    assert not any("averaged" in remark for remark in fit(average=69).remarks)


def test_validation_loss_is_of_the_average():
    result = fit(validation=(X, Y), trace="step", max_epochs=4)
    means = np.cumsum(result.steps["weights"], axis=0) / np.arange(1, 4 * N + 1)[:, None]
    assert result.path[1:] == close(means[N - 1 :: N])
    losses = [np.mean((X @ w[:-1] + w[-1] - Y) ** 2) for w in result.path]
    assert result.trace["validation_loss"] == close(losses)


def test_average_restarts_after_a_divergence():
    """Steps before a divergence are not in the mean."""
    options = {"learning_rate": 3.0, "on_divergence": "shrink", "max_epochs": 30, "trace": "step"}
    result = fit(**options)
    assert result.divergences > 0
    rates = result.steps["learning_rate"]
    last_try = result.steps["weights"][rates == rates[-1]]
    assert 0 < len(last_try) < len(rates)
    assert weights(result) == close(last_try.mean(axis=0))


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("average", [-1, 1.5, "yes", None, np.nan, [1]])
def test_average_must_be_a_boolean_or_a_whole_number(average):
    with pytest.raises(OptionError, match="average must be True, False or a whole number, 0 or more, not "):
        fit(average=average)


def test_average_false_and_zero_are_equal():
    plain = fit(average=False)
    assert weights(plain) == close(walk()[-1])
    for nothing in (0, np.int64(0)):
        assert weights(fit(average=nothing)).tobytes() == weights(plain).tobytes()
    assert weights(fit(average=np.int64(1))).tobytes() == weights(fit()).tobytes() != weights(plain).tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gd"}, "average is for the methods sgd and minibatch, .* not for 'gd': leave it out"),
        ({"method": "svrg"}, "not for 'svrg'"),
        ({"rule": "asgd"}, "rule 'asgd' keeps a model apart from the weights .* leave average out"),
        ({"rule": "schedule_free"}, "rule 'schedule_free' keeps a model apart"),
        ({"rule": "nesterov", "penalty": "l1", "alpha": 0.1}, "rule 'nesterov' keeps a model apart"),
    ],
)
def test_error_names_what_average_cannot_be_combined_with(options, message):
    with pytest.raises(OptionError, match=message):
        fit(**options)


# --- On the command line ----------------------------------------------------------------------------------------------


def test_average_option_of_the_command():
    words = ("run", "diabetes", "--method", "sgd", "--learning-rate", 1e-6, "--epochs", 3, "--json", "--quiet")
    plain, whole, late = (command(*words, "--average", begin).json["coef"] for begin in (0, 1, 600))
    table = fastgd.open("diabetes")
    for coef, average in ((plain, False), (whole, True), (late, 600)):
        options = {**table.defaults, "method": "sgd", "learning_rate": 1e-6, "max_epochs": 3}
        assert coef == fastgd.fit(table, average=average, **options).coef.tolist()
    assert all(one != other for one, other in pairwise([plain, whole, late]))
    assert command(*words, "--average", -1).code == 2
