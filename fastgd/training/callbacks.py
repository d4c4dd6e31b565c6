"""The argument of a user's callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class State:
    """The state of training after an epoch. ``coef`` and ``intercept`` are copies, in the shapes of `Result`.

    The numbers are a row of the trace, see `Result`: ``objective`` is NaN on large data, ``gradient_norm`` for methods
    that do not know it, ``validation_loss`` without validation rows.
    """

    epoch: int
    passes: float
    seconds: float
    objective: float
    running_loss: float
    learning_rate: float
    coef: np.ndarray
    intercept: Any
    gradient_norm: float
    validation_loss: float
