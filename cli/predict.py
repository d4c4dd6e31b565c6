"""``fastgd predict``: a model's predictions for the rows of a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command(short_help="Predict the rows of a table with a saved model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="File to write (.csv, .tsv, .parquet, .npy, ...); else standard output.",
)
def predict(model: Path, data: str, output: Path | None) -> None:
    """Predict each row of DATA with MODEL, a file that `fastgd run --save` wrote.

    Columns are found by their names, in whatever order they come; others, the target among them, are left
    alone. Writes a column `prediction`, and for a classification also `probability`, that of its larger label.
    """
    from fastgd.data.atomic import check_writable
    from fastgd.data.names import COLUMN_SUFFIXES

    if output is not None:
        check_writable(output, COLUMN_SUFFIXES)
    from .models import load_model, open_for

    result = load_model(model)
    table = open_for(result, data, need_target=False)
    columns: dict[str, Any] = {"prediction": result.predict(table.X)}
    if result.classes is not None:
        columns["probability"] = result.predict_proba(table.X)[:, 1]
    from fastgd.data.write import write_columns, write_text

    if output is not None:
        write_columns(output, columns)
    else:
        write_text(sys.stdout.buffer, ",", columns)
