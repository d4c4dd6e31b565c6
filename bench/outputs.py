"""Question: how fast are several outputs in one pass over X? Softmax against NumPy, several models against one."""

from __future__ import annotations

import numpy as np

import fastgd
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.row_targets import Targets
from fastgd.losses import LOSSES
from fastgd.objective.objective import Objective
from fastgd.penalties import ElasticNet

from .scale import Scale
from .table import Table
from .timing import Timing, in_turn

N_SAMPLES, N_FEATURES = 200_000, 100
MODELS = 8
EPOCHS = 10


def softmax(n_classes: int, dtype: str) -> dict[str, Timing]:
    """Timings of the softmax gradient in fastgd and NumPy."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES), dtype=np.dtype(dtype).type)
    y = rng.integers(0, n_classes, N_SAMPLES)
    W = (rng.standard_normal((n_classes, N_FEATURES)) / 10).astype(dtype)
    one_hot = np.eye(n_classes, dtype=dtype)[y]
    targets = Targets(y.astype(np.float64)[:, None])
    objective = Objective(MemoryRows(X, targets), LOSSES.resolve("softmax"), ElasticNet(), False, n_outputs=n_classes)
    params = W.astype(np.float64)

    def numpy_gradient() -> np.ndarray:
        Z = X @ W.T
        Z -= Z.max(axis=1, keepdims=True)
        np.exp(Z, out=Z)
        Z /= Z.sum(axis=1, keepdims=True)
        Z -= one_hot
        return Z.T @ X

    return in_turn({"fastgd": lambda: objective.evaluate(params), "NumPy": numpy_gradient})


def side_by_side(method: str) -> dict[str, Timing]:
    """Timings of fitting ``MODELS`` models together, and one model."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    y = X @ rng.standard_normal(N_FEATURES) + rng.standard_normal(N_SAMPLES)
    options = {"loss": "half_squared", "method": method, "max_epochs": EPOCHS, "tol": 0, "scale": False}
    rates = [1e-4] * MODELS

    def one() -> object:
        return fastgd.fit(X, y, learning_rate=rates[0], **options)

    return in_turn({"all": lambda: fastgd.fit_path(X, y, learning_rates=rates, **options), "one": one}, rounds=5)


def measure(scale: Scale) -> Table:
    """Milliseconds of softmax gradients, and of fits of several models."""
    table = Table(
        f"Several outputs, {N_SAMPLES:,} x {N_FEATURES}",
        ("what", "fastgd, ms", "beside", "its ms", "times faster", "spread"),
    )

    def add(what: str, beside: str, timings: dict[str, Timing], times: int) -> None:
        us, them = timings.values()
        faster = times * us.times_faster_than(them)
        table.rows.append((what, 1e3 * us.median, beside, 1e3 * times * them.median, faster, us.spread))

    for n_classes in scale.subset(3, 10):
        for dtype in ("float64", "float32"):
            add(f"gradient of softmax, {n_classes} classes, {dtype}", "NumPy", softmax(n_classes, dtype), 1)
    for method in ("gd", "minibatch", "sgd"):
        add(f"{MODELS} models, {method}, {EPOCHS} epochs", "one by one", side_by_side(method), MODELS)
    return table
