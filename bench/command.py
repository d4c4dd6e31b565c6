"""Question: how fast is a complete ``fastgd run`` on a file, compared with the same in a NumPy script?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .scale import Scale
from .sgd import linear
from .table import Table
from .timing import in_turn

N_SAMPLES, WIDTH, EPOCHS, BATCH, RATE = 1_000_000, 20, 20, 32, 1e-3
SCRIPT = f"""
import sys
import numpy as np

data = np.load(sys.argv[1])
X, y = data[:, :-1], data[:, -1]
random, w, b = np.random.default_rng(0), np.zeros(X.shape[1]), 0.0
for epoch in range({EPOCHS}):
    order = random.permutation(len(y))
    for start in range(0, len(y), {BATCH}):
        rows = order[start : start + {BATCH}]
        batch = X[rows]
        residual = batch @ w + b - y[rows]
        w -= {2 * RATE / BATCH} * (batch.T @ residual)
        b -= {2 * RATE / BATCH} * residual.sum()
print(w, b)
"""


def process(*words: str):
    """A function that runs Python with these arguments."""
    return lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True)


def measure(scale: Scale) -> Table:
    """Seconds of complete processes, with compiled kernels."""
    n = N_SAMPLES // 4 if scale.quick else N_SAMPLES
    title = f"{EPOCHS} epochs of mini-batch {BATCH} on a .npy of {n:,} x {WIDTH}, whole processes"
    table = Table(title, ("who", "seconds", "fastgd is times faster", "spread"))
    options = f"--method minibatch --batch-size {BATCH} --epochs {EPOCHS} --learning-rate {RATE} --target {WIDTH}"
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder, "rows.npy"), Path(folder, "script.py")
        X, y = linear(n, WIDTH)
        np.save(file, np.column_stack([X, y]))
        script.write_text(SCRIPT)
        runs = {
            "fastgd run": process("-m", "fastgd_cli", "run", str(file), *options.split()),
            "NumPy script": process(str(script), str(file)),
        }
        timings = in_turn(runs, scale.rounds(5))
    for name, timing in timings.items():
        table.rows.append((name, timing.median, timings["fastgd run"].times_faster_than(timing), timing.spread))
    return table
