"""Question: how fast is the batch gradient, compared with the roofline, NumPy and PyTorch, for narrow and wide X?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_access import CSR
from fastgd.kernels.row_targets import Targets
from fastgd.losses import LOSSES
from fastgd.objective.objective import Objective
from fastgd.penalties import ElasticNet

from .roofline import fastest, readers
from .scale import Scale
from .table import Table
from .timing import in_turn
from .torch_peer import compiled_gradient, eager_gradient

WIDTHS = (2, 4, 8, 16, 28, 54, 100, 200, 500, 2000)
LOGISTIC = (2, 8, 28, 54, 100, 500)
COLUMNS = ("dtype", "d", "loss", "MB", "GB/s", "of the roofline", "x NumPy", "x PyTorch", "x compiled", "spread")
SMALL = 1_000_000  # bytes; fits into the caches


def gradient_of(X: np.ndarray | CSR, y: np.ndarray, loss: str) -> Callable[[], object]:
    """The gradient at zero, as `fit` computes it."""
    objective = Objective(MemoryRows(X, Targets(y)), LOSSES.resolve(loss), ElasticNet(), fit_intercept=False)
    return lambda: objective.evaluate(objective.zeros())


def numpy_gradient(X: np.ndarray, y: np.ndarray, loss: str) -> Callable[[], object]:
    """The gradient with two matrix products, in the type of X."""
    y, w = y.astype(X.dtype), np.zeros(X.shape[1], X.dtype)
    if loss == "logistic":
        return lambda: X.T @ (-y / (1 + np.exp(y * (X @ w))))
    return lambda: X.T @ (X @ w - y)


def data(n: int, width: int, dtype: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Random X and y."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, width), dtype=np.dtype(dtype).type)
    y = random.standard_normal(n)
    return X, np.sign(y) if loss == "logistic" else y


def row(width: int, dtype: str, loss: str, size: int, rounds: int) -> tuple[object, ...]:
    """The row of the table for one case."""
    X, y = data(size // (width * np.dtype(dtype).itemsize), width, dtype, loss)
    candidates = {
        "fastgd": gradient_of(X, y, loss),
        **readers(X),
        "NumPy": numpy_gradient(X, y, loss),
        "eager": eager_gradient(X, y, loss),
        "compiled": compiled_gradient(X, y, loss),
    }
    timings = in_turn({name: run for name, run in candidates.items() if run}, rounds)
    ours = timings["fastgd"]
    against = [ours.times_faster_than(timings[name]) if name in timings else None for name in tuple(candidates)[3:]]
    speed, part = X.nbytes / ours.median / 1e9, 1 / fastest(timings).times_faster_than(ours)
    return dtype, width, loss, X.nbytes / 1e6, speed, part, *against, ours.spread


def measure(scale: Scale) -> Table:
    """Large X of each width, and small X for the overhead of a call."""
    title = "Batch gradient on all threads; x: times faster than that peer"
    size, rounds = scale.matrix_bytes, scale.rounds(15)
    cases = [
        (width, dtype, "half_squared", size) for dtype in ("float64", "float32") for width in scale.subset(*WIDTHS)
    ]
    cases += [(width, "float64", "logistic", size) for width in scale.subset(*LOGISTIC)]
    cases += [(width, "float64", "half_squared", SMALL) for width in scale.subset(8, 100)]
    return Table(title, COLUMNS, [row(*case, rounds) for case in cases])
