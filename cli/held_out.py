"""Rows that are held out of training, and how good the model is on them: ``--test-size`` and ``--validation``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fastgd.wording import plural

if TYPE_CHECKING:
    from fastgd import Quality, Result, Table


class HeldOut(NamedTuple):
    """The quality of a model on the rows of ``--test-size`` and of ``--validation``; None without them."""

    test: Quality | None
    validation: Quality | None


def split_test(table: Table, test_size: float | None, options: dict[str, Any]) -> tuple[Table, Table | None]:
    """The rows to train on, and the rows of ``--test-size``; ``options`` are those of `fastgd.fit`."""
    if test_size is None:
        return table, None
    from fastgd.data.table_split import split

    return split(table, test_size, seed=options["seed"], loss=options.get("loss", "auto"))


def measure(result: Result, table: Table, test: Table | None, options: dict[str, Any]) -> HeldOut:
    """Measure the model on the held-out rows."""
    import fastgd
    from fastgd.data.table_split import held_out, rows_of

    validation = options["validation"]
    if isinstance(validation, float):
        rows = held_out(table, validation, seed=options["seed"], loss=result.loss, option_name="validation")
        validation = rows_of(table, rows)
    return HeldOut(*(None if rows is None else fastgd.evaluate(result, rows) for rows in (test, validation)))


def test_rows(quality: Quality | None) -> list[tuple[str, str]]:
    """A line about the rows of ``--test-size``, if there are some."""
    if quality is None:
        return []
    return [("held out", f"{in_one_line(quality)} ({plural(quality.n_samples, 'row')} held out of training)")]


def in_one_line(quality: Quality) -> str:
    return ", ".join(f"{name} {value}" for name, value in quality.named_metrics(digits=5))
