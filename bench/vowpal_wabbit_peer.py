"""Vowpal Wabbit, if it is installed: passes of SGD over its cache file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


def write(X: np.ndarray, y: np.ndarray, path: Path) -> None:
    """Write rows in the text format of Vowpal Wabbit."""
    with path.open("w") as file:
        for row, label in zip(X, y, strict=True):
            file.write(f"{label:.9g} | " + " ".join(f"{j}:{value:.9g}" for j, value in enumerate(row)) + "\n")


def passes_over(path: Path, rate: float, l2: float) -> Callable[[int], object]:
    """A function that runs passes of SGD, from the cache file that the first run writes."""
    from vowpalwabbit import Workspace

    options = f"--cache_file {path}.cache --sgd --learning_rate {rate} --l2 {l2} --holdout_off --bit_precision 10"

    def run(passes: int) -> object:
        workspace = Workspace(f"--data {path} {options} --power_t 0 --passes {passes} --quiet")
        workspace.finish()
        return workspace

    return run
