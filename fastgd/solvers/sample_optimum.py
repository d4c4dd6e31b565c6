"""The optimum of F on a sample of the rows and the Hessian there, from which newton begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ..kernels.outputs_gradient import is_joint
from ..kernels.update_step import Stepper
from ..objective.factored_hessian import FactoredHessian
from ..objective.sampled_hessian import HessianSample
from ..terms.losses import is_squared
from ..terms.penalties import is_smooth
from .curvature_models import CurvatureModel, DenseCurvature, LimitedMemory
from .quasi_newton import MIN_CUT, ArmijoSearch, QuasiNewtonState

# The descent begins with the Hessian of every k-th row of the sample, k at most MAX_PARTS, with this minimum of rows
# per parameter.
MAX_PARTS, MIN_ROWS_PER_PARAMETER = 8, 4
# The descent ends within this part of the distance between the optima of the sample and of all rows.
CLOSE_ENOUGH = 0.3
# Maximum trials, and trials after which the Hessian is computed again: for losses like poisson the curvature at the
# optimum differs from the curvature at the start.
MAX_SAMPLE_TRIALS, TRIALS_PER_HESSIAN = 20, 10
# Hessians are compared by a step of this curvature. They count as equal in shape if they differ by at most this many
# times the difference expected between the sample and all rows, see `hessian_at_optimum`.
COMPARISON_STEP, MAX_DIFFERENCE = 0.01, 2.0


class SampleOptimum(NamedTuple):
    """Parameters near the optimum of a sample, the curvature model there, and the gradient at the start."""

    params: np.ndarray
    model: CurvatureModel
    first_gradient: np.ndarray


def model_at(sample: HessianSample, params: np.ndarray, n_all: int) -> CurvatureModel:
    """The curvature model for steps on the gradient of ``n_all`` rows, from the sample's Hessian at ``params``."""
    model = model_over(sample.hessian(params), sample)
    return model.scaled_by(hessian_factor(sample.objective.n_samples, n_all, sample.objective.n_parameters))


def model_over(hessian: FactoredHessian, sample: HessianSample) -> CurvatureModel:
    """The kind of model that suits the penalty."""
    return LimitedMemory.over_hessian(hessian) if is_smooth(sample.objective.penalty) else DenseCurvature.of(hessian)


def hessian_factor(n_rows: int, n_all: int, n_parameters: int) -> float:
    """The factor of the Hessian of ``n_rows`` of ``n_all`` rows that brings steps by its inverse closest to Newton's.

    With gamma parameters per row the mean of the inverse is too large by 1 / (1 - gamma); because of its error, steps
    that are shorter by the same factor again are the best. Source: Marchenko and Pastur, Distribution of
    eigenvalues for some sets of random matrices (1967); Lacotte and Pilanci, Optimal randomized first-order methods for
    least-squares problems (2020); here corrected for a sample that is part of all rows.
    """
    if n_rows == n_all:
        return 1.0
    return ((1.0 - n_parameters / n_all) / (1.0 - n_parameters / n_rows)) ** 2


def optimum_of_sample(sample: HessianSample, params: np.ndarray, stepper: Stepper, longest: float) -> SampleOptimum:
    """Descend on the sample from ``params``, with its Hessian there if that may hold to the end, else with a part's."""
    objective, n_all = sample.objective, sample.whole.objective.n_samples
    first = sample.scaled.evaluate(params)
    is_quadratic = is_squared(objective.loss)  # the Hessian is the same everywhere
    single_and_smooth = is_smooth(objective.penalty) and not objective.several
    # Sparse columns are far from normally distributed.
    may_hold = single_and_smooth and not objective.sparse and sample.has_even_curvature(first.params)
    parts = min(objective.n_samples // (MIN_ROWS_PER_PARAMETER * objective.n_parameters), MAX_PARTS)
    part = sample if is_quadratic or may_hold or parts < 2 else sample.every(parts)
    hessian = part.hessian(first.params)
    search = ArmijoSearch(sample.scaled, stepper, longest)
    state = search.start(first, model_over(hessian, sample))
    factor = hessian_factor(objective.n_samples, n_all, objective.n_parameters)
    if is_quadratic and longest == 1.0:  # one step reaches the optimum
        optimum = sample.scaled.moved(first.params, state.change)
        return SampleOptimum(optimum, state.model.scaled_by(factor), first.at.gradient)
    state = _descend(sample, part, search, state)
    if is_quadratic:
        return SampleOptimum(state.params, state.model.scaled_by(factor), first.at.gradient)
    there = hessian_at_optimum(search, state, hessian, n_all) if may_hold else None
    if there is None:
        return SampleOptimum(state.params, model_at(sample, state.params, n_all), first.at.gradient)
    assert isinstance(state.model, LimitedMemory)
    model = LimitedMemory.over_hessian(there)._replace(pairs=state.model.pairs)
    return SampleOptimum(state.params, model.scaled_by(factor), first.at.gradient)


def _descend(
    sample: HessianSample, part: HessianSample, search: ArmijoSearch, state: QuasiNewtonState
) -> QuasiNewtonState:
    """Make trials until the optimum is close enough; a Hessian that fails is computed again, on the whole sample."""
    objective = sample.objective
    close = CLOSE_ENOUGH * objective.n_parameters / objective.n_samples
    moved = False  # since the Hessian was computed
    for trial in range(1, MAX_SAMPLE_TRIALS + 1):
        if search.is_exhausted(state) or state.promised <= close * abs(state.objective):
            break
        state, _ = search.try_step(state)
        moved = moved or state.kept
        far_off = part is not sample and state.length <= MIN_CUT * search.longest
        failed = not state.kept and (moved or far_off) and not is_joint(objective.loss)
        if failed or trial % TRIALS_PER_HESSIAN == 0:
            part, moved = sample if failed else part, False
            state = state._replace(model=model_over(part.hessian(state.params), sample))
            state = search.propose(state)
        elif state.kept:
            state = search.propose(state)
    return state


def hessian_at_optimum(
    search: ArmijoSearch, state: QuasiNewtonState, start: FactoredHessian, n_all: int
) -> FactoredHessian | None:
    """The Hessian at the end of a descent on a sample: the one at its start, with the part of the loss times a factor.

    None if the two differ in shape by more than the sample differs from all rows, other than along the path of the
    descent, where the steps have updated the model. They are compared along one random vector, by the change of the
    gradient: for v = M^-1/2 e, the part of M^-1 H v that is not along v is as large as the spread of the eigenvalues of
    M^-1 H. For normally distributed columns the two differ only along the path; for others too, equal weights of all
    rows make a better estimate. Source: Stein,
    Estimation of the mean of a multivariate normal distribution (1981); Erdogdu, Newton-Stein method (2015).
    """
    scaled, objective = search.scaled, search.scaled.objective
    assert isinstance(state.model, LimitedMemory)
    assert state.at is not None
    matrix, factor = start.matrices[0], start.factors[0]
    if not start.positive_definite[0]:
        return None
    e = np.random.default_rng(0).standard_normal(len(matrix))
    v = solve_triangular(factor.T, e, lower=True, trans="T", check_finite=False)
    if state.model.pairs:
        path = np.sum([pair.step[0] for pair in state.model.pairs], axis=0)
        v -= (path @ matrix @ v) / (path @ matrix @ path) * path
    v /= np.sqrt(v @ matrix @ v)
    nearby = scaled.evaluate(scaled.moved(state.params, COMPARISON_STEP * v[None]))
    product = (nearby.gradient - state.at.gradient)[0] / COMPARISON_STEP
    by_penalty = np.zeros(len(matrix))
    by_penalty[: objective.n_features] = scaled.penalty_curvature()[0]
    of_loss = matrix @ v - by_penalty * v
    ratio = (v @ (product - by_penalty * v)) / (v @ of_loss)  # NaN where the loss is flat
    rest = product - by_penalty * v - ratio * of_loss
    spread = float(rest @ start.solve_one(0, rest) / (product @ start.solve_one(0, product)))
    gamma = objective.n_parameters * (1.0 / objective.n_samples - 1.0 / n_all)
    if not (ratio > 0 and spread <= MAX_DIFFERENCE * gamma):
        return None
    return FactoredHessian.of((ratio * matrix + (1.0 - ratio) * np.diag(by_penalty))[None])
