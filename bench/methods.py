"""Which method auto takes, against every fixed one: seconds to a gap of 1e-6, with all else left at its default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fastgd

from .finish import Finish, Fits, finish, settle
from .problems import Race, autoregressive, races, sparse
from .scale import Scale
from .table import Table, told

METHODS = ("gd", "sgd", "minibatch", "newton", "lbfgs", "svrg", "saga")
GAP = 1e-6
ROWS = 100_000
# Newton's Hessian of more columns would fill the memory.
MOST_COLUMNS = 10_000
# All fits of a method until one reaches the gap may take so many seconds, or so many times as long as auto's.
LONGEST, SHORTEST, MOST_TIMES = 20.0, 1.0, 20.0


@dataclass(frozen=True)
class Task:
    """A race, and what its penalty is in place of l2."""

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
    # Strong enough that many coefficients are zero.
    dense = autoregressive(n, 54, 0.6, "logistic", 1e-2)
    for race in (dense, dense.rescaled(), sparse(n=n, alpha=1e-5)):
        for penalty in ({"penalty": "l1"}, {"penalty": "elasticnet", "l1_ratio": 0.5}):
            yield Task(race, penalty)


def choices(task: Task) -> list[str]:
    """Those that can solve it."""
    narrow, smooth = task.race.X.shape[1] <= MOST_COLUMNS, not task.penalty
    possible = {"newton": narrow, "lbfgs": smooth}
    return [method for method in METHODS if possible.get(method, True)]


def target(task: Task) -> float:
    """F at the gap, F* being the least after long runs of all methods that can come so near."""
    exact = [method for method in ("newton", "lbfgs", "saga") if method in choices(task)][:2]
    least = min(task.fit(method, 300, tol=1e-12).objective for method in exact)
    return least + GAP * (task.race.of_constant - least)


def timed(task: Task, method: str, aim: float, limit: float) -> Finish | None:
    with contextlib.suppress(fastgd.FastgdError):
        task.fit(method, 4)  # compiles it; the second epoch of some has kernels of its own
    settle()
    fits = Fits(method, lambda epochs: task.fit(method, epochs), lambda result: result.objective)
    return finish(fits, aim, limit)


def row(task: Task) -> tuple[object, ...]:
    aim = target(task)
    auto = timed(task, "auto", aim, LONGEST)
    limit = max(SHORTEST, min(LONGEST, MOST_TIMES * auto.seconds)) if auto else LONGEST
    fixed = {method: timed(task, method, aim, limit) for method in choices(task)}
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
    """Seconds; each problem is printed on standard error as soon as it is done."""
    columns = ("problem", "auto takes", "auto", *METHODS, "best", "auto / best")
    table = Table(f"Seconds to a gap of {GAP:g}, method by method", columns)
    for task in tasks(ROWS // 5 if scale.quick else ROWS):
        table.rows.append(row(task))
        told(table)
    return table
