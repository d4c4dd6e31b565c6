"""An `Encoder` from a training table and what the user says about its columns."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import OptionError
from ...wording import for_reader, hint, option, plural
from ..table import Array
from .column_encodings import MISSING, RARE, CategoryColumn, Encoding, HashedColumn, NumberColumn
from .column_values import DATE_PARTS, Levels, date_part, kind_of, levels_of, numbers_of
from .columns import Columns
from .encoder import Encoder
from .origin import Origin

_MOST_LISTED = 10  # columns whose gaps a message counts


class Fitted(NamedTuple):
    """The encoder, None where every column is a number without gaps; the rows to keep, None for all; and remarks."""

    encoder: Encoder | None
    kept: Array | None
    remarks: tuple[str, ...]


def fit_encoder(table: Any, columns: Columns, origin: Origin) -> Fitted:
    """Fit an encoder to the feature columns of a pyarrow Table.

    Raises
    ------
    DataError
        For missing values where the policy is "error", with their number in each column, and for columns that are
        neither numbers, words nor dates.
    OptionError
        For a column that an option names and the table does not have.
    """
    _check_names(columns, table.column_names)
    kinds = {
        name: kind_of(table.column(name), name, name in columns.categorical, origin) for name in table.column_names
    }
    levels = {name: levels_of(table.column(name)) for name, kind in kinds.items() if kind == "category"}
    gaps = {name: levels[name].codes < 0 if name in levels else _gaps(table.column(name)) for name in kinds}
    _check_gaps(gaps, columns, len(table), origin)
    kept, remarks = _rows_to_keep(gaps, columns, len(table), origin)
    if kept is not None:
        table = table.take(kept)
        levels = {name: found._replace(codes=found.codes[kept]) for name, found in levels.items()}
    with_gaps = {name for name, mask in gaps.items() if mask.any()}
    encodings, said = [], []
    for name, kind in kinds.items():
        has_gaps = name in with_gaps
        if name in levels:
            found = [_category(levels[name], name, columns, has_gaps, None, origin)]
        else:
            found = _numbers(table.column(name), name, kind, columns, has_gaps, origin)
        encodings += [encoding for encoding, _ in found]
        said += [text for _, text in found if text]
    plain = all(type(encoding) is NumberColumn and encoding.fill is None for encoding in encodings)
    if plain and not columns.interactions and not any(map(pa.types.is_temporal, table.schema.types)):
        return Fitted(None, kept, remarks)
    encoder = Encoder(tuple(encodings), columns.interactions, columns.unknown)
    _check_distinct(encoder, origin)
    if columns.interactions:
        n = len(encoder.features) - sum(len(encoding.features()) for encoding in encodings)
        said.append(
            f"interactions: {', '.join(':'.join(pair) for pair in columns.interactions)}, {plural(n, 'feature')}"
        )
    return Fitted(encoder, kept, (*remarks, *said))


def _check_names(columns: Columns, names: list[str]) -> None:
    for name, key in columns.named().items():
        if name not in names:
            raise OptionError(f"{option(key)} names the column {name!r}, which is no feature; {hint(name, names)}")


def _gaps(column: Any) -> Array:
    """Where the values of a column of numbers or dates are missing."""
    if not column.null_count and (pa.types.is_integer(column.type) or not _has_nan(column)):
        return np.zeros(len(column), bool)
    values = numbers_of(column)
    return np.isnan(values) if values is not None else np.zeros(len(column), bool)


def _has_nan(column: Any) -> bool:
    """Whether a column is not known to be free of NaN, which are missing values too."""
    if not pa.types.is_floating(column.type):
        return True
    return bool(pc.any(pc.is_nan(column), min_count=0).as_py())


def _check_gaps(gaps: dict[str, Array], columns: Columns, n_rows: int, origin: Origin) -> None:
    empty = [name for name, mask in gaps.items() if n_rows and mask.all()]
    if empty:
        subject = f"column {empty[0]!r} has" if len(empty) == 1 else f"{plural(len(empty), 'column')} have"
        raise origin.error(f"{subject} no values at all; {origin.leave_out(empty)}")
    refused = {name: int(mask.sum()) for name, mask in gaps.items() if columns.missing_of(name) == "error"}
    refused = {name: count for name, count in refused.items() if count}
    if not refused:
        return
    row, first = min((int(gaps[name].argmax()), j) for j, name in enumerate(gaps) if name in refused)
    counts = ", ".join(f"{name!r} {count:,}" for name, count in list(refused.items())[:_MOST_LISTED])
    more = f" and {len(refused) - _MOST_LISTED} more columns" if len(refused) > _MOST_LISTED else ""
    by_column = f" ({counts}{more}; of {plural(n_rows, 'row')})" if len(refused) > 1 else ""
    raise origin.error(
        f"{plural(sum(refused.values()), 'missing value')}, the first in {origin.place(row)}, column "
        f"{list(gaps)[first]!r}{by_column}; fill them in with "
        f"{for_reader('columns=Columns(missing=...)', '--missing')} (mean, median, zero or indicator; drop leaves out "
        f"the rows), or {origin.leave_out(list(refused))}"
    )


def _rows_to_keep(
    gaps: dict[str, Array], columns: Columns, n_rows: int, origin: Origin
) -> tuple[Array | None, tuple[str, ...]]:
    dropped = np.zeros(n_rows, bool)
    for name, mask in gaps.items():
        if columns.missing_of(name) == "drop":
            dropped |= mask
    if not dropped.any():
        return None, ()
    if dropped.all():
        raise origin.error(f"every row has a missing value; choose another {option('missing')} than drop")
    left_out = plural(int(dropped.sum()), "row")
    return np.flatnonzero(~dropped), (f"{left_out} with missing values left out, of {n_rows:,}",)


def _numbers(
    column: Any, name: str, kind: str, columns: Columns, gaps: bool, origin: Origin
) -> list[tuple[Encoding, str]]:
    """The encodings of a column of numbers or dates, each with a line for the user, empty for plain numbers."""
    policy = columns.missing_of(name)
    number = _number(column, name, policy, gaps)
    said = ["days since 1970-01-01"] if kind == "date" else []
    if number.fill is not None and gaps:
        said.append(f"missing values become {number.fill:g}" + (", and have a feature" if number.indicator else ""))
    found: list[tuple[Encoding, str]] = [(number, f"{name}: {', '.join(said)}" if said else "")]
    if kind == "date" and columns.dates == "parts":
        parts = DATE_PARTS if pa.types.is_timestamp(column.type) else DATE_PARTS[:-1]
        for part in parts:
            levels = levels_of(date_part(column, part))
            found.append(_category(levels, f"{name}.{part}", columns, gaps, part, origin, policy))
    return found


def _number(column: Any, name: str, policy: str, gaps: bool) -> NumberColumn:
    if policy in ("error", "drop"):
        return NumberColumn(name)
    values = numbers_of(column)
    present = np.zeros(1) if values is None else values[np.isfinite(values)]
    fill = 0.0
    if policy in ("mean", "median"):
        fill = float(np.mean(present) if policy == "mean" else np.median(present))
    return NumberColumn(name, fill, policy == "indicator" and gaps)


def _category(
    levels: Levels, name: str, columns: Columns, gaps: bool, part: str | None, origin: Origin,
    policy: str | None = None,
) -> tuple[Encoding, str]:  # fmt: skip
    """One-hot or hashed; levels that do not occur have no feature."""
    policy = policy or columns.missing_of(name)
    counts = levels.counts()
    occur = np.flatnonzero(counts)
    fill = None
    if policy == "indicator" and gaps:
        fill = MISSING
    elif policy not in ("error", "drop"):
        fill = levels.names[int(counts.argmax())].as_py()
    text = f", missing values are {'a level' if fill == MISSING else repr(fill)}" if fill is not None and gaps else ""
    said = f"{name}: {plural(len(occur), 'level')}"
    bits = _bits(columns, name, len(occur))
    if bits is not None:
        return HashedColumn(name, bits, fill), f"{said}, hashed into {2**bits:,} features{text}"
    words = levels.names.to_pylist()
    present = occur.tolist() if levels.ordered else sorted(occur.tolist(), key=lambda j: _order(words[j]))
    least = columns.min_frequency * (len(levels.codes) if columns.min_frequency < 1 else 1)
    pooled = tuple(words[j] for j in present if counts[j] < least)
    kept = [words[j] for j in present if words[j] not in set(pooled)] + ([RARE] if pooled else [])
    if fill is not None and fill not in {*kept, *pooled}:
        kept.append(fill)
    reference = _reference(columns, name, kept, dict(zip(words, counts.tolist(), strict=True)), origin)
    features = tuple(level for level in kept if level != reference)
    said += ", one-hot"
    if pooled:
        said += f", {plural(len(pooled), 'rare level')} pooled"
    if reference is not None:
        said += f", reference {reference!r}"
    n_rows = len(levels.codes)
    if len(present) == n_rows and n_rows > 1:
        said += "; every row has its own, as an id has: " + origin.leave_out([name])
    return CategoryColumn(name, features, reference, pooled, fill, part), said + text


def _order(word: str) -> tuple[bool, float, str]:
    """Numbers by their value and before words."""
    try:
        value = float(word)
    except ValueError:
        value = math.inf
    return (False, value, word) if math.isfinite(value) else (True, 0.0, word)


def _bits(columns: Columns, name: str, n_levels: int) -> int | None:
    if isinstance(columns.hash_bits, int):
        return columns.hash_bits if n_levels > 2**columns.hash_bits else None
    return columns.hash_bits.get(name)


def _reference(columns: Columns, name: str, kept: list[str], counts: dict[str, int], origin: Origin) -> str | None:
    wanted = columns.reference
    if isinstance(wanted, str):
        return kept[0] if wanted == "first" else max(kept, key=lambda level: counts.get(level, 0))
    level = None if wanted is None else wanted.get(name)
    if level is not None and level not in kept:
        raise origin.error(f"column {name!r} has no level {level!r} to be the reference; {hint(level, kept)}")
    return level


def _check_distinct(encoder: Encoder, origin: Origin) -> None:
    repeated = [name for name, count in Counter(encoder.feature_names).items() if count > 1]
    if repeated:
        raise origin.error(f"two features would have the name {repeated[0]!r}; rename a column")
