"""Excel sheets as bytes, written by hand."""

from __future__ import annotations

import io
import zipfile

SHEET = (
    '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}'
    "</sheetData></worksheet>"
)


def cell(value) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def excel_bytes(rows, sheets=("data",)) -> bytes:
    """An .xlsx file as ISO 29500 describes it, with the rows in its first sheet."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    numbers = range(1, len(sheets) + 1)
    listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in zip(numbers, sheets, strict=True))
    links = "".join(f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/{i}.xml"/>' for i in numbers)
    first = SHEET.format("".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        start = f'<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        book.writestr("_rels/.rels", f'<Relationships xmlns="{package}">{start}</Relationships>')
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        for i in numbers:
            book.writestr(f"xl/worksheets/{i}.xml", first if i == 1 else SHEET.format(""))
    return content.getvalue()
