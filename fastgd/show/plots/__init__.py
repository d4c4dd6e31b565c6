"""Plots with matplotlib: loss curves, learning-rate ranges, grid searches and landscapes.

Each function returns a matplotlib Figure, which a notebook displays and `save` writes to a file. matplotlib is imported
by the first plot; its global state (pyplot) is not used.
"""

from .loss_plot import plot_loss
from .picture_files import PICTURE_SUFFIXES, check_picture, need_matplotlib, save
from .rate_plot import plot_rate_range

__all__ = ["PICTURE_SUFFIXES", "check_picture", "need_matplotlib", "plot_loss", "plot_rate_range", "save"]
