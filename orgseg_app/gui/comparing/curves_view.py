"""Curves of runs: training loss above, validation IoU below, on one axis of steps.

pyqtgraph is imported when there is first something to draw, in the background.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QContextMenuEvent,
    QGuiApplication,
    QImage,
    QImageWriter,
    QPainter,
    QShowEvent,
)
from PySide6.QtWidgets import QFileDialog, QMenu, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.curves_legend import CurvesLegend
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import EmptyState, surface

if TYPE_CHECKING:
    from orgseg_app.gui.comparing.curves_figure import CurvesFigure

FIGURE_MODULE = "orgseg_app.gui.comparing.curves_figure"
REDRAW_MS = 200
EMPTY_TEXT = "Loss and validation IoU appear here while a network learns."


class CurvesView(QWidget):
    """Loss and validation IoU of the runs it is given.

    The runs that matter are drawn in their colours, any others as a faint background, so that fifty
    runs stay readable. Pointing at a step reads off the values.

    Parameters
    ----------
    runs : RunsModel
    """

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self._shown: list[str] = []
        self._behind: list[str] = []
        self._stale: set[str] = set()
        self._is_log = False
        self._page = "scores"
        self._is_importing = False
        self.figure: CurvesFigure | None = None
        surface(self)
        self.setAccessibleName("Curves")
        self.legend = CurvesLegend(self)
        self.empty = EmptyState(EMPTY_TEXT, icon_name="chart")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.legend)
        column.addLayout(self._stack, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        self._timer.timeout.connect(self._redraw)
        runs.run_changed.connect(self._on_run_changed)
        runs.runs_changed.connect(self._on_runs_changed)
        theme.watcher.changed.connect(self._on_theme_changed)

    def set_runs(self, run_ids: Sequence[str], behind: Sequence[str] = ()) -> None:
        """Choose what is drawn.

        Parameters
        ----------
        run_ids : sequence of str
            Drawn in their colours and read off by the pointer.
        behind : sequence of str
            Drawn faintly behind them.
        """
        self._shown = list(run_ids)
        self._behind = [run_id for run_id in behind if run_id not in self._shown]
        self._stale.update(self._shown, self._behind)
        if self.isVisible():
            self._redraw()

    def set_page(self, page: str) -> None:
        """Draw loss and validation IoU (``"scores"``), or rate and throughput (``"speed"``)."""
        if page == self._page:
            return
        self._page = page
        self._stale.update(self._shown, self._behind)
        if self.figure is not None:
            self.figure.set_page(page)
        self._redraw()

    @property
    def shown(self) -> list[str]:
        """Ids of the runs drawn in colour."""
        return list(self._shown)

    def sizeHint(self) -> QSize:
        """Room for two plots."""
        return QSize(420, 320)

    # -- drawing -----------------------------------------------------------------------------------

    def _entries(self, run_ids: Sequence[str]) -> list[RunEntry]:
        found = (self.runs.get(run_id) for run_id in run_ids)
        return [entry for entry in found if entry is not None]

    def _redraw(self) -> None:
        if not self.isVisible():
            return
        shown, behind = self._entries(self._shown), self._entries(self._behind)
        drawable = [entry for entry in (*shown, *behind) if entry.steps or entry.validation_steps]
        self.legend.set_entries(shown if len(shown) > 1 else [])
        if not drawable:
            self.empty.set_text(_empty_text(shown))
            self._stack.setCurrentWidget(self.empty)
            return
        if self.figure is None and not self._make_figure():
            return
        assert self.figure is not None
        self._stack.setCurrentWidget(self.figure)
        self.figure.show_runs(shown, behind, stale=self._stale)
        self.setAccessibleDescription(_in_words(shown))
        self._stale.clear()

    def _make_figure(self) -> bool:
        """Make the figure; False while pyqtgraph is being imported, a quarter of a second."""
        if FIGURE_MODULE not in sys.modules:
            if not self._is_importing:
                self._is_importing = True
                self.runs.session.background.start(
                    "Preparing curves",
                    lambda task: importlib.import_module(FIGURE_MODULE) is not None,
                    self._on_imported,
                    self.runs.session.report_error,
                )
            return False
        self._is_importing = False
        from orgseg_app.gui.comparing.curves_figure import CurvesFigure

        self.figure = CurvesFigure(self)
        self.figure.set_log_loss(self._is_log)
        self.figure.set_page(self._page)
        self._stack.addWidget(self.figure)
        return True

    def _on_imported(self, imported: object) -> None:
        self._redraw()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what happened while the view was away."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._redraw)

    def _on_run_changed(self, run_id: str) -> None:
        if run_id in self._shown or run_id in self._behind:
            self._stale.add(run_id)
            if self.isVisible() and not self._timer.isActive():
                self._timer.start()

    def _on_runs_changed(self) -> None:
        self._stale.update(self._shown, self._behind)
        if self.isVisible():
            self._timer.start()

    def _on_theme_changed(self) -> None:
        if self.figure is not None:
            self.figure.restyle()
        self._stale.update(self._shown, self._behind)
        self._redraw()

    # -- the person --------------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Scale, copy, save."""
        if self.figure is not None:
            self._open_menu(event.globalPos())

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        log = menu.addAction("Loss on a logarithmic scale")
        log.setCheckable(True)
        log.setChecked(self._is_log)
        log.toggled.connect(self.set_log_loss)
        menu.addSeparator()
        menu.addAction("Copy picture", self.copy)
        menu.addAction("Save as SVG or PNG…", self._on_save)
        menu.popup(at)

    def set_log_loss(self, on: bool) -> None:
        """Show the loss on a logarithmic scale, or not."""
        self._is_log = on
        if self.figure is not None:
            self.figure.set_log_loss(on)

    def copy(self) -> None:
        """Put the figure on the clipboard, at three times its size."""
        QGuiApplication.clipboard().setImage(self.to_image())

    def to_image(self, ratio: float = 3.0) -> QImage:
        """The figure with its legend as a picture."""
        image = QImage(self.size() * ratio, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        image.fill(theme.current().colour("panel"))
        painter = QPainter(image)
        self._paint_to(painter)
        painter.end()
        return image

    def save(self, path: Path) -> None:
        """Write the figure as ``.svg`` or ``.png``.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        if path.suffix.lower() == ".svg":
            self._write_svg(buffer)
        else:
            QImageWriter(buffer, QByteArray(b"png")).write(self.to_image())
        path.write_bytes(buffer.data().data())

    def _write_svg(self, device: QIODevice) -> None:
        from PySide6.QtSvg import QSvgGenerator

        generator = QSvgGenerator()
        generator.setOutputDevice(device)
        generator.setSize(self.size())
        generator.setViewBox(self.rect())
        generator.setTitle("Learning curves")
        painter = QPainter(generator)
        painter.fillRect(self.rect(), theme.current().colour("panel"))
        self._paint_to(painter)
        painter.end()

    def _paint_to(self, painter: QPainter) -> None:
        if self.legend.isVisible():
            painter.save()
            painter.translate(self.legend.pos())
            self.legend.paint(painter)
            painter.restore()
        if self.figure is not None:
            place = QRectF(self.figure.geometry())
            self.figure.render(painter, place)

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Save curves", "curves.svg", "Pictures (*.svg *.png)"
        )
        if name:
            path = Path(name)
            path = path if path.suffix else path.with_suffix(".svg")
            try:
                self.save(path)
            except OSError as error:
                text = f"The curves could not be saved: {error.strerror}. Choose another folder."
                self.runs.session.message.emit(text, "error")


def _empty_text(entries: Sequence[RunEntry]) -> str:
    if len(entries) == 1 and entries[0].is_active:
        return f"{entries[0].name}: {entries[0].state_text}. The first steps appear in a moment."
    return EMPTY_TEXT if not entries else "This run has written no curve."


def _in_words(entries: Sequence[RunEntry]) -> str:
    """The figure for those who cannot see it."""
    said = []
    for entry in entries:
        loss = f"loss {entry.losses[-1]:.3f}" if entry.losses else "no loss yet"
        best = (
            f", best validation IoU {entry.best_iou:.2f} at step {entry.best_step}"
            if entry.best_iou is not None
            else ""
        )
        said.append(f"{entry.name}: step {entry.step}, {loss}{best}")
    return "; ".join(said)
