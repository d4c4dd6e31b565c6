"""Question: how fast is a user-defined loss, compared with the same built-in loss?"""

from __future__ import annotations

import math

import numpy as np

import fastgd

from .scale import Scale
from .table import Table
from .timing import in_turn

N_SAMPLES, N_FEATURES, EPOCHS = 400_000, 28, 10


@fastgd.term
class MyHuber:
    """`Huber` as a user would write it."""

    delta: float = 1.35

    def value(self, y: float, z: float) -> float:
        r = abs(z - y)
        if r <= self.delta:
            return r * r / 2
        return self.delta * (r - self.delta / 2)

    def derivative(self, y: float, z: float) -> float:
        return min(max(z - y, -self.delta), self.delta)

    def mean(self, z: float) -> float:
        return z


@fastgd.term
class MyPoisson:
    """`Poisson` as a user would write it."""

    def value(self, y: float, z: float) -> float:
        return math.exp(z) - y * z

    def derivative(self, y: float, z: float) -> float:
        return math.exp(z) - y

    def mean(self, z: float) -> float:
        return math.exp(z)


def row(own: object, built_in: str, method: str, rounds: int) -> tuple[object, ...]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)) / 10
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    options = {"method": method, "learning_rate": 1e-4, "max_epochs": EPOCHS}
    candidates = {
        "own": lambda: fastgd.fit(X, y, loss=own, **options),
        "built in": lambda: fastgd.fit(X, y, loss=built_in, **options),
    }
    timings = in_turn(candidates, rounds=rounds)
    own_time, other = timings["own"], timings["built in"]
    nanoseconds = [1e9 * timing.median / EPOCHS / N_SAMPLES for timing in (own_time, other)]
    return built_in, method, *nanoseconds, other.times_faster_than(own_time), own_time.spread


def measure(scale: Scale) -> Table:
    """Nanoseconds per row."""
    title = f"A loss of one's own, {N_SAMPLES:,} x {N_FEATURES}"
    columns = ("loss", "method", "own, ns a row", "built in, ns a row", "own / built in", "spread")
    pairs, methods, rounds = (
        ((MyHuber(), "huber"), (MyPoisson(), "poisson")),
        ("gd", "minibatch", "sgd"),
        scale.rounds(9),
    )
    return Table(title, columns, [row(own, name, method, rounds) for own, name in pairs for method in methods])
