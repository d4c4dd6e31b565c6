"""The names of the losses, and what each must offer."""

from __future__ import annotations

from ..registry import Vocabulary

LOSSES = Vocabulary("loss", {"value": ("y", "z"), "derivative": ("y", "z"), "mean": ("z",)})
