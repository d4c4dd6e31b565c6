"""An X that counts how often its rows are read, to hold the passes that a fit claims to what it did.

Run as a program under NUMBA_DISABLE_JIT=1, so that kernels read X through Python. A row counts once for a group of
reads with at most `WINDOW` changes of row between them: a pass in blocks reads a row, then others of its block, then it
again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.solvers.options import Options
from fastgd.terms.losses import LOSSES
from fastgd.terms.penalties import resolve_penalty
from fastgd.training.run import Run
from fastgd.training.run_result import result_of

WINDOW = 600
N, D = 2000, 3


class Reads:
    """How many rows were read, in all copies of X together."""

    def __init__(self) -> None:
        self.rows = 0


class RecordedX(np.ndarray):
    """An array whose reads are counted; copies and views of its rows are recorded too."""

    reads: Reads
    last: np.ndarray
    clock: int

    @classmethod
    def of(cls, X: np.ndarray, reads: Reads) -> RecordedX:
        recorded = np.ascontiguousarray(X).view(cls)
        recorded.reads, recorded.clock, recorded.current = reads, 0, -1
        recorded.last = np.full(len(X), -(10**9))
        return recorded

    def __array_finalize__(self, other: Any) -> None:
        pass

    def see(self, rows: Any) -> None:
        for i in np.atleast_1d(rows).tolist():
            if i != self.current:
                self.clock, self.current = self.clock + 1, i
            if self.clock - self.last[i] > WINDOW:
                self.reads.rows += 1
            self.last[i] = self.clock

    def see_all(self) -> None:
        """A read of all rows at once, by NumPy."""
        self.reads.rows += len(self)
        self.clock += WINDOW

    def plain(self) -> np.ndarray:
        return self.view(np.ndarray)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and isinstance(key[0], (int, np.integer)):
            self.see(int(key[0]))
            return self.plain()[key]
        rows = key[0] if isinstance(key, tuple) else key
        if isinstance(rows, slice):  # a view is read only when its values are
            taken = self.plain()[key]
            return RecordedX.of(taken, self.reads) if taken.ndim == 2 else taken
        self.see(rows)
        return self.plain()[key]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*map(read, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function is np.take:
            self.see(args[1])
            return RecordedX.of(np.take(self.plain(), *args[1:], **options), self.reads)
        return function(*(read(arg) for arg in args), **options)


def read(value: Any) -> Any:
    """A plain array, after its read was counted."""
    if not isinstance(value, RecordedX):
        return value
    value.see_all()
    return value.plain()


def claimed_and_read(**given: Any) -> tuple[float, float]:
    """Passes that the result of a fit claims, and passes that X has recorded."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, D)) * [1.0, 8.0, 0.5]
    loss, alpha = LOSSES.resolve(given.pop("loss", "squared")), given.pop("alpha", 0.0)
    y = X @ [1.0, -0.1, 2.0] + rng.normal(size=N)
    y = {"logistic": y > 0, "poisson": np.round(np.exp(np.clip(y / 3, -2, 2)))}.get(LOSSES.name_of(loss), y)
    penalty = resolve_penalty(given.pop("penalty", None), alpha, None)
    start = given.pop("start", None)
    options = Options(**given).bound_to(loss, penalty, alpha)
    posed = pose(X, y, loss, penalty, True, RowOptions())
    reads = Reads()
    rows = replace(posed.objective.rows, X=RecordedX.of(X, reads), _samples={})
    run = Run(posed.objective.on(rows), options, start)
    return sum(result_of(run, loss=loss).passes.values()), reads.rows / N


CASES: dict[str, dict[str, Any]] = {
    "gd": {"method": "gd"},
    "gd, start far from zero": {"method": "gd", "start": 3.0},
    "gd, rate follows the curvature": {"method": "gd", "loss": "poisson"},
    "sgd": {"method": "sgd", "scale": False},
    "sgd in scaled columns": {"method": "sgd"},
    "minibatch": {"method": "minibatch"},
    "minibatch, rate by trial": {"method": "minibatch", "loss": "poisson", "max_epochs": 5},
    "newton": {"method": "newton", "loss": "logistic", "alpha": 1e-3},
    "newton with l1": {"method": "newton", "loss": "logistic", "alpha": 1e-3, "penalty": "l1"},
    "lbfgs": {"method": "lbfgs", "loss": "logistic", "alpha": 1e-3},
    "svrg": {"method": "svrg"},
    "saga": {"method": "saga"},
    "gap_tol": {"method": "gd", "gap_tol": 1e-6},
    "gap_tol, logistic": {"method": "lbfgs", "loss": "logistic", "alpha": 1e-3, "gap_tol": 1e-9},
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({case: claimed_and_read(**{"max_epochs": 8} | given) for case, given in CASES.items()}))
