"""Dual points from evaluations that training has made: they cost no pass over X.

The derivatives at two evaluated points, mixed so that their mean is zero, are a dual point. By the convexity of l* its
level is below the mean loss by at most the share t of the other point times the gap to the other point's tangent,

    loss - level = t (L(w, b) - L(w', b') - gradient L(w', b') . (w - w', b - b')),

which is small for two points on the way to the optimum: t is at most 1, and the second factor falls with the square of
their distance. For squared losses l* is a quadratic and the cost is known exactly, with t^2 in place of t; t may then
be negative, that is, the two mean derivatives may have the same sign. See `dual_point` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..terms.losses import is_squared
from .dual_point import DualPoint


class SeenPoint(NamedTuple):
    """One output of an evaluation: the mean loss, the mean derivative, and the mean product of derivative and x."""

    w: np.ndarray
    b: float
    loss: float
    mean: float
    products: np.ndarray

    @classmethod
    def of(cls, evaluation: Evaluation, k: int, d: int) -> SeenPoint:
        params, gradient = np.atleast_2d(evaluation.params)[k], np.atleast_2d(evaluation.gradient)[k]
        b, mean = (float(params[d]), float(gradient[d])) if len(params) > d else (0.0, 0.0)
        return cls(params[:d], b, float(evaluation.losses[k]), mean, gradient[:d])

    def below(self, other: SeenPoint) -> float:
        """How far the loss at ``other`` is above the tangent at this point."""
        along = float(self.products @ (other.w - self.w)) + self.mean * (other.b - self.b)
        return max(other.loss - self.loss - along, 0.0)

    @property
    def scale(self) -> float:
        """Magnitude of the sums in the value of the tangent, for the allowance for rounding."""
        return abs(self.loss) + abs(float(self.products @ self.w)) + abs(self.mean * self.b)


def find_seen(objective: Objective, seen: Sequence[Evaluation], k: int, params: np.ndarray) -> SeenPoint | None:
    """The evaluation of output k at ``params`` if it is among those ``seen``, else None.

    None too for X in float32, where gradients are less precise than a bound needs, and with an offset, where the
    magnitude of the sums is not known.
    """
    if objective.dtype != np.float64 or len(objective.targets.offset):
        return None
    points = (p for p in reversed(seen) if np.array_equal(np.atleast_2d(p.params)[k], params))
    return next((SeenPoint.of(point, k, objective.n_features) for point in points), None)


def seen_points(objective: Objective, seen: Sequence[Evaluation], k: int, params: np.ndarray) -> Iterator[DualPoint]:
    """Dual points for output k at ``params``, the latest first; none if the gradient there was not seen."""
    own = find_seen(objective, seen, k, params)
    if own is None:
        return
    if own.mean == 0.0:
        yield DualPoint(own.loss, own.loss, own.products[None, :], own.scale)
    squared = is_squared(objective.loss)
    for other in (SeenPoint.of(point, k, objective.n_features) for point in reversed(seen)):
        apart = own.mean - other.mean
        share = own.mean / apart if apart != 0.0 else 1.0
        # Beyond a share of -1 the other point, and its rounding, would dominate the mixture.
        is_finite = np.isfinite(other.loss) and np.isfinite(other.products).all()
        if -float(squared) < share < 1.0 and share != 0.0 and is_finite:
            yield _mixed(own, other, share, squared)


def _mixed(own: SeenPoint, other: SeenPoint, share: float, squared: bool) -> DualPoint:
    """The point with a mean derivative of zero on the line through two points, at this ``share`` of the other."""
    products = (1.0 - share) * own.products + share * other.products
    level = own.loss - (share**2 if squared else share) * other.below(own)
    return DualPoint(own.loss, level, products[None, :], own.scale + abs(share) * other.scale)
