"""Phase retrieval: a loss with saddle points, whose local minima are all global if there are enough rows."""

from __future__ import annotations

from typing import ClassVar

from ...compile.term import term
from .loss_protocol import LOSSES


@LOSSES.register("phase_retrieval")
@term
class PhaseRetrieval:
    """(z^2 - y)^2 / 4, for an intensity y = z^2, which does not tell the sign of z; mean: z^2.

    A noisy intensity may be negative: every y is allowed. Not convex, with a saddle point at zero coefficients, where
    the derivative z (z^2 - y) of every row is 0. No curvature: 3 z^2 - y has no bound.
    Source: Candès, Li and Soltanolkotabi, Phase retrieval via Wirtinger flow (2015); Sun, Qu and Wright,
    A geometric analysis of phase retrieval (2018).
    """

    random_start: ClassVar[bool] = True

    def value(self, y: float, z: float) -> float:
        return 0.25 * (z * z - y) * (z * z - y)

    def derivative(self, y: float, z: float) -> float:
        return z * (z * z - y)

    def second_derivative(self, y: float, z: float) -> float:
        return 3.0 * z * z - y

    def mean(self, z: float) -> float:
        return z * z
