"""A question before something that cannot be undone: what happens, what stays, and a way back."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import page_of, set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import EDGE, GAP, GROUP, SecondaryButton, SectionTitle, label

WIDTH = 420


class QuestionDialog(FittingDialog):
    """Asks one thing; Enter and Esc leave everything as it is.

    Parameters
    ----------
    title, text
        The question, and what follows from a yes.
    verb
        On the button that does it.
    """

    def __init__(self, title: str, text: str, verb: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        asked_in = parent.focusWidget() if parent is not None else None
        set_help(self, page_of(asked_in) or "saving")
        self.setAccessibleDescription(text)
        heading = SectionTitle(title)
        heading.setWordWrap(True)
        self.yes_button = SecondaryButton(verb)
        self.yes_button.clicked.connect(self.accept)
        self.yes_button.setAutoDefault(False)
        self.cancel_button = SecondaryButton("Cancel")
        self.cancel_button.clicked.connect(self.reject)
        self.cancel_button.setDefault(True)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.yes_button)
        buttons.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(heading)
        column.addWidget(label(text, wrap=True))
        column.addSpacing(GROUP - GAP)
        column.addLayout(buttons)
        theme.hold(self, width=WIDTH)
        self.cancel_button.setFocus()


def ask(parent: QWidget | None, title: str, text: str, verb: str) -> bool:
    """True when the person wants it done."""
    dialog = QuestionDialog(title, text, verb, parent)
    answer = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return answer
