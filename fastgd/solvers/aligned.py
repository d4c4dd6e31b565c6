"""Arrays in cache lines of their own: two threads that write to one line would wait for each other at every update."""

from __future__ import annotations

from typing import Any

import numpy as np

# A cache line, and the one that processors fetch along with it.
LINE_BYTES = 128


def aligned(value: Any) -> Any:
    """A copy of an array, or of a named tuple of arrays, in memory that shares no cache line with other arrays."""
    if isinstance(value, np.ndarray):
        memory = np.zeros(value.nbytes + 2 * LINE_BYTES, np.uint8)
        start = -memory.ctypes.data % LINE_BYTES
        alone = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
        alone[...] = value
        return alone
    return type(value)(*map(aligned, value)) if isinstance(value, tuple) else value
