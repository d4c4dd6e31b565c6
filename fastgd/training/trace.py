"""The trace of a fit: a row for the start and for each epoch, the path of the parameters, and single updates."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

TRACE_DTYPE = np.dtype(
    [
        ("epoch", np.int64),
        ("passes", np.float64),
        ("seconds", np.float64),
        ("objective", np.float64),
        ("running_loss", np.float64),
        ("learning_rate", np.float64),
        ("gradient_norm", np.float64),
        ("validation_loss", np.float64),
    ]
)
STEP_FIELDS = [
    ("step", np.int64),
    ("epoch", np.int64),
    ("row", np.int64),
    ("loss", np.float64),
    ("learning_rate", np.float64),
]
# A row for each kernel call of the unfinished epoch.
UNDER_WAY_DTYPE = np.dtype([(name, np.float64) for name in ("epoch", "passes", "seconds", "running_loss")])
# Maximum values of the path, which holds the parameters of every row of the trace.
MAX_PATH_VALUES = 1_000_000


class TraceRow(NamedTuple):
    """A row of the trace, see `Result.trace`."""

    epoch: int
    passes: float
    seconds: float
    objective: float
    running_loss: float = math.nan
    learning_rate: float = math.nan
    gradient_norm: float = math.nan
    validation_loss: float = math.nan


class TraceState(NamedTuple):
    """The trace so far, as a value; ``params`` are the parameters of its last row."""

    rows: np.ndarray
    params: np.ndarray
    path: np.ndarray | None
    steps: np.ndarray | None


class TraceRecorder:
    """Records what training did.

    Attributes
    ----------
    rows : the rows of the trace.
    params : the parameters of its last row.
    path : the parameters of every row; None once they are too many values.
    """

    def __init__(self, params: np.ndarray, by_update: bool, positions: np.ndarray | None) -> None:
        self.by_update, self.positions = by_update, positions
        self.rows: list[TraceRow] = []
        self.params = params.copy()
        self.path: list[np.ndarray] | None = []
        self.steps: list[tuple[Any, ...]] = []
        self.calls: list[tuple[float, float, float, float]] = []  # of the unfinished epoch

    def append(self, row: TraceRow, params: np.ndarray) -> None:
        """Append a row for the end of an epoch."""
        self.calls.clear()
        self.rows.append(row)
        self.params[...] = params
        if self.path is not None:
            self.path.append(self.params.copy())
            if len(self.path) * self.params.size > MAX_PATH_VALUES:
                self.path = None

    def replace_last(self, params: np.ndarray, objective: float, validation_loss: float) -> None:
        """Replace the parameters of the last row, since training went back to the start."""
        self.params[...] = params
        self.rows[-1] = self.rows[-1]._replace(objective=objective, validation_loss=validation_loss)
        if self.path is not None:
            self.path[-1] = self.params.copy()

    def set_objective(self, objective: float, row: int = -1) -> None:
        """Set F in a row."""
        self.rows[row] = self.rows[row]._replace(objective=objective)

    def add_update(
        self, t: int, epoch: int, row: int, loss: float, rate: float, gradient: np.ndarray, params: np.ndarray
    ) -> None:
        """Record an update; ``row`` is the position of the first row of its batch, -1 for all rows."""
        if self.positions is not None and row >= 0:
            row = int(self.positions[row])
        self.steps.append((t, epoch, row, loss, rate, gradient.copy(), params.copy()))

    @property
    def trace(self) -> np.ndarray:
        return np.array([tuple(row) for row in self.rows], dtype=TRACE_DTYPE)

    @property
    def step_trace(self) -> np.ndarray | None:
        """A row for each update; None unless asked for."""
        if not self.by_update:
            return None
        weights = [("gradient", np.float64, self.params.shape), ("weights", np.float64, self.params.shape)]
        return np.array(self.steps, dtype=[*STEP_FIELDS, *weights])

    @property
    def under_way(self) -> np.ndarray:
        """Epochs, passes, seconds and running loss after each kernel call of the unfinished epoch."""
        return np.array(self.calls, dtype=UNDER_WAY_DTYPE)

    @property
    def state(self) -> TraceState:
        path = None if self.path is None else np.array(self.path)
        return TraceState(self.trace, self.params.copy(), path, self.step_trace)

    def restore(self, state: TraceState) -> None:
        """Continue from a `state`."""
        self.rows = [TraceRow(*row) for row in state.rows.tolist()]
        self.params[...] = state.params
        self.path = None if state.path is None else list(state.path)
        self.steps = [] if state.steps is None else [tuple(row) for row in state.steps]
