"""Samples of newton: their Hessian, columns with too few values, and the start of the first pass."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import fastgd
from fastgd.data.feature_matrix import as_matrix
from fastgd.data.row_source import MemoryRows
from fastgd.data.training_data import RowOptions
from fastgd.fitting import pose
from fastgd.kernels.update_step import Preconditioner, Stepper
from fastgd.losses import LOSSES
from fastgd.objective import sampled_hessian as sampled
from fastgd.objective.column_statistics import (
    FIRST_ROWS,
    MIN_SAMPLE_ROWS,
    SAMPLE_ROWS,
    SAMPLE_ROWS_FOR_SQUARED,
    sample_size,
)
from fastgd.objective.factored_hessian import FactoredHessian
from fastgd.objective.intercept_only import constant_losses
from fastgd.objective.objective import Objective
from fastgd.objective.sampled_hessian import MIN_FLOAT32_PRODUCTS, RIDGE, HessianSample, are_independent, effective_rows
from fastgd.objective.scaled_objective import ScaledObjective
from fastgd.penalties import ElasticNet
from fastgd.rules import SGD
from fastgd.solvers import sample_optimum
from fastgd.solvers.curvature_models import DenseCurvature, LimitedMemory
from fastgd.solvers.sample_optimum import hessian_factor
from fastgd.training import run
from fastgd.training.run import MAX_REFINEMENTS

random = np.random.default_rng(11)
N, D = 400, 5
X = random.normal(size=(N, D))
LABELS = np.where(X[:, 0] + random.logistic(size=N) > 0, 1.0, -1.0)


def posed(X, y, loss="logistic", l2=0.01, **rows):
    return pose(X, y, LOSSES.resolve(loss), ElasticNet(l2=l2), True, RowOptions(**rows)).objective


# Repeated so often, the rows are enough for products by kernels, in float32 where that is precise enough.
REPEATS = MIN_FLOAT32_PRODUCTS // (N * (D + 1) ** 2) + 1


def sample_of(X, shift=None, inverse=None, l2=0.01, repeats=1):
    X = sp.vstack([X] * repeats) if sp.issparse(X) else np.tile(X, (repeats, 1))
    problem, d = posed(X, np.tile(LABELS, repeats), l2=l2), X.shape[1]
    preconditioner = Preconditioner(np.zeros(d) if shift is None else shift, np.ones(d) if inverse is None else inverse)
    return HessianSample.draw(ScaledObjective(problem, preconditioner), N * repeats, 0)


def exact_hessian(X, params, shift, inverse):
    p = 1 / (1 + np.exp(-(X @ params[:-1] + params[-1])))
    columns = np.column_stack([(X - shift) * inverse, np.ones(N)])
    found = (columns.T * (p * (1 - p))) @ columns / N + np.diag([*0.01 * inverse**2, 0.0])
    return found + RIDGE * np.diag(found.diagonal())


@pytest.mark.parametrize(("repeats", "tolerance"), [(1, 1e-11), (REPEATS, 1e-4)], ids=["float64", "float32"])
def test_hessian_matches_the_textbook_formula(rng, repeats, tolerance):
    params, shift, inverse = rng.normal(size=D + 1), rng.normal(size=D), 2.0 ** rng.integers(-3, 3, D)
    found = sample_of(X, shift=shift, inverse=inverse, repeats=repeats).hessian(params).matrices[0]
    off = np.abs(found / exact_hessian(X, params, shift, inverse) - 1).max()
    assert off < tolerance
    assert (off > 1e-9) == (repeats > 1)


def test_nearly_dependent_columns_are_summed_in_float64(rng):
    near, params = np.column_stack([X, X[:, 0] + 1e-5 * rng.normal(size=N)]), np.zeros(D + 2)
    for l2, is_precise in ((1e-8, True), (1e-2, False)):  # the larger penalty keeps them apart
        few, many = (sample_of(near, l2=l2, repeats=times).hessian(params).matrices for times in (1, REPEATS))
        assert (np.abs(many / few - 1.0).max() < 1e-9) == is_precise


@pytest.mark.parametrize(("form", "times"), [(np.asarray, 2), (sp.csr_array, 1)], ids=["dense", "csr"])
def test_only_dense_columns_are_tried_in_float32(form, times):
    twice = form(np.column_stack([X, X[:, 0]]))
    sample = sample_of(twice, l2=1e-8, repeats=REPEATS)
    before = sample.objective.passes.training
    sample.hessian(np.zeros(D + 2))
    assert sample.objective.passes.training - before == times


@pytest.mark.parametrize(("n_rows", "among"), [(300, 600), (300, 3000), (600, 3000), (300, 300)])
def test_sample_step_length_is_optimal_on_average(rng, n_rows, among):
    """Of all lengths t, E |(1 - t S^-1 H) e|^2 in the norm of H is least at E tr S^-1 H / E tr (S^-1 H)^2."""
    p, sums = 60, np.zeros(2)
    for _ in range(20):
        rows = rng.normal(size=(among, p))
        product = np.linalg.solve(rows[:n_rows].T @ rows[:n_rows] / n_rows, rows.T @ rows / among)
        sums += np.trace(product), np.trace(product @ product)
    assert hessian_factor(n_rows, among, p) == pytest.approx(sums[1] / sums[0], rel=0.03)


@pytest.mark.parametrize("kind", [DenseCurvature.of, LimitedMemory.over_hessian])
def test_a_model_scaled_by_a_factor_makes_steps_shorter(kind):
    scaled = sample_of(X).scaled
    at = scaled.evaluate(np.zeros(D + 1))
    stepper = Stepper.make(SGD(), scaled.objective.penalty, scaled.preconditioner, D + 1)
    model = kind(sample_of(X).hessian(at.params))
    whole, promised = model.change(at, stepper)
    change, less = model.scaled_by(1.25).change(at, stepper)
    np.testing.assert_allclose(1.25 * change, whole, rtol=1e-6)
    assert 1.25 * less == pytest.approx(promised)


def test_are_independent():
    assert are_independent(FactoredHessian.of(np.diag([1e-12, 1.0, 1e12])[None]))  # units do not matter
    assert are_independent(FactoredHessian.of(np.array([[1.0, 0.9], [0.9, 1.0]])[None]))
    assert not are_independent(FactoredHessian.of(np.array([[1.0, 0.9999], [0.9999, 1.0]])[None]))
    assert not are_independent(FactoredHessian.of(np.array([[1.0, 2.0], [2.0, 1.0]])[None]))  # nor is it positive
    assert not are_independent(FactoredHessian.of(np.full((2, 2), np.nan)[None]))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_effective_rows(form):
    columns = np.zeros((3000, 4))
    columns[:, 0] = np.where(np.arange(3000) % 2, 1.0, -1.0)
    columns[:30, 1] = 5.0
    columns[7, 2] = 1e6
    found = effective_rows(as_matrix(form(columns))[0], np.zeros(4))
    np.testing.assert_allclose(found, [3000, 30, 1, 0])


def test_effective_rows_of_dense_columns_are_centred():
    far = 1e6 + np.where(np.arange(500) % 2, 1.0, -1.0)[:, None]
    np.testing.assert_allclose(effective_rows(far, np.array([1e6])), [500])


# --- The start of the first pass --------------------------------------------------------------------------------------

MANY = 3 * MIN_SAMPLE_ROWS
BIG = random.normal(size=(MANY, 200))
SCORE = BIG[:, 0] - BIG[:, 1]
NUMBERS = BIG @ np.arange(1.0, 201.0) + np.random.default_rng(1).normal(size=MANY)
YES = np.where(SCORE + random.logistic(size=MANY) > 0, "yes", "no")
del random  # tests draw from the fixture `rng`


@pytest.fixture
def passes(monkeypatch):
    """Parameters at which full gradients were computed."""
    asked, evaluate = [], Objective.evaluate

    def told(self, params, **more):
        if self.n_samples == MANY and self.n_features:
            asked.append(params.copy())
        return evaluate(self, params, **more)

    monkeypatch.setattr(Objective, "evaluate", told)
    return asked


@pytest.mark.parametrize("tol", [0, 1e-4])
def test_no_pass_is_spent_on_zero_weights(passes, tol):
    result = fastgd.fit(BIG, YES, loss="logistic", alpha=1e-4, max_epochs=6, tol=tol)
    assert result.method == "newton"
    assert len(passes) - result.n_epochs <= MAX_REFINEMENTS + 1  # for the bound
    assert all(params[:-1].any() for params in passes)
    assert result.trace["objective"][0] == pytest.approx(result.constant_objective, rel=1e-12)
    np.testing.assert_array_equal(result.path[1][:-1], passes[0][:-1])


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-8])
def test_tol_is_a_part_of_what_there_is_to_gain_on_all_rows(tol):
    exact = fastgd.fit(BIG, YES, loss="logistic", alpha=1e-4, tol=0, max_epochs=40)
    result = fastgd.fit(BIG, YES, loss="logistic", alpha=1e-4, tol=tol)
    assert result.stop_reason == "tol"
    to_gain = result.constant_objective - exact.objective
    assert -1e-14 <= result.objective - exact.objective <= tol * to_gain


@pytest.mark.parametrize("loss", ["logistic", "squared", "huber"])
def test_sampled_rows_count_as_fractions_of_a_pass(monkeypatch, loss):
    rows, evaluate, hessian = [], Objective.evaluate, HessianSample.hessian

    def evaluated(self, params, **more):
        if self.n_samples < MANY and self.n_features:
            rows.append(self.n_samples)
        return evaluate(self, params, **more)

    def curved(self, params):
        rows.append(self.objective.n_samples)
        return hessian(self, params)

    others = [2 * FIRST_ROWS]  # for the scales of the columns
    predictors, take, effective = HessianSample.predictors, MemoryRows.take, sampled.effective_rows

    def predicted(self, params):
        if np.atleast_2d(params)[:, :-1].any():
            others.append(self.objective.n_samples)
        return predictors(self, params)

    def copied(self, chosen):
        others.append(len(chosen))
        return take(self, chosen)

    def looked_for_rare_columns(X, shift):
        others.append(len(X) * len(shift) / BIG.shape[1])
        return effective(X, shift)

    monkeypatch.setattr(Objective, "evaluate", evaluated)
    monkeypatch.setattr(HessianSample, "hessian", curved)
    monkeypatch.setattr(HessianSample, "predictors", predicted)
    monkeypatch.setattr(MemoryRows, "take", copied)
    monkeypatch.setattr(sampled, "effective_rows", looked_for_rare_columns)
    monkeypatch.setattr(run, "MAX_REFINED_VALUES", 0)  # the bound samples rows too
    y = YES if loss == "logistic" else 3.0 * SCORE
    result = fastgd.fit(BIG, y, loss=loss, alpha=1e-4, max_epochs=6, tol=0)
    assert len(set(rows)) == (2 if loss == "huber" else 1)  # a part of the sample, where curvatures are uneven
    assert result.trace["passes"][-1] - result.n_epochs == pytest.approx(sum(rows + others) / MANY)


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_training_starts_at_zero_when_the_sample_is_misleading(passes, penalty):
    """Rows outside the sample have the opposite relation."""
    problem = posed(BIG, YES)
    rows, _ = problem.rows.sample(sample_size(problem, for_hessian=True), 0)
    X, z = BIG.copy(), np.where(YES == "yes", 1.0, -1.0)
    others = np.setdiff1d(np.arange(MANY), rows)
    X[others] = -30.0 * X[others]
    given = {"loss": "logistic", "alpha": 1e-2, "penalty": penalty}
    result = fastgd.fit(X, YES, method="newton", scale=False, tol=1e-12, max_epochs=300, **given)
    assert not passes[1][:-1].any()
    assert result.trace["objective"][0] == pytest.approx(result.constant_objective, rel=1e-12)
    assert (np.diff(result.trace["objective"]) <= 1e-12).all()
    method = "lbfgs" if penalty == "l2" else "saga"
    other = fastgd.fit(X, YES, method=method, tol=1e-11, max_epochs=500, **given)
    assert result.objective == pytest.approx(other.objective, rel=1e-8)
    assert np.mean(z * (X @ result.coef + result.intercept) > 0) > 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["in the sample", "elsewhere"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_error_names_row_and_column_of_nan_and_infinity(passes, form, where, value):
    problem = posed(BIG, YES)
    rows, _ = problem.rows.sample(sample_size(problem, for_hessian=True), 0)
    row = rows[5] if where == "in the sample" else np.setdiff1d(np.arange(MANY), rows)[5]
    X = BIG.copy()
    X[row, 3] = value
    with pytest.raises(fastgd.DataError, match=rf"1 NaN or infinite value, the first in row {row + 1}, column 4;"):
        fastgd.fit(form(X), YES, loss="logistic", method="newton")
    assert len(passes) <= 2


@pytest.mark.parametrize(
    "rows", [{}, {"sample_weight": True}, {"offset": True}, {"sample_weight": True, "offset": True}]
)
@pytest.mark.parametrize("loss", ["logistic", "huber", "squared", "half_squared"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_the_loss_at_zero(rng, form, loss, rows):
    y = LABELS if getattr(LOSSES.resolve(loss), "classifies", False) else rng.poisson(2.0, N).astype(float)
    values = {"sample_weight": rng.integers(1, 4, N).astype(float), "offset": rng.normal(size=N)}
    problem = posed(form(X), y, loss, **{name: values[name] for name in rows})
    assert constant_losses(problem, np.zeros(1))[0] == pytest.approx(
        problem.mean_losses(problem.zeros()).sum(), rel=1e-14
    )


def test_least_squares_starts_at_the_minimum_of_the_sample():
    problem = posed(BIG, NUMBERS, "squared")
    rows, _ = problem.rows.sample(sample_size(problem, for_hessian=True), 0)
    some, target = BIG[rows] - BIG[rows].mean(axis=0), NUMBERS[rows] - NUMBERS[rows].mean()
    expected = np.linalg.solve(
        2 * some.T @ some / len(rows) + 0.01 * np.eye(BIG.shape[1]), 2 * some.T @ target / len(rows)
    )
    result = fastgd.fit(BIG, NUMBERS, alpha=0.01, method="newton", max_epochs=1)
    assert result.coef == pytest.approx(expected, rel=1e-5)  # of a Hessian in float32


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_first_step_is_a_shortened_newton_step_of_the_sample(loss, monkeypatch):
    monkeypatch.setattr(sample_optimum, "MAX_DIFFERENCE", 0.0)  # so that the Hessian is made there
    monkeypatch.setattr(sampled, "MIN_FLOAT32_PRODUCTS", 1 << 60)  # and in float64
    y = NUMBERS if loss == "squared" else np.where(YES == "yes", 1.0, -1.0)
    problem = posed(BIG, y, loss)
    rows, _ = problem.rows.sample(sample_size(problem, for_hessian=True), 0)
    weights, after = fastgd.fit(BIG, y, loss=loss, alpha=0.01, method="newton", max_epochs=8, tol=0).path[1:3]
    columns, penalty = np.column_stack([BIG, np.ones(MANY)]), 0.01 * np.diag([*np.ones(BIG.shape[1]), 0.0])
    z = columns @ weights
    slopes = 2 * (z - y) if loss == "squared" else -y / (1 + np.exp(y * z))
    curvature = (np.full(MANY, 2.0) if loss == "squared" else -slopes * (y + slopes))[rows, None]
    hessian = columns[rows].T @ (curvature * columns[rows]) / len(rows) + penalty
    step = np.linalg.solve(hessian, -(columns.T @ slopes / MANY + penalty @ weights))
    assert after - weights == pytest.approx(step / hessian_factor(len(rows), MANY, len(step)), rel=1e-4)


@pytest.fixture
def curved(monkeypatch):
    """Sample size and parameters of the Hessians computed."""
    seen, hessian = [], HessianSample.hessian

    def seeing(self, params):
        seen.append((self.objective.n_samples, params.copy()))
        return hessian(self, params)

    monkeypatch.setattr(HessianSample, "hessian", seeing)
    return seen


@pytest.mark.parametrize("scale", [np.ones(200), 10.0 ** np.linspace(2.5, -2.5, 200)], ids=["alike", "rescaled"])
def test_normal_columns_reuse_the_first_hessian_scaled_by_mean_curvature(monkeypatch, curved, scale):
    """E p (1 - p) x x' is E p (1 - p) times E x x', but along the weights: Stein's lemma. The penalty stays."""
    there, hessian_at_optimum, X = [], sample_optimum.hessian_at_optimum, BIG * scale

    def seeing(search, state, start, n_all):
        there.append((start, search.scaled, hessian_at_optimum(search, state, start, n_all)))
        return there[0][-1]

    monkeypatch.setattr(sample_optimum, "hessian_at_optimum", seeing)
    given = {"loss": "logistic", "alpha": 1e-4, "method": "newton", "tol": 0}
    result = fastgd.fit(X, YES, max_epochs=9, **given)
    ((rows, params),) = curved
    assert rows == sample_size(posed(X, YES), for_hessian=True)
    assert not params[:-1].any()
    p = 1 / (1 + np.exp(-(X @ result.path[1][:-1] + result.path[1][-1])))
    ((start, scaled, found),) = there
    penalty = np.diag(np.append(scaled.penalty_curvature()[0], 0.0))
    times = (found.matrices[0] - penalty) / (start.matrices[0] - penalty)
    assert times == pytest.approx(np.full_like(times, np.mean(p * (1 - p)) / 0.25), rel=0.03)
    above = result.trace["objective"] - fastgd.fit(X, YES, **given).objective
    gamma = result.path.shape[1] * (1 / rows - 1 / MANY)
    assert (above[2:6] < 3 * gamma * above[1:5]).all()


def test_reused_hessian_is_corrected_along_the_first_step(curved):
    """Along the weights the curvature of normal columns falls by more, which earlier steps have shown."""
    X = np.random.default_rng(5).normal(size=(60_000, 10))
    y = np.where(2 * X[:, 6] + X[:, 7] + np.random.default_rng(6).logistic(size=len(X)) > 0, "yes", "no")
    fastgd.fit(X, y, loss="logistic", alpha=1e-4, method="newton", max_epochs=5, tol=0)
    assert len(curved) == 1


def test_rows_of_unequal_length_get_a_new_hessian_at_the_minimum(curved):
    X = BIG * np.random.default_rng(2).choice([0.3, 3.0], size=(MANY, 1))
    y = np.where(3 * (X[:, 0] - X[:, 1]) + np.random.default_rng(3).logistic(size=MANY) > 0, "yes", "no")
    result = fastgd.fit(X, y, loss="logistic", alpha=1e-4, max_epochs=5, tol=0)
    (rows, start), (again, minimum), *_ = curved
    assert rows == again
    assert not start[:-1].any()
    np.testing.assert_array_equal(minimum, result.path[1])


@pytest.mark.parametrize(
    ("form", "options"),
    [(np.asarray, {"loss": "huber"}), (sp.csr_array, {}), (np.asarray, {"penalty": "l1"})],
    ids=["huber", "sparse", "l1"],
)
def test_difficult_samples_are_minimised_on_a_part_first(curved, form, options):
    y = 3.0 * SCORE if "loss" in options else YES
    fastgd.fit(form(BIG), y, alpha=1e-4, method="newton", max_epochs=5, **{"loss": "logistic", **options})
    sample = sample_size(posed(form(BIG), y, options.get("loss", "logistic")), for_hessian=True)
    assert curved[0][0] < sample
    assert next(params[:-1].any() for rows, params in curved if rows == sample)  # where the way has ended


def test_fits_of_few_epochs_do_not_end_above_the_start():
    """The loss is flat at zero for all rows, so that steps by the penalty's curvature overshoot."""
    y = np.where(np.arange(MANY) % 2, 1e3, -1e3) + 50.0 * BIG[:, 0]
    for max_epochs in range(1, 8):
        result = fastgd.fit(BIG[:, :60], y, loss="huber", alpha=1e-4, method="newton", max_epochs=max_epochs)
        assert result.objective <= result.trace["objective"][0]


@pytest.mark.parametrize(("values_a_row", "rows"), [(5, SAMPLE_ROWS), (25, 4 * 60_000 // 25), (200, MIN_SAMPLE_ROWS)])
def test_sample_size_falls_with_the_length_of_sparse_rows(values_a_row, rows):
    """The Gram matrix of the sample costs one or two passes; a row has a product per pair of its values."""
    indices = np.tile(np.arange(values_a_row, dtype=np.int32), 60_000)
    indptr = np.arange(60_001) * values_a_row
    sparse = sp.csr_array((np.ones(len(indices)), indices, indptr), (60_000, 300))
    assert sample_size(posed(sparse, np.tile(LABELS, 150)), for_hessian=True) == rows


@pytest.mark.parametrize(
    ("loss", "for_hessian", "rows"),
    [
        ("logistic", True, SAMPLE_ROWS),
        ("squared", True, SAMPLE_ROWS_FOR_SQUARED),
        ("half_squared", True, SAMPLE_ROWS_FOR_SQUARED),
        ("squared", False, SAMPLE_ROWS),
    ],
)
def test_constant_hessians_take_larger_samples(loss, for_hessian, rows):
    assert sample_size(posed(np.ones((60_000, 3)), np.tile(LABELS, 150), loss), for_hessian) == rows
