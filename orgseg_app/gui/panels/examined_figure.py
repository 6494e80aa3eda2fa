"""An examination as a plot: bars by level, or curves over noise. Imports pyqtgraph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.comparing.plot_figure import PlotFigure
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import run_colour, run_pen
from orgseg_app.runs.examination import (
    ABLATIONS,
    INTACT,
    LEVELS,
    NOISES,
    SCORES,
    Condition,
    Examination,
    scale_text,
)

COLOURS = {"coarse": 0, "fine": 1, "gaussian": 0, "poisson": 1, INTACT: 15}
"""Places in the run colours: so the same kind looks the same here and in the legend."""

NAMES = {
    "coarse": "Nothing coarser than the level",
    "fine": "Without the level's detail",
    **NOISES,
    INTACT: "As it is",
}
BAR = 0.3
SYMBOLS = {"gaussian": "o", "poisson": "s"}


class Key(NamedTuple):
    """An entry of the legend; see `curves_legend.Drawn`."""

    run_id: str
    name: str
    colour_index: int


class ExaminedFigure(PlotFigure):
    """One plot of one score: the model as it is as a dashed line, its conditions beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = self.add_title(0)
        self.plot = self.add_plot(1)
        self._below = self.add_title(3)
        self._drawn: list[Any] = []
        self._found: Examination | None = None
        self._score, self._class_name = "iou", ""
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self._line.setVisible(False)
        self._line.setZValue(-10)
        self.plot.box.addItem(self._line, ignoreBounds=True)
        self.restyle()

    def restyle(self) -> None:
        """Colours and type of the theme in use; what is drawn is drawn anew by whoever asks."""
        super().restyle()
        self._line.setPen(pg.mkPen(theme.current().control, width=1))

    def show_examination(self, found: Examination, score: str, class_name: str = "") -> None:
        """Draw a score under all conditions; of a class, or the mean of all for ""."""
        self._found, self._score, self._class_name = found, score, class_name
        self.hide_readout()
        for item in self._drawn:
            self.plot.box.removeItem(item)
        self._drawn.clear()
        about = class_name or ("mean of classes" if len(found.class_names) > 1 else "")
        count = len(found.intact.images)
        images = f"{count} {found.split} image{'' if count == 1 else 's'}"
        title = " · ".join(part for part in (SCORES[score], about, images) if part)
        self.write_title(self._title, title)
        if found.what == LEVELS:
            self._draw_levels(found)
        else:
            self._draw_noise(found)
        before = found.intact.score(score, class_name)
        if before is not None:
            line = pg.InfiniteLine(before, angle=0, pen=run_pen(COLOURS[INTACT], 1.5))
            self._add(line, 5)

    def legend(self) -> list[Key]:
        """What the colours mean."""
        if self._found is None:
            return []
        kinds = ABLATIONS if self._found.what == LEVELS else NOISES
        return [Key(kind, NAMES[kind], COLOURS[kind]) for kind in (*kinds, INTACT)]

    def _value(self, condition: Condition) -> float | None:
        return condition.score(self._score, self._class_name)

    def _draw_levels(self, found: Examination) -> None:
        for kind, side in (("coarse", -1), ("fine", 1)):
            conditions = found.of_kind(kind)
            places = [(c.level or 0) + side * (BAR / 2 + 0.01) for c in conditions]
            heights = [self._value(c) or 0.0 for c in conditions]
            colour = run_colour(COLOURS[kind])
            bars = pg.BarGraphItem(
                x=places, height=heights, width=BAR, brush=colour, pen=pg.mkPen(None)
            )
            self._add(bars)
        levels = found.of_kind("coarse")
        ticks = [(float(c.level or 0), f"{c.level} · {scale_text(c.scale)}") for c in levels]
        self.plot.bottom.setTicks([ticks])
        self.plot.box.setXRange(-0.5, max(len(levels) - 0.5, 0.5), padding=0)
        self.plot.box.setYRange(0, 1, padding=0.03)
        self.write_title(self._below, "Level of the decoder, the finest first")

    def _draw_noise(self, found: Examination) -> None:
        ratios = sorted({c.snr_db for c in found.conditions if c.snr_db is not None})
        for kind, symbol in SYMBOLS.items():
            conditions = found.of_kind(kind)
            x = np.asarray([c.snr_db for c in conditions], float)
            y = np.asarray([np.nan if (v := self._value(c)) is None else v for c in conditions])
            curve = pg.PlotDataItem(
                x,
                y,
                pen=run_pen(COLOURS[kind]),
                symbol=symbol,
                symbolSize=8,
                symbolBrush=run_colour(COLOURS[kind]),
                symbolPen=pg.mkPen(QColor(theme.current().panel), width=1),
                antialias=True,
                connect="finite",
            )
            self._add(curve, 10)
        self.plot.bottom.setTicks([[(snr, f"{snr:g}") for snr in ratios]])
        self.plot.box.setXRange(ratios[0], ratios[-1], padding=0.06)
        self.plot.box.setYRange(0, 1, padding=0.03)
        self.write_title(self._below, "Signal-to-noise ratio in dB: more noise at the left")

    def _add(self, item: Any, z: float = 0) -> None:
        item.setZValue(z)
        self.plot.box.addItem(item, ignoreBounds=True)
        self._drawn.append(item)

    # -- the pointer -------------------------------------------------------------------------------

    def point_at(self, at: QPointF) -> None:
        """Read off the conditions at the level or ratio next to the pointer."""
        if self._found is None or not self.plot.box.sceneBoundingRect().contains(at):
            self.hide_readout()
            return
        x = float(self.plot.box.mapSceneToView(at).x())
        self.read_at(x, QPointF(self.mapFromScene(at)))

    def read_at(self, x: float, at: QPointF) -> None:
        """Show what is known at the place closest to `x`, a level or a ratio in dB."""
        found = self._found
        if found is None:
            return
        is_levels = found.what == LEVELS
        near = min(found.conditions, key=lambda c: abs(_place(c) - x))
        here = [c for c in found.conditions if _place(c) == _place(near)]
        head = f"level {near.level}" if is_levels else f"{near.snr_db:g} dB"
        rows = [(COLOURS[c.kind], NAMES[c.kind], (_text(self._value(c)),)) for c in here]
        rows.append((COLOURS[INTACT], NAMES[INTACT], (_text(self._value(found.intact)),)))
        self._line.setValue(_place(near))
        self._line.setVisible(not is_levels)
        self.readout.show_values(head, rows, at, titles=(SCORES[self._score],))

    def hide_readout(self) -> None:
        """Nothing is pointed at."""
        super().hide_readout()
        if hasattr(self, "_line"):
            self._line.setVisible(False)


def _place(condition: Condition) -> float:
    """On the axis: the level, or the ratio."""
    return float(condition.level if condition.level is not None else condition.snr_db or 0.0)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
