"""The place in a volume where the three views meet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

GAP_PX = 9
"""Left free around the place itself, so that it can be seen."""

LIGHT, DARK = QColor(255, 255, 255, 150), QColor(0, 0, 0, 130)


class Crosshair(QObject):
    """A voxel of the image on the canvas: ``y`` and ``x``; its z is the plane looked at.

    Each image has its own for as long as the project is open; at first it is in the middle.

    Attributes
    ----------
    is_shown
        Whether it is drawn.

    Signals
    -------
    moved()
        To another place of the plane, or it is shown or hidden.
    """

    moved = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._places: dict[str, tuple[int, int]] = {}
        self.is_shown = False
        session.closing.connect(self._places.clear)

    @property
    def place(self) -> tuple[int, int, int]:
        """``(z, y, x)`` of the voxel."""
        image = self._session.image
        if image is None:
            return 0, 0, 0
        _, _, height, width = image.shape
        y, x = self._places.get(image.time_series or image.image_id, (height // 2, width // 2))
        return self._session.z, min(y, height - 1), min(x, width - 1)

    def put(self, y: float, x: float) -> None:
        """Move it to the voxel at a place of the plane; outside, to the nearest."""
        image = self._session.image
        if image is None:
            return
        _, _, height, width = image.shape
        now = min(max(math.floor(y), 0), height - 1), min(max(math.floor(x), 0), width - 1)
        if now != self.place[1:]:
            self._places[image.time_series or image.image_id] = now
            self.moved.emit()

    def places(self) -> dict[str, tuple[int, int]]:
        """``(y, x)`` by image, or by time series, for those where it was moved."""
        return dict(self._places)

    def remember_places(self, places: Mapping[str, tuple[int, int]]) -> None:
        """Begin there in these images."""
        self._places = dict(places)
        self.moved.emit()

    def show(self, shown: bool) -> None:
        """Draw it from now on, or no longer."""
        if shown != self.is_shown:
            self.is_shown = shown
            self.moved.emit()


def draw_lines(painter: QPainter, view: QWidget, at: QPointF) -> None:
    """Thin lines through a point of a widget, light beside dark, open around the point itself."""
    x, y = round(at.x()), round(at.y())
    right, bottom = view.width(), view.height()
    for colour, shift in ((DARK, 1), (LIGHT, 0)):
        painter.fillRect(0, y + shift, x - GAP_PX, 1, colour)
        painter.fillRect(x + GAP_PX, y + shift, right - x - GAP_PX, 1, colour)
        painter.fillRect(x + shift, 0, 1, y - GAP_PX, colour)
        painter.fillRect(x + shift, y + GAP_PX, 1, bottom - y - GAP_PX, colour)


def update_lines(view: QWidget, before: QPointF, now: QPointF) -> None:
    """Paint what lines that moved covered, and what they cover now."""
    for old, new, level in (
        (round(before.y()), round(now.y()), True),
        (round(before.x()), round(now.x()), False),
    ):
        for at in (old, new) if old != new else ():
            if level:
                view.update(0, at - 1, view.width(), 4)
            else:
                view.update(at - 1, 0, 4, view.height())
    if before != now:
        side = 2 * GAP_PX + 4
        for middle in (before, now):  # the gap moved along the lines that did not
            view.update(round(middle.x()) - side // 2, round(middle.y()) - side // 2, side, side)
