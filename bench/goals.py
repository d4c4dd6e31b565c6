"""Performance goals as ratios, compared with the measurements: the last table of `fastgd bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .table import Table, shown

Record = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A goal and a minimum for ``column`` in all records of ``question`` for which ``concerns`` is true."""

    what: str
    question: str
    column: str
    goal: float
    floor: float
    concerns: Callable[[Record], bool] = lambda _record: True


def wide(record: Record, dtype: str, least: int, most: int, *losses: str) -> bool:
    """Whether the record is for large X of this type, these widths and losses."""
    large = record["MB"] > 50 and record["dtype"] == dtype
    return large and least <= record["d"] <= most and record["loss"] in (losses or ("half_squared", "logistic"))


def _gradient(what: str, column: str, goal: float, floor: float, dtype: str, least: int, most: int) -> Goal:
    losses = ("half_squared",) if column == "x NumPy" else ()
    return Goal(what, "gradient", column, goal, floor, lambda record: wide(record, dtype, least, most, *losses))


def _dense_sgd(widths: tuple[int, ...], goal: float, floor: float) -> Goal:
    def concerns(record: Record) -> bool:
        return record["peer"] == "scikit-learn" and int(record["X"].split(" x ")[1]) in widths

    what = f"epoch of SGD, d = {', '.join(map(str, widths))}, against scikit-learn"
    return Goal(what, "sgd", "times faster", goal, floor, concerns)


def _against(who: str, question: str, what: str, goal: float, floor: float) -> Goal:
    return Goal(what, question, "fastgd is times faster", goal, floor, lambda record: record["who"] == who)


ROOF, NUMPY = "of the roofline", "x NumPy"
GOALS = (
    _gradient("batch gradient, d 28 to 2000, float64, of the roofline", ROOF, 0.9, 0.7, "float64", 28, 2000),
    _gradient("the same, float32", ROOF, 0.8, 0.5, "float32", 28, 2000),
    _gradient("batch gradient, d 2 to 16, float64, of the roofline", ROOF, 0.5, 0.3, "float64", 2, 16),
    _gradient("the same, float32", ROOF, 0.5, 0.3, "float32", 2, 16),
    _gradient("batch gradient against NumPy, float64, d 28 to 500", NUMPY, 2, 1.7, "float64", 28, 500),
    _gradient("the same, d = 2000", NUMPY, 1.5, 1.1, "float64", 2000, 2000),
    _gradient("the same, float32, d 200 to 2000", NUMPY, 1.5, 1.1, "float32", 200, 2000),
    _gradient("the same, float64, d 2 to 8", NUMPY, 3, 2, "float64", 2, 8),
    _dense_sgd((3, 10, 28, 54), 10, 7),
    _dense_sgd((100,), 7, 6),
    _dense_sgd((500,), 4, 3),
    Goal(
        "epoch of SGD, d = 54, against Vowpal Wabbit's cache", "sgd", "times faster", 30, 20,
        lambda record: record["peer"] == "Vowpal Wabbit",
    ),
    Goal(
        "epoch of SGD, sparse, against scikit-learn", "sparse", "times faster", 3, 2.5,
        lambda record: record["peer"] == "scikit-learn",
    ),
    _against("PyTorch eager", "minibatch", "mini-batches of 32, d = 54, against PyTorch eager", 150, 100),
    _against("NumPy script", "command", "fastgd run on a .npy, against a NumPy script", 5, 4),
    Goal("all threads against one, batch gradient of 400 MB", "threads", "times faster", 1.5, 1.3),
)  # fmt: skip


def measured(answers: dict[str, Table]) -> Iterator[tuple[Goal, list[float]]]:
    """Each goal with its measured numbers; goals of questions that were not run are omitted."""
    for goal in GOALS:
        if goal.question in answers:
            records = answers[goal.question].records()
            yield goal, [record[goal.column] for record in records if goal.concerns(record)]


def verdict(goal: Goal, numbers: list[float]) -> str:
    """Judged by the worst number."""
    worst = min(numbers)
    return "reached" if worst >= goal.goal else "missed" if worst >= goal.floor else "below the minimum"


def against_goals(answers: dict[str, Table]) -> Table:
    """A table of the goals, with the range of the measured numbers."""
    table = Table("Goals", ("what", "goal", "not below", "measured", ""))
    for goal, numbers in measured(answers):
        numbers = [number for number in numbers if number is not None]
        if not numbers:
            table.rows.append((goal.what, goal.goal, goal.floor, "-", "not measured"))
            continue
        low, high = shown(min(numbers)), shown(max(numbers))
        table.rows.append(
            (goal.what, goal.goal, goal.floor, low if low == high else f"{low} to {high}", verdict(goal, numbers))
        )
    return table
