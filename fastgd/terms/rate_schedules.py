"""Schedules: the learning rate as a function of progress; see `Schedule`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..compile.term import term
from ..errors import OptionError
from ..wording import option
from .schedule_protocol import SCHEDULES as SCHEDULES
from .schedule_protocol import Schedule as Schedule
from .schedule_protocol import bind_schedule as bind_schedule
from .schedule_protocol import schedule_traits as schedule_traits

WARMUP_START = 0.01  # of lr, the rate at which a warm-up begins


def _check_not_negative(schedule: str, name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise OptionError(f"{schedule}: {name} must be a finite number, 0 or more, not {value}")


def _check_between(schedule: str, name: str, value: float) -> None:
    if not 0 < value < 1:
        raise OptionError(f"{schedule}: {name} must lie strictly between 0 and 1, not {value}")


def _check_share(schedule: str, name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise OptionError(f"{schedule}: {name} must lie between 0 and 1, not {value}")


@SCHEDULES.register("constant")
@term
class Constant:
    """lr. Source: Cauchy (1847)."""

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr


@SCHEDULES.register("invscaling")
@term
class InverseScaling:
    """lr / (t + 1)^power. Source: Robbins and Monro (1951); scikit-learn's invscaling, which counts t from 1."""

    power: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.power < math.inf:
            raise OptionError(f"invscaling: power must be 0 or more, not {self.power}")

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr / math.pow(t + 1.0, self.power)


@SCHEDULES.register("step")
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


@SCHEDULES.register("exponential")
@term
class Exponential:
    """lr decay^epoch. Source: PyTorch's ExponentialLR, here with fractional epochs."""

    decay: float = 0.95

    def __post_init__(self) -> None:
        _check_share("exponential", "decay", self.decay)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr * math.pow(self.decay, epoch)


def half_wave(x: float) -> float:
    """Half a cosine wave: from 1 at x = 0 to 0 at x = 1."""
    return 0.5 * (1.0 + math.cos(math.pi * x))


@SCHEDULES.register("cosine")
@term
class Cosine:
    """final lr + (1 - final) lr (1 + cos(pi min((epoch - warmup) / (epochs - warmup), 1))) / 2;
    before ``warmup`` epochs, lr (0.01 + 0.99 epoch / warmup).

    Source: Loshchilov and Hutter, SGDR (2017), equation 5, without restarts; ``epochs`` is the length
    of warmup and descent, by default the length of the fit, and ``final`` the fraction of lr at the end.
    """

    epochs: float = 0.0
    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        _check_not_negative("cosine", "epochs", self.epochs)
        _check_share("cosine", "final", self.final)
        _check_not_negative("cosine", "warmup", self.warmup)
        if 0 < self.epochs <= self.warmup:
            raise OptionError(f"cosine: warmup must be shorter than all {self.epochs:g} epochs, not {self.warmup:g}")

    def rate(self, lr: float, t: int, epoch: float) -> float:
        if epoch < self.warmup:
            return lr * (WARMUP_START + (1.0 - WARMUP_START) * epoch / self.warmup)
        wave = half_wave(min((epoch - self.warmup) / (self.epochs - self.warmup), 1.0))
        return lr * (self.final + (1.0 - self.final) * wave)

    def bind(self, *, max_epochs: float, alpha: float, loss: Any) -> Any:
        return type(self)(epochs=self.epochs or max_epochs, final=self.final, warmup=self.warmup)


@SCHEDULES.register("onecycle")
@term
class OneCycle:
    """From lr / div_factor up to lr by half a cosine in the first pct_start of ``epochs``, then down by
    another to lr / div_factor / final_div_factor.

    Source: Smith and Topin, Super-convergence (2019), with the numbers of PyTorch's OneCycleLR, whose
    max_lr is lr. PyTorch ends each half one step early; here they end as stated. ``epochs`` is by default the
    length of the fit.
    """

    epochs: float = 0.0
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        _check_not_negative("onecycle", "epochs", self.epochs)
        _check_between("onecycle", "pct_start", self.pct_start)
        for name, value in (("div_factor", self.div_factor), ("final_div_factor", self.final_div_factor)):
            if not 1 <= value < math.inf:
                raise OptionError(f"onecycle: {name} must be a finite number, 1 or more, not {value}")

    def rate(self, lr: float, t: int, epoch: float) -> float:
        done = min(epoch / self.epochs, 1.0)
        first = lr / self.div_factor
        if done < self.pct_start:
            return lr + (first - lr) * half_wave(done / self.pct_start)
        last = first / self.final_div_factor
        return last + (lr - last) * half_wave((done - self.pct_start) / (1.0 - self.pct_start))

    def bind(self, *, max_epochs: float, alpha: float, loss: Any) -> Any:
        return type(self)(self.epochs or max_epochs, self.pct_start, self.div_factor, self.final_div_factor)


@SCHEDULES.register("optimal")
@term
class Optimal:
    """1 / (alpha (t0 + t)), for any lr; t0 = 1 / (alpha eta), eta = typical w / max(1, loss'(-typical w)) for y = 1.

    With typical w = alpha^(-1/4). Source: Bottou, Stochastic gradient descent tricks (2012), section 4.3, t0
    as in scikit-learn's schedule of that name. ``alpha`` is by default the strength of the penalty.
    """

    alpha: float = 0.0
    t0: float = 0.0
    sets_rate: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_not_negative("optimal", "alpha", self.alpha)
        _check_not_negative("optimal", "t0", self.t0)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return 1.0 / (self.alpha * (self.t0 + t))

    def bind(self, *, max_epochs: float, alpha: float, loss: Any) -> Any:
        alpha = _strength("optimal", self.alpha or alpha)
        typical = math.sqrt(1.0 / math.sqrt(alpha))
        first_rate = typical / max(1.0, loss.derivative(1.0, -typical))
        return type(self)(alpha, self.t0 or 1.0 / (alpha * first_rate))


@SCHEDULES.register("pegasos")
@term
class Pegasos:
    """1 / (alpha (t + 1)), for any lr; ``alpha`` is by default the strength of the penalty.

    Source: Shalev-Shwartz, Singer, Srebro and Cotter, Pegasos: primal estimated sub-gradient solver for
    SVM (2011), figure 1, whose t counts from 1.
    """

    alpha: float = 0.0
    sets_rate: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_not_negative("pegasos", "alpha", self.alpha)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return 1.0 / (self.alpha * (t + 1.0))

    def bind(self, *, max_epochs: float, alpha: float, loss: Any) -> Any:
        return type(self)(_strength("pegasos", self.alpha or alpha))


def _strength(schedule: str, alpha: float) -> float:
    if not alpha > 0:
        hint = f"give {option('alpha')}, or write '{schedule}:alpha=0.0001'"
        raise OptionError(f"schedule '{schedule}' divides by the strength of the penalty, which is 0: {hint}")
    return alpha


@SCHEDULES.register("adaptive")
@term
class Adaptive:
    """lr, multiplied by ``factor`` whenever the best loss has improved by less than ``tol`` times it for
    ``patience`` epochs.

    The training loop does that, see `Schedule.feedback`. Source: scikit-learn's schedule of that name, with the same
    factor 0.2; PyTorch's ReduceLROnPlateau.
    """

    factor: float = 0.2
    patience: int = 5
    tol: float = 1e-3
    feedback: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_between("adaptive", "factor", self.factor)
        if self.patience < 1:
            raise OptionError(f"adaptive: patience must be 1 epoch or more, not {self.patience}")
        _check_not_negative("adaptive", "tol", self.tol)

    def rate(self, lr: float, t: int, epoch: float) -> float:
        return lr
