"""``fastgd predict``: a model's predictions for the rows of a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any, cast

import click

from fastgd.data.text_format import TextFormat
from fastgd.wording import plural, printable

from .console import BinaryOutput
from .file_checks import FileChecking
from .options import saved_loss_option, text_of, text_options
from .values import NAMES, PREDICTION_FILE


@click.command(cls=FileChecking, short_help="Predict the rows of a table with a saved model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--keep", type=NAMES, help="Columns of DATA to write as well, with commas between them, or all.")
@click.option(
    "--threshold", type=float,
    help="Probability from which the larger of two labels is predicted.  [default: 0.5]",
)  # fmt: skip
@click.option("--offset", help="Column to add to the linear predictor of each row.  [default: the model's]")
@saved_loss_option
@text_options
@click.option(
    "--output", "-o", type=PREDICTION_FILE,
    help="File to write (.csv, .tsv, .jsonl, .parquet, .npy, ...).  [default: standard output]",
)  # fmt: skip
def predict(
    model: Path, data: str, keep: list[str] | None, threshold: float | None, offset: str | None, loss: Any,
    output: Path | None, **options: Any,
) -> None:  # fmt: skip
    """Predict each row of DATA with MODEL, a file written by `fastgd run --save`.

    Columns are found by name, in any order; other columns are ignored. Writes the column `prediction`, or
    `prediction_TARGET` for each of several targets. If the loss has probabilities, it also writes
    `probability_LABEL` for each label, or `probability_TARGET` of the larger label for each of several targets.

    \b
    fastgd predict iris.fastgd new.csv --keep id -o predicted.csv      beside the id
    fastgd predict loans.fastgd new.csv --keep all --threshold 0.2     all columns, and yes from 20 % on
    """  # noqa: D301  # click does not rewrap lines after the character \b
    from fastgd.data.writers.write_table import without_formulas, write_columns, write_text
    from fastgd.model.prediction_columns import prediction_columns

    from .models import load_model, open_for

    result = load_model(model, loss)
    text = text_of(options)
    table = open_for(result, data, need_target=False, offset=offset, text=text)
    columns = prediction_columns(result, table.X, offset=table.offset, threshold=threshold)
    if keep is not None:
        columns = {**_kept(data, keep, columns, text), **columns}
    if output is not None:
        write_columns(output, columns)
        return
    if sys.stdout.isatty():
        columns = {printable(name): _printable(column) for name, column in columns.items()}
    write_text(cast(IO[bytes], BinaryOutput()), ",", without_formulas(columns))


def _kept(data: str, keep: list[str], predicted: dict[str, Any], text: TextFormat) -> dict[str, Any]:
    """The columns of the data to write before the predictions."""
    from fastgd.data.readers.kept_columns import kept_columns
    from fastgd.errors import DataError

    kept = kept_columns(data, None if keep == ["all"] else keep, text)
    taken = [name for name in kept if name in predicted]
    if taken:
        raise DataError(
            f"{data}: its column {taken[0]!r} has the name of a column of predictions; leave it out of --keep, or "
            "rename it"
        )
    n_rows, n_predicted = (len(next(iter(columns.values()), ())) for columns in (kept, predicted))
    if kept and n_rows != n_predicted:
        raise DataError(
            f"{data}: has {plural(n_rows, 'row')}, of which {n_predicted:,} are predicted; leave --keep out"
        )
    return kept


def _printable(column: Any) -> Any:
    """Words for a terminal."""
    import numpy as np
    import pyarrow as pa

    if not isinstance(column, np.ndarray):
        words = pa.types.is_string(column.type)
        return pa.chunked_array([[w and printable(w) for w in column.to_pylist()]], column.type) if words else column
    return np.array([printable(word) for word in column.tolist()]) if column.dtype.kind == "U" else column
