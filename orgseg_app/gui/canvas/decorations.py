"""Scale bar and minimap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from orgseg_app.gui.canvas.plane_view import PlaneView
from orgseg_app.gui.canvas.rendering import compose
from orgseg_app.gui.style import theme

MARGIN_PX = 16
BAR_LONGEST_PX = 140
MAP_SIDE_PX = 132


def bar_length(zoom: float, pixel_size_um: float | None) -> tuple[float, str]:
    """A round length that fits: screen pixels, and its text.

    >>> bar_length(1.0, 0.1)
    (100.0, '10 µm')
    >>> bar_length(4.0, None)
    (80.0, '20 px')
    """
    size = pixel_size_um or 1.0
    most = BAR_LONGEST_PX / zoom * size
    power = 10.0 ** math.floor(math.log10(most))
    value = next(m * power for m in (5, 2, 1) if m * power <= most)
    if pixel_size_um is None:
        value = max(1.0, round(value))
        return value * zoom, f"{value:g} px"
    text = f"{value:g} µm" if value >= 0.1 else f"{value * 1000:g} nm"
    if value >= 1000:
        text = f"{value / 1000:g} mm"
    return value / size * zoom, text


def scale_bar_rect(area: QRect, zoom: float, pixel_size_um: float | None) -> QRectF:
    """Where the bar and its ground are drawn."""
    length, _ = bar_length(zoom, pixel_size_um)
    right, bottom = area.right() - MARGIN_PX, area.bottom() - MARGIN_PX
    height = theme.px(20) + 16
    return QRectF(right - length - 10, bottom + 6 - height, length + 20, height)


def draw_scale_bar(
    painter: QPainter,
    area: QRect,
    zoom: float,
    pixel_size_um: float | None,
    painted: QRect | None = None,
) -> None:
    """A bar in the lower right corner, light on a soft dark ground; only where it is painted."""
    length, text = bar_length(zoom, pixel_size_um)
    right, bottom = area.right() - MARGIN_PX, area.bottom() - MARGIN_PX
    ground = scale_bar_rect(area, zoom, pixel_size_um)
    if painted is not None and not ground.intersects(QRectF(painted)):
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(16, 18, 20, 150))
    painter.drawRoundedRect(ground, 6, 6)
    painter.fillRect(QRectF(right - length, bottom - 4, length, 3), QColor("#FFFFFF"))
    painter.setPen(QColor("#FFFFFF"))
    painter.drawText(ground.adjusted(0, 3, 0, -10), int(Qt.AlignmentFlag.AlignCenter), text)
    painter.restore()


class Minimap:
    """The whole plane in a corner, with a frame around what is in sight."""

    def __init__(self) -> None:
        self._image: QImage | None = None

    def set_plane(
        self,
        plane: np.ndarray | None,
        is_rgb: bool = False,
        levels: Sequence[tuple[float, float]] = (),
        maps: Sequence[str] = (),
    ) -> None:
        """Take a small picture of ``(C, Y, X)``."""
        if plane is None:
            self._image = None
            return
        height, width = plane.shape[1:]
        scale = 2 * MAP_SIDE_PX / max(height, width)
        step = max(1, int(1 / scale / 2)) if scale < 0.5 else 1
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = [
            cv2.resize(np.ascontiguousarray(c[::step, ::step]), size, interpolation=cv2.INTER_AREA)
            for c in plane
        ]
        pixels = np.ascontiguousarray(compose(small, levels, is_rgb=is_rgb, maps=maps))
        grey = pixels.ndim == 2
        kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB32
        self._image = QImage(
            pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind
        ).copy()

    def rect(self, view: PlaneView) -> QRectF:
        """Where it is drawn; empty when the whole plane is in sight or there is no room."""
        size = view.plane_size
        if self._image is None or size is None or view.width() < 4 * MAP_SIDE_PX:
            return QRectF()
        seen = view.visible_box()
        if seen.y1 - seen.y0 >= size[0] and seen.x1 - seen.x0 >= size[1]:
            return QRectF()
        scale = MAP_SIDE_PX / max(size)
        width, height = max(8.0, size[1] * scale), max(8.0, size[0] * scale)
        return QRectF(MARGIN_PX, view.height() - MARGIN_PX - height, width, height)

    def draw(self, painter: QPainter, view: PlaneView, painted: QRect | None = None) -> None:
        """Draw it in the lower left corner, when that is painted."""
        if painted is not None and (
            painted.left() > MARGIN_PX + MAP_SIDE_PX + 2
            or painted.bottom() < view.height() - 2 * MARGIN_PX - MAP_SIDE_PX
        ):
            return
        rect = self.rect(view)
        size = view.plane_size
        if rect.isEmpty() or self._image is None or size is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(rect, self._image)
        painter.setPen(QPen(QColor("#A3ABB5"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect)
        seen = view.visible_box()
        sy, sx = rect.height() / size[0], rect.width() / size[1]
        frame = QRectF(
            rect.left() + seen.x0 * sx,
            rect.top() + seen.y0 * sy,
            max(3.0, (seen.x1 - seen.x0) * sx),
            max(3.0, (seen.y1 - seen.y0) * sy),
        )
        painter.setPen(QPen(QColor("#FFFFFF"), 1.5))
        painter.drawRect(frame)
        painter.restore()

    def place_at(self, at: QPointF, view: PlaneView) -> tuple[float, float] | None:
        """(y, x) in voxels of a point in the map, or None outside it."""
        rect, size = self.rect(view), view.plane_size
        if rect.isEmpty() or size is None or not rect.contains(at):
            return None
        return (
            (at.y() - rect.top()) / rect.height() * size[0],
            (at.x() - rect.left()) / rect.width() * size[1],
        )
