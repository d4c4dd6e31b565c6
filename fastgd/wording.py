"""Phrases that messages share, and how they spell options: as arguments in Python, as flags at the command line."""

from __future__ import annotations

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_flags_wanted = ContextVar("flags_wanted", default=False)
_flags_offered: ContextVar[frozenset[str] | None] = ContextVar("flags_offered", default=None)
_NO_VALUE = object()
# Flags that are not the option's name with dashes for underscores.
SHORT_FLAGS = {"max_epochs": "--epochs", "n_threads": "--threads", "interactions": "--interact"}
VALUE_FLAGS = {"fit_intercept=False": "--no-intercept", "trace='step'": "--trace-steps"}


@contextmanager
def speaking_in_flags() -> Iterator[None]:
    """Within the block, messages name options by their command-line flags."""
    token = _flags_wanted.set(True)
    try:
        yield
    finally:
        _flags_wanted.reset(token)


@contextmanager
def offering(flags: Iterable[str]) -> Iterator[None]:
    """Within the block, only these flags can be given; see `has_option`."""
    token = _flags_offered.set(frozenset(flags))
    try:
        yield
    finally:
        _flags_offered.reset(token)


def has_option(name: str) -> bool:
    """Whether the reader can give the option: at the command line, if the command has its flag."""
    offered = _flags_offered.get()
    return offered is None or option(name) in offered


def for_reader(python: str, command_line: str) -> str:
    """The text for Python, or within `speaking_in_flags` the text for the command line."""
    return command_line if _flags_wanted.get() else python


def option(name: str, value: object = _NO_VALUE) -> str:
    """An option as the reader writes it: ``learning_rate=0.1`` in Python, ``--learning-rate 0.1`` at the command line.

    Without a value only its name: ``learning_rate``, ``--learning-rate``.
    """
    flag = SHORT_FLAGS.get(name, f"--{name.replace('_', '-')}")
    if value is _NO_VALUE:
        return for_reader(name, flag)
    argument = f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
    if isinstance(value, bool):
        typed = flag if value else flag.replace("--", "--no-")
    else:
        text = f"{value:g}" if isinstance(value, float) else value
        typed = f"{flag} {comma_list(value) if isinstance(value, list) else text}"
    return for_reader(argument, VALUE_FLAGS.get(argument, typed))


def printable(text: str, kept: str = "\n\t") -> str:
    r"""The text for a terminal, control characters and marks of writing direction as escapes: \x1b, \u202e.

    Data may hold them, and a terminal obeys them. Those in ``kept`` stay.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in kept else _escape(c) for c in text)


def _escape(character: str) -> str:
    """The escape of a character that is not printable; a space of another width stays."""
    if unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode()


def name_and_message(error: BaseException) -> str:
    """``ValueError: no``, or only ``ValueError`` where it has no message."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def quoted(names: Sequence[str], limit: int = 5) -> str:
    """``'a', 'b' and 'c'``; beyond ``limit``: ``'a', 'b' and 7 more``."""
    shown = [repr(name) for name in names[:limit]]
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """``1 column``, ``1,000 columns``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def cell(value: object, limit: int = 40) -> str:
    """A cell as a message quotes it: in full when short, else its beginning."""
    text = str(value)
    return repr(text if len(text) <= limit else text[:limit] + "...")


def label(value: object) -> str:
    """The label of a class in a message or a column's name; a whole number without its point."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def comma_list(names: Sequence[str]) -> str:
    """Names as a command-line option takes them, in quotes where a shell would split them or run what they hold."""
    text = ",".join(names)
    if re.fullmatch(r"[\w.,+-]+", text):
        return text
    return shlex.quote(text) if set('"$`\\!') & set(text) else f'"{text}"'


def near(word: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names nearest to ``word``, whatever their case; nearest first."""
    lowered: dict[str, str] = {}
    for name in known:
        lowered.setdefault(name.lower(), name)
    return [lowered[key] for key in difflib.get_close_matches(word.lower(), lowered, n=limit, cutoff=0.6)]


def hint(word: str, known: Sequence[str]) -> str:
    """``did you mean 'a' or 'b'?``, or when nothing is near what there is."""
    close = near(word, known)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there {'is' if len(known) == 1 else 'are'} {quoted(known)}" if known else "there are none"


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of a table; the first column is aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
