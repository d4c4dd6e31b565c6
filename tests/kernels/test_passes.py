"""Kernels that pass over all rows, and kernels after the gradient, against the reference.

Tolerances are bounds on rounding errors. With eps of X's dtype, the error of a dot product of d terms is at most
(d + 3) eps |x|.|w| (Higham, Accuracy and stability of numerical algorithms, 2002, section 3.1); a loss multiplies it by
its largest derivative, its derivative by the largest curvature. All sums over rows are in float64.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from conftest import LAYOUTS, Drawn, problems, share_of_examples
from hypothesis import example, given
from hypothesis import strategies as st

from fastgd.data.feature_matrix import dtype_of
from fastgd.data.row_source import MemoryRows
from fastgd.kernels.batch_gradient import batch_gradient, linear_predictor, mean_loss, row_norms
from fastgd.kernels.row_targets import Targets
from fastgd.kernels.shuffle import shuffle_blocks
from fastgd.kernels.update_step import Preconditioner, Stepper, model_of, update
from fastgd.losses import LOSSES
from fastgd.objective.chunks import MIN_PARALLEL_VALUES, chunk_count, row_blocks
from fastgd.objective.linear_predictor import predict_linear
from fastgd.objective.objective import Objective
from fastgd.objective.penalty_terms import prox_mapping_norm
from fastgd.penalties import ElasticNet
from fastgd.rules import RULES, SGD

EPS = float(np.finfo(np.float64).eps)
DELTA = 1.5  # a loss with a setting, with derivatives up to DELTA and curvature 1
HUBER = LOSSES["huber"](DELTA)

layouts = pytest.mark.parametrize("layout", LAYOUTS)
variants = pytest.mark.parametrize("variant", ["serial", "parallel"])
chunk_counts = st.integers(1, 7)


def launcher(kernel, variant):
    return kernel.serial if variant == "serial" else kernel


class Rounding:
    """Bounds on the rounding errors of a kernel's sums, see the top of the file."""

    def __init__(self, drawn: Drawn, X) -> None:
        n, d = drawn.X.shape
        eps = float(np.finfo(dtype_of(X)).eps)
        size = np.abs(drawn.X)
        self.z = (d + 3) * eps * (size @ np.abs(drawn.w)) + 2 * EPS * abs(drawn.b)
        largest_loss = DELTA * (size @ np.abs(drawn.w) + abs(drawn.b) + np.abs(drawn.y))
        self.loss = DELTA * self.z.mean() + (n + 4) * EPS * largest_loss.mean()
        # dloss_dz is rounded to the dtype of X and multiplied, and eight products are added in that dtype.
        slopes = self.z + (9 * eps + (n + 4) * EPS) * DELTA
        self.gradient = slopes @ size / n
        self.slope = slopes.mean()


def same(value, expected, tolerance):
    np.testing.assert_array_less(np.abs(np.subtract(value, expected)), np.asarray(tolerance) + 1e-300)


# --- Passes over all rows ---------------------------------------------------------------------------------------------


@layouts
@variants
@pytest.mark.parametrize("way", ["blocks", "pairs"])
@given(drawn=problems(), n_chunks=chunk_counts)
def test_batch_gradient(layout, variant, way, drawn, n_chunks):
    X, d = LAYOUTS[layout](drawn.X), len(drawn.w)
    w = drawn.w.astype(dtype_of(X))
    # The content of the arrays before the call must not matter.
    partials, sums, gradient = np.full((n_chunks, d), np.nan), np.full((n_chunks, 2), np.nan), np.full(d + 1, np.nan)
    blocks = row_blocks(X, n_chunks) if way == "blocks" else None
    launch = launcher(batch_gradient, variant)
    value = launch(X, Targets(drawn.y), w, drawn.b, HUBER, partials, sums, blocks, None, gradient)
    expected, slope, loss = reference.batch_gradient(drawn.X, drawn.y, drawn.w, drawn.b, reference.Huber(DELTA))
    rounding = Rounding(drawn, X)
    same(value, loss, rounding.loss)
    same(gradient[:d], expected, rounding.gradient)
    same(gradient[d], slope, rounding.slope)

    without_intercept = np.full(d, np.nan)
    launch(X, Targets(drawn.y), w, drawn.b, HUBER, partials, sums, blocks, None, without_intercept)
    assert without_intercept.tolist() == gradient[:d].tolist()


@layouts
@variants
@given(drawn=problems(), n_chunks=chunk_counts)
def test_mean_loss(layout, variant, drawn, n_chunks):
    X = LAYOUTS[layout](drawn.X)
    w, sums = drawn.w.astype(dtype_of(X)), np.full((n_chunks, 2), np.nan)
    value = launcher(mean_loss, variant)(X, Targets(drawn.y), w, drawn.b, HUBER, sums)
    expected = reference.objective(drawn.X, drawn.y, drawn.w, drawn.b, reference.Huber(DELTA))
    same(value, expected, Rounding(drawn, X).loss)


@layouts
@variants
@given(drawn=problems(), n_chunks=chunk_counts)
def test_linear_predictor(layout, variant, drawn, n_chunks):
    X = LAYOUTS[layout](drawn.X)
    z = np.full(len(drawn.y), np.nan)
    launcher(linear_predictor, variant)(X, drawn.w.astype(dtype_of(X)), drawn.b, n_chunks, z)
    same(z, [reference.dot(x, drawn.w) + drawn.b for x in drawn.X], Rounding(drawn, X).z)


@layouts
def test_linear_predictor_of_no_rows(layout):
    X, z = LAYOUTS[layout](np.zeros((0, 3))), np.zeros(0)
    linear_predictor.serial(X, np.ones(3, dtype_of(X)), 0.5, 2, z)
    assert predict_linear(X, np.ones(3), 0.5).shape == (0,)


@layouts
@variants
@given(drawn=problems(), n_chunks=chunk_counts, data=st.data())
def test_row_norms(layout, variant, drawn, n_chunks, data):
    d = len(drawn.w)
    shift = np.array(data.draw(st.lists(st.floats(-8, 8), min_size=d, max_size=d)))
    inverse = np.array(data.draw(st.lists(st.floats(0.125, 8), min_size=d, max_size=d)))
    norms = np.full(len(drawn.y), np.nan)
    launcher(row_norms, variant)(LAYOUTS[layout](drawn.X), Preconditioner(shift, inverse), n_chunks, norms)
    expected = [sum((v * (x_j - s)) ** 2 for x_j, s, v in zip(x, shift, inverse, strict=True)) for x in drawn.X]
    largest = ((inverse * (np.abs(drawn.X) + np.abs(shift))) ** 2).sum(axis=1)
    # For sparse rows the sum starts from the norm of a row of zeros, so terms that cancel count.
    same(norms, expected, (d + 6) * EPS * (largest + ((inverse * shift) ** 2).sum()))


@pytest.mark.parametrize(
    "shape", [(MIN_PARALLEL_VALUES // 19, 20), (MIN_PARALLEL_VALUES + 2001, 1), (41, MIN_PARALLEL_VALUES // 40)]
)
@layouts
def test_batch_gradient_of_data_large_enough_for_threads(layout, shape):
    random = np.random.default_rng(7)
    n, d = shape
    drawn = Drawn(random.integers(-64, 65, shape) / 16, random.normal(size=n), random.integers(-64, 65, d) / 256, 0.25)
    X = LAYOUTS[layout](drawn.X)
    objective = Objective(MemoryRows(X, Targets(drawn.y)), HUBER, ElasticNet(l1=0.25, l2=0.5))
    assert objective.parallel
    at = objective.evaluate(np.append(drawn.w, drawn.b))
    expected, slope, loss = reference.batch_gradient(drawn.X, drawn.y, drawn.w, drawn.b, reference.Huber(DELTA))
    rounding = Rounding(drawn, X)
    same(at.loss, loss, rounding.loss)
    same(at.gradient, [*expected, slope], [*rounding.gradient, rounding.slope])
    penalty = reference.penalty_value(drawn.w, 0.25, 0.5)
    for value in (at.objective, objective.value(np.append(drawn.w, drawn.b))):
        same(value, loss + penalty, rounding.loss + 4 * d * EPS * penalty)


@given(st.integers(0, 10**10), st.integers(0, 10**7))
def test_chunk_count_bounds(n_values, n_features):
    count = chunk_count(n_values, n_features)
    assert 1 <= count <= 64
    assert count == 1 or n_values / count >= 1 << 15
    # Adding the partial gradients is a small part of the pass.
    assert count <= 2 or count * n_features <= min(n_values / 4, 1 << 23)


# --- After the gradient -----------------------------------------------------------------------------------------------


def in_scaled_variables(params, gradient, preconditioner, d):
    """u = w / scale, b' = b + shift.w, and the gradient in these; b and its derivative are 0 without an intercept."""
    w, b = params[:d], (params[d] if len(params) > d else 0.0)
    slope = gradient[d] if len(gradient) > d else 0.0
    u = [w[j] / preconditioner.scale[j] for j in range(d)]
    slopes = [preconditioner.scale[j] * (gradient[j] - preconditioner.shift[j] * slope) for j in range(d)]
    return u, b + reference.dot(preconditioner.shift, w), slopes, slope


@st.composite
def preconditioners(draw, d):
    shift = draw(st.lists(st.integers(-32, 32).map(lambda k: k / 8), min_size=d, max_size=d))
    inverse = draw(st.lists(st.sampled_from([0.0625, 0.5, 1.0, 3.0, 8.0]), min_size=d, max_size=d))
    return Preconditioner(np.array(shift), np.array(inverse))


@pytest.mark.parametrize("name", RULES)
@given(data=st.data(), d=st.integers(1, 5), has_intercept=st.booleans())
def test_update_in_scaled_and_centred_variables(name, data, d, has_intercept):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    l1, l2 = data.draw(st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)]))
    preconditioner = data.draw(preconditioners(d))
    if not has_intercept:
        preconditioner.shift[:] = 0.0  # no centring without an intercept
    p = d + has_intercept
    params, rules = random.normal(size=p), [reference.RULES[name]() for _ in range(d + 1)]
    stepper = Stepper.make(RULES[name](), ElasticNet(l1, l2), preconditioner, p)
    for t in range(1, 6):
        gradient, lr = random.normal(size=p), 0.1 / t
        w = params[:d].tolist()
        u, b, slopes, slope = in_scaled_variables(params.tolist(), gradient.tolist(), preconditioner, d)
        v = preconditioner.scale
        # In u the penalty of w_j = scale_j u_j is l1 scale_j |u_j| + l2 scale_j^2 u_j^2 / 2, but a decoupled
        # penalty is in the user's units.
        l2s = [l2 if rules[j].decouples else l2 * v[j] ** 2 for j in range(d)]
        u = [reference.penalized_step(rules[j], u[j], slopes[j], lr, l1 * v[j], l2s[j]) for j in range(d)]
        b = rules[d].step(b, slope, lr)
        w = [u[j] * v[j] for j in range(d)]
        update(params, gradient, lr, t, stepper)
        assert params == pytest.approx([*w, b - reference.dot(preconditioner.shift, w)][:p], rel=1e-11, abs=1e-11)
        w = [rules[j].model(u[j], l1 > 0) * v[j] for j in range(d)]
        model = [*w, rules[d].model(b, l1 > 0) - reference.dot(preconditioner.shift, w)][:p]
        assert model_of(params, stepper) == pytest.approx(model, rel=1e-11, abs=1e-11)


@given(data=st.data(), d=st.integers(1, 5), has_intercept=st.booleans(), stepsize=st.sampled_from([0.01, 0.5, 2.0]))
def test_prox_mapping_norm(data, d, has_intercept, stepsize):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    l1, l2 = data.draw(st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)]))
    preconditioner, p = data.draw(preconditioners(d)), d + has_intercept
    params, gradient = random.normal(size=p) * (random.random(p) < 0.8), random.normal(size=p)
    u, _, slopes, slope = in_scaled_variables(params.tolist(), gradient.tolist(), preconditioner, d)
    total = slope**2
    for j, v in enumerate(preconditioner.scale):
        ahead = u[j] - stepsize * (slopes[j] + l2 * v * params[j])
        total += ((u[j] - reference.soft_threshold(ahead, stepsize * l1 * v)) / stepsize) ** 2
    stepper = Stepper.make(SGD(), ElasticNet(l1, l2), preconditioner, p)
    before = params.copy(), gradient.copy()
    norm = prox_mapping_norm(params, gradient, stepsize, stepper, 0)
    # u is subtracted from itself, so its rounding error over the step size counts.
    same(norm, math.sqrt(total), 1e-14 * d * (math.sqrt(total) + max(map(abs, u)) / stepsize))
    assert (params == before[0]).all()
    assert (gradient == before[1]).all()


def test_prox_mapping_norm_is_zero_at_a_stationary_point():
    # w_1 = 0 with |g| <= l1; w_2 = 2 with g = -l1 - l2 w_2; and the intercept's derivative is 0.
    params, gradient = np.array([0.0, 2.0, 0.7]), np.array([0.25, -1.5, 0.0])
    stepper = Stepper.make(SGD(), ElasticNet(l1=0.5, l2=0.5), Preconditioner.identity(2), 3)
    assert prox_mapping_norm(params, gradient, 0.25, stepper, 0) == 0.0


# --- The order of rows ------------------------------------------------------------------------------------------------


def shuffled(blocks, block_size, window, n_samples, bits):
    """Fisher and Yates's shuffle of the rows of each `window` blocks, in its textbook form."""
    order = []
    for first in range(0, len(blocks), window):
        rows = [i for k in blocks[first : first + window] for i in range(k * block_size, (k + 1) * block_size)]
        rows = [i for i in rows if i < n_samples]
        for k in range(len(rows) - 1, 0, -1):
            other = int(bits[len(order) + k]) * (k + 1) >> 32
            rows[k], rows[other] = rows[other], rows[k]
        order += rows
    return order


@given(n=st.integers(0, 120), block_size=st.integers(1, 17), window=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
@example(n=1, block_size=1, window=1, seed=0)
@example(n=64, block_size=16, window=4, seed=0)
def test_shuffle_blocks(n, block_size, window, seed):
    random = np.random.default_rng(seed)
    blocks = random.permutation(-(-n // block_size))
    bits = random.integers(1 << 32, size=n + block_size, dtype=np.uint32)
    order = np.full(n, -1)
    assert shuffle_blocks(blocks, block_size, window, n, bits, order) == n
    assert order.tolist() == shuffled(blocks.tolist(), block_size, window, n, bits)
    assert sorted(order) == list(range(n))


@share_of_examples(0.5)
@given(st.sampled_from([0, 2**32 - 1]), st.integers(1, 40))
def test_shuffle_blocks_with_extreme_random_numbers(bits, n):
    order = np.full(n, -1)
    shuffle_blocks(np.arange(n), 1, n, n, np.full(n, bits, np.uint32), order)
    assert sorted(order) == list(range(n))
