"""The convex losses on arrays of any float type: values, derivatives in z, and the pieces of losses with kinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# Losses that are sums of pieces max(low r, high r) with r = z - t; the others are differentiable.
KINKED = ("absolute", "quantile", "epsilon_insensitive", "hinge")
MARGIN = ("logistic", "hinge", "squared_hinge", "modified_huber")
LOG_LINK = ("poisson", "gamma", "tweedie")
SMOOTH = ("squared", "half_squared", "huber", "squared_epsilon_insensitive", "logistic", "squared_hinge",
          "modified_huber", "softmax", *LOG_LINK)  # fmt: skip
NAMES = (*SMOOTH, *KINKED)
SETTINGS = {
    "huber": "delta", "quantile": "quantile", "epsilon_insensitive": "epsilon",
    "squared_epsilon_insensitive": "epsilon", "tweedie": "power",
}  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """A loss by its name in fastgd, with its one setting: delta, epsilon, quantile or power."""

    name: str
    setting: float | None = None

    def __str__(self) -> str:
        return self.name if self.setting is None else f"{self.name}:{SETTINGS[self.name]}={self.setting!r}"

    @property
    def kinked(self) -> bool:
        return self.name in KINKED

    def parts(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        """Values, first and second derivatives in z of differentiable losses of one output."""
        return getattr(self, f"_{self.name}")(y, z)

    def value(self, y: Any, z: Any) -> Any:
        if self.name == "softmax":
            return softmax_parts(y, z)[0]
        if self.kinked:
            t, low, high = self.pieces(y)
            r = z - t
            return np.maximum(low * r, high * r).sum(axis=0)
        return self.parts(y, z)[0]

    def pieces(self, y: Any) -> tuple[Any, Any, Any]:
        """t, low and high of the pieces of each row, shape (pieces, n)."""
        one = np.ones_like(y)
        if self.name == "hinge":
            return y[None], np.minimum(-y, 0)[None], np.maximum(-y, 0)[None]
        if self.name == "epsilon_insensitive":
            return np.stack([y + self.setting, y - self.setting]), np.stack([0 * one, -one]), np.stack([one, 0 * one])
        low, high = (-1.0, 1.0) if self.name == "absolute" else (-self.setting, 1 - self.setting)
        return y[None], low * one[None], high * one[None]

    def _half_squared(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        return (z - y) ** 2 / 2, z - y, np.ones_like(z)

    def _squared(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        return (z - y) ** 2, 2 * (z - y), 2 * np.ones_like(z)

    def _huber(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        r, delta = np.abs(z - y), self.setting
        value = np.where(r <= delta, r * r / 2, delta * (r - delta / 2))
        return value, np.clip(z - y, -delta, delta), (r <= delta) * np.ones_like(z)

    def _squared_epsilon_insensitive(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        beyond = np.maximum(np.abs(z - y) - self.setting, 0)
        return beyond**2, 2 * beyond * np.sign(z - y), 2.0 * (beyond > 0)

    def _logistic(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        e = np.exp(-np.abs(z))
        share = np.where(y * z > 0, e, 1) / (1 + e)  # the probability of the other class
        return np.maximum(-y * z, 0) + np.log1p(e), -y * share, e / (1 + e) ** 2

    def _squared_hinge(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        short = np.maximum(1 - y * z, 0)
        return short**2, -2 * y * short, 2.0 * (short > 0)

    def _modified_huber(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        short = np.maximum(1 - y * z, 0)
        value = np.where(short <= 2, short**2, -4 * y * z)
        return value, -2 * y * np.minimum(short, 2), 2.0 * ((short > 0) & (short < 2))

    def _poisson(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        mean = np.exp(z)
        return mean - y * z, mean - y, mean

    def _gamma(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        ratio = y * np.exp(-z)
        return z + ratio, 1 - ratio, ratio

    def _tweedie(self, y: Any, z: Any) -> tuple[Any, Any, Any]:
        p = self.setting
        first, second = np.exp((2 - p) * z), y * np.exp((1 - p) * z)
        return first / (2 - p) - second / (1 - p), first - second, (2 - p) * first - (1 - p) * second


def softmax_parts(y: Any, z: Any) -> tuple[Any, Any]:
    """Values, and the probabilities of the classes: z has a column for each."""
    largest = z.max(axis=1, keepdims=True)
    powers = np.exp(z - largest)
    total = powers.sum(axis=1, keepdims=True)
    own = np.take_along_axis(z - largest, y.astype(int)[:, None], axis=1)[:, 0]
    return np.log(total[:, 0]) - own, powers / total
