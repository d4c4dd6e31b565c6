"""Losses: one class each, as scalar functions of the target y and the linear predictor z.

``value(y, z)`` and ``derivative(y, z)``, its derivative in z (at a kink one of the subgradients, the one that
scikit-learn takes), are compiled into the kernels; ``mean(z)`` turns a linear predictor into a prediction of y.

``curvature()`` is the largest second derivative in z, from which learning rates follow; a loss without a largest
one has no such method. ``allows(y)``, whether the loss is defined for y, and ``domain()``, the same in words, are
there where not every number will do: `allows` takes an array as well as a number.

``classifies``: y is -1 or +1, and mean(z) is z itself, the score, unless the loss is also ``probabilistic``: then
mean(z) is the probability of +1. ``joint``: y is the number of a class and z has an element for each class; see
`Softmax`. ``random_start``: the gradient of every row is 0 at zero weights. ``kinked``: the derivative jumps, so
that the second one says nothing of it.
"""

from __future__ import annotations

# The order in which names are listed, wherever they are: the common ones first.
# isort: off
from .loss_protocol import LOSSES
from .regression import (
    Squared,
    HalfSquared,
    is_squared,
    Huber,
    Absolute,
    Quantile,
    EpsilonInsensitive,
    SquaredEpsilonInsensitive,
)
from .margin import Logistic, Hinge, SquaredHinge, ModifiedHuber, Perceptron, log1p_of_fraction
from .softmax import Softmax
from .log_link import Poisson, Gamma, Tweedie
from .phase_retrieval import PhaseRetrieval
from .user_loss import check_own_loss
from .loss_domain import check_targets
# isort: on

__all__ = [
    "LOSSES",
    "Absolute",
    "EpsilonInsensitive",
    "Gamma",
    "HalfSquared",
    "Hinge",
    "Huber",
    "Logistic",
    "ModifiedHuber",
    "Perceptron",
    "PhaseRetrieval",
    "Poisson",
    "Quantile",
    "Softmax",
    "Squared",
    "SquaredEpsilonInsensitive",
    "SquaredHinge",
    "Tweedie",
    "check_own_loss",
    "check_targets",
    "is_squared",
    "log1p_of_fraction",
]
