"""newton and lbfgs: steps match textbook Newton and BFGS, optima match SciPy; which method auto takes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import fastgd
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.second_derivatives import curvatures, curvatures_of_outputs, mean_squares
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective.column_statistics import SAMPLE_ROWS
from fastgd.objective.evaluation import Evaluation
from fastgd.objective.factored_hessian import FactoredHessian
from fastgd.objective.scaled_objective import ScaledEvaluation
from fastgd.penalties import Box, ElasticNet
from fastgd.rules import SGD
from fastgd.solvers.curvature_models import DenseCurvature, LimitedMemory, minimise_model

random = np.random.default_rng(5)
N, D = 300, 5
X = random.normal(size=(N, D)) @ (np.eye(D) + 0.4) + [0.0, 3.0, 0.0, 0.0, -1.0]
X[:, 2] *= random.random(N) < 0.4
SCORE = (X - X.mean(axis=0)) @ [1.0, -0.5, 0.0, 0.7, 0.2]
NUMBERS = SCORE + random.standard_t(3, size=N)
LABELS = np.where(SCORE + 2 * random.normal(size=N) > 0, 1.0, -1.0)
COUNTS = random.poisson(np.exp(np.clip(SCORE, -3, 3) / 2)).astype(float)
AMOUNTS = np.exp(SCORE / 2) * random.gamma(2.0, 1.0, size=N) + 1e-3
CLASSES = np.digitize(SCORE + random.normal(size=N), [-1.0, 1.0])
WEIGHT, OFFSET = random.integers(1, 4, N).astype(float), random.normal(size=N) / 3
del random  # tests draw from the fixture `rng`

# Value of each loss, in NumPy and by itself.
VALUES = {
    "squared": lambda y, z: (z - y) ** 2,
    "huber": lambda y, z: np.where(abs(z - y) <= 1.35, (z - y) ** 2 / 2, 1.35 * (abs(z - y) - 0.675)),
    "logistic": lambda y, z: np.logaddexp(0.0, -y * z),
    "squared_hinge": lambda y, z: np.maximum(1 - y * z, 0) ** 2,
    "poisson": lambda y, z: np.exp(z) - y * z,
    "gamma": lambda y, z: y * np.exp(-z) + z,
}
TARGETS = {
    "squared": NUMBERS, "huber": NUMBERS, "logistic": LABELS, "squared_hinge": LABELS, "poisson": COUNTS,
    "gamma": AMOUNTS,
}  # fmt: skip
METHODS = ("newton", "lbfgs")


@pytest.mark.parametrize("loss", VALUES)
def test_newton_takes_columns_of_very_different_units_unscaled(loss):
    units = 10.0 ** np.array([0, 3, 6, 9, 12])
    options = {"loss": loss, "method": "newton", "tol": 1e-10}
    alike, different = (
        fastgd.fit(X, TARGETS[loss], **options),
        fastgd.fit(X * units, TARGETS[loss], scale=False, **options),
    )
    assert alike.converged
    assert different.converged
    np.testing.assert_allclose(different.coef * units, alike.coef, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("least", [1.0, -1.0])
def test_indefinite_hessians_are_solved(rng, least):
    vectors = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    hessian, b = vectors * [least, 1.0, 2.0, 3.0] @ vectors.T, rng.normal(size=4)
    solved = FactoredHessian.of(hessian[None]).solve_one(0, b)
    assert b @ solved > 0.0  # a step along -solved descends
    if least > 0.0:
        np.testing.assert_allclose(hessian @ solved, b, rtol=1e-12)
    else:
        assert np.linalg.norm(solved) < 1e3 * np.linalg.norm(b)


def objective(params, X, y, loss, l2, weight=None, offset=0.0):
    losses = VALUES[loss](y, X @ params[:-1] + params[-1] + offset)
    return np.average(losses, weights=weight) + l2 / 2 * params[:-1] @ params[:-1]


def least(X, y, loss, l2, **rows):
    """The optimum by SciPy, refined until it no longer changes."""
    params = np.zeros(X.shape[1] + 1)
    for method in ("BFGS", "Nelder-Mead", "BFGS"):
        options = {"gtol": 1e-11} if method == "BFGS" else {"xatol": 1e-10, "fatol": 1e-15, "maxiter": 4000}
        params = minimize(objective, params, (X, y, loss, l2, *rows.values()), method=method, options=options).x
    return objective(params, X, y, loss, l2, **rows)


def gap(result, F):
    return (result.objective - F) / abs(F)


# --- The optimum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", VALUES)
@pytest.mark.parametrize("method", METHODS)
def test_weighted_rows_with_offset_reach_the_optimum_of_scipy(loss, method):
    y, l2 = TARGETS[loss], 0.01
    F = least(X, y, loss, l2, weight=WEIGHT, offset=OFFSET)
    made = {"loss": loss, "alpha": l2, "sample_weight": WEIGHT, "offset": OFFSET, "tol": 1e-10}
    F_ours = fastgd.fit(X, y, method=method, **made)
    at = np.append(F_ours.coef, F_ours.intercept)
    assert objective(at, X, y, loss, l2, WEIGHT, OFFSET) <= F + 1e-10 * abs(F)
    if loss in ("squared", "huber", "logistic", "squared_hinge"):  # the others have constants that SciPy's has not
        assert F_ours.objective == pytest.approx(F, rel=1e-10)


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_newton_has_the_zeros_of_the_elastic_net(l1_ratio, form):
    linear = pytest.importorskip("sklearn.linear_model")
    net = linear.ElasticNet(alpha=0.3, l1_ratio=l1_ratio, tol=1e-14, max_iter=100_000).fit(X, NUMBERS)
    ours = fastgd.fit(
        form(X), NUMBERS, loss="half_squared", method="newton", penalty="elasticnet", alpha=0.3, l1_ratio=l1_ratio,
        tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(ours.coef, net.coef_, rtol=1e-7, atol=1e-9)
    assert (ours.coef == 0).tolist() == (net.coef_ == 0).tolist()
    assert (ours.coef == 0).any()


def test_several_targets_equal_single_fits():
    both = fastgd.fit(X, np.column_stack([NUMBERS, COUNTS]), method="newton", alpha=0.1, tol=1e-12)
    for k, y in enumerate((NUMBERS, COUNTS)):
        one = fastgd.fit(X, y, method="newton", alpha=0.1, tol=1e-12)
        np.testing.assert_allclose(both.coef[k], one.coef, rtol=1e-6)  # by the rounding of the sum of both F


# --- Steps ------------------------------------------------------------------------------------------------------------


def test_steps_on_few_rows_are_exact_newton_steps():
    """Textbook Newton on logistic regression."""
    result = fastgd.fit(X, LABELS, loss="logistic", alpha=0.01, method="newton", tol=1e-18, max_epochs=60, start=0)
    params, columns, l2 = np.zeros(D + 1), np.column_stack([X, np.ones(N)]), 0.01 * np.diag([1.0] * D + [0.0])
    steps = 0
    for row in result.path[1:]:
        p = 1 / (1 + np.exp(-columns @ params))
        gradient = columns.T @ (p - (LABELS + 1) / 2) / N + l2 @ params
        params = params - np.linalg.solve((columns.T * (p * (1 - p))) @ columns / N + l2, gradient)
        np.testing.assert_allclose(row, params, rtol=1e-6, atol=1e-8)
        steps += 1
    assert 4 <= steps <= 10
    assert result.stop_reason in ("tol", "precision")


def test_many_rows_take_few_passes(rng):
    n = 4 * SAMPLE_ROWS
    big = rng.normal(size=(n, 4))
    y = np.where(big @ [1.0, 2.0, 0.0, -1.0] + rng.logistic(size=n) > 0, 1.0, -1.0)
    result = fastgd.fit(big, y, loss="logistic", alpha=1e-4, tol=1e-14)
    assert result.method == "newton"
    assert result.n_epochs <= 8
    F = result.trace["objective"]
    assert F[1] - F[-1] < 1e-3 * (F[0] - F[-1])  # the sample's minimum
    assert (np.diff(F) <= 1e-12).all()
    # Sampled rows count as a fraction of a pass.
    assert 0 < result.trace["passes"][-1] - result.n_epochs < 8
    exact = fastgd.fit(big, y, loss="logistic", alpha=1e-4, method="lbfgs", tol=1e-14)
    assert result.objective == pytest.approx(exact.objective, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_columns_that_are_zero_in_the_sample(rng, method, form):
    """12 rows have large values in this column: with the sampled Hessian alone steps would diverge."""
    n = 4 * SAMPLE_ROWS
    big = np.column_stack([rng.normal(size=n), np.zeros(n)])
    big[rng.choice(n, 12, replace=False), 1] = 100.0
    y = big[:, 0] + 0.05 * big[:, 1] + rng.normal(size=n)
    result = fastgd.fit(form(big), y, method=method, tol=1e-12)
    assert result.n_epochs <= 14
    best = np.linalg.lstsq(np.column_stack([big, np.ones(n)]), y, rcond=None)[0]
    np.testing.assert_allclose(result.coef, best[:2], rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_line_search_shortens_steps_that_are_too_long(method):
    """Far below the minimum exp(z) has almost no curvature, so the quadratic model steps much too far."""
    start = (np.zeros(D), -6.0)
    result = fastgd.fit(X, COUNTS, loss="poisson", method=method, start=start, tol=1e-9, max_epochs=300)
    assert (result.trace["learning_rate"][1:] < 1).any()
    assert (np.diff(result.trace["objective"]) <= 1e-12).all()
    assert result.objective == pytest.approx(fastgd.fit(X, COUNTS, loss="poisson", tol=1e-9).objective, rel=1e-9)


def test_learning_rate_is_the_first_step_length():
    result = fastgd.fit(X, NUMBERS, method="newton", learning_rate=0.5, max_epochs=3, scale=True)
    assert result.trace["learning_rate"].tolist()[1:] == [0.5] * (len(result.trace) - 1)
    whole = fastgd.fit(X, NUMBERS, method="newton", tol=0)
    F = result.trace["objective"] - whole.objective
    np.testing.assert_allclose(F[1:] / F[:-1], 0.25, rtol=1e-5)  # of a quadratic


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_limited_memory_is_bfgs(seed, pairs):
    """The two-loop recursion equals the BFGS formula (Nocedal and Wright, 6.17)."""
    random = np.random.default_rng(seed)
    p = 4
    A = random.normal(size=(p, p))
    hessian = A @ A.T + np.eye(p)
    start = np.diag(random.uniform(0.5, 2.0, p))
    model, H = LimitedMemory.over_hessian(FactoredHessian.of(start[None])), np.linalg.inv(start)
    for _ in range(pairs):
        s = random.normal(size=p)
        y = hessian @ s
        model = model.updated(s[None], y[None])
        V = np.eye(p) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    slope = random.normal(size=p)

    here = Evaluation(np.zeros(p), np.zeros(1), np.zeros(1), slope)
    stepper = Stepper.make(SGD(), ElasticNet(), Preconditioner.identity(p), p)
    change, promised = model.change(ScaledEvaluation(here, slope[None]), stepper)
    np.testing.assert_allclose(change[0], -H @ slope, rtol=1e-7, atol=1e-9)
    assert promised == pytest.approx(slope @ H @ slope)


def test_dense_learns_what_a_step_showed(rng):
    A = rng.normal(size=(4, 4))
    model = DenseCurvature.of(FactoredHessian.of((A @ A.T + np.eye(4))[None]))
    s, y = rng.normal(size=4), rng.normal(size=4)
    y *= np.sign(s @ y)
    model = model.updated(s[None], y[None])
    np.testing.assert_allclose(model.hessian[0] @ s, y)
    assert (np.linalg.eigvalsh(model.hessian[0]) > 0).all()
    before = model.hessian.copy()
    model = model.updated(s[None], -y[None])  # negative curvature
    assert (model.hessian == before).all()


# --- Kernels ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_minimum_of_a_quadratic_and_a_penalty(seed, bounded):
    """Steps to both sides improve no coordinate."""
    random = np.random.default_rng(seed)
    d = int(random.integers(1, 6))
    A = random.normal(size=(d + 1, d + 1))
    H, slope = A @ A.T + 0.1 * np.eye(d + 1), random.normal(size=d + 1)
    params, inverse, factors = random.normal(size=d), 2.0 ** random.integers(-2, 3, d), random.uniform(0, 2, d)
    penalty = Box(-0.5, 0.5) if bounded else ElasticNet(0.4, 0.0)
    factors = np.zeros(0) if bounded else factors
    params = np.clip(params, -0.5, 0.5) if bounded else params
    stepper = Stepper.make(SGD(), penalty, Preconditioner(np.zeros(d), inverse), d + 1, strength=1.5, weights=factors)
    here = ScaledEvaluation(Evaluation(np.append(params, 0.0), np.zeros(1), np.zeros(1), slope[None]), slope[None])
    change = minimise_model(H[None], here, stepper, 1e-24)[0]

    def value(change):
        w = params + inverse * change[:d]
        outside = (np.abs(w) > 0.5 + 1e-12).any() if bounded else False
        kinked = np.inf if outside else 0.0 if bounded else 1.5 * 0.4 * (factors * np.abs(w)).sum()
        return slope @ change + change @ H @ change / 2 + kinked

    for j in range(d + 1):
        for by in (1e-4, -1e-4, 0.1, -0.1):
            other = change.copy()
            other[j] += by
            assert value(other) >= value(change) - 1e-12


SECOND = {
    "squared": lambda y, z: 2.0,
    "logistic": lambda y, z: np.exp(-abs(z)) / (1 + np.exp(-abs(z))) ** 2,
    "poisson": lambda y, z: np.exp(z),
    "huber": lambda y, z: float(abs(z - y) < 1.35),
    "phase_retrieval": lambda y, z: 3 * z * z - y,
}


@pytest.mark.parametrize("least", [0.0, -np.inf])
@pytest.mark.parametrize("loss", SECOND)
def test_curvatures(rng, loss, least):
    z, weight = rng.normal(size=40) * 3, rng.random(40)
    y = LABELS[:40] if loss == "logistic" else COUNTS[:40]
    out = np.empty(40)
    curvatures(Targets(y, weight), z, LOSSES[loss](), least, 1.0, out)
    wanted = [s * max(SECOND[loss](*at), least) for s, *at in zip(weight, y, z, strict=True)]
    np.testing.assert_allclose(out, wanted, rtol=1e-6, atol=1e-8)


def test_curvatures_of_softmax(rng):
    z, weight, out = rng.normal(size=(20, 3)), rng.random(20), np.empty((20, 3))
    y = CLASSES[:20, None].astype(float)
    curvatures_of_outputs(Targets(y, weight), z, LOSSES["softmax"](), 1.0, *np.zeros((3, 3)), out)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(out, weight[:, None] * p * (1 - p), rtol=1e-6)


@pytest.mark.parametrize("n_chunks", [1, 3])
def test_mean_squares(n_chunks):
    from fastgd.data.feature_matrix import as_matrix

    for form in (np.asarray, sp.csr_array):
        matrix, out = as_matrix(form(X))[0], np.empty(D)
        mean_squares.serial(matrix, np.empty((n_chunks, D)), out)
        np.testing.assert_allclose(out, (X**2).mean(axis=0))


# --- What auto takes, and what is refused -----------------------------------------------------------------------------

WIDE = sp.random_array((40, 2000), density=0.02, rng=np.random.default_rng(0), format="csr")
# More columns than a working set has a Hessian for.
WIDER = sp.random_array((200, 20_000), density=0.02, rng=np.random.default_rng(1), format="csr")
WEAK = {"penalty": "elasticnet", "alpha": 1e-6, "loss": "half_squared"}


@pytest.mark.parametrize(
    ("X", "y", "options", "method"),
    [
        (X, NUMBERS, {}, "newton"),
        (X, NUMBERS, {"penalty": "l1", "alpha": 0.1}, "working_set"),
        (X, CLASSES, {"loss": "softmax"}, "newton"),
        (X, COUNTS, {"loss": "poisson"}, "newton"),
        (X[:3], NUMBERS[:3], {}, "newton"),  # more parameters than rows, but few
        (X[:3], NUMBERS[:3], {"penalty": "l1", "alpha": 0.1}, "working_set"),
        (WIDE, NUMBERS[:40], {"alpha": 0.1}, "lbfgs"),
        (WIDE, NUMBERS[:40], {"penalty": "l1", "alpha": 0.1}, "working_set"),
        (WIDE, COUNTS[:40], {"penalty": "elasticnet", "alpha": 0.1, "loss": "poisson"}, "working_set"),
        (WIDE.toarray(), NUMBERS[:40], {"penalty": "l1", "alpha": 0.1}, "working_set"),
        (WIDER, NUMBERS[:200], WEAK, "gd"),  # most columns leave zero, and the penalty has an l2 part
        (WIDER, NUMBERS[:200], WEAK | {"alpha": 100.0}, "working_set"),
        (WIDER, NUMBERS[:200], WEAK | {"penalty": "l1"}, "working_set"),
        (WIDE, NUMBERS[:40], {"penalty": "nonnegative"}, "svrg"),
        (WIDE.toarray(), NUMBERS[:40], {"penalty": "nonnegative"}, "saga"),
        (X, NUMBERS, {"loss": "absolute"}, "interior_point"),
        (X[:200], NUMBERS[:200], {"loss": "absolute", "batch_size": 8}, "minibatch"),
        (X, NUMBERS, {"rule": "adam"}, "minibatch"),
        (X, NUMBERS, {"learning_rate": 1e-3}, "minibatch"),
        (X, NUMBERS, {"schedule": "cosine"}, "minibatch"),
        (X, NUMBERS, {"batch_size": 8}, "minibatch"),
        (X, NUMBERS, {"clip_norm": 1.0}, "minibatch"),
        (X, NUMBERS, {"average": True}, "minibatch"),
        (X, NUMBERS, {"shards": 2}, "sgd"),
        (X, NUMBERS, {"trace": "step"}, "minibatch"),
        (X, NUMBERS, {"penalty": "mcp", "alpha": 0.1}, "working_set"),
    ],
)
def test_auto_chooses_the_method_by_data_and_options(X, y, options, method):
    result = fastgd.fit(X, y, max_epochs=2, **options)
    assert result.method == method
    asked_for = options.get("schedule", "constant")
    assert result.settings["schedule"].partition(":")[0] == asked_for


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "newton", "rule": "adam"}, "leave rule out"),
        ({"method": "lbfgs", "schedule": "cosine"}, "leave schedule out"),
        ({"method": "newton", "clip_norm": 1.0}, "leave clip_norm out"),
        ({"method": "lbfgs", "batch_size": 10}, "leave batch_size out"),
        ({"method": "newton", "loss": "absolute"}, "has kinks"),
        ({"method": "newton", "penalty": "scad", "alpha": 0.1}, "needs a convex penalty"),
        ({"method": "lbfgs", "penalty": "l1", "alpha": 0.1}, "without kinks"),
        ({"method": "lbfgs", "average": True}, "average"),
    ],
)
def test_error_names_unsupported_options(options, told):
    with pytest.raises(fastgd.OptionError, match=told):
        fastgd.fit(X, NUMBERS, **options)


def test_step_trace_and_callbacks():
    seen = []
    result = fastgd.fit(X, NUMBERS, method="lbfgs", trace="step", callbacks=[seen.append], max_epochs=6)
    assert len(result.steps) == len(seen) == result.n_epochs
    assert (result.steps["row"] == -1).all()
    assert [state.objective for state in seen] == result.trace["objective"][1:].tolist()
