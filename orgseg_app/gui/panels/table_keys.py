"""Keys that lists and tables keep for themselves while they have the keyboard.

The menus of the window use Home, Page up and others as shortcuts, and Qt asks those first.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

MOVING = (Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def keeps_key(event: QEvent) -> bool:
    """Whether this is the question about a shortcut that a list answers itself; accepts it."""
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.key() in MOVING or event.matches(QKeySequence.StandardKey.Copy):
        event.accept()
        return True
    return False
