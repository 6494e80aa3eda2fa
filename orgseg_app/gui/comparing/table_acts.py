"""What a person does with the table of runs: pin, note, hide, delete, group, filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu

from orgseg_app.gui.comparing.result_columns import Column, setting_columns
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_menu import column_menu, fill_group_menu, fill_run_menu
from orgseg_app.gui.comparing.row_facts import differing
from orgseg_app.gui.comparing.row_order import REPEATS, Arrangement, RowFilter, filter_from
from orgseg_app.runs.remarks import Remarks

if TYPE_CHECKING:
    from orgseg_app.gui.comparing.results_view import ResultsView


class TableActs:
    """Changes the table of a view, and what is kept of its runs.

    Parameters
    ----------
    view
        Whose `table`, `filter`, `filter_bar` and `runs` are used.
    """

    def __init__(self, view: ResultsView) -> None:
        self.view, self.table = view, view.table
        self._typed: RowFilter | None = None
        model = self.table.results
        model.renamed.connect(lambda run_id, name: view.runs.rename(run_id, name))
        model.note_written.connect(lambda run_id, note: self.remark([run_id], note=note))
        self.table.delete_pressed.connect(self.delete_chosen)
        self.table.pin_pressed.connect(self._on_pin)
        self.table.horizontalHeader().customContextMenuRequested.connect(self._open_column_menu)
        view.filter.textChanged.connect(self._on_typed)
        view.filter.returnPressed.connect(self._on_entered)
        view.filter_bar.filters_changed.connect(self._set_filters)
        view.filter_bar.ungrouped.connect(lambda: self.group_by(None))
        for signal in (model.modelReset, model.layoutChanged):
            signal.connect(self.show_bar)

    # -- runs --------------------------------------------------------------------------------------

    def run_menu(self, row: ResultRow, column: Column | None = None) -> QMenu:
        """What one may do with a run, from one of its cells."""
        menu = QMenu(self.view)
        menu.setToolTipsVisible(True)
        fill_run_menu(menu, self, row, column)
        return menu

    def show_as(self, run_id: str, letter: str) -> None:
        """Show a run in pane A or B."""
        view = self.view
        if letter == "A":
            view._show_pair(run_id, view.b if view.b != run_id else view.a)
        else:
            view._show_pair(view.a if view.a != run_id else view.b, run_id)

    def score_run(self, run_id: str) -> None:
        """Score a run on the test images."""
        self.view.score_requested.emit([run_id])

    def show_confusion(self, run_id: str) -> None:
        """Turn to the confusion matrices."""
        self.view._show_confusion(run_id, self.view.b if self.view.b != run_id else self.view.a)

    def remark(self, run_ids: Sequence[str], **changes: object) -> None:
        """Change what is noted about runs, by the fields of `Remarks`."""
        found: dict[str, Remarks] = {}
        for run_id in run_ids:
            remarks = self.view.runs.remark(run_id, **changes)
            if remarks is not None:
                found[run_id] = remarks
        results = self.view.results
        rows = tuple(
            replace(row, remarks=found[row.run_id]) if row.run_id in found else row
            for row in results.rows
        )
        self.view.show_rows(replace(results, rows=rows))

    def _on_pin(self) -> None:
        chosen = self.table.chosen()
        if chosen:
            pinned = all(row.remarks.is_pinned for row in chosen)
            self.remark([row.run_id for row in chosen], is_pinned=not pinned)

    def write_note(self, run_id: str) -> None:
        """Open the field for a note; its column comes if it is not there."""
        if not self.table.results.shows_notes:
            self.view._on_columns(self.table.results.chosen | {"note": True})
        self.table.edit_cell("note", run_id)

    def delete_chosen(self) -> None:
        """Move the selected runs to the trash of the project; a bar offers to undo it."""
        rows = self.table.chosen()
        active = [
            row for row in rows if (entry := self.view.runs.get(row.run_id)) and entry.is_active
        ]
        if active:
            text = f"“{active[0].name}” is still working. Stop it first, then delete it."
            self.view.session.message.emit(text, "warning")
        self.view.runs.delete([row.run_id for row in rows if row not in active])

    # -- columns, groups, filters ------------------------------------------------------------------

    def open_columns(self) -> None:
        """The menu of columns."""
        self.view.open_columns()

    def hide_column(self, column: Column) -> None:
        """Show a column no more."""
        key = "note" if column.field == "note" else column.key[0]
        self.view._on_columns(self.table.results.chosen | {key: False})

    def fill_groups(self, menu: QMenu) -> None:
        """What the runs can be grouped by."""
        rows = self.view.results.rows
        differ = differing([row.facts.settings for row in rows])
        columns = [c for c in setting_columns(rows) if c.setting in differ and c.setting != "seed"]
        fill_group_menu(menu, self, columns)

    def group_by(self, key: tuple[str, str] | None) -> None:
        """Group the runs by a column, or not at all."""
        self.table.results.arrange(group=key, closed=frozenset())

    def add_filter(self, wanted: RowFilter) -> None:
        """Filter by one more condition."""
        self._set_filters(
            (*(f for f in self.table.results.arrangement.filters if f != wanted), wanted)
        )

    def forget(self) -> None:
        """Another project: no filter and no group."""
        self._typed = None
        self.table.results.arrangement = Arrangement()
        self.view.filter.clear()

    def show_bar(self) -> None:
        """Say in chips what is filtered and grouped."""
        model = self.table.results
        how = model.arrangement
        column = model.column_of(how.group) if how.group else None
        title = "repeats" if how.group == REPEATS else column.title if column else ""
        members = len(model.rows)
        if how.group:
            groups = (model.group(at) for at in range(model.rowCount()))
            members += sum(len(one.members) for one in groups if one and not one.is_open)
        self.view.filter_bar.show_arrangement(how, title, members, len(self.view.results.rows))

    def _set_filters(self, filters: tuple[RowFilter, ...]) -> None:
        if self._typed not in filters:
            self._typed = None
        self.table.results.arrange(filters=filters)

    def _on_typed(self, text: str) -> None:
        """Words, or a condition such as ``iou >= 0.7``, which Enter makes a chip that stays."""
        model = self.table.results
        kept = tuple(one for one in model.arrangement.filters if one != self._typed)
        self._typed = filter_from(text, model.offered)
        if self._typed in kept:
            self._typed = None
        typed = () if self._typed is None else (self._typed,)
        words = "" if filter_from(text, model.offered) else text
        model.arrange(words=words, filters=(*kept, *typed))

    def _on_entered(self) -> None:
        if self._typed is not None:
            self._typed = None  # it stays when the field is emptied
            self.view.filter.clear()

    def _open_column_menu(self, at: QPoint) -> None:
        header = self.table.horizontalHeader()
        place = header.logicalIndexAt(at)
        if place >= 0:
            menu = column_menu(self.view, self, place)
            menu.popup(header.viewport().mapToGlobal(at))
