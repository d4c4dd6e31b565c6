"""`fit`: trace, path, objective, start, shuffling and scaling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference

import fastgd
from fastgd.compile.jit import thread_pool_size
from fastgd.kernels.batch_gradient import mean_loss

METHODS = ["gd", "sgd", "minibatch"]
RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(23, 3)) * [0.5, 1.0, 2.0] + [0.0, 1.0, 0.0]
Y = X @ [1.0, -2.0, 0.5] + 4.0 + 0.3 * RANDOM.normal(size=23)
del RANDOM  # tests draw from the fixture `rng`
LABELS = np.where(Y > 2.0, "big", "little")
ALPHA, L1_RATIO = 0.3, 0.25
BATCH = 5

each_method = pytest.mark.parametrize("method", METHODS)


def fit(X=X, y=Y, **options):
    options = {"method": "minibatch", "learning_rate": 0.03, "max_epochs": 4, **options}
    if options["method"] == "minibatch":
        options.setdefault("batch_size", BATCH)
    return fastgd.fit(X, y, **options)


def batch_of(method):
    return {"gd": len(Y), "sgd": 1, "minibatch": BATCH}[method]


def objective(params, alpha=ALPHA, l1_ratio=L1_RATIO, X=X, y=Y):
    """F of the squared loss with elasticnet; ``params`` is a row of a path."""
    w, b = params[:-1], params[-1]
    return np.mean((X @ w + b - y) ** 2) + alpha * (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w @ w))


def ridge(alpha, X=X, y=Y):
    """The minimiser of F with l2 by the normal equations: coefficients, then the unpenalised intercept."""
    centred = X - X.mean(axis=0)
    w = np.linalg.solve(2 * centred.T @ centred / len(y) + alpha * np.eye(X.shape[1]), 2 * centred.T @ y / len(y))
    return np.append(w, y.mean() - X.mean(axis=0) @ w)


def weights(result):
    return np.append(result.coef, result.intercept)


# --- the trace and the path -------------------------------------------------------------------------------------------


@each_method
def test_row_0_is_the_start_and_row_k_is_after_epoch_k(method):
    options = {"method": method, "start": ([1.0, 0.0, -1.0], 2.0), "schedule": "exponential:decay=0.5"}
    result = fit(**options)
    assert result.n_epochs == 4
    assert result.trace["epoch"].tolist() == result.trace["passes"].tolist() == [0, 1, 2, 3, 4]
    assert result.path[0].tolist() == [1.0, 0.0, -1.0, 2.0]
    for k in (1, 2, 3, 4):
        shorter = fit(**options, max_epochs=k)
        assert weights(shorter).tobytes() == result.path[k].tobytes()
        assert shorter.objective == pytest.approx(result.trace["objective"][k], rel=1e-14)
    assert (np.diff(result.trace["seconds"]) >= 0).all()
    assert np.isnan([result.trace[name][0] for name in ("running_loss", "learning_rate", "gradient_norm")]).all()
    rows_before_the_last_step = {"gd": 0, "sgd": 22, "minibatch": 20}[method]
    last_step = 0.03 * 0.5 ** (np.arange(4) + rows_before_the_last_step / 23)
    np.testing.assert_allclose(result.trace["learning_rate"][1:], last_step)


@each_method
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_objectives_of_the_trace_are_F_at_the_path(method, fit_intercept):
    result = fit(method=method, penalty="elasticnet", alpha=ALPHA, l1_ratio=L1_RATIO, fit_intercept=fit_intercept)
    np.testing.assert_allclose(result.trace["objective"], [objective(params) for params in result.path], rtol=1e-13)
    assert result.objective == result.trace["objective"][-1]
    assert weights(result).tobytes() == result.path[-1].tobytes()
    assert result.path[:, -1].any() == fit_intercept


@each_method
def test_running_loss_is_taken_before_each_update(method):
    options = {"method": method, "shuffle": False, "alpha": ALPHA, "schedule": "exponential:decay=0.5"}
    result = fit(**options, trace="step")
    batch = batch_of(method)
    per_epoch = math.ceil(len(Y) / batch)
    before = np.vstack([result.path[0], result.steps["weights"][:-1]])
    losses = np.empty((4, len(Y)))
    for number, params in enumerate(before):
        epoch, first = number // per_epoch, number % per_epoch * batch
        rows = slice(first, first + batch)
        losses[epoch, rows] = (X[rows] @ params[:-1] + params[-1] - Y[rows]) ** 2
        assert result.steps["loss"][number] == pytest.approx(losses[epoch, rows].mean(), rel=1e-12)
        residual = X[rows] @ params[:-1] + params[-1] - Y[rows]
        gradient = 2 * np.append(residual @ X[rows], residual.sum()) / len(residual)
        np.testing.assert_allclose(result.steps["gradient"][number], gradient, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(result.trace["running_loss"][1:], losses.mean(axis=1), rtol=1e-12)
    assert result.steps["step"].tolist() == list(range(1, 4 * per_epoch + 1))
    assert result.steps["epoch"].tolist() == [1 + k // per_epoch for k in range(4 * per_epoch)]
    np.testing.assert_allclose(fit(**options).path, result.path, rtol=1e-13)


def test_step_trace_is_made_only_on_request():
    assert fit().steps is None


def test_large_data_is_evaluated_at_both_ends_only():
    wide = np.random.default_rng(0).normal(size=(300, 500))
    result = fit(wide, wide[:, 0] + 1, learning_rate=1e-4)
    assert np.isfinite(result.trace["objective"]).tolist() == [True, False, False, False, True]


def test_a_path_that_is_too_large_is_left_out(monkeypatch):
    monkeypatch.setattr("fastgd.training.trace.MAX_PATH_VALUES", 4 * 4)
    assert fit(max_epochs=3).path.shape == (4, 4)
    assert fit(max_epochs=4).path is None


# --- what is minimised ------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize("alpha", [0.0, 0.5, 50.0])
def test_l2_reaches_the_ridge_optimum_with_an_unpenalised_intercept(method, alpha):
    rate = {"gd": 1 / (9 + alpha), "sgd": 1 / (60 + 2 * alpha), "minibatch": 1 / (30 + 2 * alpha)}[method]
    result = fit(method=method, alpha=alpha, learning_rate=rate, max_epochs=600)
    start, best = (objective(params, alpha, 0) for params in (np.zeros(4), ridge(alpha)))
    # Stochastic steps end near the optimum, not at it.
    assert -1e-12 < (result.objective - best) / (start - best) < (1e-12 if method == "gd" else 0.02)
    if alpha == 50.0:
        assert result.intercept == pytest.approx(Y.mean(), abs=0.2)


@fastgd.term
class Cauchy:
    """scale^2 / 2 log(1 + (r / scale)^2), with r = z - y."""

    scale: float = 1.5

    def value(self, y: float, z: float) -> float:
        r = (z - y) / self.scale
        return 0.5 * self.scale**2 * math.log1p(r * r)

    def derivative(self, y: float, z: float) -> float:
        r = (z - y) / self.scale
        return (z - y) / (1.0 + r * r)

    def mean(self, z: float) -> float:
        return z


@pytest.mark.plain_python
@each_method
def test_a_user_loss_matches_the_reference(method):
    result = fit(method=method, loss=Cauchy(0.8), alpha=0.1, shuffle=False, start=0)
    path = reference.minibatch(X, Y, Cauchy(0.8), lr=0.03, epochs=4, batch_size=batch_of(method), l2=0.1)
    ends = path[math.ceil(len(Y) / batch_of(method)) - 1 :: math.ceil(len(Y) / batch_of(method))]
    np.testing.assert_allclose(result.path[1:], [[*w, b] for w, b in ends], rtol=1e-11)
    np.testing.assert_allclose(result.predict(X), X @ result.coef + result.intercept, rtol=1e-12)


@pytest.fixture(scope="module")
def best() -> float:
    """The minimum of F with the loss above."""
    return fit(method="gd", loss=Cauchy(), max_epochs=3000).objective


@each_method
def test_without_a_curvature_an_automatic_rate_is_found_by_trial(method, best):
    result = fit(method=method, loss=Cauchy(), learning_rate="auto", max_epochs=200)
    assert best <= result.objective < best + 0.05 * (result.trace["objective"][0] - best)


@fastgd.term
class Shifted:
    """The squared loss minus a constant, which changes only the objective."""

    def value(self, y: float, z: float) -> float:
        return (z - y) * (z - y) - 1000.0

    def derivative(self, y: float, z: float) -> float:
        return 2.0 * (z - y)

    def mean(self, z: float) -> float:
        return z


@pytest.mark.plain_python
@pytest.mark.parametrize("start", [None, 1.0])
def test_a_loss_may_be_negative(start):
    result, plain = fit(loss=Shifted(), start=start), fit(start=start)
    np.testing.assert_allclose(result.path, plain.path, rtol=1e-13)
    assert result.objective == pytest.approx(plain.objective - 1000)


# --- choices made for the user ----------------------------------------------------------------------------------------


def test_auto_takes_gd_for_few_rows_and_minibatch_for_many():
    many = np.tile(X, (12, 1))
    assert fit(method="auto").method == "gd"
    assert fit(method="auto", batch_size=7).method == "minibatch"
    assert fit(many[:255], np.tile(Y, 12)[:255], method="auto").method == "gd"
    result = fit(many[:256], np.tile(Y, 12)[:256], method="auto")
    assert (result.method, result.settings["batch_size"]) == ("minibatch", 32)


def test_a_batch_larger_than_the_data_is_all_of_it():
    result, gd = fit(batch_size=1000, shuffle=False), fit(method="gd")
    np.testing.assert_allclose(result.path, gd.path, rtol=1e-13)
    assert result.settings["batch_size"] == len(Y)


def test_too_many_threads_are_capped_with_a_remark():
    size = thread_pool_size()
    result = fit(n_threads=size + 7, loss="squared")
    assert result.remarks == (f"n_threads={size + 7} is more than the {size} available; using {size}",)
    assert result.coef.tobytes() == fit(n_threads=1).coef.tobytes()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_fit_works_without_options(method, loss):
    y = LABELS if loss == "logistic" else Y
    result = fastgd.fit(X, y, method=method, loss=loss)
    assert result.objective < 0.5 * result.trace["objective"][0]
    assert result.learning_rate > 0
    if loss == "logistic":
        assert (result.predict(X) == y).mean() > 0.8


@pytest.mark.parametrize("seed", range(5))
def test_automatic_rate_is_stable_for_a_last_batch_of_one_row(seed):
    """Its step has the same rate, and a single row may be much larger than the mean."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(35, 3)) * np.where(np.arange(35) % 12, 1, 12)[:, np.newaxis]
    y = X @ random.normal(size=3) + 0.1 * random.normal(size=35)
    result = fastgd.fit(X, y, method="minibatch", batch_size=34, scale=False, max_epochs=100, tol=0)
    assert result.trace["objective"].max() <= 1.01 * result.trace["objective"][0]


# --- the start --------------------------------------------------------------------------------------------------------


def test_forms_of_start():
    first = fit()
    for start, expected in [
        (None, [0, 0, 0, Y.mean()]),
        (2, [2, 2, 2, 0]),
        (np.float32(0.5), [0.5, 0.5, 0.5, 0]),
        ([1, 2, 3], [1, 2, 3, 0]),
        (np.array([1, 2, 3]), [1, 2, 3, 0]),
        ((1, 2, 3), [1, 2, 3, 0]),
        (([1, 2, 3], 4), [1, 2, 3, 4]),
        ((np.array([1, 2, 3]), np.float64(4)), [1, 2, 3, 4]),
        (first, weights(first)),
    ]:
        assert fit(start=start).path[0].tolist() == list(expected)
    assert fit(start=([1, 2, 3], 0.0), fit_intercept=False).path[0].tolist() == [1, 2, 3, 0]


@each_method
def test_a_warm_start_continues_the_first_fit(method):
    options = {"method": method, "shuffle": False, "alpha": 0.1}
    first = fit(**options, max_epochs=2)
    second = fit(**options, max_epochs=3, start=first)
    assert second.coef.tobytes() == fit(**options, max_epochs=5).coef.tobytes()
    assert second.trace["objective"][0] == pytest.approx(first.objective, rel=1e-14)


# --- the order of rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, "blocks", "full"])
def test_each_epoch_visits_every_row_once_in_a_new_order(shuffle):
    orders = fit(method="sgd", shuffle=shuffle, trace="step").steps["row"].reshape(4, -1)
    assert (np.sort(orders) == np.arange(len(Y))).all()
    assert len({*map(tuple, orders), tuple(range(len(Y)))}) == 5


def test_without_shuffling_rows_keep_their_order():
    for shuffle in (False, "none"):
        assert (fit(method="sgd", shuffle=shuffle, trace="step").steps["row"] == np.tile(np.arange(len(Y)), 4)).all()
    assert fit(shuffle=False, trace="step").steps["row"].tolist() == [0, 5, 10, 15, 20] * 4
    assert fit(method="gd", trace="step").steps["row"].tolist() == [-1] * 4


@pytest.mark.parametrize("shuffle", [True, "full"])
def test_the_seed_determines_the_order(shuffle):
    same = [fit(shuffle=shuffle, seed=7).path.tobytes() for _ in range(2)]
    assert same[0] == same[1]
    assert fit(shuffle=shuffle, seed=8).path.tobytes() != same[0]
    assert fit(shuffle=False, seed=7).path.tobytes() == fit(shuffle=False, seed=8).path.tobytes()


# --- scaling ----------------------------------------------------------------------------------------------------------

UNITS = np.array([1e-3, 1.0, 1e4])
SKEWED = X * UNITS + [0.0, 50.0, 0.0]


@each_method
def test_scaling_does_not_change_the_objective_or_the_units(method):
    options = {"scale": True, "learning_rate": "auto", "max_epochs": 20, "alpha": 1e-3}
    result = fit(SKEWED, method=method, start=([1.0, 1.0, 1e-4], 0.5), **options)
    assert result.path[0].tolist() == [1.0, 1.0, 1e-4, 0.5]
    expected = [objective(params, 1e-3, 0, X=SKEWED) for params in result.path]
    np.testing.assert_allclose(result.trace["objective"], expected, rtol=1e-9)
    np.testing.assert_allclose(result.predict(SKEWED), SKEWED @ result.coef + result.intercept, rtol=1e-12)
    assert result.objective < result.trace["objective"][0]


@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_scaling_reaches_the_optimum_of_the_same_problem(alpha):
    result = fit(SKEWED, method="gd", learning_rate="auto", scale=True, max_epochs=100, tol=0, alpha=alpha)
    best = objective(ridge(alpha, SKEWED), alpha, 0, X=SKEWED)
    assert result.objective == pytest.approx(best, rel=1e-9)
    assert any("scaled and centred" in remark for remark in result.remarks)


def test_scaling_does_not_change_the_lasso_optimum():
    options = {"method": "gd", "learning_rate": "auto", "penalty": "l1", "alpha": 0.4, "max_epochs": 5000, "tol": 0}
    scaled, plain = (fit(X * [1, 4, 0.25], scale=scale, **options) for scale in (True, False))
    np.testing.assert_allclose(weights(scaled), weights(plain), atol=1e-9)
    assert (scaled.coef == 0).any()


def test_auto_scales_only_for_an_automatic_rate_and_columns_in_different_units():
    def scaled(*args, **options):
        return any("columns scaled" in remark for remark in fit(*args, **options).remarks)

    assert scaled(SKEWED, learning_rate="auto")
    assert not scaled(SKEWED, learning_rate="auto", scale=False)
    assert not scaled(SKEWED, learning_rate=1e-12)
    assert scaled(SKEWED, learning_rate=1e-12, scale=True)
    assert not scaled(X, learning_rate="auto")
    automatic, off = fit(SKEWED, learning_rate=1e-12), fit(SKEWED, learning_rate=1e-12, scale=False)
    assert automatic.path.tobytes() == off.path.tobytes()


def test_nothing_is_centred_without_an_intercept():
    options = {"learning_rate": "auto", "scale": True, "fit_intercept": False, "max_epochs": 100, "tol": 0}
    result = fit(SKEWED, method="gd", loss="squared", **options)
    best = np.linalg.lstsq(SKEWED, Y, rcond=None)[0]
    assert result.objective == pytest.approx(np.mean((SKEWED @ best - Y) ** 2), rel=1e-9)
    assert result.intercept == 0
    assert result.remarks == ("steps were taken with columns scaled; the model is in the units of the data",)


def test_constant_columns_are_allowed():
    constant = np.column_stack([SKEWED, np.full(len(Y), 7.0), np.zeros(len(Y))])
    result = fit(constant, method="gd", learning_rate="auto", max_epochs=100, tol=0)
    assert result.objective == pytest.approx(objective(ridge(0, SKEWED), 0, 0, X=SKEWED), rel=1e-8)
    assert result.coef[-1] == 0


def test_a_read_only_array_is_not_changed_and_compiles_nothing():
    locked = X.copy()
    expected = fastgd.fit(locked, Y, method="gd", max_epochs=3)
    locked.flags.writeable = False
    known = len(mean_loss.kernel.signatures)
    result = fastgd.fit(locked, Y, method="gd", max_epochs=3)
    assert len(mean_loss.kernel.signatures) == known
    assert not locked.flags.writeable
    assert result.coef.tolist() == expected.coef.tolist()
    assert locked.tolist() == X.tolist()
