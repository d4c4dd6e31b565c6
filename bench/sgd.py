"""An epoch of SGD beside scikit-learn's, both shuffled, both with the loss summed as they go."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier, SGDRegressor
from timing import in_turn, print_table

import fastgd

WIDTHS = (3, 10, 28, 54, 100, 500)
EPOCHS = 4
VALUES = 20_000_000


def seconds_an_epoch(run, short: int = 1, long: int = 1 + EPOCHS):
    """Candidates whose difference is EPOCHS epochs and nothing else."""
    return {"short": lambda: run(short), "long": lambda: run(long)}


def ours(X, y, loss: str):
    def run(epochs: int) -> None:
        fastgd.fit(X, y, loss=loss, method="sgd", learning_rate=1e-4, alpha=1e-4, max_epochs=epochs)

    return run


def theirs(X, y, loss: str):
    def run(epochs: int) -> None:
        options = {"learning_rate": "constant", "eta0": 1e-4, "alpha": 1e-4, "max_iter": epochs, "tol": None}
        model = SGDClassifier(loss="log_loss", **options) if loss == "logistic" else SGDRegressor(**options)
        model.fit(X, y)

    return run


def measure(name: str, X, y, loss: str) -> list[str]:
    candidates = {}
    for who, run in (("fastgd", ours(X, y, loss)), ("scikit-learn", theirs(X, y, loss))):
        candidates |= {f"{who} {key}": call for key, call in seconds_an_epoch(run).items()}
    timings = in_turn(candidates, rounds=5)
    epoch = {
        who: (timings[f"{who} long"].median - timings[f"{who} short"].median) / EPOCHS
        for who in ("fastgd", "scikit-learn")
    }
    n = X.shape[0]
    nanoseconds = [1e9 * epoch[who] / n for who in ("fastgd", "scikit-learn")]
    return [name, loss, *(f"{ns:.0f}" for ns in nanoseconds), f"{nanoseconds[1] / nanoseconds[0]:.1f}"]


def main() -> None:
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    rows = []
    for width in WIDTHS:
        n = min(VALUES // width, 1_000_000)
        X = rng.standard_normal((n, width))
        z = X @ rng.standard_normal(width) + rng.standard_normal(n)
        for loss, y in (("half_squared", z), ("logistic", (z > 0).astype(float))):
            rows.append(measure(f"{n:,} x {width}", X, y, loss))
    n, d, values = 400_000, 47_000, 76  # the shape of rcv1
    indices = np.sort(rng.integers(0, d, (n, values)), axis=1).astype(np.int32).ravel()
    X = sp.csr_array((rng.random(n * values), indices, np.arange(n + 1, dtype=np.int32) * values), shape=(n, d))
    X.sum_duplicates()
    rows.append(measure(f"CSR {n:,} x {d:,}, {values} a row", X, (rng.random(n) > 0.5).astype(float), "logistic"))
    print_table(
        "An epoch of SGD, shuffled: nanoseconds a row", ["X", "loss", "fastgd", "scikit-learn", "times faster"], rows
    )


if __name__ == "__main__":
    main()
