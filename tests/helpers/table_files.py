"""Writes tables to files of Arrow's formats, and takes the error message about a bad table."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from fastgd.data.readers.open_table import open as open_table
from fastgd.errors import DataError


def error_message(source, **options) -> str:
    """The message of the error that ``open`` raises: one line that starts with the source, which is left out here."""
    with pytest.raises(DataError) as caught:
        open_table(source, **options)
    message = str(caught.value)
    assert message.startswith(f"{source}: ")
    assert "\n" not in message
    return message.removeprefix(f"{source}: ")


def write_arrow(path, table) -> None:
    """Write a pyarrow Table in the format of the suffix."""
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
