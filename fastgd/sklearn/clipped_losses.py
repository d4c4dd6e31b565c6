"""Losses whose derivative scikit-learn limits to 1e12, so that training at too large a rate stays finite."""

from __future__ import annotations

from ..compile.term import term
from ..terms.losses.margin import SquaredHinge
from ..terms.losses.regression import HalfSquared, SquaredEpsilonInsensitive


@term
class ClippedHalfSquared(HalfSquared):
    """(z - y)^2 / 2, with a derivative of at most 1e12. Source: scikit-learn, ``_sgd_fast.pyx``."""

    def derivative(self, y: float, z: float) -> float:
        return min(max(z - y, -1e12), 1e12)


@term
class ClippedSquaredHinge(SquaredHinge):
    """max(0, 1 - y z)^2, with a derivative of at most 1e12. Source: scikit-learn, ``_sgd_fast.pyx``."""

    def derivative(self, y: float, z: float) -> float:
        gap = 1.0 - y * z
        return min(max(-2.0 * y * gap, -1e12), 1e12) if gap > 0.0 else 0.0


@term
class ClippedSquaredEpsilonInsensitive(SquaredEpsilonInsensitive):
    """max(0, |z - y| - epsilon)^2, with a derivative of at most 1e12. Source: scikit-learn, ``_sgd_fast.pyx``."""

    def derivative(self, y: float, z: float) -> float:
        r = z - y
        if r > self.epsilon:
            return min(2.0 * (r - self.epsilon), 1e12)
        return max(2.0 * (r + self.epsilon), -1e12) if r < -self.epsilon else 0.0
