"""What the caller asks of a table, whatever it is read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ...errors import OptionError
from ...wording import option


@dataclass(frozen=True)
class Request:
    """What the caller asks of a table; see ``open`` for the meaning.

    A ``target`` of one string may stand for several columns, with commas between them; in a tuple each is one column.
    ``of_rows``: the columns that say something about each row, by the `Table`'s name for it.
    """

    target: str | tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    need_target: bool = True
    of_rows: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(
        cls,
        target: str | int | Sequence[str | int] | None,
        drop: Sequence[str],
        features: Sequence[str] | None,
        need_target: bool,
        weight: str | int | None,
        offset: str | int | None,
    ) -> Request:
        """The request that the arguments of ``open`` make.

        Raises
        ------
        OptionError
            For one string where a list of names is wanted, and for a list without names.
        """
        if isinstance(drop, str) or isinstance(features, str):
            raise OptionError("drop and features take a list of names, not one string; write ['age'] for 'age'")
        several = tuple(map(str, target)) if isinstance(target, Iterable) and not isinstance(target, str) else None
        if several == ():
            raise OptionError(f"{option('target')} is a list without names; name a column, or leave it out")
        return cls(
            None if target is None else several or str(target),
            tuple(drop),
            None if features is None else tuple(features),
            need_target,
            {role: str(name) for role, name in (("sample_weight", weight), ("offset", offset)) if name is not None},
        )

    def beside_features(self) -> tuple[str, ...]:
        """What it calls the columns that are no features."""
        targets = self.target.split(",") if isinstance(self.target, str) else self.target or ()
        return (*targets, *self.of_rows.values())
