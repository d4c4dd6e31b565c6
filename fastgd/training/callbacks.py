"""What a user's callback sees after each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class State:
    """The state of training after an epoch. ``coef`` and ``intercept`` are as in `Result`, and copies.

    The numbers are those of the trace, see `Result`: ``objective`` is NaN on large data, ``gradient_norm`` for methods
    that do not know it, ``validation_loss`` without rows to validate on.
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
