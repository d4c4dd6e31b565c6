"""Writer of .jsonl: one JSON object a row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa


def write_json_lines(file: IO[bytes], tables: Iterable[pa.Table]) -> None:
    """Write each row as an object on a line of its own; NaN and infinity become null, dates and decimals text."""
    for table in tables:
        rows = ({name: _value(value) for name, value in row.items()} for row in table.to_pylist())
        file.write("".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows).encode())


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
