"""The targets of the rows, and a weight and an offset for each row if the user gave them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compile.jit import inlined

NONE = np.zeros(0)


class Targets(NamedTuple):
    """Targets of all rows; ``weight`` (of mean 1) and ``offset`` (added to each z) are empty if there are none.

    ``y`` has the shape (n_samples,) for one output. For several outputs it is (n_samples, n_outputs), or
    (n_samples, 1) if all outputs share a column: a target, or the number of a class. Of a class number output k makes
    +1 for class k and -1 for the others if ``one_vs_rest``; softmax takes the number itself.
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
        """The targets of every ``step``-th row."""
        y = np.ascontiguousarray(self.y[::step])
        return self._replace(y=y, weight=self.weight[::step].copy(), offset=self.offset[::step].copy())


# The arguments are arrays, not `Targets`: numba counts references when an array is taken out of a tuple at every row.
@inlined
def weight_of(weight, i):
    """The weight of row i."""
    return weight[i] if weight.shape[0] > 0 else 1.0


@inlined
def offset_of(offset, i):
    """The offset of row i in the linear predictor."""
    return offset[i] if offset.shape[0] > 0 else 0.0


# LLVM compiles a loop that writes and sums in two ways: vectorised if input and output do not overlap in memory, else
# row by row, whose last bits differ. It checks empty arrays too, and by chance the output may lie behind one; it never
# lies within the targets.
@inlined
def or_none_of(values, y):
    """The ``values`` of the rows; if there are none, an empty array at the address of y."""
    return values if values.shape[0] > 0 else y[:0]


@inlined
def target_of(y, one_vs_rest, i, k):
    """The target of output k in row i."""
    if one_vs_rest:
        return 1.0 if y[i, 0] == k else -1.0
    return y[i, k if y.shape[1] > 1 else 0]
