"""Seconds until the objective is within a gap of its least value, with everything left at its default: against peers.

The gap is (F - F*) / (F of the best constant - F*). A solver's time is that of its whole fit with the fewest iterations
that reach the gap; passes over X stand beside ours.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from peers import Weights, not_installed, peers_of
from problems import Race, races
from timing import print_table

import fastgd

GAPS = (1e-4, 1e-8)
ITERATIONS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25, 30, 40, 50, 70, 100, 150, 200, 400, 800, 1600)
# A solver that has had so many seconds in one fit, or so many times our own, is given up.
LONGEST, MOST_TIMES = 30.0, 60.0
ROUNDS = 3


@dataclass(frozen=True)
class Finish:
    """One that reached the gap: its name, the seconds of its fit, and how many iterations it had."""

    name: str
    seconds: float
    iterations: int
    passes: float = 0.0


def ours(race: Race, max_epochs: int, method: str = "auto") -> fastgd.Result:
    return fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha, method=method, max_epochs=max_epochs, tol=0)


def timed(solve: Callable[[], Weights]) -> tuple[float, Weights]:
    gc.collect()
    began = time.perf_counter()
    weights = solve()
    return time.perf_counter() - began, weights


def least(race: Race) -> float:
    """F*, from long runs of two methods."""
    results = [ours(race, 300)]
    if results[0].method != "lbfgs":
        results.append(ours(race, 300, "lbfgs"))
    return min(race.objective(result.coef, result.intercept) for result in results)


def finish(race: Race, target: float, name: str, solve: Callable[[int], Weights], limit: float) -> Finish | None:
    """The fastest of some rounds at the fewest iterations that get below ``target``."""
    for iterations in ITERATIONS:
        seconds, weights = timed(lambda: solve(iterations))  # noqa: B023  # called at once
        if race.objective(*weights) <= target:
            again = [timed(lambda: solve(iterations))[0] for _ in range(ROUNDS - 1)] if seconds < 3 else []  # noqa: B023
            return Finish(name, sorted([seconds, *again])[len(again) // 2], iterations)
        if seconds > limit:
            return None
    return None


def our_finish(race: Race, target: float, method: str = "auto") -> Finish | None:
    last: list[fastgd.Result] = []

    def solve(iterations: int) -> Weights:
        last[:] = [ours(race, iterations, method)]
        return last[0].coef, last[0].intercept

    done = finish(race, target, "fastgd", solve, LONGEST)
    return done and Finish(last[0].method, done.seconds, done.iterations, float(last[0].trace["passes"][-1]))


def rows(race: Race) -> Iterator[list[str]]:
    F, constant = least(race), race.of_constant
    default = fastgd.fit(race.X, race.y, loss=race.loss, alpha=race.alpha)
    gap = (race.objective(default.coef, default.intercept) - F) / (constant - F)
    for aim in GAPS:
        target = F + aim * (constant - F)
        us = our_finish(race, target)
        limit = min(LONGEST, MOST_TIMES * us.seconds) if us else LONGEST
        them = [
            done
            for name, solve in peers_of(race).items()
            if (done := finish(race, target, name, lambda k, solve=solve: solve(race, k), limit)) is not None
        ]
        best = min(them, key=lambda done: done.seconds, default=None)
        yield [
            race.name,
            f"{aim:g}",
            us.name if us else "-",
            f"{us.seconds:.3f}" if us else "not reached",
            f"{us.passes:.1f}" if us else "-",
            best.name if best else "none",
            f"{best.seconds:.2f}" if best else f"over {limit:.0f}",
            f"{best.seconds / us.seconds:.1f}" if us and best else "-",
            f"{gap:.0e}",
            f"{default.trace['passes'][-1]:.1f}",
        ]


HEADER = [
    "problem", "gap", "method", "seconds", "passes", "fastest peer", "its seconds", "times faster",
    "gap by default", "its passes",
]  # fmt: skip


def main() -> None:
    if missing := not_installed():
        print(f"not installed, and so not measured: {', '.join(missing)}")
    table: list[list[str]] = []
    for race in races():
        for row in rows(race):
            table.append(row)
            print("  ".join(row), flush=True)
    print_table("Time to accuracy: whole fits, kernels compiled", HEADER, table)
