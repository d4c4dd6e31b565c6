"""Arrays on large pages of memory, for work on a part of the data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# The kernel hands memory out page by page, as each is first touched, and that takes 4 to 10 microseconds on the
# virtual machines this was measured on: 40 to 60 of the 160 ms of a fit of 100,000 x 400, whose samples and Hessians
# filled 6,000 pages of 4 KiB. NumPy asks for large pages for each array from 4 MiB on (on Linux, where there are some).
LARGE_PAGE, ASKED_FROM = 1 << 21, 1 << 22
# Less than this comes from memory that the process has touched already.
SMALL = 1 << 17


def empty(shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """As NumPy's; what is not small begins at a large page."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    # Of what is asked for beyond, nothing is touched.
    whole = np.empty(max(size + LARGE_PAGE, ASKED_FROM) + LARGE_PAGE, np.uint8)
    start = -whole.ctypes.data % LARGE_PAGE
    return np.asarray(whole[start : start + size].view(dtype).reshape(shape))


def zeros(shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """As NumPy's; what is not small begins at a large page."""
    array = empty(shape, dtype)
    array.fill(0)
    return array
