"""The command palette: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.keys.shortcuts import NATIVE


def match_score(query: str, name: str, words: str = "") -> int:
    """How well a command answers a query: 0 not at all, higher is better.

    Every word of the query must begin a word of the command's name or of the other words about it,
    or occur in one. What it is called counts more than what is said about it, and the very name
    most.

    >>> match_score("zo in", "Zoom in", "View") > match_score("zo in", "Zoom inside out far")
    True
    >>> match_score("fill", "Fill") > match_score("fill", "Ellipse", "Fill an ellipse")
    True
    >>> match_score("zz", "Zoom in")
    0
    """
    if not query.strip():
        return 1
    score = 0
    for part in query.casefold().split():
        found = max(2 * _match(part, name), _match(part, words))
        if not found:
            return 0
        score += found
    if query.casefold().split() == name.casefold().split():
        score += _WORD
    return score * 1000 - len(name) - len(words)


_WORD, _BEGINNING, _PART = 30, 20, 5


def _match(part: str, text: str) -> int:
    words = text.casefold().split()
    if part in words:
        return _WORD
    if any(word.startswith(part) for word in words):
        return _BEGINNING
    return _PART if part in text.casefold() else 0


class CommandPalette(QDialog):
    """Search over all actions that are possible now."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("commandPalette")
        self.setAccessibleName("Find a command")
        set_help(self, "shortcuts")
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
            value = match_score(text, action.text(), f"{info.menu} {info.tip}")
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
