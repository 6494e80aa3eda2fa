"""Undoing many steps at once: back to a checkpoint, or to a line of the history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

SLICE_S = 0.03
"""At a time: the window stays alive however many steps there are."""


class GoingBack(QObject):
    """Goes back in the history step by step, a few at a time.

    Signals
    -------
    arrived(steps undone)
    """

    arrived = Signal(int)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self._goal = 0
        self._expected = -1
        self._count = 0
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._go_on)
        self.session.project_changed.connect(self._next.stop)

    def show_history(self) -> None:
        """Every step, what they take on the disk, and the limit."""
        from PySide6.QtCore import Qt

        from orgseg_app.gui.panels.history_dialog import HistoryDialog

        dialog = HistoryDialog(self.session, self.window.settings, self.window)
        dialog.go_back_requested.connect(self.to)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def to_checkpoint(self) -> None:
        """Undo everything since the last checkpoint that lies behind."""
        mark = self.session.painting.last_mark()
        if mark is not None:
            self.to(mark.after_step)

    def to(self, step_number: int) -> None:
        """Undo until a step is the last one done, and say so. Redo leads forward again."""
        self._next.stop()
        self._goal, self._count = step_number, 0
        self._expected = self.session.history.position
        self._go_on()

    def _go_on(self) -> None:
        history, end = self.session.history, time.monotonic() + SLICE_S
        while history.position > self._goal and history.position == self._expected:
            is_painting = self._count and self.session.recorder is not None
            if is_painting or not self.session.painting.stepping.step_now(back=True):
                break
            self._count += 1
            self._expected = history.position
            if time.monotonic() > end:
                self._next.start()
                return
        # there, or something else was done meanwhile, or a step cannot be undone
        if self._count:
            steps = f"{self._count} step{'' if self._count == 1 else 's'}"
            self.session.message.emit(f"{steps} undone. Redo leads forward again.", "info")
        self.arrived.emit(self._count)
