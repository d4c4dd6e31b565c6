"""`learning_rate_range`: train at many learning rates in one pass over X, and suggest one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .alpha_path import side_by_side
from .compile.jit import CompileClock, compile_error, threads
from .data.loss_choice import choose_loss
from .data.training_data import RowOptions
from .errors import Interrupted, OptionError
from .fitting import pose
from .objective.intercept_only import best_constant
from .objective.objective import Objective
from .objective.preconditioner import choose_preconditioner, describe_preconditioner
from .solvers.options import VARIANCE_REDUCED, Method, Options, Shuffle
from .solvers.plan import make_plan
from .solvers.starting_point import starting_point
from .terms.losses import LOSSES
from .terms.penalties import ElasticNet, describe_penalty, resolve_penalty
from .terms.update_rules import RULES
from .training.divergence_guard import divergence_limit
from .training.progress import Reporter, current_reporter, reporting_to
from .training.run import Run
from .wording import option

# The default rates go from SMALLEST to LARGEST times the automatic one, which covers slow progress and divergence.
SMALLEST, LARGEST, N_RATES = 1e-4, 1e2, 24
# Minimum number of updates: a rate just above the stability limit diverges only after some.
MIN_UPDATES = 50
# Losses within this share of the best gain count as equally good.
TOLERANCE = 0.05
# The suggested rate is at most diverges_at / MARGIN: a rate closer to the divergence threshold may be unstable without
# having shown it. MARGIN is slightly less than the ratio of two neighbours of the default rates. Measured on 300 random
# problems with many losses, rules and kinds of columns: with the same number of passes every suggestion reached 90 % of
# the best gain, and with 40 times as many 2 diverged. With a margin of 2, 8 gained less, and 2 diverged too.
MARGIN = 1.7


@dataclass(frozen=True)
class RateRange:
    """The result of `learning_rate_range`.

    Attributes
    ----------
    rates : array of shape (n_rates,), ascending.
    losses : array of shape (n_rates,), F after training at each rate, penalty included; infinity for a rate that
        diverged by the criterion of `fit`: a running loss above 10 times the larger of F at the start and F of the best
        constant model.
    suggested : the rate to use, one of ``rates``; None if no rate ends below F at the start.
    diverges_at : the smallest rate above the best one that ends above F at the start; None if there is none.
    start_loss : F at the start.
    automatic : the rate of ``learning_rate="auto"`` in the same variables; the smallest of several outputs.
    method, batch_size, epochs : the method, batch size and number of epochs of the trials.
    settings : loss, penalty and rule as text, and whether columns were scaled.
    seconds : {"compile": ..., "fit": ...}.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggested: float | None
    diverges_at: float | None
    start_loss: float
    automatic: float
    method: str
    batch_size: int
    epochs: int
    settings: dict[str, Any]
    seconds: dict[str, float]
    remarks: tuple[str, ...] = ()


def learning_rate_range(
    X: Any, y: Any = None, *, rates: Sequence[float] | None = None, loss: Any = "auto", method: Method = "minibatch",
    penalty: Any = None, alpha: float = 0.0, l1_ratio: float | None = None, rule: Any = "sgd",
    batch_size: int | Literal["auto"] = "auto", scale: bool | Literal["auto"] = "auto", epochs: int | None = None,
    clip_norm: float | None = None, fit_intercept: bool = True, sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None, offset: Any = None,
    penalty_weights: Any = None, shuffle: Shuffle = True, start: Any = None, seed: int = 0,
    n_threads: int | None = None,
) -> RateRange:  # fmt: skip
    """Train a model at each of many learning rates simultaneously, and suggest one of them.

    All models see the same rows in the same order, and X is read once per epoch for all of them. With several targets
    or classes, penalties other than l1 and l2, or ``clip_norm``, they are trained one after another.

    The suggested rate is the middle of the interval of rates around the best one whose loss is within 5 % of its gain,
    but at most the divergence threshold / 1.7. It is meant for about as many passes as the trials: for many more, a
    smaller rate may be better, since at a constant rate the noise of batches is proportional to it. Source: the range
    test of Smith, Cyclical learning rates for training neural networks (2017); here every rate has a run of its own.

    Parameters
    ----------
    rates : the rates to try; by default 24 from 1e-4 to 100 times the automatic one.
    method : "minibatch", "sgd" or "gd".
    scale : as in `fit` with a numeric learning rate, for which "auto" means False.
    epochs : passes over the rows; by default one, or as many as 50 updates need (50 for gd).

    All other parameters are as in `fit`.

    Returns
    -------
    RateRange

    Raises
    ------
    DataError, OptionError, Interrupted
        As `fit`.

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.learning_rate_range([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", fit_intercept=False)
    >>> found.diverges_at > 2 * found.automatic
    True
    """
    if method == "auto":
        raise OptionError("method 'auto' chooses its own learning rate: use minibatch, sgd or gd")
    chosen = choose_loss(loss, X, y, sample_weight)
    loss_term, y = chosen.term, chosen.y
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    options = Options(
        method=method, rule=rule, learning_rate=1.0, batch_size=batch_size, scale=scale, tol=0, clip_norm=clip_norm,
        max_epochs=1 if epochs is None else epochs, shuffle=shuffle, seed=seed, n_threads=n_threads,
    ).bound_to(loss_term, penalty_term, alpha)  # fmt: skip
    given = None if rates is None else _checked(rates)
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights)
    objective = pose(X, y, loss_term, penalty_term, fit_intercept, rows).objective
    clock = CompileClock(current_reporter().compiling)
    began = time.perf_counter()
    with clock.listening(), threads(n_threads), compile_error():
        found = _rate_range(objective, options, given, epochs, start)
    elapsed = time.perf_counter() - began
    seconds = {"compile": clock.seconds, "fit": elapsed - clock.seconds}
    return replace(found, seconds=seconds, remarks=chosen.remarks + found.remarks)


def _checked(rates: Sequence[float]) -> np.ndarray:
    """The rates in ascending order, without duplicates."""
    try:
        values = np.unique(np.array([float(rate) for rate in rates]))
    except (TypeError, ValueError):
        raise OptionError(f"{option('rates')} must be a list of numbers, not {rates!r}") from None
    if not len(values):
        raise OptionError(f"{option('rates')} is empty: give at least one learning rate")
    for rate in values[~((values > 0) & (values < np.inf))]:
        raise OptionError(f"{option('rates')} must be finite and above 0, not {rate}")
    return values


def _rate_range(
    objective: Objective, options: Options, rates: np.ndarray | None, epochs: int | None, start: Any
) -> RateRange:
    """Train at each rate; ``rates`` and ``epochs`` None are replaced by their defaults."""
    remarks = []
    constant = best_constant(objective)
    params = starting_point(start, objective, options.seed, constant)
    with np.errstate(all="ignore"):  # rates that diverge are expected
        start_loss = objective.value(params)
        # As in `fit`, a numeric rate applies in the user's units unless scale is True.
        plan = make_plan(objective, replace(options, learning_rate="auto", scale=options.scale is True))
        automatic = float((plan.learning_rate * plan.output_rates).min())
        if options.scale == "auto":
            preconditioner = choose_preconditioner(
                objective, only_if_different=True, serial_steps=options.method == "sgd",
                lazy_steps=options.method in VARIANCE_REDUCED,
            )  # fmt: skip
            if describe_preconditioner(preconditioner) is not None:
                remarks.append(
                    "columns differ in scale or are far from zero, so no single rate suits all of them: use "
                    f"{option('scale', True)} here and for training, or leave the learning rate automatic, which "
                    "scales columns by itself"
                )
        if rates is None:
            exact = automatic * np.geomspace(SMALLEST, LARGEST, N_RATES)
            rates = np.array([float(f"{rate:.1e}") for rate in exact])  # two significant digits
        if epochs is None:
            epochs = math.ceil(MIN_UPDATES / math.ceil(objective.n_samples / plan.batch_size))
        options = replace(options, max_epochs=epochs)
        losses = _losses(objective, options, rates, params, divergence_limit(start_loss, constant))
    suggested, diverges_at = suggest_rate(rates, losses, start_loss, constant.objective)
    settings = {
        "loss": LOSSES.describe(objective.loss),
        "penalty": describe_penalty(objective.penalty),
        "rule": RULES.describe(options.rule),
        "scaled": options.scale is True and describe_preconditioner(plan.preconditioner) is not None,
    }
    return RateRange(
        rates, losses, suggested, diverges_at, start_loss, automatic, plan.method, plan.batch_size, epochs, settings,
        {}, tuple(remarks),
    )  # fmt: skip


def _losses(objective: Objective, options: Options, rates: np.ndarray, params: np.ndarray, limit: float) -> np.ndarray:
    """F after training from ``params`` at each rate; infinity where a running loss exceeded ``limit``."""
    together = not objective.several and isinstance(objective.penalty, ElasticNet) and options.clip_norm is None
    together &= len(rates) > 1
    if together:
        trials = [side_by_side(objective, [1.0] * len(rates), rates.tolist())]
        params = np.tile(params, (len(rates), 1))
        largest = [float(rates.max())]
    else:
        trials = [objective.as_independent() for _ in rates]
        largest = rates.tolist()
    begin = objective.split(params)
    losses: list[float] = []
    worst: list[float] = []
    outer = current_reporter()
    for done, (trial, rate) in enumerate(zip(trials, largest, strict=True)):
        worst_of_trial = _WorstLosses(trial.n_outputs if together else 1)
        with reporting_to(_PartReporter(outer, done, len(trials))):
            trial_options = replace(options, learning_rate=rate)
            run = Run(trial, trial_options, begin, certify=False, after_call=worst_of_trial.see)
        if run.loop.stop.reason == "interrupted":
            raise Interrupted(None)
        losses += run.objectives.tolist() if together else [float(run.objectives.sum())]
        worst += worst_of_trial.values.tolist()
    return np.where(np.isfinite(losses) & (np.array(worst) <= limit), losses, np.inf)


def suggest_rate(
    rates: np.ndarray, losses: np.ndarray, start_loss: float, constant_loss: float
) -> tuple[float | None, float | None]:
    """The suggested rate and the divergence threshold, see `learning_rate_range`."""
    best = int(losses.argmin())
    if not losses[best] < start_loss:
        return None, float(rates[0])
    too_large = np.flatnonzero(losses[best:] > start_loss)
    diverges_at = float(rates[best + too_large[0]]) if len(too_large) else None
    # The gain counts from the best constant model where it is better than the start: for a target far from zero, the
    # constant is most of the gain at any rate.
    baseline = constant_loss if losses[best] < constant_loss < start_loss else start_loss
    good = losses <= losses[best] + TOLERANCE * (baseline - losses[best])
    first = best - int(np.argmin(np.append(good[best::-1], False))) + 1
    last = best + int(np.argmin(np.append(good[best:], False))) - 1
    upper = math.sqrt(rates[first] * rates[last])
    if diverges_at is not None:
        upper = min(upper, diverges_at / MARGIN)
    # The largest rate up to this bound, with a tolerance for rounding.
    return float(rates[max(int((rates <= upper * (1.0 + 1e-9)).sum()) - 1, 0)]), diverges_at


class _WorstLosses:
    """The largest running loss of each model, or of all outputs together for a single model."""

    def __init__(self, n_models: int) -> None:
        self.values = np.full(n_models, -np.inf)

    def see(self, running: np.ndarray) -> None:
        if len(self.values) == 1:
            running = np.array([running.sum()])
        self.values = np.maximum(self.values, np.where(np.isnan(running), np.inf, running))


class _PartReporter(Reporter):
    """Reports one of several equally long runs to ``outer`` as a part of the whole."""

    def __init__(self, outer: Reporter, done: int, n_runs: int) -> None:
        self._outer, self._done, self._n_runs = outer, done, n_runs

    def compiling(self, kernel: str) -> None:
        self._outer.compiling(kernel)

    def advanced(self, passes: float, max_epochs: int, loss: float) -> None:  # noqa: ARG002
        self._outer.advanced(self._done * max_epochs + passes, self._n_runs * max_epochs, math.nan)
