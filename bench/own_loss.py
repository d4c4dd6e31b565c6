"""A loss of one's own beside the same one built in: epochs of each method, by turns."""

from __future__ import annotations

import math

import numpy as np
from timing import in_turn, print_table

import fastgd

N_SAMPLES, N_FEATURES, EPOCHS = 400_000, 28, 10


@fastgd.term
class MyHuber:
    """As `Huber`, in a user's words."""

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
    """As `Poisson`."""

    def value(self, y: float, z: float) -> float:
        return math.exp(z) - y * z

    def derivative(self, y: float, z: float) -> float:
        return math.exp(z) - y

    def mean(self, z: float) -> float:
        return math.exp(z)


def measure(own: object, built_in: str, method: str) -> list[str]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)) / 10
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    options = {"method": method, "learning_rate": 1e-4, "max_epochs": EPOCHS}
    candidates = {
        "own": lambda: fastgd.fit(X, y, loss=own, **options),
        "built in": lambda: fastgd.fit(X, y, loss=built_in, **options),
    }
    timings = in_turn(candidates, rounds=9)
    seconds = [timings[name].median for name in candidates]
    return [
        built_in,
        method,
        *(f"{1e9 * s / EPOCHS / N_SAMPLES:.1f}" for s in seconds),
        f"{timings['built in'].times_faster_than(timings['own']):.2f}",
    ]


def main() -> None:
    pairs = ((MyHuber(), "huber"), (MyPoisson(), "poisson"))
    rows = [measure(own, name, method) for own, name in pairs for method in ("gd", "minibatch", "sgd")]
    title = f"A loss of one's own, {N_SAMPLES:,} x {N_FEATURES}: nanoseconds a row"
    print_table(title, ["loss", "method", "own", "built in", "own / built in"], rows)


if __name__ == "__main__":
    main()
