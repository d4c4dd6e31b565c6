"""The columns of a delimited text file as pyarrow reads them, and the error about a line that it cannot read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import DataError
from ...wording import plural
from ..expansion import check_gzip
from .files import reading
from .spelled_numbers import has_leading_zeros, marked_as_missing, retyped, with_marks_as_numbers
from .text_content import not_utf8, surely_not_utf8
from .text_records import TextFile, first_ragged, rewritten
from .text_sniffing import END

_RAGGED = re.compile(r"Expected \d+ columns, got \d+")  # pyarrow's words, before the text of the row
_FIELD_BYTES = 128  # an upper bound for most fields: a row must fit into one of pyarrow's blocks
_BLANK = f" \t\r\n\xa0{END}"


@dataclass(frozen=True)
class TextColumns:
    """The columns of a file, of which ``blank_lines`` and ``header_rows`` come before the first row."""

    file: TextFile
    blank_lines: int
    header_rows: int
    names: tuple[str, ...]

    def read(self, wanted: Sequence[str], as_text: Sequence[str] = (), words_are_missing: bool = True) -> Any:
        """The wanted columns as a pyarrow Table, each with the type inferred from the whole column, or text."""
        import pyarrow as pa

        file = self.file
        if file.compression == "gzip" and file.is_for_arrow():
            check_gzip(file.path)
        source = None if file.is_for_arrow() else rewritten(file)
        options = self._conversion(wanted, as_text, words_are_missing)
        try:
            table = self._parse(source, options, _read_in_blocks)
        except pa.ArrowInvalid:
            table = self._read_whole(source, options)
        if any(pa.types.is_binary(kind) for kind in table.schema.types):
            raise surely_not_utf8(file.path, file.compression)
        if table.num_rows == 0:
            raise DataError(f"{file.path}: has a header but no rows; write it again")
        for j, name in enumerate(table.column_names):
            if name not in as_text and pa.types.is_string(table.schema.types[j]):
                column = marked_as_missing(table.column(j), file.dialect.na_values)
                table = table.set_column(j, name, with_marks_as_numbers(column, file.dialect))
        return table

    def read_spelled(
        self, wanted: Sequence[str], spelled: Sequence[str], all_words: bool = False
    ) -> tuple[Any, dict[str, Any]]:
        """The wanted columns as `read` has them, and the text of whole numbers that begin with a zero.

        With ``all_words``, words such as NA among the columns ``spelled`` are not missing values.
        """
        table = self.read(wanted, spelled, words_are_missing=not all_words)
        spellings = {}
        for name in spelled:
            text = table.column(name)
            typed = retyped(text, self.file.dialect)
            if has_leading_zeros(text, typed):
                spellings[name] = text
            kept = text if all_words and typed.type == text.type else typed
            table = table.set_column(table.column_names.index(name), name, kept)
        return table, spellings

    def _conversion(self, wanted: Sequence[str], as_text: Sequence[str], words_are_missing: bool) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        dialect = self.file.dialect
        options = csv.ConvertOptions(
            include_columns=list(wanted), strings_can_be_null=words_are_missing, decimal_point=dialect.decimal,
            column_types=dict.fromkeys(as_text, pa.string()),
        )  # fmt: skip
        if words_are_missing:
            options.null_values = [*options.null_values, *dialect.na_values]
        return options

    def _parse(
        self, source: Any, convert: Any, reader: Callable[..., Any], on_ragged: Callable[[Any], str] | None = None
    ) -> Any:
        """Let ``reader``, a function of pyarrow, read the file, or the buffer ``source`` in its place.

        Nothing written in Python may be called by pyarrow's own threads, which outlive an error: such a call while the
        interpreter ends aborts the process. So the stream is pyarrow's, and a handler is called by this thread.
        """
        import pyarrow as pa
        from pyarrow import csv

        file, dialect = self.file, self.file.dialect
        read = csv.ReadOptions(
            use_threads=on_ragged is None, column_names=list(self.names), skip_rows=self.blank_lines,
            skip_rows_after_names=self.header_rows, block_size=max(1 << 20, _FIELD_BYTES * len(self.names)),
        )  # fmt: skip
        parsing = csv.ParseOptions(
            delimiter=dialect.separator, quote_char=dialect.quote or False, newlines_in_values=True,
            invalid_row_handler=on_ragged,
        )  # fmt: skip
        compression = "gzip" if file.compression == "gzip" else None
        with (
            reading(file.path),
            pa.input_stream(file.path, compression=compression)
            if source is None
            else pa.BufferReader(source) as stream,
        ):
            try:
                return reader(stream, read, parsing, convert)
            except OSError as error:
                if not file.compression or error.errno is not None:
                    raise
                raise DataError(f"{file.path}: is truncated or damaged; download or write it again") from None

    def _read_whole(self, source: Any, convert: Any) -> Any:
        """The table with the type of each column inferred from all of it, where the first block does not tell."""
        import pyarrow as pa
        from pyarrow import csv

        try:
            return self._parse(source, convert, csv.read_csv)
        except pa.ArrowInvalid as error:
            return self._without_blank_lines(source, convert, str(error))

    def _without_blank_lines(self, source: Any, convert: Any, error: str) -> Any:
        """The table without lines of blanks, which pyarrow takes for rows of one field; or the error about a line."""
        import pyarrow as pa
        from pyarrow import csv

        file = self.file
        bad = not_utf8(file.path, file.compression) if file.dialect.encoding == "utf-8" else None
        if bad is not None:  # of which pyarrow would print a traceback for each ragged row
            raise bad
        ragged = _RAGGED.search(error) is not None
        if ragged:
            try:
                return self._parse(source, convert, csv.read_csv, _skip_blank)
            except pa.ArrowInvalid as second:
                error = str(second)
        found = first_ragged(file, len(self.names)) if ragged else None
        if found is None:
            reason = _RAGGED.split(error)[0].removeprefix("CSV parse error: ") or "rows of several lengths"
            raise DataError(f"{file.path}: is not a regular table ({reason}); look for a quote that is not closed")
        line, n_fields = found
        model = "the header" if self.header_rows else "the first line"
        raise DataError(
            f"{file.path}: line {line:,} has {plural(n_fields, 'field')} where {model} has {len(self.names)}; "
            "fix the line (a field that contains the separator needs quotes)"
        )


def _read_in_blocks(stream: Any, *options: Any) -> Any:
    """The table with the types of its first block, which takes a third of the memory that `csv.read_csv` takes.

    A column whose first block has another type than the rest is an error; where there is none, all of the column would
    be inferred to have that type.
    """
    from pyarrow import csv

    with csv.open_csv(stream, *options) as reader:
        return reader.read_all()


def _skip_blank(row: Any) -> str:
    return "error" if row.text.strip(_BLANK) else "skip"
