"""F over the rows of one data set: the mean loss plus the penalty, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..compile.jit import of_fixed_types
from ..data.row_source import MemoryRows
from ..kernels.batch_gradient import batch_gradient, mean_loss
from ..kernels.minibatch_epoch import Workspace
from ..kernels.outputs_gradient import OutputsWorkspace, outputs_gradient, outputs_mean_loss
from ..kernels.row_targets import NONE, Targets
from ..kernels.second_derivatives import mean_squares
from .chunks import MIN_PARALLEL_VALUES, chunk_count, row_blocks, threaded
from .evaluation import Evaluation
from .passes import PassCounter
from .penalty_terms import prox_of, value_of


class Objective:
    """F(w, b) = mean of s_i loss(y_i, x_i . w + b) + penalty(w), summed over the outputs, on some rows.

    ``params`` are the coefficients, then the intercept if one is fitted: an array of shape (n_parameters,), or
    (n_outputs, n_parameters) for several outputs. An objective keeps workspace but no results: evaluations belong to
    the caller.

    Parameters
    ----------
    rows : X, targets, weights and offsets.
    loss, penalty : terms.
    penalty_weights : factors of the penalty of each feature; empty where all are 1.
    strength : factors of the penalty of each output, shape (n_outputs,); ones unless given.
    rate_shares : factors of the learning rate of each output, shape (n_outputs,); ones unless given.
    independent : whether the outputs are separate models, of which some may diverge while others converge.
    passes : counts the passes; objectives of samples share it with the objective of all rows.
    share_of_pass : how much of a pass it counts as to read all rows: 1 / n_outputs for one of several outputs.
    parallel : whether gradients run on all threads; by default where the rows are enough work for that.
    """

    def __init__(
        self,
        rows: MemoryRows,
        loss: Any,
        penalty: Any,
        fit_intercept: bool = True,
        n_outputs: int = 1,
        *,
        penalty_weights: np.ndarray = NONE,
        strength: np.ndarray | None = None,
        rate_shares: np.ndarray | None = None,
        independent: bool = False,
        passes: PassCounter | None = None,
        share_of_pass: float = 1.0,
        parallel: bool | None = None,
    ) -> None:
        self.rows, self.loss, self.penalty, self.fit_intercept = rows, loss, penalty, fit_intercept
        self.n_outputs, self.penalty_weights, self.independent = n_outputs, penalty_weights, independent
        self.strength = np.ones(n_outputs) if strength is None else strength
        self.rate_shares = np.ones(n_outputs) if rate_shares is None else rate_shares
        self.passes = PassCounter(rows.n_samples) if passes is None else passes
        self.share_of_pass = share_of_pass
        self.X, self.targets, self.dtype = rows.X, rows.targets, rows.dtype
        self.n_samples, self.n_features, self.n_values = rows.n_samples, rows.n_features, rows.n_values
        self.n_parameters = self.n_features + int(fit_intercept)
        work = self.n_values * n_outputs  # values that a pass handles
        self.parallel = work >= MIN_PARALLEL_VALUES if parallel is None else parallel
        self.n_chunks = chunk_count(work, self.n_features * n_outputs)

    def on(self, rows: MemoryRows, passes: PassCounter | None = None) -> Objective:
        """The same F on other rows: a sample, a shard, a validation set. Its passes count as fractions of all rows."""
        return self._with(rows=rows, passes=self.passes if passes is None else passes, parallel=self.parallel)

    def sample(self, size: int, seed: int) -> Objective:
        """The same F on ``size`` random rows, or on all rows if there are no more. Copying rows counts as reading."""
        is_known = self.rows.has_sample(size, seed)
        _, rows = self.rows.sample(size, seed)
        if rows is self.rows:
            return self
        if not is_known:
            self.passes.add(rows.n_samples * self.share_of_pass)
        return self.on(rows)

    def of_output(self, k: int) -> Objective:
        """F of output k alone, for losses that are a sum over the outputs."""
        targets = Targets(self.output_target(k), self.targets.weight, self.targets.offset)
        return self._with(
            rows=self.rows.with_targets(targets),
            n_outputs=1,
            strength=self.strength[k : k + 1],
            rate_shares=self.rate_shares[k : k + 1],
            independent=False,
            share_of_pass=self.share_of_pass / self.n_outputs,
        )

    def side_by_side(self, strength: np.ndarray, rate_shares: np.ndarray) -> Objective:
        """Independent models of a single target: an output for each strength of the penalty and share of the rate."""
        targets = self.targets._replace(y=np.ascontiguousarray(self.targets.y[:, None]))
        return self._with(
            rows=self.rows.with_targets(targets),
            n_outputs=len(strength),
            strength=strength,
            rate_shares=rate_shares,
            independent=True,
            passes=PassCounter(self.n_samples),
        )

    def as_independent(self) -> Objective:
        """The same F, with outputs that may diverge without ending training."""
        return self._with(independent=True, passes=PassCounter(self.n_samples))

    def _with(self, **changes: Any) -> Objective:
        """A copy with some arguments changed."""
        names = "penalty_weights", "strength", "rate_shares", "independent", "passes", "share_of_pass"
        kept = {name: getattr(self, name) for name in ("rows", "n_outputs", *names)} | changes
        rows, n_outputs = kept.pop("rows"), kept.pop("n_outputs")
        return Objective(rows, self.loss, self.penalty, self.fit_intercept, n_outputs, **kept)

    @property
    def sparse(self) -> bool:
        return self.rows.sparse

    @property
    def several(self) -> bool:
        """Whether there are several outputs: parameters then have two dimensions."""
        return self.n_outputs > 1

    # --- Parameters -------------------------------------------------------------------------------------------------

    def zeros(self) -> np.ndarray:
        """Parameters of zero."""
        return np.zeros((self.n_outputs, self.n_parameters) if self.several else self.n_parameters)

    def split(self, params: np.ndarray) -> tuple[np.ndarray, Any]:
        """Coefficients and intercept; the intercept is 0 where none is fitted."""
        d = self.n_features
        return params[..., :d], params[..., d] if self.fit_intercept else np.zeros(params.shape[:-1])

    def project(self, params: np.ndarray) -> None:
        """Move ``params`` into the bounds of the penalty, if it has some."""
        for row in np.atleast_2d(params):
            prox_of(self.penalty, row[: self.n_features], np.zeros(self.n_features))  # a step of 0 changes nothing else

    def count_pass(self, share: float = 1.0) -> None:
        """Count a pass over these rows, or a ``share`` of one."""
        self.passes.add(self.n_samples * self.share_of_pass * share)

    # --- One pass over the rows -------------------------------------------------------------------------------------

    def evaluate(self, params: np.ndarray, *, row_derivatives: np.ndarray | None = None) -> Evaluation:
        """F and its gradient at ``params``, in one pass.

        ``row_derivatives``, of shape (n_samples,), or (n_samples, n_outputs) for several outputs, is filled with
        s_i dloss/dz of each row.
        """
        self.count_pass()
        if self.several:
            work = self._work
            launch = outputs_gradient if self.parallel else outputs_gradient.serial
            launch(self.X, self.targets, params, self.n_features, self.loss, work, row_derivatives)
            losses, gradient = work.losses.copy(), work.gradient.copy()
        else:
            kernel: Any = self._batch_gradient if row_derivatives is None else batch_gradient
            launch = kernel if self.parallel else kernel.serial
            work, blocks, gradient = self._work, self._blocks, np.empty(self.n_parameters)
            coef, b = self._kernel_params(params)
            loss = launch(
                self.X, self.targets, coef, b, self.loss, work.partials, work.sums, blocks, row_derivatives, gradient
            )
            losses = np.array([float(loss)])
        return Evaluation(params.copy(), losses, self.penalties(params), gradient)

    def mean_losses(self, params: np.ndarray) -> np.ndarray:
        """The mean loss of each output at ``params``, shape (n_outputs,), in one pass that makes no gradient."""
        self.count_pass()
        if self.several:
            launch = threaded(outputs_mean_loss, self.n_values * self.n_outputs)
            launch(self.X, self.targets, params, self.n_features, self.loss, self._work)
            return np.array(self._work.losses)
        launch = threaded(mean_loss, self.n_values)
        coef, b = self._kernel_params(params)
        return np.array([float(launch(self.X, self.targets, coef, b, self.loss, self._work.sums))])

    def values(self, params: np.ndarray) -> np.ndarray:
        """F of each output at ``params``, shape (n_outputs,), in one pass."""
        return np.asarray(self.mean_losses(params) + self.penalties(params))

    def value(self, params: np.ndarray) -> float:
        """F at ``params``, in one pass."""
        return float(self.mean_losses(params).sum()) + float(self.penalties(params).sum())

    @cached_property
    def mean_squares(self) -> np.ndarray:
        """The unweighted mean square of each column over all rows, (n_features,), in one pass when first needed."""
        self.count_pass()
        squares, n_chunks = np.empty(self.n_features), chunk_count(self.n_values, self.n_features)
        threaded(mean_squares, self.n_values)(self.X, np.empty((n_chunks, self.n_features)), squares)
        return squares

    # --- The penalty ------------------------------------------------------------------------------------------------

    def penalties(self, params: np.ndarray) -> np.ndarray:
        """The penalty of each output, shape (n_outputs,)."""
        rows = np.atleast_2d(params)[:, : self.n_features]
        return np.array(
            [value_of(self.penalty, w, s, self.penalty_weights) for w, s in zip(rows, self.strength, strict=True)]
        )

    def penalty_factors(self, k: int) -> np.ndarray:
        """Factors of the penalty of each coefficient of output k, shape (n_features,)."""
        weights = self.penalty_weights if len(self.penalty_weights) else np.ones(self.n_features)
        return np.asarray(self.strength[k] * weights)

    def penalty_curvature(self) -> np.ndarray:
        """Second derivative of the smooth part of the penalty in each coefficient, shape (n_outputs, n_features)."""
        factors = np.array([self.penalty_factors(k) for k in range(self.n_outputs)])
        return float(self.penalty.derivative(1.0)) * factors

    # --- Targets ----------------------------------------------------------------------------------------------------

    def output_target(self, k: int) -> np.ndarray:
        """The target of output k for each row, shape (n_samples,)."""
        y = self.targets.y
        if self.targets.one_vs_rest:
            return np.where(y[:, 0] == k, 1.0, -1.0)
        return y if y.ndim == 1 else np.ascontiguousarray(y[:, min(k, y.shape[1] - 1)])

    # --- Workspace, made when it is first needed --------------------------------------------------------------------

    @cached_property
    def _work(self) -> Any:
        if self.several:
            return OutputsWorkspace.make(self.X, self.n_outputs, self.n_parameters, self.n_chunks)
        return Workspace.make(self.dtype, self.n_features, self.n_parameters, self.n_chunks)

    @cached_property
    def _blocks(self) -> np.ndarray | None:
        return row_blocks(self.X, self.n_chunks)

    @cached_property
    def _batch_gradient(self) -> Callable[..., Any]:
        return of_fixed_types(batch_gradient)

    def _kernel_params(self, params: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients in the dtype of X, and the intercept."""
        coef = params[: self.n_features].astype(self.dtype)
        return coef, float(params[self.n_features]) if self.fit_intercept else 0.0
