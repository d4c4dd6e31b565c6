"""How a text file is written, found from its beginning where that is sure."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...wording import plural
from ..text_format import BLANKS, NONE, TextFormat, text_option

MOST_ROWS = 200  # that are looked at
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", BLANKS: "blanks"}
END = "\x1a"  # the end of a file of DOS
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)|na|n/a|null|", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_WITH_POINT = re.compile(r"[+-]?\d*\.\d+")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+")
_ONE_GROUP = re.compile(r"[+-]?\d{1,3}[.,]\d{3}")
_COMMA_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d*|[+-]?\d{1,3}(,\d{3}){2,}")
_POINT_GROUPS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*|[+-]?\d{1,3}(\.\d{3}){2,}")


@dataclass(frozen=True)
class Dialect:
    """A `TextFormat` without gaps. ``skipped`` lines come before the header or the first row.

    ``names`` are those of a header that is a comment; ``headed`` is whether there is a header, of either kind.
    """

    separator: str
    decimal: str
    thousands: str  # empty for none
    quote: str  # the same
    comment: str  # the same
    encoding: str
    na_values: tuple[str, ...]
    skipped: int = 0
    names: tuple[str, ...] | None = None
    headed: bool = True
    remarks: tuple[str, ...] = ()

    def is_number(self, field: str) -> bool:
        """Whether a field is a number, or marks a missing one."""
        field = field.strip()
        if self.thousands:
            field = field.replace(self.thousands, "")
        if self.decimal != ".":
            field = field.replace(self.decimal, ".")
        return _NUMBER.fullmatch(field) is not None or field in self.na_values


def find_dialect(lines: Sequence[str], text: TextFormat, default: str, encoding: str) -> Dialect:
    """The dialect of a file that begins with these lines, each with its line end.

    Parameters
    ----------
    text : what the user says, which is taken as it is.
    default : the separator that the file's name promises.
    """
    remarks: list[str] = []
    quote = '"' if text.quote is None else text.quote.replace(NONE, "")
    separator, skipped = text.separator, 0
    if lines and text.separator is None and (match := _SEPARATOR_LINE.fullmatch(lines[0])):
        separator, skipped = match[1], 1  # a line for Excel
    lines, comment, after = _without_comments(lines, skipped, text)
    if separator is None:
        separator = _separator(lines[after:], quote, default)
        if separator != default:
            remarks.append(f"fields are separated by {SEPARATORS[separator]}")
    rows = split(lines[after:], separator, quote)
    names = None
    if comment and not text.comment:
        names = _names_in_comment(lines[after - 1], rows, separator, quote) if text.header is not False else None
        n_comments = sum(line.startswith("#") for line in lines[:after]) - (names is not None)
        if names is not None:
            remarks.append(f"line {after}, after '#', is the header")
        if n_comments:
            remarks.append(f"{plural(n_comments, 'line')} at the beginning, with '#', left out")
    decimal, thousands = _number_marks(rows, separator, text)
    if text.decimal is None and decimal != ".":
        remarks.append(f"numbers have the decimal mark {decimal!r}")
    if text.thousands is None and thousands:
        remarks.append(f"numbers have {thousands!r} between thousands")
    dialect = Dialect(
        separator, decimal, thousands, quote, text.comment or "", encoding, tuple(text.na_values),
        after if comment or skipped else 0, names,
    )  # fmt: skip
    headed, said = (True, ()) if names is not None else _header(rows, dialect, text)
    return Dialect(**{**vars(dialect), "headed": headed, "remarks": (*remarks, *said)})


def split(lines: Sequence[str], separator: str, quote: str) -> list[list[str]]:
    """The fields of the first rows; lines of blanks are left out."""
    try:
        reader = csv.reader(
            [squeezed(line) for line in lines] if separator == BLANKS else lines, delimiter=separator,
            **quoting(quote), skipinitialspace=separator == BLANKS,
        )  # fmt: skip
        rows = []
        for fields in reader:
            if is_row(fields):
                rows.append(fields)
            if len(rows) == MOST_ROWS:
                break
        return rows
    except csv.Error:
        return []


def quoting(quote: str) -> dict[str, Any]:
    """The arguments of `csv.reader` for a quote, empty for none."""
    return {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}


def squeezed(line: str) -> str:
    """A line whose fields have blanks or tabs between them, as `csv.reader` takes it."""
    content = line.rstrip("\r\n")
    return content.replace("\t", " ").strip(" ") + line[len(content) :]


def is_row(fields: Sequence[str]) -> bool:
    """Whether the fields of a line are more than blanks, or the mark that ends files of DOS."""
    return len(fields) > 1 or any(field.strip(f" \t{END}\xa0") for field in fields)


def _without_comments(lines: Sequence[str], skipped: int, text: TextFormat) -> tuple[Sequence[str], bool, int]:
    """The lines, whether comments begin them, and the number of lines before the header or the first row.

    Lines with the user's own mark are blank ones from here on.
    """
    if text.comment:
        return ["\n" if line.lstrip().startswith(text.comment) else line for line in lines], False, skipped
    after, comment = skipped, False
    while after < len(lines) and (lines[after].startswith("#") or not lines[after].strip()):
        comment = comment or lines[after].startswith("#")
        after += 1
    last = lines[after - 1].lstrip("#").strip() if comment else ""
    named = last[:1] in SEPARATORS or not last  # a column whose name is #
    if not comment or (named and last and after == skipped + 1) or after == len(lines):
        return lines, False, skipped
    return lines, True, after


def _names_in_comment(line: str, rows: list[list[str]], separator: str, quote: str) -> tuple[str, ...] | None:
    """The names in the last comment before the rows, as numpy.savetxt writes them."""
    found = split([line.lstrip("#").strip()], separator, quote)
    if not found or not rows or len(found[0]) != len(rows[0]) or not any(map(_is_plain, rows[0])):
        return None
    return None if any(map(_is_plain, found[0])) else tuple(found[0])


def _is_plain(field: str) -> bool:
    return bool(field.strip()) and _NUMBER.fullmatch(field.strip()) is not None


def _separator(lines: Sequence[str], quote: str, default: str) -> str:
    """The one separator that gives all lines as many fields, two or more; the default if no other is sure."""
    shares = {}
    for separator in SEPARATORS:
        rows = split(lines, separator, quote)
        rows = rows[:-1] if len(rows) > 2 and len(rows) < MOST_ROWS else rows  # the last line may be cut off
        if not rows or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
            continue
        fields = [field.strip() for row in rows[1:] or rows for field in row]
        n_numbers = sum(
            _is_plain(field) or (separator != "," and bool(_WITH_COMMA.fullmatch(field))) for field in fields
        )
        shares[separator] = n_numbers / len(fields)
    if shares.get(BLANKS, 0.0) < 0.5 or len(shares) > 1:  # words have blanks between them too
        shares.pop(BLANKS, None)
    if default in shares:
        other = max(shares, key=lambda separator: shares[separator])
        return other if shares[other] == 1.0 > shares[default] else default
    if len(shares) != 1:
        return default
    found = next(iter(shares))
    apart = found == BLANKS and any(len(row) > 1 for row in split(lines, default, quote))
    return default if apart else found


def _number_marks(rows: list[list[str]], separator: str, text: TextFormat) -> tuple[str, str]:
    """The decimal mark and the mark between thousands, "." and none unless others are sure."""
    decimal, thousands = text.decimal, text.thousands
    if thousands == NONE:
        thousands = ""
    if decimal is not None or thousands is not None:
        return decimal or ("," if thousands == "." else "."), thousands or ""
    fields = [field.strip() for row in rows[1:] or rows for field in row]
    if any(map(_COMMA_GROUPS.fullmatch, fields)):
        return (".", "") if any(map(_POINT_GROUPS.fullmatch, fields)) else (".", ",")
    if any(map(_POINT_GROUPS.fullmatch, fields)):
        return ",", "."
    points = [field for field in fields if _WITH_POINT.fullmatch(field)]
    commas = [field for field in fields if _WITH_COMMA.fullmatch(field)]
    sure = commas and not points and not all(map(_ONE_GROUP.fullmatch, commas))
    return ("," if sure and separator != "," else "."), ""


def _header(rows: list[list[str]], dialect: Dialect, text: TextFormat) -> tuple[bool, tuple[str, ...]]:
    """Whether the first row is a header, and a remark where that is not sure."""
    if not rows or text.header is not None:
        return text.header is not False, ()
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    numbers = [dialect.is_number(field) for field in first]
    if all(numbers):
        if len(Counter(first)) == len(first) > 1 and all(_is_year(field) for field in first):
            return False, (f"line 1 is taken as a row, since it has only numbers{_otherwise(True)}",)
        return False, ()
    n_numbers = sum(map(_is_plain, first))
    words = [j for j, is_number in enumerate(numbers) if not is_number]
    if n_numbers and all(any(row[j].strip() == first[j].strip() for row in below) for j in words):
        return False, (f"the first line is taken as a row, since its words occur again{_otherwise(True)}",)
    if 2 * n_numbers > len(first):
        return True, (
            f"the first line is taken as the header, though {n_numbers} of its {len(first)} fields are "
            f"numbers{_otherwise(False)}",
        )
    return True, ()


def _is_year(field: str) -> bool:
    return field.strip().isdigit() and 1800 <= int(field) <= 2200


def _otherwise(header: bool) -> str:
    flag = text_option("header", header)
    return f"; {flag} says otherwise" if flag else ""
