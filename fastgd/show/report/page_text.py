"""Values as text on a page: readable, and escaped, so that no name is taken for HTML."""

from __future__ import annotations

import html
import json
import math
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...wording import printable

# Significant digits in tables and charts; the trace has all digits.
DIGITS = 6
CHART_DIGITS = 7
# Characters per line of text in a chart.
LINE_LENGTH = 44
NOTHING = "\N{EN DASH}"


def shown(value: Any) -> str:
    """A value as text, not escaped."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e5 <= abs(value) < 1e9 else f"{value:.{DIGITS}g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(map(shown, value)) or "none"
    return printable(str(value))


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def escaped(value: Any) -> str:
    """A value as HTML text, also valid inside a double-quoted attribute."""
    return html.escape(shown(value))


def chart_text(text: Any) -> str:
    """Text for plotly, with its markup (tags, entities and %{...}) escaped, in lines short enough for a phone."""
    lines = textwrap.wrap(printable(str(text)), LINE_LENGTH) or [""]
    return "<br>".join(html.escape(line, quote=False).replace("%{", "&#37;{") for line in lines)


def chart_number(value: float) -> float | None:
    """The value to ``CHART_DIGITS`` digits; None, which plotly draws as a gap, if it is not finite."""
    return float(f"{value:.{CHART_DIGITS}g}") if math.isfinite(value) else None


def chart_numbers(values: Iterable[float]) -> list[float | None]:
    return [chart_number(value) for value in np.asarray(values, np.float64).tolist()]


def json_in_html(content: Any) -> str:
    """JSON for a script element, escaped so that it cannot end the element or begin another."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
