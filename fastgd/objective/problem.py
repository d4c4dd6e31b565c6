"""One objective over one set of data: what every method works on, whatever its number of outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..compile.jit import of_fixed_types
from ..compile.prefetch import VALUES_A_LINE
from ..data.held_out import Sample, as_validation_sample, hold_out, is_fraction
from ..data.matrix import as_matrix, check_finite, count_values, dtype_of, shape_of, take_rows
from ..data.row_order import spread_rows
from ..data.table import Table
from ..data.target import as_columns, as_row_values, as_sample_weight, as_target, class_factors, normalized, of_classes
from ..errors import DataError, OptionError
from ..kernels.batch_gradient import batch_gradient, linear_predictor, mean_loss
from ..kernels.minibatch_epoch import Workspace
from ..kernels.outputs_gradient import OutputsWorkspace, is_joint, outputs_gradient, outputs_mean_loss
from ..kernels.row_access import BLOCK_ROWS, CSR
from ..kernels.row_targets import NONE, Targets
from ..kernels.second_derivatives import mean_squares
from ..terms.losses import check_targets
from ..terms.penalties import Box
from .evaluations import Evaluations
from .penalty_terms import prox_of, value_of

# Below this many stored values (1 MB in float64) starting the threads costs more than they save.
PARALLEL_FROM = 1 << 17
# Python's threads take longer to wake, as long as numba's spin beside them: a `threaded` kernel pays from here on.
THREADED_FROM = 1 << 21
# A chunk of rows has about this many values, so that it costs far more than handing it out.
CHUNK_VALUES = 1 << 15
MOST_CHUNKS = 64
# Rows of up to so many bytes, 32 columns of float64, are taken by blocks.
LONGEST_IN_BLOCKS = 256
# The chunks' partial gradients are no more than this many values together (64 MB), but for two of them.
PARTIAL_VALUES = 1 << 23


def chunk_count(n_values: int, n_features: int) -> int:
    """How many chunks to cut a pass into; it depends on the shape alone, so that the bits do too."""
    by_size = min(n_values // CHUNK_VALUES, MOST_CHUNKS)
    # Each chunk has a partial gradient of n_features: keep adding those up a small part of the pass.
    by_width = max(2, min(n_values // 4, PARTIAL_VALUES) // max(n_features, 1))
    return max(1, min(by_size, by_width))


def row_blocks(X: np.ndarray | CSR, n_chunks: int) -> np.ndarray | None:
    """Workspace for `batch_gradient` to take short rows by blocks; None for others."""
    if isinstance(X, CSR) or X.shape[1] * X.itemsize > LONGEST_IN_BLOCKS:
        return None
    return np.zeros((n_chunks, BLOCK_ROWS + VALUES_A_LINE))  # and no two chunks in one cache line


def predict_linear(X: np.ndarray | CSR, coef: np.ndarray, intercept: Any) -> np.ndarray:
    """z = X coef + intercept, float64: shape (n_samples,), or (n_samples, n_outputs) for coef of as many rows."""
    n_samples, n_features = shape_of(X)
    n_values = count_values(X)
    launch = linear_predictor if n_values >= THREADED_FROM else linear_predictor.serial
    z = np.empty((len(np.atleast_2d(coef)), n_samples))
    for k, (w, b) in enumerate(zip(np.atleast_2d(coef), np.atleast_1d(intercept), strict=True)):
        launch(X, w.astype(dtype_of(X)), float(b), chunk_count(n_values, n_features), z[k])
    return z[0] if coef.ndim == 1 else np.ascontiguousarray(z.T)


@dataclass
class Problem:
    """One objective: data, loss and penalty.

    Weights are ``params``: coefficients, then the intercept if fitted, in an array of shape (n_parameters,), or
    (n_outputs, n_parameters) where there are several outputs, over which F sums.

    Attributes
    ----------
    strength, rate_shares : multiply the penalty and the learning rate of each output; (n_outputs,).
    penalty_weights : multiply it for each feature; empty where all are 1.
    independent : whether the outputs are models of their own, of which some may diverge while others converge.
    rows : the numbers that rows have in the user's data, where some of them were left out.
    validation : the rows to validate on; None without.
    losses : mean loss of each output at the weights that `gradient` or `mean_loss` was called with last.
    evaluations : what they were called with.
    """

    X: np.ndarray | CSR
    targets: Targets
    loss: Any
    penalty: Any
    fit_intercept: bool
    feature_names: tuple[str, ...] | None = None
    n_outputs: int = 1
    penalty_weights: np.ndarray = field(default_factory=lambda: NONE)
    rows: np.ndarray | None = None
    independent: bool = False
    validation: Problem | None = None

    def __post_init__(self) -> None:
        self.n_samples, self.n_features = shape_of(self.X)
        self.n_parameters = self.n_features + int(self.fit_intercept)
        self.n_values = count_values(self.X)
        self.dtype = dtype_of(self.X)
        self.strength, self.rate_shares = np.ones(self.n_outputs), np.ones(self.n_outputs)
        self.losses = np.zeros(self.n_outputs)
        work = self.n_values * self.n_outputs  # what a pass costs
        self.parallel = work >= PARALLEL_FROM
        n_chunks = chunk_count(work, self.n_features * self.n_outputs)
        self.evaluations = Evaluations()
        self._drawn: tuple[int, int, np.ndarray, np.ndarray | CSR] | None = None
        self.work: Any
        if self.several:
            self.work = OutputsWorkspace.make(self.X, self.n_outputs, self.n_parameters, n_chunks)
        else:
            self.work = Workspace.make(self.dtype, self.n_features, self.n_parameters, n_chunks)
            self.blocks = row_blocks(self.X, n_chunks)

    @property
    def sparse(self) -> bool:
        return isinstance(self.X, CSR)

    @property
    def several(self) -> bool:
        """Whether there are several outputs, and so weights in two dimensions."""
        return self.n_outputs > 1

    def zeros(self) -> np.ndarray:
        """Weights of zero."""
        return np.zeros((self.n_outputs, self.n_parameters) if self.several else self.n_parameters)

    def draw(self, size: int, seed: int) -> tuple[np.ndarray, np.ndarray | CSR]:
        """The numbers, in order, of random rows, and the rows; all where there are no more than ``size`` of them.

        The last ones are kept, since those who ask for statistics ask for the same.
        """
        if size >= self.n_samples:
            return np.arange(self.n_samples), self.X
        if self._drawn is None or self._drawn[:2] != (size, seed):
            rows = spread_rows(self.n_samples, size, seed)
            self._drawn = size, seed, rows, take_rows(self.X, rows)
        return self._drawn[2:]

    @cached_property
    def mean_squares(self) -> np.ndarray:
        """That of each column over all rows, (n_features,), however they are weighted; it takes a pass over X."""
        launch = mean_squares if self.n_values >= THREADED_FROM else mean_squares.serial
        squares = np.empty(self.n_features)
        launch(self.X, np.empty((chunk_count(self.n_values, self.n_features), self.n_features)), squares)
        return squares

    def default_start(self, seed: int) -> np.ndarray:
        """Zero, or random normal weights for a loss whose gradient is zero there: a saddle, or a maximum."""
        params = self.zeros()
        if getattr(self.loss, "random_start", False):
            coef = params[..., : self.n_features]
            coef[:] = np.random.default_rng(seed).standard_normal(coef.shape)
        self.project(params)
        return params

    def project(self, params: np.ndarray) -> None:
        """Bring ``params`` within the bounds of the penalty, where it has some."""
        for row in np.atleast_2d(params):
            prox_of(self.penalty, row[: self.n_features], np.zeros(self.n_features))  # a step of 0 moves nothing else

    def gradient(self, params: np.ndarray, table: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Mean loss and its mean gradient at ``params``, without the penalty; the array is reused by the next call.

        Into ``table``, of the shape (n_samples,), or (n_samples, n_outputs) of several, go the slopes of the rows.
        """
        work = self.work
        if table is None and self.evaluations.recall(params, self.losses, with_gradient=True):
            return float(self.losses.sum()), work.gradient
        if self.several:
            launch = outputs_gradient if self.parallel else outputs_gradient.serial
            launch(self.X, self.targets, params, self.n_features, self.loss, work, table)
            self.losses[:] = work.losses
        else:
            kernel = self._batch_gradient if table is None else batch_gradient
            launch = kernel if self.parallel else kernel.serial
            coef, b = self._split(params)
            room = (work.partials, work.sums, self.blocks)
            self.losses[0] = launch(self.X, self.targets, coef, b, self.loss, *room, table, work.gradient)
        self.evaluations.add(params, self.losses, work.gradient)
        return float(self.losses.sum()), work.gradient

    @cached_property
    def _batch_gradient(self) -> Any:
        return of_fixed_types(batch_gradient)

    def look(self, params: np.ndarray) -> np.ndarray:
        """A copy of the gradient at ``params``, which joins the `evaluations`, but the last one stays the last."""
        losses, gradient, last = self.losses.copy(), self.work.gradient.copy(), self.evaluations.last
        found = self.gradient(params)[1].copy()
        self.losses[:], self.work.gradient[:], self.evaluations.last = losses, gradient, last
        return found

    def mean_loss(self, params: np.ndarray) -> float:
        if self.evaluations.recall(params, self.losses):
            return float(self.losses.sum())
        if self.several:
            launch = outputs_mean_loss if self.n_values * self.n_outputs >= THREADED_FROM else outputs_mean_loss.serial
            launch(self.X, self.targets, params, self.n_features, self.loss, self.work)
            self.losses[:] = self.work.losses
        else:
            launch = mean_loss if self.n_values >= THREADED_FROM else mean_loss.serial
            coef, b = self._split(params)
            self.losses[0] = launch(self.X, self.targets, coef, b, self.loss, self.work.sums)
        self.evaluations.add(params, self.losses)
        return float(self.losses.sum())

    def penalties(self, params: np.ndarray) -> np.ndarray:
        """The penalty of each output."""
        rows = np.atleast_2d(params)[:, : self.n_features]
        return np.array(
            [value_of(self.penalty, w, s, self.penalty_weights) for w, s in zip(rows, self.strength, strict=True)]
        )

    def penalty_factors(self, k: int) -> np.ndarray:
        """How many times the penalty counts for each weight of output k, shape (n_features,)."""
        each = self.penalty_weights if len(self.penalty_weights) else np.ones(self.n_features)
        return np.asarray(self.strength[k] * each)

    def penalty_at(self, params: np.ndarray) -> float:
        return float(self.penalties(params).sum())

    def objectives(self, params: np.ndarray) -> np.ndarray:
        """The mean loss plus the penalty of each output."""
        self.mean_loss(params)
        return np.asarray(self.losses + self.penalties(params))

    def objective(self, params: np.ndarray) -> float:
        """F: the mean loss plus the penalty, over all outputs."""
        return self.mean_loss(params) + self.penalty_at(params)

    def output_target(self, k: int) -> np.ndarray:
        """What output k is to predict for each row, shape (n_samples,)."""
        y = self.targets.y
        if self.targets.one_vs_rest:
            return np.where(y[:, 0] == k, 1.0, -1.0)
        return y if y.ndim == 1 else np.ascontiguousarray(y[:, min(k, y.shape[1] - 1)])

    def _split(self, params: np.ndarray) -> tuple[np.ndarray, float]:
        coef = params[: self.n_features].astype(self.dtype)
        return coef, float(params[self.n_features]) if self.fit_intercept else 0.0


@dataclass(frozen=True)
class RowOptions:
    """What `fit` takes for each row, class or feature."""

    sample_weight: Any = None
    class_weight: Any = None
    offset: Any = None
    penalty_weights: Any = None
    validation: Any = None
    seed: int = 0  # of the rows that are held out

    def completed_by(self, table: Table) -> RowOptions:
        """With the weights and the offset of a table, where none were given."""
        weight = table.sample_weight if self.sample_weight is None else self.sample_weight
        return replace(self, sample_weight=weight, offset=table.offset if self.offset is None else self.offset)


def check_problem(
    X: Any, y: Any, loss: Any, penalty: Any, fit_intercept: bool, options: RowOptions = RowOptions()
) -> tuple[Problem, np.ndarray | None]:
    """The problem that ``X`` and ``y`` pose, and the classes of a classification (None for a regression).

    Rows of weight 0 are left out.

    Raises
    ------
    DataError
        See `as_matrix`, `as_target`, `as_sample_weight`, `validation`; and when the lengths of X and y differ.
    """
    matrix, names = as_matrix(X)
    n_samples, n_features = shape_of(matrix)
    if n_samples == 0:
        raise DataError("X has no rows: there is nothing to learn from")
    if n_features == 0:
        raise DataError("X has no columns: there is nothing to learn from")
    if fit_intercept not in (True, False):
        raise OptionError(f"fit_intercept is True or False, not {fit_intercept!r}")
    columns = _columns_for(loss, y, n_samples)
    weight = NONE if options.sample_weight is None else as_sample_weight(options.sample_weight, n_samples)
    offset = NONE if options.offset is None else as_offset(options.offset, loss, n_samples)
    rows = None
    if not weight.all():
        rows = np.flatnonzero(weight)
        matrix, columns, weight = take_rows(matrix, rows), [column[rows] for column in columns], weight[rows]
        offset = offset[rows] if len(offset) else offset
    if hasattr(penalty, "check"):
        penalty.check(n_features)
    data, rows, held_out = _with_validation(
        Sample(matrix, as_target(columns, loss), weight, offset), rows, names, loss, options
    )
    classes = None if options.class_weight is None else class_factors(options.class_weight, data.target)
    factors = as_penalty_weights(options.penalty_weights, penalty, n_features)

    def pose(sample: Sample, **more: Any) -> Problem:
        weights = sample.weight
        if classes is not None:
            weights = of_classes(classes, sample.target) * (weights if len(weights) else 1.0)
        target = sample.target
        targets = Targets(target.y, normalized(weights), sample.offset, target.one_vs_rest)
        return Problem(sample.X, targets, loss, penalty, bool(fit_intercept), names, target.n_outputs, factors, **more)

    try:
        validation = None if held_out is None else pose(held_out)
        return pose(data, rows=rows, validation=validation), data.target.classes
    except MemoryError:
        raise DataError(
            f"X has {n_features:,} columns, whose weights do not fit into memory; hash or drop some"
        ) from None


def _with_validation(
    data: Sample, rows: np.ndarray | None, names: tuple[str, ...] | None, loss: Any, options: RowOptions
) -> tuple[Sample, np.ndarray | None, Sample | None]:
    """The rows to train on, their numbers in the user's data where they are not all, and the rows to validate on."""
    if options.validation is None:
        return data, rows, None
    if not is_fraction(options.validation):
        return data, rows, as_validation_sample(options.validation, data, names, loss)
    check_finite(data.X, names)  # while its rows still have their numbers
    held = hold_out(options.validation, data.target, options.seed)
    kept = np.flatnonzero(~held)
    return data.take(kept), kept if rows is None else rows[kept], data.take(np.flatnonzero(held))


def _columns_for(loss: Any, y: Any, n_samples: int) -> list[np.ndarray]:
    """The targets, of the right length, and within what the loss is defined for."""
    columns = as_columns(y)
    if len(columns[0]) != n_samples:
        raise DataError(f"X has {n_samples} rows but y has {len(columns[0])} values; they must match")
    if not getattr(loss, "classifies", False):
        for column in columns:
            check_targets(loss, column)
    return columns


def as_offset(values: Any, loss: Any, n_samples: int) -> np.ndarray:
    """An offset for each row."""
    if is_joint(loss):
        raise OptionError("an offset is the same for all classes, so to this loss it makes no difference")
    return as_row_values("offset", values, n_samples)


def as_penalty_weights(values: Any, penalty: Any, n_features: int) -> np.ndarray:
    """A factor of the penalty for each feature; empty where all are 1. Bounds hold whatever it is."""
    if values is None:
        return NONE
    if isinstance(penalty, Box):
        raise OptionError("penalty_weights goes with a penalty that has a strength, and bounds have none")
    if not getattr(penalty, "separable", True):
        raise OptionError("penalty_weights goes with penalties of single features, not of groups")
    weights = as_row_values("penalty_weights", values, n_features, "features")
    if (weights < 0).any():
        raise OptionError(f"penalty_weights must be 0 or more, not {weights.min():g}")
    return NONE if (weights == 1).all() else weights
