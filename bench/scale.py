"""How large the benchmarks are: the full one, or a quick one for a first look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """``quick``: smaller data, fewer widths and rounds; its numbers are rough."""

    quick: bool = False

    @property
    def matrix_bytes(self) -> int:
        """Far more than any cache."""
        return 100_000_000 if self.quick else 200_000_000

    def rounds(self, usual: int) -> int:
        return max(3, usual // 3) if self.quick else usual

    def some(self, *values: int) -> tuple[int, ...]:
        """Every other one of them where a quick look is enough, the last always."""
        return tuple(value for k, value in enumerate(values) if not self.quick or k % 2 or k == len(values) - 1)
