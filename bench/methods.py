"""Which method auto takes, against every fixed one: seconds to a gap of 1e-6, with all else left at its default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from finish import Finish, Fits, finish, settle
from problems import Race, autoregressive, races, sparse
from timing import print_table

import fastgd

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


def tasks() -> Iterator[Task]:
    for race in races(ROWS):
        yield Task(race)
    yield Task(autoregressive(1_000, 2_000, 0.6, "squared", 1 / 1_000))
    # Strong enough that many coefficients are zero.
    dense = autoregressive(ROWS, 54, 0.6, "logistic", 1e-2)
    for race in (dense, dense.rescaled(), sparse(n=ROWS, alpha=1e-5)):
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


def row(task: Task) -> list[str]:
    aim = target(task)
    auto = timed(task, "auto", aim, LONGEST)
    limit = max(SHORTEST, min(LONGEST, MOST_TIMES * auto.seconds)) if auto else LONGEST
    fixed = {method: timed(task, method, aim, limit) for method in choices(task)}
    best = min((done for done in fixed.values() if done), key=lambda done: done.seconds, default=None)
    return [
        task.name,
        task.fit("auto", 1).method,
        shown(auto),
        *(shown(fixed.get(method)) for method in METHODS),
        best.name if best else "none",
        f"{auto.seconds / best.seconds:.2f}" if auto and best else "-",
    ]


def shown(done: Finish | None) -> str:
    return f"{done.seconds:.3f}" if done else "-"


def main() -> None:
    table: list[list[str]] = []
    for task in tasks():
        table.append(row(task))
        print("  ".join(table[-1]), flush=True)
    header = ["problem", "auto takes", "auto", *METHODS, "best", "auto / best"]
    print_table(f"Seconds to a gap of {GAP:g}, method by method", header, table)
