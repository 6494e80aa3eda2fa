"""Which scores the table of runs shows, and which classes the means of a group are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget, QWidgetAction

from orgseg_app.gui.comparing.measures import LONG_SECTIONS, OF_GROUP, SECTIONS, Measure, is_usual
from orgseg_app.gui.comparing.result_columns import (
    NOTE_COLUMN,
    Column,
    fact_columns,
    offered,
    setting_columns,
)
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.row_facts import differing
from orgseg_app.gui.style.widgets import label, plain_tip


class ColumnsMenu(QMenu):
    """A list of scores to check, by what they are about.

    Signals
    -------
    columns_chosen(chosen)
        Measures that are shown (True) or hidden, by key; others are as usual.
    group_chosen(names)
        Classes of the group; none for all of them.
    """

    columns_chosen = Signal(dict)
    group_chosen = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTipsVisible(True)
        self.setAccessibleName("Columns")
        self._chosen: dict[str, bool] = {}
        self._group: list[str] = []
        self._classes: tuple[str, ...] = ()
        self._of_means = False

    def fill(
        self,
        class_names: Sequence[str],
        class_name: str,
        chosen: Mapping[str, bool],
        group: Sequence[str],
        rows: Sequence[ResultRow] = (),
    ) -> None:
        """Offer what makes sense for a class, or ("") for all of them, and for these runs."""
        self.clear()
        self._chosen, self._classes = dict(chosen), tuple(class_names)
        self._group = list(group) or list(class_names)
        self._of_means = not class_name and len(class_names) > 1
        items = offered(class_names, class_name)
        for section in SECTIONS:
            menu: QMenu = self
            if section in LONG_SECTIONS:
                if section == LONG_SECTIONS[0]:
                    self.addSeparator()
                menu = self.addMenu(section)
                menu.setToolTipsVisible(True)
                menu.setAccessibleName(section)
            else:
                self._add_heading(section)
            for item in (item for item in items if item.section == section):
                self._add_measure(menu, item)
        self._add_beside(rows)
        self.addSeparator()
        if len(class_names) > 1:
            self._add_group()
        self.addAction("Usual columns", lambda: self.columns_chosen.emit({}))

    def _add_heading(self, text: str) -> None:
        """The style draws no words on a section's line."""
        if self.actions():
            self.addSeparator()
        words = label(text, "caption")
        words.setContentsMargins(12, 4, 12, 2)
        heading = QWidgetAction(self)
        heading.setDefaultWidget(words)
        heading.setEnabled(False)
        self.addAction(heading)

    def _add_measure(self, menu: QMenu, item: Measure) -> None:
        action = menu.addAction(item.title.replace("&", "&&"))
        action.setCheckable(True)
        usual = is_usual(item.key, of_means=self._of_means)
        action.setChecked(self._chosen.get(item.key, usual))
        lower = "\nLower is better." if item.is_lower_better else ""
        action.setToolTip(plain_tip(f"{item.words}\n{item.where}{lower}"))
        action.toggled.connect(lambda on: self._on_measure(item.key, on))

    def _add_beside(self, rows: Sequence[ResultRow]) -> None:
        """Settings, those that differ first; facts of the runs; notes."""
        self.addSeparator()
        differ = differing([row.facts.settings for row in rows])
        columns = setting_columns(rows)
        if columns:
            menu = self._submenu("Settings")
            for place, column in enumerate(columns):
                if place == len(differ) > 0:
                    menu.addSeparator()
                    menu = menu.addMenu("Alike in all runs")
                    menu.setToolTipsVisible(True)
                    menu.setAccessibleName("Settings alike in all runs")
                self._add_column(menu, column, column.key[0])
        menu = self._submenu("Run and model")
        for column in fact_columns():
            self._add_column(menu, column, column.key[0])
        self._add_column(self, NOTE_COLUMN, "note", usual=any(row.note for row in rows))

    def _submenu(self, title: str) -> QMenu:
        menu = self.addMenu(title)
        menu.setToolTipsVisible(True)
        menu.setAccessibleName(title)
        return menu

    def _add_column(self, menu: QMenu, column: Column, key: str, *, usual: bool = False) -> None:
        action = menu.addAction(column.title.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(self._chosen.get(key, usual))
        action.setToolTip(plain_tip(column.tip))
        action.toggled.connect(lambda on: self._on_column(key, on, usual))

    def _on_column(self, key: str, on: bool, usual: bool) -> None:
        self._chosen[key] = on
        if on == usual:
            del self._chosen[key]
        self.columns_chosen.emit(dict(self._chosen))

    def _add_group(self) -> None:
        menu = self.addMenu("Classes of the group")
        menu.setToolTipsVisible(True)
        menu.setAccessibleName("Classes of the group")
        for name in self._classes:
            action = menu.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name in self._group)
            action.setToolTip("The means of the group are over the classes checked here")
            action.toggled.connect(lambda on, name=name: self._on_class(name, on))

    def _on_measure(self, key: str, on: bool) -> None:
        self._chosen[key] = on
        if on == is_usual(key, of_means=self._of_means):
            del self._chosen[key]
        self.columns_chosen.emit(dict(self._chosen))

    def _on_class(self, name: str, on: bool) -> None:
        """Whoever chooses a group wants to see its score."""
        wanted = {*self._group, name} if on else {*self._group} - {name}
        self._group = [item for item in self._classes if item in wanted]
        is_all = len(self._group) in (0, len(self._classes))
        if not is_all and not any(self._chosen.get(key) for key in OF_GROUP):
            self._chosen[OF_GROUP[0]] = True
            self.columns_chosen.emit(dict(self._chosen))
        self.group_chosen.emit([] if is_all else list(self._group))
