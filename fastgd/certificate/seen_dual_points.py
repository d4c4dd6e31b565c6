"""Dual points out of gradients that a method has asked for already: they cost no pass over X.

The slopes at two evaluated points, mixed so that their mean is zero, are a dual point. By the convexity of l* it costs
the share t of the other point times how far the mean loss is above its tangent there,

    loss - level = t (L(w, b) - L(w', b') - gradient L(w', b') . (w - w', b - b')),

which is small for two points on the way to the optimum, where t is at most 1 and the second factor falls with the
square of their distance. For squared losses l* is a quadratic and the cost known exactly, with t^2 in the place of t;
t may be below zero then, that is two mean slopes may have the same sign. See `dual` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..objective.evaluations import Evaluation
from ..objective.problem import Problem
from ..terms.losses import is_squared
from .dual_point import DualPoint


class Seen(NamedTuple):
    """One output of an evaluation: the mean loss, the mean of the slopes, and that of their products with x."""

    w: np.ndarray
    b: float
    loss: float
    mean: float
    products: np.ndarray

    @classmethod
    def of(cls, evaluation: Evaluation, k: int, d: int) -> Seen:
        assert evaluation.gradient is not None
        params, gradient = np.atleast_2d(evaluation.params)[k], np.atleast_2d(evaluation.gradient)[k]
        b, mean = (float(params[d]), float(gradient[d])) if len(params) > d else (0.0, 0.0)
        return cls(params[:d], b, float(evaluation.losses[k]), mean, gradient[:d])

    def below(self, other: Seen) -> float:
        """How far the loss at ``other`` is above the tangent at this point."""
        along = float(self.products @ (other.w - self.w)) + self.mean * (other.b - self.b)
        return max(other.loss - self.loss - along, 0.0)

    @property
    def scale(self) -> float:
        """Of the sums that a tangent's value comes from."""
        return abs(self.loss) + abs(float(self.products @ self.w)) + abs(self.mean * self.b)


def at(problem: Problem, k: int, params: np.ndarray) -> Seen | None:
    """What is known of output k at its weights ``params``; None where its gradient is not.

    Nor where it is less precise than a bound has to be, for X in float32, or how large the sums were that it comes
    from is not known, with an offset.
    """
    if problem.dtype != np.float64 or len(problem.targets.offset):
        return None
    points = (p for p in reversed(problem.evaluations.points) if np.array_equal(np.atleast_2d(p.params)[k], params))
    return next((Seen.of(point, k, problem.n_features) for point in points), None)


def seen_points(problem: Problem, k: int, params: np.ndarray) -> Iterator[DualPoint]:
    """Dual points for output k at its weights ``params``, the latest first; none where its gradient is not known."""
    own = at(problem, k, params)
    if own is None:
        return
    if own.mean == 0.0:
        yield DualPoint(own.loss, own.loss, own.products[None, :], own.scale)
    squared = is_squared(problem.loss)
    for other in (Seen.of(point, k, problem.n_features) for point in reversed(problem.evaluations.points)):
        apart = own.mean - other.mean
        share = own.mean / apart if apart != 0.0 else 1.0
        # Beyond a share of -1 the mixture is more of the other point, and its rounding, than of this one.
        if -float(squared) < share < 1.0 and share != 0.0 and np.isfinite([other.loss, *other.products]).all():
            yield _mixed(own, other, share, squared)


def _mixed(own: Seen, other: Seen, share: float, squared: bool) -> DualPoint:
    """The point whose mean slope is zero on the line through two, at this ``share`` of the other."""
    products = (1.0 - share) * own.products + share * other.products
    level = own.loss - (share**2 if squared else share) * other.below(own)
    return DualPoint(own.loss, level, products[None, :], own.scale + abs(share) * other.scale)
