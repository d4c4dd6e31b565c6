"""Terms made from source code, a kernel that uses them, and Python in another process."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from textwrap import dedent, indent

import numba
import numpy as np

from fastgd.compile.jit import COMPILE_OPTIONS
from fastgd.compile.term import term


def run(arguments: list[str], cwd, script_input: str | None = None, **environment: str) -> str:
    """Run Python in ``cwd`` with the import path of this process; return its output."""
    path = os.pathsep.join([str(cwd), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        input=script_input,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@numba.njit(**COMPILE_OPTIONS)
def total(loss, y, z):
    """The sum of the losses, in compiled code."""
    value = 0.0
    for i in range(y.shape[0]):
        value += loss.value(y[i], z[i])
    return value


Y = np.array([1.0, 2.0, -3.0])
Z = np.array([0.5, 4.0, -3.5])


def loss_class(value: str = "return (z - y) ** 2", *, before: str = "", body: str = "", **names) -> type:
    """A loss made from source code in a module of its own; ``before`` comes above the class, ``body`` into it."""
    source = "\n".join(
        [
            "import math",
            dedent(before),
            "@term",
            "class Loss:",
            indent(dedent(body), "    "),
            "    def value(self, y, z):",
            indent(dedent(value), " " * 8),
            "    def derivative(self, y, z):",
            "        return z - y",
            "    def mean(self, z):",
            "        return z",
        ]
    )
    module = types.ModuleType("mine")
    vars(module).update(term=term, np=np, njit=numba.njit, **names)
    exec(compile(source, "mine.py", "exec", dont_inherit=True), vars(module))
    return module.Loss
