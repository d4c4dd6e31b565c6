"""How long a solver takes to a target: the time of its whole fit with the fewest iterations that get there."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .timing import PAUSE

MOST_ITERATIONS = 4096
ROUNDS = 3  # a short fit's time is the median of so many
SHORT = 3.0
# A fit may be slower by chance: only one that takes so many times as long as the fastest so far is beaten.
BEATEN = 1.2
# The first steps of some solvers are all rejected; later, the same objective twice says that it has stopped by itself.
SAME, FIRST_REJECTED = 1e-15, 8
FEW = 4


@dataclass(frozen=True)
class Finish:
    """One that reached the target: its fits, the seconds of the one that did, and how many iterations it had."""

    fits: Fits
    seconds: float
    iterations: int

    def again(self) -> object:
        """That fit once more."""
        return self.fits.solve(self.iterations)


def settle() -> None:
    """Spare what is there by now from being looked through before each fit, which takes longer than a short one."""
    gc.collect()
    gc.freeze()


class Fits:
    """The fits of one solver: each number of iterations is tried once, whatever targets it is tried for."""

    def __init__(
        self,
        name: str,
        solve: Callable[[int], Any],
        objective: Callable[[Any], float],
        most: int = MOST_ITERATIONS,
    ) -> None:
        self.name, self.most = name, most
        self.solve, self._objective = solve, objective
        self._known: dict[int, tuple[float, float]] = {}
        self._medians: dict[int, float] = {}

    def at(self, iterations: int) -> tuple[float, float]:
        """The seconds of the fit, and the objective that it ends with: infinite where the solver gave up."""
        if iterations not in self._known:
            self._known[iterations] = self._fit(iterations)
        return self._known[iterations]

    def seconds(self, iterations: int) -> float:
        """The median of some fits, where they are short."""
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
        except Exception:  # each solver has errors of its own for numbers that it cannot handle
            return time.perf_counter() - began, math.inf
        return time.perf_counter() - began, self._objective(outcome)


def finish(fits: Fits, target: float, limit: float, to_beat: float = math.inf) -> Finish | None:
    """The fit with the fewest iterations, to a tenth, that gets to ``target``, or None where it is given up.

    That is where the next fit would take all so far beyond ``limit`` seconds, or itself much longer than ``to_beat``.
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
    """The last number of iterations tried that was too few, and the first that was not."""
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
    """Twice as many, or as many as may take the seconds allowed; few tell little of what one of them takes."""
    if seconds > allowed:
        return 0
    affordable = iterations * allowed / seconds if iterations >= FEW else math.inf
    return int(min(2 * iterations, affordable, most))
