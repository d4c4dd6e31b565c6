"""Columns in any units and far from zero train as if they were standardised, to the same optimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

import fastgd
from fastgd.data.feature_matrix import as_matrix
from fastgd.data.row_order import spread_rows
from fastgd.data.row_source import MemoryRows
from fastgd.data.sample_weights import normalized
from fastgd.kernels.row_targets import NONE, Targets
from fastgd.losses import HalfSquared
from fastgd.objective.column_statistics import FIRST_ROWS, SAMPLE_ROWS, column_moments
from fastgd.objective.objective import Objective
from fastgd.objective.preconditioner import choose_preconditioner
from fastgd.penalties import ElasticNet

METHODS = {
    # method: (epochs, tolerance of the gap as a part of F(start) - F*)
    "gd": (800, 1e-6),
    "sgd": (40, 0.02),
    "minibatch": (150, 0.02),
    "svrg": (150, 1e-6),
    "saga": (150, 1e-6),
    "newton": (60, 1e-6),
    "lbfgs": (100, 1e-6),
}
FORMS = {"dense": np.asarray, "csr": sp.csr_array}
# The largest |mean| / scale of a column, and the tolerance for rounding.
DTYPES = {"float64": (1e6, 0.0), "float32": (1e3, 1e-5)}


class Standard:
    """Standard columns, and the same in units of any size with means far from zero, stored in ``dtype``."""

    def __init__(self, seed, loss, dtype, alpha):
        random = np.random.default_rng(seed)
        n, d = int(random.integers(150, 400)), int(random.integers(2, 7))
        standard = random.normal(size=(n, d)) @ (np.eye(d) + 0.3 * random.normal(size=(d, d)))
        scale = 10.0 ** random.uniform(-6, 6, d)
        far = random.choice([-1, 1], d) * 10.0 ** random.uniform(-1, np.log10(DTYPES[dtype][0]), d)
        self.X = ((standard + far) * scale).astype(dtype)
        # Centred in float64 from the stored values.
        stored = self.X.astype(np.float64)
        self.scale = stored.std(axis=0)
        self.U = (stored - stored.mean(axis=0)) / self.scale
        z = self.U @ random.normal(size=d) / np.sqrt(d) + 0.5
        self.y = np.where(z + 0.5 * random.normal(size=n) > 0, 1.0, -1.0) if loss == "logistic" else z
        if loss != "logistic":
            self.y = self.y + 0.1 * random.normal(size=n)
        self.loss, self.alpha = loss, alpha
        self.before, self.optimum = self.objective(np.zeros(d + 1))[0], self._optimum()

    def objective(self, u):
        """F and its gradient in standard variables, in which the penalty of w_j = u_j / scale_j has other weights."""
        z = self.U @ u[:-1] + u[-1]
        if self.loss == "logistic":
            value, slope = np.logaddexp(0, -self.y * z), -self.y / (1 + np.exp(self.y * z))
        else:
            value, slope = (z - self.y) ** 2 / 2, z - self.y
        weight = self.alpha / self.scale**2
        gradient = np.append(self.U.T @ slope / len(z) + weight * u[:-1], slope.mean())
        return value.mean() + 0.5 * weight @ u[:-1] ** 2, gradient

    def _optimum(self):
        # Variables in which the curvature of a strong penalty is 1 as well.
        unit = np.append(1 / np.sqrt(1 + self.alpha / self.scale**2), 1.0)

        def in_unit(v):
            value, gradient = self.objective(unit * v)
            return value, unit * gradient

        found = minimize(in_unit, np.zeros(len(unit)), jac=True, method="BFGS", options={"gtol": 1e-9})
        return found.fun

    def share_left(self, result):
        """(F - F*) / (F(0) - F*), with F computed in float64 from centred columns."""
        w = result.coef
        mean = self.X.astype(np.float64).mean(axis=0)
        b = result.intercept + mean @ w
        gap = self.objective(np.append(w * self.scale, b))[0] - self.optimum
        return gap / (self.before - self.optimum)


# All methods for one loss, and another loss for two methods: compilation takes most of the time.
WAYS = [(method, "half_squared", form, dtype) for method in ("gd", "minibatch") for form in FORMS for dtype in DTYPES]
WAYS += [("sgd", "half_squared", form, "float64") for form in FORMS]
WAYS += [(method, "half_squared", form, "float64") for method in ("svrg", "saga", "newton", "lbfgs") for form in FORMS]
WAYS += [(method, "half_squared", "csr", "float32") for method in ("svrg", "saga")]
WAYS += [(method, "logistic", "dense", "float64") for method in ("gd", "minibatch")]


@pytest.mark.parametrize("alpha", [0.0, 0.1], ids=["no penalty", "l2"])
@pytest.mark.parametrize(("method", "loss", "form", "dtype"), WAYS)
def test_training_does_not_depend_on_the_units_of_columns(method, loss, form, dtype, alpha):
    epochs, allowed = METHODS[method]
    for seed in range(4):
        problem = Standard(seed, loss, dtype, alpha)
        X = FORMS[form](problem.X)
        result = fastgd.fit(X, problem.y, loss=loss, method=method, max_epochs=epochs, alpha=alpha, tol=0)
        assert -1e-9 < problem.share_left(result) < allowed + DTYPES[dtype][1], seed


# --- What the scales come from ----------------------------------------------------------------------------------------


def posed(X, weight=NONE):
    """An objective of which only the columns matter."""
    rows = MemoryRows(as_matrix(X)[0], Targets(np.zeros(X.shape[0]), weight))
    return Objective(rows, HalfSquared(), ElasticNet())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_columns_are_exact_far_from_zero(form, weighted):
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 3)) * [1e-6, 1.0, 1e6] + [1.0, 1e6, 0.0]
    X[random.random(500) < 0.7, 2] = 0.0
    weight = normalized(random.integers(1, 5, 500).astype(float)) if weighted else NONE
    share = weight / 500 if weighted else np.full(500, 1 / 500)
    mean = share @ X
    found = column_moments(posed(FORMS[form](X), weight), True)
    assert found[0] == pytest.approx(mean, rel=1e-12)
    assert found[1] == pytest.approx(np.sqrt(share @ (X - mean) ** 2), rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_are_zero_in_the_sample_are_scaled(form):
    random = np.random.default_rng(0)
    n = 3 * SAMPLE_ROWS
    sampled = spread_rows(n, SAMPLE_ROWS, 0)
    X = random.normal(size=(n, 4))
    X[:, 1:3] = 0.0
    X[np.setdiff1d(np.arange(n), sampled)[[5, -5]], 2] = 1e6
    mean, spread = column_moments(posed(FORMS[form](X)), True)
    assert (np.abs(mean - X.mean(axis=0)) <= 4 / np.sqrt(FIRST_ROWS) * X.std(axis=0)).all()
    assert spread == pytest.approx(X.std(axis=0), rel=4 / np.sqrt(2 * FIRST_ROWS))


def test_sparse_columns_constant_in_the_sample_are_read_in_all_rows():
    random = np.random.default_rng(0)
    n = 3 * SAMPLE_ROWS
    sampled = spread_rows(n, SAMPLE_ROWS, 0)
    missed = np.setdiff1d(np.arange(n), sampled)
    X = np.column_stack([np.full(n, 5.0), random.normal(size=n), np.full(n, 7.0)])
    X[missed[5], 0], X[missed[7], 2] = 1e3, -1e4
    mean, spread = column_moments(posed(sp.csr_array(X)), True)
    assert mean[[0, 2]] == pytest.approx(X.mean(axis=0)[[0, 2]], rel=1e-12)
    assert spread[[0, 2]] == pytest.approx(X.std(axis=0)[[0, 2]], rel=1e-9)


def test_sgd_does_not_scale_the_columns_of_very_sparse_rows():
    X = sp.eye_array(40, format="csr") * 1e4
    very_sparse = choose_preconditioner(posed(X), only_if_different=True, serial_steps=True)
    assert (very_sparse.scale == 1).all()
    assert not very_sparse.shift.any()
    narrow = choose_preconditioner(posed(X[:8, :8]), only_if_different=True, serial_steps=True)
    assert (narrow.scale < 1).all()


def test_rare_sparse_columns_are_scaled_by_all_rows():
    """Some values of rare columns are tiny, and may be all that a sample sees of them; L is then beyond all bounds."""
    random = np.random.default_rng(1)
    n, d, values = 20_000, 3_000, 8
    columns = np.concatenate([random.integers(0, 50, (n, values - 1)), random.integers(50, d, (n, 1))], axis=1)
    sizes = np.where(random.random((n, values)) < 0.5, 1.0, 1e-4)
    X = sp.csr_array((sizes.ravel(), columns.ravel(), np.arange(n + 1) * values), shape=(n, d))
    y = np.where(random.random(n) < 0.5, 1.0, -1.0)
    result = fastgd.fit(X, y, loss="logistic", penalty="l1", alpha=1e-3, method="gd", max_epochs=1)
    assert result.learning_rate > 0.1
