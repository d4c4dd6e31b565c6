"""Arrays that share no cache line: threads that write to one line wait for each other at every update."""

from __future__ import annotations

from typing import Any

import numpy as np

# Two cache lines, since processors fetch them in pairs.
LINE_BYTES = 128


def aligned(value: Any) -> Any:
    """A copy of an array, or of a named tuple of arrays, in memory that shares no cache line with other arrays."""
    if isinstance(value, np.ndarray):
        memory = np.zeros(value.nbytes + 2 * LINE_BYTES, np.uint8)
        start = -memory.ctypes.data % LINE_BYTES
        own = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
        own[...] = value
        return own
    return type(value)(*map(aligned, value)) if isinstance(value, tuple) else value
