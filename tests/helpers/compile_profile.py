"""pytest plugin that reports which tests compile most: `pytest -p helpers.compile_profile` prints CPU seconds by file.

CPU seconds count threads and child processes; compilations are those of this process.

With ``COMPILE_PROFILE=path`` it also appends a line for each test: id, CPU seconds, seconds and count of compilations.
"""

from __future__ import annotations

import os
import resource
import time
from collections import defaultdict
from pathlib import Path

import pytest
from numba.core import event


class Compilations(event.Listener):
    """Seconds and number of compilations that no other compilation started."""

    def __init__(self):
        self.depth = self.count = 0
        self.seconds = self.began = 0.0

    def on_start(self, event):
        if self.depth == 0:
            self.began = time.process_time()
        self.depth += 1

    def on_end(self, event):
        self.depth -= 1
        if self.depth == 0:
            self.count += 1
            self.seconds += time.process_time() - self.began


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


SEEN = Compilations()
BY_FILE: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    before = cpu_seconds(), SEEN.seconds, SEEN.count
    try:
        return (yield)
    finally:
        spent = [now - then for now, then in zip((cpu_seconds(), SEEN.seconds, SEEN.count), before, strict=True)]
        total = BY_FILE[item.location[0]]
        total[:] = [a + b for a, b in zip(total, spent, strict=True)]
        if path := os.environ.get("COMPILE_PROFILE"):
            with Path(path).open("a") as file:
                print(item.nodeid, *(f"{value:.3g}" for value in spent), sep="\t", file=file)


def pytest_configure():
    event.register("numba:compile", SEEN)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("CPU seconds, of which compiling, and compilations")
    for name, (cpu, compiling, count) in sorted(BY_FILE.items(), key=lambda one: -one[1][0]):
        terminalreporter.write_line(f"{cpu:8.1f} {compiling:8.1f} {count:6} {name}")
