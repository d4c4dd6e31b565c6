"""Stable learning rates: from the smoothness of the loss, or by trial for a loss without a largest curvature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels.update_step import Preconditioner
from ..objective.objective import Objective
from ..objective.smoothness import smoothness, squared_norms
from ..terms.losses import loss_traits
from ..terms.rate_schedules import Constant
from ..terms.rule_protocol import rule_traits
from ..terms.update_rules import SGD
from .options import VARIANCE_REDUCED, Options
from .rate_search import searched_rates


class Rates(NamedTuple):
    """A learning rate for each output, shape (n_outputs,), and the reason in words."""

    values: np.ndarray
    reason: str


def stable_rates(objective: Objective, options: Options, preconditioner: Preconditioner, batch_size: int) -> Rates:
    """Rates that are stable for updates on ``batch_size`` rows, for each output.

    Adaptive rules have a default. For losses without a largest curvature the rate is found by trial, see `rate_search`,
    or, for gd where it `follows_curvature`, is a first rate for a curvature of 1. Otherwise it is 1 / L for all rows at
    once and (1 - beta) / (2 L_B) for batches, with L and L_B from `smoothness` and the beta of momentum, whose steps
    become 1 / (1 - beta) times as long.

    Raises
    ------
    DataError
        Where the squares of X are not finite.
    """
    default = rule_traits(options.rule).default_rate
    if default is not None:
        return Rates(np.full(objective.n_outputs, default), "the default of the rule")
    if loss_traits(objective.loss).curvature is None:
        norms = squared_norms(objective, preconditioner)
        if follows_curvature(objective, options):
            first = np.array([1.0 / max(float(norms.mean()), np.finfo(np.float64).tiny)])
            return Rates(first, "at first; then set at each step from the local curvature")
        return Rates(*searched_rates(objective, options, preconditioner, batch_size, norms))
    constants, symbol, source = smoothness(objective, preconditioner, batch_size)
    whole = batch_size >= objective.n_samples > 1
    damping = 1.0 if whole else _damping(options)
    factor = 1.0 if whole else 2.0
    safe = damping / factor
    # The constant is 0 if X is all zeros and there is no intercept: any rate is then stable.
    values = safe / np.where(constants > 0, constants, safe)
    divisor = symbol if whole else f"({factor:g} {symbol})"
    return Rates(values, f"{damping:.3g} / {divisor}, {symbol} = {constants.min():.4g} from {source}")


def follows_curvature(objective: Objective, options: Options) -> bool:
    """Whether gd sets its rate at each step, see `adaptive_gd`: plain steps at an automatic rate, for one output and a
    smooth loss without a largest curvature.
    """
    loss = loss_traits(objective.loss)
    smooth = loss.curvature is None and not loss.kinked and not loss.user_defined
    plain = isinstance(options.rule, SGD) and isinstance(options.schedule, Constant) and not objective.several
    return options.method == "gd" and options.learning_rate == "auto" and plain and smooth


def stable_limit(options: Options, whole: bool) -> float:
    """The c for which rates up to c / L_B are stable; exact for ``whole``, the gradient of all rows, and a quadratic.

    For batches the steps of momentum, and their noise, add up.
    """
    if whole:
        return rule_traits(options.rule).stable_limit
    if options.method in VARIANCE_REDUCED:
        return 0.5
    return 2.0 * _damping(options)


def _damping(options: Options) -> float:
    return rule_traits(options.rule).damping
