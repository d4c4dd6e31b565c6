"""Compiles ahead of time what most fits need, by fitting small problems of the usual kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from .compile.jit import CompileClock
from .fitting import fit

# Rows that make a table small enough for one thread, and large enough for all of them.
SMALL, LARGE = 200, 10_000
# Columns that make rows short enough to go by blocks, and too long for that.
SHORT, LONG = 16, 48
LOSSES = ("squared", "logistic")


@dataclass(frozen=True)
class Usual:
    """A kind of fit: ``description``, for people, and what `fit` is given."""

    description: str
    n_samples: int
    n_features: int
    options: dict[str, Any]
    sparse: bool = False

    def compile(self) -> int:
        """Fit it; how many kernels that had to compile."""
        random = np.random.default_rng(0)
        X: Any = random.standard_normal((self.n_samples, self.n_features))
        z = X[:, 0] + random.standard_normal(self.n_samples)
        if self.sparse:
            from scipy import sparse

            X = sparse.csr_array(np.where(np.abs(X) > 1.0, X, 0.0))
        y = {"squared": z, "logistic": z > 0, "softmax": np.digitize(z, [-1, 1])}[self.options["loss"]]
        with CompileClock().listening() as clock:
            fit(X, y, **self.options).predict(X[:SMALL])
        return clock.count


def usual() -> Iterator[Usual]:
    """Dense float64 in any shape by any of the common methods, sparse rows, and three classes."""
    for loss, n in product(LOSSES, (LARGE, SMALL)):
        size = "large" if n == LARGE else "small"
        for method in ("auto", "minibatch", "sgd", "gd"):
            yield Usual(f"{loss}, {method}, {size} tables", n, SHORT, {"loss": loss, "method": method})
    for loss in LOSSES:
        yield Usual(f"{loss}, auto, long rows", LARGE, LONG, {"loss": loss})
        yield Usual(f"{loss}, auto with l1", LARGE, SHORT, {"loss": loss, "penalty": "l1", "alpha": 0.01})
        for method in ("auto", "sgd"):
            yield Usual(f"{loss}, {method}, sparse rows", LARGE, LONG, {"loss": loss, "method": method}, sparse=True)
    yield Usual("softmax, auto", LARGE, SHORT, {"loss": "softmax"})
