"""fastgd in plain Python: the obvious version of every loss, penalty, schedule, rule and method.

Every kernel is compared with it: it is written from the formulas, shares no code with fastgd, and imports only the
standard library. Vectors are lists of floats; other sequences work too, since entries are converted to Python
floats first. The losses, penalties and rules are in files of their own.
"""

import math

from reference.losses import *  # noqa: F403  # LOSSES and their classes, for importers of this file
from reference.penalties import *  # noqa: F403  # the same
from reference.penalties import penalty_value
from reference.rules import *  # noqa: F403  # the same
from reference.rules import SGD, penalized_step, proximal_steps

# --- Schedules: the learning rate after t updates and `epoch` passes over the rows (a fraction counts) ----------------


def constant(lr, t, epoch):
    """lr"""
    return lr


def invscaling(lr, t, epoch, power=0.5):
    """lr / (t + 1)^power: scikit-learn's eta0 / t^power_t, whose t counts from 1."""
    return lr / (t + 1) ** power


def step(lr, t, epoch, factor=0.5, every=10):
    """lr factor^floor(epoch / every)"""
    return lr * factor ** math.floor(epoch / every)


def exponential(lr, t, epoch, decay=0.95):
    """lr decay^epoch"""
    return lr * decay**epoch


def cosine(lr, t, epoch, epochs=100, final=0.0, warmup=0.0):
    """Half a cosine from lr down to final lr, ends at `epochs` and stays; first, a straight line from lr / 100 up."""
    if epoch < warmup:
        return lr / 100 + (lr - lr / 100) * epoch / warmup
    done = min((epoch - warmup) / (epochs - warmup), 1)  # Loshchilov and Hutter (2017)
    return final * lr + (1 - final) * lr * (1 + math.cos(math.pi * done)) / 2


def onecycle(lr, t, epoch, epochs=100, pct_start=0.3, div_factor=25.0, final_div_factor=1e4):
    """Half a cosine from lr / div_factor up to lr, and one from there down to lr / div_factor / final_div_factor."""
    bottom, turn = lr / div_factor, pct_start * epochs
    if epoch <= turn:
        return bottom + (lr - bottom) * (1 - math.cos(math.pi * epoch / turn)) / 2
    end = bottom / final_div_factor
    return end + (lr - end) * (1 + math.cos(math.pi * min((epoch - turn) / (epochs - turn), 1))) / 2


def optimal(lr, t, epoch, alpha=2.0, t0=25.0):
    """1 / (alpha (t0 + t)): Bottou (2012)"""
    return 1 / (alpha * (t0 + t))


def pegasos(lr, t, epoch, alpha=50.0):
    """1 / (alpha (t + 1)): Shalev-Shwartz et al. (2011), whose t is that of the step to come"""
    return 1 / (alpha * (t + 1))


def adaptive(lr, t, epoch, factor=0.2, patience=5, tol=1e-3):
    """lr: what lowers it is not a function of t or epoch."""
    return lr


SCHEDULES = {
    "constant": constant, "invscaling": invscaling, "step": step, "exponential": exponential, "cosine": cosine,
    "onecycle": onecycle, "optimal": optimal, "pegasos": pegasos, "adaptive": adaptive,
}  # fmt: skip

# --- The objective and its gradient -----------------------------------------------------------------------------------


def dot(a, b):
    """sum a_j b_j"""
    return sum(float(u) * float(v) for u, v in zip(a, b, strict=True))


def objective(X, y, w, b, loss, l1=0.0, l2=0.0, penalty=None, sample_weight=None):
    """F(w, b) = sum_i s_i loss(y_i, x_i·w + b) / sum_i s_i + l1 |w|_1 + l2/2 |w|_2^2, or + penalty(w)."""
    of_weights = penalty_value(w, l1, l2) if penalty is None else penalty.value(w)
    return batch_gradient(X, y, w, b, loss, sample_weight=sample_weight)[2] + of_weights


def batch_gradient(X, y, w, b, loss, batch=None, sample_weight=None):
    """sum of s loss' x, sum of s loss' and sum of s loss over the batch, each / (|batch| x mean of s over all rows)."""
    batch = range(len(y)) if batch is None else batch
    s = [1.0] * len(y) if sample_weight is None else [float(v) for v in sample_weight]
    total = len(batch) * sum(s) / len(y)
    z = [dot(X[i], w) + b for i in batch]
    values = [s[i] * loss.value(float(y[i]), z_i) for i, z_i in zip(batch, z, strict=True)]
    slopes = [s[i] * loss.derivative(float(y[i]), z_i) for i, z_i in zip(batch, z, strict=True)]
    gradient = [dot(slopes, [X[i][j] for i in batch]) / total for j in range(len(w))]
    return gradient, sum(slopes) / total, sum(values) / total


# --- Methods: each returns the (w, b) after every update --------------------------------------------------------------


def minibatch(X, y, loss, **options):
    """One update per batch by its mean gradient; a short last batch is divided by its own size."""
    return [weights for weights, _ in weights_and_models(X, y, loss, **options)]


def weights_and_models(X, y, loss, *, lr, epochs, batch_size, rule=SGD, schedule=constant, l1=0.0, l2=0.0, penalty=None,
                       fit_intercept=True, start=None, orders=None, sample_weight=None):  # fmt: skip
    """(w, b) after every update of `minibatch`, and (w, b) of the model at that time.

    `penalty`, without a smooth part, replaces l1 and l2.
    """
    n, d = len(X), len(X[0])
    w, b = ([0.0] * d, 0.0) if start is None else ([float(v) for v in start[0]], float(start[1]))
    rules = [rule() for _ in range(d + 1)]  # one a weight, and the last is the intercept's
    path = []
    for epoch in range(epochs):
        order = range(n) if orders is None else orders[epoch]
        for first in range(0, n, batch_size):
            rate = schedule(lr, len(path), (epoch * n + first) / n)
            gradient, slope, _ = batch_gradient(X, y, w, b, loss, order[first : first + batch_size], sample_weight)
            if penalty is None:
                w = [penalized_step(rules[j], w[j], gradient[j], rate, l1, l2) for j in range(d)]
            else:
                w = proximal_steps(rules[:d], w, gradient, rate, penalty)
            if fit_intercept:
                b = rules[d].step(b, slope, rate)
            under_prox = l1 > 0 or penalty is not None
            model = [rules[j].model(w[j], under_prox) for j in range(d)], rules[d].model(b, under_prox)
            path.append(((w, b), model))
    return path


def gd(X, y, loss, **options):
    """One update per epoch by the mean gradient of all rows."""
    return minibatch(X, y, loss, batch_size=len(X), **options)


def sgd(X, y, loss, **options):
    """One update per row."""
    return minibatch(X, y, loss, batch_size=1, **options)


# --- The lesson's own loops: y_hat = x w ------------------------------------------------------------------------------

LESSON = {"x": (1.0, 2.0, 3.0), "y": (2.0, 4.0, 6.0), "w": 1.0, "lr": 0.01, "epochs": 100}


def lesson_cost(x, y, w):
    """mean (x w - y)^2"""
    return sum((xi * w - yi) ** 2 for xi, yi in zip(x, y, strict=True)) / len(x)


def lesson_gradient(x, y, w):
    """mean 2 x (x w - y)"""
    return sum(2 * xi * (xi * w - yi) for xi, yi in zip(x, y, strict=True)) / len(x)


def lesson_gd(x, y, w, lr, epochs):
    """Batch gradient descent: (w after, cost before the update) of every epoch."""
    history = []
    for _ in range(epochs):
        cost = lesson_cost(x, y, w)
        w = w - lr * lesson_gradient(x, y, w)
        history.append((w, cost))
    return history


def lesson_sgd(x, y, w, lr, epochs):
    """Stochastic gradient descent, row by row: (w, the last row's loss at that w) after every epoch."""
    history = []
    for _ in range(epochs):
        for xi, yi in zip(x, y, strict=True):
            w = w - lr * 2 * xi * (xi * w - yi)
        history.append((w, (xi * w - yi) ** 2))
    return history


def lesson_minibatch(x, y, w, lr, epochs, batch_size=2):
    """Mini-batch gradient descent: (w, the last batch's cost at that w) after every epoch."""
    history = []
    for _ in range(epochs):
        for first in range(0, len(x), batch_size):
            xs, ys = x[first : first + batch_size], y[first : first + batch_size]
            w = w - lr * lesson_gradient(xs, ys, w)
        history.append((w, lesson_cost(xs, ys, w)))
    return history


# --- Smoothing --------------------------------------------------------------------------------------------------------


def smooth(values, beta):
    """The mean of each number and those before it, weighted by beta^(distance); a NaN stays NaN."""
    smoothed, seen = [], []
    for value in values:
        if not math.isnan(value):
            seen.append(float(value))
        weights = [beta**back for back in range(len(seen))]
        mean = sum(w * x for w, x in zip(weights, reversed(seen), strict=True)) / sum(weights) if seen else math.nan
        smoothed.append(math.nan if math.isnan(value) else mean)
    return smoothed
