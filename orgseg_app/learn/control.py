"""What the job is asked to do while it works: files in ``control/``, and signals."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

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

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT (a computer that shuts down, Ctrl+C) as requests to stop."""
        before = {}
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                before[number] = signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled.set()

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
