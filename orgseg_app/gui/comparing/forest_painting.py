"""The forest plot of pairs, drawn with any painter: a row a pair, one axis above all."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from orgseg_app.gui.comparing.statistics_data import ModelPair, Statistics
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import paint_key

ROW, HEAD, LINE = 42, 40, 18
"""Heights, in pixels."""

EDGE = 14.0
KEY = 20.0
NARROWEST = 0.01
"""The axis is never shorter than this: differences below it are drawn as small as they are."""

_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


def span_of(shown: Statistics) -> tuple[float, float]:
    """The differences at both ends of the axis: a little more than there is, with 0 inside."""
    low, high = shown.reach
    spread = max(high - low, NARROWEST)
    return low - 0.08 * spread, high + 0.08 * spread


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two, 0 among them where it is between.

    >>> ticks(-0.013, 0.052)
    [0.0, 0.02, 0.04]
    """
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 12) for number in range(first, last + 1)]


def place_of(value: float, span: tuple[float, float], rect: QRectF) -> float:
    """Where a difference lies, in pixels."""
    low, high = span
    share = (value - low) / (high - low)
    return rect.left() + EDGE + share * (rect.width() - 2 * EDGE)


def paint_axis(
    painter: QPainter, rect: QRectF, span: tuple[float, float], *, is_lower_better: bool
) -> None:
    """Numbers along the upper edge, and above them which way is better for whom."""
    now = theme.current()
    painter.setFont(theme.font(theme.CAPTION_PX))
    painter.setPen(QColor(now.secondary))
    upper = QRectF(rect.left() + 6, rect.top() + 3, rect.width() - 12, 16)
    first, second = "first is better →", "← second is better"
    if is_lower_better:
        first, second = "second is better →", "← first is better"
    zero = place_of(0.0, span, rect)
    width_of = QFontMetricsF(painter.font()).horizontalAdvance
    if zero - upper.left() > width_of(second) + 4:
        painter.drawText(upper, _LEFT, second)
    if upper.right() - zero > width_of(first) + 4:
        painter.drawText(upper, _RIGHT, first)
    found = ticks(*span, most=max(2, int(rect.width() // 60)))
    places = max((_decimals(value) for value in found), default=0)
    for value in found:
        x = place_of(value, span, rect)
        text = f"{value:.{places}f}".replace("-", "−") if value else "0"
        place = QRectF(x - 30, rect.top() + 20, 60, 16)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)


def paint_interval(
    painter: QPainter, rect: QRectF, pair: ModelPair, span: tuple[float, float]
) -> None:
    """The line of no difference, the interval, and the mean: filled where chance is ruled out."""
    now = theme.current()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    zero = place_of(0.0, span, rect)
    painter.setPen(QPen(QColor(now.control), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(zero, rect.top()), QPointF(zero, rect.bottom()))
    found = pair.found
    if found.mean is None:
        painter.restore()
        return
    strong = QColor(now.text if pair.is_told else now.secondary)
    y = rect.center().y()
    if found.interval is not None:
        left, right = (place_of(end, span, rect) for end in found.interval)
        painter.setPen(QPen(strong, 2))
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        for x in (left, right):
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y + 4))
    painter.setPen(QPen(strong, 2))
    painter.setBrush(strong if pair.is_told else QColor(now.panel))
    painter.drawEllipse(QPointF(place_of(found.mean, span, rect), y), 4.5, 4.5)
    painter.restore()


def paint_names(painter: QPainter, rect: QRectF, pair: ModelPair, *, strong: bool = False) -> None:
    """Both models with their colours, one below the other, a minus before the second."""
    now = theme.current()
    painter.setFont(theme.font(strong=strong))
    metrics = QFontMetricsF(painter.font())
    minus = metrics.horizontalAdvance("− ")
    top = rect.center().y() - LINE
    for number, model in enumerate((pair.first, pair.second)):
        line = QRectF(rect.left() + minus, top + number * LINE, rect.width() - minus, LINE)
        if number:
            painter.setPen(QColor(now.secondary))
            painter.drawText(QRectF(rect.left(), line.top(), minus, LINE), _LEFT, "−")
        paint_key(painter, QRectF(line.left(), line.top(), KEY - 4, LINE), model.colour_index)
        painter.setPen(QColor(now.text))
        words = line.adjusted(KEY, 0, 0, 0)
        mode = Qt.TextElideMode.ElideMiddle
        painter.drawText(words, _LEFT, metrics.elidedText(model.name, mode, words.width()))


def paint_words(painter: QPainter, rect: QRectF, pair: ModelPair) -> None:
    """The sentence, on two lines where it needs them."""
    now = theme.current()
    painter.setFont(theme.font(theme.CAPTION_PX))
    painter.setPen(QColor(now.text if pair.is_told else now.secondary))
    metrics = QFontMetricsF(painter.font())
    names = [
        metrics.elidedText(model.name, Qt.TextElideMode.ElideMiddle, rect.width() / 3)
        for model in (pair.first, pair.second)
    ]
    painter.drawText(rect, _LEFT | Qt.TextFlag.TextWordWrap, pair.in_words(*names))


def _decimals(value: float) -> int:
    text = f"{value:.6f}".rstrip("0")
    return len(text.partition(".")[2])
