"""Proximal Newton on a working set of columns: for penalties with which most of many coefficients are zero.

A step has four parts, and one pass over X:

1. the working set takes up the columns that would leave zero, see `column_choice`;
2. F is minimised over these columns alone: for least squares in one quadratic, else by Newton steps with a line search,
   which read only the gathered columns;
3. the intercept goes to its exact minimum, so that the derivatives of the losses have a mean of zero;
4. a pass over X gives their products with all columns: the gradient, from which the next columns follow, and a bound on
   what is left to gain.

Several outputs share the working set and the pass. Outputs of one target, as in `fit_path`, are solved some at a time
by falling strength of the penalty, each from the solution before. Screening by that bound (Ndiaye et al., Gap safe
screening rules for sparsity enforcing penalties, 2017) would save nothing: X is read by rows, so that a pass reads all
columns. Sources: Lee, Sun and Saunders, Proximal Newton-type methods (2014); Massias, Gramfort and Salmon (2018).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ..certificate.dual_point import derivatives_by_intercept, mix
from ..certificate.remaining import RemainingGain
from ..objective.evaluation import Evaluation
from ..objective.gathered_columns import GatheredColumns, as_gathered, extended_gram, products_with_all
from ..objective.intercept_only import best_constant
from ..objective.intercept_search import MAX_MIXING_COST, around_zero
from ..objective.objective import Objective
from ..objective.penalty_terms import value_of
from ..terms.losses import is_squared, loss_traits
from ..terms.penalties import penalty_traits
from .column_choice import moves, new_columns, whole_groups
from .options import Options
from .plan import Plan
from .protocol import Remaining, RowBlock, SolverBase, Step, StepReport
from .restricted_problem import RestrictedProblem, has_hessian, second_derivatives
from .step_size import StepSize

# Outputs of one target that are solved between two passes. Of 4, 8 and 16, 8 was the fastest for 100 alphas.
OUTPUTS_AT_A_TIME = 8
# What is left counts as nothing below this part of the largest F: the rounding of its sums.
PRECISION = 2.0**-48
# Up to this part of F, a step that gains nothing shows that rounding is all that is left.
NEARLY_NOTHING = 2.0**-36


class WorkingSetState(NamedTuple):
    """The parameters, F and its gradient there, and the working set.

    Attributes
    ----------
    working : the columns of the working set, in the order in which it took them up.
    gram : the Hessian of its first columns, for losses whose second derivative is constant; else empty.
    losses, penalties, gradient : of all outputs, as in `Evaluation`.
    norms : how far a step of the prox with length 1 moves the coefficients of each output.
    bounds : lower bounds on F* of each output; -infinity where there is none.
    remaining : bounds on, or estimates of, F - F* of each output.
    constant : F of the best constant model of each output; infinite before the first step.
    solved, done : whether each output was ever solved by itself, and whether it is at its optimum.
    stalled : whether the last step improved neither F nor the bound of each output.
    squares : the mean square of each column, for estimates; empty where there are bounds.
    damping : floors of the second derivatives of each output, see `RestrictedProblem`.
    latest : the last output that was solved; -1 for none.
    """

    params: np.ndarray
    t: int
    working: np.ndarray
    gram: np.ndarray
    losses: np.ndarray
    penalties: np.ndarray
    gradient: np.ndarray
    norms: np.ndarray
    bounds: np.ndarray
    remaining: np.ndarray
    constant: np.ndarray
    solved: np.ndarray
    done: np.ndarray
    stalled: np.ndarray
    squares: np.ndarray
    damping: np.ndarray
    latest: int = -1

    @property
    def objectives(self) -> np.ndarray:
        """F of each output."""
        return np.asarray(self.losses + self.penalties)

    @property
    def magnitudes(self) -> np.ndarray:
        """The larger of |F| here and at the best constant model, to which rounding is relative."""
        constant = np.where(np.isfinite(self.constant), np.abs(self.constant), 0.0)
        return np.asarray(np.maximum(np.abs(self.objectives), constant))


class WorkingSet(SolverBase):
    """The gathered columns are workspace: they follow from the working set."""

    def __init__(self, objective: Objective, options: Options, plan: Plan) -> None:
        self.may_end = bool(options.tol) or options.gap_tol is not None
        self.tol, self.longest, self.seed = float(options.tol or 0.0), plan.learning_rate, options.seed
        self.columns = GatheredColumns.none_of(objective)
        self.left = RemainingGain(objective)
        groups = penalty_traits(objective.penalty).block_numbers
        self.groups = None if groups is None else np.asarray(groups).astype(np.intp)
        y = objective.targets.y
        self.shares_target = objective.several and y.ndim == 2 and y.shape[1] == 1 and not objective.targets.one_vs_rest
        order = np.argsort(-objective.strength, kind="stable") if self.shares_target else np.arange(objective.n_outputs)
        self.order = [int(k) for k in order]

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> WorkingSetState:
        n_outputs, d = objective.n_outputs, objective.n_features
        used = np.flatnonzero(np.atleast_2d(params)[:, :d].any(axis=0))
        working = used if self.groups is None else whole_groups(used, self.groups)
        none, infinite, no = np.zeros(n_outputs), np.full(n_outputs, np.inf), np.zeros(n_outputs, bool)
        return WorkingSetState(
            params, 0, working.astype(np.int64), np.empty((0, 0)), none.copy(), none.copy(), np.zeros_like(params),
            none.copy(), -infinite, infinite.copy(), infinite, no.copy(), no.copy(), no, np.zeros(0), none,
        )  # fmt: skip

    def step(self, objective: Objective, state: WorkingSetState, rows: RowBlock, step_size: StepSize) -> Step:
        if state.done.all() and self.may_end:
            return state, self._report(state)._replace(is_epoch=False)
        before = state.remaining.copy(), state.objectives.copy()
        state = self._evaluate_start(objective, state) if state.t == 0 else self._solve_some(objective, state)
        state = state._replace(t=state.t + 1, stalled=self._stalled(state, *before))
        state = state._replace(done=self._is_within(state) | state.stalled)
        return state, self._report(state)

    def report(self, state: WorkingSetState) -> StepReport:
        return super().report(state)._replace(running_losses=state.losses)

    # --- Parts of a step --------------------------------------------------------------------------------------------

    def _evaluate_start(self, objective: Objective, state: WorkingSetState) -> WorkingSetState:
        self._gather(objective, state.working)
        rows = np.atleast_2d(state.params)
        if not self.left.is_bound:
            state = state._replace(squares=objective.mean_squares)
        if self.shares_target and bool((rows == rows[0]).all()):
            state = self._evaluate(objective, state, [0], range(objective.n_outputs))
        else:
            state = self._evaluate(objective, state, range(objective.n_outputs), ())
        if not rows[:, : objective.n_features].any():
            return state._replace(constant=state.losses.copy())
        return state._replace(constant=best_constant(objective).losses)

    def _solve_some(self, objective: Objective, state: WorkingSetState) -> WorkingSetState:
        todo = [k for k in self.order if not state.done[k]] or self.order
        chosen = todo[:OUTPUTS_AT_A_TIME] if self.shares_target else todo
        known = len(state.working)
        state = self._grown(objective, state, chosen)
        is_complete = known == len(state.working)
        if is_squared(objective.loss) and has_hessian(objective, len(state.working)):
            second = float(objective.loss.curvature()) * objective.rows.weights / objective.n_samples
            state = state._replace(gram=extended_gram(state.gram, self.columns, second, objective.fit_intercept))
        for k in chosen:
            state = self._solve(objective, state, k, is_complete)
        return self._evaluate(objective, state, chosen, ())

    def _grown(self, objective: Objective, state: WorkingSetState, chosen: list[int]) -> WorkingSetState:
        d, moved, in_use = objective.n_features, np.zeros(objective.n_features), 0
        params, gradient = np.atleast_2d(state.params), np.atleast_2d(state.gradient)
        for k in chosen:
            origin = self._origin(state, k)
            each = moves(objective, k, params[origin, :d], gradient[origin, :d])
            largest = each.max(initial=0.0)
            if largest > 0.0:
                moved = np.maximum(moved, each / largest)
            in_use = max(in_use, int(np.count_nonzero(params[origin, :d])))
        new = new_columns(moved, state.working, in_use, self.groups)
        if len(state.working) + len(new) > objective.n_samples:
            state = self._pruned(state, moved)
        working = np.concatenate([state.working, new])
        self._gather(objective, working)
        objective.count_pass(1.0 if objective.sparse and len(new) else len(new) / max(d, 1))
        return state._replace(working=working)

    def _pruned(self, state: WorkingSetState, moved: np.ndarray) -> WorkingSetState:
        """Without the columns that no output uses and that would not move: more columns than rows are dependent."""
        unused = ~np.atleast_2d(state.params)[:, state.working].any(axis=0)
        kept = ~unused | (moved[state.working] > 0.0)
        if self.groups is not None:
            kept = np.isin(self.groups[state.working], self.groups[state.working[kept]])
        first = kept[: len(state.gram)]
        self.columns = self.columns.part(kept)
        return state._replace(working=state.working[kept], gram=state.gram[np.ix_(first, first)])

    def _gather(self, objective: Objective, working: np.ndarray) -> None:
        self.columns = as_gathered(objective, self.columns, working)

    def _origin(self, state: WorkingSetState, k: int) -> int:
        """The output from whose parameters output k goes on: itself, or the one solved before it."""
        return state.latest if self.shares_target and not state.solved[k] and state.latest >= 0 else k

    def _solve(self, objective: Objective, state: WorkingSetState, k: int, is_complete: bool) -> WorkingSetState:
        """Minimise F of output k over the columns of the working set: to the end where that took up no column."""
        d, params, origin = objective.n_features, np.atleast_2d(state.params), self._origin(state, k)
        groups = None if self.groups is None else self.groups[state.working]
        problem = RestrictedProblem(objective, k, self.columns, groups, self.longest, self.seed)
        w = params[origin, state.working]
        b = float(params[origin, d]) + float(self.columns.means @ w) if objective.fit_intercept else 0.0
        gram = state.gram if len(state.gram) == len(w) else None
        enough = self._enough(state, k)
        remaining = enough if is_complete and state.solved[k] else float(state.remaining[k])
        w, b, damping = problem.minimise(w, b, gram, remaining, enough, float(state.damping[k]))
        params[k] = 0.0
        params[k, state.working] = w
        if objective.fit_intercept:
            params[k, d] = b - float(self.columns.means @ w)
        state.damping[k], state.solved[k] = damping, True
        return state._replace(latest=k)

    def _enough(self, state: WorkingSetState, k: int) -> float:
        """How exact F has to be in the end."""
        F = float(state.losses[k])
        return max(self.tol * (float(state.constant[k]) - F), PRECISION * abs(F), np.finfo(float).tiny)

    def _evaluate(
        self, objective: Objective, state: WorkingSetState, chosen: range | list[int], copies: range | tuple[()]
    ) -> WorkingSetState:
        """Move the intercepts of the chosen outputs to their minima, and make the pass.

        The first output stands for all ``copies``, which differ from it in the strength of the penalty alone.
        """
        d, working = objective.n_features, state.working
        params, gradient = np.atleast_2d(state.params), np.atleast_2d(state.gradient)
        U, levels, seconds = np.empty((len(chosen), objective.n_samples)), [], []
        for row, k in enumerate(chosen):
            w = params[k, working]
            b = float(params[k, d]) + float(self.columns.means @ w) if objective.fit_intercept else 0.0
            z = self.columns.predictor(w)
            z = z + objective.targets.offset if len(objective.targets.offset) else z
            b, state.losses[k], mean, level = self._balanced(objective, k, z, b, float(self.columns.means @ w), U[row])
            if objective.fit_intercept:
                params[k, d], gradient[k, d] = b, mean
            levels.append(level)
            seconds.append(1.0 if self.left.is_bound else mean_second_derivative(objective, k, z + b))
        V = products_with_all(objective, U)
        objective.count_pass(len(chosen) / objective.n_outputs)
        for row, k in enumerate(chosen):
            gradient[k, :d] = V[row]
        for k in copies:
            params[k], gradient[k], state.losses[k] = params[0], gradient[0], state.losses[0]
        for row, k in enumerate([*chosen, *copies]):
            of = row if row < len(levels) else 0
            self._measure(objective, state, k, levels[of], seconds[of])
        return state

    def _balanced(
        self, objective: Objective, k: int, z: np.ndarray, b: float, shift: float, out: np.ndarray
    ) -> tuple[float, float, float, float]:
        """The best intercept, the mean loss and mean derivative there, and the level of the dual point in ``out``.

        ``b`` is the intercept of centred columns, from which the intercept of the columns differs by ``shift``.
        """
        at = derivatives_by_intercept(objective, k, z)
        here = at(b, np.empty_like(z))
        if not objective.fit_intercept:
            out[:] = here.rows
            return b, here.loss, 0.0, here.loss
        between = around_zero(at, here, loss_traits(objective.loss).curvature or 1.0)
        if between is None:
            out[:] = here.rows
            return b - shift, here.loss, here.mean, -np.inf
        low, high = between
        share, level = mix(low, high)
        out[:] = low.rows if share == 0.0 else (1.0 - share) * low.rows + share * high.rows
        best = low if low.loss <= high.loss else high
        # The intercept of columns that are not centred is rounded.
        b = best.b - shift
        rounded = b + shift
        if rounded != best.b:
            best = at(rounded, np.empty_like(z))
        mean = 0.0 if best.loss - level <= MAX_MIXING_COST * abs(best.loss) else best.mean
        return b, best.loss, mean, level

    def _measure(self, objective: Objective, state: WorkingSetState, k: int, level: float, second: float) -> None:
        """Bound what is left to gain in output k, or estimate it from the mean ``second`` derivative of the losses."""
        d, params, gradient = objective.n_features, np.atleast_2d(state.params), np.atleast_2d(state.gradient)
        w, v, loss = params[k, :d], gradient[k, :d], float(state.losses[k])
        state.penalties[k] = value_of(objective.penalty, w, float(objective.strength[k]), objective.penalty_weights)
        state.norms[k] = np.linalg.norm(moves(objective, k, w, v))
        if not self.left.is_bound:
            state.remaining[k] = self.left.estimate(k, w, v, second * state.squares)
            return
        F, gap = float(state.objectives[k]), self.left.bound(k, w, v, loss, level)
        state.bounds[k] = max(state.bounds[k], F - gap) if np.isfinite(gap) else state.bounds[k]
        state.remaining[k] = min(gap, F - state.bounds[k])

    # --- Stopping ---------------------------------------------------------------------------------------------------

    def _is_within(self, state: WorkingSetState) -> np.ndarray:
        """Whether what is left is at most ``tol`` times what the fit gains over a constant model, or rounding."""
        gained = np.maximum(state.constant - state.objectives, 0.0)
        nothing = PRECISION * state.magnitudes
        return np.asarray(state.remaining <= np.maximum(self.tol * (gained + state.remaining), nothing))

    @staticmethod
    def _stalled(state: WorkingSetState, remaining: np.ndarray, objectives: np.ndarray) -> np.ndarray:
        """Whether rounding ends the progress of each output: the step gained nothing, and nearly nothing is left."""
        without = (state.remaining > 0.5 * remaining) & (objectives - state.objectives <= PRECISION * state.magnitudes)
        return np.asarray(without & state.solved & (state.remaining <= NEARLY_NOTHING * state.magnitudes))

    def _report(self, state: WorkingSetState) -> StepReport:
        at = Evaluation(state.params.copy(), state.losses.copy(), state.penalties.copy(), state.gradient.copy())
        kind: Literal["bound", "estimate"] = "bound" if self.left.is_bound else "estimate"
        return StepReport(
            at.losses, self.longest, lambda: at.gradient, at, (at,), state.norms.copy(), None,
            Remaining(state.remaining.copy(), kind), stop_reason="precision" if state.done.all() else "",
        )  # fmt: skip


def mean_second_derivative(objective: Objective, k: int, z: np.ndarray) -> float:
    """The weighted mean of the second derivatives of the losses of output k at the linear predictors."""
    return float(second_derivatives(objective, k, z).mean())
