"""The figures that campaigns find, for the page on reliability."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(part: str, **figures: object) -> None:
    """Add figures to those of a part, a JSON file in the folder that FASTGD_CAMPAIGN_FIGURES names, if it is set."""
    if not (folder := os.environ.get("FASTGD_CAMPAIGN_FIGURES")):
        return
    path = Path(folder) / f"{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(known | figures, indent=2) + "\n", encoding="utf-8")
