"""Interior points for losses with kinks: second-order steps to the optimum, with a proof.

Such a loss is a sum of pieces, max over u in [low, high] of u (z - t), and so is an l1 penalty. With few rows one step
solves the whole problem. With many, the first step solves it on a sample. Then pieces far from the fit are taken to
stay on their side, where they are linear, and each step solves the problem of the pieces near the fit; the pass over
all rows that follows finds which pieces changed sides, and how far F is above its minimum at most. Source: Portnoy and
Koenker, The Gaussian hare and the Laplacian tortoise (1997).

An iteration of `predictor_corrector.minimise` counts as a pass over the rows that it is for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..certificate.dual_point import predictor, product
from ..data.feature_matrix import as_scipy
from ..data.row_order import spread_rows
from ..kernels.row_access import CSR
from ..kernels.update_step import Preconditioner
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..objective.smoothness import squared_norms
from .options import Options
from .plan import Plan
from .predictor_corrector import MAX_ITERATIONS, BoxProblem, Solution, minimise
from .protocol import Remaining, RowBlock, SolverBase, Step, StepReport
from .step_size import StepSize

# The optimum of the sample is known to this part of its value.
SAMPLE_TOLERANCE = 1e-3
# Pieces within so many times the expected error of the sample's fit are near. In trials on normal and heavy-tailed
# data, with fewer than 2 a second step was often needed, and more than 4 made the first one longer.
BAND = 3.0
# Part of the allowed gap that a step leaves: an iteration or two more make the bound as good as the fit.
SHARE_OF_TOLERANCE = 0.01
# After a step that was too narrow, pieces within this many times the reach are near.
GROWTH = 4.0
# Passes that a step takes after its iterations.
PASSES_TO_CHECK = 1.0


class SampleLimits(NamedTuple):
    """The size of the sample that is solved for first, where there are more rows.

    Attributes
    ----------
    max_pieces : maximum pieces, those of all rows of the sample.
    max_values : maximum values of X, for the memory they take where rows are long.
    min_rows_per_parameter : minimum rows per parameter, whatever the other limits.
    """

    max_pieces: int = 40_000
    max_values: int = 1 << 23
    min_rows_per_parameter: int = 10

    def n_rows(self, n_pieces: int, n_parameters: int) -> int:
        """Rows of the sample, for a loss of ``n_pieces`` per row."""
        size = min(self.max_pieces // n_pieces, self.max_values // n_parameters)
        return max(size, self.min_rows_per_parameter * n_parameters)


LIMITS = SampleLimits()


class OutputFit(NamedTuple):
    """The best fit of one output so far.

    Attributes
    ----------
    theta : scaled parameters; None before the first step.
    r : scaled residuals z - t of all pieces there, (n_pieces, n_samples).
    params, loss, penalty : the model in the units of the data, its mean loss and its penalty.
    bound : the highest lower bound on F*.
    reach : pieces are near if |r| is at most this times the length of their row.
    is_final : whether all pieces were solved for, so that there is nothing left to do.
    """

    theta: np.ndarray | None
    r: np.ndarray
    params: np.ndarray
    loss: float
    penalty: float
    bound: float
    reach: float
    is_final: bool


class InteriorPointState(NamedTuple):
    """Parameters of all outputs after ``t`` steps, the fit of each, and F and the intercepts at the start."""

    params: np.ndarray
    t: int
    fits: tuple[OutputFit, ...]
    start_values: np.ndarray
    middles: np.ndarray


class ScaledPieces:
    """One output in scaled units: columns of about mean 0 and spread 1, t of about middle 0 and spread 1.

    Attributes
    ----------
    t, low, high : arrays of shape (n_pieces, n_samples); low and high have the weights of the rows.
    middle, unit : t = (t of the loss - middle) / unit.
    own, own_widths : coefficients with an l1 penalty, and half the widths of their boxes.
    ridge : the l2 of each parameter.
    """

    def __init__(self, objective: Objective, preconditioner: Any, middle: float) -> None:
        self.objective, self.middle = objective, middle
        self.shift, self.scale = preconditioner
        weights = objective.rows.weights / objective.n_samples
        t, low, high = (np.atleast_2d(part) for part in objective.loss.pieces(objective.output_target(0)))
        if len(objective.targets.offset):
            t = t - objective.targets.offset
        self.unit = float(np.abs(t - middle).mean()) or 1.0
        self.t, self.low, self.high = (t - middle) / self.unit, low * weights, high * weights
        factors, d = objective.penalty_factors(0), objective.n_features
        widths = objective.penalty.l1 * factors * self.scale
        self.own = np.flatnonzero(widths > 0.0)
        self.own_widths = widths[self.own]
        self.ridge = np.zeros(objective.n_parameters)
        self.ridge[:d] = objective.penalty.l2 * factors * self.unit * self.scale**2

    @property
    def n_samples(self) -> int:
        return self.objective.n_samples

    def params(self, theta: np.ndarray) -> np.ndarray:
        """Parameters in the units of the data."""
        d, params = self.objective.n_features, theta * self.unit
        params[:d] *= self.scale
        if self.objective.fit_intercept:
            params[d] += self.middle - self.shift @ params[:d]
        return params

    def columns(self, rows: np.ndarray) -> np.ndarray:
        """Scaled columns of some rows, the intercept's column of ones included."""
        self.objective.passes.add(len(rows) * self.objective.share_of_pass)
        X = self.objective.rows.take(rows).X
        A = np.ones((len(rows), self.objective.n_parameters))
        A[:, : self.objective.n_features] = as_scipy(X).toarray() if isinstance(X, CSR) else X
        A[:, : self.objective.n_features] -= self.shift
        A[:, : self.objective.n_features] *= self.scale
        return A

    def residuals(self, params: np.ndarray) -> np.ndarray:
        """z - t of all pieces, in scaled units, in a pass over all rows."""
        d = self.objective.n_features
        z = predictor(self.objective, params[:d], np.zeros(0))
        if self.objective.fit_intercept:
            z += params[d] - self.middle
        return np.asarray(z / self.unit - self.t)

    def transposed(self, v: np.ndarray) -> np.ndarray:
        """The sum of v_i times the scaled columns of row i, in a pass over all rows."""
        found, total, d = np.zeros(self.objective.n_parameters), float(v.sum()), self.objective.n_features
        found[:d] = (product(self.objective, v) * self.n_samples - total * self.shift) * self.scale
        if self.objective.fit_intercept:
            found[d] = total
        return found

    def problem(self, chosen: tuple[np.ndarray, np.ndarray], part: float, linear: np.ndarray) -> BoxProblem:
        """The problem of the ``chosen`` pieces, (kinds, rows), which have this ``part`` of the weight."""
        none = np.zeros(len(self.own))
        return BoxProblem(
            self.columns(chosen[1]),
            np.concatenate([self.t[chosen], none]),
            np.concatenate([self.low[chosen] / part, -self.own_widths]),
            np.concatenate([self.high[chosen] / part, self.own_widths]),
            self.own,
            linear,
            self.ridge,
        )

    def losses(self, r: np.ndarray) -> np.ndarray:
        """The loss of each piece, in scaled units."""
        return np.asarray(np.maximum(self.low * r, self.high * r))


class InteriorPoint(SolverBase):
    """Outputs are independent: each step improves them one after the other."""

    def __init__(self, objective: Objective, options: Options, plan: Plan, limits: SampleLimits = LIMITS) -> None:
        self.preconditioner, self.options, self.limits = plan.preconditioner, options, limits
        self._pieces: list[ScaledPieces] = []

    def init(self, objective: Objective, params: np.ndarray, start: Evaluation | None) -> InteriorPointState:
        assert start is not None
        rows = np.atleast_2d(params)
        none = np.zeros((0, 0))
        fits = (
            OutputFit(None, none, row.copy(), float(start.losses[k]), float(start.penalties[k]), -np.inf, np.inf, False)
            for k, row in enumerate(rows)
        )
        middles = rows[:, -1].copy() if objective.fit_intercept else np.zeros(len(rows))
        self._pieces = []
        return InteriorPointState(params, 0, tuple(fits), start.objectives, middles)

    def _pieces_of(self, objective: Objective, middles: np.ndarray) -> list[ScaledPieces]:
        """The pieces of each output, made when first needed."""
        if not self._pieces:
            several, n_outputs = objective.several, objective.n_outputs
            outputs = [objective.of_output(k) for k in range(n_outputs)] if several else [objective]
            self._pieces = [
                ScaledPieces(one, self.preconditioner, float(b)) for one, b in zip(outputs, middles, strict=True)
            ]
        return self._pieces

    def step(self, objective: Objective, state: InteriorPointState, rows: RowBlock, step_size: StepSize) -> Step:
        if all(fit.is_final for fit in state.fits):
            return state, self.report(state)._replace(is_epoch=False, stop_reason="precision")
        before = np.array([fit.loss for fit in state.fits])
        pieces = self._pieces_of(objective, state.middles)
        fits = tuple(
            fit if fit.is_final else self._improved(pieces[k], fit, float(state.start_values[k]))
            for k, fit in enumerate(state.fits)
        )
        params = np.stack([fit.params for fit in fits])
        state = state._replace(params=params if objective.several else params[0], t=state.t + 1, fits=fits)
        return state, self.report(state)._replace(running_losses=before, rate=1.0)

    def report(self, state: InteriorPointState) -> StepReport:
        losses, penalties, bounds = (
            np.array([getattr(fit, name) for fit in state.fits]) for name in ("loss", "penalty", "bound")
        )
        at = Evaluation(state.params, losses, penalties, np.zeros_like(state.params))
        remaining = Remaining(losses + penalties - bounds, "bound") if state.t else None
        return super().report(state)._replace(evaluation=at, remaining=remaining)

    # --- One output -------------------------------------------------------------------------------------------------

    def _improved(self, pieces: ScaledPieces, fit: OutputFit, start_value: float) -> OutputFit:
        size = self.limits.n_rows(len(pieces.t), pieces.objective.n_parameters)
        if fit.theta is None and size < pieces.n_samples:
            theta, reach = self._fit_of_sample(pieces, size)
            fit = fit._replace(theta=theta, reach=reach, r=pieces.residuals(pieces.params(theta)), loss=np.inf)
        if np.isfinite(fit.reach):
            near = np.abs(fit.r) <= fit.reach * row_lengths(pieces)
            near &= pieces.high > pieces.low
            if np.count_nonzero(near) * 2 <= near.size:
                return self._solved(pieces, fit, near, start_value)
        return self._solved(pieces, fit, np.ones(pieces.t.shape, bool), start_value)

    def _fit_of_sample(self, pieces: ScaledPieces, size: int) -> tuple[np.ndarray, float]:
        """The fit of a sample of the rows, and how far from it pieces are near."""
        n_pieces, n = pieces.t.shape
        rows = spread_rows(n, size, self.options.seed)
        weight = pieces.objective.rows.weights[rows]
        chosen = np.repeat(np.arange(n_pieces), size), np.tile(rows, n_pieces)
        problem = pieces.problem(chosen, float(weight.sum()) / n, np.zeros(pieces.objective.n_parameters))
        found = minimise(problem, None, lambda value, gap: gap <= SAMPLE_TOLERANCE * abs(value), MAX_ITERATIONS)
        pieces.objective.count_pass(size / n * found.iterations)
        away = np.abs(problem.A @ found.theta - problem.t[: len(problem.A)])
        away /= np.sqrt((problem.A**2).mean(axis=1))
        effective = float(weight.sum() ** 2 / (weight**2).sum())
        share = BAND * np.sqrt(problem.A.shape[1] / effective)
        return found.theta, float(np.quantile(away, share)) if share < 0.5 else np.inf

    def _solved(self, pieces: ScaledPieces, fit: OutputFit, near: np.ndarray, start_value: float) -> OutputFit:
        """Solve the problem of the near pieces, the others fixed on their sides, and check that in a pass."""
        is_all = bool(near.all())
        linear = np.zeros(pieces.objective.n_parameters)
        u = np.zeros(near.shape)
        if not is_all:
            u = np.where(near, 0.0, np.where(fit.r > 0.0, pieces.high, pieces.low))
            linear = pieces.transposed(u.sum(axis=0))
        kinds, rows = np.nonzero(near)
        problem = pieces.problem((kinds, rows), 1.0, linear)
        # F at the start, in the units and without the constant of the problem.
        start = start_value / pieces.unit + float((u * pieces.t).sum())
        found, is_complete = self._minimised(pieces, problem, fit.theta, start)
        if not (np.isfinite(found.gap) or is_all):
            # The near pieces cannot outweigh the others: more must be near.
            return fit._replace(reach=GROWTH * fit.reach)
        params = pieces.params(found.theta)
        r = pieces.residuals(params)
        losses = pieces.losses(r)
        loss = pieces.unit * float(losses.sum())
        penalty = float(pieces.objective.penalties(params).sum())
        gap = pieces.unit * (found.gap + float((losses - u * r)[~near].sum()))
        bound = max(fit.bound, loss + penalty - gap)
        if loss + penalty > fit.loss + fit.penalty:  # pieces changed sides that mattered
            return fit._replace(bound=bound, reach=GROWTH * fit.reach, is_final=is_all and is_complete)
        return OutputFit(found.theta, r, params, loss, penalty, bound, fit.reach, is_all and is_complete)

    def _minimised(
        self, pieces: ScaledPieces, problem: BoxProblem, theta: np.ndarray | None, start: float
    ) -> tuple[Solution, bool]:
        """Minimise until the gap is a part of the allowed one; False if the passes that are left were not enough."""
        tol, gap_tol, share = self.options.tol, self.options.gap_tol, len(problem.A) / pieces.t.size

        def is_enough(value: float, gap: float) -> bool:
            allowed = (tol or 0.0) * (start - value)
            if gap_tol is not None:
                allowed = max(allowed, gap_tol / pieces.unit)
            return gap <= SHARE_OF_TOLERANCE * allowed

        left = self.options.max_epochs - pieces.objective.passes.training - PASSES_TO_CHECK
        most = max(int(left / share), 1)
        found = minimise(problem, theta, is_enough, most)
        pieces.objective.count_pass(share * found.iterations)
        return found, found.iterations < most


def row_lengths(pieces: ScaledPieces) -> np.ndarray:
    """The root mean square of the scaled columns of each row, the intercept's 1 included, (n_samples,); a pass."""
    norms = squared_norms(pieces.objective, Preconditioner(pieces.shift, pieces.scale))
    weight = pieces.objective.targets.weight
    return np.asarray(np.sqrt((norms / weight if len(weight) else norms) / pieces.objective.n_parameters))
