"""Penalties in plain Python, a part of `reference`.

A penalty of one weight is a list of quadratic pieces, (first, last, constant, slope, curvature), as its paper defines
it. Its prox needs no formula: it is the best of the minima of the pieces.
"""

import math

PENALTIES = ("none", "l2", "l1", "elasticnet")


def strengths(name, alpha, l1_ratio=0.15):
    """(l1, l2) of the penalty called `name`: each is l1 |w|_1 + l2/2 |w|_2^2 for some (l1, l2)."""
    mixed = (alpha * l1_ratio, alpha * (1 - l1_ratio))
    return {"none": (0.0, 0.0), "l2": (0.0, alpha), "l1": (alpha, 0.0), "elasticnet": mixed}[name]


def penalty_value(w, l1, l2):
    """l1 sum |w_j| + l2/2 sum w_j^2."""
    return l1 * sum(abs(v) for v in w) + l2 / 2 * sum(v * v for v in w)


def penalty_derivative(w, l2):
    """l2 w: the gradient of the smooth part."""
    return [l2 * v for v in w]


def soft_threshold(v, threshold):
    """argmin_x (x - v)^2 / 2 + threshold |x|: move v towards 0 by the threshold, and stop at 0."""
    return max(v - threshold, 0.0) + min(v + threshold, 0.0)


class Separable:
    """sum_j p(w_j) + l2/2 w_j^2, with p in pieces: constant + slope x + curvature x^2 / 2 for first <= x <= last.

    The prox is of p alone.
    """

    def __init__(self, pieces, l2=0.0):
        self.pieces, self.l2 = pieces, l2

    def of_one(self, x):
        """p(x): infinity where there is no piece."""
        values = (c + b * x + a * x * x / 2 for first, last, c, b, a in self.pieces if first <= x <= last)
        return min(values, default=math.inf)

    def value(self, w):
        return sum(self.of_one(float(x)) + self.l2 / 2 * x * x for x in w)

    def prox(self, v, step):
        """argmin_x (x - v_j)^2 / (2 step_j) + p(x) for each j."""
        return [self._prox_of_one(float(v_j), float(s)) for v_j, s in zip(v, step, strict=True)]

    def _prox_of_one(self, v, s):
        candidates = []
        for first, last, _, b, a in self.pieces:
            candidates += [x for x in (first, last) if math.isfinite(x)]
            if 1 + s * a > 0:  # the parabola opens upwards: (x - v) / s + b + a x = 0 at its vertex
                candidates.append(min(max((v - s * b) / (1 + s * a), first), last))
        return min(candidates, key=lambda x: (x - v) ** 2 / (2 * s) + self.of_one(x))


def mirrored(pieces):
    """The same for negative x: a penalty of |x|."""
    return [*pieces, *((-last, -first, c, -b, a) for first, last, c, b, a in pieces)]


def elasticnet(l1, l2):
    """l1 |x| + l2/2 x^2"""
    return Separable(mirrored([(0.0, math.inf, 0.0, l1, 0.0)]), l2)


def mcp(alpha, gamma):
    """alpha |x| - x^2 / (2 gamma) up to gamma alpha, then alpha^2 gamma / 2: Zhang (2010)."""
    knee = gamma * alpha
    return Separable(mirrored([(0.0, knee, 0.0, alpha, -1 / gamma), (knee, math.inf, alpha * knee / 2, 0.0, 0.0)]))


def scad(alpha, gamma):
    """alpha |x|, then (2 gamma alpha |x| - x^2 - alpha^2) / (2 (gamma - 1)), then alpha^2 (gamma + 1) / 2.

    The three change at alpha and gamma alpha: Fan and Li (2001).
    """
    knee, width = gamma * alpha, gamma - 1
    return Separable(
        mirrored(
            [
                (0.0, alpha, 0.0, alpha, 0.0),
                (alpha, knee, -(alpha**2) / (2 * width), knee / width, -1 / width),
                (knee, math.inf, alpha**2 * (gamma + 1) / 2, 0.0, 0.0),
            ]
        )
    )


def box(lower, upper):
    """0 from lower to upper, infinity outside"""
    return Separable([(lower, upper, 0.0, 0.0, 0.0)])


def nonnegative(alpha):
    """alpha x for x >= 0, infinity below"""
    return Separable([(0.0, math.inf, 0.0, alpha, 0.0)])


class GroupLasso:
    """alpha sum_g sqrt(d_g) |w_g|: Yuan and Lin (2006), whose equation (2.4) is the prox."""

    def __init__(self, alpha, groups):
        numbers = [int(g) for g in groups]
        self.alpha = alpha
        self.members = [[j for j, g in enumerate(numbers) if g == number] for number in sorted(set(numbers))]

    def value(self, w):
        norms = (math.hypot(*(w[j] for j in members)) for members in self.members)
        return sum(self.alpha * math.sqrt(len(m)) * norm for m, norm in zip(self.members, norms, strict=True))

    def prox(self, v, step):
        """argmin_x |x - v|^2 / (2 step) + alpha sum_g sqrt(d_g) |x_g|, with one step for all of a group."""
        result = [0.0] * len(v)
        for members in self.members:
            norm = math.hypot(*(v[j] for j in members))
            threshold = step[members[0]] * self.alpha * math.sqrt(len(members))
            for j in members:
                result[j] = float(v[j]) * (1 - threshold / norm) if norm > threshold else 0.0
        return result


# By the names they are registered under; the settings are those of the classes.
PENALTY_TERMS = {
    "elasticnet": elasticnet,
    "mcp": mcp,
    "scad": scad,
    "box": box,
    "nonnegative": nonnegative,
    "group_lasso": GroupLasso,
}
