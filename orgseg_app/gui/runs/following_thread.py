"""A thread that reads what other processes write, and does what the window asks meanwhile."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from orgseg_app.runs.job_folder import JobFolder

LOG = logging.getLogger(__name__)

Request = Callable[[Any], object]
"""Gets the folder that it is about."""


class FollowingThread(QThread):
    """Looks again and again, at once when something is asked; subclasses say at what.

    Ending it never ends what is followed.

    Parameters
    ----------
    name
        What it follows, for logs and debuggers.

    Signals
    -------
    request_failed(id, sentence)
        A run or study could not be started, or asked to stop, pause, go on or end.
    """

    request_failed = Signal(str, str)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._is_ending = False
        self._project: Path | None = None

    # -- asked by the window -----------------------------------------------------------------------

    def stop(self, timeout_ms: int = 5000) -> bool:
        """End the following; True when the thread has ended."""
        self._is_ending = True
        self._wake.set()
        return not self.isRunning() or self.wait(timeout_ms)

    def watch(self, project_path: Path | None) -> None:
        """Follow what a project has from now on (and no other's); None for no project."""
        self._do(lambda: self._watch(project_path))

    def ask(self, folder: JobFolder, request: Request) -> None:
        """Ask something of a run or study (``launcher.request_pause`` …), and follow it on."""
        self._do(lambda: self._ask(folder, request))

    def _do(self, command: Callable[[], None]) -> None:
        """Do something in the thread, soon."""
        self._commands.put(command)
        self._wake.set()

    # -- in the thread -----------------------------------------------------------------------------

    def run(self) -> None:
        """Loop until `stop`."""
        while not self._is_ending:
            self._wake.clear()
            try:
                self.turn()
            except Exception:  # a folder that vanishes under the hand must not end the following
                LOG.exception("%s failed for a moment", self.objectName())
            if self._is_ending:
                break
            self._wake.wait(self.pause_s)

    def turn(self) -> None:
        """Do what is asked, and look once at everything."""
        while not self._commands.empty():
            self._commands.get()()
        self.look()

    def _ask(self, folder: JobFolder, request: Request) -> None:
        try:
            request(folder)
        except Exception as error:
            LOG.info("a request to %s failed", folder.path.name, exc_info=True)
            self.request_failed.emit(folder.folder_id, str(error) or type(error).__name__)
        self._on_asked(folder)

    def _watch(self, project_path: Path | None) -> None:
        """Begin with another project."""
        raise NotImplementedError

    def _on_asked(self, folder: Any) -> None:
        """It may go on now, or be over soon: look at it closely."""
        raise NotImplementedError

    def look(self) -> None:
        """Look once at everything that is followed."""
        raise NotImplementedError

    @property
    def pause_s(self) -> float | None:
        """Seconds until it looks again; None: when it is asked."""
        raise NotImplementedError
