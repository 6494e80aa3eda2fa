"""What the wheel does over the picture, and how far one turn of it goes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent

NOTCH = 120
"""Qt's eighths of a degree in one notch of an ordinary wheel."""

_ACTS = {
    "zoom": {
        "Wheel": "zoom",
        "Shift + wheel": "plane",
        "Ctrl + wheel": "brush",
        "Alt + wheel": "time",
    },
    "slice": {
        "Wheel": "plane",
        "Ctrl + wheel": "zoom",
        "Ctrl + Shift + wheel": "brush",
        "Alt + wheel": "time",
    },
}


def wheel_acts(wheel: str) -> dict[str, str]:
    """What is turned → "zoom", "plane", "brush" or "time", for a habit ("zoom" or "slice")."""
    return dict(_ACTS[wheel])


def wheel_act(wheel: str, modifiers: Qt.KeyboardModifier) -> str:
    """What a turn with these keys held does: "zoom", "plane", "brush" or "time".

    >>> wheel_act("slice", Qt.KeyboardModifier.NoModifier)
    'plane'
    """
    if modifiers & Qt.KeyboardModifier.AltModifier:
        return "time"
    ctrl = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    if wheel == "slice":
        return ("brush" if shift else "zoom") if ctrl else "plane"
    return "brush" if ctrl else "plane" if shift else "zoom"


def turn(event: QWheelEvent) -> int:
    """How far the wheel was turned; with Shift or Alt some systems call it sideways."""
    return event.angleDelta().y() or event.angleDelta().x()


def is_two_fingers(event: QWheelEvent) -> bool:
    """True for fingers on a touchpad: they move the picture itself."""
    return not event.pixelDelta().isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase


class Notches:
    """Whole notches of a wheel that reports parts of them, as fine wheels and touchpads do."""

    def __init__(self) -> None:
        self._kind = ""
        self._rest = 0

    def take(self, kind: str, turned: int) -> int:
        """Notches complete by now; what another kind of turn left over is forgotten.

        >>> notches = Notches()
        >>> [notches.take("plane", 50) for _ in range(5)]
        [0, 0, 1, 0, 1]
        """
        if kind != self._kind or (turned > 0) != (self._rest > 0):
            self._kind, self._rest = kind, 0
        self._rest += turned
        whole = int(self._rest / NOTCH)  # towards zero, both ways
        self._rest -= whole * NOTCH
        return whole
