"""The variables of the steps: columns scaled and, with an intercept, centred where their units differ much."""

from __future__ import annotations

import numpy as np

from ..kernels.row_access import CSR
from ..kernels.update_step import Preconditioner
from ..terms.losses import loss_traits
from .column_statistics import column_moments
from .objective import Objective

# Columns are left as they are if their spreads differ by less than this factor and their means are within this many
# spreads of 0.
SCALE_TOLERANCE = 4.0
# The same for serial SGD on sparse rows. With more columns than this many times the values of a row nothing is scaled,
# since steps in scaled variables touch every coefficient.
SPARSE_TOLERANCE, MAX_COLUMNS_PER_ROW_VALUE = 100.0, 16
# svrg and saga centre sparse columns whose mean is more than this many spreads from 0. Such a column is stored in most
# rows, so that most steps touch its coefficient anyway. In trials with l1 on 5 and 40 normal columns around 1, 2 and 4
# spreads, logistic loss took 1.2 to 1.9, 1.7 to 6.6 and 3.9 to over 12 times as many passes without centring.
MAX_UNCENTRED_MEAN = 1.0


def choose_preconditioner(
    objective: Objective, *, only_if_different: bool, serial_steps: bool = False, lazy_steps: bool = False,
    for_hessian: bool = False,
) -> Preconditioner:  # fmt: skip
    """Scale and shift of each column such that u_j = w_j sqrt(spread_j^2 + l2_j / c) has curvature c or less.

    c is the largest curvature of the loss (1 where there is none) and l2_j the curvature of the penalty of w_j: a
    column so small that its penalty counts for more than its values is scaled by the penalty.

    Parameters
    ----------
    only_if_different : leave the columns as they are where their spreads are similar and their means near 0.
    serial_steps : for serial SGD, whose steps on sparse rows cost the non-zeros of a row: scale only where rows are not
        very sparse and columns differ greatly.
    lazy_steps : for svrg and saga: scale sparse columns by their largest values, since the small spread of a column
        with few values would make its rows, and with them L_max, huge; and centre only columns far from zero.
    for_hessian : for newton, whose sample serves both the scales and the Hessian.
    """
    identity = Preconditioner.identity(objective.n_features)
    sparse_steps = serial_steps and objective.sparse and only_if_different
    if sparse_steps and objective.n_features > MAX_COLUMNS_PER_ROW_VALUE * objective.n_values / objective.n_samples:
        return identity
    tolerance = SPARSE_TOLERANCE if sparse_steps else SCALE_TOLERANCE
    lazy = lazy_steps and objective.sparse
    if lazy:
        shift = _far_means(objective) if objective.fit_intercept else identity.shift
        spread, far = _largest_values(objective, shift), bool(shift.any())
    else:
        mean, spread = column_moments(objective, objective.fit_intercept, for_hessian=for_hessian)
        shift = mean if objective.fit_intercept else identity.shift
        far = bool((np.abs(shift[spread > 0]) > tolerance * spread[spread > 0]).any())
    curvature = loss_traits(objective.loss).curvature or 1.0
    size = np.sqrt(spread**2 + objective.penalty_curvature().max(axis=0) / curvature)
    varying = size[spread > 0]
    if not len(varying):
        return identity
    if objective.fit_intercept:
        varying = np.append(varying, 1.0)  # the intercept is a column of ones
    alike = only_if_different and varying.max() / varying.min() <= tolerance
    if alike and lazy:
        return Preconditioner(shift, identity.scale)  # where no column is scaled, all weights decay at one rate
    if alike and not far:
        return identity
    # Powers of two, so that going to the scaled variables and back is exact.
    return Preconditioner(shift, np.exp2(-np.round(np.log2(np.where(size > 0, size, 1.0)))))


def describe_preconditioner(preconditioner: Preconditioner) -> str | None:
    """What was done to the columns, for the summary; None where steps are taken in the user's own units."""
    done = {"scaled": (preconditioner.scale != 1).any(), "centred": preconditioner.shift.any()}
    return "columns " + " and ".join(word for word in done if done[word]) if any(done.values()) else None


def is_identity(preconditioner: Preconditioner) -> bool:
    """Whether steps are taken in the user's own units."""
    return bool((preconditioner.scale == 1).all()) and not preconditioner.shift.any()


def _far_means(objective: Objective) -> np.ndarray:
    """The means of the columns that are more than `MAX_UNCENTRED_MEAN` spreads from 0; 0 for all others."""
    mean, spread = column_moments(objective, centred=True, find_rare=False)
    return np.where((spread > 0) & (np.abs(mean) > MAX_UNCENTRED_MEAN * spread), mean, 0.0)


def _largest_values(objective: Objective, shift: np.ndarray) -> np.ndarray:
    """The largest |x_ij - shift_j| of each sparse column."""
    X = objective.X
    assert isinstance(X, CSR)
    objective.count_pass()
    largest = np.zeros(objective.n_features)
    if not shift.any():
        np.maximum.at(largest, X.indices, np.abs(X.data))
        return largest
    np.maximum.at(largest, X.indices, np.abs(X.data - shift[X.indices]))
    has_zeros = np.bincount(X.indices, minlength=objective.n_features) < objective.n_samples
    return np.where(has_zeros, np.maximum(largest, np.abs(shift)), largest)
