"""Update rules in plain Python: one object per weight.

`step(w, g, lr, l1)` returns the new weight; g includes l2 w, and l1 is applied by prox, as any other penalty is in
`proximal_step(w, g, lr, prox)`: prox(v, s) = argmin_x (x - v)^2 / (2 s) + penalty. Without a prox each rule equals
torch.optim's, or the paper's where torch has none. Where the model differs from the point of the steps, `model(w)`
returns it, given whether there is a prox. Nesterov's theta is the point ahead of w at which torch takes the next
gradient.
"""

import copy
import math

SMALLEST = 1e-100  # for a gradient of 0 that is divided by its size


def shrink(v, threshold):
    """argmin_x (x - v)^2 / 2 + threshold |x|"""
    return max(v - threshold, 0.0) + min(v + threshold, 0.0)


def penalized_step(rule, w, g, lr, l1=0.0, l2=0.0):
    """One step on the gradient g of the loss: l2 w is added to it, or subtracted from w by rules that decouple."""
    return rule.step(w - lr * l2 * w, g, lr, l1) if rule.decouples else rule.step(w, g + l2 * w, lr, l1)


def proximal_steps(rules, w, g, lr, penalty):
    """A step of all weights at once, since the prox of some penalties needs all of them."""
    points, steps = [], []

    def take_down(v, step):
        points.append(v)
        steps.append(step)
        return v

    for rule, w_j, g_j in zip(rules, w, g, strict=True):
        copy.copy(rule).proximal_step(w_j, g_j, lr, take_down)
    ends = iter(penalty.prox(points, steps))
    return [
        rule.proximal_step(w_j, g_j, lr, lambda v, step: next(ends)) for rule, w_j, g_j in zip(rules, w, g, strict=True)
    ]


class Rule:
    """The common part of most rules."""

    decouples = False

    def step(self, w, g, lr, l1=0.0):
        return self.proximal_step(w, g, lr, lambda v, step: shrink(v, step * l1))

    def model(self, w, under_prox=True):
        return w


class SGD(Rule):
    """w <- prox(w - lr g, lr)"""

    def proximal_step(self, w, g, lr, prox):
        return prox(w - lr * g, lr)


class Momentum(Rule):
    """buf <- mu buf + g; w <- prox(w - lr buf, lr); then buf is corrected, so that w really moved by -lr buf."""

    def __init__(self, momentum=0.9):
        self.momentum, self.buf = momentum, 0.0

    def proximal_step(self, w, g, lr, prox):
        self.buf = self.momentum * self.buf + g
        tentative = w - lr * self.buf
        new = prox(tentative, lr)
        self.buf -= (new - tentative) / lr if lr else 0.0
        return new


class Nesterov(Momentum):
    """buf <- mu buf + g; w <- prox(theta - lr g, lr); buf is corrected; theta <- w - lr mu buf goes in and out.

    Where there is a prox the model is w, as in FISTA: only w is where the prox has put it.
    """

    w = None

    def proximal_step(self, theta, g, lr, prox):
        self.buf = self.momentum * self.buf + g
        tentative = theta - lr * g
        new = prox(tentative, lr)
        self.buf -= (new - tentative) / lr if lr else 0.0
        self.w = new
        return new - lr * self.momentum * self.buf

    def model(self, theta, under_prox=True):
        return self.w if under_prox and self.w is not None else theta


class AdaGrad(Rule):
    """sum <- sum + g^2; w <- prox(w - lr g / denom, lr / denom), denom = sqrt(sum) + eps: Duchi et al. (2011)."""

    def __init__(self, eps=1e-10):
        self.eps, self.total = eps, 0.0

    def proximal_step(self, w, g, lr, prox):
        self.total += g * g
        denom = math.sqrt(self.total) + self.eps
        return prox(w - lr * g / denom, lr / denom)


class RMSProp(Rule):
    """v <- rho v + (1 - rho) g^2; w <- prox(w - lr g / denom, lr / denom), denom = sqrt(v) + eps."""

    def __init__(self, rho=0.99, eps=1e-8):
        self.rho, self.eps, self.v = rho, eps, 0.0

    def proximal_step(self, w, g, lr, prox):
        self.v = self.rho * self.v + (1 - self.rho) * g * g
        denom = math.sqrt(self.v) + self.eps
        return prox(w - lr * g / denom, lr / denom)


class Adam(Rule):
    """m, v: running means of g, g^2, over 1 - beta^t; w <- prox(w - lr m / denom, lr / denom), as RMSProp."""

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8):
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.m, self.v, self.t = 0.0, 0.0, 0

    def proximal_step(self, w, g, lr, prox):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        mean = self.m / (1 - self.beta1**self.t)
        denom = math.sqrt(self.v / (1 - self.beta2**self.t)) + self.eps
        return prox(w - lr * mean / denom, lr / denom)


class AdamW(Adam):
    """Adam; w - lr l2 w comes before it, and l2 w does not join g: Loshchilov and Hutter (2019)."""

    decouples = True


class AMSGrad(Adam):
    """Adam over the largest v there has been: Reddi et al. (2018)."""

    largest = 0.0

    def proximal_step(self, w, g, lr, prox):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        self.largest = max(self.largest, self.v)
        denom = math.sqrt(self.largest) / math.sqrt(1 - self.beta2**self.t) + self.eps
        return prox(w - lr * self.m / (1 - self.beta1**self.t) / denom, lr / denom)


class NAdam(Adam):
    """Dozat (2016), as torch has it; what a gradient of always 1 would have moved w by is the step of the prox."""

    def __init__(self, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3):
        super().__init__(beta1, beta2, eps)
        self.momentum_decay, self.mu_product, self.m_of_ones = momentum_decay, 1.0, 0.0

    def mu(self, t):
        return self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def proximal_step(self, w, g, lr, prox):
        self.t += 1
        mu, mu_next = self.mu(self.t), self.mu(self.t + 1)
        self.mu_product *= mu
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.m_of_ones = self.beta1 * self.m_of_ones + (1 - self.beta1)
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        denom = math.sqrt(self.v / (1 - self.beta2**self.t)) + self.eps

        def distance(g, m):
            now = lr * (1 - mu) / (1 - self.mu_product) * g / denom
            return now + lr * mu_next / (1 - self.mu_product * mu_next) * m / denom

        return prox(w - distance(g, self.m), distance(1.0, self.m_of_ones))


class AdaDelta(Rule):
    """delta = g rms(delta) / rms(g); w <- prox(w - lr delta): Zeiler (2012); delta is corrected as in Momentum."""

    def __init__(self, rho=0.9, eps=1e-6):
        self.rho, self.eps, self.square, self.delta_square = rho, eps, 0.0, 0.0

    def proximal_step(self, w, g, lr, prox):
        self.square = self.rho * self.square + (1 - self.rho) * g * g
        scale = math.sqrt(self.delta_square + self.eps) / math.sqrt(self.square + self.eps)
        tentative = w - lr * scale * g
        new = prox(tentative, lr * scale)
        delta = scale * g if new == tentative else (w - new) / lr
        self.delta_square = self.rho * self.delta_square + (1 - self.rho) * delta**2
        return new


class Lion(Rule):
    """w <- w - lr sign(beta1 m + (1 - beta1) g); m <- beta2 m + (1 - beta2) g: Chen et al. (2023).

    A step of sign(c) is one of c / |c|, so the prox has the step lr / |c|, c corrected for starting at 0; and both
    together keep to the length lr.
    """

    decouples = True

    def __init__(self, beta1=0.9, beta2=0.99):
        self.beta1, self.beta2, self.m, self.m_of_ones = beta1, beta2, 0.0, 0.0

    def proximal_step(self, w, g, lr, prox):
        c = self.beta1 * self.m + (1 - self.beta1) * g
        c_of_ones = self.beta1 * self.m_of_ones + (1 - self.beta1)
        self.m = self.beta2 * self.m + (1 - self.beta2) * g
        self.m_of_ones = self.beta2 * self.m_of_ones + (1 - self.beta2)
        size = abs(c) or SMALLEST
        new = prox(w - lr * c / size, lr * c_of_ones / size)
        return new if abs(new - w) <= lr else w + math.copysign(lr, new - w)


class ASGD(Rule):
    """w <- prox(w - eta g, eta); ax <- ax + mu (w - ax), which is the model: Polyak and Juditsky (1992); torch."""

    def __init__(self, lambd=1e-4, alpha=0.75, t0=0.0):
        self.lambd, self.alpha, self.t0 = lambd, alpha, t0
        self.t, self.mu, self.ax = 0, 1.0, None

    def proximal_step(self, w, g, lr, prox):
        eta = lr / (1 + self.lambd * lr * self.t) ** self.alpha
        new = prox(w - eta * g, eta)
        self.ax = new if self.mu == 1 else self.ax + (new - self.ax) * self.mu
        self.t += 1
        self.mu = 1 / max(1, self.t - self.t0)
        return new

    def model(self, w, under_prox=True):
        return w if self.ax is None else self.ax


class ScheduleFree(Rule):
    """y = (1 - beta) z + beta x; z <- prox(z - lr g(y), lr); x <- (1 - c) x + c z: Defazio et al. (2024), (2)-(4).

    c = lr^2 / sum lr^2, as in their algorithm 1. y goes in and out; the model is x.
    """

    def __init__(self, beta=0.9):
        self.beta, self.x, self.z, self.total = beta, None, None, 0.0

    def proximal_step(self, y, g, lr, prox):
        if self.x is None:
            self.x = self.z = y
        self.z = prox(self.z - lr * g, lr)
        self.total += lr**2
        c = lr**2 / self.total if self.total else 1.0
        self.x = (1 - c) * self.x + c * self.z
        return (1 - self.beta) * self.z + self.beta * self.x

    def model(self, y, under_prox=True):
        return y if self.x is None else self.x


RULES = {
    "sgd": SGD, "momentum": Momentum, "nesterov": Nesterov, "adagrad": AdaGrad, "rmsprop": RMSProp, "adam": Adam,
    "adamw": AdamW, "amsgrad": AMSGrad, "nadam": NAdam, "adadelta": AdaDelta, "lion": Lion, "asgd": ASGD,
    "schedule_free": ScheduleFree,
}  # fmt: skip
