"""What each axis of a study does by itself: a dot a value, with the spread of all runs there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.picture import Figure
from orgseg_app.gui.style import theme
from orgseg_app.runs.studies.effects import Effect, RunResult, Spread
from orgseg_app.runs.studies.wording import (
    axis_title,
    figure,
    place_title,
    runs_words,
    spread_words,
)

NAMES, NUMBERS, LEAST_PLOT = 200, 190, 220
EDGE, ROW, TITLE, BETWEEN, FOOT = 16, 26, 28, 10, 40


class EffectsView(Figure):
    """Marginal means on one scale for all axes; faint marks are single runs."""

    title = "Main effects"
    noun = "main effects"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.effects: tuple[Effect, ...] = ()
        self.score_title = ""
        self._scores: dict[tuple[str, str], list[float]] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.watcher.changed.connect(self._fit)

    def _fit(self) -> None:
        if self.effects:
            width = theme.px(NAMES + NUMBERS + LEAST_PLOT)
            self.setMinimumSize(width, self.picture_size().height())

    def show_effects(
        self, effects: Sequence[Effect], runs: Sequence[RunResult], score_title: str
    ) -> None:
        """Show the marginal means of a study, and its runs behind them."""
        self.effects, self.score_title = tuple(effects), score_title
        self._scores = {}
        for run in runs:
            for key, name in run.cell.places if run.score is not None else ():
                self._scores.setdefault((key, name), []).append(float(run.score or 0.0))
        self._fit()
        self.setAccessibleDescription("; ".join(self._said()))
        self.updateGeometry()
        self.update()

    @property
    def is_empty(self) -> bool:
        """Whether no run has a score."""
        return not self._scores

    def picture_size(self) -> QSize:
        """As wide as the widget, as high as there are values."""
        rows = sum(len(effect.places) for effect in self.effects)
        height = EDGE + rows * ROW + len(self.effects) * (TITLE + BETWEEN) + FOOT
        return QSize(max(self.width(), theme.px(NAMES + NUMBERS + LEAST_PLOT)), theme.px(height))

    def sizeHint(self) -> QSize:
        """As drawn."""
        return self.picture_size()

    # -- painting ----------------------------------------------------------------------------------

    def paint_to(self, painter: QPainter) -> None:
        """Each axis below the other."""
        scores = [score for found in self._scores.values() for score in found]
        if not scores:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        across = self.picture_size().width()
        with theme.magnified(painter) as scale:
            self._draw(painter, scores, across / scale)

    def _draw(self, painter: QPainter, scores: list[float], across: float) -> None:
        plot = QRectF(EDGE + NAMES, 0, across - NAMES - NUMBERS - 2 * EDGE, 0)
        ticks = _ticks(min(scores), max(scores))
        low, high = ticks[0], ticks[-1]

        def x(value: float) -> float:
            return plot.left() + plot.width() * (value - low) / (high - low)

        y = float(EDGE)
        top = y + TITLE
        for effect in self.effects:
            self._draw_title(painter, effect, y)
            y += TITLE
            for name, spread in effect.places:
                self._draw_row(painter, effect.key, name, spread, y, x, across)
                y += ROW
            y += BETWEEN
        self._draw_scale(painter, [(x(tick), tick) for tick in ticks], top, y)

    def _draw_title(self, painter: QPainter, effect: Effect, y: float) -> None:
        now, middle = theme.current(), Qt.AlignmentFlag.AlignVCenter
        font = theme.font(strong=True)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        title = axis_title(effect.key)
        painter.drawText(QRectF(EDGE, y, 400, TITLE - 4), middle, title)
        if effect.reach is not None:
            left = EDGE + QFontMetrics(font).horizontalAdvance(title) + 12
            painter.setFont(theme.font(theme.CAPTION_PX))
            painter.setPen(QColor(now.secondary))
            text = f"best and worst mean differ by {figure(effect.reach)}"
            painter.drawText(QRectF(left, y, 400, TITLE - 4), middle, text)

    def _draw_row(
        self,
        painter: QPainter,
        key: str,
        name: str,
        spread: Spread,
        y: float,
        x: object,
        across: float,
    ) -> None:
        assert callable(x)
        now, middle = theme.current(), Qt.AlignmentFlag.AlignVCenter
        right = Qt.AlignmentFlag.AlignRight
        painter.setFont(theme.font())
        painter.setPen(QColor(now.text))
        mode = Qt.TextElideMode.ElideMiddle
        shown = QFontMetrics(theme.font()).elidedText(place_title(key, name), mode, NAMES - 20)
        painter.drawText(QRectF(EDGE, y, NAMES - 16, ROW), middle | right, shown)
        line = y + ROW / 2
        painter.setPen(QPen(QColor(now.control), 1))
        for score in self._scores.get((key, name), ()):
            painter.drawLine(QPointF(x(score), line - 5), QPointF(x(score), line + 5))
        if spread.mean is None:
            return
        accent = QColor(now.accent)
        if spread.deviation is not None:
            painter.setPen(QPen(accent, 2))
            from_x, to_x = x(spread.mean - spread.deviation), x(spread.mean + spread.deviation)
            painter.drawLine(QPointF(from_x, line), QPointF(to_x, line))
        painter.setPen(QPen(QColor(now.panel), 1.5))
        painter.setBrush(accent)
        painter.drawEllipse(QPointF(x(spread.mean), line), 5.5, 5.5)
        painter.setPen(QColor(now.text))
        text = f"{spread_words(spread)}  ({runs_words(spread.count)})"
        painter.drawText(QRectF(across - NUMBERS - EDGE, y, NUMBERS, ROW), middle | right, text)

    def _draw_scale(
        self, painter: QPainter, ticks: Sequence[tuple[float, float]], top: float, bottom: float
    ) -> None:
        now = theme.current()
        painter.setFont(theme.font(theme.CAPTION_PX))
        for x, value in ticks:
            line = QColor(now.line)
            line.setAlpha(150)
            painter.setPen(QPen(line, 1))
            painter.drawLine(QPointF(x, top), QPointF(x, bottom))
            painter.setPen(QColor(now.secondary))
            where = QRectF(x - 30, bottom + 2, 60, 14)
            painter.drawText(where, Qt.AlignmentFlag.AlignCenter, f"{value:.3g}")
        middle = (ticks[0][0] + ticks[-1][0]) / 2
        where = QRectF(middle - 250, bottom + 18, 500, 16)
        text = f"{self.score_title} on the validation images: mean, standard deviation, single runs"
        painter.drawText(where, Qt.AlignmentFlag.AlignCenter, text)

    # -- in words ----------------------------------------------------------------------------------

    def _said(self) -> list[str]:
        return [
            f"{axis_title(effect.key)} {place_title(effect.key, name)} {spread_words(spread)}"
            for effect in self.effects
            for name, spread in effect.places
        ]

    def as_tsv(self) -> str:
        """One line a value."""
        lines = ["axis\tvalue\tmean\tstandard deviation\tlowest\thighest\truns"]
        for effect in self.effects:
            for name, spread in effect.places:
                numbers = (spread.mean, spread.deviation, spread.lowest, spread.highest)
                cells = ["" if number is None else f"{number:.6g}" for number in numbers]
                place = place_title(effect.key, name)
                lines.append("\t".join([axis_title(effect.key), place, *cells, str(spread.count)]))
        return "\n".join(lines) + "\n"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that hold all scores between them, four to eight."""
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]
