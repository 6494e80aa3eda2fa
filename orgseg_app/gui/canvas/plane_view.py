"""A view of one plane: the image, coloured layers over it, zoom and pan.

The annotation canvas and the comparison panes are both such views. Painting is done with the raster
engine and only for the rectangle that changed: an OpenGL widget is slower here and missing on
many remote desktops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from orgseg_app.core.mask import Box
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.canvas.rendering import (
    ArrayOverlay,
    Overlay,
    Picture,
    PlanePyramid,
    auto_levels,
    compose,
    tint,
)

__all__ = ["ArrayOverlay", "Overlay", "OverlayLayer", "PlaneView", "ViewState"]

SURROUND = QColor("#101214")
MIN_SHORT_SIDE_PX = 16
MAX_ZOOM = 80.0
WHEEL_STEP = 1.2
OUTLINE_PX = 1.5
CROSS_PX = 6


@dataclass(frozen=True)
class ViewState:
    """What part of the plane is shown: ``(y, x)`` in the middle, and screen pixels a voxel."""

    y: float
    x: float
    zoom: float


class PlaneView(QWidget):
    """Shows one plane and the layers over it.

    Signals
    -------
    view_changed(ViewState)
        The person zoomed or panned. `set_view` does not emit it, so that views can be linked.
    hovered(y, x)
        Pointer in image coordinates; NaN when it leaves.
    image_clicked(y, x)
    """

    view_changed = Signal(object)
    hovered = Signal(float, float)
    image_clicked = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 90)
        self.setAccessibleName("Image")
        self._pyramid: Picture | None = None
        self._stand_in: tuple[Picture, tuple[tuple[float, float], ...]] | None = None
        self._is_rgb = False
        self._levels: tuple[tuple[float, float], ...] = ()
        self._gamma = 1.0
        self._visible: tuple[bool, ...] = ()
        self._maps: tuple[str, ...] = ()
        self._layers: tuple[OverlayLayer, ...] = ()
        self._y = self._x = 0.0
        self._zoom = 1.0
        self._stretch_yx = (1.0, 1.0)  # a voxel takes zoom times this on the screen
        self._fitted = True
        self._pan_from: QPointF | None = None
        self._space_held = False
        self._mirror: tuple[float, float] | None = None

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def plane_size(self) -> tuple[int, int] | None:
        """Height and width of the plane in voxels, or None when empty."""
        return self._pyramid.size_yx if self._pyramid else None

    def set_plane(
        self,
        plane: np.ndarray | None,
        is_rgb: bool = False,
        levels: Sequence[tuple[float, float]] | None = None,
        picture: Picture | None = None,
    ) -> None:
        """Show voxels ``(C, Y, X)``; None empties the view. Contrast is automatic without levels.

        Zoom and place stay when the size stays; a plane of another size is fitted.

        Parameters
        ----------
        picture
            In place of ``plane``, with ``levels``: what is not in memory as a whole.
        """
        before = self.plane_size
        self._pyramid = picture if plane is None else PlanePyramid(plane)
        self._stand_in = None
        self._is_rgb = is_rgb
        if levels:
            self._levels = tuple(levels)
        elif plane is not None:
            self._levels = auto_levels(plane, is_rgb=is_rgb)
        if self.plane_size != before:
            self.fit()
        self.update()

    def set_contrast(
        self,
        levels: Sequence[tuple[float, float]],
        gamma: float = 1.0,
        visible: Sequence[bool] = (),
        maps: Sequence[str] = (),
    ) -> None:
        """Contrast limits of each channel in the image's own values, gamma, shown ones, colours."""
        self._levels, self._gamma, self._visible = tuple(levels), gamma, tuple(visible)
        self._maps = tuple(maps)
        self.update()

    @property
    def picture(self) -> Picture | None:
        """What is painted: the plane, or what stands in for it."""
        return self._pyramid if self._stand_in is None else self._stand_in[0]

    def set_stand_in(
        self, picture: Picture | None, levels: Sequence[tuple[float, float]] = ()
    ) -> None:
        """Show another picture of the same size in place of the plane, between these limits."""
        self._stand_in = None if picture is None else (picture, tuple(levels))
        self.update()

    @property
    def painted_layers(self) -> tuple[OverlayLayer, ...]:
        """What lies over the image, the first one lowest."""
        return self._layers

    def set_layers(self, layers: Sequence[OverlayLayer]) -> None:
        """Lay these over the image, the first one lowest."""
        self._layers = tuple(layers)
        self.update()

    def set_overlay(
        self,
        overlay: Overlay | None,
        colours: np.ndarray | None = None,
        *,
        z: int = 0,
        outline: bool = True,
        outlined: np.ndarray | None = None,
        hatch_unlabelled: bool = False,
    ) -> None:
        """Lay one layer over the image; None takes all away. See `OverlayLayer`."""
        if overlay is None or colours is None:
            self.set_layers(())
        else:
            layer = OverlayLayer(overlay, colours, z, outline, outlined, hatch_unlabelled)
            self.set_layers((layer,))

    # -- where we look ---------------------------------------------------------------------------

    def view_state(self) -> ViewState:
        """Middle and zoom."""
        return ViewState(self._y, self._x, self._zoom)

    @property
    def is_fitted(self) -> bool:
        """True while the whole plane is shown, whatever size the view gets."""
        return self._fitted

    def set_view(self, state: ViewState) -> None:
        """Look at a place, without telling the linked views."""
        self._y, self._x = state.y, state.x
        self._zoom = self._clamped(state.zoom)
        self._fitted = False
        self._look_elsewhere()

    def fit(self) -> None:
        """Show the whole plane."""
        size = self.plane_size
        if size is None:
            return
        height, width = size
        self._y, self._x = height / 2, width / 2
        pad, (sy, sx) = 16, self._stretch_yx
        self._zoom = self._clamped(
            min(max(1, self.width() - pad) / width / sx, max(1, self.height() - pad) / height / sy)
        )
        self._fitted = True
        self._look_elsewhere()
        self.view_changed.emit(self.view_state())

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom about a point of the widget (its middle by default)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        y, x = self.to_image(at)
        zoom = self._clamped(self._zoom * factor)
        self._y = y - (at.y() - self.height() / 2) / (zoom * self._stretch_yx[0])
        self._x = x - (at.x() - self.width() / 2) / (zoom * self._stretch_yx[1])
        self._zoom = zoom
        self._moved()

    def set_zoom(self, zoom: float) -> None:
        """Screen pixels a voxel, about the middle."""
        self.zoom_by(zoom / self._zoom)

    def pan_by(self, dy: float, dx: float) -> None:
        """Move the picture by screen pixels."""
        zoom_y, zoom_x = self.zoom_yx
        self._y -= dy / zoom_y
        self._x -= dx / zoom_x
        self._moved()

    def _moved(self) -> None:
        size = self.plane_size
        if size is not None:  # some of the plane stays in sight
            self._y = min(max(self._y, 0.0), float(size[0]))
            self._x = min(max(self._x, 0.0), float(size[1]))
        self._fitted = False
        self._look_elsewhere()
        self.view_changed.emit(self.view_state())

    def _look_elsewhere(self) -> None:
        """All of it is to be painted, and what was in sight may not be any more."""
        if self._pyramid is not None:
            self._pyramid.view_moved()
        if self._stand_in is not None:
            self._stand_in[0].view_moved()
        self.update()

    def _clamped(self, zoom: float) -> float:
        size = self.plane_size
        least = MIN_SHORT_SIDE_PX / max(1, max(size)) if size else 0.01
        return min(max(zoom, min(least, 1.0)), MAX_ZOOM)

    @property
    def zoom_yx(self) -> tuple[float, float]:
        """Screen pixels a voxel along each axis; they differ where voxels are no squares."""
        return self._zoom * self._stretch_yx[0], self._zoom * self._stretch_yx[1]

    def to_image(self, at: QPointF) -> tuple[float, float]:
        """Widget position → (y, x) in voxels."""
        zoom_y, zoom_x = self.zoom_yx
        return (
            self._y + (at.y() - self.height() / 2) / zoom_y,
            self._x + (at.x() - self.width() / 2) / zoom_x,
        )

    def to_widget(self, y: float, x: float) -> QPointF:
        """(y, x) in voxels → widget position."""
        zoom_y, zoom_x = self.zoom_yx
        return QPointF(
            (x - self._x) * zoom_x + self.width() / 2,
            (y - self._y) * zoom_y + self.height() / 2,
        )

    def visible_box(self) -> Box:
        """The voxels in sight, one plane deep."""
        y0, x0 = self.to_image(QPointF(0, 0))
        y1, x1 = self.to_image(QPointF(self.width(), self.height()))
        box = Box(0, math.floor(y0), math.floor(x0), 1, math.ceil(y1), math.ceil(x1))
        return box.clipped((1, *self.plane_size)) if self.plane_size else Box(0, 0, 0, 0, 0, 0)

    def set_mirror(self, y: float, x: float) -> None:
        """Mark where the pointer is in a linked view; NaN takes the mark away."""
        before, self._mirror = self._mirror, None if math.isnan(y) else (y, x)
        for place in (before, self._mirror):
            if place is not None:
                at, reach = self.to_widget(*place), CROSS_PX + 2
                self.update(QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach).toRect())

    def update_box(self, box: Box) -> None:
        """Repaint what shows these voxels."""
        if box.is_empty:
            return
        corner, other = self.to_widget(box.y0, box.x0), self.to_widget(box.y1, box.x1)
        pad = 4
        self.update(QRectF(corner, other).adjusted(-pad, -pad, pad, pad).toAlignedRect())

    # -- painting --------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Room for a picture."""
        return QSize(640, 480)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rectangle that needs it."""
        painter = QPainter(self)
        rect = event.rect()
        painter.fillRect(rect, SURROUND)
        try:
            if self._pyramid is not None:
                for part, layers in self.layers_in(rect):
                    self._paint_pixels(painter, part, layers)
            self.paint_decorations(painter, rect)
            if self._mirror is not None and self.plane_size is not None:
                _draw_cross(painter, self.to_widget(*self._mirror))
        finally:
            painter.end()  # Qt crashes when it outlives the event, also after an error

    def layers_in(self, rect: QRect) -> list[tuple[QRect, tuple[OverlayLayer, ...]]]:
        """The parts of a rectangle, and what lies over the image in each; for subclasses."""
        return [(rect, self._layers)]

    def paint_decorations(self, painter: QPainter, rect: QRect) -> None:
        """What lies on top, in widget coordinates; for subclasses."""

    def voxels_missed(self) -> None:
        """So close that the stored levels are too coarse, and there is nothing finer yet."""

    def _paint_pixels(self, painter: QPainter, rect: QRect, layers: Sequence[OverlayLayer]) -> None:
        assert self._pyramid is not None
        picture, levels, gamma = self._pyramid, self._levels, self._gamma
        if self._stand_in is not None:
            picture, levels = self._stand_in
            gamma = 1.0
        ratio = self.devicePixelRatioF()
        scale_y, scale_x = (zoom * ratio for zoom in self.zoom_yx)  # device pixels a voxel
        left = self.width() * ratio / 2 - self._x * scale_x  # device position of the image's corner
        top = self.height() * ratio / 2 - self._y * scale_y
        height, width = picture.size_yx
        x0 = max(math.floor(rect.left() * ratio), math.floor(left + 0.5))
        y0 = max(math.floor(rect.top() * ratio), math.floor(top + 0.5))
        x1 = min(math.ceil((rect.right() + 1) * ratio), math.floor(left + width * scale_x + 0.5))
        y1 = min(math.ceil((rect.bottom() + 1) * ratio), math.floor(top + height * scale_y + 0.5))
        if x1 <= x0 or y1 <= y0:
            return
        step, step_y, step_x = 1 / (self._zoom * ratio), 1 / scale_y, 1 / scale_x
        if step < 2 and not picture.has_voxels:
            self.voxels_missed()
        first_y, first_x = (y0 + 0.5 - top) * step_y, (x0 + 0.5 - left) * step_x
        size = (y1 - y0, x1 - x0)
        channels = picture.sample(first_y, first_x, step, size)
        pixels = compose(
            channels,
            levels,
            is_rgb=self._is_rgb,
            gamma=gamma,
            visible=self._visible,
            maps=self._maps,
        )
        at = QPointF(x0 / ratio, y0 / ratio)
        grey = pixels.ndim == 2
        kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB32
        painter.drawImage(at, _as_qimage(pixels, kind, ratio))
        for layer in layers:
            outline = max(1, round(OUTLINE_PX * ratio)) if layer.outline else 0
            rows = _steps(first_y, step_y, size[0], outline, height)
            columns = _steps(first_x, step_x, size[1], outline, width)
            values = layer.overlay.sample(layer.z, rows, columns)
            if not layer.hatch_unlabelled and not layer.colours[0, 3] and not values.any():
                continue
            tinted = tint(
                values,
                layer.colours,
                outline=outline,
                outlined=layer.outlined,
                hatch_unlabelled=layer.hatch_unlabelled,
                offset_yx=(y0, x0),
            )
            painter.drawImage(
                at, _as_qimage(tinted, QImage.Format.Format_ARGB32_Premultiplied, ratio)
            )

    # -- pointer and keys ------------------------------------------------------------------------

    @property
    def is_panning(self) -> bool:
        """True while the picture is in the hand."""
        return self._pan_from is not None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Middle button or held Space pans; a click tells where."""
        middle = event.button() == Qt.MouseButton.MiddleButton
        if middle or (self._space_held and event.button() == Qt.MouseButton.LeftButton):
            self._pan_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == Qt.MouseButton.LeftButton and self.plane_size:
            self.image_clicked.emit(*self.to_image(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, or tell where the pointer is."""
        if self._pan_from is not None:
            moved = event.position() - self._pan_from
            self._pan_from = event.position()
            self.pan_by(moved.y(), moved.x())
        if self.plane_size:
            self.hovered.emit(*self.to_image(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End of a pan."""
        if self._pan_from is not None:
            self._pan_from = None
            self.update_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fit."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer is elsewhere."""
        self.hovered.emit(math.nan, math.nan)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheel zooms at the pointer; a touchpad's two fingers pan."""
        if not event.pixelDelta().isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase:
            self.pan_by(event.pixelDelta().y(), event.pixelDelta().x())
        elif event.angleDelta().y():
            self.zoom_by(WHEEL_STEP ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Pinch zooms."""
        if isinstance(event, QNativeGestureEvent) and (
            event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom_by(max(0.1, 1 + event.value()), event.position())
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space: hand. The rest goes to the menus."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space_held = True
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif event.key() != Qt.Key.Key_Space:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space let go."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space_held = False
            self.update_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A held key let go elsewhere must not stick."""
        super().focusOutEvent(event)
        if self._space_held:
            self._space_held = False
            self.update_cursor()

    def update_cursor(self) -> None:
        """The pointer's shape when nothing special is going on."""
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A fitted view stays fitted."""
        super().resizeEvent(event)
        if self._fitted:
            self.fit()


def _draw_cross(painter: QPainter, at: QPointF) -> None:
    """A small cross that shows on any ground."""
    painter.save()
    for colour, width in (("#000000", 3.0), ("#FFFFFF", 1.0)):
        painter.setPen(QPen(QColor(colour), width))
        painter.drawLine(at - QPointF(CROSS_PX, 0), at + QPointF(CROSS_PX, 0))
        painter.drawLine(at - QPointF(0, CROSS_PX), at + QPointF(0, CROSS_PX))
    painter.restore()


def _steps(first: float, step: float, count: int, margin: int, size: int) -> np.ndarray:
    """Voxel under each screen pixel, with a margin on both sides, clamped to the image."""
    places = np.floor(first + step * np.arange(-margin, count + margin))
    return np.clip(places, 0, size - 1).astype(np.intp)


def _as_qimage(pixels: np.ndarray, kind: Any, ratio: float) -> QImage:
    """A QImage on the array's own memory; draw it before the array goes away."""
    pixels = np.ascontiguousarray(pixels)
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind)
    image.setDevicePixelRatio(ratio)
    image._pixels = pixels  # type: ignore[attr-defined]  # the wrapper keeps the memory alive as long as it lives
    return image
