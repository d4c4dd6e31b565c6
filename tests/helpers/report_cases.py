"""A hand-made report with hostile names (HTML, scripts, templates) wherever a name can occur."""

from __future__ import annotations

import numpy as np
from helpers.picture_cases import diverged, result

from fastgd import Landscape, Report

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script>"
TEMPLATE = "%{y} &lt;b&gt; $x$"
OBJECTIVE = [8.0, 4.0, 2.0, 1.0, 0.5]
NOISY = [8.0, 1.0, 4.0, 0.5, 2.0]


def landscape():
    """F = x^2 + 4 y^2, with a path of five points and one of two."""
    x, y = np.linspace(-2, 2, 9), np.linspace(-1, 1, 9)
    paths = {
        "gd": np.array([[2.0, 1.0], [1.0, 0.5], [0.5, 0.25], [0.25, 0.125], [0.0, 0.0]]),
        IMAGE: np.array([[2.0, 1.0], [0.0, 0.5]]),
    }
    heights = {label: path[:, 0] ** 2 + 4 * path[:, 1] ** 2 for label, path in paths.items()}
    return Landscape((f"weight of {IMAGE}", TEMPLATE), (x, y), x**2 + 4 * y[:, None] ** 2, paths, heights)


def report(**changes):
    """A report of three runs: smooth, noisy under a hostile name, and diverged in the third epoch."""
    values = {
        "title": f"the lesson {SCRIPT}",
        "command": f"fastgd compare '{IMAGE}'",
        "settings": {"seed": 7, IMAGE: SCRIPT},
        "data": {"names": ["a", IMAGE, SCRIPT], "target": TEMPLATE},
        "columns": ("method", "epochs", IMAGE),
        "rows": [("gd", 4, 0.5), (IMAGE, 4, 2.0), (SCRIPT, 2, None)],
        "runs": {
            "gd": result(OBJECTIVE),
            IMAGE: result(NOISY),
            SCRIPT: diverged([8.0, 16.0, 64.0], [(2.5, float("inf"))], running=[np.nan, 16.0, 64.0]),
        },
        "model": {f"coef of {IMAGE}": SCRIPT},
        "landscape": landscape(),
        "remarks": (IMAGE, SCRIPT),
        "environment": {"fastgd": "1.2.3", "packages": {"numpy": "4.5.6"}, "cpu": IMAGE},
    }
    return Report(**values | changes)
