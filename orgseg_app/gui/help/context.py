"""Which page of the help a part of the window is about, and the small "?" that opens it.

A part names its page by `set_help`, with what in it is meant after a "#"; whatever lies inside is
about the same, unless it names a page of its own. Everybody who asks for help (F1, a "?", a menu, a
message) goes through `ask_help`, which looks for the window that shows pages.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QWidget

from orgseg_app.gui.style.widgets import GAP, IconButton, SectionTitle

HELP_PAGE = "help_page"
"""The property that holds ``"page"`` or ``"page#place"``."""

MARK_PX = 16


@runtime_checkable
class GivesHelp(Protocol):
    """A window that can show pages."""

    def show_help(self, page: str) -> None:
        """Show ``"page"`` or ``"page#place"``; "" for what fits best."""


def set_help(widget: QWidget, page: str) -> None:
    """Name the page, ``"page"`` or ``"page#place"``, that a part of the window is about."""
    if widget.property(HELP_PAGE) != page:
        widget.setProperty(HELP_PAGE, page)


def page_of(widget: QWidget | None) -> str:
    """The page that a part, or else what it lies in, names; "" for none.

    A label speaks for the field that it is the title of.
    """
    if isinstance(widget, QLabel) and widget.buddy() is not None:
        widget = widget.buddy()
    while widget is not None:
        if page := widget.property(HELP_PAGE):
            return str(page)
        widget = widget.parentWidget()
    return ""


def ask_help(widget: QWidget, page: str = "") -> None:
    """Open the page that is given, or else that of a part of the window."""
    wanted = page or page_of(widget)
    above: QWidget | None = widget
    while above is not None:
        if isinstance(above, GivesHelp):
            above.show_help(wanted)
            return
        above = above.parentWidget()


def as_mark(button: IconButton) -> None:
    """Make a button with a "?" small and quiet: it stands beside a heading."""
    button.describe("help", button.accessibleName(), "secondary")
    button.setIconSize(QSize(MARK_PX, MARK_PX))


class HelpButton(IconButton):
    """A small "?" at a heading: opens the page of what it stands in.

    Parameters
    ----------
    about
        What it is about, in words that go on from "Help about".
    page
        Another page than that of its surroundings.
    """

    def __init__(self, about: str, page: str = "", parent: QWidget | None = None) -> None:
        super().__init__("help", f"Help about {about}", parent=parent)
        as_mark(self)
        if page:
            set_help(self, page)
        self.clicked.connect(lambda: ask_help(self))

    def showEvent(self, event: QShowEvent) -> None:
        """A dialog does not begin with the keyboard here: what it is for comes first."""
        super().showEvent(event)
        dialog = self.window()
        if isinstance(dialog, QDialog) and dialog.focusWidget() in (None, self):
            _begin_behind(self, dialog)


def _begin_behind(mark: QWidget, dialog: QDialog) -> None:
    """Give the keyboard to whom Qt would give it if the mark were not there."""
    found = mark.nextInFocusChain()
    while found is not None and found is not mark:
        takes = found.focusPolicy() & Qt.FocusPolicy.TabFocus and found.isVisibleTo(dialog)
        if takes and found.isEnabled():
            break
        found = found.nextInFocusChain()
    if isinstance(found, QPushButton):
        buttons = dialog.findChildren(QPushButton)
        found = next((button for button in buttons if button.isDefault()), found)
    if found is not None and found is not mark:
        found.setFocus(Qt.FocusReason.OtherFocusReason)


class HelpedTitle(QWidget):
    """The heading of a panel or dialog, and at the right end the "?" for its page."""

    def __init__(self, text: str, about: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = SectionTitle(text)
        self.help_button = HelpButton(about)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.title, 1)
        row.addWidget(self.help_button)
