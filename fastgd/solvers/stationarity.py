"""How near a stationary point is: the stopping test of the methods that know the whole gradient."""

from __future__ import annotations

import numpy as np

from ..kernels.update_step import Stepper
from ..objective.penalty_terms import prox_mapping_norm
from ..objective.problem import Problem
from .options import Options


def mapping_norms(params: np.ndarray, gradient: np.ndarray, rate: float, stepper: Stepper) -> np.ndarray:
    """The norm of the proximal-gradient mapping for each output."""
    rows = zip(np.atleast_2d(params), np.atleast_2d(gradient), strict=True)
    return np.array([prox_mapping_norm(w, g, rate * stepper.rate[k], stepper, k) for k, (w, g) in enumerate(rows)])


def all_small(norms: np.ndarray, at_zero: np.ndarray, tol: float, independent: bool) -> bool:
    if independent:  # one that has diverged will not become small
        return bool(((norms <= tol * at_zero) | ~np.isfinite(norms)).all())
    return bool(np.linalg.norm(norms) <= tol * np.linalg.norm(at_zero))


def norms_at_zero(
    problem: Problem, options: Options, rate: float, stepper: Stepper, params: np.ndarray
) -> np.ndarray | None:
    """The norms that ``tol`` is relative to; None where they come with the first gradient anyway, or are not needed."""
    if not options.tol or not params.any():
        return None
    zero = np.zeros_like(params)
    _, gradient = problem.gradient(zero)
    return mapping_norms(zero, gradient, rate, stepper)
