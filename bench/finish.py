"""Time of a solver to a target objective: that of its shortest complete fit that reaches the target."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .timing import PAUSE

MAX_ITERATIONS = 4096
# Fits shorter than SHORT seconds are timed ROUNDS times.
ROUNDS, SHORT = 3, 3.0
# A solver is slower than the fastest so far if it takes this many times as long.
BEATEN = 1.2
# Relative difference of two objectives below which a solver has stopped by itself; not tested in its first iterations,
# which some solvers reject.
SAME, FIRST_REJECTED = 1e-15, 8
# Fewer iterations do not predict the time per iteration.
FEW = 4


@dataclass(frozen=True)
class Finish:
    """A fit that reached the target: its solver, seconds and iterations."""

    fits: Fits
    seconds: float
    iterations: int

    def again(self) -> object:
        """Repeat the fit."""
        return self.fits.solve(self.iterations)


def settle() -> None:
    """Exclude existing objects from garbage collection, which takes longer than a short fit."""
    gc.collect()
    gc.freeze()


class Fits:
    """The fits of one solver, by number of iterations; each is run once and reused for all targets."""

    def __init__(
        self,
        name: str,
        solve: Callable[[int], Any],
        objective: Callable[[Any], float],
        most: int = MAX_ITERATIONS,
    ) -> None:
        self.name, self.most = name, most
        self.solve, self._objective = solve, objective
        self._known: dict[int, tuple[float, float]] = {}
        self._medians: dict[int, float] = {}

    def at(self, iterations: int) -> tuple[float, float]:
        """Seconds and final objective of a fit; an infinite objective if the solver failed."""
        if iterations not in self._known:
            self._known[iterations] = self._fit(iterations)
        return self._known[iterations]

    def seconds(self, iterations: int) -> float:
        """Median seconds of the fit; a long one is timed once."""
        if iterations not in self._medians:
            first = self.at(iterations)[0]
            again = ROUNDS - 1 if first < SHORT else 0
            rounds = [first, *(self._fit(iterations)[0] for _ in range(again))]
            self._medians[iterations] = statistics.median(rounds)
        return self._medians[iterations]

    def _fit(self, iterations: int) -> tuple[float, float]:
        gc.collect()
        time.sleep(PAUSE)
        began = time.perf_counter()
        try:
            outcome = self.solve(iterations)
        except Exception:  # solvers raise various errors for numerical problems
            return time.perf_counter() - began, math.inf
        return time.perf_counter() - began, self._objective(outcome)


def finish(fits: Fits, target: float, limit: float, to_beat: float = math.inf) -> Finish | None:
    """The fit with the fewest iterations, within 10 %, that reaches ``target``; None if the search is abandoned.

    It is abandoned if all fits together would exceed ``limit`` seconds, or the next fit ``to_beat`` by far.
    """
    reached = _first_to_reach(fits, target, limit, to_beat)
    if reached is None:
        return None
    low, high = reached
    while high - low > max(1, high // 10) and (low == 0 or fits.at(low)[0] <= BEATEN * to_beat):
        middle = (low + high) // 2
        if fits.at(middle)[1] <= target:
            high = middle
        else:
            low = middle
    once = fits.at(high)[0]
    return Finish(fits, once if once > BEATEN * to_beat else fits.seconds(high), high)


def _first_to_reach(fits: Fits, target: float, limit: float, to_beat: float) -> tuple[int, int] | None:
    """The largest number of iterations that was too few, and the first that was enough."""
    low, iterations, total, before = 0, 1, 0.0, math.inf
    while True:
        seconds, objective = fits.at(iterations)
        if objective <= target:
            return low, iterations
        if not math.isfinite(objective):
            return None
        if iterations > FIRST_REJECTED and abs(objective - before) <= SAME * abs(objective):
            return None
        total += seconds
        more = _next(iterations, seconds, min(limit - total, BEATEN * to_beat), fits.most)
        if more <= iterations:
            return None
        low, iterations, before = iterations, more, objective


def _next(iterations: int, seconds: float, allowed: float, most: int) -> int:
    """The next number of iterations: twice as many, or as many as fit into ``allowed`` seconds."""
    if seconds > allowed:
        return 0
    affordable = iterations * allowed / seconds if iterations >= FEW else math.inf
    return int(min(2 * iterations, affordable, most))
