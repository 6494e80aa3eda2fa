"""What the Help menu opens: pages, the sheet of keys, keys of one's own, About."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from shiboken6 import isValid

from orgseg_app.gui.help.context import page_of

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.help_window import HelpWindow

FIRST = "start"
_KEY_NAME = "help key"
_WITH_KEYS_OF_THE_WINDOW = (Qt.WindowType.Tool, Qt.WindowType.Popup, Qt.WindowType.ToolTip)
"""Over these the window's own shortcuts work; one of theirs would compete with it."""


class Helping(QObject):
    """The commands of the Help menu, and the help's key in every dialog.

    Attributes
    ----------
    help
        The window of pages that was opened last.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.help: HelpWindow | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def about_tool(self) -> None:
        """The page of what the keys go to, else of the tool in the hand.

        Without an image to use a tool on, the first page.
        """
        has_image = self.window.session.image is not None
        here = page_of(self.window.focusWidget())
        self.show(here or (self.window.tools.tool if has_image else FIRST))

    def show_contents(self) -> None:
        """The page that was read last, or the first one."""
        name = self.help.name if self.help is not None and isValid(self.help) else ""
        self.show(name or FIRST)

    def show(self, page: str) -> None:
        """Open the window at a page, or bring it to the front.

        Parameters
        ----------
        page
            ``"page"``, or ``"page#place"`` for something on it.
        """
        self.help = helps = self._window_of_pages()
        helps.show_page(page)
        helps.show()
        helps.raise_()
        helps.activateWindow()
        helps.contents.setFocus()

    def _window_of_pages(self) -> HelpWindow:
        """The one beside the window; over a dialog that waits for an answer, one of its own.

        Such a dialog keeps every window that does not belong to it from being used.
        """
        from orgseg_app.gui.panels.help_window import HelpWindow

        asking = QApplication.activeModalWidget()
        owner = asking if asking is not None and self._belongs(asking) else self.window
        known = owner.findChildren(HelpWindow, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if known:
            return known[0]
        helps = HelpWindow(self.window.shortcuts, owner)
        if isinstance(owner, QDialog):
            owner.finished.connect(partial(self._go_on_reading, helps))
        return helps

    def _go_on_reading(self, helps: HelpWindow, _: int) -> None:
        """The dialog is answered: its page goes on beside the window."""
        if isValid(helps) and helps.isVisible():
            helps.close()
            self.show(helps.name)

    # -- dialogs ---------------------------------------------------------------------------------

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        """A dialog that the keyboard comes to takes the help's key, too.

        Shortcuts of the window do not reach its dialogs, and those are made in many places.
        """
        if new is None or not isValid(new):
            return
        top = new.window()
        is_dialog = top is not self.window and top.windowType() not in _WITH_KEYS_OF_THE_WINDOW
        if is_dialog and self._belongs(top):
            self._give_key(top)

    def _give_key(self, dialog: QWidget) -> None:
        found = dialog.findChild(QShortcut, _KEY_NAME)
        key = found if isinstance(found, QShortcut) else QShortcut(dialog)
        if found is None:
            key.setObjectName(_KEY_NAME)
            key.activated.connect(self._about_dialog)
        keys = self.window.shortcuts.keys("help_tool")
        key.setKeys([QKeySequence(text) for text in keys])

    def _belongs(self, dialog: QWidget | None) -> bool:
        """Whether it is a dialog of this window, or of one of its dialogs."""
        while dialog is not None and dialog is not self.window:
            dialog = dialog.parentWidget()
        return dialog is not None

    def _about_dialog(self) -> None:
        """The page of a dialog; nothing for those that have none: the help, those of the system."""
        if page := page_of(QApplication.focusWidget()):
            self.show(page)

    # -- keys, About -----------------------------------------------------------------------------

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

    def show_diagnostics(self) -> None:
        """What a diagnostic report would hold; saved where the person says."""
        from orgseg_app.gui.help.diagnostics_dialog import DiagnosticsDialog

        _open(DiagnosticsDialog(self.window))

    def check_updates(self) -> None:
        """Say what would be asked of whom, and ask when told to."""
        from orgseg_app.gui.help.updates_dialog import UpdatesDialog

        _open(UpdatesDialog(self.window))


def _open(dialog: QDialog) -> None:
    """Show it over the window; closed, it is gone."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
