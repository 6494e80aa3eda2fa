"""What the Help menu opens: pages, the sheet of keys, keys of one's own, About."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.help_window import HelpWindow

FIRST = "canvas"


class Helping:
    """The commands of the Help menu."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.help: HelpWindow | None = None

    def about_tool(self) -> None:
        """The page of what the keys go to, else of the tool in the hand.

        Without an image to use a tool on, the first page.
        """
        has_image = self.window.session.image is not None
        here = _page_of(self.window.focusWidget())
        self.show(here or (self.window.tools.tool if has_image else FIRST))

    def show_contents(self) -> None:
        """The page that was read last, or the first one."""
        self.show(self.help.name if self.help is not None else FIRST)

    def show(self, page: str) -> None:
        """Open the window at a page, or bring it to the front."""
        if self.help is None:
            from orgseg_app.gui.panels.help_window import HelpWindow

            self.help = HelpWindow(self.window.shortcuts, self.window)
        self.help.show_page(page)
        self.help.show()
        self.help.raise_()
        self.help.activateWindow()
        self.help.contents.setFocus()

    def show_keys(self) -> None:
        """The sheet of keys, at the tool in the hand."""
        from orgseg_app.gui.help.help_dialogs import ShortcutsDialog

        window = self.window
        sheet = ShortcutsDialog(window.shortcuts, window.actions_by_id, window)
        sheet.change_requested.connect(self.change_keys)
        sheet.show_action(f"tool_{window.tools.tool}")
        _open(sheet)

    def change_keys(self) -> None:
        """The table in which every action can get other keys."""
        from orgseg_app.gui.panels.shortcuts_dialog import ShortcutEditor

        _open(ShortcutEditor(self.window.shortcuts, self.window.actions_by_id, self.window))

    def show_about(self) -> None:
        """Version, licence, device."""
        from orgseg_app.gui.help.help_dialogs import AboutDialog

        _open(AboutDialog(self.window))


def _page_of(widget: QWidget | None) -> str:
    """The page that a part of the window names as its own (``help_page``); "" for none."""
    while widget is not None:
        if page := widget.property("help_page"):
            return str(page)
        widget = widget.parentWidget()
    return ""


def _open(dialog: QDialog) -> None:
    """Show it over the window; closed, it is gone."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
