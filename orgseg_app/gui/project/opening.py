"""Opening a project: look at a stranger's file first, and look only where another window paints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QObject, Qt
from PySide6.QtWidgets import QApplication

from orgseg_app.gui.background import Background
from orgseg_app.gui.project.banners import whose

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow


class Opening(QObject):
    """Opens projects in place of the one that is open."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self._background = Background(self)
        self._is_looking = False

    @property
    def is_looking(self) -> bool:
        """True while a file that is new on this computer is looked at before it is opened."""
        return self._is_looking

    def open(self, path: Path) -> bool:
        """Open a project; when somebody else has it, to look at it. False: it was not opened."""
        from orgseg_app.files.store.lock import LockedError

        session, path = self.session, Path(path).absolute()
        if session.path == path:
            session.message.emit(f"“{path.name}” is open in this window.", "info")
            return False
        if self._is_looking:  # at another one
            return False
        if not session.finish_saving() and not self.window.commands.may_discard():
            return False
        try:
            self._let_in(path)
            if self.window.is_closed:
                return False
            session.open_project(path, discard=True)
        except LockedError as error:
            return self._open_to_look(path, error)
        except Exception as error:
            session.report_error(error)
            self.window.backing_up.offer(path, error)
            return False
        return True

    def _open_to_look(self, path: Path, holder: Exception) -> bool:
        from orgseg_app.files.store.lock import LockedError

        assert isinstance(holder, LockedError)
        try:
            self.session.open_project(path, read_only=True, discard=True, holder=holder)
        except Exception as error:
            self.session.report_error(error)
            return False
        return True

    def _let_in(self, path: Path) -> None:
        """Have a file that is new on this computer looked at, while the window stays alive.

        Opening does so, too, but there the window would stand still: for seconds, where the
        project is large. What the child process said is remembered for the opening.

        Raises
        ------
        ProjectError
            When it is refused.
        """
        from orgseg_app.files.safety import gate, known_files

        target = Path(os.path.realpath(path))
        if not target.is_file() or known_files.is_known(target) or _has_journal(target):
            return
        loop, errors = QEventLoop(), list[Exception]()
        task = self._background.start(
            f"Looking at “{path.name}”",
            lambda _: gate.admit(target),
            on_failure=errors.append,
        )
        task.ended.connect(loop.quit)
        self._is_looking = True
        QApplication.setOverrideCursor(Qt.CursorShape.BusyCursor)
        try:
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        finally:
            QApplication.restoreOverrideCursor()
            self._is_looking = False
        if errors:
            raise errors[0]

    def open_to_paint(self) -> None:
        """Open what is only looked at again, for painting where that is possible now."""
        from orgseg_app.files.store.lock import LockedError

        session, image_id, z = self.session, self.session.image_id, self.session.z
        if session.path is None or session.holder is None:
            return
        try:
            session.open_project(session.path)
        except LockedError as error:
            session.message.emit(f"Still read-only: {whose(error)}.", "info")
            return
        except Exception as error:
            session.report_error(error)
            return
        session.select_image(image_id)
        session.select_plane(z)


def _has_journal(target: Path) -> bool:
    """True when the file is not all there is: a save in the journal may have to be finished."""
    from orgseg_app.files.store import places
    from orgseg_app.files.store.header import read_header

    try:
        descriptor = os.open(target, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            header = read_header(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return True  # opening says why
    return header is not None and places.journal_path(target, header.file_id).exists()
