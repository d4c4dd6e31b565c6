"""The minimum of a loss with kinks: by HiGHS where F is piecewise linear, by interior points with l2; and its proof.

F is a sum of pieces max(low r, high r), r = a.theta - t, the |theta_j| of l1 among them, and l2. A solution is polished
to a vertex: the pieces whose multipliers lie within their boxes have r = 0, which with l2 makes a linear system. The
proof is the duality gap  sum of [max(low r, high r) - u r] >= 0, and what is left of A'u + l2 theta, where l2 cannot
account for it, times plausible sizes of theta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from .losses import Loss
from .piecewise_qp import PiecewiseQP, interior_point

Extended = np.longdouble


class Pieces(NamedTuple):
    A: np.ndarray
    t: np.ndarray
    low: np.ndarray
    high: np.ndarray
    l2: np.ndarray

    def residuals(self, theta):
        return self.A @ theta - self.t

    def value(self, theta):
        r = self.residuals(theta)
        return np.maximum(self.low * r, self.high * r).sum() + self.l2 @ theta**2 / 2

    def gap(self, theta, u) -> float:
        """An upper bound of F(theta) - F*, by the multipliers u, which are moved into their boxes first."""
        u = np.clip(u, self.low, self.high)
        r = self.residuals(theta)
        terms = np.maximum(self.low * r, self.high * r) - u * r
        left = np.abs(self.A.T @ u + self.l2 * theta)
        unit = np.abs(theta).max() + np.abs(r).mean() + np.abs(self.t).mean()
        by_size = left * (np.abs(theta) + unit)
        with np.errstate(divide="ignore", invalid="ignore"):
            by_curvature = np.where(self.l2 > 0, left**2 / (2 * self.l2), np.inf)
        return float(terms.sum() + np.minimum(by_size, by_curvature).sum())


class Found(NamedTuple):
    theta: np.ndarray
    value: np.longdouble
    gap: float


class Box(NamedTuple):
    """Pieces that are given."""

    t: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def pieces(self, y):
        return self


def pieces_of(loss, y, c, offset, B, l1, l2) -> Pieces:
    t, low, high = loss.pieces(y)
    count, p = len(t), B.shape[1]
    penalised = np.flatnonzero(l1)
    A = np.concatenate([*[B] * count, np.eye(p, dtype=Extended)[penalised]])
    t = np.concatenate([(t - offset).ravel(), np.zeros(len(penalised))]).astype(Extended)
    low = np.concatenate([(low * c).ravel(), -l1[penalised]]).astype(Extended)
    high = np.concatenate([(high * c).ravel(), l1[penalised]]).astype(Extended)
    return Pieces(A, t, low, high, l2)


def minimise(pieces: Pieces, start=None) -> Found:
    """``start`` is a model that may be the optimum."""
    thetas, multipliers = [] if start is None else [start], []
    best = None
    for way in [_interior] if pieces.l2.any() else [_simplex, _interior]:
        solution = way(pieces)
        if solution is None:
            continue
        vertices = [_vertex(pieces, *solution, share) for share in (1e-7, 1e-4, 1e-2)]
        for theta, u in [solution, *filter(None, vertices)]:
            thetas.append(theta.astype(Extended))
            multipliers += [u, *(_feasible(pieces, each, u) for each in (*thetas[:1], thetas[-1]))]
        best = _best(pieces, thetas, multipliers)
        if best.gap <= 1e-14 * abs(best.value):
            break
    return best


def _best(pieces: Pieces, thetas, multipliers) -> Found:
    """The theta of the lowest F, with the smallest of the gaps that the multipliers prove."""
    values = [pieces.value(theta) for theta in thetas]
    lowest = thetas[int(np.argmin(values))]
    gaps = [pieces.gap(theta, u) for theta in thetas for u in multipliers]
    tightest = int(np.argmin(gaps))
    theta, value = thetas[tightest // len(multipliers)], values[tightest // len(multipliers)]
    if min(values) < gaps[tightest]:  # F is 0 or more
        return Found(lowest, min(values), float(min(values)))
    return Found(theta, value, gaps[tightest])


def huber_start(loss, y, c, offset, B, l1, l2):
    """The minimum with the loss of Huber, to the precision of interior points: u^2 / 2c is added to its dual."""
    delta, rows = loss.setting, len(y)
    box = Loss("absolute").pieces(y)
    pieces = pieces_of(Box(box[0], delta * box[1], delta * box[2]), y, c, offset, B, l1, l2)
    softness = np.zeros(len(pieces.A))
    softness[:rows] = 1 / c
    return _interior(pieces, softness)[0].astype(Extended)


def _simplex(pieces: Pieces):
    """The dual: max of -t.u with A'u = 0 and low <= u <= high; theta are its multipliers."""
    width = pieces.high - pieces.low
    unit = np.median(width)
    A, t = (width[:, None] * pieces.A / unit).astype(float), (width * pieces.t / unit).astype(float)
    bounds = np.column_stack([pieces.low / width, pieces.high / width]).astype(float)
    solved = linprog(t, A_eq=csr_array(A.T), b_eq=np.zeros(A.shape[1]), bounds=bounds, method="highs-ds",
                     options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})  # fmt: skip
    if solved.x is None:
        return None
    return solved.eqlin.marginals, solved.x * width


def _interior(pieces: Pieces, softness=0.0):
    Q = np.diag(pieces.l2.astype(float))
    A, t, low, high = (part.astype(float) for part in pieces[:4])
    size = float(np.sum(high - low))
    qp = PiecewiseQP(Q / size, np.zeros(len(Q)), A, t, low / size, high / size, softness * size)
    theta, u = interior_point(qp)
    return theta, u * size


def _vertex(pieces: Pieces, theta, u, share: float):
    """theta and u with r = 0 for the pieces whose multipliers are within their boxes by more than ``share`` of them."""
    width = (pieces.high - pieces.low).astype(float)
    u = np.clip(u.astype(float), pieces.low.astype(float), pieces.high.astype(float))
    inside = np.minimum(pieces.high - u, u - pieces.low).astype(float) > share * width
    r = pieces.residuals(theta.astype(Extended))
    fixed = np.where(r > 0, pieces.high, pieces.low)
    fixed = np.where(
        u - pieces.low < share * width, pieces.low, np.where(pieces.high - u < share * width, pieces.high, fixed)
    )
    fixed[inside] = 0
    A, t = pieces.A[inside], pieces.t[inside]
    p, k = pieces.A.shape[1], len(A)
    if k > 4 * p:
        return None
    # [l2 A'; A 0] [theta; u] = [-A'u of the others; t], the multipliers in units of the boxes.
    unit = float(np.median(width))
    K = np.zeros((p + k, p + k), Extended)
    K[:p, :p], K[:p, p:], K[p:, :p] = np.diag(pieces.l2 / unit), A.T, A
    right = np.concatenate([-(pieces.A.T @ fixed) / unit, t])
    x = np.concatenate([theta.astype(Extended), u[inside].astype(Extended) / unit])
    try:
        inverse = np.linalg.pinv(K.astype(float), rcond=1e-13)
    except np.linalg.LinAlgError:
        return None
    for _ in range(6):
        x = x + inverse @ (right - K @ x).astype(float)
    full = fixed.copy()
    full[inside] = x[p:] * unit
    return x[:p], full


def _feasible(pieces: Pieces, theta, u):
    """The nearest multipliers for which theta is stationary, near in units of their distances from the ends."""
    u = np.clip(u, pieces.low, pieces.high)
    room = np.minimum(pieces.high - u, u - pieces.low)
    weighted = (room**2)[:, None] * pieces.A
    gram = (pieces.A.T @ weighted).astype(float)
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = np.linalg.pinv(gram * scale * scale[:, None], rcond=1e-12, hermitian=True)
    for _ in range(4):
        left = pieces.A.T @ u + pieces.l2 * theta
        u = u - weighted @ (scale * (inverse @ (scale * left).astype(float)))
    return u
