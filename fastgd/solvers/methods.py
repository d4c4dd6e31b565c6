"""The function of each method, by its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..objective.problem import Problem
from ..training.watch import Watch
from .gd import gd
from .lbfgs import lbfgs
from .newton import newton
from .options import Options
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
