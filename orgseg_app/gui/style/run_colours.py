"""Colours of runs: the same run has the same colour in lists, tables and plots.

Eight colours that stay apart for the common kinds of colour blindness, one set for light and one
for dark ground (all at least 3:1 on it); from the ninth run on the line is dashed, then dotted.
They are not the colours of classes, which mean something else.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from orgseg_app.gui.style import theme

LIGHT = (
    "#0B6BCB", "#C2410C", "#0F7B5F", "#8E3FB5", "#8A6D00", "#C02670", "#0E7490", "#6B5344",
)  # fmt: skip
DARK = (
    "#5AA9F8", "#FB9A5B", "#4CCFA6", "#C995EE", "#DDBB3C", "#F58AB8", "#4CC4DE", "#C2A690",
)  # fmt: skip
STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
DASHES: tuple[list[float], ...] = ([], [2.0, 1.7], [0.1, 2.2])
"""The same as short pieces that still show two dashes."""


def run_colour(index: int) -> QColor:
    """Colour of the run with this `RunEntry.colour_index`, in the theme in use."""
    colours = DARK if theme.current().is_dark else LIGHT
    return QColor(colours[index % len(colours)])


def run_pen(index: int, width: float = 2.0) -> QPen:
    """Pen of its curve; cosmetic, so that zooming does not thicken it."""
    pen = QPen(run_colour(index), width, STYLES[index // len(LIGHT) % len(STYLES)])
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def paint_key(painter: QPainter, place: QRectF, index: int) -> None:
    """A short piece of the run's curve, as in a legend."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = run_pen(index, 3.0)
    dashes = DASHES[index // len(LIGHT) % len(STYLES)]
    if dashes:
        pen.setDashPattern(dashes)
    painter.setPen(pen)
    y = place.center().y()
    painter.drawLine(QPointF(place.left() + 2, y), QPointF(place.right() - 2, y))
    painter.restore()


def key_icon(index: int, ratio: float = 2.0) -> QIcon:
    """The same as an icon, for menus and choosers."""
    size = QSize(18, 16)
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    paint_key(painter, QRectF(0, 0, size.width(), size.height()), index)
    painter.end()
    return QIcon(picture)
