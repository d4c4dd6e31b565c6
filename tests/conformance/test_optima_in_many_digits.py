"""Small fits against optima that Newton's method finds in 50 digits.

``objective`` must be F of the model to rounding, ``gap_bound`` never below the true F - F*, and a fit that says
"converged" within ``tol`` of what the constant model leaves to gain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from helpers.campaign_figures import record

import fastgd

mp = pytest.importorskip("mpmath").mp
matrix = pytest.importorskip("mpmath").matrix
DIGITS, EPS = 50, 2.0**-52
ALPHA, DELTA, TOLS = 0.05, 1.35, (1e-2, 1e-5, 1e-9)
N, D, CLASSES = 40, 3, 3


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(DIGITS):
        yield


class Exact(NamedTuple):
    """Value, first and second derivative of a loss in many digits."""

    value: object
    first: object
    second: object


EXACT = {
    "half_squared": Exact(lambda y, z: (z - y) ** 2 / 2, lambda y, z: z - y, lambda y, z: mp.mpf(1)),
    "huber": Exact(
        lambda y, z: (z - y) ** 2 / 2 if abs(z - y) <= mp.mpf(DELTA) else DELTA * (abs(z - y) - mp.mpf(DELTA) / 2),
        lambda y, z: max(min(z - y, mp.mpf(DELTA)), -mp.mpf(DELTA)),
        lambda y, z: mp.mpf(abs(z - y) <= mp.mpf(DELTA)),
    ),
    "logistic": Exact(
        lambda y, z: mp.log1p(mp.exp(-y * z)),
        lambda y, z: -y / (1 + mp.exp(y * z)),
        lambda y, z: 1 / (1 + mp.exp(z)) / (1 + mp.exp(-z)),
    ),
    "poisson": Exact(lambda y, z: mp.exp(z) - y * z, lambda y, z: mp.exp(z) - y, lambda y, z: mp.exp(z)),
    "gamma": Exact(lambda y, z: z + y * mp.exp(-z), lambda y, z: 1 - y * mp.exp(-z), lambda y, z: y * mp.exp(-z)),
}


def problem(name: str):
    """X with columns of different means and spreads, and targets in the range of the loss."""
    random = np.random.default_rng(7)
    X = random.normal(size=(N, D)) * [1.0, 30.0, 0.01] + [0.0, 10.0, 0.5]
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ [0.7, -0.4, 0.2]
    noise = random.standard_t(3, size=N)
    y = {
        "half_squared": z + noise,
        "huber": z + 2 * noise,
        "logistic": np.where(z + noise > 0.3, 1.0, -1.0),
        "poisson": random.poisson(np.exp(z)).astype(float),
        "gamma": np.exp(z) * random.gamma(2.0, 0.5, size=N),
        "softmax": (z + noise > -0.5).astype(float) + (z + noise > 0.8),
    }[name]
    return X, y


class Problem:
    """F with an l2 penalty in many digits: parameters are (coefficients, intercept) of each output in turn."""

    def __init__(self, name: str, X: np.ndarray, y: np.ndarray) -> None:
        self.name, self.y = name, [mp.mpf(v) for v in y.tolist()]
        self.rows = [[*map(mp.mpf, row), mp.mpf(1)] for row in X.tolist()]
        self.n_outputs, self.width = (CLASSES if name == "softmax" else 1), X.shape[1] + 1

    def _row(self, y, z):
        """Loss, gradient and Hessian of a row in its linear predictors."""
        if self.name != "softmax":
            loss = EXACT[self.name]
            return loss.value(y, z[0]), [loss.first(y, z[0])], [[loss.second(y, z[0])]]
        top = max(z)
        sizes = [mp.exp(v - top) for v in z]
        shares = [size / mp.fsum(sizes) for size in sizes]
        gradient = [p - (k == y) for k, p in enumerate(shares)]
        hessian = [[p * ((k == m) - q) for m, q in enumerate(shares)] for k, p in enumerate(shares)]
        return top + mp.log(mp.fsum(sizes)) - z[int(y)], gradient, hessian

    def evaluate(self, params, derivatives=True):
        w, k = self.width, self.n_outputs
        n, size = len(self.y), k * w
        penalised = [j for j in range(size) if j % w != w - 1]
        alpha = mp.mpf(ALPHA)
        F = alpha / 2 * mp.fsum(params[j] ** 2 for j in penalised)
        g, H = matrix(size, 1), matrix(size, size)
        for j in penalised:
            g[j], H[j, j] = alpha * params[j], alpha
        for x, y in zip(self.rows, self.y, strict=True):
            z = [mp.fdot(x, params[a * w : (a + 1) * w]) for a in range(k)]
            value, first, second = self._row(y, z)
            F += value / n
            for a in range(k if derivatives else 0):
                for j in range(w):
                    g[a * w + j] += first[a] * x[j] / n
                    for b in range(k):
                        for m in range(w):
                            H[a * w + j, b * w + m] += second[a][b] * x[j] * x[m] / n
        return F, g, H

    def minimum(self):
        """Newton's method with halved steps, until the gradient is below 1e-35 of its start."""
        params = [mp.mpf(0)] * (self.width * self.n_outputs)
        F, g, H = self.evaluate(params)
        start = mp.norm(g)
        for _ in range(100):
            if mp.norm(g) <= mp.mpf(10) ** -35 * start:
                return F
            for j in range(self.n_outputs):  # softmax: the sum of the intercepts is free; huber: flat far from y
                H[(j + 1) * self.width - 1, (j + 1) * self.width - 1] += mp.mpf(10) ** -20
            move, length = mp.lu_solve(H, -g), mp.mpf(1)
            slope = mp.fsum(g[j] * move[j] for j in range(len(params)))
            while True:
                trial = [p + length * m for p, m in zip(params, move, strict=True)]
                F_trial = self.evaluate(trial, derivatives=False)[0]
                if F_trial <= F + length * slope / 10000 or length < mp.mpf(2) ** -60:
                    break
                length /= 2
            params = trial
            F, g, H = self.evaluate(params)
        raise AssertionError("Newton's method in many digits did not converge")


NAMES = [*EXACT, "softmax"]


@pytest.fixture(scope="module")
def optima():
    """Data, F in many digits and its minimum for each loss, made once."""
    made = {}

    def of(name):
        if name not in made:
            X, y = problem(name)
            exact = Problem(name, X, y)
            made[name] = X, y, exact, exact.minimum()
        return made[name]

    return of


def params_of(result, exact):
    coef, intercept = np.atleast_2d(result.coef), np.atleast_1d(result.intercept)
    return [mp.mpf(float(v)) for row, b in zip(coef, intercept, strict=True) for v in [*row, b]]


@pytest.mark.parametrize("method", ["newton", "lbfgs", "gd", "minibatch"])
@pytest.mark.parametrize("name", NAMES)
def test_fit(optima, name, method):
    X, y, exact, minimum = optima(name)
    spec = f"huber:delta={DELTA}" if name == "huber" else name
    for tol in TOLS:
        result = fastgd.fit(X, y, loss=spec, method=method, alpha=ALPHA, tol=tol, max_epochs=3000)
        F = exact.evaluate(params_of(result, exact), derivatives=False)[0]
        gap, rounding = F - minimum, mp.mpf(N * EPS) * max(abs(F), 1)
        assert gap >= 0, "the reference is not the minimum"
        assert abs(mp.mpf(result.objective) - F) <= rounding
        if result.gap_bound is not None:
            assert gap <= mp.mpf(result.gap_bound) + rounding
        assert result.converged or method == "minibatch"  # whose steps of a constant rate end near the minimum
        left = mp.mpf(result.constant_objective) - minimum
        # Half the squared Newton decrement estimates what is left to second order: near the minimum only.
        assert not result.converged or gap <= tol * left + rounding or tol > 1e-3
        record("numbers", **{f"share_left_by_{method}_for_{name}_at_tol_{tol:.0e}": float(gap / left)})
