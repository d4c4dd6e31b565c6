"""Asks the questions and collects the answers."""

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
    """The table of each, one after the other; ``begins`` and ``ends`` are told how far it is."""
    answers = {}
    for question in questions:
        begins(question)
        answers[question] = importlib.import_module(f".{question}", __package__).measure(scale)
        ends(answers[question])
    return answers


def as_json(answers: dict[str, Table]) -> dict[str, Any]:
    """All of it, for programs."""
    tables = {name: {"title": table.title, "records": table.records()} for name, table in answers.items()}
    return {"machine": describe(), **tables, "goals": against_goals(answers).records()}
