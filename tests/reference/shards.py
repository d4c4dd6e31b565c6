"""sgd in shards in plain Python: each part of a round's rows takes its steps, then the weights are averaged."""

import math
from itertools import pairwise

from reference import outputs as reference_outputs
from reference.rules import SGD


def parts_of(rows, n_shards):
    """Consecutive parts, cut at floor(s n / n_shards)."""
    cuts = [math.floor(s * len(rows) / n_shards) for s in range(n_shards + 1)]
    return [rows[start:stop] for start, stop in pairwise(cuts)]


def average(vectors, counts):
    """sum_s counts_s vectors_s / sum_s counts_s, of vectors or of lists of vectors"""
    if isinstance(vectors[0], list):
        return [average(list(entries), counts) for entries in zip(*vectors, strict=True)]
    return sum(c * v for c, v in zip(counts, vectors, strict=True)) / sum(counts)


def sharded(X, targets, loss, *, rounds, rates, n_shards, start, rule=SGD, **options):
    """The (W, B) after each round of rows, and for each shard the (W, B) after each of its own steps.

    `rates` has one for the first step of all shards, one for the second, and so on; a round takes as many as its
    longest part. `options` are those of reference_outputs.minibatch.
    """
    W, B = start
    n_rules = len(W) * (len(W[0]) + 1)
    rules = [[rule() for _ in range(n_rules)] for _ in range(n_shards)]  # with state that is kept between rounds
    after, steps, t = [], [[] for _ in range(n_shards)], 0
    for rows in rounds:
        parts = parts_of(rows, n_shards)
        ends = []
        for s, part in enumerate(parts):
            path, _ = reference_outputs.minibatch(
                X, targets, loss, rates=rates[t:], order=part, start=(W, B), rule=iter(rules[s]).__next__, **options
            )
            ends.append(path[-1])
            steps[s] += path[1:]
        counts = [len(part) for part in parts]
        W, B = (average([end[which] for end in ends], counts) for which in (0, 1))
        after.append((W, B))
        t += max(counts)
    return after, steps
