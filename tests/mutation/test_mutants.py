"""The mutants of a small source, written down by hand."""

from __future__ import annotations

from mutation.mutants import mutants

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
