"""``fastgd evaluate``: metrics of a saved model on a table with known targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastgd.wording import plural

from .file_checks import FileChecking
from .options import json_option, saved_loss_option, text_of, text_options


@click.command(cls=FileChecking, short_help="Measure a saved model on a table with known targets.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--target", help="Column with the true values, or several with commas between.  [default: the model's]")
@click.option("--sample-weight", help="Column with the weight of each row, 0 or more.")
@click.option("--offset", help="Column to add to the linear predictor of each row.  [default: the model's]")
@saved_loss_option
@text_options
@json_option
def evaluate(
    model: Path, data: str, target: str | None, sample_weight: str | None, offset: str | None, loss: Any, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Compare the predictions of MODEL, a file written by `fastgd run --save`, with the targets in DATA.

    Prints R2, RMSE and MAE for regression, with the pinball loss for quantiles and the deviance for counts and
    amounts; accuracy, log loss, Brier score and AUC for classification, with the confusion matrix, and precision and
    recall of each class.
    """
    import fastgd

    from .console import echo, print_table
    from .models import load_model, open_for
    from .summary import describe_target, echo_json

    result = load_model(model, loss)
    table = open_for(
        result, data, need_target=True, target=target, sample_weight=sample_weight, offset=offset,
        text=text_of(options),
    )  # fmt: skip
    quality = fastgd.evaluate(result, table)
    if as_json:
        echo_json({"data": table.source, "target": table.target_name, **quality.as_dict()})
        return
    print_table(
        [
            ("data", f"{table.source}: {plural(table.n_samples, 'row')}, {describe_target(table.target_name)}"),
            *quality.named_metrics(),
        ]
    )
    for line in quality.class_lines():
        echo(line)
