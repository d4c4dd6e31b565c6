"""The size of the benchmarks: full, or quick for a first impression."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """``quick``: smaller data, fewer widths and rounds, and so rough numbers."""

    quick: bool = False

    @property
    def matrix_bytes(self) -> int:
        """Size of X, much larger than the caches."""
        return 100_000_000 if self.quick else 200_000_000

    def rounds(self, usual: int) -> int:
        """A third of the usual rounds if quick, at least 3."""
        return max(3, usual // 3) if self.quick else usual

    def subset(self, *values: int) -> tuple[int, ...]:
        """All values; if quick, every other one and the last."""
        return tuple(value for k, value in enumerate(values) if not self.quick or k % 2 or k == len(values) - 1)
