"""svrg and saga: updates for single rows whose noise vanishes at the optimum, so that a constant rate reaches it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..data.feature_matrix import centred
from ..kernels.outputs_gradient import is_joint
from ..kernels.row_access import CSR
from ..kernels.variance_reduced_epoch import Drift, Pace, variance_reduced_epoch, variance_reduced_general
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..objective.stationary_points import is_convex
from ..terms.penalties import ElasticNet
from .options import Options
from .plan import Plan, make_stepper
from .protocol import RowBlock, SolverBase, Step, StepReport
from .row_calls import row_gradient, rows_per_call
from .stationarity import all_small, mapping_norms, norms_at_zero
from .step_size import StepSize

# Passes of updates between two anchors of svrg. Of 1 to 3 passes with rates of 1 / L_max to 1 / (4 L_max), this did
# well on all of four kinds of data; none was the best on all.
PASSES_BETWEEN_ANCHORS = 1
# Maximum updates of a kernel call: their decays are stored in a table of powers.
MAX_UPDATES_PER_CALL = 1 << 17


class VarianceReducedState(NamedTuple):
    """Parameters after ``t`` updates, and the stored gradients that correct each update.

    ``row_derivatives`` holds dloss/dz of each row at its last evaluation, (n_outputs, n_samples) or (n_samples,
    n_outputs); ``mean_gradient`` is the mean of the gradients they give. An anchor is a pass that evaluates all of them
    again. ``update_passes`` counts the passes of updates, ``passes_at_anchor`` the ones before the last anchor.
    """

    params: np.ndarray
    t: int
    row_derivatives: np.ndarray
    mean_gradient: np.ndarray
    update_passes: int = 0
    passes_at_anchor: int = 0
    needs_anchor: bool = True
    reference_norms: np.ndarray | None = None


class LazyUpdates:
    """Updates for elastic-net penalties, one output after the other: on sparse rows they cost the non-zeros."""

    def __init__(self, objective: Objective, plan: Plan) -> None:
        shift, self.preconditioner = plan.preconditioner.shift, plan.preconditioner
        # Updates subtract the shift from dense rows, but on sparse rows they visit only the stored columns.
        self.X = centred(objective.X, shift) if isinstance(objective.X, CSR) and shift.any() else objective.X
        self.rates = plan.output_rates
        self.rows_per_call = min(rows_per_call(objective, 1), MAX_UPDATES_PER_CALL)
        self.outputs = (
            [objective.of_output(k) for k in range(objective.n_outputs)] if objective.several else [objective]
        )
        self.drifts: list[Drift] = []
        self.rate = np.nan

    def empty_table(self, objective: Objective) -> np.ndarray:
        return np.zeros((objective.n_outputs, objective.n_samples))

    def anchor(self, params: np.ndarray, table: np.ndarray) -> list[Evaluation]:
        """Evaluate each output at ``params`` and fill the table."""
        rows = np.atleast_2d(params)
        return [one.evaluate(rows[k], row_derivatives=table[k]) for k, one in enumerate(self.outputs)]

    def run(
        self, objective: Objective, state: VarianceReducedState, order: np.ndarray, rate: float, share: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """An update for each row: the summed losses before each, and how far the last derivatives moved."""
        params, mean = np.atleast_2d(state.params), np.atleast_2d(state.mean_gradient)
        self._set_rate(objective, rate, len(state.row_derivatives[0]))
        total, moves = np.empty(objective.n_outputs), np.empty(objective.n_outputs)
        for k, (one, drift) in enumerate(zip(self.outputs, self.drifts, strict=True)):
            table = state.row_derivatives[k]
            before = table[order[-1]]
            losses, last = variance_reduced_epoch(
                self.X, one.targets, order, table, share, objective.loss, params[k], mean[k], drift
            )
            total[k], moves[k] = losses, last - before
        return total, moves

    def _set_rate(self, objective: Objective, rate: float, n_samples: int) -> None:
        if rate == self.rate:
            return
        self.rate, S = rate, self.drifts[0].S if self.drifts else None
        l1, l2 = objective.penalty.l1 * objective.strength, objective.penalty.l2 * objective.strength
        max_updates = min(self.rows_per_call, n_samples)
        self.drifts = []
        for k, share in enumerate(self.rates):
            pace = Pace(float(rate * share), float(l1[k]), float(l2[k]))
            drift = Drift.make(objective.X, pace, self.preconditioner, objective.penalty_weights, max_updates, S)
            S = drift.S
            self.drifts.append(drift)


class GeneralUpdates:
    """Updates for any penalty, and for losses of all outputs together: each costs the number of parameters."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.stepper = make_stepper(objective, options, plan)
        self.z, self.losses = np.zeros(objective.n_outputs), np.zeros(objective.n_outputs)
        targets = objective.targets
        self.targets = targets if objective.several else targets._replace(y=targets.y[:, None])
        work = 4 * objective.n_features * objective.n_outputs
        self.rows_per_call = rows_per_call(objective, 1, values_per_update=work)
        self.objective = objective

    def empty_table(self, objective: Objective) -> np.ndarray:
        return np.zeros((objective.n_samples, objective.n_outputs))

    def anchor(self, params: np.ndarray, table: np.ndarray) -> list[Evaluation]:
        """Evaluate F at ``params`` and fill the table."""
        return [self.objective.evaluate(params, row_derivatives=table if self.objective.several else table[:, 0])]

    def run(
        self, objective: Objective, state: VarianceReducedState, order: np.ndarray, rate: float, share: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """An update for each row: the summed losses before each, and how far the last derivatives moved."""
        before = state.row_derivatives[order[-1]].copy()
        self.losses[:] = 0.0
        variance_reduced_general(
            objective.X, self.targets, order, rate, state.row_derivatives, share, objective.loss,
            np.atleast_2d(state.params), np.atleast_2d(state.mean_gradient), self.stepper, self.z, self.losses,
        )  # fmt: skip
        return self.losses.copy(), self.z - before


class VarianceReduced(SolverBase):
    """svrg: every other pass is an anchor. saga: the first pass is, and each update renews its row's stored gradient.

    The stopping test needs the full gradient, which an anchor gives. saga makes another anchor when the mean of its
    stored gradients is small enough. Sources: see `variance_reduced_epoch`.
    """

    rows_per_update = 1

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.is_saga, self.tol, self.is_convex = plan.method == "saga", options.tol, is_convex(objective)
        lazy = isinstance(objective.penalty, ElasticNet) and not is_joint(objective.loss)
        self.updates = LazyUpdates(objective, plan) if lazy else GeneralUpdates(objective, options, plan)
        self.rows_per_call = self.updates.rows_per_call
        self.stepper, self.rate = make_stepper(objective, options, plan), plan.learning_rate

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> VarianceReducedState:
        reference = norms_at_zero(objective, params, self.rate, self.stepper, bool(self.tol))
        table = self.updates.empty_table(objective)
        return VarianceReducedState(params.copy(), 0, table, np.zeros_like(params), reference_norms=reference)

    def order_number(self, state: VarianceReducedState, epoch: int, passes_left: float) -> int | None:
        # An anchor is of use only if a pass of updates follows.
        return None if state.needs_anchor and passes_left > 1 else state.update_passes + 1

    def step(self, objective: Objective, state: VarianceReducedState, rows: RowBlock, step_size: StepSize) -> Step:
        rate = step_size.at(state.update_passes * objective.n_samples, float(rows.epoch - 1))
        if rows.order is None:
            return self._anchor(objective, state, rate)
        return self._update(objective, state, rows, rate)

    def _anchor(self, objective: Objective, state: VarianceReducedState, rate: float) -> Step:
        found = self.updates.anchor(state.params, state.row_derivatives)
        losses = np.concatenate([one.losses for one in found])
        gradient = np.concatenate([one.gradient.ravel() for one in found]).reshape(state.params.shape)
        at = Evaluation(state.params.copy(), losses, objective.penalties(state.params), gradient)
        state.mean_gradient[...] = gradient
        norms = mapping_norms(state.params, gradient, self.rate, self.stepper)
        reference = norms if state.reference_norms is None else state.reference_norms
        state = state._replace(needs_anchor=False, passes_at_anchor=state.update_passes, reference_norms=reference)
        return state, StepReport(at.losses, rate, lambda: gradient, at, (at,), norms, reference)

    def _update(self, objective: Objective, state: VarianceReducedState, rows: RowBlock, rate: float) -> Step:
        order, n = rows.order, objective.n_samples
        assert order is not None
        objective.passes.add(len(order))
        mean = state.mean_gradient.copy()
        losses, moves = self.updates.run(objective, state, order, rate, 1.0 / n if self.is_saga else 0.0)
        state = state._replace(t=state.t + len(order))
        if rows.start + len(order) >= n:
            state = self._after_pass(objective, state._replace(update_passes=state.update_passes + 1))
        i = int(order[-1])
        report = StepReport(losses / len(order), rate, lambda: row_gradient(objective, i, moves) + mean)
        return state, report

    def _after_pass(self, objective: Objective, state: VarianceReducedState) -> VarianceReducedState:
        """Decide whether the next pass is an anchor."""
        if not self.is_saga:
            return state._replace(needs_anchor=state.update_passes - state.passes_at_anchor >= PASSES_BETWEEN_ANCHORS)
        if not self.tol or self.is_convex or state.reference_norms is None:
            return state
        norms = mapping_norms(state.params, state.mean_gradient, self.rate, self.stepper)
        small = all_small(norms, state.reference_norms, self.tol, objective.independent)
        return state._replace(needs_anchor=small)
