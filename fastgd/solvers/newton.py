"""Newton's method with the Hessian of sampled rows, and the gradient of all."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrs

from ..kernels.outputs_gradient import is_joint
from ..objective.problem import Problem
from ..objective.sampled_hessian import Sample
from ..objective.scaled import Scaled
from ..terms.losses import is_squared
from ..terms.penalties import is_smooth
from ..training.watch import Watch
from .beginning import beginning
from .options import Options
from .plan import Plan, make_stepper
from .quasi_newton import SHORTEST_CUT, CurvatureModel, Dense, Hessian, LimitedMemory, QuasiNewton, descend
from .steps import sample_size

# A sample's minimum is looked for on one in so many of its rows first, if they are enough.
MOST_PARTS, FEWEST_ROWS_A_PARAMETER = 8, 4
# No further than to this part of the distance that lies between the minima of a sample and of all rows anyway.
NEAR_ENOUGH = 0.3
# Losses like that of poisson curve otherwise where their minimum is than where they start.
MOST_STEPS, STEPS_A_MODEL = 20, 10
# Hessians are compared by a step of such a curvature, and alike where they differ by no more than so many times what a
# sample differs by from all rows, see `hessian_there`.
DIFFERENCE, ALIKE = 0.01, 2.0
# A sample whose Hessian has failed is not like the other rows, and the next one has so many times as many. After so
# many of them, Hessians are not what is missing.
GROWTH, MOST_RENEWALS = 8, 4


def newton(problem: Problem, options: Options, plan: Plan, watch: Watch, params: np.ndarray) -> None:
    """Change ``params`` to the minimum on a sample of the rows, then by a step a pass on the gradient of all of them.

    Steps are preconditioned by the sample's Hessian, corrected by what the steps before have shown, and so nearly
    independent of the units of the columns and of how they depend on each other. Where the sample is all rows, this
    is Newton's method. Source: Erdogdu and Montanari, Convergence rates of sub-sampled Newton methods (2015); Byrd,
    Chin, Neveitt and Nocedal, On the use of stochastic Hessian information in optimization methods for machine
    learning (2011).
    """
    scaled = Scaled(problem, make_stepper(problem, options, plan))
    sample = Sample.draw(scaled, sample_size(problem, "newton"), options.seed)
    if sample.is_all:
        start, at_start = beginning(scaled, sample, params, watch)
        descent = QuasiNewton(scaled, start, model_of(sample, start, watch, problem.n_samples), plan.learning_rate)
        exact = not is_joint(problem.loss)

        def anew(at: np.ndarray, kept: bool) -> CurvatureModel | None:
            return model_of(sample, at, watch, problem.n_samples) if kept and exact else None

        descend(descent, options, watch, params, at_start=at_start, renewed=anew)
        return
    first, model, at_start = minimum_on(sample, params, plan.learning_rate, watch)
    unseen = begins_on_sample(problem, params)
    known = {"objective": watch.rows[0][3]} if unseen else {}
    descent = QuasiNewton(scaled, params, model, plan.learning_rate, **known)
    moved, renewals = True, 0  # since the Hessian was made; how often it was

    def renewed(at: np.ndarray, kept: bool) -> CurvatureModel | None:
        """The Hessian where the sample's minimum is serves to the end; where a step fails, one of more rows."""
        nonlocal moved, renewals, sample
        again, moved = moved and not kept and renewals < MOST_RENEWALS, kept
        if not again:
            if not kept:
                descent.model.distrust()
            return None
        renewals += 1
        sample = Sample.draw(scaled, sample_size(problem, "newton", GROWTH**renewals), options.seed)
        return model_of(sample, at, watch, problem.n_samples)

    descend(descent, options, watch, params, first=first, at_start=at_start if unseen else None, renewed=renewed)


def begins_on_sample(problem: Problem, params: np.ndarray) -> bool:
    """Whether the first pass over X is that at the minimum on a sample: from zero weights, where F is quick to see."""
    return not params.any() and not problem.several and sample_size(problem, "newton") < problem.n_samples


def hessian_of(sample: Sample, params: np.ndarray, watch: Watch) -> Hessian:
    """The sample's, which counts as a pass over its rows."""
    watch.passes_before += sample.share
    return sample.hessian(params)


def model_of(sample: Sample, params: np.ndarray, watch: Watch, among: int) -> CurvatureModel:
    """For steps on the gradient of so many rows, by the sample's Hessian."""
    model = model_by(hessian_of(sample, params, watch), sample.problem)
    model.stretch(shortfall(sample.problem.n_samples, among, sample.problem.n_parameters))
    return model


def model_by(hessian: Hessian, problem: Problem) -> CurvatureModel:
    return LimitedMemory.over_hessian(hessian) if is_smooth(problem.penalty) else Dense(hessian.matrices)


def shortfall(n_rows: int, among: int, n_parameters: int) -> float:
    """What to multiply the Hessian of some rows ``among`` more with, so that steps by its inverse are the best.

    With gamma parameters for each row the inverse is 1 / (1 - gamma) times too large in the mean, and so uneven that
    steps shorter by as much again come nearest to Newton's. Source: Marchenko and Pastur, Distribution of eigenvalues
    for some sets of random matrices (1967); Lacotte and Pilanci, Optimal randomized first-order methods for
    least-squares problems (2020); here the rows are among those of the Hessian that the steps are for.
    """
    if n_rows == among:
        return 1.0
    return ((1.0 - n_parameters / among) / (1.0 - n_parameters / n_rows)) ** 2


def minimum_on(
    sample: Sample, params: np.ndarray, longest: float, watch: Watch
) -> tuple[np.ndarray, CurvatureModel, np.ndarray]:
    """Weights near the minimum on a sample of the rows, with the sample's model there, and its gradient at ``params``.

    The way there is by its Hessian at ``params`` where that may serve to the end, else by that of a part of it.
    """
    problem, among = sample.problem, sample.whole.problem.n_samples
    alike = is_squared(problem.loss)  # everywhere: one Hessian will do
    parts = min(problem.n_samples // (FEWEST_ROWS_A_PARAMETER * problem.n_parameters), MOST_PARTS)
    single_and_smooth = is_smooth(problem.penalty) and not problem.several
    watch.passes_before += sample.share
    start, at_start = beginning(sample.scaled, sample, params, watch)
    hopeful = single_and_smooth and not problem.sparse and sample.curves_evenly(start)  # sparse columns are not normal
    part = sample if alike or hopeful or parts < 2 else sample.every(parts)
    hessian = hessian_of(part, start, watch)
    descent = QuasiNewton(sample.scaled, start, model_by(hessian, problem), longest)
    near, moved = NEAR_ENOUGH * problem.n_parameters / problem.n_samples, False  # since the Hessian was made
    for step in range(1, MOST_STEPS + 1):
        if alike and longest == 1.0:  # a step goes all the way
            descent.params = sample.scaled.moved(start, descent.change)
            break
        if descent.exhausted or descent.promised <= near * abs(descent.objective):
            break
        watch.passes_before += sample.share
        kept = descent.judge()
        moved, wild = moved or kept, descent.length <= SHORTEST_CUT * longest and part is not sample
        stale = not kept and (moved or wild) and not is_joint(problem.loss)
        if stale or step % STEPS_A_MODEL == 0:
            part, moved = sample if stale else part, False
            hessian = hessian_of(part, descent.params, watch)
            descent.model = model_by(hessian, problem)
            descent.propose()
        elif kept:
            descent.propose()
    if not alike:
        there = hessian_there(descent, hessian, among, watch) if hopeful else None
        if there is None:
            return descent.params, model_of(sample, descent.params, watch, among), at_start
        descent.model = replaced(descent.model, there)
    descent.model.stretch(shortfall(problem.n_samples, among, problem.n_parameters))
    return descent.params, descent.model, at_start


def replaced(model: CurvatureModel, hessian: Hessian) -> CurvatureModel:
    """A model over another Hessian that has seen the same steps."""
    assert isinstance(model, LimitedMemory)
    other = LimitedMemory.over_hessian(hessian)
    other.pairs = model.pairs
    return other


def hessian_there(descent: QuasiNewton, start: Hessian, among: int, watch: Watch) -> Hessian | None:
    """The Hessian where a descent on a sample ends, from that where it began: of the loss, so many times as large.

    None where the two differ in shape by more than the sample does from all rows, except along the way itself, of which
    the descent's model knows. They are compared along one random vector, by the change of the slope: for v = M^-1/2 e
    the part of M^-1 H v that is not along v is as large as the eigenvalues of M^-1 H are spread. Of normal columns they
    differ only along the way; in general weights of the rows that are all the same also make a better estimate.
    Source: Stein, Estimation of the mean of a multivariate normal distribution (1981); Erdogdu, Newton-Stein method
    (2015).
    """
    scaled, problem = descent.scaled, descent.scaled.problem
    (matrix,), (factor,) = start.matrices, start.factors
    if factor is None:
        return None
    e = np.random.default_rng(0).standard_normal(len(matrix))
    v = solve_triangular(factor, e, lower=True, trans="T", check_finite=False)
    assert isinstance(descent.model, LimitedMemory)
    if descent.model.pairs:
        way = np.sum([step[0] for step, _, _ in descent.model.pairs], axis=0)
        v -= (way @ matrix @ v) / (way @ matrix @ way) * way
    v /= np.sqrt(v @ matrix @ v)
    watch.passes_before += problem.n_samples / among
    scaled.evaluate(scaled.moved(descent.params, DIFFERENCE * v[None]))
    product = (scaled.slope - descent.slope)[0] / DIFFERENCE
    by_penalty = np.zeros(len(matrix))
    by_penalty[: problem.n_features] = scaled.smooth_curvature()[0]
    of_loss = matrix @ v - by_penalty * v
    times = (v @ (product - by_penalty * v)) / (v @ of_loss)  # NaN where the loss is flat
    rest = product - by_penalty * v - times * of_loss
    spread = float(rest @ dpotrs(factor, rest, lower=True)[0] / (product @ dpotrs(factor, product, lower=True)[0]))
    gamma = problem.n_parameters * (1.0 / problem.n_samples - 1.0 / among)
    if not (times > 0 and spread <= ALIKE * gamma):
        return None
    return Hessian((times * matrix + (1.0 - times) * np.diag(by_penalty))[None])
