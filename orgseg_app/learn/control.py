"""What the job is asked to do while it works: files in ``control/``, and signals."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from orgseg_app.runs.stop_signals import heeding_stop_signals

_LOOK_EVERY_S = 0.1


class Control:
    """Looks for requests, at most ten times a second.

    Parameters
    ----------
    folder
        ``control/`` of the run; may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signalled = threading.Event()
        self._looked = -1.0
        self._found = {"stop": False, "pause": False}

    def listening(self) -> AbstractContextManager[None]:
        """Take SIGTERM and SIGINT (a computer that shuts down, Ctrl+C) as requests to stop."""
        return heeding_stop_signals(self._signalled.set)

    def stop_asked(self) -> bool:
        """Whether to end soon and keep what there is."""
        return self._signalled.is_set() or self._look("stop")

    def pause_asked(self) -> bool:
        """Whether to wait."""
        return self._look("pause")

    def _look(self, name: str) -> bool:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._found = {key: (self._folder / key).exists() for key in self._found}
        return self._found[name]
