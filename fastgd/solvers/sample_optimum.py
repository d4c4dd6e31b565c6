"""The optimum of F on a sample of the rows, with the sample's Hessian there: where newton begins."""

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
from .first_point import first_point
from .quasi_newton import MIN_CUT, ArmijoSearch, QuasiNewtonState

# The way to the optimum begins with the Hessian of every k-th row of the sample, k up to MAX_PARTS, as long as there
# are this many rows for each parameter.
MAX_PARTS, MIN_ROWS_PER_PARAMETER = 8, 4
# The optimum is close enough at this part of the distance between the optima of the sample and of all rows.
CLOSE_ENOUGH = 0.3
# Trials at most, and trials after which the Hessian is made again: losses like poisson have another curvature at the
# optimum than where they start.
MAX_TRIALS, TRIALS_PER_HESSIAN = 20, 10
# Hessians are compared by a step of this curvature. They count as of one shape where they differ by at most this factor
# times what a sample differs by from all rows, see `hessian_at_optimum`.
COMPARISON_STEP, MAX_DIFFERENCE = 0.01, 2.0


class SampleOptimum(NamedTuple):
    """Parameters near the optimum of a sample, the curvature model there, and the gradient where the way began."""

    params: np.ndarray
    model: CurvatureModel
    first_gradient: np.ndarray


def model_at(sample: HessianSample, params: np.ndarray, n_all: int) -> CurvatureModel:
    """The curvature model for steps on the gradient of ``n_all`` rows, from the sample's Hessian at ``params``."""
    model = model_over(sample.hessian(params), sample)
    return model.scaled_by(hessian_factor(sample.objective.n_samples, n_all, sample.objective.n_parameters))


def model_over(hessian: FactoredHessian, sample: HessianSample) -> CurvatureModel:
    """The model that suits the penalty."""
    return LimitedMemory.over_hessian(hessian) if is_smooth(sample.objective.penalty) else DenseCurvature.of(hessian)


def hessian_factor(n_rows: int, n_all: int, n_parameters: int) -> float:
    """What multiplies the Hessian of ``n_rows`` among ``n_all`` rows so that steps by its inverse are the best ones.

    With gamma parameters for each row the inverse is 1 / (1 - gamma) times too large in the mean, and its error is such
    that steps shorter by the same factor come closest to Newton's. Source: Marchenko and Pastur, Distribution of
    eigenvalues for some sets of random matrices (1967); Lacotte and Pilanci, Optimal randomized first-order methods for
    least-squares problems (2020); here the steps are for rows that include those of the Hessian.
    """
    if n_rows == n_all:
        return 1.0
    return ((1.0 - n_parameters / n_all) / (1.0 - n_parameters / n_rows)) ** 2


def optimum_of_sample(sample: HessianSample, params: np.ndarray, stepper: Stepper, longest: float) -> SampleOptimum:
    """Descend on the sample from ``params``, by the Hessian there where it may serve to the end, else by a part's."""
    objective, n_all = sample.objective, sample.whole.objective.n_samples
    first = first_point(sample.scaled, sample, params, None)
    is_quadratic = is_squared(objective.loss)  # one Hessian serves everywhere
    single_and_smooth = is_smooth(objective.penalty) and not objective.several
    # Sparse columns are far from normal.
    may_serve = single_and_smooth and not objective.sparse and sample.curves_evenly(first.params)
    parts = min(objective.n_samples // (MIN_ROWS_PER_PARAMETER * objective.n_parameters), MAX_PARTS)
    part = sample if is_quadratic or may_serve or parts < 2 else sample.every(parts)
    hessian = part.hessian(first.params)
    search = ArmijoSearch(sample.scaled, stepper, longest)
    state = search.start(first, model_over(hessian, sample))
    factor = hessian_factor(objective.n_samples, n_all, objective.n_parameters)
    if is_quadratic and longest == 1.0:  # one step goes all the way
        optimum = sample.scaled.moved(first.params, state.change)
        return SampleOptimum(optimum, state.model.scaled_by(factor), first.at.gradient)
    state = _descend(sample, part, search, state)
    if is_quadratic:
        return SampleOptimum(state.params, state.model.scaled_by(factor), first.at.gradient)
    there = hessian_at_optimum(search, state, hessian, n_all) if may_serve else None
    if there is None:
        return SampleOptimum(state.params, model_at(sample, state.params, n_all), first.at.gradient)
    assert isinstance(state.model, LimitedMemory)
    model = LimitedMemory.over_hessian(there)._replace(pairs=state.model.pairs)
    return SampleOptimum(state.params, model.scaled_by(factor), first.at.gradient)


def _descend(
    sample: HessianSample, part: HessianSample, search: ArmijoSearch, state: QuasiNewtonState
) -> QuasiNewtonState:
    """Trials on the sample until its optimum is close enough; a Hessian that fails is made again, from all its rows."""
    objective = sample.objective
    close = CLOSE_ENOUGH * objective.n_parameters / objective.n_samples
    moved = False  # since the Hessian was made
    for trial in range(1, MAX_TRIALS + 1):
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
    """The Hessian at the end of a descent on a sample, from the one at its start: the loss's part times a factor.

    None where the two differ in shape by more than the sample differs from all rows, except along the way itself, which
    the model has learnt. They are compared along one random vector, by the change of the gradient: for v = M^-1/2 e the
    part of M^-1 H v that is not along v is as large as the eigenvalues of M^-1 H are spread. For normal columns the two
    differ only along the way; in general equal weights for all rows also make a better estimate. Source: Stein,
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
        way = np.sum([pair.step[0] for pair in state.model.pairs], axis=0)
        v -= (way @ matrix @ v) / (way @ matrix @ way) * way
    v /= np.sqrt(v @ matrix @ v)
    there = scaled.evaluate(scaled.moved(state.params, COMPARISON_STEP * v[None]))
    product = (there.gradient - state.at.gradient)[0] / COMPARISON_STEP
    by_penalty = np.zeros(len(matrix))
    by_penalty[: objective.n_features] = scaled.penalty_curvature()[0]
    of_loss = matrix @ v - by_penalty * v
    times = (v @ (product - by_penalty * v)) / (v @ of_loss)  # NaN where the loss is flat
    rest = product - by_penalty * v - times * of_loss
    spread = float(rest @ start.solve_one(0, rest) / (product @ start.solve_one(0, product)))
    gamma = objective.n_parameters * (1.0 / objective.n_samples - 1.0 / n_all)
    if not (times > 0 and spread <= MAX_DIFFERENCE * gamma):
        return None
    return FactoredHessian.of((times * matrix + (1.0 - times) * np.diag(by_penalty))[None])
