"""`fit`: the front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .data.table import Table
from .data.training_data import RowOptions, check_training_data
from .errors import DataError, Interrupted, OptionError
from .model.result import Result
from .objective.objective import Objective
from .objective.passes import PassCounter
from .solvers.options import Options
from .terms.losses import LOSSES, check_own_loss
from .terms.penalties import resolve_penalty
from .training.callbacks import State
from .training.run import Run
from .training.run_result import result_of, settings_of

OWN_LOSS_TRIED_ON = 5  # targets


def fit(
    X: Any, y: Any = None, *, loss: Any = "squared", method: str = "auto", penalty: Any = None, alpha: float = 0.0,
    l1_ratio: float | None = None, rule: Any = "sgd", learning_rate: float | Literal["auto"] = "auto",
    schedule: Any = "constant", batch_size: int | Literal["auto"] = "auto", scale: bool | Literal["auto"] = "auto",
    max_epochs: int = 100, max_seconds: float | None = None, tol: float | None = None, gap_tol: float | None = None,
    patience: int = 5, clip_norm: float | None = None, average: bool | int = False, shards: int | None = None,
    fit_intercept: bool = True, sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None, offset: Any = None,
    penalty_weights: Any = None, shuffle: bool | str = True, start: Any = None, validation: Any = None, seed: int = 0,
    n_threads: int | None = None, on_divergence: Literal["auto", "shrink", "raise"] = "auto",
    trace: Literal["epoch", "step"] = "epoch", callbacks: Sequence[Callable[[State], Any]] = (),
) -> Result:  # fmt: skip
    """Minimise the mean loss plus a penalty over the weights of a linear model, by gradient descent.

        F(w, b) = sum_i s_i loss(y_i, x_i . w + b) / sum_i s_i  +  alpha (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|_2^2)

    The weights s_i are 1 unless given; the intercept b is never penalised. Every method minimises exactly this F;
    with several outputs it is the sum over them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64 (others are converted); a SciPy sparse
        matrix; a pandas, polars or Arrow table; or a `Table` from `fastgd.open`. Never changed.
    y : array of shape (n_samples,): numbers, or for a classification labels of any kind, of two the larger
        being the positive one. More than two are told apart by softmax, or each from the rest. With the shape
        (n_samples, n_outputs): several targets, each of numbers or of two labels. Left out when X is a `Table`,
        which has its own.
    loss : a name, a name with settings ("huber:delta=2") or a term. For numbers: squared, half_squared, huber,
        absolute, quantile, epsilon_insensitive, squared_epsilon_insensitive, phase_retrieval; for counts and
        amounts, on a log scale: poisson, gamma, tweedie; for labels: logistic, hinge, squared_hinge,
        modified_huber, perceptron, softmax.
    method : "gd" (a step an epoch), "sgd" (a step a row), "minibatch" (a step a batch), "svrg" or "saga" (a step a
        row, whose noise vanishes; every other epoch of svrg is a pass for the whole gradient), "newton" (a step an
        epoch, by the Hessian of sampled rows), "lbfgs" (a step an epoch, by the last few of them), or "auto". That
        takes newton where all Hessians together have at most 2 million values, else lbfgs, or for a penalty with kinks
        saga (on sparse rows svrg, and gd for elasticnet); minibatch (gd for less than 256 rows) where an option asks
        for steps along the gradient, as a rule or a learning rate does, and for what those cannot do: phase_retrieval,
        losses with kinks (then with the schedule adaptive), mcp, scad, groups.
    penalty : None (l2 where alpha > 0), "none", "l2", "l1", "elasticnet", "mcp", "scad", "box", "nonnegative", a name
        with settings ("box:lower=0,upper=1"), or a term with its own strength, as `penalties.GroupLasso`.
    alpha : strength of the penalty, 0 or more.
    l1_ratio : share of L1 in elasticnet, from 0 to 1; 0.15 unless given.
    rule : sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, amsgrad, nadam, adadelta, lion, asgd,
        schedule_free, or a term.
    learning_rate : step size, or "auto": from the row norms and the curvature of the loss (see `steps`). For newton
        and lbfgs the part of a whole step that is tried first, "auto" being 1.
    schedule : constant, invscaling, step, exponential, cosine, onecycle, adaptive, optimal, pegasos, or a term. The
        last two set the rate themselves, from alpha.
    batch_size : rows a step of minibatch, or "auto": 32, or a third of all where that is less, and more on sparse rows.
    scale : take steps in scaled (and with an intercept centred) columns, without changing F or the units of
        anything returned; "auto" does so for an automatic learning rate when columns differ much. Of sparse rows
        svrg and saga centre, in a copy of X, only the columns whose means are larger than their spreads.
    max_epochs : most passes over the rows, those that find an automatic learning rate included; at least one
        epoch is run.
    max_seconds : most seconds of training, compilation not counted.
    tol : stop when converged to this relative tolerance; 0 runs all epochs. None means 1e-4 for an automatic
        learning rate without ``gap_tol``, else 0. For sgd and minibatch an improvement of the running loss, relative to
        the best, that is not reached for ``patience`` epochs; for all others the norm of the proximal-gradient mapping,
        relative to its value at zero weights (newton, begun there: to that on its sample; newton and lbfgs, gone to the
        best constant from there: to that at it). With ``validation`` they go by the validation loss instead.
    gap_tol : stop when F is proved to be within this of the optimum, as `Result.gap_bound` is; a look takes no pass
        where the method's own gradients will do, else one to four, which count. An `OptionError` says so where no
        bound is known.
    patience : epochs without such an improvement before stopping; see ``tol`` and ``validation``.
    clip_norm : the longest a gradient may be, that of a batch's mean loss over all weights; longer ones are shortened.
    average : True for the mean of the weights after every step of sgd or minibatch in place of the last ones
        (Polyak and Ruppert); a number to begin with the step of that number, as in scikit-learn: 10 leaves the first
        nine out. Steps, and the running loss, are those of the weights themselves. On sparse rows sgd keeps the mean
        up at the cost of their non-zeros, but with l1, penalty_weights or another rule a step costs n_features.
        Training that diverges and goes back begins a new mean.
    shards : how many parts sgd cuts each round of rows into: a twentieth of an epoch, more where that is little work,
        up to a whole one. The parts are stepped through side by side, on as many threads, each from the weights that
        the round began with; then the weights become the mean of the parts', weighted by their rows (Zinkevich et al.,
        2010; Stich, Local SGD, 2019). Bits depend on ``shards`` but not on ``n_threads``; 1 is sgd as it is. A round
        takes the weights as far as one part does, with the noise of P parts averaged out: P shards make an epoch up
        to P times as fast and leave less noise, but need more epochs, or a larger rate, where noise is not the
        trouble. ``schedule`` and ``average`` count the steps of a part; the mean is over those of all parts. A rule
        that remembers, such as momentum, does so for each part. With method "auto" it is sgd that is taken.
    fit_intercept : whether the model has an intercept.
    sample_weight : array of shape (n_samples,), 0 or more: a row of weight 2 counts as two rows, one of weight 0
        is left out. By default the weights of a `Table`, if it was opened with some.
    class_weight : "balanced", for n_samples / (n_classes * rows of the class), or a weight for each label.
    offset : array of shape (n_samples,), added to each x_i . w + b, such as the logarithm of an exposure.
    penalty_weights : array of shape (n_features,), 0 or more: how many times the penalty of each coefficient counts.
    shuffle : True (random blocks of rows, shuffled within a few of them), "full" (a random permutation,
        several times slower on large data) or False (in order).
    start : weights to start from: a number or array of coefficients, (coefficients, intercept), or a
        `Result` or `SearchResult`. Zero unless given, from where newton and lbfgs first go to the best constant if that
        is far off; random for a loss whose gradient is zero there.
    validation : rows to validate on, which no step, rate or scale sees: a fraction of the rows, held out at random and
        for labels by class (training takes a copy of the others); or a set (X, y), (X, y, sample_weight), (X, y,
        sample_weight, offset) or a `Table`. After each epoch the mean loss on them, without the penalty, is taken;
        that costs no passes. ``patience`` epochs that do not improve the best by ``tol`` of it (at all, where
        tol is 0) end the fit. However it ends, the model is the one whose validation loss was lowest.
    seed : of the shuffling and of the rows held out; equal seeds give equal bits, whatever ``n_threads`` is.
    n_threads : most threads to use; all unless given.
    on_divergence : "raise"; "shrink", to go back to where training had not diverged and on at a smaller learning rate;
        or "auto", which shrinks an automatic rate and raises at yours.
    trace : "epoch", or "step" to record every single update in ``Result.steps`` as well.
    callbacks : a list of functions called with a `State` after each epoch; one that returns True ends the fit. What
        they raise ends it as well, and comes out of it as it is.

    Returns
    -------
    Result

    Raises
    ------
    DataError, OptionError
        When the data or an option cannot be used; each says what to do.
    DivergedError
        When the loss grew beyond 10 times its value at the start and that of the best constant model: it names the
        epoch, the largest stable rate, the columns that are to blame and a rate to try, all attributes as well.
    Interrupted
        On Ctrl-C; a KeyboardInterrupt with the ``result`` so far.

    Examples
    --------
    >>> import fastgd
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], fit_intercept=False, tol=1e-12)
    >>> round(float(result.coef[0]), 6)
    2.0

    A callback that ends the fit when the model is good enough:

    >>> def good_enough(state):
    ...     return state.objective < 0.01
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", callbacks=[good_enough])
    >>> result.stop_reason
    'callback'
    """
    loss_term = LOSSES.resolve(loss)
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    options = Options(
        method, rule, learning_rate, schedule, batch_size, scale, max_epochs, max_seconds, tol, gap_tol, patience,
        clip_norm, shuffle, seed, n_threads, trace, callbacks, average, on_divergence, shards,
    ).bound_to(loss_term, penalty_term, alpha)  # fmt: skip
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights, validation, options.seed)
    posed = pose(X, y, loss_term, penalty_term, fit_intercept, rows)
    run = Run(posed.objective, options, start, validation=posed.validation)
    result = result_of(run, **posed.described, loss=loss_term, settings=settings_of(run, penalty_term))
    if run.divergence is not None:
        raise run.divergence.error(result)
    if result.stop_reason == "interrupted":
        raise Interrupted(result)
    return result


class Posed(NamedTuple):
    """F on the training rows and on the validation rows, and what a `Result` says of the columns.

    ``described`` has ``classes``, ``target_name`` and ``offset_name``.
    """

    objective: Objective
    validation: Objective | None
    described: dict[str, Any]


def pose(X: Any, y: Any, loss: Any, penalty: Any, fit_intercept: bool, rows: RowOptions) -> Posed:
    """F for checked data.

    Raises
    ------
    DataError, OptionError
        See `check_training_data`.
    """
    target_name = None
    if isinstance(X, Table):
        rows = rows.completed_by(X)
        if y is None:
            y, target_name = X.y, X.target_name
    if y is None:
        raise DataError("y is missing: give fit(X, y) the target, or a table opened with one")
    if fit_intercept not in (True, False):
        raise OptionError(f"fit_intercept is True or False, not {fit_intercept!r}")
    data = check_training_data(X, y, loss, penalty, rows)
    objective = Objective(
        data.rows, loss, penalty, bool(fit_intercept), data.n_outputs, penalty_weights=data.penalty_weights
    )
    held_out = data.validation
    validation = None if held_out is None else objective.on(held_out, PassCounter(held_out.n_samples))
    if LOSSES.name_of(loss) not in LOSSES:
        check_own_loss(loss, objective.output_target(0)[:OWN_LOSS_TRIED_ON].tolist())
    offset_name = X.offset_name if isinstance(X, Table) and rows.offset is X.offset else None
    described = {"classes": data.classes, "target_name": target_name, "offset_name": offset_name}
    return Posed(objective, validation, described)
