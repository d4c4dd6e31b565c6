"""`TextFormat`: what a user can say about how a text file is written."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..wording import for_reader, option

# Words for separators that are hard to type or to see.
SEPARATORS = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
NAMES = {"\t": "tabs", " ": "blanks", ",": "commas", ";": "semicolons", "|": "vertical bars"}


@dataclass(frozen=True)
class TextFormat:
    """How a text table is written. What is None is found from the beginning of the file, and said.

    Parameters
    ----------
    separator : the character between the fields, or "tab" or "blank" (one or more blanks).
    decimal : the decimal mark of numbers, "." or ",".
    thousands : the mark between groups of three digits, such as "," in 1,234,567; None for none.
    quote : the character around a field that contains the separator or a line end.
    comment : what a line begins with that is not part of the table.
    encoding : the name of the character encoding, such as "latin-1" or "utf-16".
    header : whether the first line has the names of the columns.
    na_values : marks of missing values, besides the empty field, NA, N/A, NaN and null.

    Raises
    ------
    OptionError
        For a value that is none of these, and for two options with the same character.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    quote: str = '"'
    comment: str | None = None
    encoding: str | None = None
    header: bool | None = None
    na_values: Iterable[str] = ()

    def __post_init__(self) -> None:
        if self.separator is not None:
            object.__setattr__(self, "separator", SEPARATORS.get(self.separator, self.separator))
        self._check_marks()
        if self.comment is not None and not self.comment.strip():
            raise OptionError(f"{option('comment')} is a text such as #, not {self.comment!r}")
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if isinstance(self.na_values, str):
            raise OptionError(f"{option('na_values')} takes a list; write ['?'] for '?'")
        object.__setattr__(self, "na_values", tuple(map(str, self.na_values)))

    def _check_marks(self) -> None:
        for name in ("separator", "decimal", "thousands", "quote"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and len(value) == 1 and value not in "\r\n"):
                raise OptionError(f"{option(name)} is one character, not {value!r}")
        if self.decimal not in (None, ".", ","):
            raise OptionError(f"{option('decimal')} is . or , and not {self.decimal!r}")
        used = [(name, getattr(self, name)) for name in ("separator", "decimal", "thousands", "quote")]
        for k, (name, value) in enumerate(used):
            for other, same in used[:k]:
                if value is not None and value == same:
                    raise OptionError(f"{option(other)} and {option(name)} are both {value!r}")


def as_text_format(text: Any) -> TextFormat:
    """The argument ``text`` of `open`; None leaves everything to be found."""
    if text is None:
        return TextFormat()
    if not isinstance(text, TextFormat):
        raise OptionError(f"text is a fastgd.TextFormat, not {type(text).__name__}")
    return text


def in_format(name: str, value: Any) -> str:
    """An option of the format as the reader writes it: ``text=TextFormat(separator=';')``, or ``--separator ';'``."""
    if isinstance(value, bool):
        return for_reader(f"text=TextFormat({name}={value})", f"--{name}" if value else f"--no-{name}")
    if isinstance(value, list):
        return for_reader(f"text=TextFormat({name}={value!r})", f"--{name.replace('_', '-')} '{','.join(value)}'")
    typed = next((word for word in ("tab", "blank") if SEPARATORS[word] == value), None)
    shown = typed or (value if value.replace(".", "").replace("-", "").isalnum() else f"'{value}'")
    return for_reader(f"text=TextFormat({name}={value!r})", f"--{name.replace('_', '-')} {shown}")


def _check_encoding(name: str) -> None:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, TypeError):
        raise OptionError(f"{option('encoding')} has no {name!r}; utf-8, utf-16 and latin-1 are usual") from None
    if not found._is_text_encoding:
        raise OptionError(f"{option('encoding')} {name} is not an encoding of text")
