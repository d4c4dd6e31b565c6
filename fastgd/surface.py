"""`landscape`: F over two weights, or over the plane that holds most of the paths of some fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .compile.jit import compile_error, thread_pool_size, threads
from .errors import DivergedError, OptionError
from .fitting import pose
from .kernels.row_targets import NONE
from .model.result import Result, output_names
from .objective.many_points import mean_losses_at, objectives_at
from .objective.problem import Problem, RowOptions, predict_linear
from .terms.penalties import resolve_penalty
from .wording import hint

# How far the picture reaches beyond the paths, of what they span.
MARGIN = 0.3
# A direction across the main one is shown at least this much of the main one's width.
NARROWEST = 0.15
# Directions with less of the path than this are rounding.
TINY_SHARE = 1e-12
# Of more rows fewer points are taken, which is some seconds of work as well.
MANY_ROWS = 200_000
# Of longer paths so many points are kept, with both ends.
MOST_PATH_POINTS = 400


@dataclass(frozen=True)
class Landscape:
    """F on a grid over two directions in the space of the weights, or over one; and paths there.

    Attributes
    ----------
    names : what each direction is.
    grid : for each direction, coordinates in ascending order, 0 being the end of the first path: of a weight its value.
    values : F on the grid, of shape (len(grid[1]), len(grid[0])), or (len(grid[0]),) for one direction.
    paths : for each fit, by label, coordinates of shape (n_rows, n_directions); projected, where it leaves the plane.
    heights : for each fit, F at these points of the plane, shape (n_rows,).
    """

    names: tuple[str, ...]
    grid: tuple[np.ndarray, ...]
    values: np.ndarray
    paths: Mapping[str, np.ndarray]
    heights: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _Plane:
    """Weights ``origin + coordinates @ directions``, flat; ``shift`` is what a coordinate of 0 is called.

    ``whole_space`` says that its directions are no single weights, so that lengths along both are the same.
    """

    names: tuple[str, ...]
    origin: np.ndarray
    directions: np.ndarray
    shift: np.ndarray
    whole_space: bool


def landscape(
    X: Any,
    y: Any = None,
    *,
    results: Any,
    weights: Sequence[str | int] | None = None,
    n_points: int | None = None,
    penalty: Any = None,
    alpha: float = 0.0,
    l1_ratio: float | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    penalty_weights: Any = None,
    validation: Any = None,
    n_threads: int | None = None,
) -> Landscape:
    """F around the paths that some fits took, for `plot_landscape`.

    Over the weights that are named, all others being those at the end of the first path. Unless some are named: over
    both weights where there are two, over the one where there is one, else over the two main directions of all paths
    (those of the singular value decomposition of what separates their points from the end of the first; Li et al.,
    Visualizing the loss landscape of neural nets, 2018). Paths that diverged do not count for where to look.

    Parameters
    ----------
    X, y, penalty, alpha, l1_ratio : as given to `fit`.
    sample_weight, class_weight, offset, penalty_weights, validation : the same.
    results : a `Result`, or several of the same problem, in a list or by label; each with its ``path``.
    weights : names or indices of one or two features; "intercept" is one too. Of several outputs "output:feature".
    n_points : of the grid, in each direction; by default 31, or 21 for more than 200,000 rows, over one weight 201.
    n_threads : most threads to use; all unless given.

    Returns
    -------
    Landscape

    Raises
    ------
    DataError, OptionError
        As `fit` does; and when a weight is not there, or the results are of another problem.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    >>> result = fastgd.fit(X, y, method="gd", learning_rate=0.1, max_epochs=30)
    >>> found = fastgd.landscape(X, y, results=result)
    >>> found.names
    ('weight of 0', 'intercept')
    """
    named = _by_label(results)
    if n_points is not None and not (isinstance(n_points, int) and n_points >= 2):
        raise OptionError(f"n_points is a whole number from 2 on, not {n_points!r}")
    first = next(iter(named.values()))
    term = resolve_penalty(penalty, alpha, l1_ratio)
    rows = RowOptions(
        sample_weight, class_weight, offset, penalty_weights, validation, first.settings.get("seed", 0)
    )  # fmt: skip
    with_intercept = bool(first.settings.get("fit_intercept", True))
    problem, _ = pose(X, y, first.loss, term, with_intercept, rows)
    paths = {label: _flat_path(result, problem) for label, result in named.items()}
    within = [path for label, path in paths.items() if named[label].stop_reason != "diverged"] or [*paths.values()]
    n_threads = min(n_threads or thread_pool_size(), thread_pool_size())
    with threads(n_threads), compile_error(), np.errstate(all="ignore"):
        plane = _plane(problem, first, within, weights)
        inverse = np.linalg.pinv(plane.directions)
        at = {label: _thinned(path - plane.origin) @ inverse for label, path in paths.items()}
        shown = np.concatenate([(path - plane.origin) @ inverse for path in within])
        grid = _grid(shown, n_points or _enough_points(problem, plane), plane.whole_space)
        objective = _objective_on(problem, plane)
        mesh = np.meshgrid(*grid)
        values = objective(np.column_stack([axis.ravel() for axis in mesh])).reshape(mesh[0].shape)
        heights = {label: objective(points) for label, points in at.items()}
    return Landscape(
        plane.names,
        tuple(axis + shift for axis, shift in zip(grid, plane.shift, strict=True)),
        values,
        {label: points + plane.shift for label, points in at.items()},
        heights,
    )


def _by_label(results: Any) -> dict[str, Result]:
    if isinstance(results, Mapping):
        named = {str(label): result for label, result in results.items()}
    else:
        listed = list(results) if isinstance(results, (list, tuple)) else [results]
        named = {}
        for result in listed:
            label = getattr(result, "method", "")
            named[label if label not in named else f"{label} {len(named) + 1}"] = result
    named = {label: run.result if isinstance(run, DivergedError) else run for label, run in named.items()}
    if not named or not all(isinstance(result, Result) for result in named.values()):
        raise OptionError("a landscape is drawn around results: give one, a list of them, or a dictionary by label")
    return named


def _flat_path(result: Result, problem: Problem) -> np.ndarray:
    """Shape (n_rows, n_weights); of a fit whose path was too large to keep, its end alone."""
    path = result.path
    if path is None:
        path = np.concatenate([result.coef, np.asarray(result.intercept)[..., None]], axis=-1)[None]
    if path.shape[1:] != (*problem.zeros().shape[:-1], problem.n_features + 1):
        raise OptionError(
            f"the results are of another problem than X and y: {result.n_outputs} x {result.n_features} coefficients, "
            f"not {problem.n_outputs} x {problem.n_features}"
        )
    flat = path[..., : problem.n_parameters].reshape(len(path), -1)
    return np.asarray(flat[np.isfinite(flat).all(axis=1)])


def _thinned(path: np.ndarray) -> np.ndarray:
    if len(path) <= MOST_PATH_POINTS:
        return path
    return path[np.unique(np.linspace(0, len(path) - 1, MOST_PATH_POINTS).round().astype(np.intp))]


def weight_names(result: Result, problem: Problem) -> list[str]:
    """Of every weight, in the order of the flat ones."""
    features = [*(result.feature_names or map(str, range(result.n_features)))]
    features += ["intercept"] if problem.fit_intercept else []
    outputs = [f"{name}:" for name in output_names(result)] if problem.several else [""]
    return [f"{output}{feature}" for output in outputs for feature in features]


# --- The plane ------------------------------------------------------------------------------------------------------


def _plane(problem: Problem, first: Result, paths: list[np.ndarray], weights: Sequence[str | int] | None) -> _Plane:
    origin = _flat_path(replace(first, path=None), problem)[-1]
    names = weight_names(first, problem)
    if weights is None and len(names) <= 2:
        weights = names
    if weights is not None:
        chosen = [_position(weight, names) for weight in ([weights] if isinstance(weights, (str, int)) else weights)]
        if len(chosen) not in (1, 2) or len(set(chosen)) < len(chosen):
            raise OptionError(
                f"a landscape is over one weight or two different ones, not {', '.join(map(str, weights))}"
            )
        titles = [name if name.endswith("intercept") else f"weight of {name}" for name in (names[j] for j in chosen)]
        return _Plane(tuple(titles), origin, np.eye(len(names))[chosen], origin[chosen], False)
    return _main_directions(problem, origin, np.concatenate([path - origin for path in paths]), paths[0][0])


def _position(weight: str | int, names: list[str]) -> int:
    if str(weight) in names:
        return names.index(str(weight))
    if isinstance(weight, int) and 0 <= weight < len(names):
        return weight
    raise OptionError(f"there is no weight {str(weight)!r}: {hint(str(weight), names)}")


def _main_directions(problem: Problem, origin: np.ndarray, away: np.ndarray, start: np.ndarray) -> _Plane:
    """The plane that holds most of ``away``, points around the origin."""
    _, sizes, directions = np.linalg.svd(away, full_matrices=False)
    shares = sizes**2 / max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    kept = [direction for direction, share in zip(directions[:2], shares, strict=False) if share > TINY_SHARE]
    titles = [f"main direction {k + 1} of the path ({100 * shares[k]:.3g} % of it)" for k in range(len(kept))]
    # A straight path, or a single point, leaves directions open: first the way that F itself is steepest.
    _, gradient = problem.gradient(start.reshape(problem.zeros().shape))
    for candidate in (gradient.ravel().copy(), *np.eye(len(origin))):
        if len(kept) == 2:
            break
        across = candidate - sum((candidate @ direction) * direction for direction in kept)
        length = float(np.linalg.norm(across))
        if length > 1e-6 * float(np.linalg.norm(candidate)):
            kept.append(across / length)
            titles.append("gradient at the start, across the path")
    directions = np.array([direction * np.sign(direction[np.abs(direction).argmax()]) for direction in kept])
    return _Plane(tuple(titles), origin, directions, np.zeros(2), True)


def _enough_points(problem: Problem, plane: _Plane) -> int:
    """In each direction: for a curve, or for contours that are drawn by splines between them."""
    if len(plane.directions) == 1:
        return 201
    return 31 if problem.n_samples <= MANY_ROWS else 21


def _grid(points: np.ndarray, n_points: int, same_units: bool) -> tuple[np.ndarray, ...]:
    """Coordinates around these points."""
    low, high = points.min(axis=0), points.max(axis=0)
    widths = high - low
    if same_units:
        widths = np.maximum(widths, NARROWEST * widths.max())
    widths = np.where(widths > 0, widths, np.maximum(np.abs(high), 1.0))
    centre, half = (low + high) / 2.0, (0.5 + MARGIN) * widths
    return tuple(np.linspace(c - h, c + h, n_points) for c, h in zip(centre, half, strict=True))


def _objective_on(problem: Problem, plane: _Plane) -> Callable[[np.ndarray], np.ndarray]:
    """F at coordinates of shape (n, n_directions).

    On a plane the linear predictor of a row is one number at the origin and one for each direction: a problem of two
    columns, however many there are.
    """
    d, shape = problem.n_features, problem.zeros().shape
    small: Problem | None = None
    if not problem.several:

        def along(flat: np.ndarray) -> np.ndarray:
            return predict_linear(problem.X, flat[:d], float(flat[d]) if problem.fit_intercept else 0.0)

        before = along(plane.origin) + (problem.targets.offset if len(problem.targets.offset) else 0.0)
        columns = np.column_stack([along(direction) for direction in plane.directions]).astype(problem.dtype)
        small = replace(
            problem, X=columns, targets=problem.targets._replace(offset=before), fit_intercept=False,
            feature_names=None, penalty_weights=NONE, rows=None, validation=None,
        )  # fmt: skip

    def objective(coordinates: np.ndarray) -> np.ndarray:
        points = (plane.origin + coordinates @ plane.directions).reshape(-1, *shape)
        if small is None:
            return objectives_at(problem, points)
        return np.asarray(mean_losses_at(small, coordinates) + [problem.penalty_at(params) for params in points])

    return objective
