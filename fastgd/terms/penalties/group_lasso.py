"""The group lasso: a penalty of groups of coefficients, which become 0 together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from ...compile.term import term
from ...errors import OptionError
from .penalty_protocol import PENALTIES, check_strength, scale_within

if TYPE_CHECKING:
    import numpy as np

TINY = 1e-300  # in place of a sum of squares of 0, as a divisor


@PENALTIES.register("group_lasso")
@term
class GroupLasso:
    """alpha sum_g sqrt(d_g) |w_g|_2, where w_g are the d_g coefficients of group g: the group lasso.

    ``groups`` has the group number of each feature; the numbers are 0, 1, 2, ... without gaps, in any order.
    prox: w_g <- max(1 - step alpha sqrt(d_g) / |w_g|_2, 0) w_g, block soft thresholding, which is exact only if the
    steps within each group are equal.

    Source: Yuan and Lin, Model selection and estimation in regression with grouped variables (2006).
    """

    alpha: float
    groups: np.ndarray
    separable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_strength("group_lasso", "alpha", self.alpha)
        for k, number in enumerate(sorted(set(self.groups.tolist()))):
            if number != k:
                raise OptionError(
                    f"group_lasso: groups must hold the whole numbers 0, 1, 2, ... without gaps; {number:g} is wrong"
                )

    def check(self, n_features: int) -> None:
        """Raise an `OptionError` unless ``groups`` has a number for each feature."""
        if len(self.groups) != n_features:
            raise OptionError(
                f"group_lasso: groups has {len(self.groups)} numbers, but the data has {n_features} features: "
                "give the group number of each feature"
            )

    def value(self, w: Any) -> float:
        squares, sizes = self.squares_and_sizes(w)
        total = 0.0
        for g in range(squares.shape[0]):
            total += math.sqrt(sizes[g] * squares[g])
        return self.alpha * total

    def prox(self, v: Any, step: Any) -> None:
        groups = self.groups
        squares, sizes = self.squares_and_sizes(v)
        for g in range(squares.shape[0]):
            squares[g] = math.sqrt(sizes[g] / max(squares[g], TINY))
        for j in range(v.shape[0]):  # by a difference, since a product could be -0.0
            v[j] -= v[j] * min(self.alpha * step[j] * squares[int(groups[j])], 1.0)

    def block_numbers(self) -> Any:
        return self.groups

    def block_prox(self, v: Any, step: Any) -> None:
        size = float(v.shape[0])
        squares = 0.0
        for j in range(v.shape[0]):
            squares += v[j] * v[j]
        limit = self.alpha * math.sqrt(size / max(squares, TINY))
        for j in range(v.shape[0]):
            v[j] -= v[j] * min(limit * step[j], 1.0)

    def selects(self) -> bool:
        return self.alpha > 0.0

    def squares_and_sizes(self, w: Any) -> tuple[Any, Any]:
        """Arrays of |w_g|_2^2 and of d_g, with zeros after the last group."""
        groups = self.groups
        squares = 0.0 * groups  # zeros, without importing NumPy
        sizes = 0.0 * groups
        for j in range(w.shape[0]):
            g = int(groups[j])
            squares[g] += w[j] * w[j]
            sizes[g] += 1.0
        return squares, sizes

    def fenchel_gap(self, w: Any, u: Any, factors: Any) -> float:
        import numpy as np

        groups, (limits, norms_w, norms_u) = self.groups.astype(np.intp), self.limits_and_norms(factors, w, u)
        apart = u / np.where(norms_u > 0, norms_u, 1.0)[groups] - w / np.where(norms_w > 0, norms_w, 1.0)[groups]
        squares = np.bincount(groups, apart**2)  # |u||w| - u.w is |u||w| times half of it
        return float(np.sum(norms_w * np.maximum(limits - norms_u, 0.0) + 0.5 * norms_w * norms_u * squares))

    def dual_scale(self, u: Any, factors: Any) -> float:
        return scale_within(*self.limits_and_norms(factors, u))

    def leaves_free(self, factors: Any) -> bool:
        return self.alpha == 0 or not (factors > 0).all()

    def limits_and_norms(self, factors: Any, *vectors: Any) -> list[Any]:
        """The largest norm of a subgradient in each group, then the norms of each vector there."""
        import numpy as np

        groups = self.groups.astype(np.intp)
        limits = self.alpha * float(factors[0]) * np.sqrt(np.bincount(groups))
        return [limits, *(np.sqrt(np.bincount(groups, vector**2)) for vector in vectors)]
