"""The mean of the weights after each step, where a kernel keeps up their sum."""

from __future__ import annotations

import numpy as np

from ..kernels.averaging import LazySum, LazySums
from ..objective.problem import Problem
from .shards import Follow, apart


class LazyMean:
    """The mean of the weights after step number ``begin`` and each later one, which becomes the model; 0 for none."""

    def __init__(self, problem: Problem, begin: int, follow: Follow) -> None:
        self.begin, self.follow, self.count = begin, follow, 0
        self.sums: LazySum | LazySums
        if problem.several:
            self.sums = apart(LazySums.make(problem.X, problem.n_outputs, problem.n_parameters))
        else:
            self.sums = apart(LazySum.make(problem.n_features, problem.n_parameters))

    def sums_over(self, t: int, n_steps: int) -> LazySum | LazySums | None:
        """What the kernel takes for the ``n_steps`` from number ``t`` on."""
        if not self.begin:
            return None
        skip = min(max(self.begin - t, 0), n_steps)
        self.count += n_steps - skip
        if self.count:
            self.follow(self.model)
        return self.sums._replace(skip=skip)

    def model(self) -> np.ndarray:
        return self.sums.total / self.count
