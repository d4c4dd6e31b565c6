"""Texts of figures are drawn as they are: names of files and columns may hold dollar signs and control characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...wording import printable


def in_plain_text(figure: Any) -> Any:
    """The figure, without mathematics between dollar signs, and with control characters as escapes.

    Between dollar signs matplotlib reads a formula, and fails where it is none; control characters are not allowed in
    SVG. The labels of ticks are matplotlib's own, and stay.
    """
    for text in _texts(figure):
        text.set_parse_math(False)
        text.set_text(printable(text.get_text()))
    return figure


def for_legend(name: str) -> str:
    """The name of a line: matplotlib leaves out of a legend what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


def _texts(artist: Any) -> Iterator[Any]:
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    for part in artist.get_children():
        if isinstance(part, Axis):
            yield part.label
        elif isinstance(part, Text):
            yield part
        else:
            yield from _texts(part)
