"""Tables of measurements for spreadsheets and scripts: XLSX, or CSV files beside each other.

XLSX has three sheets: objects, images, and columns, which explains every column and says what was
measured when. CSV is three files of the same: ``NAME.csv``, ``NAME_images.csv`` and
``NAME_columns.csv``. Names of columns are plain letters, so that CSV is plain ASCII as long as the
names of images and classes are; otherwise it begins with the mark (BOM) by which Excel knows UTF-8,
which pandas and R skip. Nothing that stands in a cell can be run as a formula.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__
from orgseg_app.core.measuring.tables import Table, Tables
from orgseg_app.files.export import ExportError, write_table, written
from orgseg_app.files.names import clean_text

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

SUFFIXES = (".xlsx", ".csv")
MOST_ROWS = 1_048_575
"""Lines of a sheet below its heading, by the limits of Excel."""

_LONGEST_CELL = 1000
_WIDEST, _NARROWEST = 34, 8


def measurement_paths(target: Path) -> list[Path]:
    """The files that `write_measurements` makes.

    >>> [path.name for path in measurement_paths(Path("a/cells.csv"))]
    ['cells.csv', 'cells_images.csv', 'cells_columns.csv']

    Raises
    ------
    ExportError
        For a name that ends neither in .xlsx nor in .csv.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ExportError(
            f"Measurements are written as .xlsx or .csv, not “{target.name}”. Give the file one "
            "of these endings; nothing was written."
        )
    if suffix == ".xlsx":
        return [target]
    return [target, *(target.with_name(f"{target.stem}_{n}.csv") for n in ("images", "columns"))]


def write_measurements(
    target: Path,
    tables: Tables,
    facts: Sequence[tuple[str, str]] = (),
    *,
    overwrite: bool = False,
    goes_on: Callable[[], bool] = lambda: True,
) -> list[Path]:
    """Write the tables.

    Parameters
    ----------
    target
        A name that ends in .xlsx or .csv.
    facts
        What was measured: (word, text) pairs for the explanations; version and time are added.
    overwrite
        Replace files that are there.
    goes_on
        Asked now and then; False gives up, and nothing is written.

    Returns
    -------
    list of Path
        What was written; nothing when given up.

    Raises
    ------
    ExportError
        When a file is there already, cannot be written, or a sheet cannot hold as many lines.
    """
    target = Path(os.path.abspath(target))
    paths = measurement_paths(target)
    for path in paths:
        if not overwrite and os.path.lexists(path):
            raise ExportError(
                f"“{path.name}” is already in {path.parent} and was left as it is. Allow "
                "overwriting, or choose another name."
            )
    explained = _explained(tables, facts)
    try:
        if len(paths) == 1:
            _write_workbook(target, tables, explained, overwrite, goes_on)
        else:
            _write_texts(paths, tables, explained, overwrite, goes_on)
    except _GivenUpError:
        return []
    return paths


def _explained(tables: Tables, facts: Sequence[tuple[str, str]]) -> list[tuple[str, str, str, str]]:
    """Lines of the third table: table, column, unit, meaning."""
    now = datetime.now().astimezone()
    lines = [
        ("about", "program", "", f"OrgSeg {__version__}"),
        ("about", "date", "", f"{now:%Y-%m-%d %H:%M %z}"),
        *(("about", word, "", text) for word, text in facts),
        *(("note", "", "", note) for note in tables.notes),
    ]
    for name, table in (("objects", tables.objects), ("images", tables.images)):
        lines += [(name, h.name, h.unit, h.about) for h in table.headings]
    return lines


_EXPLANATION = ("table", "column", "unit", "meaning")


# -- CSV -----------------------------------------------------------------------------------------


def _write_texts(
    paths: Sequence[Path],
    tables: Tables,
    explained: Sequence[tuple[str, str, str, str]],
    overwrite: bool,
    goes_on: Callable[[], bool],
) -> None:
    """Three CSV files; the one people open first comes last, when the others are there."""
    rows = [dict(zip(_EXPLANATION, line, strict=True)) for line in explained]
    filled = []
    for table in (tables.objects, tables.images):
        names = [heading.name for heading in table.headings]
        lines = []
        for number, row in enumerate(table.rows()):
            if number % 4096 == 0 and not goes_on():
                raise _GivenUpError
            cells = [clean_text(c, _LONGEST_CELL) if isinstance(c, str) else c for c in row]
            lines.append(dict(zip(names, cells, strict=True)))
        filled.append((lines, names))
    write_table(paths[2], rows, _EXPLANATION, overwrite=overwrite)
    write_table(paths[1], *filled[1], overwrite=overwrite)
    write_table(paths[0], *filled[0], overwrite=overwrite)


# -- XLSX ----------------------------------------------------------------------------------------


def _write_workbook(
    target: Path,
    tables: Tables,
    explained: Sequence[tuple[str, str, str, str]],
    overwrite: bool,
    goes_on: Callable[[], bool],
) -> None:
    for table in (tables.objects, tables.images):
        if len(table) > MOST_ROWS:
            raise ExportError(
                f"There are {len(table):,} lines, and a sheet holds {MOST_ROWS:,}. Write a .csv "
                "file, or fewer images; nothing was written."
            )
    import xlsxwriter  # only here: most sessions write no workbook

    options = {
        "constant_memory": True,  # written line by line
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with written(target, overwrite) as draft, draft.open("wb") as file:
        book = xlsxwriter.Workbook(file, options)
        try:
            book.set_properties({"title": "Measurements", "comments": f"OrgSeg {__version__}"})
            bold = book.add_format({"bold": True, "bottom": 1})
            for name, table in (("objects", tables.objects), ("images", tables.images)):
                _fill(book, name, table, bold, goes_on)
            sheet = book.add_worksheet("columns")
            for column, width in enumerate((10, 30, 10, 100)):
                sheet.set_column(column, column, width)
            for row, line in enumerate((_EXPLANATION, *explained)):
                for column, text in enumerate(line):
                    sheet.write_string(row, column, _shown(text), None if row else bold)
        finally:
            book.close()


def _fill(
    book: Workbook, name: str, table: Table, bold: Format, goes_on: Callable[[], bool]
) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, min(2, len(table.headings)))
    for column, heading in enumerate(table.headings):
        sheet.set_column(column, column, min(max(len(heading.name) + 2, _NARROWEST), _WIDEST))
        sheet.write_string(0, column, heading.name, bold)
    for number, row in enumerate(table.rows(), 1):
        if number % 4096 == 1 and not goes_on():
            raise _GivenUpError
        for column, cell in enumerate(row):
            _put(sheet, number, column, cell)
    if table.headings and len(table):
        sheet.autofilter(0, 0, len(table), len(table.headings) - 1)


def _put(sheet: Any, row: int, column: int, cell: object) -> None:
    """A text stays a text whatever it begins with; what does not exist stays empty."""
    if isinstance(cell, str):
        sheet.write_string(row, column, _shown(cell))
    elif isinstance(cell, (int, float)) and math.isfinite(cell):
        sheet.write_number(row, column, cell)


def _shown(text: str) -> str:
    return clean_text(text, _LONGEST_CELL)


class _GivenUpError(Exception):
    """Nobody waits for it any more."""
