"""`TextFormat`: what a user can say about how a text file is written."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

from ..errors import OptionError
from ..wording import for_reader, has_option, option

_MARKS = ("separator", "decimal", "thousands", "quote", "comment")
BLANKS = " "  # the separator that stands for any number of blanks and tabs
NONE = "none"
_SPELLED = {"tab": "\t", "\\t": "\t", "blank": BLANKS, "space": BLANKS}


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written. What is None is found out where that is sure.

    Parameters
    ----------
    separator : the character between fields; a blank stands for any number of blanks and tabs.
    decimal, thousands : the marks in numbers, "," and "." in 1.234,5. They may be any character.
    quote : the character around fields that contain the separator; "none" for none.
    comment : lines that begin with it are left out.
    encoding : a name that Python knows, such as "utf-8", "latin-1" or "utf-16".
    header : whether the first line has the names of the columns.
    na_values : fields that mark a missing value, besides the empty field, NA, N/A, NULL and NaN.

    Raises
    ------
    OptionError
        For a mark that is not one character, marks that contradict each other, and an unknown encoding.

    Examples
    --------
    >>> TextFormat(separator=";", decimal=",", na_values=["?"]).separator
    ';'
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    quote: str | None = None
    comment: str | None = None
    encoding: str | None = None
    header: bool | None = None
    na_values: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in _MARKS:
            mark = getattr(self, name)
            mark = _SPELLED.get(mark, mark) if name in ("separator", "thousands") else mark
            object.__setattr__(self, name, mark)
            allowed = name in ("quote", "thousands") and mark == NONE
            if mark is not None and not allowed and (not isinstance(mark, str) or len(mark) != 1 or mark in "\r\n\0"):
                raise OptionError(f"{option(name)} is one character, not {mark!r}")
            if mark is not None and name != "thousands" and not allowed and not mark.isascii():
                raise OptionError(f"{option(name)} is a character of ASCII, not {mark!r}")
        self._check_marks()
        if self.encoding is not None:
            object.__setattr__(self, "encoding", _encoding(self.encoding))
        if isinstance(self.na_values, (str, bytes)) or not isinstance(self.na_values, Iterable):
            raise OptionError(f"{option('na_values')} takes a list of marks; write ['?'] for '?'")
        object.__setattr__(self, "na_values", tuple(map(str, self.na_values)))
        if self.header not in (None, True, False):
            raise OptionError(f"{option('header')} is True or False, not {self.header!r}")

    def _check_marks(self) -> None:
        marks = {name: mark for name in _MARKS if (mark := getattr(self, name)) not in (None, NONE)}
        for name in ("decimal", "thousands"):
            if name in marks and (marks[name].isalnum() or marks[name] in "+-"):
                raise OptionError(f"{option(name)} cannot be {marks[name]!r}, which is part of numbers")
        for first, second in combinations(marks, 2):
            of_numbers = first == "separator" and second in ("decimal", "thousands")  # of numbers in quotes
            if marks[first] == marks[second] and not of_numbers:
                raise OptionError(f"{option(first)} and {option(second)} are both {marks[first]!r}; choose two marks")

    def given(self) -> dict[str, Any]:
        """What is not left to be found out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None and value != ()}


def as_text_format(text: Any) -> TextFormat:
    """The argument ``text`` of `open`; None leaves everything to be found out."""
    if text is None:
        return TextFormat()
    if not isinstance(text, TextFormat):
        raise OptionError(f"text is a fastgd.TextFormat, not {type(text).__name__}")
    return text


def _encoding(name: Any) -> str:
    try:
        found = codecs.lookup(name).name
        "".encode(found)
    except (LookupError, TypeError):  # not of text, or not known
        raise OptionError(
            f"{option('encoding')} is the name of an encoding such as utf-8, latin-1 or utf-16, not {name!r}"
        ) from None
    return "utf-8" if found in ("utf-8", "utf-8-sig", "ascii") else found


def text_option(name: str, value: Any = None) -> str:
    """An option of `TextFormat` as the reader writes it; empty if the command has no such flag.

    ``text=TextFormat(decimal=',')`` in Python, ``--decimal ,`` at the command line.
    """
    if not has_option(name):
        return ""
    python = "..." if value is None else repr([value] if name == "na_values" else value)
    flag = option(name)
    if isinstance(value, bool):
        flag = f"--{name}" if value else f"--no-{name}"
    elif value is not None:
        flag += " " + ("tab" if value == "\t" else value if value in (",", ".") else shlex.quote(value))
    return for_reader(f"text=TextFormat({name}={python})", flag)
