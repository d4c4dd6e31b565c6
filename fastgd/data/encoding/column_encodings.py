"""How one column becomes features: as numbers, as one feature for each level, or hashed. Immutable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from ...wording import cell, plural
from ..table import Array
from .arrow_columns import not_numbers
from .blocks import FeatureBlock
from .column_values import DATE_PARTS, date_part, levels_of, numbers_of
from .columns import MOST_HASH_BITS
from .level_hash import murmur3
from .missing_values import check_finite
from .origin import Origin

RARE, MISSING = "(rare)", "(missing)"  # the levels of pooled rare levels and of missing values


class Feature(NamedTuple):
    """``level`` is None for a number."""

    column: str
    level: str | None = None

    @property
    def name(self) -> str:
        return self.column if self.level is None else f"{self.column}={self.level}"


class Encoded(NamedTuple):
    """The blocks of a column, and what is to be said about levels that training did not see."""

    blocks: tuple[FeatureBlock, ...]
    unknown: str | None = None


@dataclass(frozen=True)
class NumberColumn:
    """A number. ``fill`` replaces missing values, which without it are an error; ``indicator`` marks them by 1."""

    kind: ClassVar[str] = "number"
    name: str
    fill: float | None = None
    indicator: bool = False

    def __post_init__(self) -> None:
        _need(isinstance(self.name, str) and isinstance(self.indicator, bool))
        _need(self.fill is None or (isinstance(self.fill, float) and math.isfinite(self.fill)))
        _need(self.fill is not None or not self.indicator)

    @property
    def source(self) -> str:
        return self.name

    def features(self) -> tuple[Feature, ...]:
        return (Feature(self.name), *([Feature(self.name, MISSING)] if self.indicator else []))

    def encode(self, column: Any, origin: Origin) -> Encoded:
        values = numbers_of(column)
        if values is None:
            raise not_numbers(pa.table({self.name: column}), origin)
        gaps = np.isnan(values)
        if self.fill is not None:
            values = np.where(gaps, self.fill, values)
        check_finite(values[:, np.newaxis], [self.name], origin)
        blocks = (FeatureBlock(1, None, values),)
        return Encoded((*blocks, FeatureBlock(1, None, gaps.astype(np.float64))) if self.indicator else blocks)


@dataclass(frozen=True)
class CategoryColumn:
    """One feature for each of ``levels``, in this order.

    The ``reference`` level has no feature. The levels in ``pooled`` share the feature "(rare)". ``fill`` is the level
    of missing values, which may be "(missing)"; without it they are an error. ``part`` is the part of a date.
    """

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str, ...]
    reference: str | None = None
    pooled: tuple[str, ...] = ()
    fill: str | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        _need(isinstance(self.name, str) and (self.part is None or self.part in DATE_PARTS))
        _need(_are_words(self.levels) and _are_words(self.pooled))
        known = [*self.levels, *self.pooled, *([] if self.reference is None else [self.reference])]
        _need(len(set(known)) == len(known) and (not self.pooled or RARE in known))
        _need(all(word is None or isinstance(word, str) for word in (self.reference, self.fill)))
        _need(self.fill is None or self.fill in known)

    @property
    def source(self) -> str:
        return self.name if self.part is None else self.name.removesuffix(f".{self.part}")

    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(self.name, level) for level in self.levels)

    def encode(self, column: Any, origin: Origin) -> Encoded:
        names, codes, _ = levels_of(column if self.part is None else date_part(column, self.part))
        place = {level: j for j, level in enumerate(self.levels)}
        none, unseen = len(place), len(place) + 1  # all features zero: the reference level, a level not seen
        if self.reference is not None:
            place[self.reference] = none
        place |= dict.fromkeys(self.pooled, place.get(RARE, none))
        words = names.to_pylist()
        places = np.array(
            [*(place.get(word, unseen) for word in words), unseen if self.fill is None else place[self.fill]], np.int32
        )
        if self.fill is None:
            check_gaps(codes < 0, self.name, origin)
        found = places[codes]
        unknown = found == unseen if (places[:-1] == unseen).any() else np.zeros(0, bool)
        said = None
        if unknown.any():
            row = int(unknown.argmax())
            said = _unknown_levels(self.name, int(unknown.sum()), words[codes[row]], row, origin)
        found[found >= none] = -1
        return Encoded((FeatureBlock(len(self.levels), found),), said)


@dataclass(frozen=True)
class HashedColumn:
    """``2 ** bits`` features; a level is in the feature of its hash, with the sign of its hash."""

    kind: ClassVar[str] = "hashed"
    name: str
    bits: int
    fill: str | None = None

    def __post_init__(self) -> None:
        _need(isinstance(self.name, str) and (self.fill is None or isinstance(self.fill, str)))
        _need(type(self.bits) is int and 1 <= self.bits <= MOST_HASH_BITS)

    @property
    def source(self) -> str:
        return self.name

    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(self.name, f"#{j}") for j in range(2**self.bits))

    def encode(self, column: Any, origin: Origin) -> Encoded:
        names, codes, _ = levels_of(column)
        if self.fill is None:
            check_gaps(codes < 0, self.name, origin)
        words = pa.concat_arrays([names.cast(pa.large_string()), pa.array([self.fill or ""], pa.large_string())])
        hashes = murmur3(words)
        buckets = (np.abs(hashes.astype(np.int64)) % 2**self.bits).astype(np.int32)
        return Encoded((FeatureBlock(2**self.bits, buckets[codes], np.where(hashes >= 0, 1.0, -1.0)[codes]),))


Encoding = NumberColumn | CategoryColumn | HashedColumn
ENCODINGS: dict[str, type[Encoding]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn, HashedColumn)}


def check_gaps(gaps: Array, name: str, origin: Origin) -> None:
    """Raise a `DataError` about the first missing value of a column that may have none."""
    if gaps.any():
        check_finite(np.where(gaps, np.nan, 0.0)[:, np.newaxis], [name], origin)


def _unknown_levels(name: str, count: int, first: str, row: int, origin: Origin) -> str:
    values = plural(count, "value is a level", "values are levels")
    return f"column {name!r}: {values} that training did not see, such as {cell(first)} in {origin.place(row)}"


def _are_words(values: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def _need(condition: bool) -> None:
    """A fitted encoding read from a file may hold anything."""
    if not condition:
        raise ValueError
