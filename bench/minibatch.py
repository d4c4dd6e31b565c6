"""Question: how fast are mini-batches of 32 rows, compared with loops in PyTorch and NumPy?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import fastgd

from .scale import Scale
from .sgd import linear
from .table import Table
from .timing import epochs_in_turn
from .torch_peer import epochs_of_minibatches

BATCH, RATE = 32, 1e-3
N_SAMPLES, WIDTH = 100_000, 54


def ours(X: np.ndarray, y: np.ndarray) -> Callable[[int], object]:
    options = {"loss": "half_squared", "method": "minibatch", "batch_size": BATCH, "learning_rate": RATE}
    return lambda epochs: fastgd.fit(X, y, max_epochs=epochs, fit_intercept=False, **options)


def with_numpy(X: np.ndarray, y: np.ndarray) -> Callable[[int], object]:
    def run(epochs: int) -> object:
        random, w = np.random.default_rng(0), np.zeros(X.shape[1])
        for _ in range(epochs):
            order = random.permutation(len(y))
            for start in range(0, len(y), BATCH):
                rows = order[start : start + BATCH]
                batch = X[rows]
                w -= RATE / len(rows) * (batch.T @ (batch @ w - y[rows]))
        return w

    return run


def measure(scale: Scale) -> Table:
    """Nanoseconds per row, and the ratio to each peer."""
    title = f"Mini-batches of {BATCH} rows, {N_SAMPLES:,} x {WIDTH}, half_squared"
    table = Table(title, ("who", "ns a row", "fastgd is times faster", "spread"))
    X, y = linear(N_SAMPLES, WIDTH)
    everyone = {
        "fastgd": ours(X, y),
        "NumPy": with_numpy(X, y),
        "PyTorch eager": epochs_of_minibatches(X, y, BATCH, RATE),
    }
    timings = epochs_in_turn({name: run for name, run in everyone.items() if run}, epochs=2, rounds=scale.rounds(7))
    for name, timing in timings.items():
        faster = timings["fastgd"].times_faster_than(timing)
        table.rows.append((name, 1e9 * timing.median / N_SAMPLES, faster, timing.spread))
    return table
