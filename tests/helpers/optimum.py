"""The minimum of F for a small problem, by SciPy and the plain-Python losses alone, to test certificates and fits.

Weights are split into positive and negative parts, so that l1 is linear; a loss with kinks becomes linear constraints
on an upper bound of each row's loss. The solvers return feasible points, at which F is at least F*.
"""

from __future__ import annotations

import numpy as np
from reference import LOSSES
from scipy.optimize import linprog, minimize


def pieces(name, y):
    """(slope, constant) of the lines whose maximum is the loss."""
    loss = LOSSES[name]
    return {
        "absolute": [(1, -y), (-1, y)],
        "quantile": [(1 - getattr(loss, "quantile", 0), -(1 - getattr(loss, "quantile", 0)) * y),
                     (-getattr(loss, "quantile", 0), getattr(loss, "quantile", 0) * y)],
        "epsilon_insensitive": [(1, -y - getattr(loss, "epsilon", 0)), (-1, y - getattr(loss, "epsilon", 0)), (0, 0)],
        "hinge": [(-y, 1), (0, 0)],
        "perceptron": [(-y, 0), (0, 0)],
    }[name]  # fmt: skip


KINKED = ("absolute", "quantile", "epsilon_insensitive", "hinge", "perceptron")


class Small:
    """F(w, b) = sum s loss(y, x.w + b + o) / sum s + sum_j t_j (l1 |w_j| + l2 w_j^2 / 2), within bounds."""

    def __init__(self, X, y, loss, *, l1=0.0, l2=0.0, factors=None, weight=None, offset=None, intercept=True,
                 bounds=(None, None)):  # fmt: skip
        self.X, self.y, self.loss = np.asarray(X, float), np.asarray(y, float), loss
        n, d = self.X.shape
        self.s = np.ones(n) / n if weight is None else np.asarray(weight, float) / np.sum(weight)
        self.o = np.zeros(n) if offset is None else np.asarray(offset, float)
        t = np.ones(d) if factors is None else np.asarray(factors, float)
        self.l1, self.l2, self.intercept, self.bounds = l1 * t, l2 * t, intercept, bounds

    def __call__(self, w, b):
        loss = LOSSES[self.loss]
        z = self.X @ w + b + self.o
        values = sum(float(s) * loss.value(float(y), float(v)) for s, y, v in zip(self.s, self.y, z, strict=True))
        return values + float(self.l1 @ np.abs(w) + 0.5 * self.l2 @ w**2)

    def least(self, *starts):
        """The lowest F found from the starts, and its (w, b)."""
        solve = self._kinked if self.loss in KINKED else self._smooth
        found = [self._split(solve(start)) for start in starts]
        return min(((self(w, b), w, b) for w, b in [*found, *starts]), key=lambda one: one[0])

    def _split(self, v):
        d = self.X.shape[1]
        return v[:d] - v[d : 2 * d], float(v[2 * d])

    def _joined(self, w, b):
        return np.concatenate([np.maximum(w, 0), np.maximum(-w, 0), [b]])

    def _limits(self):
        d = self.X.shape[1]
        low, high = self.bounds
        up = (max(low or 0.0, 0.0), high) if high is None or high >= 0 else (0.0, 0.0)
        down = (max(-(high if high is not None else np.inf), 0.0), None if low is None else max(-low, 0.0))
        return [up] * d + [down] * d + [(None, None) if self.intercept else (0.0, 0.0)]

    def _penalty(self, v):
        w, _ = self._split(v)
        d = len(w)
        slope = np.concatenate([self.l1 + self.l2 * w, self.l1 - self.l2 * w])
        return float(self.l1 @ (v[:d] + v[d : 2 * d]) + 0.5 * self.l2 @ w**2), slope

    def _smooth(self, start):
        loss = LOSSES[self.loss]

        def both(v):
            w, b = self._split(v)
            z = self.X @ w + b + self.o
            pairs = [(loss.value(float(y), float(t)), loss.derivative(float(y), float(t)))
                     for y, t in zip(self.y, z, strict=True)]  # fmt: skip
            values, slopes = np.array(pairs).T
            g = self.X.T @ (self.s * slopes)
            penalty, more = self._penalty(v)
            return self.s @ values + penalty, np.concatenate([g, -g, [self.s @ slopes]]) + np.append(more, 0.0)

        v = np.clip(self._joined(*start), *zip(*((-np.inf if a is None else a, np.inf if c is None else c)
                                                 for a, c in self._limits()), strict=True))  # fmt: skip
        for _ in range(2):
            v = minimize(both, v, jac=True, method="L-BFGS-B", bounds=self._limits(),
                         options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 500, "maxcor": 30}).x  # fmt: skip
        return v

    def _kinked(self, start):
        n, d = self.X.shape
        rows, constants, which = [], [], []
        for i in range(n):
            for slope, constant in pieces(self.loss, self.y[i]):
                rows.append(slope * np.concatenate([self.X[i], -self.X[i], [1.0]]))
                constants.append(slope * self.o[i] + constant)
                which.append(i)
        A, c, index = np.array(rows, float), np.array(constants, float), np.array(which)
        if not self.l2.any():
            cost = np.concatenate([self.l1, self.l1, [0.0], self.s])
            limits = [*self._limits(), *[(None, None)] * n]
            return linprog(cost, np.concatenate([A, -np.eye(n)[index]], axis=1), -c, bounds=limits).x
        jacobian = np.concatenate([-A, np.eye(n)[index]], axis=1)
        v = self._joined(*start)
        t = np.array([np.max((A @ v + c)[index == i]) for i in range(n)])

        def objective(u):
            penalty, more = self._penalty(u)
            return self.s @ u[2 * d + 1 :] + penalty, np.concatenate([more, [0.0], self.s])

        constraint = {"type": "ineq", "fun": lambda u: u[2 * d + 1 :][index] - A @ u[: 2 * d + 1] - c,
                      "jac": lambda u: jacobian}  # fmt: skip
        bounds, start = [*self._limits(), *[(None, None)] * n], np.concatenate([v, t])
        return minimize(objective, start, jac=True, method="SLSQP", constraints=[constraint], bounds=bounds,
                        options={"ftol": 1e-15, "maxiter": 300}).x  # fmt: skip
