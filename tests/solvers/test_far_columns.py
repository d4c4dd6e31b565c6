"""svrg and saga train on sparse columns far from zero as if these were centred."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from reference.variance_reduced import walk
from scipy.optimize import minimize

import fastgd
from fastgd.data.feature_matrix import as_matrix, as_scipy, centred
from fastgd.data.row_order import spread_rows
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import NONE, Targets
from fastgd.losses import HalfSquared
from fastgd.objective.column_statistics import SAMPLE_ROWS
from fastgd.objective.objective import Objective
from fastgd.objective.preconditioner import choose_preconditioner
from fastgd.penalties import Box, ElasticNet, NonNegative

methods = pytest.mark.parametrize("method", ["svrg", "saga"])
N, RARE, FAR = 300, 8, 3
EPOCHS = 40
# The largest |mean| / spread of a column, and the tolerance of the gap as a part of F(start) - F*.
DTYPES = {"float64": (1e6, 1e-6), "float32": (1e3, 1e-5)}


class Rows:
    """Columns with few values, then columns far from zero, the last of which has some zeros."""

    def __init__(self, seed=0, dtype="float64", scales=0.0, n_rare=RARE):
        random = np.random.default_rng(seed)
        rare = random.normal(size=(N, n_rare)) * (random.random((N, n_rare)) < RARE / 10 / n_rare)
        rare[np.arange(n_rare) % N, np.arange(n_rare)] = 1.0
        far = random.normal(size=(N, FAR)) + DTYPES[dtype][0] ** np.linspace(1, 0.1, FAR) * random.choice([-1, 1], FAR)
        far[random.random(N) < 0.04, -1] = 0.0
        X = np.column_stack([rare, far]) * 10.0 ** random.uniform(-scales, scales, n_rare + FAR)
        self.csr = sp.csr_array(X.astype(dtype))
        # Centred and scaled in float64 from the stored values.
        self.X = self.csr.toarray().astype(np.float64)
        self.mean, self.spread = self.X.mean(axis=0), self.X.std(axis=0)
        self.U = (self.X - self.mean) / self.spread
        w = random.normal(size=n_rare + FAR)
        w[RARE // 2 : n_rare] = 0.0
        z = self.U @ w + 0.5
        self.y = z + 0.3 * random.normal(size=N)
        self.signs = np.where(z + random.normal(size=N) > 0.5, 1.0, -1.0)

    def loss(self, u, y, name, weight, offset):
        """The mean loss in standard variables, the intercept last, and its gradient."""
        z = self.U @ u[:-1] + u[-1] + offset
        if name == "logistic":
            value, slope = np.logaddexp(0, -y * z), -y / (1 + np.exp(y * z))
        else:
            value, slope = (z - y) ** 2 / 2, z - y
        slope = slope * weight / weight.sum()
        return value @ weight / weight.sum(), np.append(self.U.T @ slope, slope.sum())

    def gap(self, coef, intercept, name="half_squared", y=None, l1=0.0, l2=0.0, lower=-np.inf, upper=np.inf,
              factors=1.0, weight=None, offset=0.0):  # fmt: skip
        """(F - F*) / (F(0) - F*); F* is computed with positive and negative parts of the weights."""
        weight = np.ones(N) if weight is None else weight
        y = (self.signs if name == "logistic" else self.y) if y is None else y
        d = self.U.shape[1]
        l1, l2 = l1 * factors / self.spread * np.ones(d), l2 * factors / self.spread**2 * np.ones(d)
        unit = 1 / np.sqrt(1 + l2)  # variables in which the curvature of a strong penalty is 1 as well

        def objective(u):
            value, slope = self.loss(u, y, name, weight, offset)
            slope[:d] += l2 * u[:d]
            return value + l2 @ u[:d] ** 2 / 2, slope

        def of_parts(v):
            value, slope = objective(np.append(unit * (v[:d] - v[d : 2 * d]), v[-1]))
            return value + (l1 * unit) @ (v[:d] + v[d : 2 * d]), np.concatenate(
                [unit * (slope[:d] + l1), unit * (l1 - slope[:d]), slope[-1:]]
            )

        size = self.spread / unit
        bounds = [(0, max(upper, 0) * s) for s in size] + [(0, max(-lower, 0) * s) for s in size] + [(None, None)]
        options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 100_000, "maxcor": 40}
        best = minimize(of_parts, np.zeros(2 * d + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun
        start = objective(np.zeros(d + 1))[0]
        u = np.append(coef * self.spread, intercept + self.mean @ coef)
        return (objective(u)[0] + l1 @ np.abs(u[:d]) - best) / (start - best)


random = np.random.default_rng(5)
WEIGHTS, OFFSET = random.integers(1, 5, N) / 2, random.normal(size=N)
ELASTIC = {"l1": 0.02, "l2": 0.05}
CASES = {
    "no penalty": {},
    "l1": {"l1": 0.05},
    "elastic net": ELASTIC,
    "l2": {"l2": 0.05},
    "weights of rows": ELASTIC | {"weight": WEIGHTS},
    "offset": ELASTIC | {"offset": OFFSET},
    "weights of features": ELASTIC | {"factors": random.integers(0, 5, RARE + FAR) / 2},
    "logistic": ELASTIC | {"name": "logistic", "l1": 0.005},
    "nonnegative": {"l1": 0.05, "lower": 0.0},
    "box": {"lower": -0.5, "upper": 0.25},
}
del random  # tests draw from the fixture `rng`


def fitted(rows, method, case, y=None, start=None, **options):
    penalty = ElasticNet(case.get("l1", 0.0), case.get("l2", 0.0))
    if "lower" in case:
        penalty = Box(-0.5, 0.25) if "upper" in case else NonNegative(case["l1"])
    loss = case.get("name", "half_squared")
    target = (rows.signs if loss == "logistic" else rows.y) if y is None else y
    options = {
        "max_epochs": EPOCHS,
        "tol": 0,
        "sample_weight": case.get("weight"),
        "offset": case.get("offset"),
    } | options
    factors = case.get("factors")
    return fastgd.fit(
        rows.csr, target, method=method, loss=loss, penalty=penalty, penalty_weights=factors, start=start, **options
    )


@methods
@pytest.mark.parametrize("case", CASES)
def test_the_optimum_is_that_of_centred_columns(case, method):
    rows = Rows()
    result = fitted(rows, method, CASES[case])
    assert -1e-9 < rows.gap(result.coef, result.intercept, **CASES[case]) < 1e-6
    assert any("centred" in remark for remark in result.remarks)


@methods
@pytest.mark.parametrize("dtype", DTYPES)
def test_far_columns_in_other_units(dtype, method):
    for seed in range(3):
        rows = Rows(seed, dtype, scales=6.0)
        case = {"l1": 0.02, "factors": rows.spread}  # the penalty of standard columns
        result = fitted(rows, method, case, max_epochs=100)
        assert -1e-9 < rows.gap(result.coef, result.intercept, **case) < DTYPES[dtype][1], seed


@methods
def test_far_columns_with_several_outputs(method):
    rows = Rows()
    Y = np.column_stack([rows.y, 3.0 * rows.U[:, -1] - rows.U[:, 0]])
    result = fitted(rows, method, ELASTIC, Y)
    for k in range(2):
        assert -1e-9 < rows.gap(result.coef[k], result.intercept[k], y=Y[:, k], **ELASTIC) < 1e-6


@methods
def test_far_columns_with_a_given_start(method):
    rows = Rows()
    start = (1.0 / rows.spread, -float((rows.mean / rows.spread).sum()))
    result = fitted(rows, method, ELASTIC, start=start, max_epochs=200, tol=1e-10)
    assert result.converged
    assert rows.gap(*start, **ELASTIC) > 0.5
    assert -1e-9 < rows.gap(result.coef, result.intercept, **ELASTIC) < 1e-9
    again = fitted(rows, method, ELASTIC, start=result, tol=1e-6, max_epochs=200)
    assert again.converged
    assert again.n_epochs <= 5


@pytest.mark.parametrize("case", ["l1", "elastic net"])
def test_auto_reaches_the_optimum_on_wide_rows(case):
    rows = Rows(n_rare=1500)
    result = fitted(rows, "auto", CASES[case], max_epochs=100)
    assert result.method == "working_set"
    assert -1e-9 < rows.gap(result.coef, result.intercept, **CASES[case]) < 1e-6


@methods
def test_every_step_matches_the_reference_on_centred_rows(method):
    """Their maxima are near 1, so they are not scaled."""
    random = np.random.default_rng(1)
    X = random.choice([-1.0, 0.0, 1.0], (30, 5), p=[0.1, 0.8, 0.1])
    X[:, 3] = 8.0 + random.uniform(-0.9, 0.9, 30)
    X[:, 4] = np.arange(30) % 10 > 0
    shift = np.where(np.arange(5) > 2, X.mean(axis=0), 0.0)
    y = X @ [1.0, -1.0, 0.0, 2.0, -3.0] + random.normal(size=30)
    passes, order = {"svrg": "ASAS", "saga": "ASSS"}[method], list(range(30))
    path, _ = walk(
        np.column_stack([X - shift, np.ones(30)]).tolist(), [[v] for v in y], reference.HalfSquared(), lr=0.03,
        passes=passes, orders=[order] * 4, start=[[0.0] * 6], penalised=5, saga=method == "saga", l1=0.1, l2=0.2,
    )  # fmt: skip
    expected = np.array(
        [update[0] for updates, kind in zip(path, passes, strict=True) if kind == "S" for update in updates]
    )
    expected[:, 5] -= expected[:, :5] @ shift
    result = fastgd.fit(
        sp.csr_array(X), y, method=method, loss="half_squared", learning_rate=0.03, max_epochs=12, shuffle=False,
        scale=True, penalty=ElasticNet(0.1, 0.2), trace="step", start=0,
    )  # fmt: skip
    w, g = (result.steps[name][: len(expected)] for name in ("weights", "gradient"))
    assert w == pytest.approx(expected, rel=1e-11, abs=1e-12)
    # The recorded gradient is in the user's variables and without the penalty.
    moved = w[:29, :5] - 0.03 * (g[1:30, :5] - shift * g[1:30, 5:] + 0.2 * w[:29, :5])
    moved = np.sign(moved) * np.maximum(np.abs(moved) - 0.03 * 0.1, 0.0)
    assert moved == pytest.approx(w[1:30, :5], rel=1e-11, abs=1e-12)


# --- Which columns, and how they are centred --------------------------------------------------------------------------


def shift_of(X, fit_intercept=True, weight=NONE):
    rows = MemoryRows(as_matrix(sp.csr_array(X))[0], Targets(np.zeros(X.shape[0]), weight))
    objective = Objective(rows, HalfSquared(), ElasticNet(), fit_intercept)
    return choose_preconditioner(objective, only_if_different=True, lazy_steps=True).shift


def test_only_columns_far_from_zero_are_centred_and_only_with_an_intercept():
    rows = Rows()
    far = np.abs(rows.mean) > rows.spread
    assert far.tolist() == [False] * RARE + [True] * FAR
    assert shift_of(rows.X) == pytest.approx(np.where(far, rows.mean, 0.0))
    assert not shift_of(rows.X, fit_intercept=False).any()
    assert not shift_of(rows.X[:, :RARE]).any()


def test_row_weights_decide_which_columns_are_far_from_zero():
    X = np.repeat([[1.0], [0.0]], [30, 70], axis=0)
    assert not shift_of(X).any()
    weight = np.repeat([3.0, 1.0 / 7.0], [30, 70])
    assert shift_of(X, weight=weight) == pytest.approx([0.9])


def test_columns_that_vary_only_outside_the_sample_are_centred():
    n = 2 * SAMPLE_ROWS
    sampled = spread_rows(n, SAMPLE_ROWS, 0)
    X = np.column_stack([np.full(n, 1000.0), np.full(n, 1000.0)])
    X[np.setdiff1d(np.arange(n), sampled)[[5, -5]], 0] = 1001.0
    assert shift_of(X) == pytest.approx([1000.0 + 2.0 / n, 0.0])  # and one that is constant has nothing to learn


def test_columns_of_one_size_are_centred_without_being_scaled():
    """All weights decay at one speed, for which lazy steps have a table."""
    X = np.random.default_rng(0).choice([0.5, 1.0], (100, 3)) + 3.0
    result = fastgd.fit(sp.csr_array(X), X @ [1.0, -1.0, 2.0], loss="half_squared", method="svrg", max_epochs=3)
    assert result.remarks == ("steps were taken with columns centred; the model is in the units of the data",)
    several = fastgd.fit(sp.csr_array(X * [1, 1, 99]), X[:, 0], loss="half_squared", method="svrg", max_epochs=3)
    assert several.remarks[0].startswith("steps were taken with columns scaled and centred")


@given(data=st.data())
def test_centred_sparse_rows_equal_centred_dense_rows(data):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 6))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    index = data.draw(st.sampled_from([np.int32, np.int64]))
    rows = sp.csr_array(random.integers(-3, 4, (n, d)) * (random.random((n, d)) < 0.6), dtype=dtype)
    rows.indices, rows.indptr = rows.indices.astype(index), rows.indptr.astype(index)
    X, dense = as_matrix(rows)[0], rows.toarray()
    shift = random.integers(-2, 3, d) * (random.random(d) < 0.5)
    moved = centred(X, shift.astype(np.float64))
    assert (as_scipy(moved).toarray() == dense - shift).all()
    assert (as_scipy(X).toarray() == dense).all()
    assert [part.dtype for part in moved[:3]] == [part.dtype for part in X[:3]]
    assert len(moved.data) <= len(X.data) + n * np.count_nonzero(shift)
