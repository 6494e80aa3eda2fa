"""A thread that reads what other processes write, and does what the window asks meanwhile."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QThread

LOG = logging.getLogger(__name__)


class FollowingThread(QThread):
    """Looks again and again, at once when something is asked; subclasses say at what.

    Ending it never ends what is followed.

    Parameters
    ----------
    name
        What it follows, for logs and debuggers.
    """

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._is_ending = False

    # -- asked by the window -----------------------------------------------------------------------

    def stop(self, timeout_ms: int = 5000) -> bool:
        """End the following; True when the thread has ended."""
        self._is_ending = True
        self._wake.set()
        return not self.isRunning() or self.wait(timeout_ms)

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

    def look(self) -> None:
        """Look once at everything that is followed."""
        raise NotImplementedError

    @property
    def pause_s(self) -> float | None:
        """Seconds until it looks again; None: when it is asked."""
        raise NotImplementedError
