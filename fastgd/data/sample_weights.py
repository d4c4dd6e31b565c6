"""Weights and offsets of rows, and weights of classes, checked and converted for the kernels."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..terms.registry import nearest
from ..wording import label, option, plural
from .feature_matrix import writable_view
from .masked_arrays import check_unmasked
from .table import is_arrow
from .target import Target


def as_sample_weight(values: Any, n_samples: int) -> np.ndarray:
    """The weight of each row, shape (n_samples,), not normalized.

    Raises
    ------
    DataError
        If a weight is negative or not finite, or all weights are 0.
    """
    weight = as_row_values(option("sample_weight"), values, n_samples)
    if (weight < 0).any():
        wrong = np.flatnonzero(weight < 0)
        raise DataError(
            f"{option('sample_weight')} has {plural(len(wrong), 'negative value')}, the first in row {wrong[0] + 1} "
            f"({weight[wrong[0]]:g}); weights must be 0 or more"
        )
    if not weight.any():
        raise DataError(f"{option('sample_weight')} is 0 in every row: no row is left to train on")
    return weight


def normalized(weight: np.ndarray) -> np.ndarray:
    """The weights divided by their mean; empty if all are equal, which the kernels take as weights of 1."""
    if not len(weight) or (weight == weight[0]).all():
        return np.zeros(0)
    return np.asarray(weight / weight.mean())


def as_row_values(name: str, values: Any, count: int, of: str = "rows") -> np.ndarray:
    """Finite numbers, one for each row (or feature), shape (count,); a `DataError` names ``name`` otherwise."""
    check_unmasked(values, name)
    if is_arrow(values):
        from .readers.data_frames import check_arrow_array

        check_arrow_array(values, name)
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must hold a number for each of the {count} {of}") from None
    if numbers.shape != (count,):
        raise DataError(f"{name} must hold a number for each of the {count} {of}, not have the shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        wrong = np.flatnonzero(~np.isfinite(numbers))
        what = plural(len(wrong), "NaN or infinite value")
        raise DataError(f"{name} has {what}, the first in {of[:-1]} {wrong[0] + 1}")
    return writable_view(np.ascontiguousarray(numbers))


def class_factors(class_weight: Any, target: Target) -> np.ndarray:
    """The weight of each class; "balanced" is n_samples / (n_classes * rows of the class), as in scikit-learn.

    Raises
    ------
    OptionError
        If the target is not one classification, or ``class_weight`` names an unknown class or a bad weight.
    """
    classes = target.classes
    if classes is None or classes.ndim != 1:
        raise OptionError(f"{option('class_weight')} needs a classification of one target")
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(_class_indices(target), minlength=len(classes))
        return np.asarray(len(target.y) / (len(classes) * counts))
    if not isinstance(class_weight, Mapping):
        known_forms = "'balanced' or a dict of class -> weight"
        raise OptionError(f"{option('class_weight')} must be {known_forms}, not {class_weight!r}")
    known = {label(value): k for k, value in enumerate(classes.tolist())}
    factors = np.ones(len(classes))
    for name, factor in class_weight.items():
        k = known.get(label(name), known.get(_as_spelled(str(name), classes)))
        if k is None:
            raise OptionError(
                f"{option('class_weight')} names the class {name!r}, which y does not have{nearest(str(name), known)}"
            )
        if isinstance(factor, bool) or not isinstance(factor, Real) or not 0 < float(factor) < float("inf"):
            raise OptionError(f"{option('class_weight')} of class {name!r} must be a number above 0, not {factor!r}")
        factors[k] = factor
    return factors


def factors_by_row(factors: np.ndarray, target: Target) -> np.ndarray:
    """The factor of each row's class, shape (n_samples,), from ``factors`` of shape (n_classes,)."""
    return np.asarray(factors[_class_indices(target)])


def _class_indices(target: Target) -> np.ndarray:
    """The index of each row's label in the classes."""
    return (target.y > 0).astype(np.intp) if target.y.ndim == 1 else target.y[:, 0].astype(np.intp)


def _as_spelled(name: str, classes: np.ndarray) -> str:
    """A class as `label` spells it, for the "true" of a file of booleans, and the "1.0" of one of whole numbers."""
    return name.capitalize() if classes.dtype.kind == "b" else name.removesuffix(".0")
