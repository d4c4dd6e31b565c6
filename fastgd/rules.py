"""Update rules: how a gradient moves a weight. PyTorch's conventions for epsilon and bias correction.

Each rule is written for one weight; the kernel loops over them. For gradient ``g`` (the smooth part
of the penalty included), rate ``lr`` and update number ``t`` (1 for the first):

``step(g, lr, t, m, v)`` returns ``move, reach, m, v``: the weight goes to w + move, the prox of the
penalty then acts with step size ``reach`` (adaptive rules: their own metric), and m and v are the
rule's state for this weight, both 0 at first.

``settle(w, change, lr, m)`` returns ``w, m`` after the prox, which moved the weight by ``change``
(exactly 0 where it did nothing). Momentum needs it: its memory must hold the displacement that took
place, or the weights would settle away from the optimum.
"""

from __future__ import annotations

import math
from typing import ClassVar

from .errors import OptionError
from .term import term
from .vocabulary import Vocabulary

RULES = Vocabulary("rule", {"step": ("g", "lr", "t", "m", "v"), "settle": ("w", "change", "lr", "m")})

SMALLEST_EPSILON = 1e-300

Step = tuple[float, float, float, float]
Settled = tuple[float, float]


def _check_fraction(rule: str, name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise OptionError(f"{rule}: {name} lies between 0 and 1 (below 1), not {value}")


def _check_epsilon(rule: str, value: float) -> None:
    # A column of zeros has no gradient, and 0 divided by nearly 0 must still be 0.
    if not SMALLEST_EPSILON <= value < math.inf:
        raise OptionError(f"{rule}: epsilon must be above 0, not {value}")


@RULES.enter("sgd")
@term
class SGD:
    """w <- w - lr g. Source: Cauchy (1847); Robbins and Monro (1951)."""

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        return -lr * g, lr, m, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        return w, m


@RULES.enter("momentum")
@term
class Momentum:
    """m <- beta m + g; w <- w - lr m. With a prox: w+ = prox(w - lr g + beta (w - w-)).

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_fraction("momentum", "beta", self.beta)

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        m = self.beta * m + g
        return -lr * m, lr, m, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        return w, (m if change == 0.0 else m - change / lr)

    def damping(self) -> float:
        return 1.0 - self.beta


@RULES.enter("nesterov")
@term
class Nesterov:
    """m <- beta m + g; w <- w - lr (g + beta m). The prox acts before the look ahead, as in FISTA.

    Source: Nesterov (1983), in the form of Sutskever et al., On the importance of initialization and
    momentum in deep learning (2013), as PyTorch writes it.
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_fraction("nesterov", "beta", self.beta)

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        return -lr * g, lr, self.beta * m + g, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        if change != 0.0:
            m -= change / lr
        return w - lr * self.beta * m, m

    def damping(self) -> float:
        return 1.0 - self.beta


@RULES.enter("adagrad")
@term
class AdaGrad:
    """v <- v + g^2; w <- w - lr g / (sqrt(v) + epsilon). Source: Duchi, Hazan and Singer (2011)."""

    epsilon: float = 1e-10
    default_rate: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        _check_epsilon("adagrad", self.epsilon)

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        v += g * g
        reach = lr / (math.sqrt(v) + self.epsilon)
        return -reach * g, reach, m, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        return w, m


@RULES.enter("rmsprop")
@term
class RMSProp:
    """v <- rho v + (1 - rho) g^2; w <- w - lr g / (sqrt(v) + epsilon).

    Source: Tieleman and Hinton, Lecture 6.5 (2012); epsilon outside the root, as in PyTorch.
    """

    rho: float = 0.99
    epsilon: float = 1e-8
    default_rate: ClassVar[float] = 0.01

    def __post_init__(self) -> None:
        _check_fraction("rmsprop", "rho", self.rho)
        _check_epsilon("rmsprop", self.epsilon)

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        v = self.rho * v + (1.0 - self.rho) * g * g
        reach = lr / (math.sqrt(v) + self.epsilon)
        return -reach * g, reach, m, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        return w, m


@RULES.enter("adam")
@term
class Adam:
    """m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    w <- w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).

    Source: Kingma and Ba, Adam (2015), algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    default_rate: ClassVar[float] = 0.01

    def __post_init__(self) -> None:
        _check_fraction("adam", "beta1", self.beta1)
        _check_fraction("adam", "beta2", self.beta2)
        _check_epsilon("adam", self.epsilon)

    def step(self, g: float, lr: float, t: int, m: float, v: float) -> Step:
        m = self.beta1 * m + (1.0 - self.beta1) * g
        v = self.beta2 * v + (1.0 - self.beta2) * g * g
        reach = lr / (math.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon)
        return -reach * m / (1.0 - self.beta1**t), reach, m, v

    def settle(self, w: float, change: float, lr: float, m: float) -> Settled:
        return w, m
