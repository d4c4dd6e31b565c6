"""Timing in turn: every candidate once per round, so that changes in the speed of the machine affect all equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Seconds of sleep before each call: threads of other libraries keep spinning after their last work (OpenBLAS for 2^26
# cycles), which would slow down the next candidate.
PAUSE = 0.1


@dataclass(frozen=True)
class Timing:
    """Seconds of a candidate in each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the interquartile range, relative to the median."""
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / 2 / self.median

    def times_faster_than(self, other: Timing) -> float:
        """Median over the rounds of other / self, each ratio from the same round."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.rounds, other.rounds, strict=True))

    def less(self, other: Timing) -> Timing:
        """The difference self - other of each round."""
        return Timing(tuple(mine - theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True)))


def in_turn(candidates: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, Timing]:
    """Time each candidate once per round, after a call of each that is not timed."""
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
    """Seconds per epoch of each: (run of 1 + ``epochs`` epochs - run of 1 epoch) / ``epochs``."""
    runs = {(name, n): lambda run=run, n=n: run(n) for name, run in candidates.items() for n in (1, 1 + epochs)}
    timings = in_turn(runs, rounds)
    longer = {name: timings[name, 1 + epochs].less(timings[name, 1]) for name in candidates}
    return {name: Timing(tuple(s / epochs for s in timing.rounds)) for name, timing in longer.items()}
