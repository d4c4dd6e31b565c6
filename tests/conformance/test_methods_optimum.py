"""Where the methods end: at the optimum, in scaled variables too, and at automatic rates wherever the data is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import reference
from conftest import share_of_examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array

import fastgd

linear_model = pytest.importorskip("sklearn.linear_model")

GD = {"method": "gd", "rule": "nesterov", "max_epochs": 20_000, "tol": 1e-10}


def close(value, tol=1e-12):
    return pytest.approx(value, rel=tol, abs=tol)


def objective(X, y, w, b, loss, l1=0.0, l2=0.0):
    return reference.objective(X.tolist(), y.tolist(), list(w), float(b), reference.LOSSES[loss], l1, l2)


# --- The optimum, as others find it -----------------------------------------------------------------------------------

N, ALPHA = 80, 0.05

random = np.random.default_rng(31)
X = random.normal(size=(N, 6)) @ (np.eye(6) + 0.4) + [0.5, 0, 0, -1, 0, 0]
Y = X @ [2.0, -1.0, 0.0, 0.0, 0.5, 0.0] + 1.5 + random.normal(size=N)
Y[:4] += 15.0  # outliers, for Huber
LABELS = np.where(Y - Y.mean() + 2 * random.normal(size=N) > 0, 1.0, -1.0)


@dataclass
class Case:
    """A fit, and the (w, b) that another solver gives for the same objective."""

    loss: str
    l1: float
    l2: float
    solve: object
    y: np.ndarray


def by_sklearn(model):
    def solve(X, y):
        model.fit(X, y)
        return model.coef_.ravel(), float(np.ravel(model.intercept_)[0])

    return solve


def by_lbfgs(loss, l2):
    """Without a kink, SciPy on the reference's objective and gradient."""

    def solve(X, y):
        def value_and_gradient(params):
            w, b = params[:-1].tolist(), float(params[-1])
            gradient, slope, value = reference.batch_gradient(X.tolist(), y.tolist(), w, b, reference.LOSSES[loss])
            value += reference.penalty_value(w, 0.0, l2)
            return value, np.array([*(g + l2 * w_j for g, w_j in zip(gradient, w, strict=True)), slope])

        options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}
        params = minimize(value_and_gradient, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B", options=options).x
        return params[:-1], float(params[-1])

    return solve


EXACT = {"tol": 1e-12, "max_iter": 100_000}
CASES = {
    "least squares": Case("squared", 0.0, 0.0, by_sklearn(linear_model.LinearRegression()), Y),
    "ridge": Case("half_squared", 0.0, ALPHA, by_sklearn(linear_model.Ridge(alpha=N * ALPHA)), Y),
    "ridge, squared": Case("squared", 0.0, ALPHA, by_sklearn(linear_model.Ridge(alpha=N * ALPHA / 2)), Y),
    "lasso": Case("half_squared", ALPHA, 0.0, by_sklearn(linear_model.Lasso(alpha=ALPHA, **EXACT)), Y),
    "elastic net": Case(
        "half_squared", 0.3 * ALPHA, 0.7 * ALPHA,
        by_sklearn(linear_model.ElasticNet(alpha=ALPHA, l1_ratio=0.3, **EXACT)), Y,
    ),
    "logistic": Case(
        "logistic", 0.0, ALPHA, by_sklearn(linear_model.LogisticRegression(C=1 / (N * ALPHA), tol=1e-10)), LABELS
    ),
    "huber": Case("huber", 0.0, ALPHA, by_lbfgs("huber", ALPHA), Y),
}  # fmt: skip


def penalty_options(case):
    alpha = case.l1 + case.l2
    return {"penalty": "elasticnet", "alpha": alpha, "l1_ratio": case.l1 / alpha} if alpha else {}


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_gd_ends_at_the_optimum_that_others_find(name, scale):
    case = CASES[name]
    result = fastgd.fit(X, case.y, loss=case.loss, scale=scale, **penalty_options(case), **GD)
    w, b = case.solve(X, case.y)
    F = objective(X, case.y, w, b, case.loss, case.l1, case.l2)
    assert result.converged
    assert result.objective == close(objective(X, case.y, result.coef, result.intercept, case.loss, case.l1, case.l2))
    assert result.objective == pytest.approx(F, rel=1e-6)
    assert [*result.coef, result.intercept] == pytest.approx([*w, b], rel=1e-3, abs=1e-3)
    if case.l1:
        assert ((result.coef == 0) == (w == 0)).all()


@pytest.mark.parametrize("method", ["sgd", "minibatch"])
@pytest.mark.parametrize("name", CASES)
def test_stochastic_methods_come_near_it(name, method):
    case = CASES[name]
    options = {"method": method, "schedule": "exponential:decay=0.995", "max_epochs": 1500, "tol": 0}
    result = fastgd.fit(X, case.y, loss=case.loss, **penalty_options(case), **options)
    F = objective(X, case.y, *case.solve(X, case.y), case.loss, case.l1, case.l2)
    start = result.trace["objective"][0]
    assert F * (1 - 1e-9) <= result.objective <= F + 0.01 * (start - F)


def test_the_test_for_convergence_is_relative_to_zero_weights():
    """gd stops where the gradient is tol times its size at zero weights, wherever it starts."""
    for start in (None, ([2.0, -1.0, 0.0, 0.0, 0.5, 0.0], 1.5)):
        result = fastgd.fit(X, Y, method="gd", loss="half_squared", scale=False, tol=1e-3, max_epochs=5000, start=start)
        norms = {}
        for where, (w, b) in {"end": (result.coef, result.intercept), "zero": (np.zeros(6), 0.0)}.items():
            residual = X @ w + b - Y
            norms[where] = np.hypot(np.linalg.norm(X.T @ residual / N), residual.mean())
        assert result.converged
        assert result.stop_reason == "tol"
        assert 0.5e-3 < norms["end"] / norms["zero"] <= 1e-3


# --- Scaled variables -------------------------------------------------------------------------------------------------

BADLY_SCALED = random.normal(size=(60, 4)) * [10.0, 1.0, 0.2, 4.0] + [15.0, 0.0, 0.4, -5.0]
TARGET = BADLY_SCALED @ [0.1, 2.0, -4.0, 0.0] + 3.0 + random.normal(size=60)
del random  # tests draw from the fixture `rng`


def standardised(X, centre):
    """What scaling is: columns times a power of two near 1 / spread, centred where there is an intercept."""
    shift = X.mean(axis=0) if centre else np.zeros(X.shape[1])
    spread = np.sqrt(((X - shift) ** 2).mean(axis=0))
    inverse = 2.0 ** -np.round(np.log2(spread))
    return (X - shift) * inverse, shift, inverse


@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no intercept"])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("method", "batch_size"), [("gd", 60), ("sgd", 1), ("minibatch", 7)])
def test_steps_in_scaled_variables_are_those_on_standardised_data(method, batch_size, rule, fit_intercept, layout):
    """The steps of three epochs; the scales of the columns take passes besides."""
    X = BADLY_SCALED * (np.abs(BADLY_SCALED) > 0.1)  # some exact zeros, for the sparse rows
    Z, shift, inverse = standardised(X, centre=fit_intercept)
    options = {"batch_size": batch_size} if method == "minibatch" else {}
    result = fastgd.fit(
        X if layout == "dense" else csr_array(X), TARGET, method=method, loss="half_squared", rule=rule, scale=True,
        learning_rate=0.003, max_epochs=6, shuffle=False, fit_intercept=fit_intercept, trace="step", **options,
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
def test_scaling_changes_the_way_but_not_the_end(penalty, fit_intercept, layout):
    rows = BADLY_SCALED if layout == "dense" else csr_array(BADLY_SCALED)
    options = {**GD, "loss": "half_squared", "penalty": penalty, "alpha": 0.5, "fit_intercept": fit_intercept}
    scaled, plain = (fastgd.fit(rows, TARGET, scale=scale, **options) for scale in (True, False))
    assert scaled.n_epochs < plain.n_epochs / 3
    l1_ratio = 0.0 if penalty == "l2" else 0.15
    by_others = linear_model.ElasticNet(alpha=0.5, l1_ratio=l1_ratio, fit_intercept=fit_intercept, **EXACT)
    if penalty == "l2":
        by_others = linear_model.Ridge(alpha=60 * 0.5, fit_intercept=fit_intercept)
    w, b = by_sklearn(by_others)(BADLY_SCALED, TARGET)
    F = objective(BADLY_SCALED, TARGET, w, b, "half_squared", 0.5 * l1_ratio, 0.5 * (1 - l1_ratio))
    assert scaled.objective == pytest.approx(F, rel=1e-9)
    assert plain.objective == pytest.approx(F, rel=1e-6)
    assert scaled.coef == pytest.approx(w, rel=1e-6, abs=1e-8)


def test_scaling_is_automatic_only_with_the_rate_and_only_where_it_is_needed():
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
def wild_problems(draw):
    """What learning rates fail on: units, outliers, offsets, fewer rows than columns, targets of any size."""
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
    problem=wild_problems(),
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
@given(problem=wild_problems(), fit_intercept=st.booleans())
def test_nor_does_it_on_sparse_rows(method, problem, fit_intercept):
    X, y = problem
    result = fastgd.fit(csr_array(X), y, method=method, loss="half_squared", max_epochs=5, fit_intercept=fit_intercept)
    assert np.isfinite(result.objective)
    if method == "gd":
        assert result.objective <= result.trace["objective"][0] * (1 + 1e-9)


@given(problem=wild_problems(), fit_intercept=st.booleans())
def test_gd_at_an_automatic_rate_goes_down_at_every_step(problem, fit_intercept):
    X, y = problem
    trace = fastgd.fit(X, y, method="gd", loss="half_squared", max_epochs=30, fit_intercept=fit_intercept, tol=0).trace
    rounding = 1e-12 * trace["objective"][0]
    assert (np.diff(trace["objective"]) <= rounding).all()


@methods
@rules
@pytest.mark.parametrize("loss", ["half_squared", "logistic"])
@share_of_examples(0.5)
@given(n=st.integers(8, 60), d=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_where_there_is_something_to_learn_it_is_learnt(method, rule, loss, n, d, seed):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d))
    y = 2 * X @ random.normal(size=d) / np.sqrt(d) + 0.1 * random.normal(size=n) + 1.0
    before, after = automatic(X, y, loss=loss, method=method, rule=rule, max_epochs=20)
    assert after < before


@pytest.mark.parametrize("method", ["gd", "minibatch"])
def test_a_rate_holds_for_rows_that_a_sample_at_even_distances_passes_over(method):
    # Every other row lies far out in one direction, of which the rows between know nothing.
    random = np.random.default_rng(0)
    X = random.normal(size=(32_767, 5))
    X[1::2] += 20.0
    y = X @ random.normal(size=5) + random.normal(size=len(X))
    options = {"batch_size": 4096} if method == "minibatch" else {}
    trace = fastgd.fit(X, y, method=method, loss="half_squared", max_epochs=5, **options).trace
    assert trace["objective"][-1] < trace["objective"][0]


@pytest.mark.parametrize("d", [100, 1500])
@pytest.mark.parametrize("largest", [2.5, 4.0, 50.0])
def test_a_rate_holds_where_power_iterations_are_slow_to_see_the_largest_eigenvalue(d, largest):
    # X'X / n is the identity but for one direction, hardly a part of any start among so many others.
    direction = np.random.default_rng(1).normal(size=d)
    direction /= np.linalg.norm(direction)
    X = np.sqrt(d) * (np.eye(d) + (np.sqrt(largest) - 1) * np.outer(direction, direction))
    options = {"method": "gd", "loss": "half_squared", "fit_intercept": False, "max_epochs": 60}
    result = fastgd.fit(X, X @ direction, **options)
    assert 1 / result.learning_rate >= largest / 2
    assert result.objective < 0.1 * result.trace["objective"][0]


@methods
@pytest.mark.parametrize("unit", [1e-4, 1e-2, 1e2, 1e4])
def test_the_unit_of_all_columns_does_not_matter_beside_an_intercept(method, unit):
    # The intercept is a column of ones: against it, columns that are all alike may still be badly scaled.
    random = np.random.default_rng(4)
    X = random.normal(size=(200, 5))
    y = X @ [1.0, 2.0, -1.0, 0.5, 0.0] + 5.0 + 0.1 * random.normal(size=200)
    result = fastgd.fit(X * unit, y, method=method, loss="half_squared", max_epochs=100)
    assert result.objective < 0.01 * result.trace["objective"][0]
