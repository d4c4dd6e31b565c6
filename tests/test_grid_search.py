"""`search` compared with plain Python, its objective with that of `fit`, and the built-in data with two valleys."""

from __future__ import annotations

import importlib
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import LAYOUTS, problems
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import DataError, Interrupted, OptionError
from fastgd import search as find
from fastgd.data.readers import builtin_landscapes as landscapes
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.objective.chunks import MIN_PARALLEL_VALUES
from fastgd.objective.many_points import mean_losses_at
from fastgd.penalties import resolve_penalty

searching = importlib.import_module("fastgd.grid_search")
PHASE = {"loss": "phase_retrieval", "fit_intercept": False}


# --- Against plain Python --------------------------------------------------------------------------------------------


def plain_search(objective, span, cells, rounds, keep):
    """For each round: (objective, centre) of each cell, and the indices of the kept cells, in exact fractions."""
    boxes = [[(Fraction(low), Fraction(high)) for low, high in span]]
    expected_rounds = []
    for _ in range(rounds):
        parts = []
        for box in boxes:
            sides = [[(a + (b - a) * k / cells, a + (b - a) * (k + 1) / cells) for k in range(cells)] for a, b in box]
            parts += [list(cell) for cell in itertools.product(*sides)]
        found = [(objective([(a + b) / 2 for a, b in cell]), [(a + b) / 2 for a, b in cell]) for cell in parts]
        kept = sorted(range(len(found)), key=lambda k: found[k][0])[:keep]  # sorted is stable: the first in a tie
        expected_rounds.append((found, kept))
        boxes = [parts[k] for k in kept]
    return expected_rounds


def plain_objective(X, y, alpha, intercept):
    rows = [[Fraction(float(x)) for x in row] for row in X]
    targets = [Fraction(float(value)) for value in y]

    def objective(weights):
        coef, b = (weights[:-1], weights[-1]) if intercept else (weights, Fraction(0))
        losses = [(sum(map(lambda x, w: x * w, row, coef)) + b - t) ** 2 for row, t in zip(rows, targets, strict=True)]
        return sum(losses) / len(losses) + Fraction(alpha) / 2 * sum(w * w for w in coef)

    return objective


@given(
    drawn=problems(least_rows=8, most_rows=8, most_features=2),
    n=st.sampled_from([2, 4, 8]),  # powers of 2, by which float64 divides exactly
    cells=st.sampled_from([2, 4]),
    rounds=st.integers(1, 3),
    keep=st.integers(1, 4),
    intercept=st.booleans(),
    low=st.sampled_from([-8.0, -2.0, 0.0]),
    alpha=st.sampled_from([0.0, 0.5]),
)
def test_cells_evaluations_and_best_equal_plain_python(drawn, n, cells, rounds, keep, intercept, low, alpha):
    """With numbers that float64 adds and multiplies exactly, so that ties stay ties."""
    p = drawn.X.shape[1] + intercept
    keep = min(keep, cells**p)
    X, y = drawn.X[:n], drawn.y[:n]
    y[0] = y[1] + 1.0  # `search` refuses a constant target
    span = [(low, low + 4.0)] * p
    expected_rounds = plain_search(plain_objective(X, y, alpha, intercept), span, cells, rounds, keep)
    found = find(X, y, span=span, cells=cells, rounds=rounds, keep=keep, alpha=alpha, fit_intercept=intercept)
    for one, (expected, kept) in zip(found.rounds, expected_rounds, strict=True):
        assert one.centres.tolist() == [[float(w) for w in middle] for _, middle in expected]
        assert one.objectives.tolist() == [float(value) for value, _ in expected]
        assert one.kept.tolist() == kept
    everything = [cell for expected, _ in expected_rounds for cell in expected]
    best, weights = min(everything, key=lambda cell: cell[0])
    assert found.objective == float(best)
    assert [*found.coef, *[found.intercept] * intercept] == [float(w) for w in weights]
    assert found.evaluations == len(everything)
    assert found.evaluations + found.evaluations_saved == cells ** (rounds * p)


@given(drawn=problems(least_rows=2, most_rows=9, most_features=2), cells=st.integers(2, 5), keep=st.integers(1, 3))
def test_any_number_of_cells_equals_plain_python_up_to_rounding(drawn, cells, keep):
    keep = min(keep, cells ** drawn.X.shape[1])
    drawn.y[0] = drawn.y[1] + 1.0
    span = [(-3.3, 1.7)] * drawn.X.shape[1]
    expected_rounds = plain_search(plain_objective(drawn.X, drawn.y, 0.0, False), span, cells, 2, keep)
    found = find(drawn.X, drawn.y, span=(-3.3, 1.7), cells=cells, rounds=2, keep=keep, fit_intercept=False)
    first, expected = found.rounds[0], expected_rounds[0][0]
    np.testing.assert_allclose(first.centres, [[float(w) for w in middle] for _, middle in expected], atol=1e-14)
    np.testing.assert_allclose(first.objectives, [float(value) for value, _ in expected], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(first.size, 5.0 / cells)
    for child, one in zip(found.rounds[1].centres.reshape(keep, -1, len(span)), first.kept, strict=True):
        assert (np.abs(child - first.centres[one]) < first.size / 2).all()  # the parts of a cell lie within it
        np.testing.assert_allclose(child.mean(axis=0), first.centres[one], atol=1e-14)


# --- Resolution ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rounds", "evaluations", "whole"), [(1, 16, 16), (2, 32, 256), (3, 48, 4096)])
def test_two_parameters_are_resolved_by_16_evaluations_per_round(rounds, evaluations, whole):
    found = find(np.eye(2), [1.3, -2.1], rounds=rounds, fit_intercept=False)
    assert (found.evaluations, found.evaluations + found.evaluations_saved) == (evaluations, whole)
    assert [len(one.objectives) for one in found.rounds] == [16] * rounds
    assert found.resolution**2 == whole
    assert (np.abs(found.coef - [1.3, -2.1]) <= 8 / found.resolution / 2).all()


@pytest.mark.parametrize("d", [1, 3, 4])
@pytest.mark.parametrize(("cells", "rounds", "keep"), [(4, 3, 1), (2, 4, 2), (3, 2, 3)])
def test_the_optimum_lies_in_the_best_cell(d, cells, rounds, keep):
    target = np.array([0.7, -3.2, 2.9, -0.4])[:d]
    found = find(
        np.eye(4)[:, :d],
        [*target, *[0.0] * (4 - d)],
        cells=cells,
        rounds=rounds,
        keep=min(keep, cells**d),
        fit_intercept=False,
    )
    assert (np.abs(found.coef - target) <= 8 / cells**rounds / 2 * (1 + 1e-12)).all()
    assert found.evaluations == cells**d * (1 + (rounds - 1) * min(keep, cells**d))
    assert found.evaluations == sum(len(one.objectives) for one in found.rounds)


def test_each_parameter_may_have_its_own_span():
    X = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = find(X, [105.2, 5.3, 5.1], span=[(0, 200), (0, 1), (4, 6)])
    first = found.rounds[0]
    assert first.size.tolist() == [50.0, 0.25, 0.5]
    assert (first.centres.min(axis=0) == [25.0, 0.125, 4.25]).all()
    assert (first.centres.max(axis=0) == [175.0, 0.875, 5.75]).all()


def test_optimum_of_correlated_parameters_may_lie_in_another_cell():
    """As the docstring of `search` says; keeping more cells finds it."""
    X, y = [[1.0], [2.0], [4.0]], [1.0, 0.5, -1.0]
    slope, intercept = np.polyfit([1.0, 2.0, 4.0], y, 1)
    one, two = (find(X, y, rounds=4, keep=keep) for keep in (1, 2))
    size = 8 / 256
    assert abs(one.coef[0] - slope) > 2 * size
    assert max(abs(two.coef[0] - slope), abs(two.intercept - intercept)) < size
    assert two.objective < one.objective / 2


def test_fit_can_start_from_the_result():
    X = np.array([[1.0], [2.0], [3.0], [5.0]])
    found = find(X, [2.0, 4.5, 6.0, 11.0])
    result = fastgd.fit(X, [2.0, 4.5, 6.0, 11.0], method="gd", start=found)
    assert result.trace["objective"][0] == pytest.approx(found.objective, rel=1e-12)
    assert result.path[0].tolist() == [*found.coef, found.intercept]
    assert result.objective < found.objective
    with pytest.raises(OptionError, match="fitted without one"):
        fastgd.fit(X, [2.0, 4.5, 6.0, 11.0], fit_intercept=False, start=found)


# --- The objective ---------------------------------------------------------------------------------------------------

N = 300
X = np.random.default_rng(3).choice(np.append(np.arange(-16, 17) / 8, [0.0] * 8), (N, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.5 + np.random.default_rng(4).integers(-8, 9, N) / 8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_objective_is_that_of_fit_with_weights_offset_and_penalty(layout, rng):
    data = LAYOUTS[layout](X)
    form = data if isinstance(data, np.ndarray) else sp.csr_array(X, dtype=data.data.dtype)
    more = {"sample_weight": rng.random(N), "offset": np.linspace(-1, 1, N), "penalty_weights": [1.0, 0.0, 2.0]}
    found = find(form, Y, loss="huber:delta=1.5", penalty="elasticnet", alpha=0.3, cells=3, rounds=2, **more)
    penalty = resolve_penalty("elasticnet", 0.3, None)
    objective = pose(form, Y, LOSSES.resolve("huber:delta=1.5"), penalty, True, RowOptions(**more)).objective
    for one in found.rounds:
        expected = [objective.value(params) for params in one.centres]
        np.testing.assert_allclose(one.objectives, expected, rtol=1e-5 if "32" in layout else 1e-13)


def test_objective_with_class_weights():
    labels = np.where(Y > 0, "yes", "no")
    found = find(X, labels, loss="logistic", class_weight={"yes": 3.0, "no": 1.0})
    z = X @ found.coef + found.intercept
    weight = np.where(labels == "yes", 3.0, 1.0)
    expected = np.average(np.logaddexp(0, -np.where(labels == "yes", z, -z)), weights=weight)
    assert found.objective == pytest.approx(expected, rel=1e-12)


def test_user_defined_loss():
    @fastgd.term
    class Tukey:
        """A bounded loss, which is not convex."""

        c: float = 1.0

        def value(self, y: float, z: float) -> float:
            return 1.0 - math.exp(-(((z - y) / self.c) ** 2))

        def derivative(self, y: float, z: float) -> float:
            return 2.0 * (z - y) / self.c**2 * math.exp(-(((z - y) / self.c) ** 2))

        def mean(self, z: float) -> float:
            return z

    found = find([[1.0], [2.0]], [1.0, 2.0], loss=Tukey(0.5), fit_intercept=False, rounds=5)
    assert found.coef[0] == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_equal_bits_on_any_number_of_threads(form):
    many = np.tile(X, (100, 1))
    assert many.size * 64 > MIN_PARALLEL_VALUES
    one, two = (find(form(many), np.tile(Y, 100), fit_intercept=False, n_threads=n) for n in (1, 2))
    for a, b in zip(one.rounds, two.rounds, strict=True):
        assert a.objectives.tobytes() == b.objectives.tobytes()


def test_many_rows_are_split_into_several_calls(rng):
    objective = pose(X, Y, LOSSES.resolve("squared"), resolve_penalty(None, 0.0, None), True, RowOptions()).objective
    points, done = rng.normal(size=(16, objective.n_parameters)), []
    apart = mean_losses_at(objective, points, done.append, max_products=1, min_rows=70)
    assert done == [70 / 300, 140 / 300, 210 / 300, 280 / 300, 1.0]
    np.testing.assert_allclose(apart, mean_losses_at(objective, points), rtol=1e-13)


# --- Values that are not finite, and invalid options -----------------------------------------------------------------


def test_losses_that_are_not_finite_rank_last():
    found = find([[400.0], [1.0]], [1.0, 2.0], loss="poisson", fit_intercept=False, span=(-2, 6))
    assert np.isinf(found.rounds[0].objectives).tolist() == [False, False, True, True]
    assert found.objective < math.inf
    everything = find([[1e4], [1e4]], [1.0, 2.0], loss="poisson", fit_intercept=False, cells=2, keep=2, span=(-1, 3))
    assert everything.evaluations == 2 + 4 + 4  # a kept cell is divided, whatever its objective


def test_error_if_no_cell_is_finite():
    with pytest.raises(OptionError, match="not finite in any of the 4 cells: use a smaller span"):
        find([[1.0], [1.0]], [1.0, 2.0], loss="poisson", fit_intercept=False, span=(1e4, 2e4))
    with pytest.raises(DataError, match="NaN"):
        find([[1.0], [math.nan]], [1.0, 2.0])


def test_infeasible_cells_are_infinite():
    found = find([[1.0], [1.0]], [-3.0, -2.0], penalty="nonnegative", fit_intercept=False)
    assert found.coef[0] > 0


def test_remark_if_the_best_cell_is_at_the_edge():
    found = find([[1.0, 0.0], [0.0, 1.0]], [9.0, 0.1], loss="squared", fit_intercept=False)
    assert found.remarks == (
        "the best cell is at the edge of the span of coefficient 0: a wider span may have a better one",
    )
    assert find(np.eye(2), [0.1, 0.2], loss="squared", fit_intercept=False).remarks == ()


@pytest.mark.parametrize(
    ("options", "message"),
    {
        "cells": ({"cells": 1}, "cells must be a whole number, 2 or more, not 1"),
        "rounds": ({"rounds": 0}, "rounds must be a whole number, 1 or more, not 0"),
        "keep": ({"keep": 0}, "keep must be a whole number, 1 or more, not 0"),
        "keep too many": ({"keep": 65}, "keep=65 is more than the 64 cells of the first round"),
        "span": ({"span": 3}, "span must be a pair of numbers"),
        "spans": ({"span": [(0, 1), (0, 1)]}, "pair per parameter .3 pairs, the intercept last."),
        "words": ({"span": ("a", "b")}, "span must be a pair of numbers"),
        "order": ({"span": (1, 0)}, "from a finite number to a larger one, not from 1 to 0"),
        "infinite": ({"span": (0, math.inf)}, "not from 0 to inf"),
        "too many": ({"cells": 60}, "3 parameters with 60 cells each need 648,000 evaluations, and search does at"),
        "too small": ({"rounds": 30}, "30 rounds of 4 cells are too fine for float64"),
        "threads": ({"n_threads": 0}, "n_threads must be a whole number, 1 or more"),
        "loss": ({"loss": "hubr"}, "did you mean 'huber'"),
    }.values(),
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        find(np.eye(2), [1.0, 2.0], **options)


def test_many_columns_are_refused_without_allocating_cells():
    with pytest.raises(OptionError, match="101 parameters with 4 cells each need 1"):
        find(np.zeros((2, 100)), [1.0, 2.0])


@pytest.mark.parametrize("y", [np.eye(2), ["a", "b"]], ids=["targets", "classes"])
def test_several_outputs_are_refused(y):
    loss, X, y = ("softmax", np.eye(3), ["a", "b", "c"]) if isinstance(y, list) else ("squared", np.eye(2), y)
    with pytest.raises(OptionError, match="one target"):
        find(X, y, loss=loss)


def test_ctrl_c_raises_interrupted(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "objectives_at", interrupted)
    with pytest.raises(Interrupted):
        find(np.eye(2), [1.0, 2.0])


# --- The built-in data with two valleys ------------------------------------------------------------------------------

WIDE, DEEP = (1.98276441, 1.37597091), (2.06300746, -3.54476637)


def is_at(coef, place, within):
    """Whether coef is near ``place`` or -``place``, where the loss of phase retrieval is the same."""
    return min(np.abs(np.subtract(coef, place)).max(), np.abs(np.add(coef, place)).max()) <= within


def valleys(**options):
    return find(fastgd.open("valleys"), **PHASE, **options)


def test_valleys_are_where_their_docstring_says():
    table = fastgd.open("valleys")
    axis = np.linspace(-4, 4, 801)
    W = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    F = ((((W @ table.X.T) ** 2) - table.y) ** 2).mean(axis=-1) / 4
    inner = F[1:-1, 1:-1]
    around = [F[1 + a : 800 + a, 1 + b : 800 + b] for a, b in itertools.product((-1, 0, 1), repeat=2) if a or b]
    minima = [(inner[i, j], *W[1 + i, 1 + j]) for i, j in np.argwhere(np.all([inner < other for other in around], 0))]
    minima.sort()
    assert len(minima) == 4
    for value, *place in minima[:2]:
        assert value == pytest.approx(1.68, abs=0.005)
        assert is_at(place, DEEP, 0.011)
    for value, *place in minima[2:]:
        assert value == pytest.approx(5.34, abs=0.005)
        assert is_at(place, WIDE, 0.011)
    for text in ("5.34 at (1.98, 1.38)", "1.68 at (2.07, -3.54)"):
        assert text in landscapes.valleys.__doc__


def test_gradient_descent_ends_in_the_wrong_valley_from_most_starts():
    table = fastgd.open("valleys")
    result = fastgd.fit(table, **table.defaults, method="gd")
    assert is_at(result.coef, WIDE, 1e-4)
    starts = list(itertools.product(np.linspace(-3.9, 3.9, 9), repeat=2))
    ends = [fastgd.fit(table, **{**table.defaults, "start": np.array(s)}, method="gd").coef for s in starts]
    wide, deep = sum(is_at(w, WIDE, 1e-2) for w in ends), sum(is_at(w, DEEP, 1e-2) for w in ends)
    assert wide + deep == len(starts) - 1  # the start at zero is a maximum, where the gradient is zero
    assert wide > deep


def test_search_finds_the_deep_valley():
    found = valleys()
    assert is_at(found.coef, DEEP, 8 / 64 * 1.5)
    table = fastgd.open("valleys")
    result = fastgd.fit(table, **{**table.defaults, "start": found}, method="gd")
    assert is_at(result.coef, DEEP, 1e-4)
    assert result.stationary == "minimum"


def test_more_cells_or_more_kept_cells_find_the_deep_valley():
    """All three have a resolution of 64 x 64."""
    assert is_at(valleys(cells=2, rounds=6).coef, WIDE, 0.1)
    assert is_at(valleys(cells=2, rounds=6, keep=4).coef, DEEP, 0.15)
    assert is_at(valleys(cells=8, rounds=2).coef, DEEP, 0.15)
