"""Losses for two classes, y in {-1, +1}, as functions of the margin y z."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...compile.term import term
from .loss_protocol import LOSSES


def log1p_of_fraction(e: float) -> float:
    """log(1 + e) for e in [0, 1], as 2 atanh(s) with s = e / (2 + e), by its series, with a relative error of 2e-16.

    Twice as fast in a kernel as a call of log1p. Source: Abramowitz and Stegun (1964), 4.1.27.
    """
    s = e / (2.0 + e)
    q = s * s  # at most 1/9, so the first omitted term is below 1e-17
    tail = 1 / 23 + q * (1 / 25 + q * (1 / 27 + q * (1 / 29 + q * (1 / 31 + q / 33))))
    tail = 1 / 13 + q * (1 / 15 + q * (1 / 17 + q * (1 / 19 + q * (1 / 21 + q * tail))))
    tail = 1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * tail))))
    return 2.0 * s * (1.0 + q * tail)


@LOSSES.register("logistic", "log_loss", "logit", "binary_cross_entropy")
@term
class Logistic:
    """log(1 + exp(-y z)) for y in {-1, +1}: the negative log likelihood of logistic regression.

    Source: Cox, The regression analysis of binary sequences (1958). Written with exp(-|y z|), which
    cannot overflow (Maechler, Accurately computing log(1 - exp(-|a|)), 2012).
    """

    convex: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        margin = y * z
        return max(-margin, 0.0) + log1p_of_fraction(math.exp(-abs(margin)))

    def derivative(self, y: float, z: float) -> float:
        margin = y * z
        e = math.exp(-abs(margin))
        return -y * (e if margin > 0.0 else 1.0) / (1.0 + e)

    def second_derivative(self, y: float, z: float) -> float:
        e = math.exp(-abs(z))
        return e / ((1.0 + e) * (1.0 + e))

    def mean(self, z: float) -> float:
        e = math.exp(-abs(z))
        return (1.0 if z > 0.0 else e) / (1.0 + e)

    def curvature(self) -> float:
        return 0.25


@LOSSES.register("hinge", "svm")
@term
class Hinge:
    """max(0, 1 - y z) for y in {-1, +1}: the loss of the support vector machine; derivative at the kink: -y.

    No curvature, because of the kink. Source: Cortes and Vapnik, Support-vector networks (1995).
    """

    convex: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    kinked: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        import numpy as np  # not above, so that help texts do without it

        return y, np.minimum(-y, 0.0), np.maximum(-y, 0.0)

    def value(self, y: float, z: float) -> float:
        return max(1.0 - y * z, 0.0)

    def derivative(self, y: float, z: float) -> float:
        return -y if y * z <= 1.0 else 0.0


@LOSSES.register("squared_hinge")
@term
class SquaredHinge:
    """max(0, 1 - y z)^2 for y in {-1, +1}.

    Source: Chang, Hsieh and Lin, Coordinate descent method for large-scale L2-loss linear SVM (2008).
    """

    convex: ClassVar[bool] = True
    classifies: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        short = max(1.0 - y * z, 0.0)
        return short * short

    def derivative(self, y: float, z: float) -> float:
        return -2.0 * y * max(1.0 - y * z, 0.0)

    def second_derivative(self, y: float, z: float) -> float:
        return 2.0 if y * z < 1.0 else 0.0

    def curvature(self) -> float:
        return 2.0


@LOSSES.register("modified_huber")
@term
class ModifiedHuber:
    """max(0, 1 - y z)^2 where y z >= -1, else -4 y z, for y in {-1, +1}; mean: (1 + z) / 2, clipped to [0, 1].

    Source: Zhang, Solving large scale linear prediction problems using stochastic gradient descent
    algorithms (2004); the probability is from Zhang, Statistical behavior and consistency of
    classification methods based on convex risk minimization (2004).
    """

    convex: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    probabilistic: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def value(self, y: float, z: float) -> float:
        margin = y * z
        short = max(1.0 - margin, 0.0)
        return short * short if margin >= -1.0 else -4.0 * margin

    def derivative(self, y: float, z: float) -> float:
        return -2.0 * y * min(max(1.0 - y * z, 0.0), 2.0)

    def second_derivative(self, y: float, z: float) -> float:
        return 2.0 if -1.0 < y * z < 1.0 else 0.0

    def mean(self, z: float) -> float:
        return 0.5 * (1.0 + min(max(z, -1.0), 1.0))

    def curvature(self) -> float:
        return 2.0


@LOSSES.register("perceptron")
@term
class Perceptron:
    """max(0, -y z) for y in {-1, +1}; derivative at the kink: -y, so that training can start at zero coefficients.

    No curvature, because of the kink. Source: Rosenblatt, The perceptron (1958).
    """

    convex: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    kinked: ClassVar[bool] = True

    def minimum(self, y: float) -> float:
        return 0.0

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        import numpy as np  # not above, so that help texts do without it

        return np.zeros_like(y), np.minimum(-y, 0.0), np.maximum(-y, 0.0)

    def value(self, y: float, z: float) -> float:
        return max(-y * z, 0.0)

    def derivative(self, y: float, z: float) -> float:
        return -y if y * z <= 0.0 else 0.0
