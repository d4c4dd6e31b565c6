"""Norms of the proximal-gradient mapping, which are zero at a stationary point."""

from __future__ import annotations

import numpy as np

from ..kernels.update_step import Stepper
from ..objective.objective import Objective
from ..objective.penalty_terms import prox_mapping_norm
from ..objective.stationary_points import is_convex


def mapping_norms(params: np.ndarray, gradient: np.ndarray, rate: float, stepper: Stepper) -> np.ndarray:
    """The norm of the proximal-gradient mapping of each output."""
    rows = zip(np.atleast_2d(params), np.atleast_2d(gradient), strict=True)
    return np.array([prox_mapping_norm(w, g, rate * stepper.rate[k], stepper, k) for k, (w, g) in enumerate(rows)])


def all_small(norms: np.ndarray, reference: np.ndarray, tol: float, independent: bool) -> bool:
    """Whether the norms are at most ``tol`` times the reference; for independent outputs each, unless diverged."""
    if independent:
        return bool(((norms <= tol * reference) | ~np.isfinite(norms)).all())
    return bool(np.linalg.norm(norms) <= tol * np.linalg.norm(reference))


def norms_at_zero(
    objective: Objective, start: np.ndarray, rate: float, stepper: Stepper, has_tol: bool
) -> np.ndarray | None:
    """The norms at zero parameters, in a pass of monitoring.

    None if training starts at zero coefficients, has no ``tol``, or does not depend on norms since F is convex.
    """
    if not has_tol or is_convex(objective) or not objective.split(start)[0].any():
        return None
    zero = objective.zeros()
    with objective.passes.for_monitoring():
        return mapping_norms(zero, objective.evaluate(zero).gradient, rate, stepper)
