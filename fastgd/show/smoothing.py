"""`smooth`: the exponentially weighted moving average of a noisy curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import OptionError
from ..wording import for_reader


def smooth(values: Any, beta: float = 0.9) -> np.ndarray:
    """The exponentially weighted moving average of a series, with bias correction.

        v_t = beta v_(t-1) + (1 - beta) x_t,   v_0 = 0,   smoothed_t = v_t / (1 - beta^t)

    Each value is the weighted mean of all values up to there, the weight of each being ``beta`` times that of the next:
    about the last 1 / (1 - beta) of them count. Without the correction the first values would be too small, since v
    begins at zero. A NaN, which stands in a trace where nothing was evaluated, is a gap: it stays NaN, and the average
    goes on behind it as if it were not there. Source: the moments of Kingma and Ba, Adam (2015), section 3.

    Parameters
    ----------
    values : numbers of shape (n,), such as a column of `Result.trace` or `Result.steps`.
    beta : how much of the average is kept at each step, from 0 (no smoothing) to less than 1.

    Returns
    -------
    Array of shape (n,), float64.

    Raises
    ------
    OptionError
        When beta is not such a number, or the values are not numbers in one dimension.

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
        raise OptionError("smooth takes a series of numbers") from None
    if series.ndim != 1:
        raise OptionError(f"smooth takes a series of numbers in one dimension, not in {series.ndim}")
    average, forgotten = 0.0, 1.0  # v_t and beta^t
    smoothed = np.empty_like(series)
    for t, value in enumerate(series.tolist()):
        if math.isnan(value):
            smoothed[t] = math.nan
            continue
        average = beta * average + (1.0 - beta) * value
        forgotten *= beta
        smoothed[t] = average / (1.0 - forgotten)
    return smoothed


def check_beta(beta: Any) -> None:
    """Raises `OptionError` where ``beta`` cannot be one."""
    number = isinstance(beta, (int, float, np.integer, np.floating)) and not isinstance(beta, bool)
    if not (number and 0.0 <= beta < 1.0):
        name = for_reader("the beta of smoothing", "--smooth")
        raise OptionError(f"{name} is a number from 0 to less than 1, such as 0.9, not {beta!r}")
