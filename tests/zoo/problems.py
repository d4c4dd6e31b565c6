"""Problems generated from seeds: data as users have them, with factors of difficulty that combine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from .losses import LOG_LINK, MARGIN, NAMES, Loss

PENALTIES = ("none", "l2", "l1", "elasticnet")
L1_RATIO = 0.5
SHARE_OF_FACTOR = 0.13  # of the problems that have a factor; most factors are at their extreme in two thirds of them
SHARE_OF_EXTREMES = 0.65
EVENTS = 2  # positive labels, or counts of 1, where they are rare
FACTORS = (
    "heavy tails in X", "heavy tails in y", "collinear", "rank-deficient", "n < d", "imbalance", "heavy counts",
    "offset", "row weights", "means of X", "mean of y", "units of X", "units of y", "no intercept", "CSR", "float32",
)  # fmt: skip


@dataclass
class Problem:
    """The data of a fit. ``factors`` has the factors of difficulty, each with its size or True."""

    seed: int
    X: np.ndarray  # float64 or float32
    y: np.ndarray
    loss: Loss
    penalty: str
    alpha: float
    weight: np.ndarray | None
    offset: np.ndarray | None
    fit_intercept: bool
    sparse: bool
    factors: dict[str, Any] = field(default_factory=dict)

    @property
    def l1(self) -> float:
        return self.alpha * {"l1": 1.0, "elasticnet": L1_RATIO}.get(self.penalty, 0.0)

    @property
    def l2(self) -> float:
        return self.alpha * {"l2": 1.0, "elasticnet": 1 - L1_RATIO}.get(self.penalty, 0.0)

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1 if self.loss.name == "softmax" else 1

    @property
    def shares(self) -> np.ndarray:
        """The weights of the rows, divided by their sum, in extended precision."""
        weight = np.ones(len(self.y)) if self.weight is None else self.weight
        return weight.astype(np.longdouble) / weight.astype(np.longdouble).sum()

    def matrix(self) -> Any:
        return sp.csr_array(self.X) if self.sparse else self.X

    def __str__(self) -> str:
        n, d = self.X.shape
        factors = ", ".join(name if size is True else f"{name} {size:.3g}" for name, size in self.factors.items())
        penalty = self.penalty if self.penalty == "none" else f"{self.penalty} {self.alpha:.3g}"
        return f"seed {self.seed}: {self.loss}, {penalty}, {n} x {d}{': ' * bool(factors)}{factors}"


class Draw:
    """The random choices of one problem. Data come from a generator of their own, so that factors change little."""

    def __init__(self, seed: int, small: bool) -> None:
        self.random, self.small = np.random.default_rng([seed, 24]), small
        self.loss = NAMES[int(self.random.integers(len(NAMES)))]
        self.penalty = PENALTIES[int(self.random.integers(len(PENALTIES)))]
        on = dict(zip(FACTORS, self.random.random(len(FACTORS)) < SHARE_OF_FACTOR, strict=True))
        on["CSR"], on["float32"] = self.random.random() < 0.35, self.random.random() < 0.25
        # Factors that only some losses can have, in more of their problems.
        more = self.random.random() < 2 * SHARE_OF_FACTOR
        on["imbalance"] = self.loss in (*MARGIN, "poisson") and more
        on["heavy counts"] = (
            self.loss in LOG_LINK and not on["imbalance"] and self.random.random() < 4 * SHARE_OF_FACTOR
        )
        regression = self.loss not in (*MARGIN, *LOG_LINK, "softmax")
        on["heavy tails in y"] = regression and self.random.random() < 1.7 * SHARE_OF_FACTOR
        on["mean of y"] = regression and self.random.random() < 1.7 * SHARE_OF_FACTOR
        on["units of y"] = self.loss not in (*MARGIN, "softmax") and self.random.random() < 1.3 * SHARE_OF_FACTOR
        on["offset"] = on["offset"] and self.loss != "softmax"
        self.separable = self.penalty == "none" and self.loss in ("logistic", "softmax") and self.random.random() < 0.4
        if on["imbalance"]:  # thousands of rows, few columns
            on["n < d"] = on["heavy tails in X"] = False
        if on["means of X"] and not on["no intercept"]:
            on["CSR"] = on["CSR"] and self.random.random() < 0.5
        if on["means of X"]:  # together they leave no digits
            on["collinear"] = False
        self.on = on
        self.unit = 1.0  # of y

    def size(self, factor: str, low: float, high: float, extreme: float) -> float:
        """The size of a factor that is on: ``extreme`` in most problems, else between, by its logarithm."""
        if self.random.random() < SHARE_OF_EXTREMES:
            return extreme
        return float(10 ** self.random.uniform(np.log10(low), np.log10(high)))


def generate(seed: int, small: bool = False) -> Problem:
    """The problem of this seed; ``small``: of tens of rows and few columns, for fits without compilation."""
    draw = Draw(seed, small)
    random, on, factors = draw.random, draw.on, {}
    n, d = _shape(draw)
    latent = _standard_columns(draw, n, d, factors)
    X = _in_units(draw, latent, factors)
    if on["rank-deficient"] and d > 1:
        _make_deficient(draw, X, latent, factors)
    offset = None
    if on["offset"]:
        factors["offset"] = draw.size("offset", 0.3, 3, 2.0)
        offset = factors["offset"] * random.normal(size=n)
    if on["units of y"]:
        decades = draw.size("units of y", 2, 12, 12.0)
        factors["units of y"], draw.unit = 10**decades, float(10 ** (decades / 2 * random.choice([-1, 1])))
    y, loss = _targets(draw, latent, offset, factors)
    if offset is not None and draw.loss not in LOG_LINK:
        offset = offset * draw.unit
    weight = None
    if on["row weights"]:
        decades = draw.size("row weights", 2, 6, 6.0)
        factors["row weights"], weight = 10**decades, 10 ** (decades * (random.random(n) - 0.5))
    for name in ("no intercept", "CSR", "float32"):
        if on[name]:
            factors[name] = True
    if on["n < d"]:
        factors["n < d"] = True
    strength = 10 ** random.uniform(-5, -0.3)
    problem = Problem(
        seed, X, y, loss, draw.penalty, 0.0, weight, offset, not on["no intercept"], bool(on["CSR"]), factors
    )
    problem.alpha = _alpha(problem, strength)
    return problem


def _shape(draw: Draw) -> tuple[int, int]:
    random, on, small = draw.random, draw.on, draw.small
    if on["imbalance"]:
        rows = int(EVENTS / draw.size("imbalance", 1e-3, 1e-2, 1e-4))
        return (min(rows, 100) if small else rows), int(random.integers(1, 5))
    if on["n < d"]:
        n = int(random.integers(12, 25 if small else 60))
        return n, int(n * random.uniform(1.1, 2.0))
    d = int(np.ceil(10 ** random.uniform(0, np.log10(6 if small else 30))))
    return int(max(20, 3 * d, 10 ** random.uniform(1.5, np.log10(40 if small else 400)))), d


def _standard_columns(draw: Draw, n: int, d: int, factors: dict[str, Any]) -> np.ndarray:
    random, on = draw.random, draw.on
    U = random.normal(size=(n, d))
    if random.random() < 0.5:
        U = U @ (np.eye(d) + 0.3 * random.normal(size=(d, d)))
    if on["heavy tails in X"]:
        factors["heavy tails in X"] = draw.size("heavy tails in X", 1.5, 4, 1.5)
        U = random.standard_t(factors["heavy tails in X"], (n, d))
    if on["collinear"] and d > 1:
        extreme = 1e-3 if on["float32"] else 1e-6
        factors["collinear"] = draw.size("collinear", extreme, 1e-1, extreme)
        half = d // 2
        U[:, half : 2 * half] = U[:, :half] + factors["collinear"] * U[:, half : 2 * half]
    if on["CSR"] and not on["means of X"]:
        U = U * (random.random((n, d)) < random.uniform(0.2, 0.9))
    return U


def _in_units(draw: Draw, U: np.ndarray, factors: dict[str, Any]) -> np.ndarray:
    random, d = draw.random, U.shape[1]
    X = U.copy()
    if draw.on["means of X"]:
        extreme = 1e4 if draw.on["float32"] else 1e9
        factors["means of X"] = draw.size("means of X", 1e1, extreme, extreme)
        X = X + factors["means of X"] * random.choice([-1, 1], d) * random.uniform(0.5, 1, d)
    if draw.on["units of X"]:
        decades = draw.size("units of X", 2, 12, 12.0)
        factors["units of X"] = 10**decades
        # Powers of two keep exact relations between columns.
        powers = np.round(np.log2(10) * decades * (random.random(d) - 0.5))
        if random.random() < 0.4:
            powers[:] = np.round(np.log2(10) * decades / 2 * random.choice([-1, 1]))
        X = X * 2.0**powers
    return X.astype(np.float32 if draw.on["float32"] else np.float64)


def _make_deficient(draw: Draw, X: np.ndarray, latent: np.ndarray, factors: dict[str, Any]) -> None:
    """Make the last columns copies of the first, in other units, or all levels of a factor."""
    random, (n, d) = draw.random, X.shape
    factors["rank-deficient"] = True
    if d >= 4 and random.random() < 0.5:
        levels = min(4, d)
        level = random.integers(levels, size=n)
        X[:, -levels:] = latent[:, -levels:] = np.eye(levels)[level]
        return
    copies = max(1, d // 3)
    X[:, -copies:] = X[:, :copies] * X.dtype.type(2.0) ** X.dtype.type(random.integers(-3, 4))
    latent[:, -copies:] = latent[:, :copies]


def _targets(
    draw: Draw, latent: np.ndarray, offset: np.ndarray | None, factors: dict[str, Any]
) -> tuple[np.ndarray, Loss]:
    random, name, d = draw.random, draw.loss, latent.shape[1]
    coef = random.normal(size=d) * (random.random(d) < 0.7) / np.sqrt(d)
    if "collinear" in factors and random.random() < 0.5:  # half of the signal lies in the flat directions
        half = d // 2
        coef[:half] -= 1 / factors["collinear"] / np.sqrt(half)
        coef[half : 2 * half] += 1 / factors["collinear"] / np.sqrt(half)
    z = np.clip(latent @ coef, -30, 30)
    shift = 0.0 if offset is None else offset
    if name == "softmax":
        return _class_numbers(draw, latent), Loss("softmax")
    if name in MARGIN:
        return _labels(draw, z + shift, factors), Loss(name)
    if name in LOG_LINK:
        return _amounts(draw, z, shift, factors)
    return _numbers(draw, z, shift, factors)


def _class_numbers(draw: Draw, latent: np.ndarray) -> np.ndarray:
    random, (n, d) = draw.random, latent.shape
    K = int(random.integers(3, 5))
    scores = np.clip(latent @ random.normal(size=(d, K)) / np.sqrt(d), -30, 30) + random.gumbel(size=(n, K))
    if draw.separable:
        scores = latent @ random.normal(size=(d, K))
    y = scores.argmax(axis=1)
    y[:K] = y[:K] if draw.separable else np.arange(K)  # each class occurs
    y = np.unique(y, return_inverse=True)[1]
    return y.astype(float)


def _labels(draw: Draw, z: np.ndarray, factors: dict[str, Any]) -> np.ndarray:
    random, n = draw.random, len(z)
    scores = z + random.logistic(size=n) * random.choice([0.5, 1.0])
    if draw.separable:
        scores = z
    events = n // 2
    if draw.on["imbalance"]:
        events = EVENTS
        factors["imbalance"] = EVENTS / n
    positive = scores > np.sort(scores)[-events - 1]
    return np.where(positive, 1.0, -1.0)


def _amounts(draw: Draw, z: np.ndarray, shift: Any, factors: dict[str, Any]) -> tuple[np.ndarray, Loss]:
    random, name, n = draw.random, draw.loss, len(z)
    unit = draw.unit
    if draw.on["heavy counts"]:
        factors["heavy counts"] = draw.size("heavy counts", 2, 5, 5.0)  # deviation of the linear predictor
        z = np.clip(z, -3, 3) * factors["heavy counts"]
    else:
        z = 0.5 * np.clip(z, -5, 5)
    z = z + shift
    if name == "poisson":
        if draw.on["imbalance"]:
            factors["imbalance"] = EVENTS / n
            y = np.zeros(n)
            y[np.argsort(z + random.gumbel(size=n))[-EVENTS:]] = 1.0
            return y, Loss("poisson")
        return random.poisson(np.exp(np.minimum(z + 0.5, 18))).astype(float) * unit, Loss("poisson")
    mean = np.exp(np.clip(z, -30, 30)) * unit
    if name == "gamma":
        return np.maximum(random.gamma(2.0, size=n), 1e-3) * mean / 2, Loss("gamma")
    zero = random.random(n) < 0.4
    return np.where(zero, 0.0, random.gamma(2.0, size=n) * mean), Loss("tweedie", float(random.choice([1.2, 1.5, 1.8])))


def _numbers(draw: Draw, z: np.ndarray, shift: Any, factors: dict[str, Any]) -> tuple[np.ndarray, Loss]:
    random, name, n = draw.random, draw.loss, len(z)
    noise = random.normal(size=n)
    if draw.on["heavy tails in y"]:
        factors["heavy tails in y"] = draw.size("heavy tails in y", 1.2, 4, 1.2)
        noise = random.standard_t(factors["heavy tails in y"], n)
    y = z + shift + 10 ** random.uniform(-1.5, 0.3) * noise
    if draw.on["mean of y"]:
        factors["mean of y"] = draw.size("mean of y", 1e1, 1e9, 1e9)
        y = y + factors["mean of y"] * random.choice([-1, 1])
    y = y * draw.unit
    own_unit = draw.unit if random.random() < 0.75 else 1.0
    setting = {
        "huber": 1.35 * own_unit, "epsilon_insensitive": 0.1 * own_unit,
        "squared_epsilon_insensitive": 0.1 * own_unit, "quantile": float(random.choice([0.5, 0.1, 0.9, 0.99])),
    }.get(name)  # fmt: skip
    return y, Loss(name, setting)


def _alpha(problem: Problem, strength: float) -> float:
    """``strength`` times about the alpha that leaves only the intercept (l1), or the curvature of the columns (l2)."""
    if problem.penalty == "none":
        return 0.0
    X, c = problem.X.astype(float), problem.shares.astype(float)
    mean = c @ X if problem.fit_intercept else np.zeros(X.shape[1])
    scale = np.sqrt(c @ (X - mean) ** 2)
    y, loss = problem.y, problem.loss
    # A typical residual: its product with a column is a gradient, over the unit of z a curvature.
    if loss.name in (*MARGIN, "softmax"):
        unit, gradient = 1.0, 0.5 * np.sqrt(min(1.0, 4 * np.mean(y == y.max())))
    elif loss.name == "gamma":
        unit = gradient = 1.0
    elif loss.name in LOG_LINK:
        power = 1.0 if loss.name == "poisson" else loss.setting
        center = c @ y
        unit, gradient = 1.0, center ** (2 - power)
    else:
        unit = c @ np.abs(y - (c @ y if problem.fit_intercept else 0.0))
        gradient = 1.0 if loss.kinked else min(unit, problem.loss.setting) if loss.name == "huber" else unit
    largest = float(np.max(scale)) or 1.0
    curvature = gradient / unit * largest**2
    choices = {"l1": gradient * largest, "l2": curvature, "elasticnet": min(gradient * largest, curvature)}
    return float(strength * choices[problem.penalty])
