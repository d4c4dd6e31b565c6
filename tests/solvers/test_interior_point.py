"""Interior points for losses with kinks: the optimum, proved, in any unit, with weights, offsets, penalties, any X."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.optimum import Small
from zoo.losses import Loss
from zoo.optimum import find_optimum
from zoo.problems import Problem

import fastgd
from fastgd import OptionError
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.losses import LOSSES
from fastgd.solvers.interior_point import InteriorPoint, SampleLimits
from fastgd.solvers.options import Options
from fastgd.solvers.plan import make_plan
from fastgd.solvers.protocol import RowBlock
from fastgd.solvers.step_size import StepSize
from fastgd.terms.penalties import resolve_penalty

random = np.random.default_rng(31)
N, D = 90, 4
X = random.normal(size=(N, D))
NUMBERS = 5.0 + X @ [2.0, -1.0, 0.0, 0.0] + random.standard_t(2, N)
LABELS = np.where(X @ [1.0, -1.0, 0.5, 0.0] + random.normal(size=N) > 0.3, 1.0, -1.0)
WEIGHT, OFFSET = random.random(N) + 0.2, random.normal(size=N)
del random
KINKED = {
    "absolute": NUMBERS,
    "quantile": NUMBERS,
    "epsilon_insensitive": NUMBERS,
    "hinge": LABELS,
}
PENALTIES = [{}, {"l1": 0.05}]  # those of HiGHS


def penalty_of(l1=0.0, l2=0.0):
    alpha = l1 + l2
    return {"penalty": "elasticnet", "alpha": alpha, "l1_ratio": l1 / alpha} if alpha else {}


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("loss", KINKED)
def test_the_optimum_and_its_proof(loss, penalty):
    y = KINKED[loss]
    for rows in ({}, {"sample_weight": WEIGHT, "offset": OFFSET}):
        result = fastgd.fit(X, y, loss=loss, method="interior_point", tol=1e-10, **penalty_of(**penalty), **rows)
        small = Small(X, y, loss, weight=rows.get("sample_weight"), offset=rows.get("offset"), **penalty)
        optimum = small.least((np.zeros(D), 0.0))[0]
        value = small(result.coef, result.intercept)
        assert result.objective == pytest.approx(value, rel=1e-11)
        assert value <= optimum * (1 + 1e-9)
        assert result.converged
        assert result.gap_bound >= value - optimum - 1e-12 * abs(value)
        assert result.gap_bound <= 1e-9 * result.constant_objective


@pytest.mark.parametrize("penalty", [{"penalty": "l2"}, {"penalty": "elasticnet", "l1_ratio": 0.5}], ids=str)
@pytest.mark.parametrize(
    "loss", [Loss("absolute"), Loss("quantile", 0.8), Loss("epsilon_insensitive", 0.5), Loss("hinge")], ids=str
)
def test_the_optimum_with_l2_and_its_proof(loss, penalty):
    """The reference is proved in extended precision."""
    y = KINKED[loss.name]
    for fit_intercept, weight, offset in ((True, None, None), (True, WEIGHT, OFFSET), (False, WEIGHT, None)):
        problem = Problem(0, X, y, loss, penalty["penalty"], 0.1, weight, offset, fit_intercept, False)
        optimum = find_optimum(problem)
        assert optimum.kind == "proved"
        result = fastgd.fit(
            X, y, loss=str(loss), method="interior_point", alpha=0.1, tol=1e-10, **penalty,
            sample_weight=weight, offset=offset, fit_intercept=fit_intercept,
        )  # fmt: skip
        gap = result.objective - float(optimum.value)
        assert result.converged
        assert abs(gap) <= 1e-9 * float(optimum.constant)
        assert result.gap_bound >= gap - 1e-13 * float(optimum.constant)
        assert result.gap_bound <= 1e-9 * float(optimum.constant)
        # F is strictly convex in the coefficients.
        np.testing.assert_allclose(result.coef, optimum.coef[0].astype(float), atol=1e-4)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("loss", KINKED)
def test_the_bound_of_a_fit_cut_short(loss, penalty):
    least = Small(X, KINKED[loss], loss, **penalty).least((np.zeros(D), 0.0))[0]
    options = {"loss": loss, "method": "interior_point", "tol": 1e-12, **penalty_of(**penalty)}
    gaps = []
    for epochs in (1, 8, 10):
        result = fastgd.fit(X, KINKED[loss], max_epochs=epochs, **options)
        gaps.append(result.objective - least)
        assert not result.converged
        assert result.gap_bound is None or gaps[-1] <= result.gap_bound < result.objective
    assert 0 < gaps[2] < gaps[1] < gaps[0]


@pytest.mark.parametrize("form", [sp.csr_array, np.float32], ids=["csr", "float32"])
def test_other_forms_of_X_have_the_same_optimum(form):
    dense = fastgd.fit(X, NUMBERS, loss="absolute", tol=1e-10)
    X32 = form(X) if form is sp.csr_array else X.astype(np.float32)
    other = fastgd.fit(X32, NUMBERS, loss="absolute", tol=1e-10)
    assert dense.method == other.method == "interior_point"
    np.testing.assert_allclose(other.objective, dense.objective, rtol=1e-6)


@pytest.mark.parametrize(("scale", "mean"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e9), (1e6, 1e12)])
def test_the_units_of_y_do_not_matter(scale, mean):
    plain = fastgd.fit(X, NUMBERS, loss="quantile:quantile=0.9", tol=1e-9)
    other = fastgd.fit(X, mean + scale * NUMBERS, loss="quantile:quantile=0.9", tol=1e-9)
    assert other.converged
    assert other.objective == pytest.approx(scale * plain.objective, rel=1e-6)


def test_without_an_intercept():
    result = fastgd.fit(X, NUMBERS, loss="absolute", fit_intercept=False, tol=1e-10)
    least = Small(X, NUMBERS, "absolute", intercept=False).least((np.zeros(D), 0.0))[0]
    assert result.objective == pytest.approx(least, rel=1e-9)


def test_penalty_weights():
    weights = np.array([0.0, 1.0, 10.0, 0.5])
    result = fastgd.fit(X, NUMBERS, loss="absolute", penalty="l1", alpha=0.05, penalty_weights=weights, tol=1e-10)
    least = Small(X, NUMBERS, "absolute", l1=0.05, factors=weights).least((np.zeros(D), 0.0))[0]
    assert result.objective == pytest.approx(least, rel=1e-9)


def test_several_targets_are_solved_each():
    Y = np.column_stack([NUMBERS, -2.0 * NUMBERS + X[:, 2]])
    result = fastgd.fit(X, Y, loss="absolute", tol=1e-10)
    alone = [fastgd.fit(X, y, loss="absolute", tol=1e-10).objective for y in Y.T]
    assert result.objective == pytest.approx(sum(alone), rel=1e-9)
    assert result.gap_bound < 1e-8


@pytest.mark.parametrize("loss", ["quantile:quantile=0.95", "epsilon_insensitive:epsilon=0.5", "hinge"])
def test_many_rows_are_solved_by_a_sample_and_the_pieces_near_its_fit(rng, loss):
    n = 6000
    rows = rng.normal(size=(n, 3))
    y = rows @ [1.0, 2.0, 0.0] + rng.standard_t(3, n)
    y = np.where(y > 0.5, 1.0, -1.0) if loss == "hinge" else y
    alpha = 1e-3 if loss == "hinge" else 0.0
    whole = fastgd.fit(rows, y, loss=loss, alpha=alpha, tol=1e-9)
    state, reports, objective = stepped(rows, y, loss, alpha, SampleLimits(max_pieces=500))
    at, bound = reports[-1].evaluation, reports[-1].remaining
    assert at.objectives[0] == pytest.approx(whole.objective, rel=1e-8)
    assert bound.values[0] <= 1e-8 * whole.objective
    assert objective.values(state.params)[0] == pytest.approx(at.objectives[0], rel=1e-12)
    assert objective.passes.training < whole.passes["training"]
    for report in reports:  # also where the pieces near the sample's fit were too few
        gap = report.evaluation.objectives[0] - whole.objective
        assert gap - 1e-9 * whole.objective <= report.remaining.values[0]


def stepped(rows, y, loss, alpha, limits):
    """The state after steps until the bound is small, their reports, and the objective."""
    loss, penalty = LOSSES.resolve(loss), resolve_penalty(None, alpha, None)
    objective = pose(rows, y, loss, penalty, True, RowOptions()).objective
    options = Options(method="interior_point", tol=1e-9).bound_to(loss, penalty, alpha)
    solver = InteriorPoint(objective, options, make_plan(objective, options), limits)
    params = objective.zeros()
    state = solver.init(objective, params, objective.evaluate(params))
    reports, step_size = [], StepSize(options.schedule, 1.0)
    for epoch in range(1, 10):
        state, report = solver.step(objective, state, RowBlock(None, epoch), step_size)
        reports.append(report)
        if report.remaining.values[0] <= 1e-9 * report.evaluation.objectives[0]:
            break
    return state, reports, objective


def test_more_columns_than_rows_interpolate(rng):
    wide = rng.normal(size=(15, 30))
    result = fastgd.fit(wide, rng.normal(size=15), loss="absolute")
    assert result.converged
    assert result.objective < 1e-10


@fastgd.term
class Tilted:
    """2 (z - y) above y, (y - z) below."""

    convex: ClassVar[bool] = True

    def value(self, y: float, z: float) -> float:
        return max(2.0 * (z - y), y - z)

    def derivative(self, y: float, z: float) -> float:
        return 2.0 if z > y else -1.0

    def pieces(self, y):
        return y, np.full_like(y, -1.0), np.full_like(y, 2.0)


def test_a_loss_of_the_users_own_takes_part():
    result = fastgd.fit(X, NUMBERS, loss=Tilted(), tol=1e-10)
    same = fastgd.fit(X, NUMBERS, loss="quantile:quantile=0.3333333333333333", tol=1e-10)
    assert result.method == "interior_point"
    assert result.objective == pytest.approx(3.0 * same.objective, rel=1e-9)


def test_other_losses_and_penalties_are_refused():
    with pytest.raises(OptionError, match="for piecewise-linear losses"):
        fastgd.fit(X, NUMBERS, loss="squared", method="interior_point")
    with pytest.raises(OptionError, match="with the penalties l1, l2 and elasticnet"):
        fastgd.fit(X, NUMBERS, loss="absolute", method="interior_point", penalty="mcp", alpha=0.1)


def test_the_limit_on_passes_is_kept():
    result = fastgd.fit(X, NUMBERS, loss="absolute", max_epochs=10, tol=1e-12)
    assert result.stop_reason == "max_epochs"
    assert not result.converged
    assert result.passes["training"] <= 11
