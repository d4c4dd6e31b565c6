"""Masked arrays: NumPy's functions hand out their hidden values, so a fit would train on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError
from ..wording import plural


def check_unmasked(values: Any, name: str) -> None:
    """Check that no value of an array, or of a list of arrays or numbers, is hidden by a mask.

    Raises
    ------
    DataError
        With the number of hidden values and the row of the first.
    """
    hidden = _hidden_by_row(values)
    if hidden.any():
        raise DataError(
            f"{name} is a masked array with {plural(int(hidden.sum()), 'hidden value')}, the first in row "
            f"{np.flatnonzero(hidden)[0] + 1}; fill them in with .filled(...) or leave those rows out"
        )


def _hidden_by_row(values: Any) -> np.ndarray:
    """The number of hidden values in each row; one number for all that hides nothing."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.atleast_1d(np.ma.getmaskarray(values))
        return np.asarray(mask.reshape(len(mask), -1).sum(axis=1))
    if isinstance(values, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in values):
        return np.array([np.ma.getmaskarray(row).sum() if isinstance(row, np.ma.MaskedArray) else 0 for row in values])
    return np.zeros(1, int)
