"""What a penalty is to the kernels, and the vocabulary that all of them are entered in.

A penalty is a smooth part, whose ``derivative`` joins the gradient before the update rule, plus a
part that may have kinks, jumps or no finite value, which acts through its ``prox``:

    prox(v, step) = argmin_x  sum_j (x_j - v_j)^2 / (2 step_j) + kinked part of x,    written into v

``step`` holds a step size for each weight, since adaptive rules have one for each. Of several
minimisers any will do, but it has to be the least of all, not just a local one, for every step. A
step of 0 moves v just to the nearest point at which the penalty is finite.

Python asks two things more, which a penalty states where they are false: whether it is
``separable``, a sum of penalties of one weight each, and whether it is ``convex``. A penalty that
fits only some data says so in ``check(n_features)``.
"""

from __future__ import annotations

import math
from typing import Any

from ...errors import OptionError
from ..registry import Vocabulary

PENALTIES = Vocabulary("penalty", {"value": ("w",), "derivative": ("w_j",), "prox": ("v", "step")})


def check_strength(penalty: str, name: str, value: float) -> None:
    """Raise an `OptionError` unless the value is finite and not negative."""
    if not 0 <= value < math.inf:
        raise OptionError(f"{penalty}: {name} must be a finite number, 0 or more, not {value}")


def is_smooth(penalty: Any) -> bool:
    """Whether the penalty has no part that acts through its prox."""
    return bool(getattr(penalty, "smooth", lambda: False)())
