"""The certificate: an upper bound on F - F*, proved by a lower bound on F*.

F* >= D for every dual point (see `dual_point`), so F - D bounds F - F* at any parameters, and the highest D is the best
everywhere. At the parameters at which a point was found the difference is

    F(w, b) - D = (loss - level) + (1 - c) (level - floor) + [R(w) + R*(-c v) + c v.w]

in which nothing cancels: each term goes to zero as w goes to the optimum. Source: Rockafellar, Convex analysis (1970),
section 31. Least squares with few columns have an exact answer, see `quadratic`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import OptionError
from ..kernels.dual_sums import mean_minimum
from ..kernels.outputs_gradient import is_joint
from ..objective.evaluation import Evaluation
from ..objective.objective import Objective
from ..terms.losses import LOSSES, Softmax, loss_traits
from ..terms.penalties import penalty_traits
from ..wording import option
from .dual_point import DualPoint, derivatives_by_intercept, dual_point, predictor, rounding, softmax_point
from .quadratic import Quadratic, is_quadratic
from .seen_dual_points import find_seen, seen_points

# Maximum columns for X'X where gap_tol asks for a bound.
MAX_GRAM_COLUMNS_ASKED = 500
# Maximum products in X'X, unless gap_tol asks for a bound or there is no other bound.
MAX_GRAM_PRODUCTS = 1 << 28
GOLDEN = (5**0.5 - 1) / 2
GOLDEN_SECTIONS = 20
# Maximum distance from a parabola, relative to its values, for a function to count as one.
PARABOLA_TOLERANCE = 1e-13
# Mixing that makes at most this part of a gap is not worth trying again with other evaluations.
SMALL_MIXING = 0.1
# A gap of at most this part of F need not be made smaller.
NEGLIGIBLE_GAP = 1e-10
# Factors used to bracket the zero of the mean derivative: the second derivative is assumed to be 1/4, then 1/16 of its
# maximum.
BRACKET_FACTORS = (4.0, 16.0)
# A gap of at most this part of F is not improved by a search for a better multiple of the dual point.
SMALL_GAP = 1e-3
# Maximum number of evaluations kept, the first and the last ones, and of their values.
MAX_SEEN, MAX_SEEN_VALUES = 16, 1 << 20


class CertificateLimits(NamedTuple):
    """Limits of the work that a bound is worth.

    Attributes
    ----------
    gram_columns : maximum columns for X'X, which costs about a pass for every ten columns.
    mixing_share : gradients seen earlier are enough if mixing them makes at most this part of the gap.
    worthwhile_gap : a bound above this part of (F - mean of the minima of the losses) is not worth a pass.
    """

    gram_columns: int = 100
    mixing_share: float = 0.5
    worthwhile_gap: float = 0.1


LIMITS = CertificateLimits()


class CertificateState(NamedTuple):
    """The lower bound of each part, the last parameters and gaps, the evaluations kept, and whether X'X was made."""

    bounds: np.ndarray
    last: tuple[np.ndarray, np.ndarray] | None
    seen: tuple[Evaluation, ...]
    has_quadratic: bool


class Certificate:
    """Lower bounds on F* of one objective, and the gaps that they prove.

    A part of F is one output, or for softmax all outputs together. The bounds of parts add up.

    An allowance for the rounding of sums over the rows is added to each gap: about 1e-14 of F. This holds for X in
    float32 too, since F is defined by the stored numbers and the arithmetic is in float64.

    Attributes
    ----------
    reasons : why there is no bound for a part; empty where there is one.
    is_exact : whether F - F* is known exactly, for least squares without kinks.
    """

    def __init__(self, objective: Objective, asked: bool = False, limits: CertificateLimits = LIMITS) -> None:
        self.objective, self.limits = objective, limits
        self.joint = is_joint(objective.loss)
        n_parts = 1 if self.joint else objective.n_outputs
        max_columns = MAX_GRAM_COLUMNS_ASKED if asked else limits.gram_columns
        exact = is_quadratic(objective) and objective.n_features <= max_columns
        if exact and not asked and objective.n_values * objective.n_features > MAX_GRAM_PRODUCTS:
            exact = any(objective.penalty.leaves_free(objective.penalty_factors(k)) for k in range(n_parts))
        self.reasons = [why_no_bound(objective, k, exact) for k in range(n_parts)]
        self.is_exact = exact
        self._quadratic: Quadratic | None = None
        self._bounds = np.full(n_parts, -np.inf)  # lower bounds on F* of each part
        self._values = np.full(n_parts, np.nan)  # F of each part where gaps were last computed, rounded up
        self._floors: dict[int, float | None] = {}
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._seen_at: list[Evaluation] = []

    @property
    def reason(self) -> str:
        """Why F as a whole has no bound; empty where it has one."""
        return next(filter(None, self.reasons), "")

    def require(self) -> None:
        """Raise an `OptionError` if there is no bound, where ``gap_tol`` asks for one."""
        if self.reason:
            needs = f"{option('gap_tol')} needs a bound on how far the optimum is"
            raise OptionError(f"{needs}, and there is none: {self.reason}")

    @property
    def state(self) -> CertificateState:
        """Everything that later bounds depend on, as a value."""
        return CertificateState(self._bounds.copy(), self._last, tuple(self._seen_at), self._quadratic is not None)

    def restore(self, state: CertificateState) -> None:
        """Continue from a `state`."""
        self._bounds, self._last, self._seen_at = state.bounds.copy(), state.last, list(state.seen)
        if state.has_quadratic:
            self._least_squares()

    def see(self, evaluation: Evaluation) -> None:
        """Keep an evaluation of all rows: it gives dual points that cost no pass."""
        if len(self._seen_at) >= max(min(MAX_SEEN, MAX_SEEN_VALUES // max(evaluation.params.size, 1)), 2):
            del self._seen_at[1]
        self._seen_at.append(evaluation)

    def know(self, bounds: np.ndarray) -> None:
        """Take lower bounds on F* of each output that a solver has proved."""
        if not self.joint:
            self._bounds = np.fmax(self._bounds, bounds)

    @property
    def has_bound(self) -> bool:
        """Whether F may have a bound."""
        return not all(self.reasons) or bool(np.isfinite(self._bounds).all())

    def add(self, params: np.ndarray) -> np.ndarray:
        """Bounds on F - F* at ``params`` for each part, from dual points there and all earlier lower bounds.

        It takes no pass over X if the evaluations kept are enough; else one or two passes for evaluations at other
        intercepts, or two more. NaN where there is no bound (see `reasons`) or parameters are not finite.
        """
        if self._last is None or not np.array_equal(self._last[0], params):
            with np.errstate(all="ignore"):
                self._last = params.copy(), self._gaps(params)
        return self._last[1]

    def seen_gaps(self, params: np.ndarray) -> np.ndarray:
        """Bounds on F - F* as those of `add`, but from the evaluations kept alone; NaN where they are not enough."""
        gaps = np.full(len(self.reasons), np.nan)
        if self.joint or self.is_exact or not np.isfinite(params).all():
            return gaps
        penalties = self.objective.penalties(params)
        for k, (reason, row) in enumerate(zip(self.reasons, np.atleast_2d(params), strict=True)):
            with np.errstate(all="ignore"):
                found = (
                    None
                    if reason
                    else self._seen_gap(k, row[None], row[None, : self.objective.n_features], penalties[k])
                )
            if found is not None:
                gaps[k] = self._with_allowance(k, *found)
        return gaps

    def improved_at(self, better: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """The last bounds of `add`, improved by the dual points at ``better`` parameters."""
        assert self._last is not None
        params, values = self._last[0], self._values.copy()
        with np.errstate(all="ignore"):
            self._gaps(better)
            self._last = params, np.fmin(gaps, values - self._bounds)
        self._values = values
        return self._last[1]

    def gap(self, params: np.ndarray) -> float:
        """An upper bound on F(params) - F*, or NaN; see `add`."""
        return float(self.add(params).sum())

    def estimate(self, params: np.ndarray, gradient: np.ndarray) -> float:
        """An estimate of `gap`, from the gradient of the mean loss at ``params``, without a pass over X."""
        rows, d = zip(np.atleast_2d(params), np.atleast_2d(gradient), strict=True), self.objective.n_features
        if self.is_exact:
            return sum(self._least_squares().estimate(k, w, g) for k, (w, g) in enumerate(rows))
        return sum(self._penalty_gap(k, w[:d], -g[:d]) for k, (w, g) in enumerate(rows))

    def _penalty_gap(self, k: int, w: np.ndarray, u: np.ndarray) -> float:
        """Fenchel gap of the penalty at w and u, with u scaled into the domain of the conjugate."""
        penalty, factors = self.objective.penalty, self.objective.penalty_factors(k)
        return float(penalty.fenchel_gap(w, u * penalty.dual_scale(u, factors), factors))

    def _gaps(self, params: np.ndarray) -> np.ndarray:
        gaps = np.full(len(self.reasons), np.nan)
        penalties = self.objective.penalties(params)
        for k, reason in enumerate(self.reasons):
            outputs = slice(None) if self.joint else slice(k, k + 1)
            rows = np.atleast_2d(params)[outputs]
            if not np.isfinite(rows).all():
                continue
            if reason:
                gaps[k] = self._gap_by_known_bound(k, rows[0], float(penalties[k]))
                continue
            gaps[k] = self._with_allowance(k, *self._part_gap(k, rows, float(penalties[outputs].sum())))
        return gaps

    def _gap_by_known_bound(self, k: int, params: np.ndarray, penalty: float) -> float:
        """The gap of an output by the bound that the solver has proved, if it has; else NaN."""
        if not np.isfinite(self._bounds[k]):
            return np.nan
        objective, d = self.objective, self.objective.n_features
        z = predictor(objective, params[:d], objective.targets.offset)  # in float64
        b = float(params[d]) if objective.fit_intercept else 0.0
        value = derivatives_by_intercept(objective, k, z)(b, np.empty(objective.n_samples)).loss + penalty
        return float(max(value - self._bounds[k], 0.0) + rounding(self.objective) * abs(value))

    def _with_allowance(self, k: int, value: float, gap: float, scale: float) -> float:
        """The gap of a part by its best lower bound so far, and the allowance for rounding."""
        allowance = rounding(self.objective) * scale
        self._values[k] = value + allowance
        self._bounds[k] = max(self._bounds[k], value - gap - allowance)
        return float(min(gap, value - self._bounds[k]) + allowance)

    def _part_gap(self, k: int, rows: np.ndarray, penalty: float) -> tuple[float, float, float]:
        """F of a part, its gap by a dual point there, and the magnitude of the sums behind the two."""
        objective, W = self.objective, rows[:, : self.objective.n_features]
        if self.is_exact:
            value, gap = self._least_squares().gap(k, rows[0])
            return value, gap, value
        if (found := self._seen_gap(k, rows, W, penalty)) is not None:
            return found
        known = None if self.joint else find_seen(objective, self._seen_at, k, rows[0])
        if known is not None and (floor := self._floor(k)) is not None:
            above_floor = known.loss + penalty - floor
            if self._penalty_gap(k, W[0], -known.products) > self.limits.worthwhile_gap * above_floor:
                return known.loss + penalty, above_floor, known.scale + penalty
        if known is not None and objective.fit_intercept and not objective.several:
            self._bracket_intercept(rows[0], known.mean)
            if (found := self._seen_gap(k, rows, W, penalty)) is not None:
                return found
        point = softmax_point(objective, rows) if self.joint else dual_point(objective, k, rows[0])
        return point.loss + penalty, self._gap(k, point, W), point.scale + penalty

    def _seen_gap(self, k: int, rows: np.ndarray, W: np.ndarray, penalty: float) -> tuple[float, float, float] | None:
        """The same from the evaluations kept, if they are enough."""
        seen = [] if self.joint else sorted(seen_points(self.objective, self._seen_at, k, rows[0]), key=mixing_cost)
        best: tuple[float, DualPoint] | None = None
        for point in seen:
            if best is not None and mixing_cost(point) >= best[0]:
                break
            gap = self._gap(k, point, W)
            best = (gap, point) if best is None or gap < best[0] else best
            if mixing_cost(best[1]) <= SMALL_MIXING * best[0]:  # the others are nearly the same point
                break
        if best is None:
            return None
        gap, point = best
        if mixing_cost(point) <= self.limits.mixing_share * gap or gap <= NEGLIGIBLE_GAP * point.scale:
            return point.loss + penalty, gap, point.scale + penalty
        return None

    def _bracket_intercept(self, params: np.ndarray, mean_derivative: float) -> None:
        """Evaluate at another intercept, so far off that the mean derivative has the other sign."""
        curvature = loss_traits(self.objective.loss).curvature or 1.0
        for factor in BRACKET_FACTORS:
            other = params.copy()
            other[-1] -= np.clip(factor * mean_derivative / curvature, -1.0, 1.0)
            found = self.objective.evaluate(other)
            self.see(found)
            if found.gradient[-1] * mean_derivative <= 0.0:
                return

    def _least_squares(self) -> Quadratic:
        if self._quadratic is None:
            self._quadratic = Quadratic(self.objective)
        return self._quadratic

    def _gap(self, k: int, point: DualPoint, W: np.ndarray) -> float:
        """The gap at coefficients W, by the best multiple of a dual point."""
        objective = self.objective
        factors = [objective.penalty_factors(k + j) for j in range(len(W))]
        each = list(zip(W, -point.products, factors, strict=True))

        def penalty_gap(c: float) -> float:
            return float(sum(objective.penalty.fenchel_gap(w, c * u, f) for w, u, f in each))

        largest = min(float(objective.penalty.dual_scale(u, f)) for _, u, f in each)
        if not np.isfinite(point.level):
            largest = 0.0
        excess = max(mixing_cost(point), 0.0) if largest > 0.0 else 0.0
        if largest == 1.0 and excess + penalty_gap(1.0) <= SMALL_GAP * point.scale:
            return excess + penalty_gap(1.0)
        floor = self._floor(k)
        if floor is None:
            return excess + penalty_gap(1.0)
        if largest == 0.0:
            return point.loss - floor + penalty_gap(0.0)
        return minimum_on_interval(lambda c: excess + (1.0 - c) * (point.level - floor) + penalty_gap(c), largest)

    @property
    def floors(self) -> np.ndarray:
        """The mean of the minima of the losses of each part; NaN where a loss does not give them."""
        found = [self._floor(k) for k in range(len(self.reasons))]
        return np.array([np.nan if floor is None else floor for floor in found])

    def _floor(self, k: int) -> float | None:
        """The mean of the minima of the losses; None where the loss does not give them."""
        if not loss_traits(self.objective.loss).has_minimum:
            return None
        if k not in self._floors:
            target, weight = self.objective.output_target(k), self.objective.targets.weight
            self._floors[k] = float(mean_minimum(target, weight, self.objective.loss))
        return self._floors[k]


def mixing_cost(point: DualPoint) -> float:
    """The part of the gap that comes from making the mean derivative zero."""
    return point.loss - point.level


def minimum_on_interval(convex: Callable[[float], float], end: float) -> float:
    """The minimum of a convex function on [0, end]: exact for a parabola, as with l2, else by golden-section search."""
    middle = 0.5 * end
    at_zero, at_quarter, at_middle, at_end = (convex(share * end) for share in (0.0, 0.25, 0.5, 1.0))
    best, rise, bend = min(at_zero, at_end), at_end - at_zero, at_zero - 2.0 * at_middle + at_end
    off_parabola = abs(at_middle - 0.25 * rise + 0.125 * bend - at_quarter)
    if bend > 0.0 and off_parabola <= PARABOLA_TOLERANCE * (at_zero + at_end):
        return min(best, convex(min(max(middle - 0.5 * middle * rise / bend, 0.0), end)))
    low, high = 0.0, end
    a, c = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_a, at_c = convex(a), convex(c)
    for _ in range(GOLDEN_SECTIONS):
        best = min(best, at_a, at_c)
        if at_a <= at_c:
            high, c, at_c = c, a, at_a
            a = high - GOLDEN * (high - low)
            at_a = convex(a)
        else:
            low, a, at_a = a, c, at_c
            c = low + GOLDEN * (high - low)
            at_c = convex(c)
    return best


def why_no_bound(objective: Objective, k: int, exact: bool) -> str:
    """Why there is no bound on F - F* for output k; empty where there is one."""
    loss, name = objective.loss, LOSSES.name_of(objective.loss)
    traits, penalty = loss_traits(loss), penalty_traits(objective.penalty)
    if not traits.convex:
        if name in LOSSES:
            return f"the loss {LOSSES.describe(loss)} is not convex"
        return f"the loss {name} may not be convex; if it is, say so in its class by convex: ClassVar[bool] = True"
    if is_joint(loss) and not isinstance(loss, Softmax):
        return f"the conjugate of the loss {name}, which takes all outputs at once, is not known"
    if penalty.no_conjugate:
        return penalty.no_conjugate
    if not traits.has_minimum and not penalty.finite_conjugate:
        return f"the loss {name} has no method minimum(y), the minimum over all z, which the bound needs here"
    if exact or not objective.penalty.leaves_free(objective.penalty_factors(k)):
        return ""
    if is_quadratic(objective):
        return (
            "without a penalty on every coefficient the bound needs X'X, which is made for up to "
            f"{LIMITS.gram_columns} columns, or {MAX_GRAM_COLUMNS_ASKED} where {option('gap_tol')} asks for a bound"
        )
    return "without a penalty on every coefficient there is a bound for least squares only"
