"""`landscape` compared with F in NumPy, and `plot_landscape`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.picture_cases import axes_of, check_file, diverged, lines
from matplotlib.backends.backend_agg import FigureCanvasAgg

import fastgd
from fastgd import Landscape, OptionError
from fastgd.show.plots import save
from fastgd.show.plots.landscape_plot import level_labels, levels_of, refined

N = 40
X, NOISE = np.random.default_rng(4).standard_normal((N, 3)) * [1.0, 2.0, 0.5], np.random.default_rng(5).normal(size=N)
Y = X @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * NOISE


def fitted(X=X, y=Y, **options):
    return fastgd.fit(X, y, **{"method": "gd", "learning_rate": 0.05, "max_epochs": 12, **options})


def squared(params, X=X, y=Y, weight=None, offset=0.0, alpha=0.0):
    """F of the squared loss and an l2 penalty; ``params`` are coefficients and intercept."""
    weight = np.ones(len(y)) if weight is None else weight
    residual = X @ params[:3] + params[3] + offset - y
    return weight @ residual**2 / weight.sum() + alpha / 2 * params[:3] @ params[:3]


def on_grid(found, theta_at):
    first, second = np.meshgrid(*found.grid)
    return np.array([[theta_at(a, b) for a, b in zip(*row, strict=True)] for row in zip(first, second, strict=True)])


def test_named_parameters_vary_and_others_stay_at_the_end_of_the_path():
    result = fitted()
    found = fastgd.landscape(X, Y, results=result, weights=[1, "intercept"], n_points=5)
    assert found.names == ("weight of 1", "intercept")

    def at(a, b):
        return squared(np.array([result.coef[0], a, result.coef[2], b]))

    np.testing.assert_allclose(found.values, on_grid(found, at), rtol=1e-10)
    np.testing.assert_allclose(found.paths["gd"], result.path[:, [1, 3]], atol=1e-12)
    np.testing.assert_allclose(found.heights["gd"], [at(a, b) for a, b in result.path[:, [1, 3]]], rtol=1e-10)
    assert found.heights["gd"][-1] == pytest.approx(result.objective, rel=1e-10)


LAYOUTS = {"dense": (lambda X: X, 1e-10), "float32": (lambda X: X.astype("f4"), 1e-4), "sparse": (sp.csr_array, 1e-10)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_main_directions_of_the_path(layout, rng):
    """With sample weights, an offset and a penalty, which are all part of F."""
    convert, tolerance = LAYOUTS[layout]
    weight, offset = rng.uniform(0.5, 2.0, N), rng.standard_normal(N)
    given = {"sample_weight": weight, "offset": offset, "alpha": 0.3}
    result = fitted(convert(X), **given)
    found = fastgd.landscape(convert(X), Y, results=result, n_points=4, **given)
    away = result.path - result.path[-1]
    _, sizes, directions = np.linalg.svd(away)
    directions = np.array([u * np.sign(u[np.abs(u).argmax()]) for u in directions[:2]])
    share = 100 * sizes**2 / (sizes**2).sum()
    assert found.names[0] == f"main direction 1 of the path ({share[0]:.3g} % of it)"
    np.testing.assert_allclose(found.paths["gd"], away @ directions.T, atol=1e-5)

    def at(a, b):
        return squared(result.path[-1] + np.array([a, b]) @ directions, weight=weight, offset=offset, alpha=0.3)

    np.testing.assert_allclose(found.values, on_grid(found, at), rtol=tolerance)


def test_several_outputs_and_their_parameters_by_name():
    Y2 = np.column_stack([Y, X[:, 0]])
    result = fitted(y=Y2, alpha=0.1)
    found = fastgd.landscape(X, Y2, results=result, n_points=3, alpha=0.1, weights=["1:2"])
    params = np.column_stack([result.coef, result.intercept])

    def at(value):
        moved = params.copy()
        moved[1, 2] = value
        return sum(squared(moved[k], y=Y2[:, k], alpha=0.1) for k in range(2))

    np.testing.assert_allclose(found.values, [at(value) for value in found.grid[0]], rtol=1e-10)
    assert found.names == ("weight of 1:2",)
    np.testing.assert_allclose(found.paths["gd"][:, 0], result.path[:, 1, 2], atol=1e-12)


def test_one_parameter_is_a_curve_and_two_are_a_plane():
    x = X[:, :1]
    one = fitted(x, fit_intercept=False)
    assert fastgd.landscape(x, Y, results=one).values.shape == (201,)
    found = fastgd.landscape(x, Y, results=fitted(x))
    assert (found.names, found.values.shape) == (("weight of 0", "intercept"), (31, 31))


def test_grid_covers_all_paths_except_diverged_ones():
    slow, fast = fitted(learning_rate=0.001), fitted(learning_rate=0.1)
    error = diverged([1.0], [], path=np.full((2, 4), 1e6) * [[0], [1]], coef=np.zeros(3), method="gd")
    runs = {"slow": slow, "fast": fast, "too fast": error}
    found = fastgd.landscape(X, Y, results=runs, weights=[0, 1], n_points=3)
    both = np.concatenate([slow.path, fast.path])
    for k, axis in enumerate(found.grid):
        low, high = both[:, k].min(), both[:, k].max()
        np.testing.assert_allclose([axis[0], axis[-1]], [low - 0.3 * (high - low), high + 0.3 * (high - low)])
    assert list(found.paths) == ["slow", "fast", "too fast"]
    assert found.paths["too fast"].max() == 1e6


@pytest.mark.parametrize("rows", [1, 2])
def test_straight_path_and_single_point_have_a_plane(rows):
    result = fitted()
    path = np.linspace(0.0, 1.0, rows)[:, None] * np.array([1.0, 1.0, 0.0, 0.0]) if rows > 1 else None
    run = diverged([1.0], [], path=path, coef=np.array([1.0, 1.0, 0.0]), method="gd", n_epochs=1).result
    found = fastgd.landscape(X, Y, results=run, n_points=3)
    assert np.isfinite(found.values).all()
    assert all(len(set(axis.tolist())) == 3 for axis in found.grid)
    assert found.names[rows - 1] == "gradient at the start, across the path"
    assert len(found.paths["gd"]) == rows
    assert result.n_features == 3


def test_long_paths_are_thinned_and_keep_both_ends():
    result = fitted(max_epochs=2000)
    found = fastgd.landscape(X, Y, results=result, weights=[0, 1], n_points=2)
    assert len(found.paths["gd"]) == 400
    np.testing.assert_allclose(found.paths["gd"][[0, -1]], result.path[[0, -1]][:, :2], atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": ["age"]}, "there is no weight 'age'"),
        ({"weights": [4]}, "there is no weight '4'"),
        ({"weights": [0, 1, 2]}, "one or two different weights"),
        ({"weights": [0, 0]}, "one or two different weights"),
        ({"n_points": 1}, "n_points must be a whole number, 2 or more"),
        ({"results": []}, "results must be a result, a list"),
        ({"results": [3]}, "results must be a result, a list"),
        ({"X": X[:, :2]}, "do not belong to X and y: they have 1 x 3 coefficients, not 1 x 2"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        fastgd.landscape(**{"X": X, "y": Y, "results": fitted()} | options)


# --- Plots -----------------------------------------------------------------------------------------------------------


def made(shape=(6, 5), **changes):
    """A landscape of F = x^2 + 4 y^2 with two paths."""
    x, y = np.linspace(-1.0, 1.0, shape[1]), np.linspace(-2.0, 2.0, shape[0])
    paths = {"gd": np.array([[-0.8, 1.5], [0.0, 0.0]]), "sgd": np.array([[-0.8, 1.5], [0.3, 0.2], [0.1, 0.0]])}
    values = x**2 + 4 * y[:, None] ** 2
    heights = {label: path[:, 0] ** 2 + 4 * path[:, 1] ** 2 for label, path in paths.items()}
    return Landscape(**{"names": ("weight of a", "intercept"), "grid": (x, y), "values": values, "paths": paths,
                        "heights": heights} | changes)  # fmt: skip


@pytest.mark.parametrize("surface", [False, True])
def test_plot_over_two_parameters(surface, tmp_path):
    figure = fastgd.plot_landscape(made(), surface=surface, title="houses")
    axes = axes_of(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight of a", "intercept")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["gd", "sgd", "start", "end"]
    assert axes.get_title(loc="left") == "houses"
    if surface:
        assert axes.get_zlabel() == "objective F"
    else:
        np.testing.assert_array_equal(lines(axes)["sgd"], made().paths["sgd"].T)
        assert figure.axes[1].get_ylabel() == "objective F"
        assert (axes.get_xlim(), axes.get_ylim()) == ((-1.0, 1.0), (-2.0, 2.0))
    save(figure, tmp_path / "landscape.png")
    check_file(tmp_path / "landscape.png")


def test_plot_over_one_parameter():
    x = np.linspace(-1.0, 1.0, 9)
    path, heights = {"gd": np.array([[-0.5], [0.0]])}, {"gd": np.array([0.25, 0.0])}
    found = made(names=("weight of a",), grid=(x,), values=x**2, paths=path, heights=heights)
    figure = fastgd.plot_landscape(found)
    drawn = lines(axes_of(figure))
    np.testing.assert_array_equal(drawn["objective F"], [x, x**2])
    np.testing.assert_array_equal(drawn["gd"], [[-0.5, 0.0], [0.25, 0.0]])


def test_interpolation_of_a_quadratic_is_exact():
    x, y, values = refined(made())
    assert len(x) > 4 * 5
    np.testing.assert_allclose(values, x**2 + 4 * y[:, None] ** 2, atol=1e-12)


def test_interpolation_does_not_overshoot():
    """Next to a jump, a spline undershoots below 0, where no squared loss is."""
    found = made()
    wall = np.where(found.grid[0] > 0.5, 100.0, 0.0) + np.zeros((len(found.grid[1]), 1))
    for lowest in (0.0, -1.0):
        known = made(values=wall, heights={"gd": np.array([lowest, np.nan]), "sgd": np.array([np.inf])})
        _, _, values = refined(known)
        assert (values.min(), values.max()) == (lowest, 100.0)


@pytest.mark.parametrize(
    ("levels", "labels"),
    [
        ([0.0, 0.0013246, 1.85612, 285.3], ["0", "0.00132", "1.86", "285"]),
        ([1.0, 12345.6, 987654.0], ["1", "12,300", "988,000"]),
        ([2859.71, 2860.4, 2901.0], ["2859.7", "2860.4", "2901"]),  # more digits to distinguish them
    ],
)
def test_labels_of_levels_have_three_digits(levels, labels):
    assert level_labels(np.array(levels)) == labels


def test_values_that_are_not_finite_are_blank():
    holed = made().values.copy()
    holed[0, 0] = np.inf
    assert refined(made(values=holed))[2] is holed
    assert np.isfinite(levels_of(holed)).all()
    figure = fastgd.plot_landscape(made(values=holed))
    FigureCanvasAgg(figure).draw()


def test_contours_are_denser_where_f_is_small_and_absent_if_f_is_constant():
    levels = levels_of(np.arange(1000.0))
    assert (np.diff(np.diff(levels)) > 0).all()
    assert (levels[0], levels[-1]) == (0.0, 999.0)
    assert len(levels_of(np.ones((3, 3)))) == 0
    FigureCanvasAgg(fastgd.plot_landscape(made(values=np.ones((6, 5))))).draw()
