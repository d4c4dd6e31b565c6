"""Figures of long campaigns, for docs/reliability.md."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(part: str, **figures: float | str) -> None:
    """Add figures of a part of the campaign to its file in the folder FASTGD_CAMPAIGN_FIGURES, where that is set."""
    if folder := os.environ.get("FASTGD_CAMPAIGN_FIGURES"):
        path = Path(folder, f"{part}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | figures, indent=1, sort_keys=True) + "\n")
