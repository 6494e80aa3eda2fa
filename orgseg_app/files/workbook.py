"""Workbooks (XLSX) of several tables, for spreadsheets: texts stay texts, numbers stay numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__
from orgseg_app.files.export import ExportError, written
from orgseg_app.files.names import clean_text

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

MOST_ROWS = 1_048_575
"""Lines of a sheet below its heading, by the limits of Excel."""

_LONGEST_CELL = 8000
_WIDEST, _NARROWEST = 60, 9
_LOOKED_AT = 200  # rows that decide how wide a column is


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes
    ----------
    name : str
        Of the sheet, at most 31 letters.
    columns : tuple of str
    rows : tuple of tuple
        Texts, numbers and None, one a column.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def write_workbook(
    target: Path, sheets: Sequence[Sheet], *, title: str = "", overwrite: bool = False
) -> Path:
    """Write tables as one workbook.

    Parameters
    ----------
    target
        A name that ends in .xlsx.
    title
        Among the properties of the file.
    overwrite
        Replace a file that is there.

    Raises
    ------
    ExportError
        When it cannot be written, or a sheet cannot hold as many lines.
    """
    import xlsxwriter  # only here: most sessions write no workbook

    for sheet in sheets:
        if len(sheet.rows) > MOST_ROWS:
            raise ExportError(
                f"“{sheet.name}” has {len(sheet.rows):,} lines, and a sheet holds {MOST_ROWS:,}. "
                "Write a .csv or .json file; nothing was written."
            )
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with written(target, overwrite) as draft, draft.open("wb") as file:
        book = xlsxwriter.Workbook(file, options)
        try:
            properties = {"title": clean_text(title), "comments": f"OrgSeg {__version__}"}
            book.set_properties(properties)
            bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
            for sheet in sheets:
                _fill(book, sheet, bold)
        finally:
            book.close()
    return target


def _fill(book: Workbook, table: Sheet, bold: Format) -> None:
    sheet = book.add_worksheet(table.name)
    sheet.freeze_panes(1, min(1, len(table.columns)))
    for column, name in enumerate(table.columns):
        texts = [name, *(str(row[column] or "") for row in table.rows[:_LOOKED_AT])]
        texts = [text if index == 0 or _is_text(table, index, column) else "0.12345"
                 for index, text in enumerate(texts)]  # fmt: skip
        width = max(len(text) for text in texts) + 2
        sheet.set_column(column, column, min(max(width, _NARROWEST), _WIDEST))
        sheet.write_string(0, column, clean_text(name, _LONGEST_CELL), bold)
    for number, row in enumerate(table.rows, 1):
        for column, cell in enumerate(row):
            _put(sheet, number, column, cell)
    if table.columns and table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)


def _is_text(table: Sheet, index: int, column: int) -> bool:
    return isinstance(table.rows[index - 1][column], str)


def _put(sheet: Any, row: int, column: int, cell: object) -> None:
    """A text stays a text whatever it begins with; what does not exist stays empty."""
    if isinstance(cell, str):
        sheet.write_string(row, column, clean_text(cell, _LONGEST_CELL))
    elif isinstance(cell, (int, float)) and math.isfinite(cell):
        sheet.write_number(row, column, cell)
