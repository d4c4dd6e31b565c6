"""docs/reliability.md has the committed figures, and its links lead to files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_page_is_what_the_script_writes():
    subprocess.run([sys.executable, DOCS / "make_reliability.py", "--check"], check=True)


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / "reliability.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []
