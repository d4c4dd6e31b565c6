"""Newton's method with the Hessian of sampled rows, and the gradient of all."""

from __future__ import annotations

import numpy as np

from ..kernels.outputs import is_joint
from ..options import Options
from ..penalties import is_smooth
from ..problem import Problem
from ..steps import sample_size
from ..watch import Watch
from .plan import Plan, make_stepper
from .quasi_newton import CurvatureModel, Dense, LimitedMemory, QuasiNewton, descend
from .sampled import Sample
from .scaled import Scaled

# With so many rows for each parameter, steps miss Newton's by about a third of their length.
ROWS_A_PARAMETER = 10
# A sample's minimum is looked for on this part of its rows first, if they are enough.
FIRST_PART, FEWEST_ROWS_A_PARAMETER = 8, 4
# No further than to this part of the distance that lies between the minima of a sample and of all rows anyway.
NEAR_ENOUGH = 0.1
MOST_STEPS = 20


def newton(problem: Problem, options: Options, plan: Plan, watch: Watch, theta: np.ndarray) -> None:
    """Change ``theta`` to the minimum on a sample of the rows, then by a step a pass on the gradient of all of them.

    Steps are preconditioned by the sample's Hessian, corrected by what the steps before have shown, and so nearly
    independent of the units of the columns and of how they depend on each other. Where the sample is all rows, this
    is Newton's method. Source: Erdogdu and Montanari, Convergence rates of sub-sampled Newton methods (2015); Byrd,
    Chin, Neveitt and Nocedal, On the use of stochastic Hessian information in optimization methods for machine
    learning (2011).
    """
    scaled = Scaled(problem, make_stepper(problem, options, plan))
    size = max(ROWS_A_PARAMETER * problem.n_parameters, sample_size(problem))
    samples = [Sample.draw(scaled, size, options.seed)]

    def model(at: np.ndarray) -> CurvatureModel:
        watch.passes_before += samples[-1].share
        return model_of(samples[-1], at)

    if samples[0].is_all:
        descent = QuasiNewton(scaled, theta, model(theta), plan.learning_rate)
        exact = not is_joint(problem.loss)
        descend(descent, options, watch, theta, renewed=lambda at, kept: model(at) if kept and exact else None)
        return
    if size > FIRST_PART * FEWEST_ROWS_A_PARAMETER * problem.n_parameters:
        samples.insert(0, samples[0].every(FIRST_PART))
    first, learned = minimum_on(samples, theta, plan.learning_rate, watch)
    descent = QuasiNewton(scaled, theta, learned, plan.learning_rate)
    moved = True  # since the Hessian was made

    def renewed(at: np.ndarray, kept: bool) -> CurvatureModel | None:
        """The Hessian where the sample's minimum is serves to the end, but where a step fails."""
        nonlocal moved
        again, moved = moved and not kept, kept
        return model(at) if again else None

    descend(descent, options, watch, theta, first=first, renewed=renewed)


def model_of(sample: Sample, theta: np.ndarray) -> CurvatureModel:
    hessian = sample.hessian(theta)
    return LimitedMemory.over_hessian(hessian) if is_smooth(sample.problem.penalty) else Dense(hessian)


def minimum_on(
    samples: list[Sample], theta: np.ndarray, longest: float, watch: Watch
) -> tuple[np.ndarray, CurvatureModel]:
    """Weights near the minimum on the last of some samples, each larger than the one before, and the model there."""
    for sample in samples:
        model = model_of(sample, theta)
        descent = QuasiNewton(sample.scaled, theta, model, longest)
        watch.passes_before += 2.0 * sample.share
        near = NEAR_ENOUGH * sample.problem.n_parameters / sample.problem.n_samples
        for _ in range(MOST_STEPS):
            if descent.exhausted or descent.promised <= near * abs(descent.objective):
                break
            watch.passes_before += sample.share
            if descent.judge():
                descent.propose()
        theta = descent.theta
    return theta, model
