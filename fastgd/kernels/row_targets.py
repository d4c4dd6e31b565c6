"""What rows are fitted to: the targets, and for each row a weight and an offset where the user gave them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compile.jit import inlined

NONE = np.zeros(0)


class Targets(NamedTuple):
    """Targets of all rows; ``weight`` (its mean is 1) and ``offset`` (joins each z) are empty where there are none.

    ``y`` has the shape (n_samples,) for one output. For several it is (n_samples, n_outputs), or (n_samples, 1)
    where all outputs share a target: as it stands, or as the number of a class, of which output k sees +1 where
    it is its own and -1 elsewhere (``one_vs_rest``), or which softmax takes as it is.
    """

    y: np.ndarray
    weight: np.ndarray = NONE
    offset: np.ndarray = NONE
    one_vs_rest: bool = False

    def take(self, chosen: np.ndarray) -> Targets:
        """A copy of the targets, weights and offsets of some rows."""
        weight, offset = (part[chosen] if len(part) else part for part in (self.weight, self.offset))
        return self._replace(y=np.ascontiguousarray(self.y[chosen]), weight=weight, offset=offset)

    def every(self, step: int) -> Targets:
        """Those of one in so many of the rows."""
        y = np.ascontiguousarray(self.y[::step])
        return self._replace(y=y, weight=self.weight[::step].copy(), offset=self.offset[::step].copy())


# These take the arrays, not the tuple: taken out of it at every row, an array's references would be counted.
@inlined
def weight_of(weight, i):
    """The weight of row i."""
    return weight[i] if weight.shape[0] > 0 else 1.0


@inlined
def offset_of(offset, i):
    """What is added to the linear predictor of row i."""
    return offset[i] if offset.shape[0] > 0 else 0.0


# A loop that writes and adds up is compiled two ways: several rows at a time where what it writes lies apart from what
# it reads, else row by row, which ends in other last bits. LLVM asks that of absent weights too, as if they had values,
# and by chance results lie behind them. They never lie among the targets.
@inlined
def or_none_of(values, y):
    """The ``values`` of rows; absent ones lie where y does."""
    return values if values.shape[0] > 0 else y[:0]


@inlined
def target_of(y, one_vs_rest, i, k):
    """What output k is to make of row i."""
    if one_vs_rest:
        return 1.0 if y[i, 0] == k else -1.0
    return y[i, k if y.shape[1] > 1 else 0]
