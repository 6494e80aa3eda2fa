"""Planes of layers that lie in files: read one at a time off the window's thread, and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.background import Background

KEPT_BYTES = 192 << 20
KEPT_LEAST = 3  # planes, however large they are
KEPT_MOST = 48
MOST_WAITING = 6


class PlaneReader(QObject):
    """Reads what is looked at, the newest wish first; what was wished for long before is dropped.

    Attributes
    ----------
    background
        The thread it reads in.

    Signals
    -------
    arrived()
        Something that was asked for is there, or could not be read.
    """

    arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.background = Background(self)
        self._values: dict[Hashable, Any] = {}
        self._waiting: dict[Hashable, Callable[[], Any]] = {}
        self._reading: Hashable | None = None
        self._generation = 0

    def get(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """What ``read`` returned, or the `FileError` it ended with; None while it is under way.

        Parameters
        ----------
        key
            What is read: equal ones are read once.
        read
            Called in the background.
        """
        if key in self._values:
            self._values[key] = self._values.pop(key)  # the youngest stay
            return self._values[key]
        if key != self._reading:
            self._waiting.pop(key, None)
            self._waiting[key] = read
            while len(self._waiting) > MOST_WAITING:
                self._waiting.pop(next(iter(self._waiting)))
            self._read_next()
        return None

    @property
    def is_reading(self) -> bool:
        """True while something asked for is not there yet."""
        return self._reading is not None

    def forget(self) -> None:
        """Drop everything; it is read again when it is asked for."""
        self._generation += 1
        self._waiting.clear()
        self._values.clear()
        self._reading = None

    def finish(self) -> None:
        """Drop everything and come to an end: the files are about to be closed."""
        self.forget()
        self.background.finish()

    def _make_room(self) -> None:
        """Drop what was not looked at for longest."""
        size = sum(getattr(value, "nbytes", 0) for value in self._values.values())
        while len(self._values) > KEPT_MOST or (
            size > KEPT_BYTES and len(self._values) > KEPT_LEAST
        ):
            size -= getattr(self._values.pop(next(iter(self._values))), "nbytes", 0)

    def _read_next(self) -> None:
        if self._reading is not None or not self._waiting:
            return
        key, read = self._waiting.popitem()
        self._reading = key
        asked = self._generation

        def keep(value: Any) -> None:
            if asked != self._generation:
                return
            self._values[key] = value
            self._make_room()
            self._reading = None
            self._read_next()
            self.arrived.emit()

        self.background.start("Reading a layer", lambda task: read(), keep, keep)
