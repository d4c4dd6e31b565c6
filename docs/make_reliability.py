"""Writes docs/reliability.md from docs/reliability.template and docs/campaign_figures.json.

`python docs/make_reliability.py` first merges the figures that `make campaign PART=...` left in build/campaign, one
file a part; a part that was run again replaces its figures. With --check it merges nothing and compares the page.

A line `{figures: PART}` of the template becomes the figures of that part.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURES, TEMPLATE, PAGE = (HERE / name for name in ("campaign_figures.json", "reliability.template", "reliability.md"))
FROM_CAMPAIGNS = HERE.parent / "build" / "campaign"
PLACE = re.compile(r"^\{figures: (\w+)\}$", re.MULTILINE)

Figures = dict[str, dict[str, float | str]]


def page(template: str, figures: Figures) -> str:
    return PLACE.sub(lambda found: table(figures.get(found[1], {})), template)


def table(figures: dict[str, float | str]) -> str:
    if not figures:
        return "No figures are recorded yet."
    rows = [f"| {name.replace('_', ' ')} | {shown(value)} |" for name, value in figures.items()]
    return "\n".join(["| figure | value |", "|---|---|", *rows])


def shown(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) else value


def main() -> int:
    figures: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    template = TEMPLATE.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        return int(page(template, figures) != PAGE.read_text(encoding="utf-8"))
    for path in sorted(FROM_CAMPAIGNS.glob("*.json")):
        figures[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(template, figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
