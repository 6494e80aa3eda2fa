"""The critical-difference diagram: mean ranks of models, and which of them may be alike.

After J. Demšar, J. Mach. Learn. Res. 7 (2006), turned so that every model has a row of its own:
long names and many models have room, and bars on the right join what chance does not tell apart.
"""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from orgseg_app.core.metrics.ranking import LEVEL, Ranking
from orgseg_app.gui.comparing.statistics_data import ComparedModel, Statistics
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import paint_key, run_colour

ROW, HEAD = 22, 48
WIDTH = 350
NAMES = 116.0
"""At most so much room for names."""

BAR = 9.0
"""Between the bars on the right."""

KEY = 20.0
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


def height_of(shown: Statistics) -> int:
    """Room that the diagram needs."""
    return theme.px(HEAD + ROW * len(shown.models) + 8)


def in_words(shown: Statistics) -> str:
    """What the diagram says, for those who cannot see it and for the caption below it."""
    ranks = shown.ranks
    if ranks is None or ranks.critical_difference is None:
        return ""
    words = f"Mean ranks on {ranks.images} images, 1 is best. "
    if ranks.chi_square_p is None or ranks.chi_square_p > 1 - LEVEL:
        p = "" if ranks.chi_square_p is None else f" (Friedman, p {_p(ranks.chi_square_p)})"
        return f"{words}Too few images to tell whether the models differ at all{p}."
    return (
        f"{words}The models differ (Friedman, p {_p(ranks.chi_square_p)}). Bars join those whose "
        f"ranks are less than {ranks.critical_difference:.2f} apart, which may be chance (Nemenyi)."
    )


def paint_ranks(painter: QPainter, rect: QRectF, shown: Statistics) -> None:
    """Draw the diagram into a rectangle."""
    ranks = shown.ranks
    if ranks is None or ranks.critical_difference is None:
        return
    with theme.magnified(painter) as scale:
        inner = QRectF(rect.x() / scale, rect.y() / scale, rect.width() / scale, rect.height())
        _paint_all(painter, inner, shown, ranks, ranks.critical_difference)


def _paint_all(
    painter: QPainter, rect: QRectF, shown: Statistics, ranks: Ranking, difference: float
) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(theme.CAPTION_PX))
    width_of = QFontMetricsF(painter.font()).horizontalAdvance
    order = [int(i) for i in np.argsort(ranks.mean_ranks, kind="stable")]
    models = [shown.models[i] for i in order]
    names = min(NAMES, max(width_of(model.name) for model in models) + 2)
    left = rect.left() + KEY + names + 14
    bars = len(ranks.alike) * BAR + 10
    axis = QRectF(left, rect.top(), max(60.0, rect.right() - left - 46 - bars), rect.height())
    last = len(models)

    def x_of(rank: float) -> float:
        return axis.left() + (rank - 1) / (last - 1) * axis.width()

    _paint_axis(painter, axis, last, x_of(1 + difference) - axis.left(), ranks)
    for row, (place, model) in enumerate(zip(order, models, strict=True)):
        line = QRectF(rect.left(), rect.top() + HEAD + row * ROW, rect.width(), ROW)
        _paint_model(painter, line, axis, model, names)
        _paint_rank(
            painter, line, axis, x_of(ranks.mean_ranks[place]), ranks.mean_ranks[place], model
        )
    row_of = {place: row for row, place in enumerate(order)}
    painter.setPen(QPen(QColor(theme.current().text), 3.5, c=Qt.PenCapStyle.RoundCap))
    for number, alike in enumerate(ranks.alike):
        rows = [row_of[place] for place in alike]
        x = axis.right() + 46 + number * BAR
        top = rect.top() + HEAD + (min(rows) + 0.5) * ROW
        bottom = rect.top() + HEAD + (max(rows) + 0.5) * ROW
        painter.drawLine(QPointF(x, top), QPointF(x, bottom))


def _paint_axis(painter: QPainter, axis: QRectF, last: int, length: float, ranks: Ranking) -> None:
    """Ranks, and how long the critical difference is."""
    now = theme.current()
    painter.setPen(QColor(now.secondary))
    step = math.ceil(last / max(2.0, axis.width() / 24))
    for rank in range(1, last + 1, step):
        x = axis.left() + (rank - 1) / (last - 1) * axis.width()
        place = QRectF(x - 12, axis.top() + 28, 24, 16)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(rank))
    y = axis.top() + 24
    shown = min(length, axis.width())
    painter.setPen(QPen(QColor(now.text), 1.5))
    painter.drawLine(QPointF(axis.left(), y), QPointF(axis.left() + shown, y))
    ends = [axis.left()] + ([axis.left() + shown] if shown == length else [])
    for x in ends:
        painter.drawLine(QPointF(x, y - 3), QPointF(x, y + 3))
    text = f"critical difference {ranks.critical_difference:.2f}"
    painter.drawText(QRectF(axis.left(), axis.top() + 2, 200, 16), _MIDDLE, text)


def _paint_model(
    painter: QPainter, line: QRectF, axis: QRectF, model: ComparedModel, names: float
) -> None:
    now = theme.current()
    paint_key(painter, QRectF(line.left(), line.top(), KEY - 4, ROW), model.colour_index)
    metrics = QFontMetricsF(painter.font())
    text = metrics.elidedText(model.name, Qt.TextElideMode.ElideMiddle, names)
    painter.setPen(QColor(now.text))
    painter.drawText(QRectF(line.left() + KEY, line.top(), names + 2, ROW), _MIDDLE, text)
    painter.setPen(QPen(QColor(now.line), 1))
    y = line.center().y()
    painter.drawLine(QPointF(axis.left(), y), QPointF(axis.right(), y))


def _paint_rank(
    painter: QPainter, line: QRectF, axis: QRectF, x: float, rank: float, model: ComparedModel
) -> None:
    now = theme.current()
    painter.setPen(QPen(QColor(now.panel), 1.5))
    painter.setBrush(run_colour(model.colour_index))
    painter.drawEllipse(QPointF(x, line.center().y()), 5, 5)
    painter.setPen(QColor(now.secondary))
    painter.drawText(QRectF(axis.right() + 8, line.top(), 34, ROW), _MIDDLE, f"{rank:.2f}")


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"


class RankDiagram(QWidget):
    """The diagram on the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: Statistics | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_statistics(self, shown: Statistics) -> None:
        """Show these ranks."""
        self.shown = shown
        self.setAccessibleName("Critical-difference diagram")
        self.setAccessibleDescription(in_words(shown))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as the models need."""
        return QSize(theme.px(WIDTH), height_of(self.shown) if self.shown is not None else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The whole diagram."""
        if self.shown is not None:
            painter = QPainter(self)
            paint_ranks(painter, QRectF(self.rect()), self.shown)
            painter.end()
