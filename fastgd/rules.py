"""The update rules, as a user imports them: ``from fastgd.rules import Adam``."""

from .terms.update_rules import *  # noqa: F403
