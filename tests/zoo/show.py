"""One problem of the zoo by hand: python -m tests.zoo.show 123 --method gd."""

from __future__ import annotations

import argparse

from .judge import METHODS, TOLS, allowed, fit, judge
from .optimum import find_optimum
from .problems import generate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--method", choices=METHODS, help="all unless given")
    parser.add_argument("--tol", type=float, help="the default and 1e-8 unless given")
    parser.add_argument("--small", action="store_true", help="the smaller problem of this seed")
    arguments = parser.parse_args()
    problem = generate(arguments.seed, arguments.small)
    optimum = find_optimum(problem)
    print(problem)
    print(f"optimum {optimum.kind}: F* {float(optimum.value):.15g}, constant {float(optimum.constant):.15g}, "
          f"gap {optimum.gap:.1e}")  # fmt: skip
    print("coef", optimum.coef if optimum.coef is None else optimum.coef.astype(float), "intercept", optimum.intercept)
    for method in [arguments.method] if arguments.method else METHODS:
        if not allowed(method, problem.loss, problem.penalty):
            continue
        for tol in TOLS if arguments.tol is None else [arguments.tol]:
            verdict = judge(problem, optimum, method, tol)
            print(f"{verdict}; {verdict.epochs} epochs, {verdict.seconds:.2f} s")
            if arguments.method and verdict.epochs:
                result = fit(problem, method, tol)
                print("   ", result.method, result.remarks, result.rate_reason, f"gap_bound {result.gap_bound}")


if __name__ == "__main__":
    main()
