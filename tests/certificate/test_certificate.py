"""The certificate bounds F - F*, tightly where possible, or says why there is no bound."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import share_of_examples
from helpers.optimum import KINKED, Small
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from fastgd.certificate.certificate import Certificate, CertificateLimits, minimum_on_interval
from fastgd.compile.jit import thread_pool_size, threads
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.kernels.dual_sums import derivatives_at, mean_product
from fastgd.losses import LOSSES
from fastgd.objective.chunks import MIN_THREADED_VALUES
from fastgd.penalties import Box, ElasticNet, GroupLasso, NonNegative

CONVEX = [name for name in LOSSES if name not in ("phase_retrieval", "softmax")]
SMOOTH = [name for name in CONVEX if name not in KINKED]
# Name -> the term and its reference.
PENALTIES = {
    "l2": (ElasticNet(l2=0.3), {"l2": 0.3}),
    "weak l2": (ElasticNet(l2=1e-3), {"l2": 1e-3}),
    "l1": (ElasticNet(l1=0.2), {"l1": 0.2}),
    "elasticnet": (ElasticNet(l1=0.1, l2=0.2), {"l1": 0.1, "l2": 0.2}),
    "box": (Box(-0.5, 0.75), {"bounds": (-0.5, 0.75)}),
    "box above zero": (Box(0.25, 0.75), {"bounds": (0.25, 0.75)}),
    "nonnegative": (NonNegative(0.1), {"l1": 0.1, "bounds": (0.0, None)}),
}


def problem_of(X, y, loss, penalty, fit_intercept=True, **rows):
    return pose(X, y, LOSSES.resolve(loss), penalty, fit_intercept, RowOptions(**rows)).objective


def joined(w, b, intercept=True):
    return np.append(w, b) if intercept else np.asarray(w, float)


def targets(random, loss, n):
    if getattr(LOSSES[loss], "classifies", False):
        return np.where(random.permutation(n) % 2, 1.0, -1.0)
    y = random.integers(-20, 21, n) / 8
    return np.abs(y) + (0.125 if loss == "gamma" else 0.0) if hasattr(LOSSES[loss], "allows") else y


@st.composite
def cases(draw, penalties=tuple(PENALTIES)):
    name = draw(st.sampled_from(penalties))
    return (
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        name,
        {key: draw(st.booleans()) for key in ("intercept", "weighted", "offset", "factors")},
        draw(st.sampled_from([0.0, 1e-6, 1e-3, 1.0])),
    )


def small(random, loss, penalty, has, n=7, d=2):
    """A problem and its reference."""
    X, y = random.integers(-16, 17, (n, d)) / 8, targets(random, loss, n)
    rows, more = {}, {}
    if has["weighted"]:
        rows["sample_weight"] = more["weight"] = random.integers(1, 5, n).astype(float)
    if has["offset"]:
        rows["offset"] = more["offset"] = random.integers(-4, 5, n) / 4
    if has["factors"] and not penalty.startswith("box"):
        rows["penalty_weights"] = more["factors"] = random.integers(1, 4, d) / 2
    term, options = PENALTIES[penalty]
    problem = problem_of(X, y, loss, term, has["intercept"], **rows)
    return problem, Small(X, y, loss, intercept=has["intercept"], **options, **more)


def clipped(reference, w):
    low, high = reference.bounds
    return np.clip(w, -np.inf if low is None else low, np.inf if high is None else high)


# --- Bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", CONVEX)
@share_of_examples(0.2)
@given(cases())
def test_gap_bounds_the_distance_to_the_optimum(loss, case):
    """Far from the optimum and near it; an inexact reference F* only makes the test easier."""
    random, penalty, has, distance = case
    problem, reference = small(random, loss, penalty, has)
    w, b = random.normal(size=2), float(random.normal()) if has["intercept"] else 0.0
    start = clipped(reference, w), b
    best, w_best, b_best = reference.least(start)
    w = clipped(reference, w_best + distance * random.normal(size=2))
    b = b_best + distance * random.normal() if has["intercept"] else 0.0
    for at in ((w, b), start):
        gap = Certificate(problem).gap(joined(*at, has["intercept"]))
        assert reference(*at) - best <= gap + 1e-15 * abs(best)
        assert gap <= reference(*at) - least_values(problem) + 1e-9


def least_values(problem):
    """The gap is at most F minus the mean of the losses' minima, since penalties are not negative."""
    weight = problem.targets.weight if len(problem.targets.weight) else np.ones(problem.n_samples)
    return np.mean(weight * [problem.loss.minimum(float(y)) for y in problem.targets.y])


@pytest.mark.parametrize("loss", CONVEX)
def test_least_is_the_least_value(loss):
    term = LOSSES[loss]()
    for y in targets(np.random.default_rng(3), loss, 12):
        values = [term.value(y, z) for z in np.linspace(-40.0, 40.0, 8001)]
        assert min(values) - 1e-2 <= term.minimum(y) <= min(values) + 1e-14


@pytest.mark.parametrize("loss", SMOOTH)
@share_of_examples(0.1)
@given(cases(penalties=("l2", "elasticnet", "l1")))
def test_gap_is_zero_at_the_optimum(loss, case):
    random, penalty, has, _ = case
    problem, reference = small(random, loss, penalty, has)
    best, w, b = reference.least((np.zeros(2), 0.0))
    gap = Certificate(problem).gap(joined(w, b, has["intercept"]))
    assert gap <= 1e-5 * (1.0 + abs(best))  # the solver's own error, which L1 enters as it is and not squared


@pytest.mark.parametrize("loss", ["half_squared", "logistic", "poisson"])
def test_gap_falls_with_the_squared_distance(loss):
    by_duality = CertificateLimits(gram_columns=0)  # for least squares too
    random = np.random.default_rng(5)
    has = {"intercept": True, "weighted": True, "offset": True, "factors": True}
    problem, reference = small(random, loss, "l2", has)
    best, w, b = reference.least((np.zeros(2), 0.0))
    for distance in (1e-1, 1e-2, 1e-3, 1e-4):
        at = w + distance * np.array([0.6, -0.8]), b + 0.5 * distance
        ratio = Certificate(problem, limits=by_duality).gap(joined(*at)) / (reference(*at) - best)
        assert 1.0 <= ratio <= 40.0


def test_gap_of_group_lasso():
    random = np.random.default_rng(8)
    X, y = random.normal(size=(30, 6)), random.normal(size=30)
    groups = np.array([0, 1, 0, 2, 1, 2])
    term = GroupLasso(0.18, groups)
    problem = problem_of(X, y, "half_squared", term)
    w, b, limits = np.zeros(6), 0.0, 0.18 * np.sqrt(np.bincount(groups))
    for _ in range(3000):
        r = X @ w + b - y
        w, b = w - 0.3 * X.T @ r / 30, b - 0.3 * r.mean()
        w *= np.maximum(1 - 0.3 * limits / np.sqrt(np.bincount(groups, w**2)), 0)[groups]
    best = problem.value(joined(w, b))
    assert 0 < (w == 0).sum() < 6
    assert Certificate(problem).gap(joined(w, b)) <= 1e-12
    for distance in (0.01, 1.0, 0.1):
        params = joined(w, b) + distance * random.normal(size=7)
        objective = problem.value(params)
        assert objective - best <= Certificate(problem).gap(params) <= objective * (1 + 1e-12)


def test_the_best_of_all_points_serves():
    random = np.random.default_rng(1)
    has = {"intercept": True, "weighted": False, "offset": False, "factors": False}
    problem, reference = small(random, "logistic", "l2", has)
    best, w, b = reference.least((np.zeros(2), 0.0))
    certificate, far = Certificate(problem), joined(w + 0.5, b - 1.0)
    alone = certificate.gap(far)
    certificate.add(joined(w, b))
    assert reference(w + 0.5, b - 1.0) - best <= certificate.gap(far) < 0.7 * alone
    assert certificate.gap(far) == pytest.approx(reference(w + 0.5, b - 1.0) - best, rel=1e-9)


def test_bounds_improved_by_a_better_point_are_kept():
    random = np.random.default_rng(1)
    has = {"intercept": True, "weighted": False, "offset": False, "factors": False}
    problem, reference = small(random, "logistic", "l2", has)
    best, w, b = reference.least((np.zeros(2), 0.0))
    certificate, far = Certificate(problem), joined(w + 0.5, b - 1.0)
    improved = certificate.improved_at(joined(w, b), certificate.add(far))
    assert improved.sum() == pytest.approx(reference(w + 0.5, b - 1.0) - best, rel=1e-9)
    assert certificate.add(far) is improved  # and not computed again, which takes passes


def test_gap_by_a_lower_bound_that_a_solver_has_proved():
    """A coefficient without a penalty leaves no duality gap; F counts the penalty of the other one."""
    random = np.random.default_rng(1)
    X, y = random.integers(-16, 17, (7, 2)) / 8, targets(random, "logistic", 7)
    factors = np.array([2.0, 0.0])
    problem = problem_of(X, y, "logistic", ElasticNet(l2=0.3), penalty_weights=factors)
    reference, certificate = Small(X, y, "logistic", l2=0.3, factors=factors), Certificate(problem)
    w, b, lower = np.array([1.5, -0.5]), 0.25, 0.125
    assert np.isnan(certificate.gap(joined(w, b)))
    certificate = Certificate(problem)
    certificate.know(np.array([lower]))
    assert certificate.gap(joined(w, b)) == pytest.approx(reference(w, b) - lower, rel=1e-12)


def test_labels_of_a_single_class():
    """No intercept makes the mean gradient zero; the loss falls to zero as the intercept grows."""
    y = np.ones(8)
    problem = problem_of(
        np.arange(16.0).reshape(8, 2) - 7.5, np.where(np.arange(8) < 7, 1.0, -1.0), "logistic", ElasticNet(l2=1.0)
    )
    problem = problem.on(problem.rows.with_targets(problem.targets._replace(y=y)))
    params = np.array([0.1, 0.2, 3.0])
    objective = problem.value(params)
    assert objective <= Certificate(problem).gap(params) <= objective * (1 + 1e-12)


# --- Several outputs --------------------------------------------------------------------------------------------------


def test_gap_of_several_outputs_is_the_sum():
    random = np.random.default_rng(2)
    X, Y = random.normal(size=(40, 3)), random.normal(size=(40, 2))
    both = problem_of(X, Y, "huber", ElasticNet(l2=0.1))
    params = random.normal(size=(2, 4))
    gaps = Certificate(both).add(params)
    for k in range(2):
        alone = Certificate(problem_of(X, Y[:, k], "huber", ElasticNet(l2=0.1)))
        assert gaps[k] == pytest.approx(alone.gap(params[k]), rel=1e-12)
    assert Certificate(both).gap(params) == gaps.sum()


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize("intercept", [True, False])
def test_gap_of_softmax(loss, intercept):
    random = np.random.default_rng(4)
    X, y, s = random.normal(size=(30, 3)), random.permutation(30) % 3, random.integers(1, 4, 30).astype(float)
    l2, own = 0.05, np.eye(3)[y].T

    def objective(flat):
        params = flat.reshape(3, 4)
        Z = params[:, :3] @ X.T + params[:, 3:] * intercept
        if loss == "softmax":
            powers = np.exp(Z - Z.max(axis=0))
            losses = np.log(powers.sum(axis=0)) + Z.max(axis=0) - (Z * own).sum(axis=0)
            slopes = powers / powers.sum(axis=0) - own
        else:
            signs = 2 * own - 1
            losses = np.logaddexp(0, -signs * Z).sum(axis=0)
            slopes = -signs / (1 + np.exp(signs * Z))
        slopes = slopes * s / s.sum()
        gradient = np.column_stack([slopes @ X + l2 * params[:, :3], slopes.sum(axis=1) * intercept])
        return s @ losses / s.sum() + 0.5 * l2 * np.sum(params[:, :3] ** 2), gradient.ravel()

    best = minimize(objective, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-10})
    problem = problem_of(X, y, loss, ElasticNet(l2=l2), intercept, sample_weight=s)
    for distance, most in ((1.0, np.inf), (0.1, 2.0), (1e-3, 1e-3), (0.0, 1e-13)):
        flat = best.x + distance * random.normal(size=12)
        params = flat.reshape(3, 4)[:, : 3 + intercept].copy()
        gap = Certificate(problem).gap(params)
        assert objective(flat)[0] - best.fun <= gap + 1e-15
        assert gap <= min(most, objective(flat)[0] + 1e-12)


def test_gap_of_softmax_far_from_the_optimum():
    """Where Newton's method on the intercepts fails, and q has to make up for much."""
    random = np.random.default_rng(6)
    X, y = 100.0 * random.normal(size=(20, 2)), random.permutation(20) % 4
    problem = problem_of(X, y, "softmax", ElasticNet(l2=0.1))
    params = random.normal(size=(4, 3)) * 10
    gap, objective = Certificate(problem).gap(params), problem.value(params)
    assert objective - problem.value(problem.zeros()) <= gap <= objective * (1 + 1e-12)


# --- Least squares ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("loss", ["squared", "half_squared"])
def test_least_squares_know_exactly(loss, intercept, form):
    """Without a penalty, or with one on some columns only; dependent columns, constant ones, in any units."""
    random = np.random.default_rng(7)
    X = random.normal(size=(60, 4)) @ random.normal(size=(4, 6)) + random.normal(size=6)
    X = np.column_stack([X, np.full(60, 3.0), np.zeros(60)]) * 10.0 ** np.arange(-4, 4)
    y, s = random.normal(size=60), random.integers(1, 4, 60) / 1.0
    factors = np.array([0, 1, 0, 0, 2, 0, 0, 0]) * 1e-3
    c = 2.0 if loss == "squared" else 1.0
    for t in (np.zeros(8), factors):
        A = np.column_stack([X, np.ones(60)]) if intercept else X
        rows = np.vstack(
            [np.sqrt(0.5 * c * s / s.sum())[:, None] * A, np.diag(np.sqrt(0.5 * np.append(t, [0.0] * intercept)))]
        )
        values = np.append(np.sqrt(0.5 * c * s / s.sum()) * y, np.zeros(A.shape[1]))
        scale = np.linalg.norm(rows, axis=0)
        scale[scale == 0] = 1
        solution = np.linalg.lstsq(rows / scale, values, rcond=1e-12)[0] / scale
        options = {"sample_weight": s, "penalty_weights": t} if t.any() else {"sample_weight": s}
        problem = problem_of(form(X), y, loss, ElasticNet(l2=1.0 if t.any() else 0.0), intercept, **options)
        best = np.sum((rows @ solution - values) ** 2)
        certificate = Certificate(problem)
        assert certificate.gap(solution) <= 1e-13
        for distance in (1e-4, 1.0):
            params = solution + distance * random.normal(size=len(solution)) / scale
            true = np.sum((rows @ params - values) ** 2) - best
            assert true - 1e-14 <= certificate.gap(params) <= true * (1 + 1e-9) + 1e-13


def test_l1_needs_a_duality_gap():
    assert not Certificate(problem_of(np.eye(3), np.arange(3.0), "squared", ElasticNet(l1=0.1))).is_exact


# --- Layouts, types and threads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["float32", "csr", "csr float32"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_layouts_give_the_same_gap(form, penalty):
    """In float32 too: the bound is computed in float64."""
    random = np.random.default_rng(9)
    X = (random.normal(size=(50, 4)) * (random.random((50, 4)) < 0.7)).astype(np.float32)
    y, params = np.where(random.random(50) < 0.5, 1.0, -1.0), random.normal(size=5)
    stored = {"float32": X, "csr": sp.csr_array(X.astype(float)), "csr float32": sp.csr_array(X)}[form]
    term = PENALTIES[penalty][0]
    expected = Certificate(problem_of(X.astype(float), y, "logistic", term)).gap(params)
    assert Certificate(problem_of(stored, y, "logistic", term)).gap(params) == pytest.approx(expected, rel=1e-12)


def test_gap_of_float32_at_the_optimum():
    random = np.random.default_rng(10)
    X = random.normal(size=(300, 4)).astype(np.float32)
    y = np.where(X[:, 0] + random.normal(size=300) > 0, 1.0, -1.0)
    X64, term = X.astype(float), ElasticNet(l2=0.01)
    exact, params = problem_of(X64, y, "logistic", term), np.zeros(5)
    for _ in range(2000):
        params = params - 2.0 * (exact.evaluate(params).gradient + 0.01 * np.append(params[:4], 0.0))
    assert Certificate(problem_of(X, y, "logistic", term)).gap(params) < 1e-13


def test_gap_has_the_same_bits_on_any_number_of_threads():
    random = np.random.default_rng(11)
    n = MIN_THREADED_VALUES // 6
    X = random.normal(size=(n, 8))
    y = np.where(X[:, 0] + random.normal(size=n) > 0, 1.0, -1.0)
    bounds = set()
    for count in range(1, thread_pool_size() + 1):
        with threads(count):
            bounds.add(Certificate(problem_of(X, y, "logistic", ElasticNet(l2=0.01))).gap(np.linspace(-1, 1, 9)))
    assert len(bounds) == 1
    z, w, a = X @ np.ones(8), np.linspace(1, 2, n), random.normal(size=n)
    found = set()
    for count in range(thread_pool_size() + 1):
        kernels = (derivatives_at, mean_product)
        slopes_kernel, product_kernel = kernels if count else [kernel.serial for kernel in kernels]
        slopes, out = np.empty(n), np.empty(8)
        with threads(max(count, 1)):
            sums = slopes_kernel(y, w[:0], z, 0.5, LOSSES["logistic"](), np.empty((7, 2)), slopes)
            product_kernel(X, a, np.empty((7, 8)), out)
        found.add((sums.tobytes(), slopes.tobytes(), out.tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("convex", "end", "least"),
    [
        (lambda c: 1e4 * (c - 3e-5) ** 2 + 1e-9, 1.0, 1e-9),
        (lambda c: (c - 0.6) ** 2, 0.5, 0.01),
        (lambda c: (c + 1.0) ** 2, 0.5, 1.0),
        (lambda c: 2.0 - c, 1.0, 1.0),
    ],
    ids=["within", "beyond the end", "before zero", "line"],
)
def test_the_least_value_of_a_parabola_is_exact(convex, end, least):
    assert minimum_on_interval(convex, end) == pytest.approx(least, rel=1e-6, abs=1e-15)


@given(st.floats(0.0, 1.0), st.floats(1e-3, 1.0), st.floats(0.0, 1e3))
def test_the_least_value_of_what_is_no_parabola_is_near(at, end, steep):
    def convex(c):
        return abs(c - at) + steep * max(c - at, 0.0) ** 2

    low = convex(min(at, end))
    found = minimum_on_interval(convex, end)
    assert low <= found <= low + 1e-4 * (1.0 + steep) * end
