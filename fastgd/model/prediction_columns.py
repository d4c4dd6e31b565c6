"""Predictions of a model as named columns, ready to be written."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import OptionError
from ..terms.losses import loss_traits
from ..wording import option
from .result import Result, output_names


def prediction_columns(
    result: Result, X: Any, *, offset: Any = None, threshold: float | None = None
) -> dict[str, np.ndarray]:
    """The predictions for X and, if the loss has them, the probabilities.

    ``prediction``, or ``prediction_TARGET`` for each of several targets; ``probability_LABEL`` for each class, or for
    several targets ``probability_TARGET``, of the larger label. ``threshold`` is the probability from which the larger
    of two labels is predicted.

    Raises
    ------
    OptionError
        For a threshold where there are no probabilities, or more than two labels.
    """
    probabilistic = result.classes is not None and loss_traits(result.loss).probabilistic
    if threshold is not None:
        check_threshold(result, threshold, probabilistic)
    names = output_names(result)
    probability = result.predict_proba(X, offset=offset) if probabilistic else None
    if threshold is None or probability is None or result.classes is None:
        predicted = result.predict(X, offset=offset)
    elif result.classes.ndim == 1:
        predicted = result.classes[(probability[:, 1] >= threshold).astype(np.intp)]
    else:
        larger = (probability >= threshold).astype(np.intp)
        predicted = result.classes[np.arange(result.n_outputs), larger]
    if predicted.ndim == 1:
        columns = {"prediction": predicted}
    else:
        columns = {f"prediction_{name}": column for name, column in zip(names, predicted.T, strict=True)}
    if probability is not None:
        columns |= {f"probability_{name}": column for name, column in zip(names, probability.T, strict=True)}
    return columns


def check_threshold(result: Result, threshold: float, probabilistic: bool) -> None:
    """Raise an `OptionError` if a threshold makes no sense for the model."""
    if not 0.0 <= threshold <= 1.0:
        raise OptionError(f"{option('threshold')} must lie between 0 and 1, not {threshold:g}")
    if not probabilistic:
        raise OptionError(f"{option('threshold')} is a probability, and this model has none: leave it out")
    if result.classes is not None and result.classes.ndim == 1 and len(result.classes) > 2:
        raise OptionError(
            f"{option('threshold')} is for two labels, and this model has {len(result.classes)}: leave it out"
        )
