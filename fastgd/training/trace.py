"""The trace of a fit: a row for the start and for each epoch, the path of the parameters, single updates."""

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
# Of the epoch that is under way, a row for each kernel call.
UNDER_WAY_DTYPE = np.dtype([(name, np.float64) for name in ("epoch", "passes", "seconds", "running_loss")])
# The path holds the parameters of every row of the trace as long as they are at most this many numbers.
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
    """The trace so far, as a value."""

    rows: np.ndarray
    good: np.ndarray
    path: np.ndarray | None
    steps: np.ndarray | None


class TraceRecorder:
    """Records what training did.

    Attributes
    ----------
    rows : the rows of the trace.
    good : the parameters of its last row.
    path : the parameters of every row; None once they are too many.
    """

    def __init__(self, params: np.ndarray, by_update: bool, positions: np.ndarray | None) -> None:
        self.by_update, self.positions = by_update, positions
        self.rows: list[TraceRow] = []
        self.good = params.copy()
        self.path: list[np.ndarray] | None = []
        self.steps: list[tuple[Any, ...]] = []
        self.calls: list[tuple[float, float, float, float]] = []  # of the epoch under way

    def append(self, row: TraceRow, params: np.ndarray) -> None:
        """A row for the state at the end of an epoch."""
        self.calls.clear()
        self.rows.append(row)
        self.good[...] = params
        if self.path is not None:
            self.path.append(self.good.copy())
            if len(self.path) * self.good.size > MAX_PATH_VALUES:
                self.path = None

    def replace_last(self, params: np.ndarray, objective: float, validation_loss: float) -> None:
        """Put other parameters in the last row, as where training went back to the start."""
        self.good[...] = params
        self.rows[-1] = self.rows[-1]._replace(objective=objective, validation_loss=validation_loss)
        if self.path is not None:
            self.path[-1] = self.good.copy()

    def set_objective(self, objective: float, row: int = -1) -> None:
        """Enter F in a row."""
        self.rows[row] = self.rows[row]._replace(objective=objective)

    def add_update(
        self, t: int, epoch: int, row: int, loss: float, rate: float, gradient: np.ndarray, params: np.ndarray
    ) -> None:
        """An update; ``row`` is the position of the first row of its batch, -1 for all rows."""
        if self.positions is not None and row >= 0:
            row = int(self.positions[row])
        self.steps.append((t, epoch, row, loss, rate, gradient.copy(), params.copy()))

    @property
    def trace(self) -> np.ndarray:
        return np.array([tuple(row) for row in self.rows], dtype=TRACE_DTYPE)

    @property
    def step_trace(self) -> np.ndarray | None:
        """A row for each update; None where they were not asked for."""
        if not self.by_update:
            return None
        weights = [("gradient", np.float64, self.good.shape), ("weights", np.float64, self.good.shape)]
        return np.array(self.steps, dtype=[*STEP_FIELDS, *weights])

    @property
    def under_way(self) -> np.ndarray:
        """Epochs, passes, seconds and running loss after each call of the epoch that is not done yet."""
        return np.array(self.calls, dtype=UNDER_WAY_DTYPE)

    @property
    def state(self) -> TraceState:
        path = None if self.path is None else np.array(self.path)
        return TraceState(self.trace, self.good.copy(), path, self.step_trace)

    def restore(self, state: TraceState) -> None:
        """Go on from a `state`."""
        self.rows = [TraceRow(*row) for row in state.rows.tolist()]
        self.good[...] = state.good
        self.path = None if state.path is None else list(state.path)
        self.steps = [] if state.steps is None else [tuple(row) for row in state.steps]
