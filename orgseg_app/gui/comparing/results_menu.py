"""Menus of the table of runs: of a run, of a column, and what to group by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from orgseg_app.gui.comparing.result_columns import Column
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_table import ResultsTable
from orgseg_app.gui.comparing.row_order import REPEATS, RowFilter
from orgseg_app.gui.help.context import ask_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning

MOST_WORDS = 12
"""So many different values of a column are offered to filter by."""


class Acts(Protocol):
    """What the menus ask for; the view does it."""

    table: ResultsTable

    def show_as(self, run_id: str, letter: str) -> None:
        """Show a run in pane A or B."""

    def score_run(self, run_id: str) -> None:
        """Score a run on the test images."""

    def remark(self, run_ids: Sequence[str], **changes: object) -> None:
        """Pin, hide and so on."""

    def write_note(self, run_id: str) -> None:
        """Open the field for the note of a run."""

    def delete_chosen(self) -> None:
        """Delete the selected runs."""

    def show_confusion(self, run_id: str) -> None:
        """Turn to the confusion matrices."""

    def open_columns(self) -> None:
        """The menu of columns."""

    def group_by(self, key: tuple[str, str] | None) -> None:
        """Group the runs."""

    def add_filter(self, wanted: RowFilter) -> None:
        """Filter by one more condition."""

    def hide_column(self, column: Column) -> None:
        """Show a column no more."""


def _menu(parent: QWidget) -> QMenu:
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setToolTipsVisible(True)
    return menu


def fill_run_menu(menu: QMenu, acts: Acts, row: ResultRow, column: Column | None) -> None:
    """What one may do with a run of the table, and the rows that are selected with it."""
    chosen = acts.table.chosen()
    ids = [one.run_id for one in chosen] if row in chosen else [row.run_id]
    many = f" {len(ids)} runs" if len(ids) > 1 else ""
    menu.addAction("Show as A", lambda: acts.show_as(row.run_id, "A"))
    menu.addAction("Show as B", lambda: acts.show_as(row.run_id, "B"))
    menu.addSeparator()
    pin, hide = row.remarks.is_pinned, row.remarks.is_hidden
    words = f"Unpin{many}" if pin else f"Pin{many or ' on top'}"
    menu.addAction(words, lambda: acts.remark(ids, is_pinned=not pin)).setShortcut("Space")
    rename = menu.addAction("Rename", lambda: acts.table.edit_cell("name", row.run_id))
    rename.setShortcut("F2")
    note = "Change the note" if row.note else "Write a note"
    menu.addAction(note, lambda: acts.write_note(row.run_id))
    words = f"Show{many or ' again'}" if hide else f"Hide{many}"
    menu.addAction(words, lambda: acts.remark(ids, is_hidden=not hide))
    menu.addSeparator()
    score = menu.addAction("Score on the test images", lambda: acts.score_run(row.run_id))
    score.setEnabled(row.can_score)
    menu.addAction("Show confusion", lambda: acts.show_confusion(row.run_id))
    if column is not None and column.field != "name":
        menu.addSeparator()
        _add_conditions(menu, acts, column, row)
    menu.addSeparator()
    if column is not None:
        _add_help(menu, acts, column)
    menu.addAction("Choose columns…", acts.open_columns)
    menu.addSeparator()
    menu.addAction(f"Delete{many}", acts.delete_chosen).setShortcut("Del")


def _add_help(menu: QMenu, acts: Acts, column: Column) -> None:
    """What the numbers of a column mean."""
    if column.tip:
        meaning = Meaning(column.title, column.tip, column.help_page)
        add_meaning(menu, acts.table, meaning)
    menu.addAction("Help", lambda: ask_help(acts.table, column.help_page))


def _add_conditions(menu: QMenu, acts: Acts, column: Column, row: ResultRow) -> None:
    """Filters that begin with the cell that was pointed at."""
    value = column.value(row)
    is_number = isinstance(value, float)
    told = column.text(row)
    wanted = round(value, 4) if isinstance(value, float) else (value or "")
    title = column.title
    signs = ("≥", "≤") if is_number and column.is_on_the_right else ("=", "≠")
    for sign in signs:
        one = RowFilter(column.key, title, sign, wanted)
        shown = f"{title} {sign} {told}".replace("&", "&&")
        menu.addAction(f"Only runs with {shown}", lambda one=one: acts.add_filter(one))


def column_menu(parent: QWidget, acts: Acts, place: int) -> QMenu:
    """What one may do with a column: sort, group, filter, hide."""
    menu, table = _menu(parent), acts.table
    column = table.results.columns[place]
    menu.addAction("Sort by this column", lambda: table.sort_by(place))
    if column.field != "name":
        menu.addAction("Group by this column", lambda: acts.group_by(column.key))
        if not column.is_on_the_right:
            _add_words(menu.addMenu("Only runs with"), acts, column)
    if column.is_score or column.setting or column.fact or column.field == "note":
        menu.addSeparator()
        menu.addAction("Hide this column", lambda: acts.hide_column(column))
    menu.addAction("Choose columns…", acts.open_columns)
    menu.addSeparator()
    _add_help(menu, acts, column)
    return menu


def _add_words(menu: QMenu, acts: Acts, column: Column) -> None:
    rows = acts.table.results.results.rows
    found = {column.text(row): column.value(row) for row in rows}
    for told, value in sorted(found.items())[:MOST_WORDS]:
        one = RowFilter(column.key, column.title, "=", "" if value is None else value)
        menu.addAction(told.replace("&", "&&"), lambda one=one: acts.add_filter(one))


def fill_group_menu(menu: QMenu, acts: Acts, differing: Sequence[Column]) -> None:
    """What the runs can be grouped by, and whether hidden runs are shown."""
    menu.clear()
    how = acts.table.results.arrangement

    def add(text: str, key: tuple[str, str] | None, tip: str = "") -> None:
        action = menu.addAction(text.replace("&", "&&"), lambda: acts.group_by(key))
        action.setCheckable(True)
        action.setChecked(how.group == key)
        action.setToolTip(tip or text)

    add("No groups", None)
    add("Repeats (seeds)", REPEATS, "Runs that differ in the seed alone")
    add("Kind", ("fact:kind", ""))
    menu.addSeparator()
    for column in differing:
        add(column.title, column.key, column.tip)
    menu.addSeparator()
    count = acts.table.results.hidden_count
    hidden = menu.addAction(f"Show hidden runs ({count})")
    hidden.setCheckable(True)
    hidden.setChecked(how.with_hidden)
    hidden.setEnabled(bool(count) or how.with_hidden)
    flip: Callable[[bool], None] = lambda on: acts.table.results.arrange(with_hidden=on)  # noqa: E731
    hidden.toggled.connect(flip)
