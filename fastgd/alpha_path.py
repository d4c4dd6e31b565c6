"""`fit_path`: many models at once, in one pass over X per epoch for all of them.

With a penalty that selects columns, on wide data, `working_set` takes them some at a time by falling strength, each
from the solution before; see there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .compile.jit import threads
from .data.loss_choice import choose_loss
from .data.training_data import RowOptions
from .errors import Interrupted, OptionError
from .fitting import pose
from .model.result import Result
from .objective.objective import Objective
from .solvers.options import Method, Options, Shuffle, check_whole
from .solvers.starting_point import default_start
from .terms.penalties import ElasticNet, resolve_penalty
from .terms.schedule_protocol import schedule_traits
from .training.run import Run
from .training.run_result import result_of_output, settings_of


def fit_path(
    X: Any,
    y: Any = None,
    *,
    alphas: Sequence[float] | Literal["auto"] | None = None,
    learning_rates: Sequence[float] | None = None,
    n_alphas: int = 100,
    alpha_ratio: float = 1e-3,
    loss: Any = "auto",
    method: Method = "auto",
    penalty: Any = None,
    l1_ratio: float | None = None,
    rule: Any = "sgd",
    schedule: Any = "constant",
    batch_size: int | Literal["auto"] = "auto",
    scale: bool | Literal["auto"] = "auto",
    max_epochs: int = 100,
    max_seconds: float | None = None,
    tol: float | None = None,
    patience: int = 5,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    penalty_weights: Any = None,
    shuffle: Shuffle = True,
    seed: int = 0,
    n_threads: int | None = None,
) -> list[Result]:
    """Fit a model for each strength of the penalty, or for each learning rate, reading X once per epoch for all.

    Parameters
    ----------
    alphas : strengths of the penalty; with ``learning_rates`` one for each rate, or none. "auto", for a penalty with an
        l1 part: ``n_alphas`` strengths, evenly spaced by their logarithms, from the smallest at which all coefficients
        are zero down to ``alpha_ratio`` times it (the grid of glmnet and scikit-learn). Columns whose penalty_weights
        are 0 do not count for that largest strength.
    n_alphas, alpha_ratio : the grid of ``alphas="auto"``.
    learning_rates : a learning rate for each model; by default the automatic one for its alpha.

    All other parameters are those of `fit`, for one target of numbers or of two classes. Columns are scaled to
    suit the largest alpha.

    Returns
    -------
    A `Result` for each model, in the order given. A model that diverged has the stop_reason "diverged" and
    parameters that are not finite; the others go on. The trace of each has F at the start and at the end.

    Raises
    ------
    DataError, OptionError, Interrupted
        As `fit` does.

    Examples
    --------
    >>> import fastgd
    >>> models = fastgd.fit_path([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], alphas=[0.0, 1.0], tol=1e-8)
    >>> [round(float(model.coef[0]), 3) for model in models]
    [2.0, 1.143]
    """
    chosen = choose_loss(loss, X, y, sample_weight)
    loss_term, y = chosen.term, chosen.y
    if isinstance(alphas, str):
        alphas = automatic_alphas(
            X, y, loss_term, penalty, l1_ratio, alphas, n_alphas, alpha_ratio, learning_rates, fit_intercept,
            RowOptions(sample_weight, class_weight, offset, penalty_weights), n_threads,
        )  # fmt: skip
    strengths, rates = _grid(alphas, learning_rates)
    penalties = [resolve_penalty(penalty or ("l2" if any(strengths) else "none"), a, l1_ratio) for a in strengths]
    if not all(isinstance(term, ElasticNet) for term in penalties):
        raise OptionError("fit_path takes the penalties none, l2, l1 and elasticnet; for others call fit for each")
    # All models share one penalty, each with its own multiple: alpha, or 1 where all penalties have the same strength.
    shared, multiples = penalties[0], [1.0] * len(strengths)
    if any(strengths):
        shared, multiples = resolve_penalty(penalty or "l2", 1.0, l1_ratio), strengths
    options = Options(
        method, rule, "auto" if rates is None else max(rates), schedule, batch_size, scale, max_epochs, max_seconds,
        tol, None, patience, None, shuffle, seed, n_threads,
    ).bound_to(loss_term, shared, max(strengths))  # fmt: skip
    if schedule_traits(options.schedule).sets_rate and len(set(strengths)) > 1:
        raise OptionError("this schedule sets the rates from alpha, so it goes with a single one: call fit for each")
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights)
    posed = pose(X, y, loss_term, shared, fit_intercept, rows)
    run = Run(side_by_side(posed.objective, multiples, rates), options, None)
    run.remarks[:0] = chosen.remarks
    described = posed.described | {"loss": loss_term}
    results = [
        result_of_output(run, k, settings=settings_of(run, term, chosen.reason), **described)
        for k, term in enumerate(penalties)
    ]
    if run.loop.stop.reason == "interrupted":
        raise Interrupted(results)
    return results


def automatic_alphas(
    X: Any,
    y: Any,
    loss: Any,
    penalty: Any,
    l1_ratio: float | None,
    alphas: str,
    n_alphas: int,
    alpha_ratio: float,
    learning_rates: Any,
    fit_intercept: bool,
    rows: RowOptions,
    n_threads: int | None,
) -> list[float]:
    """The grid of ``alphas="auto"``: it begins where all coefficients are zero.

    They are zero where the gradient at the best constant model is a subgradient of the penalty:
    |g_j| <= alpha l1_ratio t_j for all j. Source: Friedman, Hastie and Tibshirani (2010), section 2.5.
    """
    if alphas != "auto":
        raise OptionError(f"alphas is a list of numbers or 'auto', not {alphas!r}")
    if learning_rates is not None:
        raise OptionError("alphas='auto' makes its own models: leave learning_rates out")
    check_whole("n_alphas", n_alphas, 1)
    if not isinstance(alpha_ratio, (int, float)) or not 0 < alpha_ratio < 1:
        raise OptionError(f"alpha_ratio must lie between 0 and 1, not {alpha_ratio!r}")
    term = resolve_penalty(penalty or "l2", 1.0, l1_ratio)
    if not isinstance(term, ElasticNet) or term.l1 == 0:
        raise OptionError(
            "alphas='auto' begins where the penalty makes all coefficients zero: take the penalty l1 or elasticnet"
        )
    with threads(n_threads):
        objective = pose(X, y, loss, term, fit_intercept, rows).objective
        gradient = objective.evaluate(default_start(objective, 0)).gradient
    factors = objective.penalty_factors(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = np.where(factors > 0.0, np.abs(gradient[..., : objective.n_features]) / (term.l1 * factors), 0.0)
    largest = float(limits.max(initial=0.0))
    if not 0.0 < largest < np.inf:
        raise OptionError("alphas='auto' finds no column that changes the loss: give alphas as a list of numbers")
    # Rounded up, so that a gradient with other rounding keeps all coefficients zero.
    return [float(alpha) for alpha in largest * (1.0 + 1e-12) * np.geomspace(1.0, alpha_ratio, n_alphas)]


def _grid(
    alphas: Sequence[float] | None, learning_rates: Sequence[float] | None
) -> tuple[list[float], list[float] | None]:
    """The strength of the penalty and the learning rate of each model."""
    if alphas is None and learning_rates is None:
        raise OptionError("give fit_path the models to fit: alphas=[...] or learning_rates=[...]")
    rates = None if learning_rates is None else _numbers("learning_rates", learning_rates)
    strengths = [0.0] * len(rates or ()) if alphas is None else _numbers("alphas", alphas)
    if rates is not None and len(rates) != len(strengths):
        raise OptionError(
            f"{len(strengths)} alphas and {len(rates)} learning_rates: give as many of the one as the other"
        )
    if not strengths:
        raise OptionError("the list of models to fit is empty")
    for rate in rates or ():
        if not 0 < rate < float("inf"):
            raise OptionError(f"learning_rates are numbers above 0, not {rate!r}")
    return strengths, rates


def _numbers(name: str, values: Any) -> list[float]:
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise OptionError(f"{name} is a list of numbers, not {values!r}") from None


def side_by_side(single: Objective, multiples: list[float], rates: list[float] | None) -> Objective:
    """F of all models, as outputs that share the target."""
    if single.several:
        raise OptionError("fit_path fits one target of numbers or two classes; for several call fit for each alpha")
    n_models = max(len(multiples), 2)  # a single model is fitted twice: several outputs are at least two
    strength, shares = np.full(n_models, multiples[-1]), np.ones(n_models)
    strength[: len(multiples)] = multiples
    if rates is not None:
        shares[: len(rates)] = np.array(rates) / max(rates)
    return single.side_by_side(strength, shares)
