"""Penalties that are constant for large coefficients: small ones become 0, as by l1, large ones do not shrink.

In the prox, ``shrinkage`` is the decrease of |v_j|. For small steps the objective of the prox is convex, and the
shrinkage is a continuous function of |v_j|. For larger steps it is concave where the penalty is curved, so that no
minimiser lies there, and the shrinkage jumps to 0 at the |v_j| at which both minima are equal.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...compile.term import term
from ...errors import OptionError
from .penalty_protocol import PENALTIES, check_strength


@PENALTIES.register("mcp")
@term
class MCP:
    """sum_j alpha t_j - t_j^2 / (2 gamma) with t_j = min(|w_j|, gamma alpha): the minimax concave penalty.

    prox for a step s < gamma: 0 up to s alpha, v from gamma alpha on, a line between (firm thresholding);
    for s >= gamma: 0 up to alpha sqrt(s gamma), v beyond (hard thresholding).

    Source: Zhang, Nearly unbiased variable selection under minimax concave penalty (2010); the first
    prox is in Gao and Bruce, WaveShrink with firm shrinkage (1997).
    """

    alpha: float = 0.0
    gamma: float = 3.0
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_strength("mcp", "alpha", self.alpha)
        if not 0 < self.gamma < math.inf:
            raise OptionError(f"mcp: gamma must be a finite number above 0, not {self.gamma}")

    def value(self, w: Any) -> float:
        total = 0.0
        for j in range(w.shape[0]):
            t = min(abs(w[j]), self.gamma * self.alpha)
            total += t * (self.alpha - 0.5 * t / self.gamma)
        return total

    def prox(self, v: Any, step: Any) -> None:
        for j in range(v.shape[0]):
            size, s = abs(v[j]), step[j]
            if s < self.gamma:
                bent = s * max(self.gamma * self.alpha - size, 0.0) / (self.gamma - s)
                shrinkage = min(bent, size) if size > s * self.alpha else size
            else:
                shrinkage = 0.0 if size > self.alpha * math.sqrt(s * self.gamma) else size
            v[j] -= shrinkage if v[j] > 0.0 else -shrinkage

    def selects(self) -> bool:
        return self.alpha > 0.0

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        return piece_of(w, factors, [0.0, self.gamma * self.alpha], [self.alpha, 0.0], [-1.0 / self.gamma, 0.0])


def piece_of(
    w: Any, factors: Any, begins: list[float], slopes: list[float], bends: list[float]
) -> tuple[Any, Any, Any, Any]:
    """`Penalty.smooth_piece` of a symmetric penalty made of parabolas in |w_j|.

    Each begins at one of ``begins``, with this slope and this second derivative.
    """
    import numpy as np

    size, sign = np.abs(w), np.sign(w)
    number = np.searchsorted(begins, size, side="right") - 1
    low, high = np.array(begins)[number], np.array([*begins[1:], np.inf])[number]
    bend = np.array(bends)[number]
    gradient = np.where(
        (size > 0.0) | (factors == 0.0), sign * (np.array(slopes)[number] + bend * (size - low)), np.nan
    )
    return factors * gradient, factors * bend, np.where(sign > 0, low, -high), np.where(sign > 0, high, -low)


@PENALTIES.register("scad")
@term
class SCAD:
    """sum_j alpha t_j - max(t_j - alpha, 0)^2 / (2 (gamma - 1)) with t_j = min(|w_j|, gamma alpha).

    The smoothly clipped absolute deviation. prox for a step s < gamma - 1: soft thresholding by
    s alpha up to (1 + s) alpha, v from gamma alpha on, a line between; for s >= gamma - 1: soft
    thresholding up to alpha (1 + gamma + s) / 2, or alpha sqrt(s (gamma + 1)) if s > gamma + 1, v beyond.

    Source: Fan and Li, Variable selection via nonconcave penalized likelihood (2001), which gives the
    prox for s = 1 and takes gamma = 3.7.
    """

    alpha: float = 0.0
    gamma: float = 3.7
    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_strength("scad", "alpha", self.alpha)
        if not 2 < self.gamma < math.inf:
            raise OptionError(f"scad: gamma must be a finite number above 2, not {self.gamma}")

    def value(self, w: Any) -> float:
        total = 0.0
        for j in range(w.shape[0]):
            t = min(abs(w[j]), self.gamma * self.alpha)
            beyond = max(t - self.alpha, 0.0)
            total += self.alpha * t - 0.5 * beyond * beyond / (self.gamma - 1.0)
        return total

    def prox(self, v: Any, step: Any) -> None:
        for j in range(v.shape[0]):
            size, s = abs(v[j]), step[j]
            shrinkage = s * self.alpha
            if s < self.gamma - 1.0:
                shrinkage = min(shrinkage, s * max(self.gamma * self.alpha - size, 0.0) / (self.gamma - 1.0 - s))
            elif size > self.alpha * self.largest_shrunk(s):
                shrinkage = 0.0
            shrinkage = min(shrinkage, size)
            v[j] -= shrinkage if v[j] > 0.0 else -shrinkage

    def largest_shrunk(self, s: float) -> float:
        """The |v_j| / alpha at which the prox with s >= gamma - 1 jumps."""
        if s <= self.gamma + 1.0:
            return 0.5 * (self.gamma + 1.0 + s)
        return math.sqrt(s * (self.gamma + 1.0))

    def selects(self) -> bool:
        return self.alpha > 0.0

    def smooth_piece(self, w: Any, factors: Any) -> tuple[Any, Any, Any, Any]:
        a, gamma = self.alpha, self.gamma
        return piece_of(w, factors, [0.0, a, gamma * a], [a, a, 0.0], [0.0, -1.0 / (gamma - 1.0), 0.0])
