"""Learning rates from the data: the preconditioner steps are taken in, smoothness constants, stable rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..data.feature_matrix import as_scipy, count_values, from_scipy, shape_of
from ..errors import DataError
from ..kernels.batch_gradient import row_norms
from ..kernels.column_moments import moments_of_columns
from ..kernels.row_access import CSR
from ..kernels.row_targets import Targets
from ..kernels.update_step import Preconditioner
from ..objective.gram import centred_blocks, gram
from ..objective.problem import THREADED_FROM, Problem, chunk_count
from ..terms.losses import LOSSES, HalfSquared, is_squared
from ..terms.rate_schedules import Constant
from ..terms.update_rules import SGD
from .options import QUASI_NEWTON, VARIANCE_REDUCED, Options
from .rate_search import searched_rates

# Column scales need not be exact; the rates that follow from them are safe on all rows.
SAMPLE_ROWS, FEWEST_SAMPLE_ROWS, FEW_ROWS = 16_384, 4_096, 1_024
# A Hessian that is the same at all weights is made once, and its rows are looked at twice besides: more of them pay.
SAMPLE_ROWS_FOR_SQUARED = 18_432
# A sample that has fewer values of a sparse column says too little of its spread: from one that is near zero by chance
# it would be a thousandth of what it is, and in variables scaled by it L is a million times as large.
FEWEST_VALUES = 10
# X'X of a sample takes at most so many products for each value of X, or about as long as a pass or two over X. Those of
# sparse values take longer.
PRODUCTS_A_VALUE, PRODUCTS_A_SPARSE_VALUE = 28, 4
# Those of a sample in place of one that has failed, at most so many times as many.
MOST_GROWN = 3
# With so many rows for each parameter, steps by their Hessian miss Newton's by about a third of their length.
ROWS_A_PARAMETER = 10
# Columns whose spreads differ by less than this, and whose means are no further off, are left as they are.
SCALE_TOLERANCE = 4.0
# Sparse columns whose means are further off than so many spreads are centred for svrg and saga. Such a column is stored
# in most rows, so its weight is touched in most steps anyway. In trials with l1 on 5 and 40 normal columns around 1, 2
# and 4 spreads, logistic loss took 1.2 to 1.9, 1.7 to 6.6 and 3.9 to over 12 times as many passes without.
FAR = 1.0
# For serial SGD on sparse rows: more columns than so many times a row's values, and differences up to this.
VERY_SPARSE, SPARSE_TOLERANCE = 16, 100.0
GRAM_COLUMNS = 128  # up to here the matrix X'X itself is quick to make
# A rate is stable while the eigenvalue is not put below half of what it is. One that is twice all others has
# by then grown a million times as large as they, and so beyond them from any start.
POWER_ITERATIONS = 12
# Power iterations approach the largest eigenvalue from below, and so does a sample of the rows.
INFLATION = 1.1


def choose_preconditioner(problem: Problem, options: Options) -> Preconditioner:
    """The variables to step in: scaled and, with an intercept, centred columns where units differ much.

    In u_j = w_j sqrt(spread_j^2 + l2_j / c), with c the largest curvature of the loss (1 where there is none) and l2_j
    that of the penalty of w_j, the second derivative of F in each variable is about c or less: of a column so small
    that its penalty says more than its values, too.

    With ``scale="auto"`` only for an automatic learning rate. For serial SGD on sparse rows, whose steps cost their
    non-zeros while those in other variables touch every weight, only where rows are not very sparse and columns differ
    greatly.

    svrg and saga scale sparse columns by their largest values: the spread of a column that few rows have would make
    those rows, and with them L_max, huge. They centre those alone that are far from zero, see `centred`.
    """
    identity = Preconditioner.identity(problem.n_features)
    automatic = options.scale == "auto"
    if options.scale is False or (automatic and options.learning_rate != "auto" and options.method not in QUASI_NEWTON):
        return identity
    sparse_steps = options.method == "sgd" and problem.sparse and automatic
    if sparse_steps and problem.n_features > VERY_SPARSE * problem.n_values / problem.n_samples:
        return identity
    tolerance = SPARSE_TOLERANCE if sparse_steps else SCALE_TOLERANCE
    lazy = options.method in VARIANCE_REDUCED and problem.sparse
    if lazy:
        shift = _far_means(problem) if problem.fit_intercept else identity.shift
        spread, far = _largest_values(problem, shift), bool(shift.any())
    else:
        mean, spread = column_moments(problem, problem.fit_intercept, method=options.method)
        shift = mean if problem.fit_intercept else identity.shift
        far = bool((np.abs(shift[spread > 0]) > tolerance * spread[spread > 0]).any())
    size = np.sqrt(spread**2 + penalty_curvature(problem).max(axis=0) / _curvature(problem))
    varying = size[spread > 0]
    if not len(varying):
        return identity
    if problem.fit_intercept:
        varying = np.append(varying, 1.0)  # the intercept is a column of ones
    alike = automatic and varying.max() / varying.min() <= tolerance
    if alike and lazy:
        return Preconditioner(shift, identity.scale)  # where no column is scaled, all weights decay at one speed
    if alike and not far:
        return identity
    # Powers of two, so that going from one to the other variables and back is exact.
    scale = np.exp2(-np.round(np.log2(np.where(size > 0, size, 1.0))))
    return Preconditioner(shift, scale)


def _curvature(problem: Problem) -> float:
    return float(getattr(problem.loss, "curvature", lambda: 1.0)())


def penalty_curvature(problem: Problem) -> np.ndarray:
    """Second derivative of the smooth part of the penalty in each weight, shape (n_outputs, n_features)."""
    factors = problem.penalty_weights if len(problem.penalty_weights) else np.ones(problem.n_features)
    return float(problem.penalty.derivative(1.0)) * np.outer(problem.strength, factors)


def sample_size(problem: Problem, method: str, grown: int = 1) -> int:
    """How many rows are enough for statistics of the columns, and for newton for a Hessian.

    Where they were not enough: so many times ``grown``, as far as such a Hessian is not too dear.
    """
    n_values, n_samples = problem.n_values, problem.n_samples
    if problem.sparse:
        affordable = PRODUCTS_A_SPARSE_VALUE * n_samples**2 // max(n_values, 1)  # a row has n_values / n_samples
    else:
        affordable = PRODUCTS_A_VALUE * n_values // problem.n_parameters**2
    once = method == "newton" and is_squared(problem.loss)
    rows = grown * (SAMPLE_ROWS_FOR_SQUARED if once else SAMPLE_ROWS)
    enough = max(min(affordable * min(grown, MOST_GROWN), rows), FEWEST_SAMPLE_ROWS)
    return max(enough, ROWS_A_PARAMETER * problem.n_parameters) if method == "newton" else enough


def _sample(problem: Problem, size: int) -> tuple[np.ndarray | CSR, np.ndarray]:
    """Random rows of X and their weights, the same every time; all of them where they are few."""
    rows, X = problem.draw(size, 0)
    weight = problem.targets.weight
    return X, weight[rows] if len(weight) else np.ones(len(rows))


def _far_means(problem: Problem) -> np.ndarray:
    """The means of the sparse columns that are `FAR` from zero for their spread; 0 of all others."""
    mean, spread = column_moments(problem, centred=True, absent=False)
    return np.where((spread > 0) & (np.abs(mean) > FAR * spread), mean, 0.0)


def _largest_values(problem: Problem, shift: np.ndarray) -> np.ndarray:
    """The largest |x_ij - shift_j| of each sparse column."""
    X = problem.X
    assert isinstance(X, CSR)
    largest = np.zeros(problem.n_features)
    if not shift.any():
        np.maximum.at(largest, X.indices, np.abs(X.data))
        return largest
    np.maximum.at(largest, X.indices, np.abs(X.data - shift[X.indices]))
    absent = np.bincount(X.indices, minlength=problem.n_features) < problem.n_samples
    return np.where(absent, np.maximum(largest, np.abs(shift)), largest)


def column_moments(
    problem: Problem, centred: bool, absent: bool = True, method: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column over a sample: the standard deviation if ``centred``, else root mean square.

    Columns that are constant in the sample, as one with few non-zeros may be, are looked at in all rows; unless
    ``absent``, not those of zeros. Of sparse ones that the sample has next to no values of, the spread about zero in
    all rows will do.
    """
    sample, weight = _sample(problem, sample_size(problem, method))
    parts = [(sample, weight)]
    if not isinstance(sample, CSR) and (step := len(sample) // FEW_ROWS) > 1:
        parts.insert(0, (sample[::step], weight[::step]))  # will do for most columns
    if shape_of(sample)[0] < problem.n_samples:
        parts.append((problem.X, problem.targets.weight))
    still = np.arange(problem.n_features)
    mean, variance = np.zeros(problem.n_features), np.zeros(problem.n_features)
    for X, weight in parts:
        some = X if len(still) == problem.n_features else _columns(X, still)
        weight = weight if len(weight) else np.ones(problem.n_samples)
        mean[still], variance[still] = _moments(some, weight / weight.sum())
        still = np.flatnonzero((variance == 0) & ((absent and not problem.sparse) | (mean != 0)))
        if not len(still):
            break
    if isinstance(sample, CSR) and absent and len(parts) > 1:
        stored = np.bincount(sample.indices, minlength=problem.n_features)
        if len(rare := np.flatnonzero(stored < FEWEST_VALUES)):
            variance[rare] = problem.mean_squares[rare]
    return mean, np.sqrt(variance if centred else variance + mean**2)


def _columns(X: np.ndarray | CSR, chosen: np.ndarray) -> np.ndarray | CSR:
    """Some columns of all rows."""
    if not isinstance(X, CSR):
        return X[:, chosen]
    return from_scipy(as_scipy(X)[:, chosen], X)


def _moments(X: np.ndarray | CSR, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column, the rows weighted by their share; about the mean, which may be far off."""
    if isinstance(X, CSR):
        present, mean, variance = np.empty((3, X.n_features))
        moments_of_columns(X, share, present, mean, variance)
    else:
        mean = share @ X
        variance = np.zeros_like(mean)
        first = 0
        for block in centred_blocks(X, mean):
            block *= block
            variance += share[first : first + len(block)] @ block
            first += len(block)
    # A column that is constant up to rounding has no spread.
    return mean, np.where(variance <= 1e-24 * (variance + mean**2), 0.0, variance)


class Smoothness(NamedTuple):
    """How smooth the loss is in expectation over a step's batch.

    ``constants`` is L_B for each output, penalty included; ``symbol`` and ``source`` say what it is in words, and
    ``passes`` over X is what it took.
    """

    constants: np.ndarray
    symbol: str
    source: str
    passes: float


class Rates(NamedTuple):
    """A learning rate for each output, the passes over X that they took to find, and in words why these."""

    values: np.ndarray
    passes: float
    reason: str


def stable_rates(problem: Problem, options: Options, preconditioner: Preconditioner, batch_size: int) -> Rates:
    """Rates that are stable for steps on ``batch_size`` rows, for each output.

    For adaptive rules it is their own default. For losses without a largest curvature it is found by trial, see
    `rate_search`, but for the first rate of gd where it `follows_curvature`: what suits a curvature of 1. For all
    others 1 / L for all rows at once, and (1 - beta) / (2 L_B) for batches, with the L and L_B of `smoothness` and the
    beta of momentum, whose steps are in the end 1 / (1 - beta) times as long.

    Raises
    ------
    DataError
        When the squares of X are not finite.
    """
    default = getattr(options.rule, "default_rate", None)
    if default is not None:
        return Rates(np.full(problem.n_outputs, float(default)), 0.0, "the default of the rule")
    if getattr(problem.loss, "curvature", None) is None:
        norms = squared_norms(problem, problem.X, preconditioner, problem.targets.weight)
        if follows_curvature(problem, options):
            first = np.array([1.0 / max(float(norms.mean()), np.finfo(np.float64).tiny)])
            return Rates(first, 1.0, "at first; then anew at each step, from the curvature that steps have met")
        values, passes, reason = searched_rates(problem, options, preconditioner, batch_size, norms)
        return Rates(values, passes + 1.0, reason)
    constants, symbol, source, passes = smoothness(problem, preconditioner, batch_size)
    whole = batch_size >= problem.n_samples > 1
    damping = 1.0 if whole else _damping(options)
    factor = 1.0 if whole else 2.0
    safe = damping / factor
    # Where X is all zeros and there is no intercept, every rate does the same: nothing.
    values = safe / np.where(constants > 0, constants, safe)
    divisor = symbol if whole else f"({factor:g} {symbol})"
    return Rates(values, passes, f"{damping:.3g} / {divisor}, {symbol} = {constants.min():.4g} from {source}")


def follows_curvature(problem: Problem, options: Options) -> bool:
    """Whether the rate of gd is settled anew at every step, see `methods.local_rate`.

    So it is for plain steps at an automatic rate, for a smooth loss without a largest curvature.
    """
    loss = problem.loss
    smooth = not hasattr(loss, "curvature") and not getattr(loss, "kinked", False) and LOSSES.name_of(loss) in LOSSES
    plain = isinstance(options.rule, SGD) and isinstance(options.schedule, Constant) and not problem.several
    return options.method == "gd" and options.learning_rate == "auto" and plain and smooth


def stable_limit(options: Options, whole: bool) -> float:
    """The number c for which rates up to c / L_B are stable: for the whole gradient of a quadratic, those just are.

    For batches the steps of momentum add up, noise included.
    """
    if whole:
        return float(getattr(options.rule, "stable_limit", lambda: 2.0)())
    if options.method in VARIANCE_REDUCED:
        return 0.5
    return 2.0 * _damping(options)


def _damping(options: Options) -> float:
    return float(getattr(options.rule, "damping", lambda: 1.0)())


def smoothness(problem: Problem, preconditioner: Preconditioner, batch_size: int) -> Smoothness:
    """The smoothness constant of the loss, on average over batches of B of the n rows, drawn without replacement.

        L_B = (n - B) / (B (n - 1)) L_max + n (B - 1) / (B (n - 1)) L,

    L_max = c max s_i |x_i|^2 and L = c lambda_max(X'SX / n), c the largest curvature of the loss, s_i the
    weights, x_i in the variables of ``preconditioner``; plus the curvature of the penalty's smooth part. Source: Gower, Loizou,
    Qian, Sailanbayev, Shulgin and Richtarik, SGD: general analysis and improved rates (2019), proposition 3.8; by their
    theorem 3.1 steps of 1 / (2 L_B) converge. For all rows at once, 1 / L does: Nesterov, Introductory lectures on
    convex optimization (2004), theorem 2.1.14.
    """
    n = problem.n_samples
    norms = squared_norms(problem, problem.X, preconditioner, problem.targets.weight)
    curvature, passes = float(problem.loss.curvature()), 1.0
    largest = curvature * float(norms.max())
    if batch_size == 1 or n == 1:
        constant, symbol, source = largest, "L_max", "the longest row"
    else:
        eigenvalue, more = _largest_eigenvalue(problem, preconditioner, norms)
        passes += more
        constant, symbol, source = curvature * eigenvalue, "L", "the largest eigenvalue of X'X / n"
        if batch_size < n:
            constant = _mean_constant(n, batch_size, largest, constant)
            symbol, source = "L_B", "the longest row and the largest eigenvalue"
    constants = constant + _smooth_penalty(problem, preconditioner)
    if not np.isfinite(constants).all():
        raise DataError("the values of X are so large that their squares are not finite: give X in larger units")
    return Smoothness(constants, symbol, source, passes)


def _smooth_penalty(problem: Problem, preconditioner: Preconditioner) -> np.ndarray:
    """The largest second derivative of the smooth part of the penalty, for each output."""
    return np.asarray((preconditioner.scale**2 * penalty_curvature(problem)).max(axis=1))


def _mean_constant(n: int, batch_size: int, largest: float, whole: float) -> float:
    """L_B, on average over the steps of an epoch: a short last batch is less smooth than the others."""
    full, rest = divmod(n, batch_size)
    sizes = np.array([batch_size, rest or batch_size])
    shares = (n - sizes) / (sizes * (n - 1))
    return float(np.average(shares * largest + (1.0 - shares) * whole, weights=[full, rest > 0]))


def squared_norms(
    problem: Problem, X: np.ndarray | CSR, preconditioner: Preconditioner, weight: np.ndarray
) -> np.ndarray:
    """s_i |x_i|^2 of each row in the variables of ``preconditioner``, the 1 of the intercept included."""
    norms = np.empty(shape_of(X)[0])
    n_values = count_values(X)
    launch = row_norms if n_values >= THREADED_FROM else row_norms.serial
    launch(X, preconditioner, chunk_count(n_values, problem.n_features), norms)
    norms += float(problem.fit_intercept)
    return norms * weight if len(weight) else norms


def _largest_eigenvalue(problem: Problem, preconditioner: Preconditioner, norms: np.ndarray) -> tuple[float, float]:
    """lambda_max(X'X / n) in the variables of ``preconditioner``, the intercept a column of ones, and the passes it took.

    On a sample of the rows. It is put up in the proportion of the mean |x_i|^2 of all rows to that of the
    sample, and is never below what the largest row alone makes it.
    """
    X, weight = _sample(problem, SAMPLE_ROWS)
    n = shape_of(X)[0]
    narrow = problem.n_features <= GRAM_COLUMNS
    measure = _by_gram_matrix if narrow else _by_power_iterations
    value, iterations = measure(problem, X, weight, preconditioner)
    if n < problem.n_samples:
        value *= max(1.0, float(norms.mean() / max(squared_norms(problem, X, preconditioner, weight).mean(), 1e-300)))
    if n < problem.n_samples or not narrow:
        value *= INFLATION
    value = max(value, float(norms.max()) / problem.n_samples)
    return value, iterations * n / problem.n_samples


def _by_gram_matrix(
    problem: Problem, X: np.ndarray | CSR, weight: np.ndarray, preconditioner: Preconditioner
) -> tuple[float, int]:
    """The eigenvalue of X'SX / n itself, which takes one pass."""
    n, d = shape_of(X)
    matrix = gram(X, weight[:, None] / n, preconditioner.shift, problem.fit_intercept)[0]
    matrix[:d] *= preconditioner.scale[:, None]
    matrix[:, :d] *= preconditioner.scale
    return float(np.linalg.eigvalsh(matrix)[-1]) if np.isfinite(matrix).all() else np.inf, 1


def _by_power_iterations(
    problem: Problem, X: np.ndarray | CSR, weight: np.ndarray, preconditioner: Preconditioner
) -> tuple[float, int]:
    """An estimate from below, and the passes it took."""
    n, d = shape_of(X)
    sample = Problem(X, Targets(np.zeros(n), weight), HalfSquared(), problem.penalty, problem.fit_intercept)
    direction = np.random.default_rng(0).standard_normal(problem.n_parameters)
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        direction /= max(float(np.linalg.norm(direction)), 1e-300)
        params = direction.copy()
        params[:d] *= preconditioner.scale
        if problem.fit_intercept:
            params[d] -= preconditioner.shift @ params[:d]
        # X'SX v / n is the gradient of half the mean square of X v.
        _, product = sample.gradient(params)
        direction = product.copy()
        if problem.fit_intercept:
            direction[:d] -= preconditioner.shift * product[d]
        direction[:d] *= preconditioner.scale
        value = float(np.linalg.norm(direction))
    return value, POWER_ITERATIONS


def describe_preconditioner(preconditioner: Preconditioner) -> str | None:
    """What the preconditioner did, for the summary; None where steps were taken in the user's own units."""
    did = {"scaled": (preconditioner.scale != 1).any(), "centred": preconditioner.shift.any()}
    return "columns " + " and ".join(word for word, done in did.items() if done) if any(did.values()) else None
