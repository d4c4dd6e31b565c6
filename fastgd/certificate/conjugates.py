"""Convex conjugates of the penalties, R*(u) = sup_w w.u - R(w), as far as a duality gap needs them; see `Penalty`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..terms.penalties import penalty_traits


def why_no_conjugate(penalty: Any) -> str:
    """Why a penalty has no usable conjugate, whatever its strength; empty where it has one."""
    return penalty_traits(penalty).no_conjugate


def leaves_free(penalty: Any, factors: np.ndarray) -> bool:
    """Whether some coefficient has no penalty; ``factors`` multiply the penalty of each coefficient."""
    return bool(penalty.leaves_free(factors))


def fenchel_gap(penalty: Any, w: np.ndarray, u: np.ndarray, factors: np.ndarray) -> float:
    """R(w) + R*(u) - w.u, which is 0 exactly where u is a subgradient of R at w, and never negative."""
    return float(penalty.fenchel_gap(w, u, factors))


def is_finite(penalty: Any) -> bool:
    """Whether R*(u) is finite for every u, where no coefficient is left free."""
    return penalty_traits(penalty).finite_conjugate


def reach(penalty: Any, u: np.ndarray, factors: np.ndarray) -> float:
    """The largest share c, at most 1, for which R*(c u) is finite."""
    return float(penalty.dual_scale(u, factors))
