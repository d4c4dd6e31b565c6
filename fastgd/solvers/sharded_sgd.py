"""SGD in shards: threads update separate parameters on parts of the rows, from one start; then these are averaged.

Sources: Zinkevich, Weimer, Li and Smola, Parallelized stochastic gradient descent (2010), who average once at the end;
Stich, Local SGD converges fast and communicates little (2019), who averages after every round, as here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..compile.jit import threads_in_use
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..python_threads import PythonThreads
from .minibatch import MinibatchDescent, MinibatchState
from .options import Options
from .plan import Plan
from .protocol import RowBlock, SolverBase, Step, StepReport
from .row_calls import rows_per_call
from .sgd import SerialState, StochasticGradientDescent, has_own_kernel
from .step_size import StepSize


class ShardedState(NamedTuple):
    """The averaged parameters after ``t`` updates of each shard, and the state of each shard."""

    params: np.ndarray
    t: int
    shards: tuple[SerialState | MinibatchState, ...]


class ShardedSGD(SolverBase):
    """In each round every shard starts from the common parameters; these become the mean of the shards' results.

    The mean is weighted by the shards' rows. If each shard averages its parameters (``average``), these means are
    averaged too, weighted by their updates. The bits do not depend on the number of threads.
    """

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.n_shards = self.rows_per_update = plan.shards
        self.rows_per_call = rows_per_call(objective, plan.shards, plan.shards)
        kind = StochasticGradientDescent if has_own_kernel(objective, options, plan) else MinibatchDescent
        self.solvers = [kind(objective, options, plan) for _ in range(plan.shards)]  # each has its own workspace
        # Python's threads, not numba's: kernels release Python's lock, and the serial ones are compiled already.
        self.pool = PythonThreads(min(plan.shards, threads_in_use()))

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> ShardedState:
        return ShardedState(params, 0, tuple(solver.init(objective, params, start) for solver in self.solvers))

    def order_number(self, state: ShardedState, epoch: int, passes_left: float) -> int | None:
        return epoch

    def step(self, objective: Objective, state: ShardedState, rows: RowBlock, step_size: StepSize) -> Step:
        order, n = rows.order, objective.n_samples
        assert order is not None
        rates = np.empty(-(-len(order) // self.n_shards))
        step_size.fill(rates, state.t, (rows.epoch - 1) * n + rows.start, self.n_shards, n)
        objective.passes.add(len(order))
        bounds = [len(order) * s // self.n_shards for s in range(self.n_shards + 1)]
        parts = [order[start:stop] for start, stop in pairwise(bounds)]

        def descend(k: int) -> tuple[SerialState | MinibatchState, np.ndarray]:
            shard, part = state.shards[k], parts[k]
            shard.params[...] = state.params
            if not len(part):
                return shard, np.zeros(objective.n_outputs)
            with np.errstate(all="ignore"):  # the error state belongs to the thread
                shard, report = self.solvers[k].descend(objective, shard, part, rates[: len(part)])  # type: ignore[arg-type]
            return shard, report.running_losses * len(part)

        done = self.pool.map(descend, range(self.n_shards))
        shards = tuple(shard for shard, _ in done)
        state.params[...] = weighted_mean([shard.params for shard in shards], [len(part) for part in parts])
        running = np.sum([losses for _, losses in done], axis=0) / len(order)
        report = StepReport(running, float(rates[-1]), lambda: np.zeros_like(state.params))
        return ShardedState(state.params, state.t + len(rates), shards), report

    def params(self, state: ShardedState) -> np.ndarray:
        pairs = [(solver, shard) for solver, shard in zip(self.solvers, state.shards, strict=True)]
        counts = [solver.averaged_updates(shard) for solver, shard in pairs]  # type: ignore[arg-type]
        if not any(counts):
            return state.params
        means = [solver.params(shard) for solver, shard in pairs]  # type: ignore[arg-type]
        return weighted_mean(*zip(*[(m, c) for m, c in zip(means, counts, strict=True) if c], strict=True))

    def close(self) -> None:
        self.pool.close()


def weighted_mean(vectors: list[np.ndarray], counts: list[int]) -> np.ndarray:
    """The mean of the vectors, weighted by ``counts``; summed in order."""
    total = np.zeros_like(vectors[0])
    for vector, count in zip(vectors, counts, strict=True):
        if count:
            total += count / sum(counts) * vector
    return total
