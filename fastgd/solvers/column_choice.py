"""Which columns a working set takes up: those whose coefficients a step of the prox would move from zero.

The length of that move is the distance of the gradient from the subgradients of the penalty: with l1, |g_j| - alpha.
Source: Massias, Gramfort and Salmon, Celer: a fast solver for the lasso with dual extrapolation (2018); and, for any
penalty with a prox, Bertrand et al., Beyond L1: faster and better sparse models with skglm (2022).
"""

from __future__ import annotations

import numpy as np

from ..objective.objective import Objective
from ..objective.penalty_terms import penalty_gradient, prox_of

# Columns of the first working set, at least; later it takes up at most as many, or twice those in use.
FIRST_COLUMNS = 100


def moves(objective: Objective, k: int, w: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """How far a step of length 1 moves each coefficient of output k; for groups, how far it moves the group."""
    penalty, factors = objective.penalty, objective.penalty_factors(k)
    moved = w - gradient - penalty_gradient(penalty, w, factors)
    prox_of(penalty, moved, factors)
    return np.asarray(np.abs(moved - w))


def new_columns(moved: np.ndarray, working: np.ndarray, in_use: int, groups: np.ndarray | None) -> np.ndarray:
    """The columns to take up, from how far each coefficient would move; whole groups, side by side."""
    if groups is not None:
        moved = np.sqrt(np.bincount(groups, moved**2))[groups]
    outside = moved.copy()
    outside[working] = 0.0
    most = max(FIRST_COLUMNS, 2 * in_use)
    chosen = np.flatnonzero(outside > 0.0)
    if len(chosen) > most:
        chosen = np.sort(chosen[np.argsort(-outside[chosen], kind="stable")[:most]])
    return chosen if groups is None else whole_groups(chosen, groups)


def whole_groups(columns: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """All columns of the groups of some columns, by group."""
    chosen = np.flatnonzero(np.isin(groups, groups[columns]))
    return chosen[np.argsort(groups[chosen], kind="stable")]
