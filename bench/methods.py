"""Question: does auto choose the fastest method? Seconds to a gap of 1e-6, all other options at their defaults."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fastgd

from .finish import Finish, Fits, finish, settle
from .problems import Race, autoregressive, races, sparse
from .scale import Scale
from .table import Table, print_last_row

METHODS = ("gd", "sgd", "minibatch", "newton", "lbfgs", "svrg", "saga")
GAP = 1e-6
ROWS = 100_000
# Number of columns above which the Hessian of newton needs too much memory.
MAX_COLUMNS = 10_000
# All fits of a method until one reaches the gap may take MAX_TIMES times the seconds of auto, from SHORTEST to LONGEST.
LONGEST, SHORTEST, MAX_TIMES = 20.0, 1.0, 20.0


@dataclass(frozen=True)
class Task:
    """A race, with options for a penalty other than l2."""

    race: Race
    penalty: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return ", ".join([self.race.name, *(str(value) for value in self.penalty.values())])

    def fit(self, method: str, max_epochs: int, tol: float = 0) -> fastgd.Result:
        race = self.race
        options = {"alpha": race.alpha, "max_epochs": max_epochs, "tol": tol, **self.penalty}
        return fastgd.fit(race.X, race.y, loss=race.loss, method=method, **options)


def tasks(n: int) -> Iterator[Task]:
    for race in races(n):
        yield Task(race)
    yield Task(autoregressive(1_000, 2_000, 0.6, "squared", 1 / 1_000))
    # The penalty is strong enough to make many coefficients zero.
    dense = autoregressive(n, 54, 0.6, "logistic", 1e-2)
    for race in (dense, dense.rescaled(), sparse(n=n, alpha=1e-5)):
        for penalty in ({"penalty": "l1"}, {"penalty": "elasticnet", "l1_ratio": 0.5}):
            yield Task(race, penalty)


def choices(task: Task) -> list[str]:
    """The methods that can solve the task."""
    narrow, smooth = task.race.X.shape[1] <= MAX_COLUMNS, not task.penalty
    possible = {"newton": narrow, "lbfgs": smooth}
    return [method for method in METHODS if possible.get(method, True)]


def target(task: Task) -> float:
    """F at the gap; F* is the minimum after long runs of the methods that can reach it."""
    exact = [method for method in ("newton", "lbfgs", "saga") if method in choices(task)][:2]
    minimum = min(task.fit(method, 300, tol=1e-12).objective for method in exact)
    return minimum + GAP * (task.race.of_constant - minimum)


def timed(task: Task, method: str, goal: float, limit: float) -> Finish | None:
    with contextlib.suppress(fastgd.FastgdError):
        task.fit(method, 4)  # compiles the kernels; some methods have other kernels in the second epoch
    settle()
    fits = Fits(method, lambda epochs: task.fit(method, epochs), lambda result: result.objective)
    return finish(fits, goal, limit)


def row(task: Task) -> tuple[object, ...]:
    goal = target(task)
    auto = timed(task, "auto", goal, LONGEST)
    limit = max(SHORTEST, min(LONGEST, MAX_TIMES * auto.seconds)) if auto else LONGEST
    fixed = {method: timed(task, method, goal, limit) for method in choices(task)}
    seconds = {method: done.seconds for method, done in fixed.items() if done}
    best = min(seconds, key=seconds.__getitem__, default="none")
    return (
        task.name,
        task.fit("auto", 1).method,
        auto.seconds if auto else None,
        *map(seconds.get, METHODS),
        best,
        auto.seconds / seconds[best] if auto and seconds else None,
    )


def measure(scale: Scale) -> Table:
    """Seconds; each row is printed to standard error when it is done."""
    columns = ("problem", "auto takes", "auto", *METHODS, "best", "auto / best")
    table = Table(f"Seconds to a gap of {GAP:g}, method by method", columns)
    for task in tasks(ROWS // 5 if scale.quick else ROWS):
        table.rows.append(row(task))
        print_last_row(table)
    return table
