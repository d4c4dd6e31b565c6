"""The methods: the Python that drives the kernels, a file for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..options import Options
from ..problem import Problem
from ..watch import Watch
from .gd import gd
from .lbfgs import lbfgs
from .newton import newton
from .plan import Plan
from .stochastic import minibatch, sgd
from .variance_reduced import saga, svrg

RUN: dict[str, Callable[[Problem, Options, Plan, Watch, np.ndarray], None]] = {
    "gd": gd,
    "sgd": sgd,
    "minibatch": minibatch,
    "lbfgs": lbfgs,
    "newton": newton,
    "svrg": svrg,
    "saga": saga,
}
