"""The columns that the caller of ``open`` asks for, in any format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import OptionError
from ...wording import option


@dataclass(frozen=True)
class Request:
    """The arguments of ``open``, checked.

    ``target``: one string, which may name several columns separated by commas, or a tuple of column names.
    ``row_columns``: the columns with the weight or offset of each row, keyed by the attribute of `Table`.
    """

    target: str | tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    need_target: bool = True
    row_columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, target: str | int | Sequence[str | int] | None, drop: Sequence[str], features: Sequence[str] | None,
        need_target: bool, weight: str | int | None, offset: str | int | None,
    ) -> Request:  # fmt: skip
        """The request for the arguments of ``open``.

        Raises
        ------
        OptionError
            For a string in place of a list of names, and for an empty list of targets.
        """
        if isinstance(drop, str) or isinstance(features, str):
            raise OptionError("drop and features take a list of names, not one string; write ['age'] for 'age'")
        several = tuple(map(str, target)) if isinstance(target, Iterable) and not isinstance(target, str) else None
        if several == ():
            raise OptionError(f"{option('target')} is an empty list; name a column, or leave it out")
        wanted = None if target is None else several or str(target)
        rows = {role: str(name) for role, name in (("sample_weight", weight), ("offset", offset)) if name is not None}
        return cls(wanted, tuple(drop), None if features is None else tuple(features), need_target, rows)

    def other_columns(self) -> tuple[str, ...]:
        """The names of the columns that are not features: targets, weight and offset."""
        targets = self.target.split(",") if isinstance(self.target, str) else self.target or ()
        return (*targets, *self.row_columns.values())
