"""Where a callout stands: beside what it speaks of, within the window."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize

RIGHT, LEFT, ABOVE, BELOW, INSIDE = "right", "left", "above", "below", "inside"
APART = 12
"""Pixels between callout and widget, and between callout and edge of the window."""


def place(target: QRect, size: QSize, room: QRect, sides: Sequence[str]) -> QPoint:
    """The upper left corner of a callout.

    Parameters
    ----------
    target, room
        The widget and the window, in the same coordinates.
    size
        Of the callout.
    sides
        Tried in this order; inside the widget, at its upper right, if none has room.
    """
    for side in sides:
        corner = _beside(target, size, side)
        if side == INSIDE or room.contains(QRect(corner, size)):
            return _within(QRect(corner, size), room)
        moved = _within(QRect(corner, size), room)
        if not QRect(moved, size).intersects(target):
            return moved
    return _within(QRect(_beside(target, size, INSIDE), size), room)


def _beside(target: QRect, size: QSize, side: str) -> QPoint:
    x, y = target.left(), target.top()
    if side == RIGHT:
        return QPoint(target.right() + 1 + APART, y)
    if side == LEFT:
        return QPoint(x - APART - size.width(), y)
    if side == ABOVE:
        return QPoint(x, y - APART - size.height())
    if side == BELOW:
        return QPoint(x, target.bottom() + 1 + APART)
    return QPoint(target.right() + 1 - APART - size.width(), y + APART)


def _within(rect: QRect, room: QRect) -> QPoint:
    x = min(rect.x(), room.right() + 1 - APART - rect.width())
    y = min(rect.y(), room.bottom() + 1 - APART - rect.height())
    return QPoint(max(x, room.left() + APART), max(y, room.top() + APART))
