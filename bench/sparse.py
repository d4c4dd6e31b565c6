"""Question: how fast are SGD and the gradient on sparse rows like rcv1, compared with scikit-learn and SciPy?"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from fastgd.data.feature_matrix import as_matrix

from .gradient import gradient_of
from .machine import has
from .scale import Scale
from .sgd import ours, scikit_learn
from .table import Table
from .timing import Timing, epochs_in_turn, in_turn

N_SAMPLES, N_FEATURES, VALUES = 400_000, 47_000, 76


def rows_like_rcv1(n: int) -> sp.csr_array:
    """Sparse rows with ``VALUES`` values each, in random columns."""
    random = np.random.default_rng(0)
    indices = np.sort(random.integers(0, N_FEATURES, (n, VALUES)), axis=1).astype(np.int32).ravel()
    indptr = np.arange(n + 1, dtype=np.int32) * VALUES
    X = sp.csr_array((random.random(n * VALUES), indices, indptr), shape=(n, N_FEATURES))
    X.sum_duplicates()
    return X


def gradients(X: sp.csr_array, y: np.ndarray, rounds: int) -> dict[str, Timing]:
    rows, _ = as_matrix(X)
    w, labels = np.zeros(N_FEATURES), 2 * y - 1
    candidates = {
        "fastgd": gradient_of(rows, labels, "logistic"),
        "SciPy": lambda: X.T @ (-labels / (1 + np.exp(labels * (X @ w)))),
    }
    return in_turn(candidates, rounds)


def measure(scale: Scale) -> Table:
    """Nanoseconds per stored value."""
    n = N_SAMPLES // 4 if scale.quick else N_SAMPLES
    X, y = rows_like_rcv1(n), (np.random.default_rng(1).random(n) > 0.5).astype(float)
    title = f"Sparse rows, {n:,} x {N_FEATURES:,} with {VALUES} values each, logistic"
    table = Table(title, ("what", "fastgd, ns a value", "peer", "its ns a value", "times faster", "spread"))

    def add(what: str, peer: str, timings: dict[str, Timing]) -> None:
        us, them = timings["fastgd"], timings[peer]
        nanoseconds = [1e9 * timing.median / X.nnz for timing in (us, them)]
        table.rows.append((what, nanoseconds[0], peer, nanoseconds[1], us.times_faster_than(them), us.spread))

    if has("scikit-learn"):
        runs = {"fastgd": ours(X, y, "logistic"), "scikit-learn": scikit_learn(X, y, "logistic")}
        add("an epoch of SGD", "scikit-learn", epochs_in_turn(runs, rounds=scale.rounds(5)))
    add("gradient of all rows", "SciPy", gradients(X, y, scale.rounds(9)))
    return table
