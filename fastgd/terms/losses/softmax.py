"""Softmax: the loss for several classes in one model."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...compile.term import term
from .loss_protocol import LOSSES


@LOSSES.register("softmax", "cross_entropy", "multinomial")
@term
class Softmax:
    """log(sum_k exp(z_k)) - z_y for the class number y, from 0: multinomial logistic regression.

    Source: Bridle, Probabilistic interpretation of feedforward classification network outputs (1990).
    The largest z is subtracted first, so that nothing overflows. The largest eigenvalue of the Hessian is at most 1/2
    (Boehning, Multinomial logistic regression algorithm, 1992).

    It is ``joint``: z is an array with an element for each class. ``derivative`` overwrites z with the gradient and
    returns the value, which needs the same exponentials; ``mean`` overwrites z with the probabilities.
    """

    convex: ClassVar[bool] = True
    joint: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: Any) -> float:
        largest, total = self.largest(z), 0.0
        for k in range(z.shape[0]):
            total += math.exp(z[k] - largest)
        return self.below(largest, z[int(y)]) + math.log(total)

    def derivative(self, y: float, z: Any) -> float:
        largest = self.largest(z)
        below = self.below(largest, z[int(y)])
        total = self.exponentiate(z, largest)
        z[int(y)] -= 1.0
        return below + math.log(total)

    def mean(self, z: Any) -> None:
        self.exponentiate(z, self.largest(z))

    def exponentiate(self, z: Any, largest: float) -> float:
        """Overwrite z with the probabilities; return sum_k exp(z_k - largest)."""
        total = 0.0
        for k in range(z.shape[0]):
            z[k] = math.exp(z[k] - largest)
            total += z[k]
        for k in range(z.shape[0]):
            z[k] /= total
        return total

    def largest(self, z: Any) -> float:
        largest = z[0]
        for k in range(1, z.shape[0]):
            largest = max(largest, z[k])
        return float(largest)

    def below(self, largest: float, own: float) -> float:
        # The max prevents the compiler from adding the logarithm to ``largest`` first, which would lose its digits.
        return max(largest - own, 0.0)

    def curvature(self) -> float:
        return 0.5
