"""The batch gradient beside the roofline (the fastest way to merely read X) and NumPy's two products."""

from __future__ import annotations

import numpy as np
from numba import prange
from timing import in_turn, print_table

from fastgd.jit import parallel_kernel
from fastgd.kernels.targets import Targets
from fastgd.losses import LOSSES
from fastgd.penalties import ElasticNet
from fastgd.problem import Problem

BYTES = 200_000_000  # far more than any cache
WIDTHS = (2, 4, 8, 16, 28, 54, 100, 200, 500, 2000)


@parallel_kernel
def read(X, sums):
    """Sum X in four streams for each of 64 chunks: reading, and as little else as can be."""
    n = X.shape[0]
    for c in prange(64):
        chunk = X[c * (n // 64) : (c + 1) * (n // 64)]
        quarter = chunk.shape[0] // 4
        a, b, d, e = 0.0, 0.0, 0.0, 0.0
        for i in range(quarter):
            a += chunk[i]
            b += chunk[i + quarter]
            d += chunk[i + 2 * quarter]
            e += chunk[i + 3 * quarter]
        sums[c] = (a + b) + (d + e)


def measure(width: int, dtype: str, loss: str) -> list[str]:
    rng = np.random.default_rng(0)
    n = BYTES // (width * np.dtype(dtype).itemsize)
    X = rng.standard_normal((n, width), dtype=np.dtype(dtype).type)
    target = rng.standard_normal(n)
    y = np.sign(target) if loss == "logistic" else target
    y_numpy, w = y.astype(dtype), np.zeros(width, dtype)
    problem = Problem(X, Targets(y), LOSSES.resolve(loss), ElasticNet(), fit_intercept=False)
    theta, sums, flat = np.zeros(width), np.zeros(64), X.reshape(-1)
    timings = in_turn(
        {
            "fastgd": lambda: problem.gradient(theta),
            "sum": lambda: read(flat, sums),
            "X @ w": lambda: X @ w,
            "NumPy": lambda: X.T @ (X @ w - y_numpy),
        }
    )
    ours = timings["fastgd"]
    roofline = min(timings["sum"], timings["X @ w"], key=lambda timing: timing.median)
    return [
        dtype,
        str(width),
        loss,
        f"{X.nbytes / ours.median / 1e9:.1f}",
        f"{X.nbytes / roofline.median / 1e9:.1f}",
        f"{1 / roofline.times_faster_than(ours):.2f}",
        f"{ours.times_faster_than(timings['NumPy']):.2f}" if loss == "half_squared" else "",
        f"{100 * ours.spread:.0f} %",
    ]


def main() -> None:
    rows = [measure(width, "float64", "half_squared") for width in WIDTHS]
    rows += [measure(width, "float64", "logistic") for width in (28, 100, 500)]
    rows += [measure(width, "float32", "half_squared") for width in (28, 100, 500)]
    header = ["dtype", "d", "loss", "GB/s", "roofline GB/s", "of the roofline", "x NumPy", "spread"]
    print_table("Batch gradient, 200 MB of X, all threads", header, rows)


if __name__ == "__main__":
    main()
