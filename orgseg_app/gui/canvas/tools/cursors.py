"""Pointers of the tools: a crosshair that hides nothing, and beside it what a press would do.

Everything is drawn in two tones, white on black, and so is seen on any picture. A cursor is drawn
once for every look and screen, and kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QCursor, QGuiApplication, QPainter, QPainterPath, QPen, QPixmap

from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.style import icons

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

SIDE = 32
"""Of a cursor, in device-independent pixels; some systems take no larger ones."""

SPOT = 9
"""The pixel, across and down, that a press counts at."""

ERASE, ADD, CUT, JOIN, PICK = "erase", "add", "cut", "join", "pick"
"""What the keys held change about a press."""

_GAP, _REACH = 3, 8  # of the crosshair's arms: pixels between the spot and their ends
_ICON_SIDE, _ICON_AT = 16, 15
_DOT = QPointF(25.0, 6.5)
_DARK, _WHITE = QColor(0, 0, 0, 220), QColor("#FFFFFF")


@dataclass(frozen=True)
class Look:
    """What a cursor says.

    Attributes
    ----------
    icon
        In ``resources/icons``: the tool.
    colour
        ``"#RRGGBB"`` of the class that a press paints or picks; "" for none.
    mark
        `ERASE`, `ADD`, `CUT`, `JOIN`, or ""; `PICK` is another icon.
    is_protected
        Other classes are left as they are.
    is_blocked
        A press does nothing here.
    """

    icon: str
    colour: str = ""
    mark: str = ""
    is_protected: bool = False
    is_blocked: bool = False


@lru_cache(maxsize=256)
def cursor(look: Look, ratio: float = 1.0) -> QCursor:
    """The pointer for a screen with ``ratio`` device pixels a device-independent one."""
    # Qt's X11 plug-in counts the hot spot in device pixels (measured with 6.11 at a ratio of 2: it
    # lay at half its place); for other systems device-independent ones are assumed, not tried yet.
    is_x11 = QGuiApplication.platformName() == "xcb"
    spot = round(SPOT * ratio) if is_x11 else SPOT
    return QCursor(drawn(look, ratio), spot, spot)


class ToolCursor:
    """What the pointer over a canvas looks like: the tool in the hand and what a press would do."""

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self._canvas = canvas
        self._held = Qt.KeyboardModifier.NoModifier
        self._colour = ""

    def is_outdated(self) -> bool:
        """True when a press means another class here than where the cursor was drawn for."""
        return self._canvas.tool.cursor_colour() != self._colour

    @property
    def mark(self) -> str:
        """What the keys held change about a press."""
        return self._canvas.tool.mark(self._held)

    def hold(self, modifiers: Qt.KeyboardModifier) -> bool:
        """Keys go down or come up; True when a press now means something else."""
        before, self._held = self.mark, modifiers
        return self.mark != before

    @property
    def look(self) -> Look:
        """What is drawn, for tools that have a drawn cursor."""
        canvas = self._canvas
        tool, session = canvas.tool, canvas.session
        icon = BY_ID["tool_picker" if self.mark == PICK else f"tool_{tool.name}"].icon
        is_blocked = not canvas.is_shown or (tool.edits and not session.can_edit)
        is_protected = canvas.tools.protect and "protect" in tool.settings
        return Look(icon, tool.cursor_colour(), self.mark, is_protected, is_blocked)

    def shape(self) -> QCursor:
        """The pointer to show now."""
        canvas = self._canvas
        if not canvas.plane_size:
            return QCursor(Qt.CursorShape.ArrowCursor)
        tool, look = canvas.tool, self.look
        shape = tool.cursor
        self._colour = look.colour
        is_drawn = look.mark == PICK or (look.is_blocked and tool.edits)
        if shape is not None and not is_drawn:
            return QCursor(shape)
        return cursor(look, canvas.devicePixelRatioF())


def drawn(look: Look, ratio: float = 1.0) -> QPixmap:
    """The picture of a cursor; the middle of its crosshair is pixel ``round(SPOT * ratio)``."""
    picture = QPixmap(math.ceil(SIDE * ratio), math.ceil(SIDE * ratio))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    if not look.is_blocked:
        _draw_crosshair(painter, ratio)
    painter.scale(ratio, ratio)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if look.is_blocked:
        _draw_sign(painter)
    _draw_icon(painter, look.icon, ratio)
    if not look.is_blocked:
        _draw_class(painter, look)
        _draw_mark(painter, look)
        if look.is_protected:
            _draw_lock(painter)
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def _draw_crosshair(painter: QPainter, ratio: float) -> None:
    """In device pixels and of odd width, so that its middle is the middle of one pixel."""
    spot, gap, reach = round(SPOT * ratio), round(_GAP * ratio), round(_REACH * ratio)
    half, rim = round((1.25 * ratio - 1) / 2), max(1, round(ratio))
    length = reach - gap
    arms = (
        (spot - half, spot - reach, 2 * half + 1, length),
        (spot - half, spot + gap + 1, 2 * half + 1, length),
        (spot - reach, spot - half, length, 2 * half + 1),
        (spot + gap + 1, spot - half, length, 2 * half + 1),
    )
    for x, y, width, height in arms:
        painter.fillRect(x - rim, y - rim, width + 2 * rim, height + 2 * rim, _DARK)
    for arm in arms:
        painter.fillRect(*arm, _WHITE)


def _draw_sign(painter: QPainter) -> None:
    """The sign that forbids."""
    middle, radius = QPointF(SPOT + 0.5, SPOT + 0.5), 7.0
    slant = radius * math.sqrt(0.5)
    path = QPainterPath()
    path.addEllipse(middle, radius, radius)
    path.moveTo(middle - QPointF(slant, slant))
    path.lineTo(middle + QPointF(slant, slant))
    _stroke(painter, path, 2.2)


def _draw_icon(painter: QPainter, name: str, ratio: float) -> None:
    """The tool, with a dark rim of a pixel."""
    dark = icons.pixmap(name, _DARK.name(), _ICON_SIDE, ratio)
    white = icons.pixmap(name, _WHITE.name(), _ICON_SIDE, ratio)
    at = QPointF(_ICON_AT, _ICON_AT)
    for turn in range(8):
        angle = turn * math.pi / 4
        painter.drawPixmap(at + QPointF(math.cos(angle), math.sin(angle)), dark)
    painter.drawPixmap(at, white)


def _draw_class(painter: QPainter, look: Look) -> None:
    """A dot in the colour of the class; hollow, with a bar, where voxels become unlabelled."""
    if look.mark == ERASE:
        path = QPainterPath()
        path.addEllipse(_DOT, 4.5, 4.5)
        path.moveTo(_DOT - QPointF(2.25, 0))
        path.lineTo(_DOT + QPointF(2.25, 0))
        _stroke(painter, path, 1.4)
    elif look.colour and look.mark in ("", ADD):
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, radius in ((_DARK, 5.5), (_WHITE, 4.75), (QColor(look.colour), 3.6)):
            painter.setBrush(colour)
            painter.drawEllipse(_DOT, radius, radius)


def _draw_mark(painter: QPainter, look: Look) -> None:
    """What a held key makes of the press."""
    path = QPainterPath()
    if look.mark == ADD:
        for way in (QPointF(2.2, 0), QPointF(0, 2.2)):
            path.moveTo(_DOT - way)
            path.lineTo(_DOT + way)
    elif look.mark == JOIN:
        for x in (-2.2, 2.2):
            path.addEllipse(_DOT + QPointF(x, 0), 3.2, 3.2)
    elif look.mark == CUT:
        path.addEllipse(_DOT, 4.5, 4.5)
        path.moveTo(_DOT + QPointF(-4.5, 5.5))
        path.lineTo(_DOT + QPointF(4.5, -5.5))
    else:
        return
    _stroke(painter, path, 1.4)


def _draw_lock(painter: QPainter) -> None:
    """Other classes are protected."""
    body = QRectF(3.5, 24.5, 8, 5.5)
    shackle = QPainterPath()
    shackle.moveTo(5.5, 24.5)
    shackle.lineTo(5.5, 23)
    shackle.arcTo(QRectF(5.5, 20.5, 4, 4.5), 180, -180)
    shackle.lineTo(9.5, 24.5)
    _stroke(painter, shackle, 1.3)
    painter.setPen(QPen(_DARK, 1.5))
    painter.setBrush(_WHITE)
    painter.drawRoundedRect(body, 1.2, 1.2)


def _stroke(painter: QPainter, path: QPainterPath, width: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, wide in ((_DARK, width + 2.0), (_WHITE, width)):
        painter.setPen(
            QPen(
                colour,
                wide,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )
        painter.drawPath(path)
