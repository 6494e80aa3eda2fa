"""Everything a run printed, to read and to copy into a bug report."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, SecondaryButton

TAIL_BYTES = 200_000


class LogDialog(FittingDialog):
    """The end of a run's `log.txt`; the window goes on beside it."""

    def __init__(self, entry: RunEntry, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Log of {entry.name}")
        set_help(self, "trouble#job_failed")
        self.resize(720, 480)
        self._path = entry.run.log_path
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName("Log")
        self.text.setPlainText("Reading…")
        copy = SecondaryButton("Copy", "copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        close = SecondaryButton("Close")
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(Caption(str(self._path)), 1)
        row.addWidget(copy)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, GROUP, GROUP, GROUP)
        column.setSpacing(GAP)
        column.addWidget(self.text, 1)
        column.addLayout(row)
        path = self._path
        session.background.start("Reading the log", lambda task: _tail(path), self._show)

    def _show(self, text: object) -> None:
        self.text.setPlainText(str(text))
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())


def _tail(path: Path) -> str:
    """The end of a log, or why there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read().decode("utf-8", "replace")
    except OSError:
        return "There is no log: the run has printed nothing, or its folder is gone."
    if size > TAIL_BYTES:
        content = "(the beginning is left out)\n" + content.partition("\n")[2]
    return content or "The run has printed nothing yet."
