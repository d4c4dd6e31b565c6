"""Numbers that are spelled in other ways than as 1234.5, and what to do about each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..text_format import text_option

NA_MARKS = ("?", "-", "--", ".", "*", "none", "missing", "unknown", "nil", "n.a.", "na.", "#n/a", "no data")
_PLAIN = r"[+-]?(?:\d[\d.,]*|\.\d+)(?:[eE][+-]?\d+)?"
_CURRENCIES = "$€£¥₹"


class Spelling(NamedTuple):
    """``what`` a word has that numbers have not, and the option of `TextFormat` that allows it, with its value."""

    what: str
    option: tuple[str, str] | None = None


# In the order in which they are tried. The option of thousands is the mark that the word has.
_SPELLINGS: list[tuple[re.Pattern[str], str, tuple[str, str] | None]] = [
    (re.compile(pattern), what, choice)
    for pattern, what, choice in (
        (r"[+-]?\d{1,3}(?:,\d{3})+\.\d*|[+-]?\d{1,3}(?:,\d{3}){2,}", "commas between thousands", ("thousands", ",")),
        (r"[+-]?\d{1,3},\d{3}", "a comma, between thousands or as the decimal mark", ("thousands", ",")),
        (r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", "a decimal comma", ("decimal", ",")),
        (r"[+-]?\d{1,3}(?:\.\d{3})+,\d*|[+-]?\d{1,3}(?:\.\d{3}){2,}", "points between thousands", ("thousands", ".")),
        (r"[+-]?\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?:[.,]\d*)?", "blanks between thousands", ("thousands", "")),
        (r"[+-]?\d{1,3}(?:'\d{3})+(?:[.,]\d*)?", "apostrophes between thousands", ("thousands", "'")),
        (r"[+-]?\d{1,3}(?:_\d{3})+(?:\.\d*)?", "underscores between thousands", ("thousands", "_")),
        (rf"{_PLAIN}\s?%", "a percent sign", None),
        (rf"[+-]?[{_CURRENCIES}]\s?{_PLAIN}|{_PLAIN}\s?[{_CURRENCIES}]", "a currency sign", None),
        (rf"\(\s?[{_CURRENCIES}]?{_PLAIN}\s?\)", "parentheses, which mark a negative number in accounts", None),
        (r"[\u2212\u2013]\d[\d.,]*(?:[eE][+-]?\d+)?", "a dash (U+2212 or U+2013) for a minus sign", None),
        (r"[+-]?(?:\d+\.?\d*|\.\d+)[dD][+-]?\d+", "the exponent of Fortran, D for E", None),
        (rf"'{_PLAIN}'", "single quotes", ("quote", "'")),
        (rf"\u201c{_PLAIN}\u201d", "typographic quotes", None),
    )
]
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)


def spelling_of(word: str) -> Spelling | None:
    """How a word spells a number, if not as fastgd reads it; None for plain numbers and other words."""
    word = word.strip()
    for pattern, what, choice in _SPELLINGS:
        if pattern.fullmatch(word):
            if choice == ("thousands", ""):
                choice = ("thousands", next(c for c in word if not c.isalnum() and c not in "+-.,"))
            return Spelling(what, choice)
    return None


def all_spelled(words: Iterable[str]) -> bool:
    """Whether all words are numbers, at least one of them in a spelling that is not read as one."""
    unusual = False
    for word in words:
        if spelling_of(word) is not None:
            unusual = True
        elif not _NUMBER.fullmatch(word.strip()):
            return False
    return unusual


def spelling_advice(word: str, from_text: bool) -> str:
    """What a word has that numbers have not and what to do, or an empty text.

    Parameters
    ----------
    from_text : whether the word is from a file whose format options can describe.
    """
    spelling = spelling_of(word)
    if spelling is None:
        if word.strip().lower() in NA_MARKS and from_text and (flag := text_option("na_values", word.strip())):
            return f"if {word.strip()!r} marks a missing value, say so with {flag}"
        return ""
    flag = text_option(*spelling.option) if spelling.option is not None and from_text else ""
    if flag and "or as" in spelling.what:
        flag += f", or {text_option('decimal', ',')}"
    return f"it has {spelling.what}: {f'say so with {flag}' if flag else 'write plain numbers'}"
