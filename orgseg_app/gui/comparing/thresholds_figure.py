"""Scores over the threshold, precision over recall, ROC. Importing this imports pyqtgraph.

Every plot is read at one threshold: where the pointer is in the first four, that of the point of a
curve next to it in the last two. Dots show where the threshold lies on each curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.comparing.plot_figure import Plot, PlotFigure
from orgseg_app.gui.comparing.thresholds_data import (
    STEPS,
    THRESHOLDS,
    VALIDATION_IMAGES,
    RunCurves,
    Thresholds,
)
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import run_colour, run_pen

SWEEPS = (("iou", "IoU"), ("dice", "F1"), ("precision", "Precision"), ("recall", "Recall"))
AREAS = ("Precision over recall", "ROC: recall over false positives")
COLUMNS = ("IoU", "F1", "precision", "recall", "false pos.")
NARROW = 32
"""Room of the numbers beside a small plot."""

TITLE, GAP = 24, 8
REACH = 24.0
"""Pixels within which the pointer finds a curve."""

MARK = 10
TO_LOOK = "Curves of test images are for looking, not for choosing a threshold"
BEST = "◆ the threshold with the best IoU on the validation images"


class ThresholdsFigure(PlotFigure):
    """Four small plots over the threshold for A and B, two larger ones for all runs chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Scores over the threshold, precision over recall, and ROC")
        self._runs: tuple[RunCurves, ...] = ()
        self._drawn: list[tuple[Plot, Any]] = []
        self._step = STEPS // 2
        places = [(row, col) for row in (0, 3) for col in (0, 2)]
        self._titles = [self.add_title(row, col) for row, col in places]
        self.sweeps = [self.add_plot(row + 1, col, width=NARROW) for row, col in places]
        self._titles += [self.add_title(0, 4), self.add_title(0, 6)]
        self.areas = [self.add_plot(1, col, rowspan=4, width=NARROW + 8) for col in (4, 6)]
        self.note = self.add_title(6, 0, colspan=8)
        layout = self.ci.layout
        for row in (1, 4):
            layout.setRowStretchFactor(row, 1)
        for row, height in ((0, TITLE), (2, GAP), (3, TITLE)):  # the tall plots stretch them else
            layout.setRowMaximumHeight(row, height)
        for col, share in ((1, 2), (3, 2), (5, 3), (7, 3)):
            layout.setColumnStretchFactor(col, share)
            layout.setColumnPreferredWidth(col, 60 * share)
        for plot in (*self.sweeps, *self.areas):
            plot.box.setXRange(0, 1, padding=0.02)
            plot.box.setYRange(0, 1, padding=0.03)
        for plot in self.sweeps[:2]:
            plot.bottom.setStyle(showValues=False)
        self._lines = [pg.InfiniteLine(angle=90, movable=False) for _ in self.sweeps]
        for plot, line in zip(self.sweeps, self._lines, strict=True):
            line.setZValue(-10)
            line.setVisible(False)
            plot.box.addItem(line, ignoreBounds=True)
        self._dots = [pg.ScatterPlotItem(size=8, antialias=True) for _ in self.areas]
        for plot, dots in zip(self.areas, self._dots, strict=True):
            dots.setZValue(20)
            plot.box.addItem(dots, ignoreBounds=True)
        self.restyle()

    def restyle(self) -> None:
        """Colours and type of the theme in use; the curves are drawn anew by whoever asks."""
        super().restyle()
        for line in self._lines:
            line.setPen(pg.mkPen(theme.current().control, width=1))
        names = [f"{name} over threshold" for _, name in SWEEPS] + list(AREAS)
        for title, text in zip(self._titles, names, strict=True):
            self.write_title(title, text)

    # -- drawing -----------------------------------------------------------------------------------

    def show_thresholds(self, shown: Thresholds, pair: Sequence[str]) -> None:
        """Draw these.

        Parameters
        ----------
        shown
            The runs.
        pair
            Ids of A and B, which alone are drawn over the threshold.
        """
        self._runs = shown.runs
        self.hide_readout()
        for plot, item in self._drawn:
            plot.box.removeItem(item)
        self._drawn.clear()
        for run in shown.runs:
            if run.run_id in pair:
                self._draw_sweeps(run)
            self._draw_areas(run)
        self._draw_chance()
        self.write_title(self.note, _note(shown))

    def _add(self, plot: Plot, item: Any, z: float = 0) -> None:
        item.setZValue(z)
        plot.box.addItem(item, ignoreBounds=True)
        self._drawn.append((plot, item))

    def _curve(self, plot: Plot, run: RunCurves, x: Any, y: Any) -> None:
        curve = pg.PlotCurveItem(x, y, pen=run_pen(run.colour_index), connect="finite")
        curve.opts["antialias"] = True
        self._add(plot, curve)

    def _mark(self, plot: Plot, run: RunCurves, x: float, y: float) -> None:
        if math.isfinite(x) and math.isfinite(y):
            edge = pg.mkPen(theme.current().panel, width=1.5)
            colour = run_colour(run.colour_index)
            self._add(
                plot,
                pg.ScatterPlotItem([x], [y], symbol="d", size=MARK, brush=colour, pen=edge),
                10,
            )

    def _draw_sweeps(self, run: RunCurves) -> None:
        x = np.asarray(THRESHOLDS)
        for plot, (score, _) in zip(self.sweeps, SWEEPS, strict=True):
            y = run.swept[score]
            self._curve(plot, run, x, y)
            if run.best is not None:
                self._mark(plot, run, run.best, float(y[_step_of(run.best)]))

    def _draw_areas(self, run: RunCurves) -> None:
        for plot, curve in zip(self.areas, (run.precision_recall, run.roc), strict=True):
            self._curve(plot, run, curve.x, curve.y)
        if run.best is not None:
            for plot, (x, y) in zip(self.areas, _points(run, _step_of(run.best)), strict=True):
                self._mark(plot, run, x, y)

    def _draw_chance(self) -> None:
        """The diagonal of the ROC: no better than a coin."""
        colour = QColor(theme.current().control)
        pen = pg.mkPen(colour, width=1.5, style=Qt.PenStyle.DotLine)
        self._add(self.areas[1], pg.PlotCurveItem([0, 1], [0, 1], pen=pen), -5)

    # -- reading -----------------------------------------------------------------------------------

    def point_at(self, at: QPointF) -> None:
        """Read off the threshold that is pointed at."""
        step = self._step_at(at) if self._runs else None
        if step is None:
            self.hide_readout()
        else:
            left = self.areas[0].left.sceneBoundingRect().left()
            self.read_at(step, float(at.y()), over_areas=at.x() < left)

    def _step_at(self, at: QPointF) -> int | None:
        for plot in self.sweeps:
            if plot.box.sceneBoundingRect().contains(at):
                return _step_of(float(plot.box.mapSceneToView(at).x()))
        for number, plot in enumerate(self.areas):
            if plot.box.sceneBoundingRect().contains(at):
                return self._step_beside(number, plot, at)
        return None

    def _step_beside(self, number: int, plot: Plot, at: QPointF) -> int | None:
        """The threshold of the point of a curve next to the pointer, if that is near."""
        best: tuple[float, int | None] = (REACH, None)
        box, view = plot.box.sceneBoundingRect(), plot.box.viewRect()
        across, down = box.width() / view.width(), box.height() / view.height()
        pointed = plot.box.mapSceneToView(at)
        for run in self._runs:
            points = np.array([_points(run, step)[number] for step in range(STEPS + 1)])
            far = np.hypot(
                (points[:, 0] - pointed.x()) * across, (points[:, 1] - pointed.y()) * down
            )
            if np.isfinite(far).any():
                place = int(np.nanargmin(far))
                best = min(best, (float(far[place]), place), key=lambda found: found[0])
        return best[1]

    def read_at(self, step: int, y: float, *, over_areas: bool = True) -> None:
        """Show the scores of all runs at a place of `THRESHOLDS`.

        Parameters
        ----------
        step
            The place.
        y
            How far down the table is shown, in pixels.
        over_areas
            Over the larger plots, so that the smaller ones stay in sight; or the other way round.
        """
        self._step = step
        for line in self._lines:
            line.setValue(THRESHOLDS[step])
            line.setVisible(True)
        for number, dots in enumerate(self._dots):
            spots = [
                {"pos": point, "brush": run_colour(run.colour_index), "symbol": "o"}
                for run in self._runs
                if all(map(math.isfinite, point := _points(run, step)[number]))
            ]
            dots.setData(spots, pen=pg.mkPen(theme.current().panel, width=1.5))
        rows = [(run.colour_index, run.name, _values(run, step)) for run in self._runs]
        between = self.areas[0].left.sceneBoundingRect().left()
        head = f"threshold {THRESHOLDS[step]:.2f}"
        self.readout.show_values(head, rows, QPointF(between, y), titles=COLUMNS)
        if not over_areas:
            self.readout.move(round(max(4.0, between - self.readout.width())), self.readout.y())

    def hide_readout(self) -> None:
        """Nothing is pointed at."""
        super().hide_readout()
        for line in self._lines:
            line.setVisible(False)
        for dots in self._dots:
            dots.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go along the thresholds, with Shift ten at a time; Esc lets go."""
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in moves and self._runs:
            far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            first = self.readout.isHidden()
            step = self._step + (0 if first else far * moves[Qt.Key(event.key())])
            self.read_step(min(STEPS, max(0, step)))
        elif event.key() == Qt.Key.Key_Escape and self.readout.isVisible():
            self.hide_readout()
        else:
            event.ignore()

    def read_step(self, step: int) -> None:
        """As if the first plot was pointed at there; told to those who cannot see it, too."""
        self.read_at(step, self.height() / 2)
        self.setAccessibleDescription(self.readout.text)


def _step_of(threshold: float) -> int:
    return min(STEPS, max(0, round(threshold * STEPS)))


def _points(run: RunCurves, step: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a threshold lies on the curve of precision and recall, and on the ROC."""
    found = run.at(step)
    recall = found["recall"]
    # Where nothing is predicted the curve has precision 1.
    precision = 1.0 if math.isnan(found["precision"]) else found["precision"]
    return (recall, precision), (1 - found["specificity"], recall)


def _values(run: RunCurves, step: int) -> tuple[str, ...]:
    found = run.at(step)
    numbers = [found[score] for score, _ in SWEEPS] + [1 - found["specificity"]]
    return tuple("–" if math.isnan(number) else f"{number:.3f}" for number in numbers)


def _note(shown: Thresholds) -> str:
    if shown.place == VALIDATION_IMAGES:
        return f"{BEST} shown here: on these a threshold may be chosen."
    if shown.has_best:
        return f"{BEST}. {TO_LOOK}."
    return f"{TO_LOOK}: one chosen on them would flatter the model."
