"""y for the kernels, checked and converted once: numbers, or labels coded as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..terms.losses import loss_traits
from ..wording import label, option, plural
from .feature_matrix import writable_view
from .magnitudes import check_magnitude
from .masked_arrays import check_unmasked
from .table import is_arrow


@dataclass(frozen=True)
class Target:
    """y as the kernels need it (see `kernels.row_targets.Targets`), and the labels that a model keeps.

    ``classes``: None for a regression; the sorted labels for a classification, of which the last of two is the positive
    class; an array of shape (n_outputs, 2) for several targets with two labels each.
    """

    y: np.ndarray
    n_outputs: int = 1
    classes: np.ndarray | None = None
    one_vs_rest: bool = False


def as_target(columns: list[np.ndarray], loss: Any, may_be_constant: bool = False) -> Target:
    """The columns of y (see `as_columns`) for a loss: numbers, or coded labels if the loss is for classification.

    ``may_be_constant``: there is something to learn from equal targets, since no intercept is fitted, or since offsets
    differ. One label of 0, 1 or -1 is then one of the two classes 0 and 1, or -1 and 1.

    Raises
    ------
    DataError
        If y is constant and may not be, or of the wrong kind, or one of several targets does not have two classes.
    OptionError
        If y has several columns and the loss takes all classes together.
    """
    classifies, joint = loss_traits(loss).classifies, loss_traits(loss).joint
    if len(columns) == 1:
        if classifies:
            return _as_classes(columns[0], joint, may_be_constant)
        return Target(_as_numbers(columns[0], may_be_constant))
    if joint:
        raise OptionError(
            f"this loss takes one target, but y has {len(columns)}: fit one at a time, or use "
            f"{option('loss', 'logistic')}"
        )
    named = [(column, f"column {k + 1} of y") for k, column in enumerate(columns)]
    if not classifies:
        return Target(np.column_stack([_as_numbers(one, may_be_constant, name) for one, name in named]), len(columns))
    several = [_as_classes(column, False, may_be_constant, name) for column, name in named]
    for k, one in enumerate(several):
        if one.n_outputs > 1:
            raise DataError(
                f"y has {len(columns)} columns, and column {k + 1} has {one.n_outputs} different values; "
                "each of several targets must have two classes"
            )
    classes = np.array([one.classes for one in several])
    return Target(np.column_stack([one.y for one in several]), len(columns), classes)


def as_columns(y: Any) -> list[np.ndarray]:
    """The targets, one for each column of y, each of shape (n_samples,) and all numbers or all labels.

    Raises
    ------
    DataError
        If y has more dimensions, missing or infinite values, or both words and numbers.
    """
    check_unmasked(y, "y")
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
    """y as numbers or labels, shape (n_samples,), without missing or infinite values; raises as `as_columns` does."""
    if is_arrow(y):
        from .readers.data_frames import to_target

        y = to_target(y)
    # As objects, because NumPy would convert the numbers to words in a list that has both.
    values = np.asarray(y, dtype=object if isinstance(y, (list, tuple)) else None)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"y must have one dimension, (n_samples,), not the shape {values.shape}")
    if values.dtype.kind in "OT":  # objects, or NumPy's strings of any length
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
        raise DataError(f"y holds {huge[0]}, an integer of more than 64 bits; give such numbers as floats or as words")
    are_words = {isinstance(value, str) for value in values}
    try:
        array = np.asarray(values.tolist())
    except (ValueError, TypeError):
        array = values
    if len(are_words) > 1 or array.dtype.kind == "O":
        raise DataError("y must hold numbers or labels of one kind, without gaps")
    return array


def _as_classes(values: np.ndarray, joint: bool, may_be_constant: bool, name: str = "y") -> Target:
    """Labels coded as -1 and +1, or as class numbers if there are more than two, or the loss takes all together."""
    two = _two_numeric_classes(values)
    if two is not None and not joint:
        return two
    classes, numbers = np.unique(values, return_inverse=True)
    if len(classes) == 1 and may_be_constant and not joint and classes[0] in (-1, 0, 1):
        pair = np.array([-1 if classes[0] == -1 else 0, 1]).astype(classes.dtype)
        return Target(np.full(len(values), 1.0 if classes[0] == 1 else -1.0), 1, pair)
    if len(classes) == 1:
        raise DataError(f"{name} is {classes[0]} in every row: a classification needs two classes or more")
    if len(classes) > 2 and classes.dtype.kind == "f" and (classes != np.round(classes)).any():
        shown = ", ".join(f"{value:g}" for value in classes[:3])
        raise DataError(
            f"this loss is for classes, but {name} has {len(classes)} different numbers ({shown}, ...); "
            f"for a regression use {option('loss', 'squared')}"
        )
    if len(classes) == 2 and not joint:
        return Target(np.where(numbers == 1, 1.0, -1.0), 1, classes)
    return Target(numbers.astype(np.float64)[:, None], len(classes), classes, one_vs_rest=not joint)


def _two_numeric_classes(values: np.ndarray) -> Target | None:
    """Labels that are two distinct numbers, coded as -1 and +1 without sorting; None for all others."""
    if values.dtype.kind not in "biuf" or not len(values):
        return None
    classes = np.array([values.min(), values.max()])
    upper = values == classes[1]
    if classes[0] == classes[1] or not (upper | (values == classes[0])).all():
        return None
    y = upper.astype(np.float64)
    y *= 2.0
    y -= 1.0
    return Target(y, 1, classes)


def encode_like(columns: list[np.ndarray], target: Target) -> np.ndarray:
    """The columns of another y, coded as the columns of ``target`` are.

    Raises
    ------
    DataError
        If the number of columns differs, numbers are needed but it has words, or a label is unknown.
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
    """The index of each label in the model's sorted ``classes``.

    Raises
    ------
    DataError
        For a label that is not one of the classes.
    """
    if classes.dtype.kind == "U" and values.dtype.kind in "biuf":  # a file in which no number begins with a zero
        distinct, inverse = np.unique(values, return_inverse=True)
        values = np.array([label(value) for value in distinct.tolist()], dtype=np.str_)[inverse]
    comparable = (values.dtype.kind == "U") == (classes.dtype.kind == "U")
    number = np.searchsorted(classes, values).clip(max=len(classes) - 1) if comparable else np.zeros(len(values), int)
    unknown = values[classes[number] != values] if comparable else values
    if len(unknown):
        known = [label(value) for value in classes.tolist()]
        shown = " and ".join(known) if len(known) == 2 else ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise DataError(f"y holds the label {label(unknown[0])}, but the model knows only {shown}")
    return number


def _as_numbers(values: np.ndarray, may_be_constant: bool, name: str = "y") -> np.ndarray:
    target = _numbers(values, name)
    check_magnitude(float(np.abs(target).max(initial=0.0)), target.dtype, name)
    if not may_be_constant and len(target) and target[-1] == target[0] and (target == target[0]).all():
        raise DataError(f"{name} is {target[0]:g} in every row: there is nothing to learn from a constant target")
    return target


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind not in "fiub":
        example = values[0] if len(values) else ""
        kind = "words" if values.dtype.kind == "U" else f"{values.dtype} values"
        raise DataError(
            f"{name} holds {kind} such as {str(example)!r}, but this loss needs numbers; for labels use "
            f"{option('loss', 'logistic')}"
        )
    return writable_view(np.ascontiguousarray(values, dtype=np.float64))
