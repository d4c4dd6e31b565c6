"""The minimum of a quadratic plus a penalty, over the columns of a working set.

Coordinate descent finds which coefficients are zero; where the penalty is smooth around the others, Newton's method on
them goes the rest of the way at once. Where it leaves the smooth piece of the penalty (with l1: where a coefficient
would change its sign) it stops at the end of that piece, and coordinate descent goes on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..data.feature_matrix import as_scipy
from ..kernels.coordinate_descent import descend, descend_by_columns
from ..kernels.row_access import CSR
from ..objective.gathered_columns import GatheredColumns
from ..terms.penalties import penalty_traits

# Sweeps of coordinate descent before Newton's method is tried, and its steps, in turn, at most ROUNDS times. With 20
# sweeps, supports of nearly all rows took up to three times as long.
SWEEPS, NEWTON_STEPS, ROUNDS = 100, 4, 100
SEPARATE_SWEEPS = 1000
# Parts of the diagonal that are added to it, in turn, until columns that are equal up to rounding have a factor.
JITTERS = (1e-13, 1e-10)


class Blocks(NamedTuple):
    """The blocks of coordinate descent among the columns of a working set; see `descend`."""

    bounds: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, groups: np.ndarray | None, diagonal: np.ndarray, block_of: Any) -> Blocks:
        """``groups`` has the group of each column, equal ones side by side; ``block_of(a, b)`` is a part of H."""
        k = len(diagonal)
        if groups is None:
            return cls(np.arange(k + 1), diagonal)
        bounds = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1, [k]]) if k else np.zeros(1, np.int64)
        largest = [float(np.linalg.eigvalsh(block_of(a, b))[-1]) for a, b in pairwise(bounds.tolist())]
        return cls(bounds.astype(np.int64), np.array(largest))


class PenalisedQuadratic(NamedTuple):
    """gradient . (w - w0) + (w - w0)' H (w - w0) / 2 + the part of the penalty with kinks, times ``factors``."""

    H: np.ndarray
    blocks: Blocks
    penalty: Any
    factors: np.ndarray

    @classmethod
    def of(cls, H: np.ndarray, penalty: Any, factors: np.ndarray, groups: np.ndarray | None) -> PenalisedQuadratic:
        blocks = Blocks.of(groups, np.ascontiguousarray(np.diag(H)), lambda a, b: H[a:b, a:b])
        return cls(np.ascontiguousarray(H), blocks, penalty, factors)

    def minimise(self, w: np.ndarray, gradient: np.ndarray, part: float, tol: float = np.inf) -> None:
        """Move ``w`` to the minimum, and the ``gradient`` of the quadratic with it.

        Until no move of coordinate descent gains more than ``tol``, and ``part`` of the largest of the first sweep, or
        Newton's method has reached the minimum.
        """
        tol = min(tol, part * self._descend(1, w, gradient, 0.0))
        has_newton = penalty_traits(self.penalty).has_smooth_piece
        for _ in range(ROUNDS):
            gain = self._descend(SWEEPS, w, gradient, tol)
            if has_newton and self._newton(w, gradient):
                gain = self._descend(1, w, gradient, tol)
            if gain <= tol:
                break

    def _descend(self, sweeps: int, w: np.ndarray, gradient: np.ndarray, tol: float) -> float:
        quadratic = self.H, *self.blocks, self.penalty, self.factors
        return float(descend(*quadratic, sweeps, tol, gradient, w, np.empty_like(w), np.empty_like(w)))

    def _newton(self, w: np.ndarray, gradient: np.ndarray) -> bool:
        """Newton steps on the coefficients that are not at a kink; whether the last one was whole."""
        for _ in range(NEWTON_STEPS):
            of_penalty, bend, low, high = self.penalty.smooth_piece(w, self.factors)
            free = np.flatnonzero(np.isfinite(of_penalty) & (np.diag(self.H) > 0.0))
            if not len(free):
                return True
            step = -_solve(self.H[np.ix_(free, free)], bend[free], gradient[free] + of_penalty[free])
            if not np.isfinite(step).all():
                return False
            end = np.where(step > 0.0, high[free], low[free])
            with np.errstate(all="ignore"):
                part = np.where(step != 0.0, (end - w[free]) / step, np.inf)
            first = int(np.argmin(part))
            length = min(float(part[first]), 1.0)
            if not length >= 0.0:
                return False
            before = w[free]
            moved = before + length * step
            if part[first] < 1.0:
                moved[first] = end[first]
            w[free] = moved
            gradient += (moved - before) @ self.H[free]
            if part[first] >= 1.0:
                return True
        return False


def _solve(matrix: np.ndarray, bend: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Solve (matrix + diag(bend)) x = b; NaN where it is not positive definite, as a penalty may make it."""
    diagonal = np.diag(matrix).copy()
    for jitter in JITTERS:
        matrix[np.diag_indices_from(matrix)] = diagonal + bend + jitter * diagonal
        try:
            return np.asarray(cho_solve(cho_factor(matrix, check_finite=False), b, check_finite=False))
        except LinAlgError:  # more columns than rows, or columns that are equal
            continue
    return np.full_like(b, np.nan)


class Separate(NamedTuple):
    """As `PenalisedQuadratic` for H = A diag(D) A' + diag(l2), which would be too large to make."""

    columns: GatheredColumns
    D: np.ndarray
    l2: np.ndarray
    intercept: bool
    penalty: Any
    factors: np.ndarray
    groups: np.ndarray | None

    def minimise(self, w: np.ndarray, r: np.ndarray, tol: float) -> float:
        """Move ``w`` to the minimum, and ``r``, the derivative by A'w, with it; returns the intercept's move."""
        A = self.columns.by_column()
        diagonal = self.columns.squares(self.D) + self.l2

        def block_of(a: int, b: int) -> np.ndarray:
            rows = as_scipy(A)[a:b]
            part = rows.toarray() if isinstance(A, CSR) else rows
            return np.asarray((part * self.D) @ part.T + np.diag(self.l2[a:b]))

        blocks = Blocks.of(self.groups, diagonal, block_of)
        of_intercept = float(self.D.sum()) if self.intercept else 0.0
        _, moved = descend_by_columns(
            A, (self.D, self.l2, r), of_intercept, *blocks, self.penalty, self.factors, SEPARATE_SWEEPS, tol,
            np.empty_like(w), w, np.empty((2, len(w))),
        )  # fmt: skip
        return float(moved)
