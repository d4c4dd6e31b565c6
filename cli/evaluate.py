"""``fastgd evaluate``: how good a model is on a table with known targets."""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option


@click.command(short_help="How good a model is on a table with known targets.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@json_option
def evaluate(model: Path, data: str, as_json: bool) -> None:
    """Compare the predictions of MODEL, a file that `fastgd run --save` wrote, with the targets in DATA.

    Prints R2, RMSE and MAE for a regression; accuracy, log loss and AUC for a classification.
    """
    from fastgd.metrics import evaluate as metrics_of

    from .console import print_table
    from .models import load_model, open_for
    from .summary import METRIC_NAMES, echo_json

    result = load_model(model)
    table = open_for(result, data, need_target=True)
    metrics = metrics_of(result, table.X, table.y)
    if as_json:
        echo_json({"data": table.source, "n_samples": table.n_samples, "target": table.target_name, "metrics": metrics})
        return
    print_table(
        [
            ("data", f"{table.source}: {table.n_samples:,} rows, target {table.target_name}"),
            *((METRIC_NAMES[name], f"{value:.6g}") for name, value in metrics.items()),
        ]
    )
