"""`Encoder`: how the columns of a table become the features of a model, fitted to the training table."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..table import Array
from .column_encodings import ENCODINGS, Encoded, Encoding, Feature
from .columns import UNKNOWN
from .origin import Origin

if TYPE_CHECKING:
    from scipy import sparse


class EncodedTable(NamedTuple):
    """(n_samples, n_features) ``X``, and remarks about levels that training did not see."""

    X: Array | sparse.csr_array
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Encoder:
    """Fitted encodings of columns, the pairs of columns whose products are features, and the policy for new levels."""

    encodings: tuple[Encoding, ...]
    interactions: tuple[tuple[str, str], ...] = ()
    unknown: str = "ignore"

    def __post_init__(self) -> None:
        names = {encoding.name for encoding in self.encodings}
        if (
            not names
            or len(names) < len(self.encodings)
            or self.unknown not in UNKNOWN
            or not all(len(pair) == 2 and names >= set(pair) for pair in self.interactions)
        ):
            raise ValueError

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns of the table that the encoder reads."""
        return tuple(dict.fromkeys(encoding.source for encoding in self.encodings))

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The column and level of each feature; of an interaction both columns and both levels, with a colon."""
        by_name = {encoding.name: encoding.features() for encoding in self.encodings}
        single = [feature for features in by_name.values() for feature in features]
        return (*single, *(_product(a, b) for x, y in self.interactions for a in by_name[x] for b in by_name[y]))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def transform(self, table: Any, origin: Origin) -> EncodedTable:
        """The features of a pyarrow Table that has these columns.

        Raises
        ------
        DataError
            For a missing value that the encoder has no fill for, for an infinite value, and for a level that training
            did not see where ``unknown`` is "error".
        """
        from .blocks import side_by_side

        encoded = {e.name: e.encode(table.column(e.source), origin) for e in self.encodings}
        remarks = tuple(one.unknown for one in encoded.values() if one.unknown is not None)
        if remarks and self.unknown == "error":
            raise origin.error(f"{remarks[0]}; fix the value, or fit the model with rows of this level")
        blocks = [block for one in encoded.values() for block in one.blocks]
        blocks += [_blocks_product(encoded[a], encoded[b], i, j) for a, b in self.interactions for i, j in
                   _pairs(encoded[a], encoded[b])]  # fmt: skip
        return EncodedTable(side_by_side(blocks, len(table)), remarks)

    def to_dict(self) -> dict[str, Any]:
        """The encoder as JSON can hold it."""
        encodings = [{"kind": encoding.kind, **dataclasses.asdict(encoding)} for encoding in self.encodings]
        return {"encodings": encodings, "interactions": list(map(list, self.interactions)), "unknown": self.unknown}

    @classmethod
    def from_dict(cls, stored: Any) -> Encoder:
        """The encoder that `to_dict` described; raises ValueError, TypeError or KeyError for anything else."""
        if stored.keys() != {"encodings", "interactions", "unknown"} or not isinstance(stored["unknown"], str):
            raise ValueError
        encodings = tuple(_restored(dict(encoding)) for encoding in stored["encodings"])
        return cls(encodings, tuple(tuple(pair) for pair in stored["interactions"]), stored["unknown"])


def _restored(stored: dict[str, Any]) -> Encoding:
    kind: Any = ENCODINGS[stored.pop("kind")]
    if stored.keys() != {field.name for field in dataclasses.fields(kind)}:
        raise ValueError
    encoding: Encoding = kind(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    )
    return encoding


def _pairs(a: Encoded, b: Encoded) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(a.blocks)) for j in range(len(b.blocks))]


def _blocks_product(a: Encoded, b: Encoded, i: int, j: int) -> Any:
    return a.blocks[i].times(b.blocks[j])


def _product(a: Feature, b: Feature) -> Feature:
    """The name of a product: ``carat:cut=Ideal`` has the column ``carat:cut`` and the level ``Ideal``."""
    levels = [level for level in (a.level, b.level) if level is not None]
    return Feature(f"{a.column}:{b.column}", ":".join(levels) if levels else None)
