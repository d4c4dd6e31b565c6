"""All benchmarks: `make bench`, or `python bench/run.py gradient sgd` for some. Keep the machine quiet.

FASTGD_RACES="huber 500" takes of time_to_accuracy and methods those problems alone whose names contain that.
"""

from __future__ import annotations

import os

# OpenBLAS's threads spin for a while after each product and would slow down whatever is timed next.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import platform
import sys

import gradient
import llvmlite.binding
import methods
import numba
import numpy as np
import outputs
import own_loss
import sgd
import sklearn
import startup
import time_to_accuracy

BENCHMARKS = {
    "gradient": gradient.main,
    "sgd": sgd.main,
    "outputs": outputs.main,
    "own_loss": own_loss.main,
    "startup": startup.main,
    "time_to_accuracy": time_to_accuracy.main,
    "methods": methods.main,
}


def main() -> None:
    versions = f"numba {numba.__version__}, NumPy {np.__version__}, scikit-learn {sklearn.__version__}"
    cpu = f"{llvmlite.binding.get_host_cpu_name()}, {numba.config.NUMBA_NUM_THREADS} threads"
    print(f"Python {platform.python_version()}, {versions}, {cpu}")
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
