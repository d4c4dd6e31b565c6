"""F of a small problem and its minimum, from the plain-Python losses and penalties alone."""

from __future__ import annotations

import numpy as np
import reference
from helpers.optimum import KINKED, Small
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax


class SmallProblem:
    """F(P) = mean loss(y_i, P (x_i, 1)) + sum of penalty(w): P has a row (w, intercept) for each output."""

    def __init__(self, X, y, loss, penalty):
        self.X, self.y, self.name, self.penalty = X, y, loss, penalty
        self.rows = np.column_stack([X, np.ones(len(X))])
        self.n_outputs = len(np.unique(y)) if loss == "softmax" else 1

    def zeros(self):
        return np.zeros((self.n_outputs, self.rows.shape[1]))

    def loss_and_gradient(self, P):
        n, z = len(self.rows), self.rows @ P.T
        if self.name == "softmax":
            chosen = np.eye(self.n_outputs)[self.y.astype(int)]
            return (logsumexp(z, axis=1) - (z * chosen).sum(axis=1)).mean(), (
                softmax(z, axis=1) - chosen
            ).T @ self.rows / n
        loss = reference.LOSSES[self.name]
        pairs = list(zip(self.y.tolist(), z[:, 0].tolist(), strict=True))
        derivatives = np.array([loss.derivative(*pair) for pair in pairs])
        return sum(loss.value(*pair) for pair in pairs) / n, (derivatives @ self.rows / n)[None]

    def penalty_and_gradient(self, P):
        """The value of the penalty, and the gradient of its smooth part l2/2 |w|^2."""
        l2 = getattr(self.penalty, "l2", 0.0)
        return sum(self.penalty.value(w) for w in P[:, :-1]), np.column_stack([l2 * P[:, :-1], np.zeros(len(P))])

    def __call__(self, P):
        return self.loss_and_gradient(P)[0] + self.penalty_and_gradient(P)[0]

    def descend(self, P, iterations=2000):
        """Accelerated proximal gradient descent with backtracking and restarts (Beck and Teboulle 2009), from P."""
        step, momentum, ahead, F = 1.0, 1.0, P, self(P)
        for _ in range(iterations):
            loss, gradient = self.loss_and_gradient(ahead)
            gradient = gradient + self.penalty_and_gradient(ahead)[1]
            smooth = loss + getattr(self.penalty, "l2", 0.0) / 2 * (ahead[:, :-1] ** 2).sum()
            while True:
                new = ahead - step * gradient
                new[:, :-1] = [self.penalty.prox(w.tolist(), [step] * len(w)) for w in new[:, :-1]]
                turn = new - ahead
                l2 = getattr(self.penalty, "l2", 0.0)
                reached = self.loss_and_gradient(new)[0] + l2 / 2 * (new[:, :-1] ** 2).sum()
                if reached <= smooth + (gradient * turn).sum() + (turn**2).sum() / (2 * step) + 1e-15 * abs(smooth):
                    break
                step /= 2
            F_new = self(new)
            if F_new > F:
                if ahead is P:
                    break
                momentum, ahead = 1.0, P
                continue
            if np.abs(new - P).max() < 1e-10:
                return new
            momentum, before = (1 + np.sqrt(1 + 4 * momentum**2)) / 2, momentum
            ahead, P, F = new + (before - 1) / momentum * (new - P), new, F_new
        return P

    def minimum(self, *starts, l1=0.0, l2=0.0, bounds=(None, None), linear=True):
        """F at the lowest point found from the starts; for kinked losses by linear constraints where ``linear``."""
        if self.name not in KINKED:
            return min(self(self.descend(P)) for P in starts)
        if linear:
            small = Small(self.X, self.y, self.name, l1=l1, l2=l2, bounds=bounds)
            return small.least(*((P[0, :-1], P[0, -1]) for P in starts))[0]
        options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        found = (minimize(lambda p: self(p[None]), P[0], method="Nelder-Mead", options=options) for P in starts)
        return min(one.fun for one in found)
