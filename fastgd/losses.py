"""The losses, as a user imports them: ``from fastgd.losses import Huber``."""

from .terms.losses import *  # noqa: F403
