"""svrg and saga in plain Python as in the papers: all stored gradients are full vectors.

Weights are lists, one for each output, as in `reference_outputs`; the intercept is the last of them, with a 1 at the
end of each row.
"""

from reference.outputs import losses_and_slopes
from reference.penalties import soft_threshold


def row_gradients(X, targets, W, loss, sample_weight=None, offset=None, rows=None):
    """For each row (or those asked for) the gradient of its loss for each output, times its weight; and the loss."""
    found, losses = {}, {}
    for i in range(len(X)) if rows is None else rows:
        shift = 0.0 if offset is None else float(offset[i])
        z = [sum(u * float(v) for u, v in zip(w, X[i], strict=True)) + shift for w in W]
        s = 1.0 if sample_weight is None else float(sample_weight[i]) * len(X) / sum(float(v) for v in sample_weight)
        values, slopes = losses_and_slopes(loss, targets[i], z)
        found[i], losses[i] = [[s * slope * float(v) for v in X[i]] for slope in slopes], s * sum(values)
    return found, losses


def mean_of(gradients):
    """The mean over rows."""
    n, first = len(gradients), next(iter(gradients.values()))
    return [[sum(g[k][j] for g in gradients.values()) / n for j in range(len(first[0]))] for k in range(len(first))]


def proximal_step(w, g, lr, penalised, l1, l2, factors, penalty):
    """A gradient step with l2 in the gradient, then the prox, for the first ``penalised`` weights; a plain one else."""
    moved = [
        w_j - lr * (g_j + (l2 * f if penalty is None else 0.0) * w_j) for w_j, g_j, f in zip(w, g, factors, strict=True)
    ]
    head, tail = moved[:penalised], moved[penalised:]
    if penalty is None:
        head = [soft_threshold(v, lr * l1 * f) for v, f in zip(head, factors, strict=False)]
    else:
        head = penalty.prox(head, [lr] * penalised)
    return [*head, *tail]


def walk(X, targets, loss, *, lr, passes, orders, start, penalised, saga=False, l1=0.0, l2=0.0, penalty=None,
         penalty_weights=None, sample_weight=None, offset=None):  # fmt: skip
    """The weights after every update, a list for each pass, and the mean loss that each pass met.

    ``passes`` is a string: A for one that makes an anchor, S for a step at each row of the next of the orders. Before
    the first anchor all gradients of the past are zeros. Only the first ``penalised`` weights are.
    """
    W = [[float(v) for v in w] for w in start]
    factors = [
        *([1.0] * penalised if penalty_weights is None else map(float, penalty_weights)),
        *[0.0] * (len(W[0]) - penalised),
    ]
    past = {i: [[0.0] * len(w) for w in W] for i in range(len(X))}
    average, orders, path, met = mean_of(past), iter(orders), [], []
    for kind in passes:
        if kind == "A":
            past, losses = row_gradients(X, targets, W, loss, sample_weight, offset)
            average, updates, total = mean_of(past), [W], sum(losses.values())
        else:
            updates, total = [], 0.0
            for i in next(orders):
                new, losses = row_gradients(X, targets, W, loss, sample_weight, offset, [int(i)])
                new, old = new[int(i)], past[int(i)]
                total += losses[int(i)]
                change = [[u - v for u, v in zip(*pair, strict=True)] for pair in zip(new, old, strict=True)]
                G = [[u + v for u, v in zip(*pair, strict=True)] for pair in zip(change, average, strict=True)]
                W = [proximal_step(w, g, lr, penalised, l1, l2, factors, penalty) for w, g in zip(W, G, strict=True)]
                if saga:
                    past[int(i)] = new
                    average = [
                        [u + v / len(X) for u, v in zip(*pair, strict=True)]
                        for pair in zip(average, change, strict=True)
                    ]
                updates.append(W)
        path.append(updates)
        met.append(total / len(X))
    return path, met
