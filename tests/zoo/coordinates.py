"""Coordinates in which a problem is well conditioned: z = B theta + offset, in extended precision.

Columns are centred where there is an intercept. Without a penalty they are made orthonormal (in the weights of the
rows), which takes out collinear and dependent columns; with one they are only scaled, so that it stays separable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .problems import Problem

DEPENDENT = 1e-14  # a column is dependent if less than this part of it is orthogonal to the columns before


class Coordinates(NamedTuple):
    B: np.ndarray  # (n, p), of longdouble; the last column is the intercept's, where there is one
    l1: np.ndarray  # (p,), weights of |theta_j|
    l2: np.ndarray  # of theta_j^2 / 2
    R: np.ndarray  # upper triangular: B without the intercept's column is X[:, kept], centred, times R^-1
    kept: np.ndarray
    mean: np.ndarray  # of the columns of X, or zeros without an intercept

    def model(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and intercept of each row of theta, by substitution, which leaves small residuals."""
        coef = np.zeros((len(theta), len(self.mean)), np.longdouble)
        solved, m = np.zeros((len(theta), len(self.kept)), np.longdouble), len(self.kept)
        for j in reversed(range(m)):
            solved[:, j] = (theta[:, j] - solved[:, j + 1 :] @ self.R[j, j + 1 :]) / self.R[j, j]
        coef[:, self.kept] = solved
        intercept = theta[:, m] - coef @ self.mean if theta.shape[1] > m else np.zeros(len(theta), np.longdouble)
        return coef, intercept


def coordinates(problem: Problem, curvature: float, columns: np.ndarray | None = None) -> Coordinates:
    """Coordinates of these columns of X (all unless given); ``curvature`` of the loss, for the scale of l2."""
    X, c = problem.X.astype(np.longdouble), problem.shares
    d = X.shape[1]
    mean = (c @ X).astype(float).astype(np.longdouble) if problem.fit_intercept else np.zeros(d, np.longdouble)
    U = X - mean
    kept = np.arange(d) if columns is None else columns
    if problem.alpha > 0:
        # Scales after which the curvature of loss and l2 is about 1.
        scale = np.sqrt(c @ U**2 + problem.l2 / curvature)
        scale[scale == 0] = 1
        R = np.diag(scale[kept])
        B, strength = U[:, kept] / scale[kept], 1 / scale[kept]
    else:
        B, R, kept = _orthonormal(U, c, np.sqrt(c @ X**2))
        strength = np.zeros(B.shape[1], np.longdouble)
    l1, l2 = problem.l1 * strength, problem.l2 * strength**2
    if problem.fit_intercept:
        B = np.concatenate([B, np.ones((len(B), 1), np.longdouble)], axis=1)
        l1, l2 = np.append(l1, 0), np.append(l2, 0)
    return Coordinates(B, l1, l2, R, kept, mean)


def _orthonormal(U: np.ndarray, c: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B, R and the independent columns, U[:, kept] = B R with B'cB = 1, by Gram and Schmidt with pivots, twice.

    ``norms`` are those of the columns before they were centred: what is left of a constant column is rounding. The
    column of which most is left comes next, so that the coefficients are of moderate size.
    """
    n, d = U.shape
    own = np.sqrt(c @ U**2)
    usable = own > 1e-17 * norms
    V, B, R, kept = U.copy(), np.zeros((n, 0), np.longdouble), np.zeros((d, d), np.longdouble), []
    while usable.any() and len(kept) < n:
        left = np.where(usable, np.sqrt(c @ V**2) / np.where(usable, own, 1), 0)
        j = int(np.argmax(left))
        if not left[j] > DEPENDENT:
            break
        v, products = U[:, j].copy(), np.zeros(len(kept), np.longdouble)
        for _ in range(2):
            h = B.T @ (c * v)
            v, products = v - B @ h, products + h
        m, rest = len(kept), np.sqrt(c @ v**2)
        R[:m, m], R[m, m] = products, rest
        B = np.column_stack([B, v / rest])
        V = V - np.outer(B[:, m], (c * B[:, m]) @ V)
        usable[j] = False
        kept.append(j)
    return B, R[: len(kept), : len(kept)], np.array(kept, int)
