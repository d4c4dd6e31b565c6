"""`fit`: the front door."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from .data.table import Table
from .errors import DataError, DivergedError, Interrupted, OptionError
from .jit import CompileClock, compile_error, thread_pool_size, threads
from .losses import LOSSES, check_own_loss
from .methods import RUN
from .methods.plan import Plan, make_plan
from .options import Options
from .penalties import describe_penalty, resolve_penalty
from .problem import Problem, check_finite, check_problem
from .progress import current_reporter
from .result import Result
from .rules import RULES
from .schedules import SCHEDULES
from .steps import automatic_rate, describe_metric
from .watch import Diverged, State, Stopped, Watch

OWN_LOSS_TRIED_ON = 5  # targets


def fit(
    X: Any,
    y: Any = None,
    *,
    loss: Any = "squared",
    method: str = "auto",
    penalty: Any = None,
    alpha: float = 0.0,
    l1_ratio: float | None = None,
    rule: Any = "sgd",
    learning_rate: float | Literal["auto"] = "auto",
    schedule: Any = "constant",
    batch_size: int | Literal["auto"] = "auto",
    scale: bool | Literal["auto"] = "auto",
    max_epochs: int = 100,
    max_seconds: float | None = None,
    tol: float | None = None,
    patience: int = 5,
    fit_intercept: bool = True,
    shuffle: bool | str = True,
    start: Any = None,
    seed: int = 0,
    n_threads: int | None = None,
    trace: Literal["epoch", "step"] = "epoch",
    callbacks: Sequence[Callable[[State], Any]] = (),
) -> Result:
    """Minimise the mean loss plus a penalty over the weights of a linear model, by gradient descent.

        F(w, b) = 1/n sum_i loss(y_i, x_i . w + b)  +  alpha (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|_2^2)

    The intercept b is never penalised. Every method minimises exactly this F.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64 (others are converted); a SciPy sparse
        matrix; a pandas, polars or Arrow table; or a `Table` from `fastgd.open`. Never changed.
    y : array of shape (n_samples,): numbers, or for a classification two labels of any kind, the larger
        being the positive one. Left out when X is a `Table`, which has its own.
    loss : a name (squared, half_squared, huber, logistic), a name with settings ("huber:delta=2") or a term.
    method : "gd" (a step an epoch), "sgd" (a step a row), "minibatch" (a step a batch), or "auto", which
        takes gd for less than 256 rows and minibatch from there on.
    penalty : None (l2 where alpha > 0), "none", "l2", "l1", "elasticnet", or a term with its own strength.
    alpha : strength of the penalty, 0 or more.
    l1_ratio : share of L1 in elasticnet, from 0 to 1; 0.15 unless given.
    rule : sgd, momentum, nesterov, adagrad, rmsprop, adam, or a term.
    learning_rate : step size, or "auto": from the row norms and the curvature of the loss (see `steps`).
    schedule : constant, invscaling, step, exponential, cosine, or a term.
    batch_size : rows a step of minibatch, or "auto": 32, and more on sparse rows.
    scale : take steps in scaled (and with an intercept centred) columns, without changing F or the units of
        anything returned; "auto" does so for an automatic learning rate when columns differ much.
    max_epochs : most passes over the rows, those that find an automatic learning rate included; at least one
        epoch is run.
    max_seconds : most seconds of training, compilation not counted.
    tol : stop when converged to this relative tolerance; 0 runs all epochs. None means 1e-4 for an automatic
        learning rate, else 0. For gd the norm of the proximal-gradient mapping, relative to its value at
        zero weights; for sgd and minibatch an improvement of the running loss, relative to the best, that is
        not reached for ``patience`` epochs.
    fit_intercept : whether the model has an intercept.
    shuffle : True (random blocks of rows, shuffled within a few of them), "full" (a random permutation,
        several times slower on large data) or False (in order).
    start : weights to start from: a number or array of coefficients, (coefficients, intercept), or a
        `Result`. Zero unless given.
    seed : of the shuffling; equal seeds give equal bits, whatever ``n_threads`` is.
    n_threads : most threads to use; all unless given.
    trace : "epoch", or "step" to record every single update in ``Result.steps`` as well.
    callbacks : functions called with a `State` after each epoch; one that returns True ends the fit.

    Returns
    -------
    Result

    Raises
    ------
    DataError, OptionError
        When the data or an option cannot be used; each says what to do.
    DivergedError
        When the loss grew beyond 10 times its value at the start and that of the best constant model.
    Interrupted
        On Ctrl-C; a KeyboardInterrupt with the ``result`` so far.

    Examples
    --------
    >>> import fastgd
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], fit_intercept=False, tol=1e-12)
    >>> round(float(result.coef[0]), 6)
    2.0
    """
    options = Options(
        method, rule, learning_rate, schedule, batch_size, scale, max_epochs, max_seconds, tol, patience,
        shuffle, seed, n_threads, trace, callbacks,
    )  # fmt: skip
    loss_term = LOSSES.resolve(loss)
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    target_name = None
    if isinstance(X, Table) and y is None:
        y, target_name = X.y, X.target_name
    if y is None:
        raise DataError("y is missing: give fit(X, y) the target, or a table opened with one")
    problem, classes = check_problem(X, y, loss_term, penalty_term, fit_intercept)
    if LOSSES.name_of(loss_term) not in LOSSES:
        check_own_loss(loss_term, problem.y[:OWN_LOSS_TRIED_ON].tolist())
    theta = start_weights(start, problem)
    run = _Run(problem, options, theta)
    result = run.result(classes, target_name, {"loss": loss_term, "penalty": penalty_term})
    if run.watch.stop_reason == "diverged":
        raise DivergedError(run.divergence, result)
    if run.watch.stop_reason == "interrupted":
        raise Interrupted(result)
    return result


def start_weights(start: Any, problem: Problem) -> np.ndarray:
    """The vector of weights that ``start`` (see `fit`) stands for.

    Raises
    ------
    OptionError
        When it has another shape than the weights, or is not finite.
    """
    d = problem.n_features
    coef, intercept = 0.0 if start is None else start, 0.0
    if isinstance(start, Result):
        coef, intercept = start.coef, start.intercept
    elif isinstance(start, tuple) and len(start) == 2 and np.ndim(start[1]) == 0 and np.ndim(start[0]) == 1:
        coef, intercept = start
    try:
        coef, intercept = np.asarray(coef, dtype=np.float64), float(intercept)
    except (TypeError, ValueError):
        raise OptionError("start must be coefficients, (coefficients, intercept) or a Result") from None
    if coef.shape not in ((), (d,)):
        raise OptionError(f"start has the shape {coef.shape}, but the model has {d} coefficients")
    theta = np.zeros(problem.n_parameters)
    theta[:d] = coef
    if problem.fit_intercept:
        theta[d] = intercept
    elif intercept != 0:
        raise OptionError(f"start has the intercept {intercept}, but the model is fitted without one")
    if not np.isfinite(theta).all():
        raise OptionError("start holds NaN or infinity")
    return theta


class _Run:
    """One run of one method, and what is left of it however it ends."""

    def __init__(self, problem: Problem, options: Options, theta: np.ndarray) -> None:
        self.problem, self.options, self.theta = problem, options, theta
        self.remarks: list[str] = []
        self.divergence = ""
        clock = CompileClock(current_reporter().compiling)
        began = time.perf_counter()
        n_threads = self._threads()
        # BLAS threads that spin beside numba's make every pass several times slower.
        with clock.listening(), threads(n_threads), threadpool_limits(1, user_api="blas"), compile_error():
            self._go(clock)
        elapsed = time.perf_counter() - began
        self.seconds = {"compile": clock.seconds, "fit": elapsed - clock.seconds}

    def _threads(self) -> int:
        wanted, size = self.options.n_threads, thread_pool_size()
        if wanted is not None and wanted > size:
            self.remarks.append(f"n_threads={wanted} is more than the {size} threads there are; using {size}")
        return min(wanted or size, size)

    def _go(self, clock: CompileClock) -> None:
        problem = self.problem
        with np.errstate(all="ignore"):  # divergence is looked for, not stumbled over
            objective = problem.objective(self.theta)
            if not np.isfinite(objective):
                check_finite(problem)
                raise DataError("the objective at the start is not finite: the values of X, y or start are too large")
            self.plan: Plan = make_plan(problem, self.options)
            self.watch = Watch(problem, self.options, self.theta, objective, self.plan.passes, lambda: clock.seconds)
            if (described := describe_metric(self.plan.metric)) is not None:
                self.remarks.append(f"steps were taken with {described}; the model is in the units of the data")
            self._descend()

    def _descend(self) -> None:
        watch = self.watch
        try:
            RUN[self.plan.method](self.problem, self.options, self.plan, watch, self.theta)
            final = self.problem.objective(self.theta)
            if not np.isfinite(final):
                raise Diverged
            watch.evaluate(final)
        except Stopped:
            watch.evaluate(self.problem.objective(self.theta))
        except KeyboardInterrupt:
            watch.stop("interrupted")
            self._restore()
        except Diverged:
            check_finite(self.problem)  # which a loss with a max() in it may not have shown at the start
            watch.stop("diverged")
            self.divergence = self._explain(min(watch.epoch + 1, self.options.max_epochs))
            self._restore()

    def _restore(self) -> None:
        """Go back to the weights of the trace's last row: those between two epochs may be half made."""
        self.theta[:] = self.watch.good
        self.watch.evaluate(self.problem.objective(self.theta))

    def _explain(self, epoch: int) -> str:
        problem, options, plan = self.problem, self.options, self.plan
        message = f"training diverged in epoch {epoch}: the loss grew instead of falling"
        if options.learning_rate == "auto" or getattr(problem.loss, "curvature", None) is None:
            return f"{message}; try a smaller learning_rate than {plan.learning_rate:.3g}"
        stable, _ = automatic_rate(problem, options, plan.metric, plan.batch_size)
        if stable >= plan.learning_rate:
            return f"{message}; try a learning_rate below {plan.learning_rate:.3g}"
        cause = f"since the learning rate {plan.learning_rate:g} is too large"
        return f"{message}, {cause}; try {_round_down(stable):g}, or 'auto'"

    def result(self, classes: np.ndarray | None, target_name: str | None, terms: dict[str, Any]) -> Result:
        problem, watch, d = self.problem, self.watch, self.problem.n_features
        path = None
        if watch.path is not None:
            path = np.zeros((len(watch.path), d + 1))
            path[:, : problem.n_parameters] = watch.path
        return Result(
            coef=self.theta[:d].copy(),
            intercept=float(self.theta[d]) if problem.fit_intercept else 0.0,
            objective=float(watch.rows[-1][3]),
            n_epochs=watch.epoch,
            converged=watch.converged,
            stop_reason=watch.stop_reason,
            method=self.plan.method,
            loss=terms["loss"],
            learning_rate=self.plan.learning_rate,
            trace=watch.trace,
            path=path,
            steps=watch.step_trace if self.options.trace == "step" else None,
            classes=classes,
            feature_names=problem.feature_names,
            target_name=target_name,
            n_samples=problem.n_samples,
            settings=self._settings(terms["penalty"]),
            seconds=self.seconds,
            remarks=tuple(self.remarks),
        )

    def _settings(self, penalty: Any) -> dict[str, Any]:
        """The options in words, to reproduce the run."""
        options = self.options
        return {
            "penalty": describe_penalty(penalty),
            "rule": RULES.describe(options.rule),
            "schedule": SCHEDULES.describe(options.schedule),
            "batch_size": self.plan.batch_size,
            "fit_intercept": self.problem.fit_intercept,
            "max_epochs": options.max_epochs,
            "tol": options.tol,
            "shuffle": options.shuffle,
            "seed": options.seed,
        }


def _round_down(value: float) -> float:
    """To two significant digits, never above the value."""
    magnitude = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.floor(value / magnitude) * magnitude)
