"""Losses: one class each, as scalar functions of the target y and the linear predictor z. See `Loss`."""

from __future__ import annotations

# In the order in which names are listed: common losses first.
# isort: off
from .loss_protocol import LOSSES, Loss, LossTraits, loss_traits
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
    "Loss",
    "LossTraits",
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
    "loss_traits",
]
