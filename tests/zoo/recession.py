"""Whether F has a minimum: a direction in which it falls for ever, or approaches its bound, is found by HiGHS.

Logistic and softmax losses without a penalty have none where the classes can be separated, poisson and tweedie none
where a direction lowers z in rows of zeros only, and both where an unpenalised intercept alone does that.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from .coordinates import coordinates
from .problems import Problem


def has_no_optimum(problem: Problem) -> bool:
    name, y = problem.loss.name, problem.y
    if name not in ("logistic", "softmax", "poisson", "tweedie"):
        return False  # piecewise linear and quadratic losses reach their bounds, gamma grows on both sides
    if problem.alpha > 0:
        B = np.ones((len(y), int(problem.fit_intercept)))
    else:
        B = coordinates(problem, 1.0).B.astype(float)
    if B.shape[1] == 0:
        return False
    if name == "logistic":
        return _can_rise(y[:, None] * B, np.zeros((0, B.shape[1])))
    if name == "softmax":
        return _can_rise(
            _differences(B, y.astype(int), problem.n_classes), np.zeros((0, B.shape[1] * problem.n_classes))
        )
    return _can_rise(-B[y == 0], B[y > 0])


def _differences(B: np.ndarray, y: np.ndarray, K: int) -> np.ndarray:
    """Rows that give z of a row's own class minus that of another one."""
    rows = []
    for k in range(K):
        others = y != k
        block = np.zeros((others.sum(), K, B.shape[1]))
        block[np.arange(len(block)), y[others]] += B[others]
        block[:, k] -= B[others]
        rows.append(block.reshape(len(block), -1))
    return np.concatenate(rows)


def _can_rise(rising: np.ndarray, still: np.ndarray) -> bool:
    """Whether a direction v has rising @ v >= 0, not all 0, and still @ v = 0."""
    if not len(rising):
        return False
    if len(still):  # v within the null space of ``still``
        _, sizes, vectors = np.linalg.svd(still, full_matrices=True)
        rank = int(np.sum(sizes > 1e-10 * sizes.max())) if len(sizes) else 0
        rising = rising @ vectors[rank:].T
        if rising.shape[1] == 0:
            return False
    norms = np.linalg.norm(rising, axis=1)
    rising = rising[norms > 1e-9 * norms.max()] / norms[norms > 1e-9 * norms.max()][:, None]
    # max of the sum of min(rising @ v, 1): at least 1 if there is such a direction, else 0.
    n, p = rising.shape
    A = np.concatenate([-rising, rising])
    limits = np.concatenate([np.zeros(n), np.full(n, 1e4)])
    solved = linprog(
        -rising.sum(axis=0) / n, A_ub=A, b_ub=limits, bounds=[(-1.0, 1.0)] * p, method="highs",
        options={"primal_feasibility_tolerance": 1e-9},
    )  # fmt: skip
    return bool(solved.x is not None and (rising @ solved.x).max() > 1e-6)
