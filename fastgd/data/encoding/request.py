"""The columns that the caller of ``open`` asks for, in any format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import OptionError
from ...wording import option
from .columns import Columns, as_columns_option
from .encoder import Encoder


@dataclass(frozen=True)
class Request:
    """The arguments of ``open``, checked.

    ``target``: one string, which may name several columns separated by commas, or a tuple of column names.
    ``row_columns``: the columns with the weight or offset of each row, keyed by the attribute of `Table`.
    ``columns``: how columns become features; ``encoder``: the fitted encoder of a model, which does it in its place.
    """

    target: str | tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    need_target: bool = True
    row_columns: Mapping[str, str] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    encoder: Encoder | None = None

    @classmethod
    def of(
        cls, target: str | int | Sequence[str | int] | None, drop: Sequence[str], features: Sequence[str] | None,
        need_target: bool, weight: str | int | None, offset: str | int | None,
        columns: Columns | Encoder | None = None,
    ) -> Request:  # fmt: skip
        """The request for the arguments of ``open``.

        Raises
        ------
        OptionError
            For a string in place of a list of names, an empty list of targets, and other ``columns`` than these.
        """
        if isinstance(drop, str) or isinstance(features, str):
            raise OptionError("drop and features take a list of names, not one string; write ['age'] for 'age'")
        several = tuple(map(str, target)) if isinstance(target, Iterable) and not isinstance(target, str) else None
        if several == ():
            raise OptionError(f"{option('target')} is an empty list; name a column, or leave it out")
        wanted = None if target is None else several or str(target)
        rows = {role: str(name) for role, name in (("sample_weight", weight), ("offset", offset)) if name is not None}
        encoder = columns if isinstance(columns, Encoder) else None
        wanted_features = features if encoder is None else encoder.column_names
        return cls(
            wanted, tuple(drop), None if wanted_features is None else tuple(wanted_features), need_target, rows,
            as_columns_option(None if encoder else columns), encoder,
        )  # fmt: skip

    def other_columns(self) -> tuple[str, ...]:
        """The names of the columns that are not features: targets, weight and offset."""
        targets = self.target.split(",") if isinstance(self.target, str) else self.target or ()
        return (*targets, *self.row_columns.values())
