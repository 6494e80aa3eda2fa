"""What a tool shows of what it is about to do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from orgseg_app.core.painting import brush


def two_tone(painter: QPainter, draw: object, width: float = 1.2) -> None:
    """Draw twice, dark and wide below light and thin: seen on any picture."""
    assert callable(draw)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    ratio = (
        painter.device().devicePixelRatioF()
    )  # cosmetic pens are measured in the screen's pixels
    for colour, pen_width in (("#B0000000", width + 1.6), ("#FFFFFF", width)):
        pen = QPen(QColor(colour), pen_width * ratio)
        pen.setCosmetic(True)
        painter.setPen(pen)
        draw()


def draw_handle(painter: QPainter, at: QPointF, radius: float) -> None:
    """A dot that marks a corner, white with a dark rim."""
    painter.setPen(QPen(QColor("#B0000000"), 1.6))
    painter.setBrush(QColor("#FFFFFF"))
    painter.drawEllipse(at, radius, radius)


def footprint_outline(size: int, *, square: bool) -> list[QPolygonF]:
    """The exact edge of a footprint around (0, 0), along voxel borders, in voxels (x, y)."""
    centre = 0.5 if size % 2 else 0.0
    y0, x0, where = brush.swept((centre, centre), (centre, centre), size, square=square)
    return region_outline(y0 - centre, x0 - centre, where)


def region_outline(y0: float, x0: float, where: NDArray[np.bool_]) -> list[QPolygonF]:
    """The edge of a region along voxel borders, in voxels (x, y); holes are not outlined.

    Parameters
    ----------
    y0, x0
        Corner of ``where`` in the image.
    where
        ``(h, w)`` bool.
    """
    import cv2

    big = where.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    big = np.pad(big, 1)
    found, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = []
    for contour in found:
        corners = []
        for px, py in contour[:, 0]:
            # doubled and padded coordinates snap to the border of the voxel they lie in
            vx = (px - 1) // 2 + ((px - 1) % 2)
            vy = (py - 1) // 2 + ((py - 1) % 2)
            corners.append(QPointF(float(vx) + x0, float(vy) + y0))
        corners.append(corners[0])
        outlines.append(QPolygonF(corners))
    return outlines
