"""Every test image a column, every run a dot in it. Importing this imports pyqtgraph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.comparing.plot_figure import Plot, PlotFigure
from orgseg_app.gui.comparing.scores_data import BY_DIFFERENCE, BY_SCORE, ImagePlot, ScorePanel
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import LIGHT, run_colour

SYMBOLS = ("o", "s", "t")
"""For the first eight runs, the next eight and so on, as their lines are dashed and dotted."""

SIZE, SMALL = 10, 5
CROWDED = 60
"""From so many images on, dots are small."""

PANEL_HEIGHT = 130
NAME_ROOM = 46
"""Pixels a column needs for a name below it."""

BESIDE = 0.14
"""Of a column's width, between the dots of two runs."""

MOST_ACROSS = 3
CLICK_PX = 4


class ScoresFigure(PlotFigure):
    """Small plots, read together.

    Signals
    -------
    image_clicked(image_id)
        A column was clicked, or Enter pressed on it.
    """

    image_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Scores of the test images")
        self.setAccessibleDescription(
            "A point an image and run; left and right go from image to image, Enter opens one"
        )
        self.plot: ImagePlot | None = None
        self._titles: list[Any] = []
        self._drawn: list[tuple[Plot, Any]] = []
        self._lines: list[Any] = []
        self._place = 0
        self._doubts: dict[str, frozenset[int]] = {}
        self._pressed: QPointF | None = None

    # -- drawing -----------------------------------------------------------------------------------

    def show_plot(self, plot: ImagePlot) -> None:
        """Draw these images."""
        self.plot = plot
        self.hide_readout()
        self._place = min(self._place, max(0, len(plot.image_ids) - 1))
        if len(self.plots) != len(plot.panels):
            self._arrange(len(plot.panels))
        for drawn, item in self._drawn:
            drawn.box.removeItem(item)
        self._drawn.clear()
        self._lines.clear()
        self._doubts = {row.run_id: plot.doubted(row) for row in plot.runs}
        low, high = plot.limits
        for drawn, title, panel in zip(self.plots, self._titles, plot.panels, strict=True):
            self.write_title(title, _title(plot, panel))
            drawn.box.setXRange(-0.6, max(1, len(plot.image_ids)) - 0.4, padding=0)
            drawn.box.setYRange(low, high, padding=0.06)
            self._draw(drawn, panel)
        self.write_title(self.note, _note(plot))
        self.restyle()
        self._name_columns()

    def _arrange(self, panels: int) -> None:
        """So many plots, in rows."""
        self.start_again()
        self._drawn.clear()
        across = _across(panels)
        down = math.ceil(panels / across)
        places = [(number // across * 3, number % across * 2) for number in range(panels)]
        self._titles = [self.add_title(row, col) for row, col in places]
        for row, col in places:
            self.add_plot(row + 1, col)
            self.ci.layout.setRowStretchFactor(row + 1, 1)
        for col in range(1, 2 * across, 2):
            self.ci.layout.setColumnStretchFactor(col, 1)
            self.ci.layout.setColumnPreferredWidth(col, 100)
        self.note = self.add_title(3 * down, 0, colspan=2 * across)
        self.setMinimumHeight(down * PANEL_HEIGHT + 28)

    def _add(self, drawn: Plot, item: Any) -> None:
        drawn.box.addItem(item, ignoreBounds=True)
        self._drawn.append((drawn, item))

    def _draw(self, drawn: Plot, panel: ScorePanel) -> None:
        plot = self.plot
        assert plot is not None
        now = theme.current()
        line = pg.InfiniteLine(angle=90, movable=False, pen=pg.mkPen(now.control, width=1))
        line.setVisible(False)
        line.setZValue(-10)
        self._add(drawn, line)
        self._lines.append(line)
        x = np.arange(len(plot.image_ids), dtype=float)
        # A little beside each other, so that equal scores do not hide one another.
        beside = (np.arange(len(plot.runs)) - (len(plot.runs) - 1) / 2) * min(
            BESIDE, 0.5 / max(1, len(plot.runs))
        )
        if plot.has_pair:
            ends = [panel.values[row.run_id] for row in plot.runs[:2]]
            places = [x + beside[number] for number in range(2)]
            joined = pg.PlotCurveItem(
                np.stack(places, axis=1).ravel(),
                np.stack(ends, axis=1).ravel(),
                connect="pairs",
                pen=pg.mkPen(now.control, width=1.5),
            )
            joined.setZValue(-5)
            self._add(drawn, joined)
        self._add(drawn, self._dots(plot, panel, x, beside))

    def _dots(self, plot: ImagePlot, panel: ScorePanel, x: Any, beside: Any) -> Any:
        """All dots of a panel as one item, which is quick to draw; A is on top."""
        now = theme.current()
        edge = pg.mkPen(now.panel, width=1)
        hollow = pg.mkBrush(now.panel)
        across: list[Any] = []
        up: list[Any] = []
        looks: dict[str, list[Any]] = {"symbol": [], "brush": [], "pen": []}
        for number, row in reversed(list(enumerate(plot.runs))):
            y = panel.values[row.run_id]
            (places,) = np.nonzero(np.isfinite(y))
            across.append(x[places] + beside[number])
            up.append(y[places])
            colour = run_colour(row.colour_index)
            full, rim = pg.mkBrush(colour), pg.mkPen(colour, width=1.5)
            doubted = [place in self._doubts[row.run_id] for place in places]
            symbol = SYMBOLS[row.colour_index // len(LIGHT) % len(SYMBOLS)]
            looks["symbol"] += [symbol] * len(places)
            looks["brush"] += [hollow if doubt else full for doubt in doubted]
            looks["pen"] += [rim if doubt else edge for doubt in doubted]
        return pg.ScatterPlotItem(
            np.concatenate(across),
            np.concatenate(up),
            size=SMALL if len(x) > CROWDED else SIZE,
            antialias=True,
            **looks,
        )

    def _name_columns(self) -> None:
        """Names below the columns, where they have room."""
        plot = self.plot
        if plot is None or not self.plots:
            return
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        across = _across(len(plot.panels))
        room = (self.width() / across - 60) / max(1, len(plot.names))
        shown = []
        if room >= NAME_ROOM:
            mode = Qt.TextElideMode.ElideMiddle
            shown = [(i, metrics.elidedText(n, mode, room - 8)) for i, n in enumerate(plot.names)]
        for drawn in self.plots:
            drawn.bottom.setTicks([shown])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More or less room for names."""
        super().resizeEvent(event)
        if hasattr(self, "plot"):  # not while it is being made
            self._name_columns()

    # -- reading -----------------------------------------------------------------------------------

    def point_at(self, at: QPointF) -> None:
        """Read off the column that is pointed at."""
        found = self._column_at(at)
        self.setCursor(
            Qt.CursorShape.ArrowCursor if found is None else Qt.CursorShape.PointingHandCursor
        )
        if found is None:
            self.hide_readout()
        else:
            self.read_at(*found, QPointF(self.mapFromScene(at)))

    def _column_at(self, at: QPointF) -> tuple[int, int] | None:
        """Numbers of the panel and of the image below the pointer."""
        for number, drawn in enumerate(self.plots):
            if drawn.box.sceneBoundingRect().contains(at):
                place = round(float(drawn.box.mapSceneToView(at).x()))
                if self.plot is not None and 0 <= place < len(self.plot.image_ids):
                    return number, place
        return None

    def read_at(self, number: int, place: int, at: QPointF) -> None:
        """Show the scores of all runs on one image, in one panel."""
        plot = self.plot
        assert plot is not None
        self._place = place
        for line in self._lines:
            line.setValue(place)
            line.setVisible(True)
        panel = plot.panels[number]
        rows = []
        for run in plot.runs:
            value = float(panel.values[run.run_id][place])
            said = "–" if math.isnan(value) else f"{value:.3f}"
            if doubt := plot.doubt(run, place):
                said = f"{doubt} · {said}"
            rows.append((run.colour_index, run.name, (said,)))
        head = plot.names[place]
        if (difference := plot.difference(panel, place)) is not None:
            head += f" · A − B {difference:+.3f}".replace("-", "−")
        titles = (panel.class_name or plot.title,)
        self.readout.show_values(head, rows, at, titles=titles)

    def hide_readout(self) -> None:
        """Nothing is pointed at."""
        super().hide_readout()
        for line in self._lines:
            line.setVisible(False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Perhaps the first half of a click."""
        super().mousePressEvent(event)
        is_left = event.button() == Qt.MouseButton.LeftButton
        self._pressed = event.position() if is_left else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open the image whose column was clicked."""
        super().mouseReleaseEvent(event)
        pressed, self._pressed = self._pressed, None
        if pressed is None or (event.position() - pressed).manhattanLength() > CLICK_PX:
            return
        found = self._column_at(self.mapToScene(event.position().toPoint()))
        if found is not None and self.plot is not None:
            self.image_clicked.emit(self.plot.image_ids[found[1]])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go from image to image, Enter opens one, Esc lets go."""
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        last = len(self.plot.image_ids) - 1 if self.plot is not None else -1
        if event.key() in moves and last >= 0:
            step = 0 if self.readout.isHidden() else moves[Qt.Key(event.key())]
            self.read_place(min(last, max(0, self._place + step)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and last >= 0:
            assert self.plot is not None
            self.image_clicked.emit(self.plot.image_ids[self._place])
        elif event.key() == Qt.Key.Key_Escape and self.readout.isVisible():
            self.hide_readout()
        else:
            event.ignore()

    def read_place(self, place: int) -> None:
        """As if a column of the first panel was pointed at; told in words, too."""
        box = self.plots[0].box
        middle = box.viewRect().center().y()
        at = box.mapViewToScene(QPointF(place, middle))
        self.read_at(0, place, QPointF(self.mapFromScene(at)))
        self.setAccessibleDescription(self.readout.text)


def _across(panels: int) -> int:
    return max(1, panels) if panels <= MOST_ACROSS else 2 if panels == 4 else MOST_ACROSS


def _title(plot: ImagePlot, panel: ScorePanel) -> str:
    if panel.class_name:
        return f"{plot.title}, {panel.class_name}"
    is_mean = len(plot.panels) > 1
    return f"{plot.title}, mean of the classes" if is_mean else plot.title


def _note(plot: ImagePlot) -> str:
    """How the columns are sorted, and what they do."""
    orders = {BY_SCORE: "best of A on the left"}
    if plot.has_pair:
        orders[BY_DIFFERENCE] = "A is better on the left, B on the right"
    order = orders.get(plot.order, orders[BY_SCORE] if plot.order == BY_DIFFERENCE else "by name")
    count = len(plot.image_ids)
    noun = "test image" if count == 1 else "test images"
    hollow = (
        " Hollow: seen while learning, or painted anew since."
        if any(map(plot.doubted, plot.runs))
        else ""
    )
    return f"{count} {noun}, {order}. Click a column to open the image.{hollow}"
