"""`plot_search`: positions, shades and outlines of the cells, files, and the command."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.command_line import fastgd
from helpers.picture_cases import axes_of, check_file, lines
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_hex

import fastgd as library
from fastgd import OptionError
from fastgd.show.plots import PICTURE_SUFFIXES, save
from fastgd.show.plots.search_plot import NOT_FINITE, lowest_in_blocks
from fastgd.show.plots.style import style

BOWL = (np.eye(2), np.array([3.0, -1.0]))  # F = ((w1 - 3)^2 + (w2 + 1)^2) / 2


def bowl(**options):
    return library.search(*BOWL, fit_intercept=False, **{"rounds": 2, **options})


def F(w1, w2):
    return ((w1 - 3.0) ** 2 + (w2 + 1.0) ** 2) / 2


def meshes(axes):
    """For each block of cells: the edges along both parameters, and F in the cells, the second parameter first."""
    found = []
    for mesh in axes.collections:
        if isinstance(mesh, QuadMesh):
            corners = mesh.get_coordinates()
            found.append((corners[0, :, 0], corners[:, 0, 1], mesh.get_array()))
    return found


# --- Two parameters --------------------------------------------------------------------------------------------------


def test_cells_have_the_positions_and_sizes_of_their_round():
    axes = axes_of(library.plot_search(bowl()))
    (x, y, coarse), (x_fine, y_fine, fine) = meshes(axes)
    np.testing.assert_allclose(x, [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(y, [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(x_fine, [2.0, 2.5, 3.0, 3.5, 4.0])
    np.testing.assert_allclose(y_fine, [-2.0, -1.5, -1.0, -0.5, 0.0])
    for edges, values in (((x, y), coarse), ((x_fine, y_fine), fine)):
        middles = [(axis[:-1] + axis[1:]) / 2 for axis in edges]
        np.testing.assert_allclose(values, F(*np.meshgrid(*middles)))
    assert (axes.get_xlim(), axes.get_ylim()) == ((-4.0, 4.0), (-4.0, 4.0))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight of 0", "weight of 1")


def test_lower_cells_are_lighter_and_later_rounds_are_on_top():
    axes = axes_of(library.plot_search(bowl()))
    coarse, fine = axes.collections
    shades = np.concatenate([mesh.get_facecolors()[:, 0] for mesh in (coarse, fine)])
    values = np.concatenate([mesh.get_array().ravel() for mesh in (coarse, fine)])
    assert (np.diff(shades[np.argsort(values, kind="stable")]) <= 1e-9).all()
    assert shades.max() - shades.min() > 0.4
    assert coarse.get_zorder() < fine.get_zorder()


def test_best_cells_are_outlined_in_the_style_of_their_round():
    found = bowl(keep=2)
    axes = axes_of(library.plot_search(found))
    boxes = [(patch.get_xy(), patch.get_width(), to_hex(patch.get_edgecolor())) for patch in axes.patches]
    expected = [
        (tuple(one.centres[cell] - one.size / 2), one.size[0], style(r).colour.lower())
        for r, one in enumerate(found.rounds)
        for cell in one.kept
    ]
    assert [(pytest.approx(place), width, colour) for place, width, colour in boxes] == expected
    assert len({str(patch.get_linestyle()) for patch in axes.patches}) == 2
    words = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert words == ["best 2 cells of round 1", "best 2 cells of round 2", "best"]
    np.testing.assert_allclose(lines(axes)["best"].ravel(), found.coef)


def test_colour_bar_has_a_label_and_three_digits():
    bar = axes_of(library.plot_search(bowl())).figure.axes[1]
    assert bar.get_ylabel() == "objective F"
    texts = [text.get_text() for text in bar.get_yticklabels()]
    assert len(set(texts)) == len(texts) > 5
    assert max(len(text.strip("0.").replace(".", "")) for text in texts) <= 3


def test_cell_shows_the_lowest_objective_over_the_third_parameter(rng):
    X = rng.standard_normal((40, 2))
    found = library.search(X, X @ [1.0, 2.0] + 3.0, span=[(-4, 4), (-2, 2), (-4, 4)], rounds=1)
    axes = axes_of(library.plot_search(found))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight of 0", "intercept")  # the two of the widest span
    (_, _, values), = meshes(axes)  # fmt: skip
    cube = found.rounds[0].objectives.reshape(4, 4, 4)
    np.testing.assert_array_equal(values, cube.min(axis=1).T)
    assert axes.figure.axes[1].get_ylabel() == "objective F, lowest over the other weights"


def test_overlapping_blocks_have_the_lowest_on_top(rng):
    X = rng.standard_normal((40, 3))
    found = library.search(X, X @ [1.0, 2.0, 3.0], fit_intercept=False, keep=3)
    lowest = [block.min() for _, block in lowest_in_blocks(found.rounds[2], 4, [0, 1])]
    assert len(lowest) == 3
    assert lowest == sorted(lowest, reverse=True)


def test_parameters_by_name_or_index_in_either_order():
    for weights in (["1", "0"], [1, 0]):
        axes = axes_of(library.plot_search(bowl(rounds=1), weights=weights))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight of 1", "weight of 0")
        (x, y, values), = meshes(axes)  # fmt: skip
        w2, w1 = np.meshgrid((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2)
        np.testing.assert_allclose(values, F(w1, w2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [(["x"], "there is no weight 'x'"), ([2], "there is no weight 2"), ([-1], "there is no weight -1"),
     ([0, 0], "one or two different weights"), ([], "one or two different weights")],
)  # fmt: skip
def test_invalid_parameters_are_refused(weights, message):
    with pytest.raises(OptionError, match=message):
        library.plot_search(bowl(), weights=weights)


def test_cells_that_are_not_finite_are_dark_and_in_the_legend(rng):
    X = rng.standard_normal((50, 2))
    found = library.search(X, np.exp(X[:, 0]), loss="poisson", span=(-400, 400), fit_intercept=False)
    axes = axes_of(library.plot_search(found))
    holes = axes.collections[0].get_array().mask
    assert holes.any()
    colours = [to_hex(colour) for colour in axes.collections[0].get_facecolors()[holes.ravel()]]
    assert set(colours) == {NOT_FINITE}
    assert "not finite" in lines(axes)
    assert "not finite" not in lines(axes_of(library.plot_search(bowl())))


def test_constant_objective_has_no_colour_bar():
    found = library.search(np.zeros((3, 2)), [1.0, 2.0, 3.0], fit_intercept=False, rounds=1)
    assert len(axes_of(library.plot_search(found)).figure.axes) == 1


# --- One parameter ---------------------------------------------------------------------------------------------------


def test_cells_of_one_parameter_are_lines_at_the_height_of_F():
    found = library.search([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0], fit_intercept=False, rounds=2)
    axes = axes_of(library.plot_search(found))
    drawn = lines(axes)
    for r, one in enumerate(found.rounds):
        order = np.argsort(one.centres[:, 0])
        np.testing.assert_allclose(drawn[f"cells of round {r + 1}"], [one.centres[order, 0], one.objectives[order]])
    widths = [np.ptp(np.array(c.get_segments())[:, :, 0], axis=1) for c in axes.collections]
    np.testing.assert_allclose(widths, [[2.0] * 4, [0.5] * 4])
    assert all(isinstance(c, LineCollection) for c in axes.collections)
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(drawn["best"].ravel(), [found.coef[0], found.objective])


# --- Files and the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", PICTURE_SUFFIXES)
def test_saved_file_is_a_complete_image(suffix, tmp_path):
    path = tmp_path / f"cells{suffix}"
    save(library.plot_search(bowl(rounds=3)), path)
    check_file(path)


def test_many_cells_are_stored_as_an_image(tmp_path):
    path = tmp_path / "cells.svg"
    save(library.plot_search(bowl(cells=70, rounds=1)), path)
    assert "<image" in path.read_text()
    assert path.stat().st_size < 150_000


def test_command_draws_the_plot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = fastgd("search", "valleys", "--plot", "cells.png", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert ["plot", "cells.png"] in [line.split() for line in ran.out.splitlines()]
    check_file(tmp_path / "cells.png")
    assert fastgd("search", "valleys", "--plot", "cells.svg", "--json").json["plot"] == "cells.svg"
    check_file(tmp_path / "cells.svg")


def test_command_draws_the_named_parameters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = {}
    real = library.plot_search
    monkeypatch.setattr(library, "plot_search", lambda found, **options: seen.update(options) or real(found, **options))
    words = ("--plot", "a.png", "--plot-weights", "intercept,x", "--quiet")
    assert fastgd("search", "tutorial", *words).code == 0
    assert seen == {"weights": ["intercept", "x"], "title": "tutorial: squared loss, 48 evaluations"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--plot", "a.txt"), "a.txt"),
        (("--plot", "nowhere/a.png"), "no folder"),
        (("--plot-weights", "x1"), "--plot-weights needs a plot"),
        (("--plot", "a.png", "--plot-weights", "x3"), "there is no weight 'x3'"),
    ],
)
def test_command_refuses_invalid_plots(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = fastgd("search", "valleys", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert not list(tmp_path.iterdir())


def test_command_checks_the_file_before_any_work(monkeypatch):
    monkeypatch.setattr(library, "search", lambda *_, **__: pytest.fail("it searched first"))
    assert fastgd("search", "valleys", "--plot", "a.txt").code == 2
