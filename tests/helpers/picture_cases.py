"""Hand-made runs for the tests of plots, and checks of figures and image files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from fastgd import DivergedError, Result
from fastgd.losses import LOSSES
from fastgd.training.trace import STEP_FIELDS, TRACE_DTYPE, UNDER_WAY_DTYPE

NAN = float("nan")


def result(objective, running=None, norms=NAN, **changes):
    """A `Result` whose trace has these values; each epoch took half a second and 1.25 passes."""
    n = len(objective)
    trace = np.zeros(n, TRACE_DTYPE)
    trace["epoch"] = np.arange(n)
    trace["passes"], trace["seconds"] = 1.25 * np.arange(n), 0.5 * np.arange(n)
    trace["objective"] = objective
    trace["running_loss"] = NAN if running is None else running
    trace["gradient_norm"], trace["validation_loss"] = norms, NAN
    trace["validation_loss"] = changes.pop("validation", NAN)
    values = {
        "coef": np.zeros(2), "intercept": 0.0, "objective": float(objective[-1]), "n_epochs": n - 1,
        "converged": True, "stop_reason": "max_epochs", "method": "minibatch", "loss": LOSSES.resolve("squared"),
        "learning_rate": 0.1, "trace": trace, "settings": {"fit_intercept": True, "seed": 0},
    }  # fmt: skip
    return Result(**values | changes)


def steps(losses, epoch):
    """`Result.steps` with these losses and epochs."""
    rows = np.zeros(len(losses), [*STEP_FIELDS, ("gradient", np.float64, (2,)), ("weights", np.float64, (2,))])
    rows["step"], rows["epoch"], rows["loss"] = np.arange(1, len(losses) + 1), epoch, losses
    return rows


def diverged(objective, blocks, **changes):
    """A `DivergedError` whose last epoch has these ``blocks``, pairs of epoch and running loss."""
    run = result(objective, stop_reason="diverged", converged=False, **changes)
    rows = [(epoch, 1.25 * epoch, 0.5 * epoch, loss) for epoch, loss in blocks]
    return DivergedError("too large a rate", run, epoch=len(objective), under_way=np.array(rows, UNDER_WAY_DTYPE))


def lines(axes):
    """The lines of a figure by label: arrays of x and y."""
    return {line.get_label(): np.array(line.get_data()) for line in axes.get_lines()}


def check_file(path: Path) -> None:
    """Assert that the file is a complete image of its type and is not blank."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 600
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20
    elif path.suffix == ".svg":
        assert len(list(ET.parse(path).iter("{http://www.w3.org/2000/svg}path"))) > 30
    else:
        content = path.read_bytes()
        assert content.startswith(b"%PDF")
        assert content.rstrip().endswith(b"%%EOF")


def check_figure(figure) -> None:
    """Assert that all axes have data and labels, and that nothing lies outside the figure."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    assert figure.axes
    for axes in figure.axes:
        assert axes.has_data()
        assert axes.get_ylabel()
        edge = axes.get_tightbbox(renderer)
        assert edge.x0 >= -1
        assert edge.y0 >= -1
        assert edge.x1 <= figure.bbox.x1 + 1
        assert edge.y1 <= figure.bbox.y1 + 1
    assert figure.axes[0].get_xlabel()


def axes_of(figure):
    """The first axes of a figure, once it is drawn and checked."""
    FigureCanvasAgg(figure)
    check_figure(figure)
    return figure.axes[0]
