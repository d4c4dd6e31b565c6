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
    back: np.ndarray  # (d + 1, p): back @ theta are the coefficients and the intercept


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
        T = np.diag(1 / scale)[:, kept]
        B = U[:, kept] / scale[kept]
    else:
        B, T = _orthonormal(U, c, np.sqrt(c @ X**2))
    back = np.concatenate([T, -(mean @ T)[None]])
    strength = np.abs(T).sum(axis=0)
    l1, l2 = problem.l1 * strength, problem.l2 * strength**2
    if problem.fit_intercept:
        B = np.concatenate([B, np.ones((len(B), 1), np.longdouble)], axis=1)
        l1, l2 = np.append(l1, 0), np.append(l2, 0)
        back = np.concatenate([back, np.eye(d + 1, dtype=np.longdouble)[:, -1:]], axis=1)
    return Coordinates(B, l1, l2, back)


def _orthonormal(U: np.ndarray, c: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B with B'cB = 1 and T with B = U T, by Gram and Schmidt, twice; ``norms`` of columns before they were centred."""
    n, d = U.shape
    B, T = np.zeros((n, 0), np.longdouble), np.zeros((d, 0), np.longdouble)
    for j in range(d):
        v, t = U[:, j].copy(), np.eye(d, dtype=np.longdouble)[j]
        norm = np.sqrt(c @ v**2)
        if not norm > 1e-17 * norms[j]:
            continue
        for _ in range(2):
            h = B.T @ (c * v)
            v, t = v - B @ h, t - T @ h
        rest = np.sqrt(c @ v**2)
        if rest > DEPENDENT * norm and B.shape[1] < n:
            B, T = np.column_stack([B, v / rest]), np.column_stack([T, t / rest])
    return B, T
