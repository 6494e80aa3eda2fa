"""Files that another start of OrgSeg hands to this window: it comes to the front and opens them.

What starts and asks is in `orgseg_app.files.running_windows`. Nothing is opened under the pen, and
nothing beside a question: who asked then opens a window of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QFileSystemWatcher,
    QObject,
    QProcess,
    Qt,
    QTimer,
)
from PySide6.QtWidgets import QApplication

from orgseg_app.files.running_windows import Request, WindowPlace
from orgseg_app.gui.child_process import give_environment
from orgseg_app.gui.panels.banner import Banner
from orgseg_app.gui.project.importing import PROJECT_SUFFIX
from orgseg_app.program import program_environment, window_command

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

LOOK_MS = 500
"""The folder is watched; this is for file systems that tell nothing, and for what had to wait."""

_TOKEN = "XDG_ACTIVATION_TOKEN"


class HandedOver(QObject):
    """Takes what is handed to a window.

    Parameters
    ----------
    window
        The window.
    place
        Where requests to it are laid down; None where the data folder allows none.
    """

    def __init__(self, window: MainWindow, place: WindowPlace | None) -> None:
        super().__init__(window)
        self.window = window
        self.place = place
        self._images: list[Path] = []
        self.banner = Banner("Images from outside", can_close=True)
        self.add_button = self.banner.add_action(
            "Add to this project", "Bring them into the open project", self._add
        )
        self.new_button = self.banner.add_action(
            "New project", "Close this project, which is saved, and begin one with them", self._new
        )
        window.add_bar(self.banner)
        window.session.closing.connect(self.banner.hide)
        if place is not None:
            self._watcher = QFileSystemWatcher([str(place.path)], self)
            self._watcher.directoryChanged.connect(lambda _: self.look())
            self._timer = QTimer(self, interval=LOOK_MS)
            self._timer.timeout.connect(self.look)
            self._timer.start()
            window.session.project_changed.connect(self._tell)
            app = QApplication.instance()
            assert isinstance(app, QApplication)
            app.focusWindowChanged.connect(self._on_focus)
            self._tell()

    # -- requests ----------------------------------------------------------------------------------

    def look(self) -> None:
        """Answer the requests that lie there, unless a pen or a menu is in use just now."""
        if self.place is None or not (waiting := self.place.waiting()):
            return
        if (
            QApplication.mouseButtons() != Qt.MouseButton.NoButton
            or QApplication.activePopupWidget()
        ):
            return
        for name in waiting:
            if self._is_asking:
                self.place.decline(name)
            elif (request := self.place.take(name)) is not None:
                self._open(request)

    @property
    def _is_asking(self) -> bool:
        """True while the person is in the middle of an answer, or the window of an opening."""
        is_opening = self.window.commands.opening.is_looking
        return is_opening or QApplication.activeModalWidget() is not None

    def _open(self, request: Request) -> None:
        come_to_front(self.window, request.token)
        self.take([path for path in request.paths if path.exists()])

    def take(self, found: Sequence[Path]) -> None:
        """Open a project; images begin one, or where one is open it is asked what is meant."""
        is_project = any(path.suffix.lower() == PROJECT_SUFFIX for path in found)
        if not found:
            return
        if is_project or self.window.session.file is None:
            self.window.commands.importing.take(list(found))
            return
        self._images = list(found)
        project = self.window.session.project
        name = project.name if project is not None else ""
        self.add_button.setVisible(not self.window.session.is_read_only)
        self.banner.say(
            "info",
            f"{_counted(found)} opened from outside.",
            f"The open project is “{name}”. It stays as it is until you choose.",
        )
        self.banner.take_keyboard()

    def _add(self) -> None:
        self.banner.hide()
        self.window.commands.importing.take(self._images)

    def _new(self) -> None:
        self.banner.hide()
        if self.window.commands.close_project():
            self.window.commands.importing.take(self._images)

    # -- what others see of this window ------------------------------------------------------------

    def _tell(self) -> None:
        if self.place is not None:
            try:
                self.place.tell(is_shown=True, project=self.window.session.path)
            except OSError:  # others then find the window, but not by its project
                return

    def _on_focus(self, focused: object) -> None:
        if focused is not None and self.place is not None:
            self.place.note_use()

    def close(self) -> None:
        """The window is gone: nobody hands it anything from now on."""
        if self.place is not None:
            self._timer.stop()
            self.place.close()


def come_to_front(window: MainWindow, token: str = "") -> None:
    """Show a window before all others, or where the desktop does not let it, have it flash.

    Parameters
    ----------
    token
        With which Wayland lets a window take the keyboard; Qt looks for it in the environment.
    """
    if token:
        os.environ[_TOKEN] = token
    if window.isMinimized():
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.raise_()
    window.activateWindow()
    QApplication.alert(window)
    os.environ.pop(_TOKEN, None)


def open_new_window() -> bool:
    """Start a window beside this one, in a process of its own; False when it cannot be."""
    program, *arguments = window_command("--new-window")
    process = QProcess()
    process.setProgram(program)
    process.setArguments(arguments)
    give_environment(process, program_environment())
    started: object = process.startDetached()  # some versions also say the process id
    return bool(started[0] if isinstance(started, tuple) else started)


def _counted(found: Sequence[Path]) -> str:
    if len(found) == 1:
        return f"“{found[0].name}” was"
    return f"{len(found)} files were"
