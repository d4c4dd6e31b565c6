"""The options for plots and reports: checked before training, drawn after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import together
from .values import BETA, NAMES, PICTURE, REPORT

if TYPE_CHECKING:
    from fastgd import DivergedError, Interrupted, Report, Result, Table

    from .written_files import WrittenFiles

AXES = ("epoch", "passes", "seconds", "step")
# The options of `fastgd.fit` that `fastgd.landscape` takes as well.
OF_THE_OBJECTIVE = (
    "penalty", "alpha", "l1_ratio", "class_weight", "penalty_weights", "validation", "n_threads",
)  # fmt: skip

smooth_option = click.option(
    "--smooth",
    type=BETA,
    help="Also draw the exponentially weighted moving average of each curve; 0.9 averages over about 10 values.",
)
report_option = click.option(
    "--report", type=REPORT, help="Write a report with interactive charts to this file, .html; it needs no network."
)
against_option = click.option(
    "--against",
    type=click.Choice(AXES),
    help="Horizontal axis of the loss curve; step needs --trace-steps.  [default: epoch]",
)
plot_options = together(
    click.option("--plot", type=PICTURE, help="Plot the loss curve to this file: .png, .svg or .pdf."),
    against_option,
    smooth_option,
    click.option(
        "--plot-landscape", type=PICTURE,
        help="Plot contours of the objective and the path of the weights to this file: over both weights if there are "
        "two, else over the two main directions of the path.",
    ),
    click.option("--plot-weights", type=NAMES, help="Axes of the landscape, two weights or one: age,intercept."),
    click.option("--plot-3d", is_flag=True, help="Draw the landscape as a surface instead of contours."),
    report_option,
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """The plots and the report that a command has to make."""

    plot: Path | None
    against: str | None
    smooth: float | None
    plot_landscape: Path | None
    plot_weights: list[str] | None
    plot_3d: bool
    report: Path | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> Pictures:
        """Take the ``plot_options`` out of the options of a command."""
        return cls(**{name: options.pop(name) for name in cls.__dataclass_fields__})

    @property
    def files(self) -> dict[str, str]:
        """The paths to write to, by the kind of picture."""
        named = {"plot": self.plot, "landscape": self.plot_landscape, "report": self.report}
        return {name: str(path) for name, path in named.items() if path is not None}

    def check(self, trace_steps: bool) -> None:
        """Check that the options go together."""
        if self.against is not None and self.plot is None:
            raise click.UsageError("--against needs a plot: add --plot FILE.png")
        if self.smooth is not None and self.plot is None and self.report is None:
            raise click.UsageError("--smooth needs a plot: add --plot FILE.png or --report FILE.html")
        for flag, given in (("--plot-weights", self.plot_weights), ("--plot-3d", self.plot_3d)):
            if given and self.plot_landscape is None:
                raise click.UsageError(f"{flag} needs a landscape: add --plot-landscape FILE.png")
        if self.against == "step" and not trace_steps:
            raise click.UsageError("--against step draws single updates: add --trace-steps")
        if self.plot_weights and len(set(self.plot_weights)) not in (1, 2):
            raise click.UsageError("--plot-weights takes one name or two, with a comma between them")

    def draw_run(
        self, run: Result | DivergedError | Interrupted, table: Table, options: dict[str, Any], written: WrittenFiles
    ) -> None:
        """Draw and write all files about one run; ``options`` are the arguments of `fastgd.fit`."""
        if not self.files:
            return
        import fastgd

        from .report import run_report

        result = run if isinstance(run, fastgd.Result) else run.result
        shown = run if isinstance(run, fastgd.DivergedError) else result  # the error has more of its last epoch
        title = title_of(result, table)
        self.draw({result.method: shown}, table, options, (title, title), "epoch", partial(run_report, shown), written)

    def draw(
        self, runs: dict[str, Any], table: Table, options: dict[str, Any], titles: tuple[str, str], against: str,
        report: Callable[..., Report], written: WrittenFiles,
    ) -> None:  # fmt: skip
        """Draw and write all files; ``against`` is the default x axis, ``report`` makes the content of the report.

        ``titles`` are of the loss curves and the report, and of the landscape.
        """
        import fastgd
        from fastgd.show.plots import save

        wanted = {name: options[name] for name in OF_THE_OBJECTIVE if name in options}

        def draw_loss(path: Path) -> None:
            axis = self.against or against
            save(fastgd.plot_loss(runs, against=axis, smooth=self.smooth, title=titles[0]), path)

        def draw_landscape(path: Path) -> None:
            found = fastgd.landscape(table, results=runs, weights=self.plot_weights or None, **wanted)
            save(fastgd.plot_landscape(found, surface=self.plot_3d, title=titles[1]), path)

        def write_page(path: Path) -> None:
            fastgd.write_report(path, report(table, wanted, titles[0], self.smooth))

        for kind, path, write in (
            ("plot", self.plot, draw_loss),
            ("landscape", self.plot_landscape, draw_landscape),
            ("report", self.report, write_page),
        ):
            written.write(kind, path, write)


def check_weights(plot_weights: list[str] | None, table: Table, with_intercept: bool) -> None:
    """Check the names of ``--plot-weights``; for several outputs they are known only after training."""
    if not plot_weights or (table.y is not None and table.y.ndim > 1):
        return
    from fastgd.errors import OptionError
    from fastgd.wording import hint

    names = [*(table.feature_names or map(str, range(table.n_features)))] + ["intercept"] * with_intercept
    for name in plot_weights:
        # With more than two classes the weights are called class:column.
        if name not in names and ":" not in name:
            raise OptionError(f"--plot-weights: there is no weight {name!r}: {hint(name, names)}")


def title_of(result: Result, table: Table) -> str:
    """Loss, penalty and method, in a line or two."""
    from fastgd.losses import LOSSES

    from .summary import describe_method

    penalty = result.settings["penalty"]
    parts = [f"{LOSSES.describe(result.loss)} loss", *([] if penalty == "none" else [f"penalty {penalty}"])]
    return f"{Path(table.source).name}: {', '.join([*parts, describe_method(result, with_reason=False)])}"
