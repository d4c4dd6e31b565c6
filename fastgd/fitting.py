"""`fit`: train a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from . import interruption
from .data.encoding.columns import Columns
from .data.feature_matrix import encoded
from .data.loss_choice import ChosenLoss, choose_loss
from .data.table import Table
from .data.training_data import RowOptions, check_training_data
from .errors import DataError, Interrupted, OptionError
from .model.result import Result
from .objective.objective import Objective
from .objective.passes import PassCounter
from .solvers.options import Method, OnDivergence, Options, Shuffle, TraceRows
from .terms.losses import LOSSES, check_own_loss, loss_traits
from .terms.penalties import resolve_penalty
from .training.callbacks import State
from .training.run import Run
from .training.run_result import result_of, settings_of

CHECKED_TARGETS = 5  # on which a user's loss is checked


def fit(
    X: Any,
    y: Any = None,
    *,
    loss: Any = "auto",
    method: Method = "auto",
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
    gap_tol: float | None = None,
    patience: int = 5,
    clip_norm: float | None = None,
    average: bool | int = False,
    shards: int | None = None,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    offset: Any = None,
    penalty_weights: Any = None,
    shuffle: Shuffle = True,
    start: Any = None,
    validation: Any = None,
    columns: Columns | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    on_divergence: OnDivergence = "auto",
    trace: TraceRows = "epoch",
    callbacks: Sequence[Callable[[State], Any]] = (),
) -> Result:
    """Fit a linear model: minimise the mean loss plus a penalty by gradient descent.

        F(w, b) = sum_i s_i loss(y_i, x_i . w + b) / sum_i s_i  +  alpha (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|_2^2)

    The weights s_i are 1 unless given; the intercept b is never penalised. Every method minimises exactly this F; with
    several outputs F is the sum over them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32 or float64 (others are converted); a SciPy sparse
        matrix; a pandas, polars or Arrow table, whose words become features, see ``columns``; or a `Table` from
        `fastgd.open`. Never changed.
    y : array of shape (n_samples,): numbers, or for a classification labels of any kind; of two labels the larger is
        the positive one. More than two classes are separated by softmax, or one against the rest. With the shape
        (n_samples, n_outputs): several targets, each of numbers or of two labels. Not needed where X is a `Table`,
        which has its own target.
    loss : "auto", a name, a name with settings ("huber:delta=2") or a term. "auto" takes logistic where the target is
        words, booleans, or numbers of exactly the values 0 and 1 (softmax for more than two words), and squared for all
        other numbers; the first remark of the result says which. For numbers: squared, half_squared, huber,
        absolute, quantile, epsilon_insensitive, squared_epsilon_insensitive, phase_retrieval; for counts and
        amounts, with a log link: poisson, gamma, tweedie; for labels: logistic, hinge, squared_hinge,
        modified_huber, perceptron, softmax.
    method : "gd" (one step per epoch), "sgd" (one step per row), "minibatch" (one step per batch), "svrg" or "saga"
        (one step per row, whose variance goes to zero; every other epoch of svrg is a pass for the full gradient),
        "newton" (one step per epoch, by the Hessian of a sample of the rows), "lbfgs" (one step per epoch, by the
        memory of the last steps), "working_set" (proximal Newton on the columns that the model uses), or "auto". That
        is newton where all Hessians together have at most 2 million values, else lbfgs; working_set for wide data with
        l1 or elasticnet, and for mcp, scad and groups; saga or svrg for other wide penalties; minibatch (gd below 256
        rows) where an option such as ``rule`` or ``learning_rate`` asks for steps along the gradient, and for what the
        others cannot do: phase_retrieval, other losses with kinks (with the schedule adaptive).
    penalty : None (l2 where alpha > 0), "none", "l2", "l1", "elasticnet", "mcp", "scad", "box", "nonnegative", a name
        with settings ("box:lower=0,upper=1"), or a term with its own strength such as `penalties.GroupLasso`.
    alpha : strength of the penalty, 0 or more.
    l1_ratio : share of L1 in elasticnet, from 0 to 1; 0.15 unless given.
    rule : update rule: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, amsgrad, nadam, adadelta, lion, asgd,
        schedule_free, or a term.
    learning_rate : step size, or "auto": from the row norms and the curvature of the loss (see `learning_rates`). For
        newton and lbfgs the part of a full step that is tried first; "auto" is 1.
    schedule : constant, invscaling, step, exponential, cosine, onecycle, adaptive, optimal, pegasos, or a term. The
        last two set the rate themselves, from alpha.
    batch_size : rows per step of minibatch, or "auto": 32, at most a third of all rows, and more on sparse rows.
    scale : take steps in scaled (and with an intercept centred) columns, without changing F or the units of
        the result; "auto" does so for an automatic learning rate where the scales of the columns differ much. On sparse
        rows svrg and saga centre, in a copy of X, only columns whose mean is larger than their spread.
    max_epochs : maximum number of passes over the rows, including those that choose an automatic learning rate; at
        least one epoch is run.
    max_seconds : maximum training time in seconds, without compilation.
    tol : relative tolerance for convergence; 0 runs all epochs. None means 1e-4 for an automatic learning rate without
        ``gap_tol`` (1e-6 for newton, whose last step gains several digits), else 0. A fit has converged when what is
        left to gain, F - F*, is at most ``tol`` times F(constant) - F*, where the constant model has zero coefficients
        and the best intercept. F - F* is bounded by a duality gap where that takes no pass, else estimated by a
        quadratic model of F, with about one pass. sgd and minibatch are tested when the running loss has not improved
        by ``tol`` of the best for ``patience`` epochs; if there is more to gain, an automatic rate is lowered, and a
        given one ends training as "stalled". An F that is not convex has converged at a stationary point. With
        ``validation``, sgd and minibatch use the validation loss instead.
    gap_tol : stop when F is proved to be within this of the optimum, see `Result.gap_bound`. A proof takes no pass
        where the gradients of the method are enough, else one to four, which count as training.
    patience : epochs without such an improvement before stopping; see ``tol`` and ``validation``.
    clip_norm : maximum norm of a gradient (of the mean loss of a batch, over all parameters); longer ones are scaled
        down.
    average : True for the mean of the parameters after every step of sgd or minibatch in place of the last ones
        (Polyak and Ruppert); a number k begins the mean with step k, as in scikit-learn. Steps, and the running loss,
        use the parameters themselves. On sparse rows sgd updates the mean at the cost of the non-zeros; with l1,
        penalty_weights or another rule a step costs n_features. After divergence the mean begins again.
    shards : number of parts that sgd splits each round of rows into. The parts are stepped through at the same time, on
        as many threads, each from the parameters that the round began with; then the parameters become the mean of the
        parts', weighted by their rows (Zinkevich et al., 2010; Stich, Local SGD, 2019). The bits depend on ``shards``
        but not on ``n_threads``; 1 is plain sgd. A round moves the parameters as far as one part does, with the noise
        of P parts averaged: P shards make an epoch up to P times as fast and less noisy, but need more epochs, or a
        larger rate, where noise is not the problem. ``schedule`` and ``average`` count the steps of one part. A rule
        with memory, such as momentum, has one for each part. With method "auto", shards mean sgd.
    fit_intercept : whether the model has an intercept.
    sample_weight : array of shape (n_samples,), 0 or more: a row of weight 2 counts as two rows, a row of weight 0
        is left out. By default the weights of a `Table` that was opened with some.
    class_weight : "balanced", for n_samples / (n_classes * rows of the class), or a weight for each label.
    offset : array of shape (n_samples,), added to each x_i . w + b, such as the logarithm of an exposure.
    penalty_weights : array of shape (n_features,), 0 or more, multiplies the penalty of each coefficient.
    shuffle : True (random blocks of rows, shuffled within a few of them), "full" (a random permutation,
        several times slower on large data) or False (in order).
    start : parameters to start from: a number or array of coefficients, (coefficients, intercept), or a
        `Result` or `SearchResult`. Unless given, the best constant model: zero coefficients and the best intercept.
        Random for a loss whose gradient is zero at zero.
    validation : rows to validate on, which no step, rate or scale uses: a fraction of the rows, held out at random and,
        for labels, by class (training uses a copy of the others); or a set (X, y), (X, y, sample_weight), (X, y,
        sample_weight, offset) or a `Table`. Their mean loss, without the penalty, is evaluated after each epoch, which
        costs no passes. Training stops after ``patience`` epochs that do not improve the best by ``tol`` of it (at
        all, where tol is 0). The model is always the one with the lowest validation loss.
    columns : how the columns of a data frame become features: words and missing values, see `Columns`. A `Table` has
        been encoded when it was opened.
    seed : of the shuffling and of the rows held out; equal seeds give equal bits, whatever ``n_threads`` is.
    n_threads : maximum number of threads; all unless given.
    on_divergence : "raise"; "shrink", to go back to before the divergence and continue with a smaller learning rate;
        or "auto": shrink an automatic rate, raise at a given one.
    trace : "epoch", or "step" to record every update in ``Result.steps`` as well; the model is the same.
    callbacks : functions called with a `State` after each epoch; one that returns True ends training. An exception
        they raise ends training too, and is passed on.

    Returns
    -------
    Result

    Raises
    ------
    DataError, OptionError
        For data or options that cannot be used; each says what to do.
    DivergedError
        Where the loss grew beyond 10 times its value at the start and at the best constant model. It has the epoch, the
        largest stable rate, the columns that cause it and a rate to try, as text and as attributes.
    Interrupted
        On Ctrl-C; a KeyboardInterrupt with the ``result`` so far.

    Examples
    --------
    >>> import fastgd
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], fit_intercept=False, tol=1e-12)
    >>> round(float(result.coef[0]), 6)
    2.0

    A callback that ends training when the model is good enough:

    >>> def good_enough(state):
    ...     return state.objective < 0.5
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", callbacks=[good_enough])
    >>> result.stop_reason
    'callback'
    """
    chosen = choose_loss(loss, X, y, sample_weight)
    loss_term = chosen.term
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    options = Options(
        method, rule, learning_rate, schedule, batch_size, scale, max_epochs, max_seconds, tol, gap_tol, patience,
        clip_norm, shuffle, seed, n_threads, trace, callbacks, average, on_divergence, shards,
    ).bound_to(loss_term, penalty_term, alpha)  # fmt: skip
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights, validation, options.seed, columns)
    return train(X, chosen, penalty_term, options, rows, fit_intercept, start)


def train(
    X: Any, chosen: ChosenLoss, penalty: Any, options: Options, rows: RowOptions, fit_intercept: bool, start: Any
) -> Result:
    """Train on checked options; raises as `fit` does."""
    posed = pose(X, chosen.y, chosen.term, penalty, fit_intercept, rows)
    with interruption.deferred():
        run = Run(posed.objective, options, start, validation=posed.validation)
        run.remarks[:0] = chosen.remarks
        settings = settings_of(run, penalty, chosen.reason)
        result = result_of(run, **posed.described, loss=chosen.term, settings=settings)
        if run.divergence is not None:
            raise run.divergence.error(result)
        if result.stop_reason == "interrupted" or interruption.pending():
            raise Interrupted(result)
    return result


class Posed(NamedTuple):
    """F on the training rows and on the validation rows; ``described`` has fields of `Result`.

    These are ``classes``, ``target_name``, ``offset_name`` and ``encoder``.
    """

    objective: Objective
    validation: Objective | None
    described: dict[str, Any]


def pose(X: Any, y: Any, loss: Any, penalty: Any, fit_intercept: bool, rows: RowOptions) -> Posed:
    """Check the data and pose F on them.

    Raises
    ------
    DataError, OptionError
        See `check_training_data`.
    """
    target_name = encoder = None
    X = encoded(X, rows.columns)
    if isinstance(X, Table):
        encoder, rows = X.encoder, rows.completed_by(X).encoded_by(X.encoder)
        if y is None:
            y, target_name = X.target_for(loss_traits(loss).classifies), X.target_name
    if y is None:
        raise DataError("y is missing: give fit(X, y) the target, or a table opened with one")
    if fit_intercept not in (True, False):
        raise OptionError(f"fit_intercept is True or False, not {fit_intercept!r}")
    data = check_training_data(X, y, loss, penalty, rows, fit_intercept)
    objective = Objective(
        data.rows, loss, penalty, bool(fit_intercept), data.n_outputs, penalty_weights=data.penalty_weights
    )
    validation = None
    if data.validation is not None:
        validation = objective.on(data.validation, PassCounter(data.validation.n_samples))
    if LOSSES.name_of(loss) not in LOSSES:
        check_own_loss(loss, objective.output_target(0)[:CHECKED_TARGETS].tolist())
    offset_name = X.offset_name if isinstance(X, Table) and rows.offset is X.offset else None
    described = {"classes": data.classes, "target_name": target_name, "offset_name": offset_name, "encoder": encoder}
    return Posed(objective, validation, described)
