"""Several outputs in one pass over X: softmax beside NumPy's two products, and models side by side beside one."""

from __future__ import annotations

import numpy as np
from timing import in_turn, print_table

import fastgd
from fastgd.kernels.targets import Targets
from fastgd.losses import LOSSES
from fastgd.penalties import ElasticNet
from fastgd.problem import Problem

N_SAMPLES, N_FEATURES = 200_000, 100
MODELS = 8
EPOCHS = 10


def softmax(n_classes: int, dtype: str) -> list[str]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES), dtype=np.dtype(dtype).type)
    y = rng.integers(0, n_classes, N_SAMPLES)
    W = (rng.standard_normal((n_classes, N_FEATURES)) / 10).astype(dtype)
    one_hot = np.eye(n_classes, dtype=dtype)[y]
    targets = Targets(y.astype(np.float64)[:, None])
    problem = Problem(X, targets, LOSSES.resolve("softmax"), ElasticNet(), False, n_outputs=n_classes)
    theta = W.astype(np.float64)

    def numpy_gradient() -> np.ndarray:
        Z = X @ W.T
        Z -= Z.max(axis=1, keepdims=True)
        np.exp(Z, out=Z)
        Z /= Z.sum(axis=1, keepdims=True)
        Z -= one_hot
        return Z.T @ X

    timings = in_turn({"fastgd": lambda: problem.gradient(theta), "NumPy": numpy_gradient})
    ours, theirs = timings["fastgd"], timings["NumPy"]
    return [
        f"softmax, {n_classes} classes, {dtype}",
        f"{1e3 * ours.median:.1f}",
        f"{1e3 * theirs.median:.1f}",
        f"{ours.times_faster_than(theirs):.2f}",
    ]


def side_by_side(method: str) -> list[str]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    y = X @ rng.standard_normal(N_FEATURES) + rng.standard_normal(N_SAMPLES)
    options = {"loss": "half_squared", "method": method, "max_epochs": EPOCHS, "tol": 0, "scale": False}
    rates = [1e-4] * MODELS

    def one() -> object:
        return fastgd.fit(X, y, learning_rate=rates[0], **options)

    timings = in_turn({"one": one, "all": lambda: fastgd.fit_path(X, y, learning_rates=rates, **options)}, rounds=5)
    one_time, all_time = timings["one"].median, timings["all"].median
    return [method, f"{1e3 * one_time:.0f}", f"{1e3 * all_time:.0f}", f"{all_time / one_time:.2f}"]


def main() -> None:
    title = f"A gradient of softmax, {N_SAMPLES:,} x {N_FEATURES}, milliseconds"
    rows = [softmax(n_classes, dtype) for n_classes in (3, 10) for dtype in ("float64", "float32")]
    print_table(title, ["", "fastgd", "NumPy", "times faster"], rows)
    title = f"{MODELS} models side by side, {EPOCHS} epochs, {N_SAMPLES:,} x {N_FEATURES}, milliseconds"
    rows = [side_by_side(method) for method in ("gd", "minibatch", "sgd")]
    print_table(title, ["method", "one model", f"all {MODELS}", "times one"], rows)


if __name__ == "__main__":
    main()
