"""Question: how fast is an epoch of SGD, compared with scikit-learn and Vowpal Wabbit?

All compute the loss, and all but Vowpal Wabbit shuffle the rows.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastgd

from .machine import has
from .scale import Scale
from .table import Table
from .timing import epochs_in_turn
from .vowpal_wabbit_peer import passes_over, write

WIDTHS = (3, 10, 28, 54, 100, 500)
VALUES = 20_000_000
RATE, ALPHA = 1e-4, 1e-4
# Size of the file for Vowpal Wabbit; a small one is enough, since all rows take the same time.
VW_WIDTH, VW_ROWS = 54, 50_000
COLUMNS = ("X", "loss", "fastgd, ns a row", "peer", "its ns a row", "times faster", "spread")

Run = Callable[[int], object]


def ours(X, y, loss: str) -> Run:
    def run(epochs: int) -> object:
        return fastgd.fit(X, y, loss=loss, method="sgd", learning_rate=RATE, alpha=ALPHA, max_epochs=epochs)

    return run


def scikit_learn(X, y, loss: str) -> Run:
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    def run(epochs: int) -> object:
        options = {"learning_rate": "constant", "eta0": RATE, "alpha": ALPHA, "max_iter": epochs, "tol": None}
        with warnings.catch_warnings(action="ignore"):
            model = SGDClassifier(loss="log_loss", **options) if loss == "logistic" else SGDRegressor(**options)
            return model.fit(X, y)

    return run


def compare(name: str, X, y, loss: str, peer: str, theirs: Run, rounds: int) -> tuple[object, ...]:
    epoch = epochs_in_turn({"fastgd": ours(X, y, loss), peer: theirs}, rounds=rounds)
    us, them = epoch["fastgd"], epoch[peer]
    nanoseconds = [1e9 * timing.median / X.shape[0] for timing in (us, them)]
    return name, loss, nanoseconds[0], peer, nanoseconds[1], us.times_faster_than(them), us.spread


def linear(n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.standard_normal((n, width))
    return X, X @ random.standard_normal(width) + random.standard_normal(n)


def compare_vowpal_wabbit(rounds: int) -> tuple[object, ...]:
    X, y = linear(VW_ROWS, VW_WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        write(X, y, Path(folder, "rows.vw"))
        theirs = passes_over(Path(folder, "rows.vw"), rate=RATE, l2=ALPHA)
        return compare(f"{VW_ROWS:,} x {VW_WIDTH}", X, y, "squared", "Vowpal Wabbit", theirs, rounds)


def measure(scale: Scale) -> Table:
    """Compared with each installed peer."""
    table = Table("An epoch of SGD", COLUMNS)
    rounds = scale.rounds(7)
    if has("scikit-learn"):
        for width in scale.subset(*WIDTHS):
            X, z = linear(min(VALUES // width, 1_000_000), width)
            for loss, y in (("half_squared", z), ("logistic", (z > 0).astype(float))):
                name = f"{len(X):,} x {width}"
                table.rows.append(compare(name, X, y, loss, "scikit-learn", scikit_learn(X, y, loss), rounds))
    if has("vowpalwabbit"):
        table.rows.append(compare_vowpal_wabbit(rounds))
    return table
