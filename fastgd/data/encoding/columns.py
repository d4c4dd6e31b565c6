"""`Columns`: what a user can say about the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from ...errors import OptionError
from ...wording import hint, option

MISSING = ("error", "drop", "mean", "median", "zero", "indicator")
REFERENCES = ("first", "most_frequent")
UNKNOWN = ("ignore", "error")
DATES = ("number", "parts")
DEFAULT_HASH_BITS = 18
MOST_HASH_BITS = 30


@dataclass(frozen=True)
class Columns:
    """How the columns of a table become features. Numbers and booleans are features as they are; words are one-hot.

    Parameters
    ----------
    missing : what a missing value becomes: "error", "drop" (its row is left out of training), the "mean" or "median" of
        the column, "zero", or "indicator" (zero, and a feature that is 1 where the value is missing). Of words the
        first three fills are the most frequent level, and "indicator" is a level of its own. A mapping sets it by
        column; for all other columns it is then "error".
    reference : the level of each categorical column that has no feature: "first", "most_frequent", or a mapping from
        columns to levels. None keeps a feature for every level.
    min_frequency : levels of fewer rows share one feature; a number of rows, or below 1 a fraction of them.
    hash_bits : columns of more than ``2 ** hash_bits`` levels are hashed into that many features; a mapping hashes the
        columns that it names, whatever their number of levels.
    interactions : pairs of columns whose products are features too.
    unknown : a level that training did not see has all features zero ("ignore", with a remark), or is an "error".
    categorical : columns of numbers that are codes of categories.
    dates : "number", the days since 1970-01-01 (UTC), or "parts": with it the month, weekday and hour as categories.

    Raises
    ------
    OptionError
        For a value that is none of these.
    """

    missing: str | Mapping[str, str] = "error"
    reference: str | Mapping[str, str] | None = None
    min_frequency: float = 0
    hash_bits: int | Mapping[str, int] = DEFAULT_HASH_BITS
    interactions: tuple[tuple[str, str], ...] = field(default=())
    unknown: str = "ignore"
    categorical: Sequence[str] = ()
    dates: str = "number"

    def __post_init__(self) -> None:
        for policy in self.missing.values() if isinstance(self.missing, Mapping) else [self.missing]:
            _one_of("missing", policy, MISSING)
        if isinstance(self.reference, str):
            _one_of("reference", self.reference, REFERENCES)
        elif self.reference is not None and not isinstance(self.reference, Mapping):
            raise OptionError(f"{option('reference')} is first, most_frequent or a level by column")
        _one_of("unknown", self.unknown, UNKNOWN)
        _one_of("dates", self.dates, DATES)
        if not _is_number(self.min_frequency) or not 0 <= self.min_frequency < float("inf"):
            raise OptionError(
                f"{option('min_frequency')} is a number of rows or a fraction, not {self.min_frequency!r}"
            )
        for bits in self.hash_bits.values() if isinstance(self.hash_bits, Mapping) else [self.hash_bits]:
            if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= MOST_HASH_BITS:
                raise OptionError(f"{option('hash_bits')} is a whole number from 1 to {MOST_HASH_BITS}, not {bits!r}")
        if isinstance(self.categorical, (str, bytes)) or not isinstance(self.categorical, Iterable):
            raise OptionError(f"{option('categorical')} takes a list of names; write ['zip'] for 'zip'")
        object.__setattr__(self, "categorical", tuple(map(str, self.categorical)))
        object.__setattr__(self, "interactions", tuple(map(_pair, self.interactions)))

    def missing_of(self, name: str) -> str:
        return self.missing.get(name, "error") if isinstance(self.missing, Mapping) else self.missing

    def named(self) -> dict[str, str]:
        """Each column that an option names, and the option."""
        of_pairs = {name: "interactions" for pair in self.interactions for name in pair}
        mappings = {key: getattr(self, key) for key in ("missing", "reference", "hash_bits")}
        by_column = {name: key for key, value in mappings.items() if isinstance(value, Mapping) for name in value}
        return {**of_pairs, **by_column, **dict.fromkeys(self.categorical, "categorical")}


def as_columns_option(columns: Any) -> Columns:
    """The argument ``columns`` of `fit` and `open`; None is the default of every option."""
    if columns is None:
        return Columns()
    if not isinstance(columns, Columns):
        raise OptionError(f"columns is a fastgd.Columns, not {type(columns).__name__}")
    return columns


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"{option(name)} has no {value!r}; {hint(str(value), known)}")


def _pair(pair: Any) -> tuple[str, str]:
    names = tuple(pair.split(":") if isinstance(pair, str) else pair)
    if len(names) != 2 or not all(isinstance(name, str) and name for name in names) or names[0] == names[1]:
        raise OptionError(f"{option('interactions')} takes pairs of two columns such as a:b, not {pair!r}")
    return names[0], names[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
