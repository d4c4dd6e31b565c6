"""`smooth`: exponentially weighted moving average of a noisy curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import OptionError
from ..wording import for_reader


def smooth(values: Any, beta: float = 0.9) -> np.ndarray:
    """Exponentially weighted moving average of a series, with bias correction.

        v_t = beta v_(t-1) + (1 - beta) x_t,   v_0 = 0,   smoothed_t = v_t / (1 - beta^t)

    smoothed_t is the weighted mean of x_1, ..., x_t with weights beta^(t - k), so about the last 1 / (1 - beta) values
    count. The division corrects the bias of v_t towards its start at 0. A NaN (a value that was not evaluated) stays
    NaN and is skipped by the average. Source: Kingma and Ba, Adam (2015), section 3.

    Parameters
    ----------
    values : array of shape (n,), such as a column of `Result.trace` or `Result.steps`.
    beta : weight of the previous average, from 0 (no smoothing) to less than 1.

    Returns
    -------
    Array of shape (n,), float64.

    Raises
    ------
    OptionError
        When beta is outside [0, 1), or values is not a one-dimensional array of numbers.

    Examples
    --------
    >>> import fastgd
    >>> fastgd.smooth([4.0, 8.0, 8.0], beta=0.5).round(3).tolist()
    [4.0, 6.667, 7.429]
    """
    check_beta(beta)
    try:
        series = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("the values to smooth must be numbers") from None
    if series.ndim != 1:
        raise OptionError(f"the values to smooth must be a one-dimensional array, not of {series.ndim} dimensions")
    average, decay = 0.0, 1.0  # v_t and beta^t
    smoothed = np.empty_like(series)
    for t, value in enumerate(series.tolist()):
        if math.isnan(value):
            smoothed[t] = math.nan
            continue
        average = beta * average + (1.0 - beta) * value
        decay *= beta
        smoothed[t] = average / (1.0 - decay)
    return smoothed


def check_beta(beta: Any) -> None:
    """Raises `OptionError` if ``beta`` is not a number in [0, 1)."""
    number = isinstance(beta, (int, float, np.integer, np.floating)) and not isinstance(beta, bool)
    if not (number and 0.0 <= beta < 1.0):
        name = for_reader("the smoothing factor", "--smooth")
        raise OptionError(f"{name} must be from 0 to less than 1, such as 0.9, not {beta!r}")
