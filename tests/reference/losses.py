"""The losses in plain Python, from their formulas: y is the target, z = x·w + b the linear predictor.

At a kink the derivative is the subgradient that scikit-learn takes.
"""

import math
from decimal import Decimal


class Squared:
    """(z - y)^2: the lesson's loss, whose mean is the MSE; it predicts z itself."""

    def value(self, y, z):
        return (z - y) * (z - y)

    def derivative(self, y, z):
        return 2 * (z - y)

    def mean(self, z):
        return z


class HalfSquared(Squared):
    """(z - y)^2 / 2: what scikit-learn calls squared_error."""

    def value(self, y, z):
        return 0.5 * (z - y) * (z - y)

    def derivative(self, y, z):
        return z - y


class Huber(Squared):
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta/2), with r = z - y: Huber (1964)."""

    def __init__(self, delta=1.35):
        self.delta = delta

    def value(self, y, z):
        r = abs(z - y)
        return 0.5 * r * r if r <= self.delta else self.delta * (r - self.delta / 2)

    def derivative(self, y, z):
        r = z - y
        return r if abs(r) <= self.delta else math.copysign(self.delta, r)


class Logistic:
    """log(1 + exp(-y z)), y in {-1, +1}; mean: the probability of +1. No exponential of a positive number is taken."""

    def value(self, y, z):
        return max(-y * z, 0.0) + math.log1p(math.exp(-abs(y * z)))

    def derivative(self, y, z):
        return -y * self.mean(-y * z)

    def mean(self, z):
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


class Absolute(Squared):
    """|z - y|: Laplace (1774)."""

    def value(self, y, z):
        return abs(z - y)

    def derivative(self, y, z):
        return 1.0 if z > y else -1.0


class Quantile(Squared):
    """q (y - z) where y >= z, else (1 - q) (z - y): Koenker and Bassett (1978)."""

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def value(self, y, z):
        return self.quantile * (y - z) if y >= z else (1 - self.quantile) * (z - y)

    def derivative(self, y, z):
        return -self.quantile if y >= z else 1 - self.quantile


class EpsilonInsensitive(Squared):
    """max(0, |z - y| - epsilon): Vapnik (1995)."""

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def value(self, y, z):
        return max(0.0, abs(z - y) - self.epsilon)

    def derivative(self, y, z):
        return math.copysign(1.0, z - y) if abs(z - y) > self.epsilon else 0.0


class SquaredEpsilonInsensitive(EpsilonInsensitive):
    """max(0, |z - y| - epsilon)^2: Ho and Lin (2012)."""

    def value(self, y, z):
        beyond = super().value(y, z)
        return beyond * beyond

    def derivative(self, y, z):
        return 2 * super().value(y, z) * super().derivative(y, z)


class Hinge(Squared):
    """max(0, 1 - y z), y in {-1, +1}: Cortes and Vapnik (1995)."""

    def value(self, y, z):
        return max(0.0, 1 - y * z)

    def derivative(self, y, z):
        return -y if y * z <= 1 else 0.0


class SquaredHinge(Squared):
    """max(0, 1 - y z)^2, y in {-1, +1}: Chang, Hsieh and Lin (2008)."""

    def value(self, y, z):
        return max(0.0, 1 - y * z) * max(0.0, 1 - y * z)

    def derivative(self, y, z):
        return -2 * y * (1 - y * z) if y * z < 1 else 0.0


class ModifiedHuber:
    """The squared hinge loss where y z >= -1, else -4 y z; mean: (1 + z) / 2, a probability: Zhang (2004)."""

    def value(self, y, z):
        short = max(0.0, 1 - y * z)
        return short * short if y * z >= -1 else -4 * y * z

    def derivative(self, y, z):
        if y * z >= 1:
            return 0.0
        return -2 * y * (1 - y * z) if y * z >= -1 else -4 * y

    def mean(self, z):
        return min(1.0, max(0.0, (1 + z) / 2))


class Perceptron(Squared):
    """max(0, -y z), y in {-1, +1}: Rosenblatt (1958)."""

    def value(self, y, z):
        return max(0.0, -y * z)

    def derivative(self, y, z):
        return -y if y * z <= 0 else 0.0


# Decimal can hold e^10000 and has 28 digits, so the formulas can be used as the papers state them.


def power_of_e(x):
    """e^x"""
    return Decimal(x).exp()


class Poisson:
    """e^z - y z: Nelder and Wedderburn (1972)."""

    def value(self, y, z):
        return float(power_of_e(z) - Decimal(y) * Decimal(z))

    def derivative(self, y, z):
        return float(power_of_e(z) - Decimal(y))

    def mean(self, z):
        return float(power_of_e(z))


class Gamma(Poisson):
    """z + y e^-z: McCullagh and Nelder (1989)."""

    def value(self, y, z):
        return float(Decimal(z) + Decimal(y) * power_of_e(-z))

    def derivative(self, y, z):
        return float(1 - Decimal(y) * power_of_e(-z))


class Tweedie(Poisson):
    """mu^(2-p) / (2-p) - y mu^(1-p) / (1-p) with mu = e^z, and z for mu^0 / 0: Jørgensen (1987)."""

    def __init__(self, power=1.5):
        self.power = Decimal(power)

    def value(self, y, z):
        def integral(q):
            return power_of_e(q * Decimal(z)) / q if q else Decimal(z)

        return float(integral(2 - self.power) - Decimal(y) * integral(1 - self.power))

    def derivative(self, y, z):
        mu = [power_of_e((q - self.power) * Decimal(z)) for q in (2, 1)]
        return float(mu[0] - Decimal(y) * mu[1])


class PhaseRetrieval:
    """(z^2 - y)^2 / 4; it predicts z^2: Candès, Li and Soltanolkotabi (2015)."""

    def value(self, y, z):
        return (z * z - y) * (z * z - y) / 4

    def derivative(self, y, z):
        return (z * z - y) * z

    def mean(self, z):
        return z * z


class Softmax:
    """log(sum_k e^z_k) - z_y, y the number of a class; z, the derivative and the mean are lists: Bridle (1990)."""

    def value(self, y, z):
        return float(sum(power_of_e(z_k) for z_k in z).ln() - Decimal(z[int(y)]))

    def derivative(self, y, z):
        return [p - (k == y) for k, p in enumerate(self.mean(z))]

    def mean(self, z):
        powers = [power_of_e(z_k) for z_k in z]
        return [float(power / sum(powers)) for power in powers]


LOSSES = {
    "squared": Squared(),
    "half_squared": HalfSquared(),
    "huber": Huber(),
    "absolute": Absolute(),
    "quantile": Quantile(),
    "epsilon_insensitive": EpsilonInsensitive(),
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive(),
    "logistic": Logistic(),
    "hinge": Hinge(),
    "squared_hinge": SquaredHinge(),
    "modified_huber": ModifiedHuber(),
    "perceptron": Perceptron(),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "tweedie": Tweedie(),
    "phase_retrieval": PhaseRetrieval(),
}
