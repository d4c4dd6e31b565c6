"""`search`: grid search over a few parameters, refined round by round around the best cells (divide and conquer)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from .compile.jit import CompileClock, compile_error, threads
from .data.loss_choice import choose_loss
from .data.training_data import RowOptions
from .errors import Interrupted, OptionError
from .fitting import pose
from .objective.many_points import objectives_at
from .objective.objective import Objective
from .solvers.options import check_whole
from .terms.losses import LOSSES
from .terms.penalties import describe_penalty, resolve_penalty
from .training.progress import current_reporter
from .wording import option

SPAN = (-4.0, 4.0)
# Maximum number of evaluations of all rounds, for example one round of 4 parameters with 22 cells each.
MAX_EVALUATIONS = 1 << 18
# Maximum number of cells along one parameter; the centres of more cannot be distinguished in float64.
MAX_RESOLUTION = 1 << 48


@dataclass(frozen=True)
class Round:
    """The cells of one round, all of the same size.

    Attributes
    ----------
    centres : array of shape (n_cells, n_parameters).
    size : array of shape (n_parameters,), the size of a cell along each parameter.
    objectives : array of shape (n_cells,), F at the centres; infinity where it is not finite.
    kept : indices of the best cells, best first, which the next round divides.
    """

    centres: np.ndarray
    size: np.ndarray
    objectives: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class SearchResult:
    """The result of `search`; can be passed to `fit` as ``start``.

    Attributes
    ----------
    coef, intercept : the best centre of all rounds, the first one in a tie. The intercept is 0 without one.
    objective : F there, penalty included.
    evaluations : number of evaluations of F: cells^n_parameters (1 + (rounds - 1) keep).
    evaluations_saved : how many more a single grid as fine as the last round needs: resolution^n_parameters in all.
    resolution : number of cells of the last round along the span of each parameter: cells^rounds.
    rounds : a `Round` for each round, in order.
    span : array of shape (n_parameters, 2), lower and upper bound of each parameter, the intercept last.
    cells, keep : as given.
    settings : loss and penalty as text, and whether there is an intercept.
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

    @property
    def parameter_names(self) -> list[str]:
        """The names of the columns, and "intercept" if there is one."""
        names = [*(self.feature_names or map(str, range(len(self.coef))))]
        return [*names, "intercept"] if self.settings["fit_intercept"] else names

    @property
    def parameters(self) -> np.ndarray:
        """The coefficients, and the intercept if there is one."""
        return np.array([*self.coef, self.intercept][: len(self.span)])


def search(
    X: Any, y: Any = None, *, span: Sequence[Any] = SPAN, cells: int = 4, rounds: int = 3, keep: int = 1,
    loss: Any = "auto", penalty: Any = None, alpha: float = 0.0, l1_ratio: float | None = None,
    fit_intercept: bool = True, sample_weight: Any = None,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None, offset: Any = None,
    penalty_weights: Any = None, n_threads: int | None = None,
) -> SearchResult:  # fmt: skip
    """Search a few parameters by divide and conquer: without gradients and learning rates, and not trapped in valleys.

    The span of each parameter is divided into ``cells`` parts, and F (see `fit`) is evaluated at the centre of each of
    the cells^n_parameters cells. The best ``keep`` cells are divided in the same way, and so on. For two parameters, 4
    cells and keep=1, two rounds of 16 evaluations resolve 256 cells, and three rounds the 4096 cells of a 64 x 64 grid.
    A round takes one pass over X.

    F is evaluated at centres only. A minimum that is too narrow to lower F at the centre of a coarse cell is missed,
    and so may be a wide one if parameters are correlated. Increase ``cells`` or ``keep`` to find it.

    Parameters
    ----------
    span : lower and upper bound of all parameters, (low, high), or a pair for each: the columns in order, then the
        intercept if there is one.
    cells : number of parts into which a round divides the span of each parameter, 2 or more.
    rounds : number of rounds; the last resolves cells^rounds parts of each span.
    keep : number of best cells that the next round divides, at most cells^n_parameters.
    fit_intercept : whether the model has an intercept, which is one more parameter to search.

    All other parameters are as in `fit`, for one numeric target or two classes.

    Returns
    -------
    SearchResult

    Raises
    ------
    DataError, OptionError, Interrupted
        As `fit`; also an OptionError if the search needs more than 262,144 evaluations.

    Examples
    --------
    >>> import fastgd
    >>> found = fastgd.search([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], span=(0, 8), rounds=4)
    >>> found.evaluations, found.evaluations + found.evaluations_saved
    (64, 65536)
    >>> result = fastgd.fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], method="gd", start=found)
    """
    chosen = choose_loss(loss, X, y, sample_weight)
    loss_term, y = chosen.term, chosen.y
    penalty_term = resolve_penalty(penalty, alpha, l1_ratio)
    cells, rounds, keep = check_whole("cells", cells, 2), check_whole("rounds", rounds, 1), check_whole("keep", keep, 1)
    n_threads = None if n_threads is None else check_whole("n_threads", n_threads, 1)
    rows = RowOptions(sample_weight, class_weight, offset, penalty_weights)
    objective, _, described = pose(X, y, loss_term, penalty_term, fit_intercept, rows)
    if objective.several:
        raise OptionError("search needs one target, numeric or of two classes, not several outputs")
    evaluations = count_evaluations(objective.n_parameters, cells, rounds, keep)
    box = _as_box(span, objective)
    clock = CompileClock(current_reporter().compiling)
    began = time.perf_counter()
    with clock.listening(), threads(n_threads), compile_error():
        done = _all_rounds(objective, box, cells, rounds, keep)
    elapsed = time.perf_counter() - began
    best = min(done, key=lambda round_: round_.objectives[round_.kept[0]])  # the first one in a tie
    params = best.centres[best.kept[0]]
    d = objective.n_features
    return SearchResult(
        coef=params[:d].copy(), intercept=float(params[d]) if objective.fit_intercept else 0.0,
        objective=float(best.objectives[best.kept[0]]), evaluations=evaluations,
        evaluations_saved=cells ** (rounds * objective.n_parameters) - evaluations, resolution=cells**rounds,
        rounds=tuple(done), span=box, cells=cells, keep=keep, feature_names=objective.rows.feature_names,
        target_name=described["target_name"], n_samples=objective.n_samples,
        settings={
            "loss": LOSSES.describe(loss_term),
            "penalty": describe_penalty(penalty_term),
            "fit_intercept": objective.fit_intercept,
        },
        seconds={"compile": clock.seconds, "fit": elapsed - clock.seconds},
        remarks=chosen.remarks + _remarks(objective, params, done[-1].size, box),
    )  # fmt: skip


def count_evaluations(n_parameters: int, cells: int, rounds: int, keep: int) -> int:
    """The number of evaluations of F.

    Raises
    ------
    OptionError
        When there are too many, ``keep`` exceeds the number of cells, or cells become too small for float64.
    """
    per_round: int = cells**n_parameters
    total = per_round * (1 + (rounds - 1) * keep)
    if keep > per_round:
        raise OptionError(f"{option('keep', keep)} is more than the {per_round} cells of the first round")
    if total > MAX_EVALUATIONS:
        raise OptionError(
            f"{n_parameters} parameters with {cells} cells each need {total:,} evaluations, and search does at most "
            f"{MAX_EVALUATIONS:,}: use fewer columns, no intercept or fewer cells, or use fit"
        )
    if cells**rounds > MAX_RESOLUTION:
        raise OptionError(f"{rounds} rounds of {cells} cells are too fine for float64: use fewer rounds or cells")
    return total


def _as_box(span: Any, objective: Objective) -> np.ndarray:
    """Lower and upper bound of each parameter, shape (n_parameters, 2)."""
    n_parameters = objective.n_parameters
    try:
        box = np.array(span, dtype=np.float64)
    except (TypeError, ValueError):
        box = np.zeros(0)
    if box.shape not in ((2,), (1, 2), (n_parameters, 2)):
        each = f"{n_parameters} pairs, the intercept last" if objective.fit_intercept else f"{n_parameters} pairs"
        pairs = f"a pair of numbers (low, high), or a pair per parameter ({each})"
        raise OptionError(f"{option('span')} must be {pairs}, not {span!r}")
    box = np.broadcast_to(box, (n_parameters, 2)).copy()
    for low, high in box:
        if not (math.isfinite(high - low) and low < high):
            raise OptionError(f"a span must go from a finite number to a larger one, not from {low:g} to {high:g}")
    return box


def _all_rounds(objective: Objective, box: np.ndarray, cells: int, rounds: int, keep: int) -> list[Round]:
    """Run the search. Cells have integer indices along each parameter, so no rounding errors add up over the rounds."""
    low, width = box[:, 0], box[:, 1] - box[:, 0]
    parts = np.indices((cells,) * len(box)).reshape(len(box), -1).T  # indices of the parts of a cell
    indices = parts
    done: list[Round] = []
    for r in range(1, rounds + 1):
        centres = low + width * ((indices + 0.5) / cells**r)
        try:
            values = objectives_at(objective, centres, partial(_report, r, rounds))
        except KeyboardInterrupt:
            raise Interrupted(None) from None
        objectives = np.where(np.isfinite(values), values, np.inf)
        kept = np.argsort(objectives, kind="stable")[:keep]  # the first ones in a tie
        if objectives[kept[0]] == np.inf:
            objective.rows.check_finite()
            raise OptionError(f"the objective is not finite in any of the {len(centres)} cells: use a smaller span")
        done.append(Round(centres, width / cells**r, objectives, kept))
        indices = (indices[kept][:, None] * cells + parts).reshape(-1, len(box))
    return done


def _report(number: int, rounds: int, share: float) -> None:
    """Report that this share of round ``number`` is done."""
    current_reporter().advanced(number - 1 + share, rounds, math.nan)


def _remarks(objective: Objective, params: np.ndarray, size: np.ndarray, box: np.ndarray) -> tuple[str, ...]:
    """A remark if the best cell is at the edge of a span, since F may be lower beyond it."""
    names = [
        *(objective.rows.feature_names or (f"coefficient {j}" for j in range(objective.n_features))),
        "the intercept",
    ]
    edge = (params - box[:, 0] < size) | (box[:, 1] - params < size)
    at_edge = ", ".join(names[j] for j in np.flatnonzero(edge))
    if not at_edge:
        return ()
    return (f"the best cell is at the edge of the span of {at_edge}: a wider span may have a better one",)
