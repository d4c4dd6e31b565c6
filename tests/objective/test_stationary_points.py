"""Full-gradient methods stop at a saddle point, stochastic methods leave it; results tell the two apart."""

from __future__ import annotations

import dataclasses
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.command_line import fastgd as command

import fastgd
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.kernels.outputs_gradient import is_joint
from fastgd.losses import LOSSES
from fastgd.objective import stationary_points
from fastgd.penalties import resolve_penalty

pytestmark = pytest.mark.plain_python

TABLE = fastgd.open("saddle")
AT = np.array([math.sqrt(2 / 3), 0.0])
ALL_ROWS = ("gd", "lbfgs", "auto")


def fit(X=TABLE.X, y=TABLE.y, **options):
    return fastgd.fit(X, y, **{**TABLE.defaults, **options})


def loss(w, X=TABLE.X, y=TABLE.y):
    return (((X @ w) ** 2 - y) ** 2).mean() / 4


def gradient(w, X=TABLE.X, y=TABLE.y):
    z = X @ w
    return (z * (z * z - y)) @ X / len(y)


def hessian(w, X=TABLE.X, y=TABLE.y):
    return X.T @ ((3 * (X @ w) ** 2 - y)[:, None] * X) / len(y)


# --- The built-in -----------------------------------------------------------------------------------------------------


def test_the_saddle_is_where_its_docstring_says():
    np.testing.assert_allclose(gradient(AT), 0, atol=1e-16)
    np.testing.assert_allclose(hessian(AT), np.diag([4 / 7, -2 / 7]), atol=1e-15)
    assert loss(AT) == pytest.approx(1 / 6)
    for w in ([0.0, 1.0], [0.0, -1.0]):
        assert (loss(w), *gradient(w)) == (0.0, 0.0, 0.0)
        assert np.linalg.eigvalsh(hessian(np.array(w))).min() > 0


def test_gradient_stays_on_the_axis_in_every_order_of_the_rows():
    for order in itertools.permutations(range(7)):
        total = 0.0
        for i in order:
            z = TABLE.X[i] @ [0.3, 0.0]
            total += z * (z * z - TABLE.y[i]) * TABLE.X[i, 1]
        assert total == 0.0


@pytest.mark.parametrize("method", ALL_ROWS)
def test_full_gradient_methods_stop_at_the_saddle(method):
    result = fit(method=method)
    np.testing.assert_allclose(result.coef, AT, rtol=1e-7)
    assert result.coef[1] == 0.0
    assert np.abs(gradient(result.coef)).max() < 1e-7
    assert result.stationary == "saddle"


@pytest.mark.parametrize("options", [{"learning_rate": 0.1, "max_epochs": 3000}, {"scale": True}], ids=str)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_gd_stays_on_the_axis_however_long_and_in_scaled_columns(options, form):
    result = fit(form(TABLE.X), method="gd", **options)
    np.testing.assert_allclose(result.coef, AT, rtol=1e-7)
    assert (result.path[:, 1] == 0.0).all()
    assert result.stationary == "saddle"


@pytest.mark.parametrize("order", [[6, 5, 4, 3, 2, 1, 0], [0, 2, 3, 4, 5, 6, 1], [2, 0, 3, 1, 4, 5, 6]], ids=str)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_gd_stops_at_the_saddle_in_other_orders_of_the_rows(order, form):
    """Although kernels may round pairs of rows and a last single row differently."""
    result = fit(form(TABLE.X[order]), TABLE.y[order], method="gd", learning_rate=0.1, max_epochs=200)
    assert abs(result.coef[1]) < 1e-12
    assert result.stationary == "saddle"


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_stochastic_methods_leave_the_saddle_and_reach_a_minimum(method):
    result = fit(method=method)
    np.testing.assert_allclose(np.abs(result.coef), [0.0, 1.0], atol=0.05)
    assert result.objective < 1e-3
    assert result.stationary == "minimum"
    longer = fit(method=method, learning_rate=0.05, max_epochs=1000)
    np.testing.assert_allclose(np.abs(longer.coef), [0.0, 1.0], atol=1e-6)
    assert longer.objective < 1e-12


# --- What the command says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--method", "gd")], ids=["auto", "gd"])
def test_run_says_that_it_stopped_at_a_saddle_point(words):
    ran = command("run", "saddle", *words)
    assert ran.code == 0
    assert "stopped at a saddle point: try --method sgd\n" in ran.out
    assert command("run", "saddle", *words, "--json").json["stationary"] == "saddle"


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
def test_run_with_the_suggested_method_leaves_the_saddle(method):
    ran = command("run", "saddle", "--method", method)
    assert "saddle point" not in ran.out
    content = command("run", "saddle", "--method", method, "--json").json
    assert content["objective"] < 1e-3
    assert content["stationary"] == "minimum"


def test_run_says_that_it_stopped_at_a_maximum():
    out = command("run", "saddle", "--start", 0.0, "--method", "gd").out
    assert "stopped at a maximum: try another --start\n" in out


def test_summary_suggests_another_seed_to_stochastic_methods():
    from fastgd_cli.summary import _where_stopped

    result = dataclasses.replace(fit(method="gd"), method="sgd")
    assert _where_stopped(result) == [
        ("warning", "stopped at a saddle point: try another --seed or --start"),
    ]


# --- Other problems ---------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(5)
N, D = 60, 4
X = RANDOM.normal(size=(N, D))
del RANDOM  # tests draw from the fixture `rng`
W = np.array([1.0, -2.0, 0.5, 1.5])
Y = (X @ W) ** 2


def kind(start, X=X, y=Y, **options):
    """``stationary`` of a fit of one epoch at a rate too small to move."""
    options = {"loss": "phase_retrieval", "fit_intercept": False, "method": "gd", **options}
    return fastgd.fit(X, y, start=start, learning_rate=1e-300, max_epochs=1, **options).stationary


def kind_by_spectrum(params, X, max_parameters):
    """The kind of a point by the whole Hessian, or by Lanczos steps where there are more than ``max_parameters``."""
    objective = pose(
        X, Y, LOSSES.resolve("phase_retrieval"), resolve_penalty(None, 0.0, None), False, RowOptions()
    ).objective
    return stationary_points.stationary_kind(objective, params, 0.0, max_parameters)


each_spectrum = pytest.mark.parametrize("max_parameters", [D, 0], ids=["eigenvalues", "lanczos"])


def stationary_point(start, alpha=0.0):
    """By Newton's method in NumPy, which converges to a stationary point of any kind."""
    w = np.array(start, float)
    for _ in range(100):
        H = hessian(w, X, Y) + alpha * np.eye(D)
        w -= np.linalg.solve(H, gradient(w, X, Y) + alpha * w)
    return w, np.linalg.eigvalsh(hessian(w, X, Y) + alpha * np.eye(D))


@pytest.fixture(scope="module")
def points():
    """Stationary points of each kind, and the eigenvalues there."""
    starts = np.random.default_rng(6).normal(size=(40, D))
    found = [stationary_point(start) for start in starts]
    return {
        "saddle": next(w for w, values in found if values[0] < -0.01 and values[-1] > 0.01),
        "minimum": next(w for w, values in found if values[0] > 0.01),
        "maximum": np.zeros(D),
    }


@each_spectrum
@pytest.mark.parametrize("name", ["saddle", "minimum", "maximum"])
def test_kinds_of_points(name, max_parameters, points):
    for form in (np.asarray, sp.csr_array, np.float32):
        assert kind_by_spectrum(points[name], form(X), max_parameters) == name


@each_spectrum
def test_the_units_of_columns_make_no_difference(max_parameters, points):
    units = np.array([1e-6, 1.0, 1e5, 30.0])
    for name in ("saddle", "minimum"):
        assert kind_by_spectrum(points[name] / units, X * units, max_parameters) == name


@each_spectrum
def test_points_with_large_gradients_are_not_stationary(max_parameters, points):
    assert kind_by_spectrum(points["minimum"] + 0.1, X, max_parameters) is None
    assert kind_by_spectrum(points["saddle"] + 0.1, X, max_parameters) is None


def test_l2_changes_the_kind_of_a_point():
    """At zero the loss curves down and the penalty up: alpha decides in how many directions F curves up."""
    values = np.linalg.eigvalsh(-hessian(np.zeros(D), X, Y))
    between = {"maximum": values[0] / 2, "saddle": (values[1] + values[2]) / 2, "minimum": 2 * values[-1]}
    for name, alpha in between.items():
        assert kind(np.zeros(D), alpha=alpha) == name


def test_intercept_weights_and_offset_count(rng):
    ones, weight, offset = np.column_stack([X, np.ones(N)]), rng.random(N), rng.normal(size=N)
    params = np.array([*W, 0.7])
    y = (ones @ params + offset) ** 2
    given = {"sample_weight": weight, "offset": offset}
    assert kind((params[:D], 0.7), X, y, fit_intercept=True, **given) == "minimum"
    assert kind(params, ones, y, **given) == "minimum"
    assert kind((params[:D], 0.7), X, y, fit_intercept=True, sample_weight=weight) is None


def test_kinds_of_points_of_several_targets(points):
    both = np.column_stack([Y, Y])
    assert kind([points["minimum"], points["minimum"]], y=both) == "minimum"
    assert kind([points["minimum"], points["maximum"]], y=both) == "saddle"
    assert kind([points["minimum"] + 0.1, points["minimum"]], y=both) is None


def test_flat_directions_leave_the_kind_unknown(points):
    assert kind(np.append(points["minimum"], 0.3), np.column_stack([X, np.zeros(N)])) is None
    assert kind(np.append(points["saddle"], 0.3), np.column_stack([X, np.zeros(N)])) == "saddle"


def test_penalties_with_kinks_leave_the_kind_unknown(points):
    assert kind(np.zeros(D), penalty="l1", alpha=1e-6) is None
    assert kind(points["minimum"], penalty="nonnegative") is None


@fastgd.term
class Cosine:
    """1 - cos(z - y): smooth, with maxima and minima, and without a declared curvature."""

    def value(self, y: float, z: float) -> float:
        return 1.0 - math.cos(z - y)

    def derivative(self, y: float, z: float) -> float:
        return math.sin(z - y)

    def mean(self, z: float) -> float:
        return z


def test_kinds_of_points_of_a_user_loss():
    y = np.array([0.5, -0.5])
    for shift, name in (([0.0, 0.0], "minimum"), ([math.pi, 0.0], "saddle"), ([math.pi, math.pi], "maximum")):
        assert kind(y + shift, np.eye(2), y, loss=Cosine()) == name


# --- Convex functions -------------------------------------------------------------------------------------------------


def test_convex_objectives_use_the_stopping_test(rng):
    y = X @ W + rng.normal(size=N)
    assert fastgd.fit(X, y).stationary == "minimum"
    assert fastgd.fit(X, y, penalty="l1", alpha=0.1).stationary == "minimum"
    assert fastgd.fit(X, y, method="gd", max_epochs=1).stationary is None
    assert fastgd.fit(X, y, method="sgd", learning_rate=1e-3, tol=1e-9, max_epochs=3).stationary is None
    held_out = fastgd.fit(X, y, validation=0.2, gap_tol=1e-9, patience=100)
    assert (held_out.stop_reason, held_out.stationary) == ("gap_tol", None)  # the model is that of any epoch


def test_convex_objectives_cost_no_extra_pass(monkeypatch):
    def refuse(*args):
        raise AssertionError

    monkeypatch.setattr("fastgd.training.run.stationary_kind", refuse)
    fastgd.fit(X, X @ W)
    with pytest.raises(AssertionError):
        fit(method="gd", max_epochs=1)


@pytest.mark.parametrize("name", LOSSES)
def test_kinked_and_joint_losses_are_not_examined(name):
    problem = SimpleNamespace(loss=LOSSES[name](), penalty=resolve_penalty(None, 0.0, None))
    kinked = getattr(problem.loss, "kinked", False) or is_joint(problem.loss)
    assert stationary_points.has_second_derivatives(problem) is not bool(kinked)


# --- The result -------------------------------------------------------------------------------------------------------


def test_stationary_is_saved_with_the_model(tmp_path):
    fit(method="gd").save(tmp_path / "model")
    assert fastgd.load(tmp_path / "model").stationary == "saddle"


def test_a_diverged_fit_is_not_stationary():
    with pytest.raises(fastgd.DivergedError) as caught:
        fit(method="gd", learning_rate=1e3)
    assert caught.value.result.stationary is None
