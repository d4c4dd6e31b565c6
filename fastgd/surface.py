"""`landscape`: F over two parameters, or over the principal plane of the paths of fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .compile.jit import compile_error, threads
from .data.row_source import MemoryRows
from .data.training_data import RowOptions
from .errors import DivergedError, OptionError
from .fitting import pose
from .model.landscape import Landscape
from .model.result import Result, output_names
from .objective.linear_predictor import predict_linear
from .objective.many_points import mean_losses_at, objectives_at
from .objective.objective import Objective
from .show.trace_curves import evenly_spaced
from .terms.penalties import resolve_penalty
from .wording import hint

# The grid extends beyond the paths by this share of their extent, on each side.
MARGIN = 0.3
# Minimum extent of the second main direction, as a share of the first.
NARROWEST = 0.15
# Directions with a smaller share of the squared distances are rounding errors.
TINY_SHARE = 1e-12
# Points of the grid in each direction: for a curve, and for contours, which are interpolated by splines. From MANY_ROWS
# rows on there are fewer, since evaluating F on the grid takes seconds.
CURVE_POINTS, PLANE_POINTS, FEWER_POINTS = 201, 31, 21
MANY_ROWS = 200_000
# Longer paths are thinned to this many points, with both ends.
MAX_PATH_POINTS = 400


@dataclass(frozen=True)
class _Plane:
    """The points ``origin + coordinates @ directions`` of the flat parameter space.

    ``shift`` is added to coordinates when they are reported. ``same_units`` is set for main directions, whose lengths
    can be compared, and not for single parameters.
    """

    names: tuple[str, ...]
    origin: np.ndarray
    directions: np.ndarray
    shift: np.ndarray
    same_units: bool


def landscape(
    X: Any, y: Any = None, *, results: Any, weights: Sequence[str | int] | None = None, n_points: int | None = None,
    penalty: Any = None, alpha: float = 0.0, l1_ratio: float | None = None, sample_weight: Any = None,
    class_weight: Any = None, offset: Any = None, penalty_weights: Any = None, validation: Any = None,
    n_threads: int | None = None,
) -> Landscape:  # fmt: skip
    """F around the paths of fits, for `plot_landscape`.

    With ``weights``, F is taken over these parameters; all others keep their values at the end of the first path. By
    default, F is taken over all parameters of a model with one or two, else over the two main directions of the paths:
    the first right singular vectors of the differences between their points and the end of the first path (Li et al.,
    Visualizing the loss landscape of neural nets, 2018). Paths that diverged do not influence the directions and limits
    of the grid.

    Parameters
    ----------
    X, y, penalty, alpha, l1_ratio : as given to `fit`.
    sample_weight, class_weight, offset, penalty_weights, validation : the same.
    results : a `Result`, or several for the same problem, in a list or in a dictionary by label.
    weights : names or indices of one or two features, or "intercept"; "output:feature" for several outputs.
    n_points : grid points in each direction; by default 31, or 21 above 200,000 rows; 201 over one parameter.
    n_threads : maximum number of threads; by default all.

    Returns
    -------
    Landscape

    Raises
    ------
    DataError, OptionError
        As `fit`; also for an unknown parameter, or results of another problem.

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
        raise OptionError(f"n_points must be a whole number, 2 or more, not {n_points!r}")
    first = next(iter(named.values()))
    term = resolve_penalty(penalty, alpha, l1_ratio)
    rows = RowOptions(
        sample_weight, class_weight, offset, penalty_weights, validation, first.settings.get("seed", 0)
    )  # fmt: skip
    with_intercept = bool(first.settings.get("fit_intercept", True))
    objective = pose(X, y, first.loss, term, with_intercept, rows).objective
    paths = {label: _flat_path(result, objective) for label, result in named.items()}
    shown = [path for label, path in paths.items() if named[label].stop_reason != "diverged"] or [*paths.values()]
    with threads(n_threads), compile_error(), np.errstate(all="ignore"):
        plane = _plane(objective, first, shown, weights)
        inverse = np.linalg.pinv(plane.directions)
        kept = {label: path[evenly_spaced(len(path), MAX_PATH_POINTS)] for label, path in paths.items()}
        at = {label: (path - plane.origin) @ inverse for label, path in kept.items()}
        extent = np.concatenate([(path - plane.origin) @ inverse for path in shown])
        on_plane = PLANE_POINTS if objective.n_samples <= MANY_ROWS else FEWER_POINTS
        default = CURVE_POINTS if len(plane.directions) == 1 else on_plane
        grid = _grid(extent, n_points or default, plane.same_units)
        value_at = _objective_on(objective, plane)
        mesh = np.meshgrid(*grid)
        values = value_at(np.column_stack([axis.ravel() for axis in mesh])).reshape(mesh[0].shape)
        heights = {label: value_at(points) for label, points in at.items()}
    return Landscape(
        plane.names, tuple(axis + shift for axis, shift in zip(grid, plane.shift, strict=True)), values,
        {label: points + plane.shift for label, points in at.items()}, heights,
    )  # fmt: skip


def _by_label(results: Any) -> dict[str, Result]:
    """The results by label; without labels, by method."""
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
        raise OptionError("results must be a result, a list of results, or a dictionary of results by label")
    return named


def _flat_path(result: Result, objective: Objective) -> np.ndarray:
    """The finite points of a path, shape (n_points, n_parameters); only the end if the path was too large to keep."""
    path = result.path
    if path is None:
        path = np.concatenate([result.coef, np.asarray(result.intercept)[..., None]], axis=-1)[None]
    if path.shape[1:] != (*objective.zeros().shape[:-1], objective.n_features + 1):
        raise OptionError(
            f"the results do not belong to X and y: they have {result.n_outputs} x {result.n_features} coefficients, "
            f"not {objective.n_outputs} x {objective.n_features}"
        )
    flat = path[..., : objective.n_parameters].reshape(len(path), -1)
    return np.asarray(flat[np.isfinite(flat).all(axis=1)])


def _parameter_names(result: Result, objective: Objective) -> list[str]:
    """Names of all parameters, in the order of the flat parameter vector."""
    features = [*(result.feature_names or map(str, range(result.n_features)))]
    features += ["intercept"] if objective.fit_intercept else []
    outputs = [f"{name}:" for name in output_names(result)] if objective.several else [""]
    return [f"{output}{feature}" for output in outputs for feature in features]


# --- The plane ------------------------------------------------------------------------------------------------------


def _plane(objective: Objective, first: Result, paths: list[np.ndarray], weights: Sequence[str | int] | None) -> _Plane:
    origin = _flat_path(replace(first, path=None), objective)[-1]
    names = _parameter_names(first, objective)
    if weights is None and len(names) <= 2:
        weights = names
    if weights is not None:
        chosen = [_position(weight, names) for weight in ([weights] if isinstance(weights, (str, int)) else weights)]
        if len(chosen) not in (1, 2) or len(set(chosen)) < len(chosen):
            raise OptionError(f"a landscape needs one or two different weights, not {', '.join(map(str, weights))}")
        titles = [name if name.endswith("intercept") else f"weight of {name}" for name in (names[j] for j in chosen)]
        return _Plane(tuple(titles), origin, np.eye(len(names))[chosen], origin[chosen], False)
    return _main_directions(objective, origin, np.concatenate([path - origin for path in paths]), paths[0][0])


def _position(weight: str | int, names: list[str]) -> int:
    """Index of a parameter that is given by name or index."""
    if str(weight) in names:
        return names.index(str(weight))
    if isinstance(weight, int) and 0 <= weight < len(names):
        return weight
    raise OptionError(f"there is no weight {str(weight)!r}: {hint(str(weight), names)}")


def _main_directions(objective: Objective, origin: np.ndarray, differences: np.ndarray, start: np.ndarray) -> _Plane:
    """The plane of the two main directions of ``differences``, points relative to the origin."""
    _, sizes, directions = np.linalg.svd(differences, full_matrices=False)
    shares = sizes**2 / max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    kept = [direction for direction, share in zip(directions[:2], shares, strict=False) if share > TINY_SHARE]
    titles = [f"main direction {k + 1} of the path ({100 * shares[k]:.3g} % of it)" for k in range(len(kept))]
    # A straight path or a single point has fewer than two: add the gradient at the start, then coordinate axes.
    gradient = objective.evaluate(start.reshape(objective.zeros().shape)).gradient
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


def _grid(points: np.ndarray, n_points: int, same_units: bool) -> tuple[np.ndarray, ...]:
    """Coordinates of a grid that covers these points with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    widths = high - low
    if same_units:
        widths = np.maximum(widths, NARROWEST * widths.max())
    widths = np.where(widths > 0, widths, np.maximum(np.abs(high), 1.0))
    centre, half = (low + high) / 2.0, (0.5 + MARGIN) * widths
    return tuple(np.linspace(c - h, c + h, n_points) for c, h in zip(centre, half, strict=True))


def _objective_on(objective: Objective, plane: _Plane) -> Callable[[np.ndarray], np.ndarray]:
    """The function from coordinates, shape (n, n_directions), to F.

    The linear predictor of a row is affine in the coordinates, so F on the plane is an objective with a column per
    direction, whatever the number of features.
    """
    shape, small = objective.zeros().shape, None
    if not objective.several:

        def predictor(flat: np.ndarray) -> np.ndarray:
            coef, intercept = objective.split(flat)
            return predict_linear(objective.X, coef, float(intercept))

        targets = objective.targets
        at_origin = predictor(plane.origin) + (targets.offset if len(targets.offset) else 0.0)
        columns = np.column_stack([predictor(direction) for direction in plane.directions]).astype(objective.dtype)
        rows = MemoryRows(columns, targets._replace(offset=at_origin))
        small = Objective(rows, objective.loss, objective.penalty, fit_intercept=False)

    def value_at(coordinates: np.ndarray) -> np.ndarray:
        params_at = (plane.origin + coordinates @ plane.directions).reshape(-1, *shape)
        if small is None:
            return objectives_at(objective, params_at)
        return mean_losses_at(small, coordinates) + [float(objective.penalties(params).sum()) for params in params_at]

    return value_at
