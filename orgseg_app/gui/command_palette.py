"""The command palette: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.shortcuts import NATIVE


def match_score(query: str, text: str) -> int:
    """How well a text answers a query: 0 not at all, higher is better.

    Every word of the query must begin a word of the text, or occur in it.

    >>> match_score("zo in", "View  Zoom in") > match_score("zo in", "View  Zoom inside out far")
    True
    >>> match_score("zz", "Zoom in")
    0
    """
    words = text.casefold().split()
    score = 0
    for part in query.casefold().split():
        if any(w == part for w in words):
            score += 30
        elif any(w.startswith(part) for w in words):
            score += 20
        elif part in text.casefold():
            score += 5
        else:
            return 0
    return score * 100 - len(text) if query.strip() else 1


class CommandPalette(QDialog):
    """Search over all actions that are possible now."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("commandPalette")
        self.setAccessibleName("Find a command")
        self._actions = list(actions)
        self.field = QLineEdit(placeholderText="What do you want to do?")
        self.field.setAccessibleName("Search commands")
        self.list = QListWidget()
        self.list.setAccessibleName("Commands")
        self.list.setUniformItemSizes(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self.resize(560, 420)
        self.field.textChanged.connect(self._on_text_changed)
        self.field.returnPressed.connect(self.run_current)
        self.list.itemActivated.connect(lambda _: self.run_current())
        self.list.itemClicked.connect(lambda _: self.run_current())
        self.field.installEventFilter(self)
        self._on_text_changed("")

    def _on_text_changed(self, text: str) -> None:
        self.list.clear()
        scored = []
        for order, action in enumerate(self._actions):
            info = BY_ID[action.objectName()]
            value = match_score(text, f"{info.menu} {action.text()} {info.tip}")
            if value:
                scored.append((-value, order, action))
        for _, _, action in sorted(scored, key=lambda entry: entry[:2]):
            info = BY_ID[action.objectName()]
            keys = action.shortcut().toString(NATIVE)
            item = QListWidgetItem(
                f"{info.menu} › {action.text()}" + (f"    {keys}" if keys else "")
            )
            item.setIcon(action.icon())
            item.setToolTip(info.tip)
            item.setData(Qt.ItemDataRole.UserRole, action)
            if not action.isEnabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def run_current(self) -> None:
        """Do what is chosen."""
        item = self.list.currentItem()
        if item is None:
            return
        action = item.data(Qt.ItemDataRole.UserRole)
        if action.isEnabled():
            self.accept()
            action.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys move through the list while typing."""
        if event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self.list.count():
                row = (self.list.currentRow() + step) % self.list.count()
                self.list.setCurrentRow(row)
                return True
        return super().eventFilter(watched, event)
