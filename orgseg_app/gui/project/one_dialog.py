"""A dialog beside which the window goes on: one, of the project that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QWidget
from shiboken6 import isValid

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.main_window import MainWindow

D = TypeVar("D", bound=QDialog)


def came_to_front(dialog: QWidget | None) -> bool:
    """Bring a dialog to the front; False where it is not open."""
    if dialog is None or not isValid(dialog) or not dialog.isVisible():
        return False
    dialog.raise_()
    dialog.activateWindow()
    return True


class OneDialog(QObject, Generic[D]):
    """Opens a dialog once, and closes it with the project that it belongs to.

    Attributes
    ----------
    dialog
        While it is open; it may be gone already, see `open_dialog`.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.dialog: D | None = None
        self._file: ProjectFile | None = None
        self.session.project_changed.connect(self._on_project_changed)

    @property
    def open_dialog(self) -> D | None:
        """The dialog, unless it was closed."""
        return self.dialog if self.dialog is not None and isValid(self.dialog) else None

    # -- what a kind of dialog says ----------------------------------------------------------------

    def make_dialog(self, file: ProjectFile) -> D:
        """The dialog, about this project."""
        raise NotImplementedError

    def begin(self, file: ProjectFile | None) -> None:
        """Another project is open, or none."""

    # -- opening and closing -----------------------------------------------------------------------

    def show(self) -> None:
        """Open the dialog, or bring it to the front."""
        file = self.session.file
        if file is None or came_to_front(self.dialog):
            return
        self.dialog = self.make_dialog(file)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.show()

    def close_dialog(self) -> None:
        """Close it, where it is open."""
        if (dialog := self.open_dialog) is not None:
            dialog.close()
        self.dialog = None

    def _on_project_changed(self) -> None:
        """The dialog belongs to the project that was open."""
        if self._file is not self.session.file:  # else it was renamed
            self._file = self.session.file
            self.close_dialog()
            self.begin(self._file)
