"""`learning_rate_range`: what each of many learning rates comes to, in one pass over X for all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .alpha_path import side_by_side
from .compile.jit import CompileClock, compile_error, thread_pool_size, threads
from .errors import Interrupted, OptionError
from .fitting import pose
from .objective.intercept_only import best_constant
from .objective.problem import Problem, RowOptions
from .solvers.options import Options
from .solvers.plan import make_plan
from .solvers.steps import choose_preconditioner, describe_preconditioner
from .terms.losses import LOSSES
from .terms.penalties import ElasticNet, describe_penalty, resolve_penalty
from .terms.update_rules import RULES
from .training.progress import Reporter, current_reporter, reporting_to
from .training.run import Run
from .training.start import start_weights
from .training.watch import divergence_limit
from .wording import option

# Rates are tried from this part of the automatic one to this many times it, so that the way down and the point of
# divergence are both in view.
SMALLEST, LARGEST, N_RATES = 1e-4, 1e2, 24
# A rate that is too large but little so shows it only after some steps.
FEWEST_STEPS = 50
# Rates do as well as the best but for this part of what it gained.
AS_GOOD = 0.05
# A rate nearer than this to the point of divergence may be beyond the limit itself and not have shown it yet. It is
# just less than what lies between two neighbours of the grid. Measured on 300 random problems, with many losses,
# rules and kinds of columns: in as many passes every suggestion reached 90 % of the best gain; 2 diverged in 40 times
# as many. At a margin of 2, 8 fell short of it, and 2 diverged all the same.
MARGIN = 1.7


@dataclass(frozen=True)
class RateRange:
    """What `learning_rate_range` found.

    Attributes
    ----------
    rates : array of shape (n_rates,), ascending.
    losses : array of shape (n_rates,), F after training at each rate, the penalty included; infinity where it
        diverged, as `fit` has it: a running loss above 10 times the larger of F at the start and of the best constant.
    suggested : the rate to take, one of them; None where no rate ends below the start.
    diverges_at : the smallest rate, above the best one, that ends above the start; None where none does.
    start_loss : F at the start.
    automatic : the rate that ``learning_rate="auto"`` takes in the same variables; of several outputs the smallest.
    method, batch_size, epochs : how each rate was tried.
    settings : loss, penalty and rule in words, and whether columns were scaled.
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
    X: Any,
    y: Any = None,
    *,
    rates: Sequence[float] | None = None,
    loss: Any = "squared",
    method: str = "minibatch",
    penalty: Any = None,
    alpha: float = 0.0,
    l1_ratio: float | None = None,
    rule: Any = "sgd",
    batch_size: int | Literal["auto"] = "auto",
    scale: bool | Literal["auto"] = "auto",
    epochs: int | None = None,
    clip_norm: float | None = None,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    offset: Any = None,
    penalty_weights: Any = None,
    shuffle: bool | str = True,
    start: Any = None,
    seed: int = 0,
    n_threads: int | None = None,
) -> RateRange:
    """Train a model at each of many learning rates, side by side, and say which of them to take.

    All models see the same rows in the same order, and X is read once an epoch for all of them. With several targets
    or classes, other penalties than l1 and l2, or ``clip_norm``, they are trained one after the other.

    Suggested is the middle one of the rates about the best that end within 5 % of its gain, but at a distance from the
    point of divergence. It suits about as many passes as it was tried for: many more may want a smaller one, since at a
    constant rate the noise of batches stays in proportion to it. Source: the range test of Smith, Cyclical learning
    rates for training neural networks (2017), run to a loss for each rate rather than while one rate grows.

    Parameters
    ----------
    rates : the rates to try; by default 24 from 1e-4 to 100 times the automatic one.
    method : "minibatch", "sgd" or "gd".
    scale : as in `fit` for a learning rate that is a number, to which "auto" means False.
    epochs : passes over the rows; by default one, or as many as 50 steps take, which for gd are 50.

    All other parameters are those of `fit`.

    Returns
    -------
    RateRange

    Raises
    ------
    DataError, OptionError, Interrupted
        As `fit` does.

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.learning_rate_range([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", fit_intercept=False)
    >>> found.diverges_at > 2 * found.automatic
    True
    """
    if method == "auto":
        raise OptionError("method 'auto' chooses its own learning rate: take minibatch, sgd or gd")
    loss_term = LOSSES.resolve(loss)
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    options = Options(
        method=method, rule=rule, learning_rate=1.0, batch_size=batch_size, scale=scale, tol=0, clip_norm=clip_norm,
        max_epochs=1 if epochs is None else epochs, shuffle=shuffle, seed=seed, n_threads=n_threads,
    ).bound_to(loss_term, penalty_term, alpha)  # fmt: skip
    tried = None if rates is None else _checked(rates)
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights)
    problem, _ = pose(X, y, loss_term, penalty_term, fit_intercept, rows)
    clock = CompileClock(current_reporter().compiling)
    began = time.perf_counter()
    n_threads = min(n_threads or thread_pool_size(), thread_pool_size())
    with clock.listening(), threads(n_threads), compile_error():
        found = _range_of(problem, options, tried, epochs, start)
    elapsed = time.perf_counter() - began
    return replace(found, seconds={"compile": clock.seconds, "fit": elapsed - clock.seconds})


def _checked(rates: Sequence[float]) -> np.ndarray:
    try:
        values = np.unique(np.array([float(rate) for rate in rates]))
    except (TypeError, ValueError):
        raise OptionError(f"{option('rates')} is a list of numbers, not {rates!r}") from None
    if not len(values):
        raise OptionError("the list of rates to try is empty")
    for rate in values[~((values > 0) & (values < np.inf))]:
        raise OptionError(f"{option('rates')} are numbers above 0, not {rate}")
    return values


def _range_of(
    problem: Problem, options: Options, rates: np.ndarray | None, epochs: int | None, start: Any
) -> RateRange:
    remarks = []
    params = start_weights(start, problem, options.seed)
    with np.errstate(all="ignore"):  # divergence is looked for, not stumbled over
        start_loss = problem.objective(params)
        # A rate that is a number steps in the user's own units, unless told otherwise.
        plan = make_plan(problem, replace(options, learning_rate="auto", scale=options.scale is True))
        automatic = float((plan.learning_rate * plan.shares).min())
        if options.scale == "auto":
            preconditioner = choose_preconditioner(problem, replace(options, learning_rate="auto"))
            if describe_preconditioner(preconditioner) is not None:
                remarks.append(
                    "columns differ much in scale or lie far from zero, so no one rate suits them all: look at scaled "
                    f"columns with {option('scale', True)} and train with it too, or keep the learning rate automatic, "
                    "which scales them itself"
                )
        if rates is None:
            rates = _rounded(automatic * np.geomspace(SMALLEST, LARGEST, N_RATES))
        if epochs is None:
            epochs = math.ceil(FEWEST_STEPS / math.ceil(problem.n_samples / plan.batch_size))
        options = replace(options, max_epochs=epochs)
        constant = best_constant(problem)
        losses = _losses(problem, options, rates, params, divergence_limit(start_loss, constant))
    suggested, diverges_at = choose(rates, losses, start_loss, constant)
    settings = {
        "loss": LOSSES.describe(problem.loss),
        "penalty": describe_penalty(problem.penalty),
        "rule": RULES.describe(options.rule),
        "scaled": options.scale is True and describe_preconditioner(plan.preconditioner) is not None,
    }
    return RateRange(
        rates, losses, suggested, diverges_at, start_loss, automatic, plan.method, plan.batch_size, epochs, settings,
        {}, tuple(remarks),
    )  # fmt: skip


def _losses(problem: Problem, options: Options, rates: np.ndarray, params: np.ndarray, limit: float) -> np.ndarray:
    """F after training from ``params`` at each rate; infinity where a running loss was above the limit."""
    together = not problem.several and isinstance(problem.penalty, ElasticNet) and options.clip_norm is None
    together &= len(rates) > 1
    if together:
        problems = [side_by_side(problem, [1.0] * len(rates), rates.tolist())]
        params = np.tile(params, (len(rates), 1))
        largest = [float(rates.max())]
    else:
        problems = [replace(problem, independent=True) for _ in rates]
        for single in problems:
            single.strength[:] = problem.strength
        largest = rates.tolist()
    d = problem.n_features
    begin = (params[..., :d], params[..., d] if problem.fit_intercept else np.zeros(params.shape[:-1]))
    losses: list[float] = []
    worst: list[float] = []
    outer = current_reporter()
    for done, (one, rate) in enumerate(zip(problems, largest, strict=True)):
        onlooker = _Onlooker(outer, one if together else None, options.method == "gd", done, len(problems))
        with reporting_to(onlooker):
            run = Run(one, replace(options, learning_rate=rate), begin, certify=False)
        if run.watch.stop_reason == "interrupted":
            raise Interrupted(None)
        final = one.objectives(run.watch.model())
        losses += final.tolist() if together else [float(final.sum())]
        worst += onlooker.worst.tolist()
    return np.where(np.isfinite(losses) & (np.array(worst) <= limit), losses, np.inf)


def choose(
    rates: np.ndarray, losses: np.ndarray, start_loss: float, constant: float
) -> tuple[float | None, float | None]:
    """The rate to take, and the smallest one that is too large; see `learning_rate_range`."""
    best = int(losses.argmin())
    if not losses[best] < start_loss:
        return None, float(rates[0])
    too_large = np.flatnonzero(losses[best:] > start_loss)
    diverges_at = float(rates[best + too_large[0]]) if len(too_large) else None
    # What a constant gains says little of a rate: a target far from zero is most of the loss.
    before = constant if losses[best] < constant < start_loss else start_loss
    good = losses <= losses[best] + AS_GOOD * (before - losses[best])
    first = best - int(np.argmin(np.append(good[best::-1], False))) + 1
    last = best + int(np.argmin(np.append(good[best:], False))) - 1
    most = math.sqrt(rates[first] * rates[last])
    if diverges_at is not None:
        most = min(most, diverges_at / MARGIN)
    # The largest rate tried that is no larger, but for rounding.
    return float(rates[max(int((rates <= most * (1.0 + 1e-9)).sum()) - 1, 0)]), diverges_at


def _rounded(values: Any) -> np.ndarray:
    """To two significant digits, which a person can read and type."""
    return np.array([float(f"{value:.1e}") for value in values])


class _Onlooker(Reporter):
    """Tells another reporter of one run of many, each as many epochs long, and keeps the worst running losses.

    Attributes
    ----------
    worst : the largest running loss of each model of ``side_by_side``; without one, that of the one model.
    """

    def __init__(self, outer: Reporter, side_by_side: Problem | None, means: bool, done: int, n_runs: int) -> None:
        self._outer, self._problem, self._done, self._n_runs = outer, side_by_side, done, n_runs
        self._means = means  # of all rows, which gd leaves in ``problem.losses``; else sums over those of a block
        n_models = 1 if side_by_side is None else side_by_side.n_outputs
        self.worst, self._sums = np.full(n_models, -np.inf), np.zeros(n_models)

    def compiling(self, kernel: str) -> None:
        self._outer.compiling(kernel)

    def advanced(self, passes: float, max_epochs: int, loss: float) -> None:
        self._outer.advanced(self._done * max_epochs + passes, self._n_runs * max_epochs, math.nan)
        running = np.array([loss]) if self._problem is None else self._running(passes)
        self.worst = np.maximum(self.worst, np.where(np.isnan(running), np.inf, running))

    def _running(self, passes: float) -> np.ndarray:
        """The mean loss of each model in the epoch so far, from what the kernels left for the block just done."""
        assert self._problem is not None
        if self._means:
            return self._problem.losses
        epoch_so_far = passes - math.ceil(passes) + 1.0
        self._sums += self._problem.losses
        running = self._sums / (epoch_so_far * self._problem.n_samples)
        if epoch_so_far == 1.0:
            self._sums[:] = 0.0
        return running
