"""A figure of the batch gradient against the roofline, and of the speed ratio to each peer."""

from __future__ import annotations

from typing import Any

from fastgd.show.plots import save
from fastgd.show.plots.style import BLUE, GREEN, VERMILION, new_figure

from .table import Table

COLOURS = {"float64": BLUE, "float32": VERMILION}  # markers distinguish them without colour
MARKERS = {("float64", "half_squared"): "o-", ("float32", "half_squared"): "s-", ("float64", "logistic"): "o--"}
BAR = GREEN


def draw(answers: dict[str, Table], path: str, machine: dict[str, Any]) -> None:
    """Write the figure to ``path``, in the format of its suffix."""
    figure = new_figure(12, 5)
    left, right = figure.subplots(1, 2)
    _speeds(left, answers)
    _ratios(right, answers)
    figure.suptitle(f"fastgd {machine['fastgd']} on {machine['processor']}, {machine['threads']} threads", fontsize=11)
    save(figure, path)


def _speeds(axes: Any, answers: dict[str, Table]) -> None:
    records = [record for record in answers["gradient"].records() if record["MB"] > 50]
    for (dtype, loss), marker in MARKERS.items():
        chosen = sorted((r["d"], r["GB/s"]) for r in records if (r["dtype"], r["loss"]) == (dtype, loss))
        axes.plot(*zip(*chosen, strict=True), marker, color=COLOURS[dtype], label=f"{loss}, {dtype}")
    for record in answers["roofline"].records():
        if record["threads"] != 1:
            style = {"color": COLOURS[record["dtype"]], "linestyle": ":", "label": f"roofline, {record['dtype']}"}
            axes.axhline(record["roofline"], **style)
    axes.set(xscale="log", xlabel="columns of X", ylabel="X read by a gradient, GB/s", title="Batch gradient")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, loc="lower right")


def _ratios(axes: Any, answers: dict[str, Table]) -> None:
    bars = list(_bars(answers))[::-1]
    axes.barh([name for name, _ in bars], [ratio for _, ratio in bars], color=BAR)
    for k, (_, ratio) in enumerate(bars):
        axes.text(ratio, k, f" {ratio:.3g}", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="times faster", title="Compared with peers")
    axes.margins(x=0.15)


def _bars(answers: dict[str, Table]) -> Any:
    for record in answers["gradient"].records():
        if record["MB"] > 50 and (record["dtype"], record["d"], record["loss"]) == ("float64", 54, "half_squared"):
            for column in ("x NumPy", "x PyTorch", "x compiled"):
                if record[column]:
                    yield f"gradient, d = 54, {column[2:].replace('compiled', 'PyTorch compiled')}", record[column]
    for record in answers["sgd"].records():
        yield f"SGD, {record['X']}, {record['loss']}, {record['peer']}", record["times faster"]
    for record in answers["sparse"].records():
        yield f"sparse, {record['what']}, {record['peer']}", record["times faster"]
    for name, question in (("mini-batch", "minibatch"), ("command", "command")):
        for record in answers[question].records():
            if not record["who"].startswith("fastgd"):
                yield f"{name}, {record['who']}", record["fastgd is times faster"]
