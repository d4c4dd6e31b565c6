"""The penalties, as a user imports them: ``from fastgd.penalties import GroupLasso``."""

from .terms.penalties import *  # noqa: F403
