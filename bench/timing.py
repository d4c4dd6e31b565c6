"""Timing by turns: every candidate once a round, so that a drift of the machine's speed hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Before each call: threads of other libraries spin after their last work, those of OpenBLAS for 2^26 cycles, and
# would be in the way of whoever comes next.
PAUSE = 0.1


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate in each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the range between the quartiles, relative to the median."""
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / 2 / self.median

    def times_faster_than(self, other: Timing) -> float:
        """Median over the rounds of the other's time in units of this one's: pairs from one moment are compared."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.rounds, other.rounds, strict=True))

    def less(self, other: Timing) -> Timing:
        """Round by round, this one's seconds beyond the other's."""
        return Timing(tuple(mine - theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True)))


def in_turn(candidates: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, Timing]:
    """Time each candidate once a round, after one call of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            time.sleep(PAUSE)
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {name: Timing(tuple(times)) for name, times in seconds.items()}


def epochs_in_turn(
    candidates: Mapping[str, Callable[[int], object]], epochs: int = 4, rounds: int = 5
) -> dict[str, Timing]:
    """Seconds of one epoch of each: what a run takes longer for ``epochs`` more, whatever it does besides."""
    runs = {(name, n): lambda run=run, n=n: run(n) for name, run in candidates.items() for n in (1, 1 + epochs)}
    timings = in_turn(runs, rounds)
    longer = {name: timings[name, 1 + epochs].less(timings[name, 1]) for name in candidates}
    return {name: Timing(tuple(s / epochs for s in timing.rounds)) for name, timing in longer.items()}
