"""The examples in the docstrings of the public names give what they show."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

import fastgd

MODULES = sorted(set(fastgd._HOMES.values()))
EXAMPLES = [
    test
    for module in MODULES
    for test in doctest.DocTestFinder().find(import_module(f"fastgd.{module}"))
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_gives_what_it_shows(example):
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert not report, "".join(report)
