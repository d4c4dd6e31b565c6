"""`SGDAdapter`: the stochastic gradient descent of scikit-learn by the solvers of fastgd.

What differs from `fastgd.fit`, and is done here as scikit-learn does it:

- weights of rows and classes are not divided by their mean: each multiplies the step of its row;
- training begins at zero, not at the best constant model, and counts its steps on from earlier calls;
- on sparse rows the rate of the intercept is multiplied by 0.01 (method sgd);
- training stops after ``n_iter_no_change`` epochs that do not lower the best objective by ``tol`` (absolute). The
  objective is the running loss plus the penalty at the end of the epoch, which scikit-learn adds at each step;
- the derivative of a loss is at most 1e12;
- names of losses and learning rates.

What stays different: with l1 and elasticnet, coefficients are thresholded by a proximal step each time, where
scikit-learn accumulates the penalty that a coefficient still owes; rows are shuffled in another order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import compile_error, threads
from ..data.feature_matrix import as_matrix
from ..data.row_order import RowOrder
from ..data.row_source import MemoryRows
from ..kernels.row_targets import Targets
from ..objective.objective import Objective
from ..solvers.options import Options
from ..solvers.plan import make_plan
from ..solvers.protocol import Step
from ..solvers.sgd import StochasticGradientDescent
from ..solvers.solver_choice import make_solver
from ..terms.losses import LOSSES
from ..terms.penalties import ElasticNet
from .clipped_losses import ClippedHalfSquared, ClippedSquaredEpsilonInsensitive, ClippedSquaredHinge

SPARSE_INTERCEPT_FACTOR = 0.01
ADAPTIVE_DIVISOR, SMALLEST_ADAPTIVE_RATE = 5.0, 1e-6
WITH_EPSILON = ("huber", "epsilon_insensitive", "squared_epsilon_insensitive")
CLIPPED: dict[str, Any] = {
    "half_squared": ClippedHalfSquared,
    "squared_hinge": ClippedSquaredHinge,
    "squared_epsilon_insensitive": ClippedSquaredEpsilonInsensitive,
}
LOSS_NAMES = {"log_loss": "logistic", "squared_error": "half_squared"}


class Descent(NamedTuple):
    """Where training ended: the model, the solver's state and the running loss of each epoch."""

    coef: np.ndarray
    intercept: float
    state: Any
    losses: list[float]


def loss_term(name: str, epsilon: float, clipped: bool = False) -> Any:
    """The loss of fastgd for scikit-learn's name; ``clipped``: with a derivative of at most 1e12."""
    name = LOSS_NAMES.get(name, name)
    kind = CLIPPED[name] if clipped and name in CLIPPED else LOSSES[name]
    return kind(float(epsilon)) if name in WITH_EPSILON else kind()


def penalty_term(penalty: str | None, alpha: float, l1_ratio: float | None) -> ElasticNet:
    """The penalty for scikit-learn's parameters."""
    share = {"l1": 1.0, "elasticnet": l1_ratio or 0.0, "l2": 0.0}.get(str(penalty).lower())
    return ElasticNet() if share is None else ElasticNet(l1=alpha * share, l2=alpha * (1.0 - share))


class SGDAdapter:
    """One binary classification or regression; ``params`` are an SGD estimator with its parameters."""

    def __init__(
        self, params: Any, X: Any, y: np.ndarray, weight: np.ndarray, *, alpha: float, learning_rate: str, seed: int,
        held_out: np.ndarray,
    ) -> None:  # fmt: skip
        self.params, self.alpha, self.learning_rate = params, alpha, learning_rate
        matrix, _ = as_matrix(X)
        weight = np.zeros(0) if (weight == 1.0).all() else np.asarray(weight, dtype=np.float64)
        rows = MemoryRows(matrix, Targets(np.asarray(y, dtype=np.float64), weight))
        penalty = penalty_term(params.penalty, alpha, params.l1_ratio)
        self.loss = loss_term(params.loss, params.epsilon, clipped=True)
        self.objective = Objective(rows, self.loss, penalty, bool(params.fit_intercept))
        options = Options(
            method=params.method, rule=params.rule, learning_rate=float(params.eta0), batch_size=params.batch_size,
            scale=False, shuffle=bool(params.shuffle), seed=seed, average=params.average,
        ).bound_to(self.loss, penalty, alpha)  # fmt: skip
        self.solver: Any = make_solver(self.objective, options, make_plan(self.objective, options))
        if rows.sparse and isinstance(self.solver, StochasticGradientDescent):
            self.solver.intercept_factor = SPARSE_INTERCEPT_FACTOR
        self.orders = RowOrder(rows.n_samples, rows.row_bytes, str(options.shuffle), seed)
        self.held_out, self.eta = held_out, float(params.eta0)

    def descend(
        self,
        coef: np.ndarray,
        intercept: float,
        state: Any,
        t: float,
        max_iter: int,
        score: Callable[..., float] | None,
    ) -> Descent:
        """Train from ``coef``, or from a ``state``, whose steps go on; ``t`` is the number of the first step."""
        params = self.objective.zeros()
        params[: len(coef)] = coef
        params[len(coef) :] = intercept
        if state is None:
            state = self.solver.init(self.objective, params, None)
        elif not self.params.average:
            state.params[:] = params
        losses: list[float] = []
        best, waited, n_rows = -np.inf, 0, int((~self.held_out).sum())
        with threads(self.params.n_threads), compile_error(), np.errstate(all="ignore"):
            for epoch in range(max_iter):
                state, loss = self._epoch(epoch + 1, state, t + epoch * n_rows)
                losses.append(loss)
                if self.params.verbose:
                    sys.stdout.write(f"epoch {epoch + 1}: mean loss {loss:.6g}\n")
                model = self.solver.params(state)
                if not np.isfinite(model).all():
                    raise ValueError(
                        f"Floating-point under-/overflow occurred at epoch #{epoch + 1}. Scaling input data with "
                        "StandardScaler or MinMaxScaler might help, or learning_rate='auto'."
                    )
                last, last_intercept = self.objective.split(state.params)
                if score is None:
                    reached = -(loss + float(self.objective.penalties(state.params).sum()))
                else:
                    reached = score(last.astype(coef.dtype), float(last_intercept))
                waited = waited + 1 if self.params.tol is not None and reached < best + self.params.tol else 0
                best = max(best, reached)
                if waited >= self.params.n_iter_no_change:
                    if self.learning_rate != "adaptive" or self.eta <= SMALLEST_ADAPTIVE_RATE:
                        break
                    self.eta, waited = self.eta / ADAPTIVE_DIVISOR, 0
        found, found_intercept = self.objective.split(model)
        return Descent(found.astype(coef.dtype), float(found_intercept), state, losses)

    def _epoch(self, number: int, state: Any, t: float) -> tuple[Any, float]:
        """An epoch of steps; returns the state and the mean loss of the rows, each before its step."""
        order = self.orders.epoch(number)
        if self.held_out.any():
            order = order[~self.held_out[order]]
        total, call = 0.0, self.solver.rows_per_call
        for start in range(0, len(order), call):
            rows = order[start : start + call]
            done: Step = self.solver.descend(self.objective, state, rows, self._rates(t + start, len(rows)))
            state = done[0]
            total += done[1].running_loss * len(rows)
        return state, total / len(order)

    def _rates(self, t: float, n_rows: int) -> np.ndarray:
        """The learning rate of each step on the next ``n_rows`` rows; a batch has that of its first row."""
        steps = t + np.arange(0, n_rows, self.solver.rows_per_update, dtype=np.float64)
        if self.learning_rate == "optimal":
            typical = np.sqrt(1.0 / np.sqrt(self.alpha))
            first = typical / max(1.0, self.loss.derivative(1.0, -typical))
            return np.asarray(1.0 / (self.alpha * (1.0 / (first * self.alpha) + steps - 1.0)))
        if self.learning_rate == "invscaling":
            return np.asarray(self.params.eta0 / steps**self.params.power_t)
        return np.full(len(steps), self.eta)
