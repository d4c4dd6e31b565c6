"""``loss="auto"``: the loss that the values of the target ask for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..terms.losses import LOSSES
from ..wording import label, option
from .sample_weights import as_sample_weight
from .table import Table
from .target import as_columns

# Whole numbers of so few different values may be labels: the remark then says how to treat them as such.
FEW_VALUES = 10
# So many words may be classes even where most rows have a word of their own.
MOST_LABELS = 50
# Values that are compared before all of them are sorted: most targets of numbers are seen to be numbers by these.
FIRST_VALUES = 1000


class ChosenLoss(NamedTuple):
    """``term``: the loss. ``y``: the target, converted if that was needed. ``reason``: why this loss, empty if given.

    ``remarks``: a sentence about the choice, none if the loss was given.
    """

    term: Any
    y: Any
    reason: str = ""
    remarks: tuple[str, ...] = ()


def choose_loss(loss: Any, X: Any, y: Any, sample_weight: Any = None) -> ChosenLoss:
    """The loss as a term; for "auto" the one that a built-in table suggests, or else that fits the target.

    Words, booleans, and whole numbers of exactly the values 0 and 1 are labels: logistic, or softmax for more than two
    of them. All other numbers: squared. Rows of weight 0 do not count.

    Raises
    ------
    DataError
        If the target cannot be read, see `as_columns`; if it is words of which most rows have their own.
    OptionError
        If the loss is not known.
    """
    if not (isinstance(loss, str) and loss == "auto"):
        return ChosenLoss(LOSSES.resolve(loss), y)
    values = y
    if isinstance(X, Table):
        suggested = X.defaults.get("loss") if y is None else None
        if suggested is not None:
            return ChosenLoss(LOSSES.resolve(suggested), y)
        values = X.y if y is None else y  # numbers that begin with a zero are numbers, unless a loss makes them labels
        sample_weight = X.sample_weight if sample_weight is None else sample_weight
    if values is None:
        return ChosenLoss(LOSSES.resolve("squared"), None)  # whoever needs the target says that there is none
    columns = as_columns(values)
    counted = columns
    if sample_weight is not None:
        used = as_sample_weight(sample_weight, len(columns[0])) > 0
        counted = columns if used.all() else [column[used] for column in columns]
    name, reason = _choice(counted)
    if name == "squared" and _are_few(counted):
        reason += f"; {option('loss', 'logistic')} is for labels"
    elif name == "logistic" and counted[0].dtype.kind in "biuf":
        reason += f"; {option('loss', 'squared')} is for numbers"
    # The target of a table stays with the table, which has its name; a single column need not be converted again.
    converted = columns[0] if y is not None and len(columns) == 1 else y
    return ChosenLoss(LOSSES.resolve(name), converted, reason, (f"the loss is {name}, since {reason}",))


def _choice(columns: list[np.ndarray]) -> tuple[str, str]:
    """The name of the loss and the reason."""
    if not all(map(_are_labels, columns)):
        return "squared", "the target is a number" if len(columns) == 1 else "the targets are numbers"
    if len(columns) > 1:
        return "logistic", "the targets are labels"
    distinct = np.unique(columns[0])
    if columns[0].dtype.kind in "biuf":
        return "logistic", f"the target is {' or '.join(label(value) for value in distinct.tolist())}"
    if len(distinct) > max(MOST_LABELS, len(columns[0]) // 2):
        raise DataError(
            f"y has {len(distinct):,} different words in {len(columns[0]):,} rows, so it is rather a name than a "
            f"class; give another target, or {option('loss', 'softmax')}"
        )
    name = "softmax" if len(distinct) > 2 else "logistic"
    return name, f"the target has {len(distinct):,} labels"


def _are_labels(column: np.ndarray) -> bool:
    """Whether a target is words, booleans, or numbers of exactly the values 0 and 1."""
    if column.dtype.kind not in "iuf":
        return column.dtype.kind in "bUS"
    first = column[:FIRST_VALUES]
    if not ((first == 0) | (first == 1)).all():
        return False
    ones = column == 1
    return bool((ones | (column == 0)).all() and ones.any() and not ones.all())


def _are_few(columns: list[np.ndarray]) -> bool:
    """Whether the numbers are whole, and of so few values that they may be labels."""
    first = np.unique(np.concatenate([column[:FIRST_VALUES] for column in columns]))
    if len(first) > FEW_VALUES or (first != np.round(first)).any():
        return False
    return all(len(np.unique(column)) <= FEW_VALUES for column in columns)
