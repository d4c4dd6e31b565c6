"""Pictures of runs, with matplotlib: loss curves, the range test of learning rates, searches, and landscapes of F.

Each function gives a matplotlib Figure, which a notebook shows and `save` writes. matplotlib is imported only when one
is called, and none of its global state is touched.
"""

from .loss_plot import plot_loss
from .picture_files import PICTURE_SUFFIXES, check_picture, need_matplotlib, save
from .rate_plot import plot_rate_range

__all__ = ["PICTURE_SUFFIXES", "check_picture", "need_matplotlib", "plot_loss", "plot_rate_range", "save"]
