"""Penalties: what a model pays for large weights, or for weights out of bounds; the intercept pays nothing.

`protocol` says what a penalty is, `naming` which one a name stands for; the classes are in the other files.
"""

from __future__ import annotations

from .constraints import Box, NonNegative
from .elastic_net import ElasticNet
from .group_lasso import GroupLasso
from .nonconvex import MCP, SCAD
from .penalty_names import NAMED, PENALTY_NAMES, describe_penalty, resolve_penalty
from .penalty_protocol import PENALTIES, is_smooth

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
    "describe_penalty",
    "is_smooth",
    "resolve_penalty",
]
