"""Checking for updates: it says what is asked of whom, and asks nothing before a click."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QVBoxLayout

from orgseg_app import __version__, updates
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    GROUP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    SectionTitle,
    foot_of,
    label,
    set_tone,
)

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

WIDTH = 460
WORDS = (
    "OrgSeg asks one server whether there is a newer version, now and only this time. Only the "
    "request is sent: nothing about you, your computer, your version or your projects. As with "
    "every web page, the server sees the address of your network."
)


class _Asking(QObject):
    """Brings the answer from the thread that asked."""

    answered = Signal(object)

    def ask(self) -> None:
        answer = updates.check()
        self.answered.emit(answer)


class UpdatesDialog(QDialog):
    """Says what is asked, asks when told to, and says what came of it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("Check for updates")
        self.setProperty("help_page", "trouble")
        self.setAccessibleDescription(WORDS)
        self.address = Caption(f"Address: {updates.ADDRESS}")
        self.answer = label(f"This is OrgSeg {__version__}.", wrap=True)
        self.ask_button = PrimaryButton("Ask now")
        self.ask_button.clicked.connect(self._ask)
        self.page_button = PrimaryButton("Open page")
        self.page_button.setToolTip(f"In the browser: {updates.PAGE}")
        self.page_button.clicked.connect(self._open_page)
        self.page_button.hide()
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(SectionTitle("Check for updates"))
        column.addWidget(label(WORDS, wrap=True))
        column.addWidget(self.address)
        column.addSpacing(GROUP - GAP)
        column.addWidget(self.answer)
        column.addSpacing(GROUP - GAP)
        column.addLayout(foot_of(self.page_button, self.ask_button, self.close_button))
        self.setFixedWidth(WIDTH)
        self._fit()

    def _ask(self) -> None:
        self.ask_button.setEnabled(False)
        self._say("Asking…")
        asking = _Asking()
        asking.answered.connect(self._on_answer)
        # No pool: closing OrgSeg does not wait for a server.
        threading.Thread(target=asking.ask, name="updates", daemon=True).start()
        self._asking = asking

    def _on_answer(self, answer: updates.Answer) -> None:
        self.ask_button.setEnabled(True)
        self.ask_button.setText("Ask again")
        self.page_button.setVisible(answer.state == updates.NEWER)
        self.ask_button.setVisible(answer.state == updates.UNREACHABLE)
        if answer.state == updates.NEWER:
            self._say(
                f"There is OrgSeg {answer.version}; this is {__version__}. Projects and settings "
                "stay when it is installed.",
            )
            self.page_button.setFocus()
        elif answer.state == updates.CURRENT:
            self._say(f"This is the newest version, {__version__}.", "success")
            self.close_button.setFocus()
        else:
            self._say(
                f"The server could not be asked: {answer.reason}. OrgSeg works without; try again "
                "later.",
                "warning",
            )
            self.ask_button.setFocus()

    def _say(self, text: str, tone: str = "") -> None:
        self.answer.setText(text)
        set_tone(self.answer, tone)
        self._fit()

    def _fit(self) -> None:
        """As high as the wrapped words need: Qt's own hint is for another width."""
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self.setFixedHeight(layout.totalHeightForWidth(self.width()))

    def _open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(updates.PAGE))
        self.accept()
