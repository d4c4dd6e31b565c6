"""The mutants of a small source, written down by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

from mutation.mutants import mutants

ROOT = Path(__file__).parents[2]

SOURCE = '''def f(a: int, b):
    """Not changed."""
    if a < b and not b:
        return a + 2
    b = "é" + b
'''


def test_every_operator_changes_what_it_names():
    changes = {mutant.change for mutant in mutants("f.py", SOURCE)}
    assert changes == {
        "condition negated: a < b and not b -> (not (a < b and (not b)))",
        "and/or: a < b and not b -> ((a < b) or (not b))",
        "comparison: a < b -> ((a) <= (b))",
        "comparison: a < b -> ((a) >= (b))",
        "not removed: not b -> (b)",
        "return value dropped: return a + 2 -> return None",
        "arithmetic: a + 2 -> ((a) - (2))",
        "constant: 2 -> 3",
        'statement deleted: b = "é" + b -> pass',
    }


def test_a_mutant_differs_from_its_source_in_one_place():
    for mutant in mutants("f.py", SOURCE):
        changed = mutant.apply(SOURCE)
        compile(changed, "f.py", "exec")
        assert changed != SOURCE
        assert changed.replace(mutant.new, mutant.old, 1) == SOURCE


def test_survivors_with_a_reason_are_mutants_of_the_code():
    listed = tomllib.loads((ROOT / "tests/mutation/survivors.toml").read_text(encoding="utf-8"))["survivor"]
    for entry in listed:
        source = (ROOT / entry["file"]).read_text(encoding="utf-8")
        lines = source.splitlines()
        found = [mutant for mutant in mutants(entry["file"], source) if mutant.change == entry["change"]]
        assert entry["code"] in [lines[mutant.line - 1].strip() for mutant in found], entry
        assert entry["reason"]
