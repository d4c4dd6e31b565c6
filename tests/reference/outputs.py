"""Several outputs in plain Python: all step at the same rows, each by its own gradient.

Weights are lists, one for each output. The target of a row is a list, one for each output; for softmax it is the
number of a class.
"""

import math

from reference.losses import Softmax
from reference.rules import SGD, penalized_step

EPSILON = 1e-6  # torch.nn.utils.clip_grad_norm_


def targets_of(numbers, n_outputs):
    """One against the rest: output k is to be +1 at the rows of class k, and -1 elsewhere."""
    return [[1.0 if number == k else -1.0 for k in range(n_outputs)] for number in numbers]


def losses_and_slopes(loss, target, z):
    """The loss of each output at one row, and its derivative; softmax has its loss at the first output."""
    if isinstance(loss, Softmax):
        return [loss.value(target, z), *[0.0] * (len(z) - 1)], loss.derivative(target, z)
    pairs = [(float(t), z_k) for t, z_k in zip(target, z, strict=True)]
    return [loss.value(*pair) for pair in pairs], [loss.derivative(*pair) for pair in pairs]


def gradients(X, targets, W, B, loss, batch=None, sample_weight=None, offset=None):
    """For each output sum of s loss' x, sum of s loss' and sum of s loss, each / (|batch| x mean of s of all rows)."""
    n, d, outputs = len(X), len(W[0]), range(len(W))
    batch = range(n) if batch is None else batch
    s = [1.0] * n if sample_weight is None else [float(v) for v in sample_weight]
    total = len(batch) * sum(s) / n
    G, slopes, losses = [[0.0] * d for _ in outputs], [0.0 for _ in outputs], [0.0 for _ in outputs]
    for i in batch:
        x, shift = [float(v) for v in X[i]], 0.0 if offset is None else float(offset[i])
        z = [sum(u * v for u, v in zip(w, x, strict=True)) + b + shift for w, b in zip(W, B, strict=True)]
        of_row = losses_and_slopes(loss, targets[i], z)
        for k, (value, slope) in enumerate(zip(*of_row, strict=True)):
            losses[k] += s[i] * value / total
            slopes[k] += s[i] * slope / total
            for j in range(d):
                G[k][j] += s[i] * slope * x[j] / total
    return G, slopes, losses


def clip_factor(G, slopes, clip):
    """The factor that makes the norm of all gradients together at most `clip`: Pascanu, Mikolov and Bengio (2013)."""
    norm = math.sqrt(sum(v * v for row in [*G, slopes] for v in row))
    return min(1.0, clip / (norm + EPSILON))


def minibatch(X, targets, loss, *, rates, order, start, batch_size=1, rule=SGD, l1=0.0, l2=0.0, shares=None,
              penalty_weights=None, fit_intercept=True, sample_weight=None, offset=None, clip=math.inf):  # fmt: skip
    """One pass over `order`: the (W, B) after every update, the start first; and each output's summed losses.

    l1, l2 and shares (of the rate) are numbers or lists, one for each output. Gradients are clipped before l2 is added.
    """
    W, B = [[float(v) for v in w] for w in start[0]], [float(v) for v in start[1]]
    K, d = len(W), len(W[0])
    l1, l2, shares = (v if isinstance(v, list) else [v] * K for v in (l1, l2, 1.0 if shares is None else shares))
    factors = [1.0] * d if penalty_weights is None else [float(v) for v in penalty_weights]
    rules = [[rule() for _ in range(d + 1)] for _ in range(K)]
    path, totals = [(W, B)], [0.0] * K
    for number, first in enumerate(range(0, len(order), batch_size)):
        batch = [int(i) for i in order[first : first + batch_size]]
        G, slopes, losses = gradients(X, targets, W, B, loss, batch, sample_weight, offset)
        totals = [total + len(batch) * value for total, value in zip(totals, losses, strict=True)]
        factor = clip_factor(G, slopes if fit_intercept else [], clip)
        lr = [float(rates[number]) * share for share in shares]
        W = [
            [
                penalized_step(rules[k][j], W[k][j], factor * G[k][j], lr[k], factors[j] * l1[k], factors[j] * l2[k])
                for j in range(d)
            ]
            for k in range(K)
        ]
        if fit_intercept:
            B = [rules[k][d].step(B[k], factor * slopes[k], lr[k]) for k in range(K)]
        path.append((W, B))
    return path, totals
