"""`search`: divide and conquer over a few weights, a coarse grid refined round by round about its best cells."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .compile.jit import CompileClock, compile_error, thread_pool_size, threads
from .data.matrix import check_finite
from .errors import Interrupted, OptionError
from .fitting import pose
from .objective.many_points import objectives_at
from .objective.problem import Problem, RowOptions
from .solvers.options import check_whole
from .terms.losses import LOSSES
from .terms.penalties import describe_penalty, resolve_penalty
from .training.progress import current_reporter
from .wording import option

SPAN = (-4.0, 4.0)
# What all rounds together may evaluate: one of four weights in 16 cells each, say, or of eight in 4.
MOST_EVALUATIONS = 1 << 18
# More cells of the last round along one weight have no centres of their own in float64.
MOST_RESOLUTION = 1 << 48


@dataclass(frozen=True)
class Round:
    """The cells that one round evaluated, all of one size.

    Attributes
    ----------
    centres : array of shape (n_cells, n_weights).
    size : array of shape (n_weights,), how long a cell is along each weight.
    objectives : array of shape (n_cells,), F at the centres; infinity where it is not finite.
    kept : the numbers of the best cells, best first, which the next round divides.
    """

    centres: np.ndarray
    size: np.ndarray
    objectives: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class SearchResult:
    """What `search` found. As ``start`` of `fit` it is where to descend from.

    Attributes
    ----------
    coef, intercept : the best centre of all rounds; the first of several as good. The intercept is 0 without one.
    objective : F there, the penalty included.
    evaluations : how often F was evaluated: cells^n_weights (1 + (rounds - 1) keep) times.
    evaluations_saved : what one grid as fine as the last round, of resolution^n_weights cells, takes more.
    resolution : how many cells of the last round the span has along each weight: cells^rounds.
    rounds : a `Round` for each, in order.
    span : array of shape (n_weights, 2), the least and the largest value of each weight, the intercept's last.
    cells, keep : as given.
    settings : loss and penalty in words, and whether there is an intercept.
    seconds : {"compile": ..., "fit": ...}.
    """

    coef: np.ndarray
    intercept: float
    objective: float
    evaluations: int
    evaluations_saved: int
    resolution: int
    rounds: tuple[Round, ...] = field(repr=False)
    span: np.ndarray
    cells: int
    keep: int
    feature_names: tuple[str, ...] | None = None
    target_name: str | tuple[str, ...] | None = None
    n_samples: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def search(
    X: Any,
    y: Any = None,
    *,
    span: Sequence[Any] = SPAN,
    cells: int = 4,
    rounds: int = 3,
    keep: int = 1,
    loss: Any = "squared",
    penalty: Any = None,
    alpha: float = 0.0,
    l1_ratio: float | None = None,
    fit_intercept: bool = True,
    sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    offset: Any = None,
    penalty_weights: Any = None,
    n_threads: int | None = None,
) -> SearchResult:
    """Search a few weights by divide and conquer: no gradient, no learning rate, and valleys do not hold it.

    The span of each weight is cut into ``cells`` parts, and F (see `fit`) evaluated at the centre of each of the
    cells^n_weights cells that this makes. The best ``keep`` of them are cut up in the same way, and so on. With one
    kept of 4 x 4, two rounds of 16 evaluations resolve 256 cells, three the 4096 of a 64 x 64 grid. All evaluations of
    a round take one pass over X together.

    It looks only at centres: a minimum too narrow to lower F at the centre of a coarse cell is missed, and where
    weights make up for each other, so may be one that is not. More ``cells`` see more, and a larger ``keep`` bets on
    more than one cell.

    Parameters
    ----------
    span : the least and the largest value of every weight, (low, high), or a pair for each: those of the columns in
        order, then that of the intercept if there is one.
    cells : parts that each weight's span is cut into in a round, 2 or more.
    rounds : how often; along each weight the last round resolves cells^rounds parts of the span.
    keep : how many of the best cells the next round divides; at most those of one round, cells^n_weights.
    fit_intercept : whether the model has an intercept, which is one more weight to search.

    All other parameters are those of `fit`, for one target of numbers or of two classes.

    Returns
    -------
    SearchResult

    Raises
    ------
    DataError, OptionError, Interrupted
        As `fit` does; an OptionError too where there are so many weights that it would take more than 262,144
        evaluations.

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.search([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], span=(0, 8), rounds=4)
    >>> found.evaluations, found.evaluations + found.evaluations_saved
    (64, 65536)
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", start=found)
    """
    loss_term = LOSSES.resolve(loss)
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    cells, rounds, keep = check_whole("cells", cells, 2), check_whole("rounds", rounds, 1), check_whole("keep", keep, 1)
    n_threads = thread_pool_size() if n_threads is None else check_whole("n_threads", n_threads, 1)
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights)
    problem, described = pose(X, y, loss_term, penalty_term, fit_intercept, rows)
    if problem.several:
        raise OptionError("search goes over the weights of one target, of numbers or of two classes, not of several")
    evaluations = count_evaluations(problem.n_parameters, cells, rounds, keep)
    box = _as_box(span, problem)
    clock = CompileClock(current_reporter().compiling)
    began = time.perf_counter()
    n_threads = min(n_threads, thread_pool_size())
    with clock.listening(), threads(n_threads), compile_error():
        done = _all_rounds(problem, box, cells, rounds, keep)
    elapsed = time.perf_counter() - began
    best = min(done, key=lambda one: one.objectives[one.kept[0]])  # the first of several as good
    weights = best.centres[best.kept[0]]
    d = problem.n_features
    return SearchResult(
        coef=weights[:d].copy(),
        intercept=float(weights[d]) if problem.fit_intercept else 0.0,
        objective=float(best.objectives[best.kept[0]]),
        evaluations=evaluations,
        evaluations_saved=cells ** (rounds * problem.n_parameters) - evaluations,
        resolution=cells**rounds,
        rounds=tuple(done),
        span=box,
        cells=cells,
        keep=keep,
        feature_names=problem.feature_names,
        target_name=described["target_name"],
        n_samples=problem.n_samples,
        settings={
            "loss": LOSSES.describe(loss_term),
            "penalty": describe_penalty(penalty_term),
            "fit_intercept": problem.fit_intercept,
        },
        seconds={"compile": clock.seconds, "fit": elapsed - clock.seconds},
        remarks=_remarks(problem, weights, done[-1].size, box),
    )


def count_evaluations(n_weights: int, cells: int, rounds: int, keep: int) -> int:
    """How often F is evaluated.

    Raises
    ------
    OptionError
        Where that is too often, where more cells are to be kept than there are, or they become too small.
    """
    a_round: int = cells**n_weights
    total = a_round * (1 + (rounds - 1) * keep)
    if keep > a_round:
        raise OptionError(f"{option('keep', keep)} is more than the {a_round} cells of the first round")
    if total > MOST_EVALUATIONS:
        raise OptionError(
            f"{n_weights} weights cut into {cells} cells each take {total:,} evaluations, and search does at most "
            f"{MOST_EVALUATIONS:,}: leave out columns or the intercept, take fewer cells, or descend with fit"
        )
    if cells**rounds > MOST_RESOLUTION:
        raise OptionError(f"{rounds} rounds of {cells} cells divide the span beyond what float64 can tell apart")
    return total


def _as_box(span: Any, problem: Problem) -> np.ndarray:
    """The least and the largest value of each weight, shape (n_weights, 2)."""
    n_weights = problem.n_parameters
    try:
        box = np.array(span, dtype=np.float64)
    except (TypeError, ValueError):
        box = np.zeros(0)
    if box.shape not in ((2,), (1, 2), (n_weights, 2)):
        each = f"{n_weights} of them, the intercept's last" if problem.fit_intercept else f"{n_weights} of them"
        pairs = f"a pair of numbers, low and high, or a pair for each weight ({each})"
        raise OptionError(f"{option('span')} is {pairs}, not {span!r}")
    box = np.broadcast_to(box, (n_weights, 2)).copy()
    for low, high in box:
        if not (math.isfinite(high - low) and low < high):
            raise OptionError(f"a span goes from a number to a larger one, not from {low:g} to {high:g}")
    return box


def _all_rounds(problem: Problem, box: np.ndarray, cells: int, rounds: int, keep: int) -> list[Round]:
    """Cells are numbered along each weight, from 0 at its least value, so that no rounding adds up over the rounds."""
    low, width = box[:, 0], box[:, 1] - box[:, 0]
    within = np.indices((cells,) * len(box)).reshape(len(box), -1).T  # the cells of one cell
    numbers = within
    done: list[Round] = []
    for r in range(1, rounds + 1):
        centres = low + width * ((numbers + 0.5) / cells**r)
        try:
            objectives = _objectives(problem, centres, r, rounds)
        except KeyboardInterrupt:
            raise Interrupted(None) from None
        kept = np.argsort(objectives, kind="stable")[:keep]  # of equal ones the first
        if objectives[kept[0]] == np.inf:
            check_finite(problem.X, problem.feature_names)
            raise OptionError(f"the objective is finite in none of the {len(centres)} cells: take a smaller span")
        done.append(Round(centres, width / cells**r, objectives, kept))
        numbers = (numbers[kept][:, None] * cells + within).reshape(-1, len(box))
    return done


def _objectives(problem: Problem, centres: np.ndarray, number: int, rounds: int) -> np.ndarray:
    """F at the centres of a round, infinity where it is not finite."""
    told = current_reporter()
    values = objectives_at(problem, centres, lambda share: told.advanced(number - 1 + share, rounds, math.nan))
    return np.where(np.isfinite(values), values, np.inf)


def _remarks(problem: Problem, weights: np.ndarray, size: np.ndarray, box: np.ndarray) -> tuple[str, ...]:
    """Where the best cell is the last one along a weight, F may fall on beyond it."""
    names = [*(problem.feature_names or (f"coefficient {j}" for j in range(problem.n_features))), "the intercept"]
    edge = (weights - box[:, 0] < size) | (box[:, 1] - weights < size)
    at_edge = ", ".join(names[j] for j in np.flatnonzero(edge))
    return (f"the best cell is at the edge of the span of {at_edge}: a wider span may hold a better one",) * bool(
        at_edge
    )
