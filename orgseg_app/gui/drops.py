"""Files and folders dropped from other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QFrame, QWidget


def welcome(event: QDragEnterEvent) -> bool:
    """Accept a drag that brings local files; whether it does."""
    is_welcome = any(url.isLocalFile() for url in event.mimeData().urls())
    if is_welcome:
        event.acceptProposedAction()
    return is_welcome


def take(event: QDropEvent, widget: QWidget, use: Callable[[list[Path]], object]) -> None:
    """Accept dropped files, and use them once the other program has been let go.

    It waits for the drop to end, and would hang while ours works. Nothing happens when the widget
    is gone by then.
    """
    found = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    if found:
        event.acceptProposedAction()
        QTimer.singleShot(0, widget, lambda: use(found))


class DropFrame(QFrame):
    """A place to drop files on, which shows that something hovers over it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.is_over = False
        self.setAcceptDrops(True)

    def on_dropped(self, paths: list[Path]) -> None:
        """Files were dropped here."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome local files."""
        if welcome(event):
            self._set_over(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Back to rest."""
        self._set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take what was dropped."""
        self._set_over(False)
        take(event, self, self.on_dropped)

    def _set_over(self, is_over: bool) -> None:
        self.is_over = is_over
        self.update()
