"""Convex conjugates of the penalties, R*(u) = sup_w w.u - R(w), as far as a duality gap needs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..terms.penalties import Box, ElasticNet, GroupLasso, NonNegative


def why_no_conjugate(penalty: Any) -> str:
    """Why there is no useful conjugate of a penalty, whatever its strength; empty where there is one."""
    if not getattr(penalty, "convex", True):
        return "the penalty is not convex"
    if isinstance(penalty, Box) and not (np.isfinite(penalty.lower) and np.isfinite(penalty.upper)):
        return "the box is not bounded on both sides"
    if isinstance(penalty, NonNegative) and penalty.alpha == 0:
        return "weights that are bounded below only, and pay nothing, can grow without limit"
    if isinstance(penalty, (ElasticNet, GroupLasso, Box, NonNegative)):
        return ""
    return "the conjugate of a penalty of your own is not known"


def leaves_free(penalty: Any, factors: np.ndarray) -> bool:
    """Whether some weight pays nothing, so that R*(u) is infinite but for u_j = 0; ``factors`` multiply its penalty."""
    if isinstance(penalty, Box):
        return False
    strengths = (getattr(penalty, name, 0.0) for name in ("l1", "l2", "alpha"))
    return sum(strengths) == 0 or not bool((factors > 0).all())


def fenchel_gap(penalty: Any, w: np.ndarray, u: np.ndarray, factors: np.ndarray) -> float:
    """R(w) + R*(u) - w.u, which is 0 just where u is a subgradient of R at w, and never negative.

    Here R*(u) is finite, or infinite by rounding only; see `reach`. Each form is a sum of terms of one sign, so that
    it keeps its digits near 0. ``factors``, shape (n_features,), multiply the penalty of each weight. Source:
    Rockafellar, Convex analysis (1970), theorem 23.5.
    """
    if isinstance(penalty, ElasticNet):
        l1, l2 = penalty.l1 * factors, penalty.l2 * factors
        within = np.clip(u, -l1, l1)
        # The w that u is the gradient at is (u - within) / l2.
        beyond = (u - within - l2 * w) ** 2 / (2.0 * l2) if penalty.l2 > 0 else 0.0
        return float(np.sum(beyond + np.abs(w) * (l1 - within * np.sign(w))))
    if isinstance(penalty, GroupLasso):
        limits, (size_w, size_u) = _of_groups(penalty, factors, w, u)
        groups = penalty.groups.astype(np.intp)
        apart = u / np.where(size_u > 0, size_u, 1.0)[groups] - w / np.where(size_w > 0, size_w, 1.0)[groups]
        angles = np.bincount(groups, apart**2)  # |u||w| - u.w is |u||w| times half of it
        return float(np.sum(size_w * np.maximum(limits - size_u, 0.0) + 0.5 * size_w * size_u * angles))
    if isinstance(penalty, Box):
        return float(np.sum(np.maximum((penalty.lower - w) * u, (penalty.upper - w) * u)))
    return float(np.sum(w * np.maximum(penalty.alpha * factors - u, 0.0)))


def is_finite(penalty: Any) -> bool:
    """Whether R*(u) is finite for every u, where no weight is left free."""
    return isinstance(penalty, Box) or (isinstance(penalty, ElasticNet) and penalty.l2 > 0)


def reach(penalty: Any, u: np.ndarray, factors: np.ndarray) -> float:
    """The largest share c, at most 1, for which R*(c u) is finite."""
    if is_finite(penalty):
        return 1.0
    if isinstance(penalty, GroupLasso):
        limits, (_, sizes) = _of_groups(penalty, factors, u, u)
    elif isinstance(penalty, NonNegative):
        limits, sizes = penalty.alpha * factors, np.maximum(u, 0.0)
    else:
        limits, sizes = penalty.l1 * factors, np.abs(u)
    largest = float(np.max(sizes / limits))
    return 1.0 if largest <= 1.0 else 1.0 / largest


def _of_groups(
    penalty: GroupLasso, factors: np.ndarray, *vectors: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The largest norm of a subgradient in each group, and the norm of each vector there."""
    groups = penalty.groups.astype(np.intp)
    limits = penalty.alpha * float(factors[0]) * np.sqrt(np.bincount(groups))
    return limits, tuple(np.sqrt(np.bincount(groups, vector**2)) for vector in vectors)
