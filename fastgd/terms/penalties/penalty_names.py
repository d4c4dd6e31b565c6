"""The penalty for a name, ``alpha`` and ``l1_ratio``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from numbers import Real
from typing import Any

from ...compile.term_code import field_kinds
from ...errors import OptionError
from ...wording import option
from ..registry import nearest
from . import constraints, nonconvex  # noqa: F401  # they register their classes
from .elastic_net import ElasticNet
from .group_lasso import GroupLasso
from .penalty_protocol import PENALTIES

# Names of the elastic net with alpha and l1_ratio.
NAMED: dict[str, Callable[[float, float], ElasticNet]] = {
    "none": lambda _alpha, _l1_ratio: ElasticNet(),
    "l2": lambda alpha, _l1_ratio: ElasticNet(l2=alpha),
    "l1": lambda alpha, _l1_ratio: ElasticNet(l1=alpha),
    "elasticnet": lambda alpha, l1_ratio: ElasticNet(l1=alpha * l1_ratio, l2=alpha * (1.0 - l1_ratio)),
}

PENALTIES.aliases.update({"ridge": "l2", "lasso": "l1"})

# All names that a user may give. Names of a class in PENALTIES take settings, as in mcp:gamma=4.
PENALTY_NAMES = (*NAMED, *(name for name in PENALTIES if name not in NAMED))


def describe_penalty(penalty: Any) -> str:
    """The name and the strengths of a penalty, as a user gives them."""
    if isinstance(penalty, GroupLasso):
        return f"group_lasso (alpha {penalty.alpha:g}, {len(set(penalty.groups))} groups)"
    if not isinstance(penalty, ElasticNet):
        return PENALTIES.describe(penalty)
    if penalty.l1 == 0 and penalty.l2 == 0:
        return "none"
    if penalty.l1 == 0 or penalty.l2 == 0:
        return f"l1 {penalty.l1:g}" if penalty.l1 else f"l2 {penalty.l2:g}"
    return f"elasticnet (l1 {penalty.l1:g}, l2 {penalty.l2:g})"


def resolve_penalty(penalty: Any, alpha: Any, l1_ratio: Any) -> Any:
    """The penalty term for ``penalty`` (None, a name or a term), ``alpha`` and ``l1_ratio``.

    None with alpha > 0 means l2; ``l1_ratio`` defaults to 0.15. A name may have settings, as in
    ``"mcp:gamma=4"``; ``alpha`` may be among them, or beside the name.

    Raises
    ------
    OptionError
        For an unknown name or setting, a strength that is negative or not finite, an ``alpha`` for a penalty that has
        no strength or has it set already, or an ``l1_ratio`` for any penalty but elasticnet.
    """
    if not _is_number_up_to(sys.float_info.max, alpha):
        raise OptionError(f"{option('alpha')} must be a finite number, 0 or more, not {alpha}")
    alpha = float(alpha)
    if isinstance(penalty, str):
        penalty = PENALTIES.canonical(penalty)
    if l1_ratio is not None and penalty != "elasticnet":
        raise OptionError(f"{option('l1_ratio')} goes with {option('penalty', 'elasticnet')} only")
    if l1_ratio is not None and not _is_number_up_to(1.0, l1_ratio):
        raise OptionError(f"{option('l1_ratio')} must lie between 0 and 1, not {l1_ratio}")
    if penalty is None:
        penalty = "l2" if alpha > 0 else "none"
    if not isinstance(penalty, str):
        if alpha != 0:
            raise OptionError(f"the penalty term has its own strength: remove {option('alpha')}")
        return PENALTIES.resolve(penalty)
    if penalty == "none" and alpha != 0:
        given = f"{option('penalty', 'none')} and {option('alpha', alpha)}"
        raise OptionError(f"{given} contradict each other: remove one")
    if penalty in NAMED:
        return NAMED[penalty](alpha, 0.15 if l1_ratio is None else l1_ratio)
    return _with_settings(penalty, alpha)


def _with_settings(text: str, alpha: float) -> Any:
    name = text.partition(":")[0]
    if name not in PENALTY_NAMES:
        close = nearest(name, [*PENALTY_NAMES, *PENALTIES.aliases])
        raise OptionError(f"unknown penalty {name!r}{close} (known: {', '.join(PENALTY_NAMES)})")
    if name not in PENALTIES:
        raise OptionError(f"penalty {name!r} has no settings after a colon: its strength is {option('alpha')}")
    name, settings = PENALTIES.parse(text)
    if "alpha" in field_kinds(PENALTIES[name]):
        if alpha != 0 and "alpha" in settings:
            raise OptionError(f"penalty {text!r} has its own strength: remove {option('alpha', alpha)}")
        settings.setdefault("alpha", alpha)
    elif alpha != 0:
        raise OptionError(f"penalty {text!r} has no alpha: remove {option('alpha', alpha)}")
    return PENALTIES.make(name, settings)


def _is_number_up_to(most: float, value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and 0.0 <= float(value) <= most
