"""How many problems of the zoo are solved without each special case: python -m tests.zoo.ablation --count N."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from fastgd_bench.ablation import CASES

from .judge import Verdict, judged


def solved(count: int) -> Iterable[Verdict]:
    """The verdicts of auto, at the default tolerance, that are right and say so."""
    for seed in range(count):
        for verdict in judged(seed, methods=("auto",), tols=(None,)):
            if verdict.has_optimum and verdict.converged and not verdict.false:
                yield verdict


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    whole = {verdict.seed: verdict.epochs for verdict in solved(count)}
    print(f"with all special cases {len(whole)} of {count} are solved")
    for case in CASES:
        with case.switched_off():
            left = {verdict.seed: verdict.epochs for verdict in solved(count)}
        lost, both = whole.keys() - left.keys(), whole.keys() & left.keys()
        epochs = sum(left[seed] for seed in both) / sum(whole[seed] for seed in both)
        print(
            f"{case.name}: {len(lost)} not solved without it; the others in {epochs:.2f} times the epochs", flush=True
        )


if __name__ == "__main__":
    main()
