"""Runs the benchmarks and collects their tables."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from .goals import against_goals
from .machine import describe
from .scale import Scale
from .table import Table


def ask(
    questions: Iterable[str],
    scale: Scale,
    begins: Callable[[str], None] = lambda _question: None,
    ends: Callable[[Table], None] = lambda _table: None,
) -> dict[str, Table]:
    """The table of each question; ``begins`` and ``ends`` are called before and after each."""
    answers = {}
    for question in questions:
        begins(question)
        answers[question] = importlib.import_module(f".{question}", __package__).measure(scale)
        ends(answers[question])
    return answers


def as_json(answers: dict[str, Table]) -> dict[str, Any]:
    """Machine, tables and goals as JSON."""
    tables = {name: {"title": table.title, "records": table.records()} for name, table in answers.items()}
    return {"machine": describe(), **tables, "goals": against_goals(answers).records()}
