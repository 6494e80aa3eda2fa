"""The figure itself: two stacked plots with one axis of steps. Importing this imports pyqtgraph.

One page shows how well it learns, loss over validation IoU with its 95 % interval; the other how
it is driven, learning rate over patches a second.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.gui.comparing.curves_legend import ReadRow
from orgseg_app.gui.comparing.plot_figure import Plot, PlotFigure
from orgseg_app.gui.runs.run_entry import RunEntry, smoothed
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import run_colour, run_pen

RAW_ALPHA = 80
BEHIND_ALPHA = 60
BAND_ALPHA = 44
MAX_RAW = 3
"""Up to so many runs show their unsmoothed loss too."""


@dataclass
class _Curves:
    """What is drawn of one run."""

    raw: Any
    smooth: Any
    iou: Any
    best: Any
    low: Any
    high: Any
    band: Any

    @property
    def lower(self) -> tuple[Any, ...]:
        """What lies in the lower plot."""
        return self.iou, self.best, self.low, self.high, self.band


class CurvesFigure(PlotFigure):
    """Loss above, validation IoU below; the pointer reads off both."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[RunEntry] = []
        self._curves: dict[str, _Curves] = {}
        self._looks: dict[str, tuple[bool, bool]] = {}
        self._is_log = False
        self._page = "scores"
        self._titles = [self.add_title(0), self.add_title(3)]
        self.loss, self.iou = self.add_plot(1), self.add_plot(4)
        self.iou.box.setXLink(self.loss.box)
        self.loss.bottom.setStyle(showValues=False)
        for row in (1, 4):
            self.ci.layout.setRowStretchFactor(row, 1)
        self._lines = [pg.InfiniteLine(angle=90, movable=False) for _ in range(2)]
        for plot, line in zip((self.loss, self.iou), self._lines, strict=True):
            line.setVisible(False)
            line.setZValue(-10)
            plot.box.addItem(line, ignoreBounds=True)
        self.restyle()

    def restyle(self) -> None:
        """Colours and type of the theme in use."""
        super().restyle()
        for line in self._lines:
            line.setPen(pg.mkPen(theme.current().control, width=1))
        self._looks.clear()
        self._write_titles()

    def set_log_loss(self, on: bool) -> None:
        """Loss on a logarithmic scale."""
        self._is_log = on
        self._set_log()
        self._fit()

    def _set_log(self) -> None:
        on = self._is_log and self._page == "scores"
        self.loss.left.setLogMode(x=False, y=on)
        for curves in self._curves.values():
            for item in (curves.raw, curves.smooth):
                item.setLogMode(False, on)

    def set_page(self, page: str) -> None:
        """Show ``"scores"`` or ``"speed"``; the runs are drawn anew by whoever asks."""
        self._page = page
        self._looks.clear()
        self.hide_readout()
        self._set_log()

    # -- drawing -----------------------------------------------------------------------------------

    def show_runs(
        self, shown: Sequence[RunEntry], behind: Sequence[RunEntry], *, stale: Collection[str]
    ) -> None:
        """Draw these runs; only what is stale or looks different is drawn anew."""
        self._entries = list(shown)
        wanted = {entry.run_id for entry in (*shown, *behind)}
        for run_id in [i for i in self._curves if i not in wanted]:
            self._remove(run_id)
        with_raw = len(shown) <= MAX_RAW
        for entries, is_behind in ((behind, True), (shown, False)):
            for entry in entries:
                look = (is_behind, with_raw and not is_behind)
                if entry.run_id not in self._curves:
                    self._curves[entry.run_id] = self._add_curves()
                if entry.run_id in stale or self._looks.get(entry.run_id) != look:
                    self._draw(entry, *look)
                    self._looks[entry.run_id] = look
        self._write_titles()
        self._fit()

    def _add_curves(self) -> _Curves:
        def curve(plot: Plot) -> Any:
            item = pg.PlotDataItem(antialias=True, connect="finite")
            item.setDownsampling(auto=True, method="peak")
            item.setClipToView(True)
            if plot is self.loss:
                item.setLogMode(False, self._is_log and self._page == "scores")
            plot.box.addItem(item)
            return item

        best = pg.ScatterPlotItem(size=8, pxMode=True, antialias=True)
        low, high = pg.PlotCurveItem(pen=None), pg.PlotCurveItem(pen=None)
        band = pg.FillBetweenItem(low, high)
        curves = _Curves(curve(self.loss), curve(self.loss), curve(self.iou), best, low, high, band)
        for item in (band, low, high, best):
            self.iou.box.addItem(item, ignoreBounds=True)
        return curves

    def _remove(self, run_id: str) -> None:
        curves = self._curves.pop(run_id)
        self._looks.pop(run_id, None)
        for item in (curves.raw, curves.smooth):
            self.loss.box.removeItem(item)
        for item in curves.lower:
            self.iou.box.removeItem(item)

    def _draw(self, entry: RunEntry, is_behind: bool, with_raw: bool) -> None:
        curves = self._curves[entry.run_id]
        if is_behind:
            faint = QColor(theme.current().secondary)
            faint.setAlpha(max(24, BEHIND_ALPHA - len(self._curves)))
            pen = QPen(faint, 1)
            pen.setCosmetic(True)
        else:
            pen = run_pen(entry.colour_index)
        steps = np.asarray(entry.steps, float)
        if self._page == "speed":
            curves.smooth.setData(steps, _with_gaps(entry.rates))
            curves.raw.setData([], [])
            curves.iou.setData(steps, _with_gaps(entry.speeds))
        else:
            losses = np.asarray(entry.losses, float)
            curves.smooth.setData(steps, np.asarray(smoothed(entry.losses, _weight(entry.losses))))
            curves.raw.setData(*((steps, losses) if with_raw else ([], [])))
            values = _with_gaps(entry.validation_iou)
            curves.iou.setData(np.asarray(entry.validation_steps, float), values)
        raw_pen = QPen(_faint(entry, RAW_ALPHA), 1)
        raw_pen.setCosmetic(True)
        curves.raw.setPen(raw_pen)
        curves.smooth.setPen(pen)
        curves.iou.setPen(pen)
        self._draw_band(entry, curves, shown=with_raw and self._page == "scores")
        self._draw_best(entry, curves, shown=not is_behind and self._page == "scores")
        for item in (curves.raw, curves.smooth, curves.iou, curves.best):
            item.setZValue(-5 if is_behind else 0 if item is curves.raw else 1)
        curves.band.setZValue(-6)

    def _draw_band(self, entry: RunEntry, curves: _Curves, *, shown: bool) -> None:
        """Between which values the mean IoU lies, 95 times in a hundred."""
        known = [
            (step, *interval)
            for step, interval in zip(
                entry.validation_steps, entry.validation_intervals, strict=False
            )
            if interval is not None
        ]
        shown = shown and len(known) > 1
        x, low, high = np.asarray(known, float).T if shown else (np.zeros(0),) * 3
        curves.low.setData(x, low)
        curves.high.setData(x, high)
        curves.band.setBrush(_faint(entry, BAND_ALPHA))
        curves.band.setVisible(shown)

    def _draw_best(self, entry: RunEntry, curves: _Curves, *, shown: bool) -> None:
        if shown and entry.best_step is not None and entry.best_iou is not None:
            curves.best.setData(
                [entry.best_step],
                [entry.best_iou],
                brush=run_colour(entry.colour_index),
                pen=pg.mkPen(theme.current().panel, width=1.5),
            )
        else:
            curves.best.setData([], [])

    def _write_titles(self) -> None:
        loss, iou = "Training loss", "Validation IoU, mean of classes"
        if self._page == "speed":
            loss, iou = "Learning rate", "Patches a second"
        elif len(self._entries) == 1:
            entry = self._entries[0]
            if not _has_several_classes(entry):
                iou = "Validation IoU"
            if entry.best_iou is not None:
                iou += f" · best {entry.best_iou:.2f} at step {entry.best_step}"
            if entry.validation_units and any(entry.validation_intervals):
                iou += f" · band: 95 % interval of {entry.validation_units}"
        elif not any(_has_several_classes(entry) for entry in self._entries):
            iou = "Validation IoU"
        for title, text in zip(self._titles, (loss, iou), strict=True):
            self.write_title(title, text)

    def _fit(self) -> None:
        """Ranges from what is drawn in colour and behind: steps from 0, IoU up to 1."""
        last = [1.0]
        low = 1.0
        for run_id in self._curves:
            curves = self._curves[run_id]
            for item in (curves.smooth, curves.iou):
                x, y = item.getOriginalDataset()
                if x is not None and len(x):
                    last.append(float(x[-1]))
                    if item is curves.iou and np.isfinite(y).any():
                        low = min(low, float(np.nanmin(y)))
        self.loss.box.setXRange(0, max(last), padding=0.01)
        if self._page == "speed":
            self._fit_from_zero(self.loss, "smooth")
            self._fit_from_zero(self.iou, "iou")
            return
        self.iou.box.setYRange(
            max(0.0, math.floor(low * 10) / 10) if low < 1 else 0.0, 1.0, padding=0.09
        )
        self.loss.box.enableAutoRange(axis=pg.ViewBox.YAxis)

    def _fit_from_zero(self, plot: Plot, which: str) -> None:
        """From 0 to a little more than the highest value drawn."""
        highest = 0.0
        for curves in self._curves.values():
            _, y = getattr(curves, which).getOriginalDataset()
            if y is not None and np.isfinite(y).any():
                highest = max(highest, float(np.nanmax(y)))
        plot.box.setYRange(0, highest or 1.0, padding=0.06)

    # -- the pointer -------------------------------------------------------------------------------

    def point_at(self, at: QPointF) -> None:
        """Both plots are read at the pointer's step."""
        box = self.loss.box.sceneBoundingRect().united(self.iou.box.sceneBoundingRect())
        if not self._entries or not box.contains(at):
            self.hide_readout()
            return
        self.read_at(float(self.loss.box.mapSceneToView(at).x()), QPointF(self.mapFromScene(at)))

    def read_at(self, step: float, at: QPointF) -> None:
        """Show the values at the reported step closest to `step`."""
        rows: list[tuple[float, ReadRow]] = []
        closest: int | None = None
        for entry in self._entries:
            place = _nearest(entry.steps, step)
            checked = _nearest(entry.validation_steps, step)
            if place is None and checked is None:
                continue
            upper, lower, key = self._values_at(entry, place, checked)
            if place is not None:
                found = entry.steps[place]
                if closest is None or abs(found - step) < abs(closest - step):
                    closest = found
            rows.append((key, (entry.colour_index, entry.name, (upper, lower))))
        if not rows:
            self.hide_readout()
            return
        at_step = round(step) if closest is None else closest
        for line in self._lines:
            line.setValue(at_step)
            line.setVisible(True)
        ordered = [row for _, row in sorted(rows, key=lambda item: -item[0])]
        titles = ("rate", "patches/s") if self._page == "speed" else ("loss", "IoU")
        self.readout.show_values(f"step {max(0, at_step)}", ordered, at, titles=titles)

    def _values_at(
        self, entry: RunEntry, place: int | None, checked: int | None
    ) -> tuple[str, str, float]:
        """What is read off both plots, and a number by which runs are put in order."""
        if self._page == "speed":
            rate = entry.rates[place] if place is not None else None
            speed = entry.speeds[place] if place is not None else None
            upper = "–" if rate is None else f"{rate:.2g}"
            lower = "–" if speed is None else f"{speed:.1f}"
            return upper, lower, speed or -1.0
        upper, lower, key = "–", "–", -1.0
        if place is not None:
            upper = f"{smoothed(entry.losses, _weight(entry.losses))[place]:.3f}"
        if checked is not None and (value := entry.validation_iou[checked]) is not None:
            lower, key = f"{value:.3f}", value
        return upper, lower, key

    def hide_readout(self) -> None:
        """Nothing is pointed at."""
        super().hide_readout()
        for line in self._lines:
            line.setVisible(False)


def _with_gaps(values: Sequence[float | None]) -> Any:
    """Float64 with NaN where there is none."""
    return np.asarray([math.nan if value is None else value for value in values], float)


def _faint(entry: RunEntry, alpha: int) -> QColor:
    colour = run_colour(entry.colour_index)
    colour.setAlpha(alpha)
    return colour


def _has_several_classes(entry: RunEntry) -> bool:
    return sum(class_id != BACKGROUND for class_id in entry.validation_class_iou) > 1


def _weight(values: Sequence[float]) -> float:
    """How much to smooth: over about a thirtieth of the curve, at least a few points."""
    return 1 - 1 / max(4.0, len(values) / 30)


def _nearest(steps: Sequence[int], step: float) -> int | None:
    """Place of the reported step closest to `step`, or None when there is none yet."""
    if not steps:
        return None
    place = bisect.bisect_left(steps, step)
    if place == len(steps):
        return place - 1
    if place and step - steps[place - 1] < steps[place] - step:
        return place - 1
    return place
