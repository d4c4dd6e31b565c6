"""Values as they stand on a page: readable, and never taken for HTML, whatever a column is called."""

from __future__ import annotations

import html
import json
import math
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# A number in a page is for a person to read; the trace has all of its digits.
DIGITS = 6
CHART_DIGITS = 7
# Characters in a line of a chart.
LINE_LENGTH = 44
NOTHING = "\N{EN DASH}"


def shown(value: Any) -> str:
    """A value in words; not yet escaped."""
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
    return str(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def escaped(value: Any) -> str:
    """A value as HTML that shows it, in an attribute in double quotes too."""
    return html.escape(shown(value))


def chart_text(text: Any) -> str:
    """A text that plotly shows as it is, in lines that a phone has room for.

    Plotly takes some tags, entities and %{...} for more than text.
    """
    lines = textwrap.wrap(str(text), LINE_LENGTH) or [""]
    return "<br>".join(html.escape(line, quote=False).replace("%{", "&#37;{") for line in lines)


def chart_number(value: float) -> float | None:
    """To as many digits as a chart can show; None, which is a gap, where it is no finite number."""
    return float(f"{value:.{CHART_DIGITS}g}") if math.isfinite(value) else None


def chart_numbers(values: Iterable[float]) -> list[float | None]:
    return [chart_number(value) for value in np.asarray(values, np.float64).tolist()]


def json_in_html(content: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
