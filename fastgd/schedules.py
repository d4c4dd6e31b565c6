"""Schedules: the learning rate as a function of progress.

``rate(lr, t, epoch)``: ``lr`` is the base learning rate, ``t`` the number of updates done so far
(0 before the first), ``epoch`` the passes over the data done so far, with a fraction.
"""

from __future__ import annotations

import math

from .errors import OptionError
from .term import term
from .vocabulary import Vocabulary

SCHEDULES = Vocabulary("schedule", {"rate": ("lr", "t", "epoch")})


def _check_share(schedule: str, name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise OptionError(f"{schedule}: {name} lies between 0 and 1, not {value}")


@SCHEDULES.enter("constant")
@term
class Constant:
    """lr. Source: Cauchy (1847)."""

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr


@SCHEDULES.enter("invscaling")
@term
class InverseScaling:
    """lr / (t + 1)^power. Source: Robbins and Monro (1951); scikit-learn's invscaling, which counts t from 1."""

    power: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.power < math.inf:
            raise OptionError(f"invscaling: power must be 0 or more, not {self.power}")

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr / math.pow(t + 1.0, self.power)


@SCHEDULES.enter("step")
@term
class StepDecay:
    """lr factor^floor(epoch / every). Source: PyTorch's StepLR."""

    every: int = 10
    factor: float = 0.5

    def __post_init__(self) -> None:
        if self.every < 1:
            raise OptionError(f"step: every must be 1 epoch or more, not {self.every}")
        _check_share("step", "factor", self.factor)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr * math.pow(self.factor, math.floor(epoch / self.every))


@SCHEDULES.enter("exponential")
@term
class Exponential:
    """lr decay^epoch. Source: PyTorch's ExponentialLR, here with fractional epochs."""

    decay: float = 0.95

    def __post_init__(self) -> None:
        _check_share("exponential", "decay", self.decay)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr * math.pow(self.decay, epoch)


@SCHEDULES.enter("cosine")
@term
class Cosine:
    """final lr + (1 - final) lr (1 + cos(pi min(epoch / epochs, 1))) / 2.

    Source: Loshchilov and Hutter, SGDR (2017), equation 5, without restarts; ``epochs`` is the
    length of the descent and ``final`` the fraction of lr that it ends at.
    """

    epochs: float = 100.0
    final: float = 0.0

    def __post_init__(self) -> None:
        if not self.epochs > 0:
            raise OptionError(f"cosine: epochs must be above 0, not {self.epochs}")
        _check_share("cosine", "final", self.final)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        wave = 0.5 * (1.0 + math.cos(math.pi * min(epoch / self.epochs, 1.0)))
        return lr * (self.final + (1.0 - self.final) * wave)
