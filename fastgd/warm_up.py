"""Compiles the kernels of common fits ahead of time, by running such fits on small data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from .compile.jit import CompileClock
from .fitting import fit

# Numbers of rows for which kernels run on one thread and on all.
SMALL, LARGE = 200, 10_000
# Numbers of columns for which kernels read several rows at a time and one row at a time.
SHORT, LONG = 16, 48
LOSSES = ("squared", "logistic")


@dataclass(frozen=True)
class CommonFit:
    """A fit on random data: its description, the size of X and the options of `fit`."""

    description: str
    n_samples: int
    n_features: int
    options: dict[str, Any]
    sparse: bool = False

    def compile(self) -> int:
        """Run the fit; return the number of kernels that were compiled."""
        rng = np.random.default_rng(0)
        X: Any = rng.standard_normal((self.n_samples, self.n_features))
        z = X[:, 0] + rng.standard_normal(self.n_samples)
        if self.sparse:
            from scipy import sparse

            X = sparse.csr_array(np.where(np.abs(X) > 1.0, X, 0.0))
        y = {"squared": z, "logistic": z > 0, "softmax": np.digitize(z, [-1, 1])}[self.options["loss"]]
        with CompileClock().listening() as clock:
            fit(X, y, **self.options).predict(X[:SMALL])
        return clock.count


def common_fits() -> Iterator[CommonFit]:
    """Dense float64 data of all shapes with the common methods, sparse rows, and three classes."""
    for loss, n in product(LOSSES, (LARGE, SMALL)):
        size = "large" if n == LARGE else "small"
        for method in ("auto", "minibatch", "sgd", "gd"):
            yield CommonFit(f"{loss}, {method}, {size} tables", n, SHORT, {"loss": loss, "method": method})
    for loss in LOSSES:
        yield CommonFit(f"{loss}, auto, long rows", LARGE, LONG, {"loss": loss})
        yield CommonFit(f"{loss}, auto with l1", LARGE, SHORT, {"loss": loss, "penalty": "l1", "alpha": 0.01})
        for method in ("auto", "sgd"):
            options = {"loss": loss, "method": method}
            yield CommonFit(f"{loss}, {method}, sparse rows", LARGE, LONG, options, sparse=True)
    yield CommonFit("softmax, auto", LARGE, SHORT, {"loss": "softmax"})
