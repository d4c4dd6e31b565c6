"""Covering arrays: few combinations of many choices that contain all required combinations of some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

Row = dict[str, Any]


def covering(
    choices: Mapping[str, Sequence[Any]],
    together: Iterable[Sequence[str]],
    allowed: Callable[[Row], bool] = lambda row: True,
) -> list[Row]:
    """Rows with a choice of each kind that contain every combination of the kinds listed in ``together``.

    ``allowed`` tells whether a row, complete or partial, is valid. Greedy and deterministic: each missing combination
    starts a row, and each other kind gets the choice that adds most missing combinations.
    """
    groups = sorted(map(tuple, together), key=lambda kinds: -prod(len(choices[kind]) for kind in kinds))
    missing = {kinds: dict.fromkeys(product(*(choices[kind] for kind in kinds))) for kinds in groups}
    missing = {
        kinds: {values: None for values in all_values if allowed(dict(zip(kinds, values, strict=True)))}
        for kinds, all_values in missing.items()
    }
    by_size = sorted(choices, key=lambda kind: -len(choices[kind]))
    used: Counter[tuple[str, Any]] = Counter()
    rows = []
    for kinds in groups:
        while missing[kinds]:
            row = dict(zip(kinds, next(iter(missing[kinds])), strict=True))
            for kind in by_size:
                if kind not in row:
                    row[kind] = _best(kind, row, choices[kind], missing, used, allowed)
            rows.append({kind: row[kind] for kind in choices})
            used.update(row.items())
            for others, left in missing.items():
                left.pop(tuple(row[kind] for kind in others), None)
    return rows


def _best(
    kind: str,
    row: Row,
    values: Sequence[Any],
    missing: Mapping[tuple[str, ...], Mapping[tuple, None]],
    used: Mapping[tuple[str, Any], int],
    allowed: Callable[[Row], bool],
) -> Any:
    """The value that adds most missing combinations to the row; of equal ones, the least used."""
    known = {*row, kind}
    settled = [kinds for kinds in missing if kind in kinds and known.issuperset(kinds)]

    def worth(value: Any) -> tuple[int, int]:
        full = {**row, kind: value}
        made = sum(tuple(full[other] for other in kinds) in missing[kinds] for kinds in settled)
        return made, -used[kind, value]

    return max((value for value in values if allowed({**row, kind: value})), key=worth)
