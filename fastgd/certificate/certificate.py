"""The certificate: how far at most F is above its least value F*, proved by a lower bound on F*.

F* >= D for every dual point (see `dual`), so F - D bounds F - F*, whichever weights the point was found at: the best
of all points serves for all weights. At a point's own weights the difference is

    F(w, b) - D = (loss - level) + (1 - c) (level - floor) + [R(w) + R*(-c v) + c v.w]

in which nothing cancels: each term goes to zero as w goes to the optimum. Source: Rockafellar, Convex analysis (1970),
section 31. Least squares of few columns have an exact answer, see `quadratic`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import OptionError
from ..kernels.dual_sums import mean_minimum
from ..kernels.outputs_gradient import is_joint
from ..objective.problem import Problem
from ..terms.losses import LOSSES, Softmax
from ..wording import option
from .conjugates import fenchel_gap, is_finite, leaves_free, reach, why_no_conjugate
from .dual_point import DualPoint, dual_point, rounding, softmax_point
from .quadratic import Quadratic, is_quadratic
from .seen_dual_points import at, seen_points

# X'X costs a pass for about every ten columns: more are worth it only to who asks for a bound.
GRAM_COLUMNS = 100
GRAM_COLUMNS_ASKED = 500
# On large data it is left to those who ask and those who have no other bound.
GRAM_PRODUCTS = 1 << 28
GOLDEN = (5**0.5 - 1) / 2
SEARCHES = 20
# What is within this of a parabola, relative to its values, is one.
ROUNDED = 1e-13
# Gradients known already serve where mixing them makes no more than this part of the gap, or the gap is next to none.
MIXED, AS_GOOD_AS_NONE = 0.5, 1e-10
# The mean slope rises by one part in so many of what it could at most, it is thought, and then thought again.
ACROSS = (4.0, 16.0)
# No pass is worth a bound that is more than this part of how far F is above the least values of the losses.
WORTHLESS = 0.1
# A gap that is this small a part of F is not worth the search for a better multiple of the dual point.
NEAR = 1e-3


class Certificate:
    """Lower bounds on F* of one problem, and the gaps that they prove.

    Bounds hold to the rounding of sums over the rows, for which an allowance is added; in float64 it is about 1e-14 of
    F, and for X in float32 too, F being that of the stored numbers, and the arithmetic in float64.

    Attributes
    ----------
    reasons : why there is no bound for an output (for softmax, all of them), empty where there is one.
    passes : over X, that `gap` has taken so far.
    """

    def __init__(self, problem: Problem, asked: bool = False) -> None:
        self.problem = problem
        self.joint = is_joint(problem.loss)
        n_parts = 1 if self.joint else problem.n_outputs
        exact = is_quadratic(problem) and problem.n_features <= (GRAM_COLUMNS_ASKED if asked else GRAM_COLUMNS)
        if exact and not asked and problem.n_values * problem.n_features > GRAM_PRODUCTS:
            exact = any(leaves_free(problem.penalty, problem.penalty_factors(k)) for k in range(n_parts))
        self.reasons = [why_no_bound(problem, k, exact) for k in range(n_parts)]
        self.passes = 0.0
        self._exact = exact
        self._quadratic: Quadratic | None = None
        self._bounds = np.full(n_parts, -np.inf)  # from below, on the least F of each part
        self._floors: dict[int, float | None] = {}
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def reason(self) -> str:
        """Why F as a whole has no bound; empty where it has one."""
        return next(filter(None, self.reasons), "")

    def require(self) -> None:
        """Raise an `OptionError` where ``gap_tol`` asks for what cannot be had."""
        if self.reason:
            needs = f"{option('gap_tol')} needs a bound on how far the optimum is"
            raise OptionError(f"{needs}, and there is none: {self.reason}")

    def add(self, params: np.ndarray) -> np.ndarray:
        """Bounds on F - F* at ``params`` for each part, by this and all points before.

        It takes no pass over X where the gradients that the problem was asked for will do; else one or two for others
        that do, at other intercepts, or two after those.
        NaN where there is none: `reasons` says why, or the weights are not finite.
        """
        if self._last is None or not np.array_equal(self._last[0], params):
            with np.errstate(all="ignore"):
                self._last = params.copy(), self._gaps(params)
        return self._last[1]

    def gap(self, params: np.ndarray) -> float:
        """An upper bound on F(params) - F*, or NaN; see `add`."""
        return float(self.add(params).sum())

    def estimate(self, params: np.ndarray, gradient: np.ndarray) -> float:
        """About what `gap` will give, from the gradient of the mean loss at ``params``: it costs no pass over X."""
        d, total = self.problem.n_features, 0.0
        for k, (row, slopes) in enumerate(zip(np.atleast_2d(params), np.atleast_2d(gradient), strict=True)):
            exact = self._exact
            total += self._least_squares().estimate(k, row, slopes) if exact else self._apart(k, row[:d], -slopes[:d])
        return total

    def _apart(self, k: int, w: np.ndarray, u: np.ndarray) -> float:
        """How far u, made as short as the penalty asks, is from being a subgradient of it at w."""
        factors = self.problem.penalty_factors(k)
        return fenchel_gap(self.problem.penalty, w, u * reach(self.problem.penalty, u, factors), factors)

    def _gaps(self, params: np.ndarray) -> np.ndarray:
        gaps = np.full(len(self.reasons), np.nan)
        penalties = self.problem.penalties(params)
        for k, reason in enumerate(self.reasons):
            outputs = slice(None) if self.joint else slice(k, k + 1)
            rows = np.atleast_2d(params)[outputs]
            if reason or not np.isfinite(rows).all():
                continue
            objective, gap, scale = self._part(k, rows, float(penalties[outputs].sum()))
            allowance = rounding(self.problem) * scale
            self._bounds[k] = max(self._bounds[k], objective - gap - allowance)
            gaps[k] = min(gap, objective - self._bounds[k]) + allowance
        return gaps

    def _part(self, k: int, rows: np.ndarray, penalty: float) -> tuple[float, float, float]:
        """F of a part, its gap by its own dual point, and the scale of what was added up for the two."""
        problem, W = self.problem, rows[:, : self.problem.n_features]
        if self._exact:
            self.passes += 2.0 / len(self.reasons)
            objective, gap = self._least_squares().gap(k, rows[0])
            return objective, gap, objective
        if (found := self._seen(k, rows, W, penalty)) is not None:
            return found
        known = None if self.joint else at(problem, k, rows[0])
        if known is not None and (floor := self._floor(k)) is not None:
            whole = known.loss + penalty - floor
            if self._apart(k, W[0], -known.products) > WORTHLESS * whole:
                return known.loss + penalty, whole, known.scale + penalty
        if known is not None and problem.fit_intercept and not problem.several:
            self._look_across(rows[0], known.mean)
            if (found := self._seen(k, rows, W, penalty)) is not None:
                return found
        self.passes += 2.0 / len(self.reasons)
        point = softmax_point(problem, rows) if self.joint else dual_point(problem, k, rows[0])
        return point.loss + penalty, self._gap(k, point, W), point.scale + penalty

    def _seen(self, k: int, rows: np.ndarray, W: np.ndarray, penalty: float) -> tuple[float, float, float] | None:
        """The same from gradients known already, if those will do."""
        seen = [] if self.joint else sorted(seen_points(self.problem, k, rows[0]), key=mixing)
        best: tuple[float, DualPoint] | None = None
        for point in seen:
            if best is not None and mixing(point) >= best[0]:
                break
            gap = self._gap(k, point, W)
            best = (gap, point) if best is None or gap < best[0] else best
        if best is None:
            return None
        gap, point = best
        if mixing(point) <= MIXED * gap or gap <= AS_GOOD_AS_NONE * point.scale:
            return point.loss + penalty, gap, point.scale + penalty
        return None

    def _look_across(self, params: np.ndarray, slope: float) -> None:
        """Ask for the gradient where only the intercept differs, so far off that its mean slope has the other sign."""
        curvature = getattr(self.problem.loss, "curvature", lambda: 1.0)()
        for times in ACROSS:
            other = params.copy()
            other[-1] -= np.clip(times * slope / curvature, -1.0, 1.0)
            self.passes += 1.0
            if self.problem.look(other)[-1] * slope <= 0.0:
                return

    def _least_squares(self) -> Quadratic:
        if self._quadratic is None:
            self._quadratic = Quadratic(self.problem)
            self.passes += 2.0
        return self._quadratic

    def _gap(self, k: int, point: DualPoint, W: np.ndarray) -> float:
        """The gap of weights and the best multiple of their own dual point."""
        problem = self.problem
        factors = [problem.penalty_factors(k + j) for j in range(len(W))]
        each = list(zip(W, -point.products, factors, strict=True))

        def apart(c: float) -> float:
            return sum(fenchel_gap(problem.penalty, w, c * u, f) for w, u, f in each)

        whole = min(reach(problem.penalty, u, f) for _, u, f in each)
        if not np.isfinite(point.level):
            whole = 0.0
        excess = max(mixing(point), 0.0) if whole > 0.0 else 0.0
        if whole == 1.0 and excess + apart(1.0) <= NEAR * point.scale:
            return excess + apart(1.0)
        floor = self._floor(k)
        if floor is None:
            return excess + apart(1.0)
        if whole == 0.0:
            return point.loss - floor + apart(0.0)
        return least_on_interval(lambda c: excess + (1.0 - c) * (point.level - floor) + apart(c), whole)

    def _floor(self, k: int) -> float | None:
        """The mean of the least values of the losses; None where a loss does not say them."""
        if not hasattr(self.problem.loss, "minimum"):
            return None
        if k not in self._floors:
            target, weight = self.problem.output_target(k), self.problem.targets.weight
            self._floors[k] = float(mean_minimum(target, weight, self.problem.loss))
        return self._floors[k]


def mixing(point: DualPoint) -> float:
    """What a mean slope of zero has cost: a part of the gap."""
    return point.loss - point.level


def least_on_interval(convex: Callable[[float], float], end: float) -> float:
    """The least value of a convex function on [0, end]: of a parabola, as with l2, to rounding.

    Of others as near as golden-section search comes in `SEARCHES` steps.
    """
    middle = 0.5 * end
    at_zero, at_quarter, at_middle, at_end = (convex(share * end) for share in (0.0, 0.25, 0.5, 1.0))
    best, rise, bend = min(at_zero, at_end), at_end - at_zero, at_zero - 2.0 * at_middle + at_end
    if bend > 0.0 and abs(at_middle - 0.25 * rise + 0.125 * bend - at_quarter) <= ROUNDED * (at_zero + at_end):
        return min(best, convex(min(max(middle - 0.5 * middle * rise / bend, 0.0), end)))
    low, high = 0.0, end
    a, c = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_a, at_c = convex(a), convex(c)
    for _ in range(SEARCHES):
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


def why_no_bound(problem: Problem, k: int, exact: bool) -> str:
    """Why there is no bound on F - F* for output k; empty where there is one."""
    loss, name = problem.loss, LOSSES.name_of(problem.loss)
    if not getattr(loss, "convex", False):
        if name in LOSSES:
            return f"the loss {LOSSES.describe(loss)} is not convex"
        return f"the loss {name} may not be convex; if it is, say so in its class by convex: ClassVar[bool] = True"
    if is_joint(loss) and not isinstance(loss, Softmax):
        return f"the conjugate of the loss {name}, which takes all outputs at once, is not known"
    if reason := why_no_conjugate(problem.penalty):
        return reason
    if not hasattr(loss, "minimum") and not is_finite(problem.penalty):
        return f"the loss {name} has no method minimum(y), its least value over all z, which goes into it here"
    if exact or not leaves_free(problem.penalty, problem.penalty_factors(k)):
        return ""
    if is_quadratic(problem):
        return (
            f"without a penalty on every weight it takes an X'X, worth while up to {GRAM_COLUMNS} columns, or up to "
            f"{GRAM_COLUMNS_ASKED} where {option('gap_tol')} asks for it"
        )
    return "without a penalty on every weight there is one for least squares only"
