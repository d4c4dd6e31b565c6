"""Scaled variables change the steps but not the optimum, and automatic learning rates hold on data of any kind."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import share_of_examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import fastgd

linear_model = pytest.importorskip("sklearn.linear_model")

GD = {"method": "gd", "rule": "nesterov", "max_epochs": 20_000, "tol": 1e-12}


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


def objective(X, y, w, b, loss, l1=0.0, l2=0.0):
    return reference.objective(X.tolist(), y.tolist(), list(w), float(b), reference.LOSSES[loss], l1, l2)


N = 80
random = np.random.default_rng(31)
X = random.normal(size=(N, 6)) @ (np.eye(6) + 0.4) + [0.5, 0, 0, -1, 0, 0]
Y = X @ [2.0, -1.0, 0.0, 0.0, 0.5, 0.0] + 1.5 + random.normal(size=N)
del random  # tests draw from the fixture `rng`


def test_tol_is_a_part_of_what_there_is_to_gain_wherever_training_starts():
    optimum = (
        np.mean((Y - np.column_stack([X, np.ones(N)]) @ np.linalg.lstsq(np.column_stack([X, np.ones(N)]), Y)[0]) ** 2)
        / 2
    )
    for start in (None, ([2.0, -1.0, 0.0, 0.0, 0.5, 0.0], 1.5)):
        result = fastgd.fit(X, Y, method="gd", loss="half_squared", scale=False, tol=1e-3, max_epochs=5000, start=start)
        assert result.converged
        assert result.stop_reason == "tol"
        left = (result.trace["objective"] - optimum) / (Y.var() / 2 - optimum)
        assert left[-1] <= 1e-3 < left[-4]


# --- Scaled variables -------------------------------------------------------------------------------------------------

random = np.random.default_rng(40)
BADLY_SCALED = random.normal(size=(60, 4)) * [10.0, 1.0, 0.2, 4.0] + [15.0, 0.0, 0.4, -5.0]
TARGET = BADLY_SCALED @ [0.1, 2.0, -4.0, 0.0] + 3.0 + random.normal(size=60)
del random  # tests draw from the fixture `rng`


def standardised(X, centre):
    """Columns times a power of two near 1 / spread, centred if there is an intercept."""
    shift = X.mean(axis=0) if centre else np.zeros(X.shape[1])
    spread = np.sqrt(((X - shift) ** 2).mean(axis=0))
    inverse = 2.0 ** -np.round(np.log2(spread))
    return (X - shift) * inverse, shift, inverse


@pytest.mark.plain_python
@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no intercept"])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("method", "batch_size"), [("gd", 60), ("sgd", 1), ("minibatch", 7)])
def test_steps_in_scaled_variables_equal_steps_on_standardised_data(method, batch_size, rule, fit_intercept, layout):
    """The steps of three epochs; the scales of the columns take passes besides."""
    X = BADLY_SCALED * (np.abs(BADLY_SCALED) > 0.1)  # some exact zeros, for the sparse rows
    Z, shift, inverse = standardised(X, centre=fit_intercept)
    options = {"batch_size": batch_size} if method == "minibatch" else {}
    result = fastgd.fit(
        X if layout == "dense" else csr_array(X), TARGET, method=method, loss="half_squared", rule=rule, scale=True,
        learning_rate=0.003, max_epochs=6, shuffle=False, fit_intercept=fit_intercept, trace="step", start=0, **options,
    )  # fmt: skip
    path = reference.minibatch(
        Z.tolist(), TARGET, reference.HalfSquared(), lr=0.003, epochs=3, batch_size=batch_size,
        rule=reference.RULES[rule], fit_intercept=fit_intercept,
    )  # fmt: skip
    w = np.array([u for u, _ in path]) * inverse
    b = np.array([b for _, b in path]) - w @ shift
    assert result.steps["weights"][: len(w)] == close(np.column_stack([w, b]) if fit_intercept else w, 1e-9)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no intercept"])
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_scaling_changes_the_steps_but_not_the_optimum(penalty, fit_intercept, layout):
    rows = BADLY_SCALED if layout == "dense" else csr_array(BADLY_SCALED)
    options = {**GD, "loss": "half_squared", "penalty": penalty, "alpha": 0.5, "fit_intercept": fit_intercept}
    scaled, plain = (fastgd.fit(rows, TARGET, scale=scale, **options) for scale in (True, False))
    assert scaled.n_epochs < plain.n_epochs / 3
    l1_ratio = 0.0 if penalty == "l2" else 0.15
    net = linear_model.ElasticNet(
        alpha=0.5, l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=1e-12, max_iter=100_000
    )
    model = linear_model.Ridge(alpha=60 * 0.5, fit_intercept=fit_intercept) if penalty == "l2" else net
    w, b = model.fit(BADLY_SCALED, TARGET).coef_, model.intercept_
    F = objective(BADLY_SCALED, TARGET, w, b, "half_squared", 0.5 * l1_ratio, 0.5 * (1 - l1_ratio))
    assert scaled.objective == pytest.approx(F, rel=1e-9)
    assert plain.objective == pytest.approx(F, rel=1e-6)
    assert scaled.coef == pytest.approx(w, rel=1e-5, abs=1e-7)


def test_scale_auto_scales_only_with_an_automatic_rate_and_unlike_columns():
    def scaled(X, **options):
        result = fastgd.fit(X, Y, method="gd", loss="half_squared", max_epochs=1, **options)
        return any("scaled" in remark for remark in result.remarks)

    wide = X * [1, 1, 100, 1, 1, 0.01]
    assert scaled(wide)
    assert not scaled(X)
    assert scaled(X, scale=True)
    assert not scaled(wide, scale=False)
    assert not scaled(wide, learning_rate=1e-6)
    assert scaled(wide, learning_rate=1e-6, scale=True)


# --- Automatic rates --------------------------------------------------------------------------------------------------

methods = pytest.mark.parametrize("method", ["gd", "sgd", "minibatch"])
rules = pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov"])


@st.composite
def difficult_problems(draw):
    """Data on which learning rates fail: units, outliers, offsets, fewer rows than columns, targets of any size."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(2, 40)), draw(st.integers(1, 50))
    X = random.normal(size=(n, d))
    oddity = draw(st.sampled_from(["none", "units", "tiny", "huge", "outlier", "offset", "zeros", "alike", "constant"]))
    if oddity == "units":
        X *= 10.0 ** random.uniform(-4, 4, d)
    elif oddity in ("tiny", "huge"):
        X *= 1e-5 if oddity == "tiny" else 1e5
    elif oddity == "outlier":
        X[0] *= 1000.0
    elif oddity == "offset":
        X += 10.0 ** random.uniform(0, 5, d)
    elif oddity == "zeros":
        X *= random.random((n, d)) < 0.2
    elif oddity == "alike":
        X[:] = X[:, :1] + 1e-3 * X
    elif oddity == "constant":
        X[:, 0] = 1e4
    signal = X @ random.normal(size=d) / (1e-12 + np.abs(X).max())
    y = signal + draw(st.sampled_from([0.0, 0.1, 10.0])) * random.normal(size=n)
    y = y * draw(st.sampled_from([1.0, 1e-4, 1e4])) + draw(st.sampled_from([0.0, 100.0]))
    y[0] += 1e-9 + abs(y[0]) * 1e-3  # a target that is the same in every row is an error
    return X, y


def automatic(X, y, **options):
    """The first objective and the last of a fit that must not diverge."""
    if options["loss"] == "logistic":
        y = np.argsort(np.argsort(y)) >= len(y) // 2
    result = fastgd.fit(X, y, **options)
    assert np.isfinite(result.trace["objective"]).all()
    return result.trace["objective"][0], result.objective


@methods
@rules
@pytest.mark.parametrize("loss", ["half_squared", "logistic"])
@given(
    problem=difficult_problems(),
    strengths=st.sampled_from([(0.0, 0.0), (0.1, 0.0), (1.0, 0.0), (0.1, 0.5), (10.0, 1.0)]),
    max_epochs=st.sampled_from([1, 3, 30]),
    fit_intercept=st.booleans(),
)
def test_an_automatic_rate_never_diverges(method, rule, loss, problem, strengths, max_epochs, fit_intercept):
    alpha, l1_ratio = strengths
    before, after = automatic(
        *problem, loss=loss, method=method, rule=rule, max_epochs=max_epochs, fit_intercept=fit_intercept,
        penalty="elasticnet", alpha=alpha, l1_ratio=l1_ratio,
    )  # fmt: skip
    if method == "gd":
        assert after <= before * (1 + 1e-9)


@methods
@given(problem=difficult_problems(), fit_intercept=st.booleans())
def test_an_automatic_rate_never_diverges_on_sparse_rows(method, problem, fit_intercept):
    X, y = problem
    result = fastgd.fit(csr_array(X), y, method=method, loss="half_squared", max_epochs=5, fit_intercept=fit_intercept)
    assert np.isfinite(result.objective)
    if method == "gd":
        assert result.objective <= result.trace["objective"][0] * (1 + 1e-9)


@given(problem=difficult_problems(), fit_intercept=st.booleans())
def test_gd_at_an_automatic_rate_descends_at_every_step(problem, fit_intercept):
    X, y = problem
    trace = fastgd.fit(X, y, method="gd", loss="half_squared", max_epochs=30, fit_intercept=fit_intercept, tol=0).trace
    rounding = 1e-12 * trace["objective"][0]
    assert (np.diff(trace["objective"]) <= rounding).all()


@methods
@rules
@pytest.mark.parametrize("loss", ["half_squared", "logistic"])
@share_of_examples(0.5)
@given(n=st.integers(8, 60), d=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_an_automatic_rate_lowers_the_objective(method, rule, loss, n, d, seed):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d))
    y = 2 * X @ random.normal(size=d) / np.sqrt(d) + 0.1 * random.normal(size=n) + 1.0
    before, after = automatic(X, y, loss=loss, method=method, rule=rule, max_epochs=20)
    assert after < before


@pytest.mark.parametrize("method", ["gd", "minibatch"])
def test_rates_are_stable_when_every_other_row_is_an_outlier(method):
    # Every other row is far out in one direction, which the rows between do not show.
    random = np.random.default_rng(0)
    X = random.normal(size=(32_767, 5))
    X[1::2] += 20.0
    y = X @ random.normal(size=5) + random.normal(size=len(X))
    options = {"batch_size": 4096} if method == "minibatch" else {}
    trace = fastgd.fit(X, y, method=method, loss="half_squared", max_epochs=5, **options).trace
    assert trace["objective"][-1] < trace["objective"][0]


@pytest.mark.parametrize("d", [100, 1500])
@pytest.mark.parametrize("largest", [2.5, 4.0, 50.0])
def test_rates_are_stable_when_power_iteration_converges_slowly(d, largest):
    # X'X / n is the identity except in one direction, which is a small part of a random start vector.
    direction = np.random.default_rng(1).normal(size=d)
    direction /= np.linalg.norm(direction)
    X = np.sqrt(d) * (np.eye(d) + (np.sqrt(largest) - 1) * np.outer(direction, direction))
    options = {"method": "gd", "loss": "half_squared", "fit_intercept": False, "max_epochs": 60}
    result = fastgd.fit(X, X @ direction, **options)
    assert 1 / result.learning_rate >= largest / 2
    assert result.objective < 0.1 * result.trace["objective"][0]


@methods
@pytest.mark.parametrize("unit", [1e-4, 1e-2, 1e2, 1e4])
def test_the_unit_of_all_columns_does_not_matter(method, unit):
    # The intercept is a column of ones: compared with it, columns of one unit may still be badly scaled.
    random = np.random.default_rng(4)
    X = random.normal(size=(200, 5))
    y = X @ [1.0, 2.0, -1.0, 0.5, 0.0] + 5.0 + 0.1 * random.normal(size=200)
    result = fastgd.fit(X * unit, y, method=method, loss="half_squared", max_epochs=100)
    assert result.objective < 0.01 * result.trace["objective"][0]
