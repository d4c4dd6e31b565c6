"""Penalties of large coefficients, and constraints on them; the intercept is never penalised. See `Penalty`."""

from __future__ import annotations

from .constraints import Box, NonNegative
from .elastic_net import ElasticNet
from .group_lasso import GroupLasso
from .nonconvex import MCP, SCAD
from .penalty_names import NAMED, PENALTY_NAMES, describe_penalty, resolve_penalty
from .penalty_protocol import PENALTIES, Penalty, PenaltyTraits, check_features, is_smooth, penalty_traits

__all__ = [
    "MCP",
    "NAMED",
    "PENALTIES",
    "PENALTY_NAMES",
    "SCAD",
    "Box",
    "ElasticNet",
    "GroupLasso",
    "NonNegative",
    "Penalty",
    "PenaltyTraits",
    "check_features",
    "describe_penalty",
    "is_smooth",
    "penalty_traits",
    "resolve_penalty",
]
