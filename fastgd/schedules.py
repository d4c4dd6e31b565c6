"""The learning-rate schedules, as a user imports them: ``from fastgd.schedules import Cosine``."""

from .terms.rate_schedules import *  # noqa: F403
