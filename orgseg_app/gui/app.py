"""Start the window."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from orgseg_app import settings as settings_module
from orgseg_app.files.running_windows import WindowPlace
from orgseg_app.gui.allocation import keep_freed_memory
from orgseg_app.gui.help.trouble_pages import UNEXPECTED
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.project.handed_over import HandedOver
from orgseg_app.gui.session import SAVED, Session
from orgseg_app.gui.style import icons, theme

LOG = logging.getLogger(__name__)

READY_VARIABLE = "ORGSEG_READY"


class Application(QApplication):
    """The program on the desktop; macOS tells it which files a double-click is meant to open.

    Signals
    -------
    file_asked_for(path)
    """

    file_asked_for = Signal(object)

    def event(self, event: QEvent) -> bool:
        """Only what is sent to the program itself comes by here."""
        if isinstance(event, QFileOpenEvent) and event.file():
            self.file_asked_for.emit(Path(event.file()))
            return True
        return super().event(event)


def run(paths: Sequence[Path] = (), place: WindowPlace | None = None) -> int:
    """Open the window, with a project or images when given, and stay until it is closed.

    Parameters
    ----------
    paths
        One project file, or images and folders to import.
    place
        Where another start of OrgSeg may lay down what this window is to open.

    Returns
    -------
    Exit code of the event loop.
    """
    keep_freed_memory()
    app = QApplication.instance() or Application(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("OrgSeg")
    app.setApplicationDisplayName("OrgSeg")
    app.setDesktopFileName("orgseg")
    app.setWindowIcon(icons.app_icon())
    settings = settings_module.load()
    theme.apply(app, settings.theme, settings.text_size)
    window = MainWindow(settings)
    install_excepthook(window)
    if os.environ.get(READY_VARIABLE):
        window.first_paint = _ReadyAtFirstPaint(window)  # type: ignore[attr-defined]
    window.show()
    handed_over = HandedOver(window, place)
    if isinstance(app, Application):
        app.file_asked_for.connect(lambda path: handed_over.take([path]))
    if paths:
        QTimer.singleShot(0, lambda: window.commands.importing.take(list(paths)))
    try:
        return app.exec()
    finally:
        handed_over.close()


def install_excepthook(window: MainWindow) -> None:
    """An error nobody caught is shown and logged; the window lives on, and so does the work."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        LOG.critical("uncaught", exc_info=(kind, error, trace))
        if isinstance(error, Exception):
            window.session.say(
                f"Something went wrong inside OrgSeg ({kind.__name__}: {error}). "
                f"{what_is_safe(window.session)} You can go on; copy the report for the "
                "developers.",
                "error",
                UNEXPECTED,
            )

    sys.excepthook = hook


def what_is_safe(session: Session) -> str:
    """How much of the work is on the disk at this moment, in a sentence."""
    if session.file is None or session.is_read_only:
        return "Nothing is lost."
    if session.save_state == SAVED:
        return "Everything you painted is saved."
    trouble = session.saving.trouble
    if trouble is None or trouble.is_safe:
        return "Everything you painted is saved, or will be in a moment."
    return trouble.text


class _ReadyAtFirstPaint(QObject):
    """Prints READY and the memory used (MB) after the first paint, then ends: for timing."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the first paint."""
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self._report)
        return False

    def _report(self) -> None:
        if os.environ[READY_VARIABLE] == "modules":
            import json

            print(json.dumps(sorted(sys.modules)))
        import psutil

        print("READY", round(psutil.Process().memory_info().rss / 2**20), flush=True)
        os._exit(0)
