"""``--validation``: a fraction of the rows, or another file."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, Any

from .held_out import in_one_line

if TYPE_CHECKING:
    from fastgd import Quality, Result, Table, TextFormat


def open_validation(
    given: float | str | None, table: Table, sample_weight: str | None, offset: str | None, text: TextFormat
) -> Any:
    """The argument of `fastgd.fit`: the fraction, or the file as a table with the columns of the training data.

    ``text`` is how the training data is written, and holds for a file of text.
    """
    if not isinstance(given, str):
        return given
    from fastgd import open as open_table
    from fastgd.data.file_formats import DELIMITED_SUFFIXES, split_suffix
    from fastgd.errors import DataError

    try:
        return open_table(
            given,
            target=table.target_name,
            features=None if table.encoder else table.feature_names,
            columns=table.encoder,
            weight=sample_weight,
            offset=offset,
            text=text if split_suffix(given)[0] in DELIMITED_SUFFIXES else None,
        )
    except DataError as error:
        raise DataError(f"--validation: {error}") from None


def lowest_loss(result: Result) -> float:
    """The validation loss of the model; NaN if all validation losses are."""
    losses = [loss for loss in result.trace["validation_loss"].tolist() if not isnan(loss)]
    return min(losses, default=nan)


def validation_rows(result: Result, quality: Quality | None) -> list[tuple[str, str]]:
    """A line about the validation, if there was one."""
    if result.best_epoch is None:
        return []
    rows = f"{result.settings['validation_samples']:,} rows"
    metrics = "" if quality is None else f"; {in_one_line(quality)}"
    where = "the start" if result.best_epoch == 0 else f"epoch {result.best_epoch}"
    return [("validation", f"{rows}, lowest loss {lowest_loss(result):.6g} after {where}: this is the model{metrics}")]
