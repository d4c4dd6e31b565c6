"""``fastgd predict``: a model's predictions for the rows of a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from fastgd.wording import printable

from .console import BinaryOutput
from .file_checks import FileChecking
from .options import saved_loss_option
from .values import COLUMN_FILE

if TYPE_CHECKING:
    from fastgd import Result, Table


@click.command(cls=FileChecking, short_help="Predict the rows of a table with a saved model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--offset", help="Column to add to the linear predictor of each row.  [default: the model's]")
@saved_loss_option
@click.option(
    "--output", "-o", type=COLUMN_FILE,
    help="File to write (.csv, .tsv, .parquet, .npy, ...).  [default: standard output]",
)  # fmt: skip
def predict(model: Path, data: str, offset: str | None, loss: Any, output: Path | None) -> None:
    """Predict each row of DATA with MODEL, a file written by `fastgd run --save`.

    Columns are found by name, in any order; other columns are ignored. Writes the column `prediction`, or
    `prediction_NAME` for each of several targets. If the loss has probabilities, it also writes `probability` of
    the larger of two labels, `probability_LABEL` for each of more labels, or `probability_NAME` for each target.
    """
    from .models import load_model, open_for

    result = load_model(model, loss)
    columns = predicted_columns(result, open_for(result, data, need_target=False, offset=offset))
    from fastgd.data.writers.write_table import without_formulas, write_columns, write_text

    if output is not None:
        write_columns(output, columns)
    else:
        if sys.stdout.isatty():
            columns = {printable(name): _printable(column) for name, column in columns.items()}
        write_text(cast(IO[bytes], BinaryOutput()), ",", without_formulas(columns))


def _printable(column: Any) -> Any:
    """Labels for a terminal."""
    import numpy as np

    return np.array([printable(word) for word in column.tolist()]) if column.dtype.kind == "U" else column


def predicted_columns(result: Result, table: Table) -> dict[str, Any]:
    """The columns to write: predictions, and probabilities if the loss has them."""
    from fastgd.model.result import output_names

    names = output_names(result)
    predicted = result.predict(table.X, offset=table.offset)
    columns: dict[str, Any] = {"prediction": predicted}
    if predicted.ndim == 2:
        columns = {f"prediction_{name}": column for name, column in zip(names, predicted.T, strict=True)}
    if result.classes is None or not getattr(result.loss, "probabilistic", False):
        return columns
    probability = result.predict_proba(table.X, offset=table.offset)
    if result.classes.shape == (2,):
        return {**columns, "probability": probability[:, 1]}
    return columns | {f"probability_{name}": column for name, column in zip(names, probability.T, strict=True)}
