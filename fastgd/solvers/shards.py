"""Steps side by side: the rows in parts, each gone through by a copy of the weights, and then the copies averaged.

Sources: Zinkevich, Weimer, Li and Smola, Parallelized stochastic gradient descent (2010), which averages once at the
end; Stich, Local SGD converges fast and communicates little (2019), which does so every round, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from ..compile.jit import threads_in_use

# Runs the steps of some rows: (order, rates, number of the first step) -> their summed losses.
Block = Callable[[np.ndarray, np.ndarray, int], float]
# Makes the model what a function says, and no longer the weights that steps are taken from: see `Watch.follow`.
Follow = Callable[[Callable[[], np.ndarray]], None]
# A cache line, and the one that processors fetch along with it.
APART_BYTES = 128


def apart(value: Any) -> Any:
    """The same array, or named tuple of arrays, in memory that shares no cache line with any other's.

    Two threads that write to one line would wait for each other at every step.
    """
    if isinstance(value, np.ndarray):
        room = np.zeros(value.nbytes + 2 * APART_BYTES, np.uint8)
        start = -room.ctypes.data % APART_BYTES
        alone = room[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
        alone[...] = value
        return alone
    return type(value)(*map(apart, value)) if isinstance(value, tuple) else value


class Shard:
    """A copy of the weights and what takes steps with it, which counts its own.

    Attributes
    ----------
    model : the mean of its weights, where it keeps one.
    """

    def __init__(self, params: np.ndarray, make: Callable[[np.ndarray, Follow], Block]) -> None:
        self.params, self.steps = apart(params), 0
        self.model: Callable[[], np.ndarray] | None = None
        self.block = make(self.params, self._follow)

    def _follow(self, model: Callable[[], np.ndarray]) -> None:
        self.model = model

    def descend(self, params: np.ndarray, order: np.ndarray, rates: np.ndarray) -> float:
        """From ``params`` a step for each row, at the first of the rates; the summed losses."""
        self.params[...] = params
        if len(order) == 0:
            return 0.0
        with np.errstate(all="ignore"):  # which holds for the thread that says so
            losses = self.block(order, rates[: len(order)], self.steps + 1)
        self.steps += len(order)
        return losses


@contextmanager
def in_shards(
    params: np.ndarray, n_shards: int, begin: int, follow: Follow, make: Callable[[np.ndarray, Follow], Block]
) -> Iterator[Block]:
    """Takes some rows in ``n_shards`` parts, one after the other or at once, as there are threads; same bits.

    Each part starts at ``params``, which then becomes the mean of where they lead, weighted by their rows. ``make``
    turns a copy of the weights into what takes steps with it. A mean of weights, which that may keep up from its step
    number ``begin`` on, is averaged over the copies as well, weighted by their steps.
    """
    shards = [Shard(params, make) for _ in range(n_shards)]

    def model() -> np.ndarray:
        begun = [(shard.model, shard.steps - begin + 1) for shard in shards if shard.model is not None]
        return mean([of_shard() for of_shard, _ in begun], [steps for _, steps in begun])

    # Threads of Python's, not of numba's: the kernels let go of Python's lock, are those that run alone, and so are
    # compiled already; and there are kernels for every rule and penalty.
    with ThreadPoolExecutor(min(n_shards, threads_in_use())) as pool:

        def run(order: np.ndarray, rates: np.ndarray, _t: int) -> float:
            bounds = [len(order) * s // n_shards for s in range(n_shards + 1)]
            parts = [order[start:stop] for start, stop in pairwise(bounds)]
            losses = pool.map(lambda shard, part: shard.descend(params, part, rates), shards, parts)
            total = sum(losses)
            params[...] = mean([shard.params for shard in shards], [len(part) for part in parts])
            if any(shard.model is not None for shard in shards):
                follow(model)
            return float(total)

        yield run


def mean(vectors: list[np.ndarray], counts: list[int]) -> np.ndarray:
    """Their mean, weighted by ``counts``; added up in order."""
    total = np.zeros_like(vectors[0])
    for vector, count in zip(vectors, counts, strict=True):
        if count:
            total += count / sum(counts) * vector
    return total
