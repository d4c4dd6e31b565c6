"""Mini-batch gradient descent: an update for each batch of rows; gradients of large batches are parallel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compile.jit import of_fixed_types
from ..kernels.averaging import Mean
from ..kernels.minibatch_epoch import Workspace, minibatch_epoch, minibatch_outputs_epoch
from ..kernels.outputs_gradient import OutputsWorkspace
from ..kernels.update_step import Stepper, keeps_model, model_of
from ..objective.chunks import MIN_PARALLEL_VALUES, chunk_count
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from .aligned import aligned
from .options import Options
from .plan import Plan, make_stepper
from .protocol import RowBlock, SolverBase, Step, StepReport
from .row_calls import rows_per_call
from .step_size import StepSize


class MinibatchState(NamedTuple):
    """Parameters after ``t`` updates, the memory m, v, s of the rule, and the mean of the parameters, if asked for."""

    params: np.ndarray
    t: int
    m: np.ndarray
    v: np.ndarray
    s: np.ndarray
    mean: Mean


class MinibatchDescent(SolverBase):
    """For any rule, penalty and preconditioner; with batches of one row it is SGD where that has no kernel."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        n_outputs, d = objective.n_outputs, objective.n_features
        self.rows_per_update = plan.batch_size
        touched = d * n_outputs if objective.sparse and plan.batch_size > 1 else 0  # by an update on sparse rows
        self.rows_per_call = rows_per_call(objective, plan.batch_size, values_per_update=touched)
        self.average, self.keeps_model = int(options.average), keeps_model(options.rule, objective.penalty)
        self.stepper = aligned(make_stepper(objective, options, plan))
        values = int(objective.n_values / objective.n_samples * plan.batch_size) * n_outputs
        n_chunks = chunk_count(values, d * n_outputs) if values >= MIN_PARALLEL_VALUES else 1
        work: Any
        if objective.several:
            work = OutputsWorkspace.make(objective.X, n_outputs, objective.n_parameters, n_chunks)
        else:
            work = Workspace.make(objective.dtype, d, objective.n_parameters, n_chunks)
        self.work, self.losses = aligned(work), aligned(np.zeros(n_outputs))
        kernel = minibatch_outputs_epoch if objective.several else minibatch_epoch
        # The threads are busy with shards already.
        self.launch = of_fixed_types(kernel if n_chunks > 1 and plan.shards == 1 else kernel.serial)

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> MinibatchState:
        m, v, s = (aligned(np.zeros_like(self.stepper.m)) for _ in range(3))
        return MinibatchState(aligned(params), 0, m, v, s, aligned(self.stepper.mean))

    def order_number(self, state: MinibatchState, epoch: int, passes_left: float) -> int | None:
        return epoch

    def step(self, objective: Objective, state: MinibatchState, rows: RowBlock, step_size: StepSize) -> Step:
        order, size, n = rows.order, self.rows_per_update, objective.n_samples
        assert order is not None
        rates = np.empty(-(-len(order) // size))
        step_size.fill(rates, state.t, (rows.epoch - 1) * n + rows.start, size, n)
        objective.passes.add(len(order))
        return self.descend(objective, state, order, rates)

    def descend(self, objective: Objective, state: MinibatchState, order: np.ndarray, rates: np.ndarray) -> Step:
        """Make an update for each batch of ``order``, at its rate."""
        params, stepper, size, first = state.params, self._stepper(state), self.rows_per_update, state.t + 1
        X, targets, loss = objective.X, objective.targets, objective.loss
        if objective.several:
            self.losses[:] = 0.0
            self.launch(X, targets, order, size, rates, first, loss, stepper, params, self.losses, self.work)
            losses = self.losses.copy()
        else:
            losses = np.array(
                [float(self.launch(X, targets, order, size, rates, first, loss, stepper, params, self.work))]
            )
        report = StepReport(losses / len(order), float(rates[-1]), lambda: self.work.gradient.copy())
        return state._replace(t=state.t + len(rates)), report

    def params(self, state: MinibatchState) -> np.ndarray:
        if self.averaged_updates(state):
            return np.asarray(state.mean.weights.reshape(state.params.shape))
        return model_of(state.params, self._stepper(state)) if self.keeps_model and state.t else state.params

    def averaged_updates(self, state: MinibatchState) -> int:
        """Number of updates in the mean that `params` returns; 0 if it returns other parameters."""
        return max(state.t - self.average + 1, 0) if self.average else 0

    def _stepper(self, state: MinibatchState) -> Stepper:
        stepper: Stepper = self.stepper
        return stepper._replace(m=state.m, v=state.v, s=state.s, mean=state.mean)
