"""Outlines of the objects that are chosen, and of the parts one is about to be split into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform

from orgseg_app.core.painting.components import Component

if TYPE_CHECKING:
    from orgseg_app.core.object_review.survey import ObjectColumns
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

MOST = 300
"""Objects outlined at once; of more the nearest to the last one chosen."""

_NEW_AT_ONCE = 60
"""Outlines that are followed for one frame; the next frames bring the others."""

_DARK, _CHOSEN, _PART = "#101214", "#FFFFFF", "#FFB000"
_SEEN_PX = 3.0  # on the screen; what is smaller gets a ring around it
_RING_PX = 9.0


class ObjectMarks:
    """Painted over everything else of the picture.

    Parameters
    ----------
    canvas
        Whose session says what is chosen.
    """

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self._canvas = canvas
        objects = canvas.session.objects
        self._review, self._dividing = objects.review, objects.dividing
        self._lines: dict[tuple[int, int], list[QPolygonF]] = {}
        self._parts: list[QPolygonF] | None = None
        self._parts_z = -1
        self._may_follow = 0
        self._more = QTimer(canvas, singleShot=True, interval=0)
        self._more.timeout.connect(canvas.update)
        self._chosen: tuple[object, object, NDArray[np.intp]] = (), None, np.zeros(0, np.intp)
        canvas.session.mask_changed.connect(lambda *_: self._forget())
        self._review.changed.connect(self._forget)
        self._review.chosen_changed.connect(canvas.update)
        self._dividing.changed.connect(self._on_dividing)

    def _forget(self) -> None:
        if self._lines:
            self._lines.clear()
            self._canvas.update()

    def _on_dividing(self) -> None:
        self._parts = None
        self._canvas.update()

    def paint(self, painter: QPainter) -> None:
        """What is chosen on this plane and in sight."""
        canvas = self._canvas
        numbers = self._in_sight()
        parts = self._part_lines() if self._dividing.number else []
        if not numbers and not parts:
            return
        origin, zoom = canvas.to_widget(0, 0), canvas.view_state().zoom
        way = QTransform(zoom, 0, 0, zoom, origin.x(), origin.y())
        self._may_follow = _NEW_AT_ONCE
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        shown = [
            way.map(line)
            for number in numbers
            for line in (self._dot(number, zoom) or self._outlines(number))
        ]
        divided = [way.map(line) for line in parts]
        for lines, colour, width in (
            (shown, _DARK, 4.0),
            (shown, _CHOSEN, 2.0),
            (divided, _DARK, 4.0),
            (divided, _PART, 2.0),
        ):
            painter.setPen(QPen(QColor(colour), width))
            for line in lines:
                box = line.boundingRect()
                if max(box.width(), box.height()) < _SEEN_PX:
                    painter.drawEllipse(box.center(), _RING_PX, _RING_PX)
                else:
                    painter.drawPolyline(line)
        painter.restore()
        if self._may_follow < 0:
            self._more.start()

    def _in_sight(self) -> list[int]:
        """Chosen objects that lie on this plane and in the view."""
        canvas, found = self._canvas, self._review.found
        chosen = self._review.chosen
        if not chosen or not canvas.session.objects.is_on or canvas.session.file is None:
            return []
        if found is None or found.image_id != canvas.session.image_id:
            return list(chosen[-1:])
        columns, z = found.columns, canvas.session.z
        rows = self._rows_of(chosen, columns)
        top, left = canvas.to_image(QPointF(0, 0))
        bottom, right = canvas.to_image(QPointF(canvas.width(), canvas.height()))
        low, high = columns.low[rows], columns.high[rows]
        seen = (low[:, 0] <= z) & (high[:, 0] > z)
        seen &= (low[:, 1] < bottom) & (high[:, 1] > top)
        seen &= (low[:, 2] < right) & (high[:, 2] > left)
        return [int(n) for n in columns.numbers[rows[seen][:MOST]]]

    def _rows_of(self, chosen: tuple[int, ...], columns: ObjectColumns) -> NDArray[np.intp]:
        """Rows of what is chosen, the last one first; kept, as there may be 100,000 of them."""
        if self._chosen[0] is not chosen or self._chosen[1] is not columns:
            wanted = np.array(chosen[::-1], np.uint32)
            rows = np.searchsorted(columns.numbers, wanted)
            known = rows < len(columns)
            known[known] = columns.numbers[rows[known]] == wanted[known]
            self._chosen = chosen, columns, rows[known]
        return self._chosen[2]

    def _dot(self, number: int, zoom: float) -> list[QPolygonF]:
        """The box of an object too small to have an outline on the screen; else nothing."""
        row, found = self._review.row_of(number), self._review.found
        if row < 0 or found is None:
            return []
        box = found.columns.box(row)
        if max(box.y1 - box.y0, box.x1 - box.x0) * zoom >= _SEEN_PX:
            return []
        return [QPolygonF([QPointF(box.x0, box.y0), QPointF(box.x1, box.y1)])]

    def _outlines(self, number: int) -> list[QPolygonF]:
        z = self._canvas.session.z
        key = (number, z)
        if key not in self._lines:
            self._may_follow -= 1
            if self._may_follow < 0:
                return []
            objects = self._canvas.session.mask().objects
            row = self._review.row_of(number)
            if row >= 0 and self._review.found is not None:
                box = self._review.found.columns.box(row)
            else:
                box = objects.box_of(number)
            where = objects.read(z, box.y0, box.x0, box.y1, box.x1) == number
            self._lines[key] = _lines(z, box.y0, box.x0, where)
        return self._lines[key]

    def _part_lines(self) -> list[QPolygonF]:
        """Edges of the parts on this plane."""
        parts, z = self._dividing.parts, self._canvas.session.z
        if parts is None:
            return []
        if self._parts is None or self._parts_z != z:
            (z0, y0, x0), labels = parts
            self._parts, self._parts_z = [], z
            if 0 <= z - z0 < len(labels):
                plane = labels[z - z0]
                for part in range(1, int(labels.max(initial=0)) + 1):
                    self._parts += _lines(z, y0, x0, plane == part)
        return self._parts


def _lines(z: int, y0: int, x0: int, where: NDArray[np.bool_]) -> list[QPolygonF]:
    if not where.any():
        return []
    outlines = Component(z, 0, ((z, y0, x0, where),)).outlines()
    return [QPolygonF([QPointF(x, y) for x, y in line.tolist()]) for line in outlines]
