"""y, sample weights and offsets, checked and converted once to what kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..terms.registry import nearest
from ..wording import label, option, plural
from .matrix import same_type


@dataclass(frozen=True)
class Target:
    """y as kernels take it (see `kernels.targets.Targets`), and what a model needs to know of it.

    ``classes``: None for numbers; the labels, in order, for a classification, the last of two being the
    positive one; for several targets of two labels each an array of shape (n_outputs, 2).
    """

    y: np.ndarray
    n_outputs: int = 1
    classes: np.ndarray | None = None
    one_vs_rest: bool = False


def as_target(columns: list[np.ndarray], loss: Any) -> Target:
    """The columns of y (see `as_columns`) for a loss: numbers, or labels where the loss classifies.

    Raises
    ------
    DataError
        When y has gaps, is constant, or has a single class.
    OptionError
        When a loss of several classes together is given several targets.
    """
    classifies, joint = getattr(loss, "classifies", False), getattr(loss, "joint", False)
    if len(columns) == 1:
        return _as_classes(columns[0], joint) if classifies else Target(_as_numbers(columns[0]))
    if joint:
        raise OptionError(
            f"this loss takes one target, but y has {len(columns)}: fit one at a time, or take "
            f"{option('loss', 'logistic')}"
        )
    named = [(column, f"column {k + 1} of y") for k, column in enumerate(columns)]
    if not classifies:
        return Target(np.column_stack([_as_numbers(*column) for column in named]), len(columns))
    several = [_as_classes(column, False, name) for column, name in named]
    for k, one in enumerate(several):
        if one.n_outputs > 1:
            raise DataError(
                f"y has {len(columns)} columns, and column {k + 1} has {one.n_outputs} different values; "
                "each of several targets must have two classes"
            )
    classes = np.array([one.classes for one in several])
    return Target(np.column_stack([one.y for one in several]), len(columns), classes)


def as_columns(y: Any) -> list[np.ndarray]:
    """The targets, each as numbers or labels of one kind, shape (n_samples,): one, or several where y has columns.

    Raises
    ------
    DataError
        When y has another shape, gaps, infinite values, or words beside numbers.
    """
    if hasattr(y, "__arrow_c_stream__") or hasattr(y, "columns"):
        from .readers.data_frames import to_targets

        return [as_vector(column) for column in to_targets(y)]
    if isinstance(y, (list, tuple)) and any(isinstance(row, (list, tuple, np.ndarray)) for row in y):
        if len({np.size(row) for row in y}) > 1:
            raise DataError("y must have rows of one length")
        y = np.array(y, dtype=object)
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 0:
        return [as_vector(y[:, k]) for k in range(y.shape[1])]
    return [as_vector(y)]


def as_vector(y: Any) -> np.ndarray:
    """y as numbers or labels of one kind, shape (n_samples,), none of them missing or infinite."""
    if hasattr(y, "__arrow_c_stream__") or hasattr(y, "__arrow_c_array__"):
        from .readers.data_frames import to_target

        y = to_target(y)
    # NumPy would make words of the numbers in a list that has both.
    values = np.asarray(y, dtype=object if isinstance(y, (list, tuple)) else None)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"y must have one dimension, (n_samples,), not the shape {values.shape}")
    if values.dtype.kind == "O":
        values = _from_objects(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = np.flatnonzero(~np.isfinite(values))
        what = plural(len(wrong), "NaN or infinite value")
        raise DataError(f"y has {what}, the first in row {wrong[0] + 1}; leave those rows out")
    return values


def _from_objects(values: np.ndarray) -> np.ndarray:
    if any(value is None for value in values):
        raise DataError("y has missing values; leave those rows out")
    huge = [value for value in values if isinstance(value, int) and not -(2**63) <= value < 2**64]
    if huge:
        raise DataError(
            f"y holds {huge[0]}, a whole number of more than 64 bits; give such numbers as floats or as words"
        )
    words = {isinstance(value, str) for value in values}
    try:
        array = np.asarray(values.tolist())
    except (ValueError, TypeError):
        array = values
    if len(words) > 1 or array.dtype.kind == "O":
        raise DataError("y must hold numbers or labels of one kind, without gaps")
    return array


def _as_classes(values: np.ndarray, joint: bool, name: str = "y") -> Target:
    """Labels as -1 and +1; as the numbers of classes where there are more than two, or the loss wants them all."""
    two = _two_numbers(values)
    if two is not None and not joint:
        return two
    classes, numbers = np.unique(values, return_inverse=True)
    if len(classes) == 1:
        raise DataError(f"{name} is {classes[0]} in every row: there is nothing to tell apart")
    if len(classes) > 2 and classes.dtype.kind == "f" and (classes != np.round(classes)).any():
        shown = ", ".join(f"{value:g}" for value in classes[:3])
        raise DataError(
            f"this loss tells classes apart, but {name} has {len(classes)} different numbers ({shown}, ...); "
            "for a regression use {option('loss', 'squared')}"
        )
    if len(classes) == 2 and not joint:
        return Target(np.where(numbers == 1, 1.0, -1.0), 1, classes)
    return Target(numbers.astype(np.float64)[:, None], len(classes), classes, one_vs_rest=not joint)


def _two_numbers(values: np.ndarray) -> Target | None:
    """Labels as -1 and +1 where they are two numbers, which takes no sorting; None where they are not."""
    if values.dtype.kind not in "iuf" or not len(values):
        return None
    classes = np.array([values.min(), values.max()])
    upper = values == classes[1]
    if classes[0] == classes[1] or not (upper | (values == classes[0])).all():
        return None
    y = upper.astype(np.float64)
    y *= 2.0
    y -= 1.0
    return Target(y, 1, classes)


def code_like(columns: list[np.ndarray], target: Target) -> np.ndarray:
    """The columns of another y, coded as those are that ``target`` was made of.

    Raises
    ------
    DataError
        When it has another number of columns, words for numbers, or a label that the other does not have.
    """
    classes = target.classes
    wanted = 1 if classes is not None and classes.ndim == 1 else target.n_outputs
    if len(columns) != wanted:
        raise DataError(f"y has {plural(len(columns), 'column')}, but the model predicts {wanted}; they must match")
    if classes is None:
        coded = [_numbers(column, "y") for column in columns]
    elif target.y.ndim == 2 and classes.ndim == 1:
        return class_numbers(columns[0], classes).astype(np.float64)[:, None]
    else:
        pairs = zip(columns, classes.reshape(len(columns), -1), strict=True)
        coded = [np.where(class_numbers(*pair) == 1, 1.0, -1.0) for pair in pairs]
    return coded[0] if target.y.ndim == 1 else np.column_stack(coded)


def class_numbers(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The position of each label among the model's sorted ``classes``.

    Raises
    ------
    DataError
        For a label that is not among them.
    """
    comparable = (values.dtype.kind == "U") == (classes.dtype.kind == "U")
    number = np.searchsorted(classes, values).clip(max=len(classes) - 1) if comparable else np.zeros(len(values), int)
    unknown = values[classes[number] != values] if comparable else values
    if len(unknown):
        known = [label(value) for value in classes.tolist()]
        shown = " and ".join(known) if len(known) == 2 else ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise DataError(f"y holds the label {label(unknown[0])}, but the model knows only {shown}")
    return number


def _as_numbers(values: np.ndarray, name: str = "y") -> np.ndarray:
    target = _numbers(values, name)
    if len(target) and target[-1] == target[0] and (target == target[0]).all():
        raise DataError(f"{name} is {target[0]:g} in every row: there is nothing to learn from a constant target")
    return target


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind not in "fiub":
        example = values[0] if len(values) else ""
        what = "words" if values.dtype.kind == "U" else f"{values.dtype} values"
        raise DataError(
            f"{name} holds {what} such as {str(example)!r}, but this loss wants numbers; for labels use "
            f"{option('loss', 'logistic')}"
        )
    return same_type(np.ascontiguousarray(values, dtype=np.float64))


def as_sample_weight(values: Any, n_samples: int) -> np.ndarray:
    """The weight of each row, shape (n_samples,), as given.

    Raises
    ------
    DataError
        When weights are negative, missing or all zero.
    """
    weight = as_row_values(option("sample_weight"), values, n_samples)
    if (weight < 0).any():
        wrong = np.flatnonzero(weight < 0)
        raise DataError(
            f"{option('sample_weight')} has {plural(len(wrong), 'negative value')}, the first in row {wrong[0] + 1} "
            f"({weight[wrong[0]]:g}); a weight is 0 or more"
        )
    if not weight.any():
        raise DataError(f"{option('sample_weight')} is 0 in every row: there is nothing to learn from")
    return weight


def normalized(weight: np.ndarray) -> np.ndarray:
    """Weights with the mean 1; empty where all are alike."""
    if not len(weight) or (weight == weight[0]).all():
        return np.zeros(0)
    return np.asarray(weight / weight.mean())


def as_row_values(name: str, values: Any, count: int, of: str = "rows") -> np.ndarray:
    """A finite number for each row (or feature), shape (count,)."""
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
    return same_type(np.ascontiguousarray(numbers))


def class_factors(class_weight: Any, target: Target) -> np.ndarray:
    """The weight of each class; "balanced" is n_samples / (n_classes * rows of the class), as in scikit-learn."""
    classes = target.classes
    if classes is None or classes.ndim != 1:
        raise OptionError(f"{option('class_weight')} goes with a classification of one target")
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(_numbers_of_classes(target), minlength=len(classes))
        return np.asarray(len(target.y) / (len(classes) * counts))
    if not isinstance(class_weight, Mapping):
        raise OptionError(f"{option('class_weight')} is 'balanced' or a dict of class -> weight, not {class_weight!r}")
    known = {str(label): k for k, label in enumerate(classes)}
    factors = np.ones(len(classes))
    for name, factor in class_weight.items():
        k = known.get(str(name), known.get(f"{name}.0"))  # the label 1 of numbers read as floats
        if k is None:
            raise OptionError(
                f"{option('class_weight')} names the class {name!r}, which y does not have{nearest(str(name), known)}"
            )
        if isinstance(factor, bool) or not isinstance(factor, Real) or not 0 < float(factor) < float("inf"):
            raise OptionError(
                f"{option('class_weight')} of the class {name!r} must be a number above 0, not {factor!r}"
            )
        factors[k] = factor
    return factors


def of_classes(factors: np.ndarray, target: Target) -> np.ndarray:
    """What each row's class has of ``factors``, one for each class; shape (n_samples,)."""
    return np.asarray(factors[_numbers_of_classes(target)])


def _numbers_of_classes(target: Target) -> np.ndarray:
    """The position of each row's label among the classes."""
    return (target.y > 0).astype(np.intp) if target.y.ndim == 1 else target.y[:, 0].astype(np.intp)
