"""`Landscape`: the objective on a grid of one or two directions, with the paths of fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Landscape:
    """F on a grid along one or two directions of the parameter space, and the paths of fits on that grid.

    Attributes
    ----------
    names : the name of each direction.
    grid : for each direction, ascending coordinates. Along a single parameter the coordinate is its value; along a
        main direction 0 is the end of the first path.
    values : F on the grid, shape (len(grid[1]), len(grid[0])), or (len(grid[0]),) for one direction.
    paths : for each fit, by label, the coordinates of its path, shape (n_points, n_directions), projected onto the
        plane.
    heights : for each fit, by label, F at the projected points, shape (n_points,).
    """

    names: tuple[str, ...]
    grid: tuple[np.ndarray, ...]
    values: np.ndarray
    paths: Mapping[str, np.ndarray]
    heights: Mapping[str, np.ndarray]
