"""Several targets side by side, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...wording import label
from ..table import Array


def side_by_side(targets: Sequence[Array]) -> Array:
    """One target as it is, (n_rows,); several as (n_rows, n_targets), all of them words when one has words."""
    if len(targets) == 1:
        return targets[0]
    wordy = any(target.dtype.kind == "U" for target in targets)
    return np.column_stack([_words(target) for target in targets] if wordy else targets)


def called(names: Sequence[str]) -> str | tuple[str, ...] | None:
    """What a `Table` calls its target or targets."""
    return tuple(names) if len(names) > 1 else next(iter(names), None)


def _words(target: Array) -> Array:
    """Each number in the fewest digits that give it back, without a point where it is whole."""
    values, by_row = np.unique(target, return_inverse=True)
    words: Array = np.array([label(value) for value in values.tolist()])[by_row]
    return words
