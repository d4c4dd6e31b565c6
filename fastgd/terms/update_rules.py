"""Update rules: how a gradient moves a parameter. Epsilon and bias correction follow PyTorch; see `Rule`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..compile.term import term
from ..errors import OptionError
from .rule_protocol import RULES as RULES
from .rule_protocol import Rule as Rule
from .rule_protocol import Settled, Step
from .rule_protocol import rule_traits as rule_traits

SMALLEST_EPSILON = 1e-300
SMALLEST_GRADIENT = 1e-100  # a smaller one counts as 0


def _check_fractions(rule: Any, *names: str) -> None:
    for name in names:
        if not 0 <= (value := getattr(rule, name)) < 1:
            raise OptionError(f"{RULES.name_of(rule)}: {name} must be 0 or more and below 1, not {value}")


def _check_epsilon(rule: Any) -> None:
    # The gradient of a column of zeros is 0, and 0 / epsilon must be 0.
    if not SMALLEST_EPSILON <= rule.epsilon < math.inf:
        raise OptionError(f"{RULES.name_of(rule)}: epsilon must be above 0, not {rule.epsilon}")


def _check_not_negative(rule: Any, *names: str) -> None:
    for name in names:
        if not 0 <= (value := getattr(rule, name)) < math.inf:
            raise OptionError(f"{RULES.name_of(rule)}: {name} must be a finite number, 0 or more, not {value}")


@RULES.register("sgd")
@term
class SGD:
    """w <- w - lr g. Source: Cauchy (1847); Robbins and Monro (1951)."""

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        return -lr * g, lr, m, v, s


@RULES.register("momentum", "heavy_ball")
@term
class Momentum:
    """m <- beta m + g; w <- w - lr m. With a prox: w+ = prox(w - lr g + beta (w - w-)).

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_fractions(self, "beta")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        m = self.beta * m + g
        return -lr * m, lr, m, v, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        return w, (m if change == 0.0 else m - change / lr), v, s

    def damping(self) -> float:
        return 1.0 - self.beta

    def stable_limit(self) -> float:
        return 2.0 * (1.0 + self.beta)


@RULES.register("nesterov", "nag")
@term
class Nesterov:
    """m <- beta m + g; w <- w - lr (g + beta m). The prox acts before the extrapolation, as in FISTA.

    The model is the result of the prox: the extrapolated w may violate constraints, and has no zeros.

    Source: Nesterov (1983), in the form of Sutskever et al., On the importance of initialization and
    momentum in deep learning (2013), as PyTorch writes it.
    """

    beta: float = 0.9
    model_under_prox: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_fractions(self, "beta")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        return -lr * g, lr, self.beta * m + g, v, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        if change != 0.0:
            m -= change / lr
        return w - lr * self.beta * m, m, v, w

    def model(self, w: float, m: float, v: float, s: float) -> float:
        return s

    def damping(self) -> float:
        return 1.0 - self.beta

    def stable_limit(self) -> float:
        return 2.0 * (1.0 + self.beta) / (1.0 + 2.0 * self.beta)


@RULES.register("adagrad")
@term
class AdaGrad:
    """v <- v + g^2; w <- w - lr g / (sqrt(v) + epsilon). Source: Duchi, Hazan and Singer (2011)."""

    epsilon: float = 1e-10
    adaptive: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        _check_epsilon(self)

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        v += g * g
        reach = lr / (math.sqrt(v) + self.epsilon)
        return -reach * g, reach, m, v, s


@RULES.register("rmsprop")
@term
class RMSProp:
    """v <- rho v + (1 - rho) g^2; w <- w - lr g / (sqrt(v) + epsilon).

    Source: Tieleman and Hinton, Lecture 6.5 (2012); epsilon outside the root, as in PyTorch.
    """

    rho: float = 0.99
    epsilon: float = 1e-8
    adaptive: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.01

    def __post_init__(self) -> None:
        _check_fractions(self, "rho")
        _check_epsilon(self)

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        v = self.rho * v + (1.0 - self.rho) * g * g
        reach = lr / (math.sqrt(v) + self.epsilon)
        return -reach * g, reach, m, v, s


@RULES.register("adam")
@term
class Adam:
    """m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    w <- w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).

    Source: Kingma and Ba, Adam (2015), algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    adaptive: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.01

    def __post_init__(self) -> None:
        _check_fractions(self, "beta1", "beta2")
        _check_epsilon(self)

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        m = self.beta1 * m + (1.0 - self.beta1) * g
        v = self.beta2 * v + (1.0 - self.beta2) * g * g
        reach = lr / (math.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon)
        return -reach * m / (1.0 - self.beta1**t), reach, m, v, s


@RULES.register("adamw")
@term
class AdamW(Adam):
    """w <- w - lr (penalty's derivative at w), then Adam's step on the gradient of the loss alone.

    With beta1, beta2 and epsilon as in adam. The decay is not divided by the size of the gradient, so the
    coefficients converge to a point near the optimum of the objective. Source: Loshchilov and Hutter, Decoupled weight
    decay regularization (2019), algorithm 2, with PyTorch's lr in the decay.
    """

    decouples: ClassVar[bool] = True


@RULES.register("amsgrad")
@term
class AMSGrad(Adam):
    """m, v as in Adam, with beta1 and beta2; s <- max(s, v);
    w <- w - lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + epsilon).

    Source: Reddi, Kale and Kumar, On the convergence of Adam and beyond (2018), algorithm 2, with
    Adam's bias correction, as in PyTorch.
    """

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        m = self.beta1 * m + (1.0 - self.beta1) * g
        v = self.beta2 * v + (1.0 - self.beta2) * g * g
        s = s if v < s else v
        reach = lr / (math.sqrt(s / (1.0 - self.beta2**t)) + self.epsilon)
        return -reach * m / (1.0 - self.beta1**t), reach, m, v, s


@RULES.register("nadam")
@term
class NAdam(Adam):
    """m, v as in Adam; mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2); P_t = mu_1 ... mu_t;
    w <- w - lr ((1 - mu_t) g / (1 - P_t) + mu_(t+1) m / (1 - P_(t+1))) / (sqrt(v / (1 - beta2^t)) + epsilon).

    Source: Dozat, Incorporating Nesterov momentum into Adam (2016); PyTorch. s holds 1 - P_t.
    """

    momentum_decay: float = 0.004

    def __post_init__(self) -> None:
        _check_fractions(self, "beta1", "beta2")
        _check_epsilon(self)
        _check_not_negative(self, "momentum_decay")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        mu = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))
        following = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * self.momentum_decay))
        m = self.beta1 * m + (1.0 - self.beta1) * g
        v = self.beta2 * v + (1.0 - self.beta2) * g * g
        s = 1.0 - mu * (1.0 - s)
        now, later = (1.0 - mu) / s, following / (1.0 - following * (1.0 - s))
        length = lr / (math.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon)
        # For a constant gradient, m = (1 - beta1^t) g.
        return -length * (now * g + later * m), length * (now + later * (1.0 - self.beta1**t)), m, v, s


@RULES.register("adadelta")
@term
class AdaDelta:
    """v <- rho v + (1 - rho) g^2; m = -g sqrt(s + epsilon) / sqrt(v + epsilon); w <- w + lr m;
    s <- rho s + (1 - rho) m^2, where m is the displacement after the prox.

    Source: Zeiler, ADADELTA: an adaptive learning rate method (2012), algorithm 1; lr as in PyTorch.
    """

    rho: float = 0.9
    epsilon: float = 1e-6
    adaptive: ClassVar[bool] = True
    default_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        _check_fractions(self, "rho")
        _check_epsilon(self)

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        v = self.rho * v + (1.0 - self.rho) * g * g
        ratio = math.sqrt(s + self.epsilon) / math.sqrt(v + self.epsilon)
        return -lr * ratio * g, lr * ratio, -ratio * g, v, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        if change != 0.0:
            m += change / lr
        return w, m, v, self.rho * s + (1.0 - self.rho) * m * m


@RULES.register("lion")
@term
class Lion:
    """c = beta1 m + (1 - beta1) g; w <- w - lr (sign(c) + penalty's derivative at w); m <- beta2 m + (1 - beta2) g.

    Source: Chen et al., Symbolic discovery of optimization algorithms (2023), algorithm 2. The prox, which
    is not in the paper, acts with lr (1 - beta1 beta2^(t-1)) / |c|, and no step, prox included, is longer than lr.
    With l2 the coefficients converge to a point near the optimum, where sign(c) and the decay balance.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    decouples: ClassVar[bool] = True
    adaptive: ClassVar[bool] = True
    default_rate: ClassVar[float] = 0.001

    def __post_init__(self) -> None:
        _check_fractions(self, "beta1", "beta2")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        c = self.beta1 * m + (1.0 - self.beta1) * g
        size = abs(c)
        if size < SMALLEST_GRADIENT:
            size = SMALLEST_GRADIENT
        move = -lr * (c / size)
        reach = lr * (1.0 - self.beta1 * self.beta2 ** (t - 1)) / size
        return move, reach, self.beta2 * m + (1.0 - self.beta2) * g, move, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        moved = v + change  # v is the move of this step
        if change == 0.0 or abs(moved) <= lr:
            return w, m, v, s
        return w - moved + math.copysign(lr, moved), m, v, s


@RULES.register("asgd")
@term
class ASGD:
    """eta = lr / (1 + lambd lr (t - 1))^alpha; w <- w - eta g; s <- s + (w - s) / max(1, t - 1 - t0).

    The model is s, the mean of w after step t0 + 1. Source: Polyak and Juditsky, Acceleration of stochastic
    approximation by averaging (1992); PyTorch's ASGD, whose t0 is a million. PyTorch also multiplies w by
    1 - lambd eta, which is an l2 penalty of strength lambd; here it is left to the penalty.
    """

    lambd: float = 1e-4
    alpha: float = 0.75
    t0: float = 0.0

    def __post_init__(self) -> None:
        _check_not_negative(self, "lambd", "alpha", "t0")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        eta = lr / (1.0 + self.lambd * lr * (t - 1)) ** self.alpha
        return -eta * g, eta, m, v, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        v = 1.0 / max(1.0, t - 1 - self.t0)  # the share of this w in the mean; 0 before the first step
        return w, m, v, (w if v == 1.0 else s + v * (w - s))

    def model(self, w: float, m: float, v: float, s: float) -> float:
        return w if v == 0.0 else s


@RULES.register("schedule_free")
@term
class ScheduleFree:
    """z <- z - lr g; x <- x + c (z - x), c = lr^2 / sum of all lr^2 so far; w <- (1 - beta) z + beta x.

    The gradient is taken at w; the model is x, the mean of z. Source: Defazio, Yang, Mehta, Mishchenko,
    Khaled and Cutkosky, The road less scheduled (2024), equations 2-4, c as in algorithm 1. m is z - w, v the
    sum, s is x; the prox acts on z.
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        _check_fractions(self, "beta")

    def step(self, g: float, lr: float, t: int, m: float, v: float, s: float) -> Step:
        return m - lr * g, lr, m, v, s

    def settle(self, w: float, change: float, lr: float, t: int, m: float, v: float, s: float) -> Settled:
        z = w
        v += lr * lr
        s = z if v == lr * lr else s + lr * lr / v * (z - s)  # the mean of the first z is z
        m = self.beta * (z - s)
        return z - m, m, v, s

    def model(self, w: float, m: float, v: float, s: float) -> float:
        return w if v == 0.0 else s
