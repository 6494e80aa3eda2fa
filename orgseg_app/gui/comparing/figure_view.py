"""A page that is a figure with its legend: made when there is something to draw, copied, saved.

pyqtgraph takes a quarter of a second to import, so that happens in the background.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.curves_legend import CurvesLegend
from orgseg_app.gui.comparing.seen_view import SeenView
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import EmptyState, surface


class FigureView(SeenView):
    """Legend and figure, or the words for an empty place.

    A kind of figure says in `figure_module` where its widget lives, makes it in `create_figure` and
    fills it in `redraw`, which is called when the view is in sight.

    Attributes
    ----------
    content : QWidget
        What is copied and saved; choosers go above it, into `column`.
    figure : QWidget or None
        Made by `has_figure`.
    """

    figure_module = ""

    def __init__(self, session: Session, empty_text: str, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._is_importing = False
        self.figure: Any = None
        surface(self)
        self.content = QWidget(self)
        self.legend = CurvesLegend(self.content)
        self.empty = EmptyState(empty_text, icon_name="chart")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addWidget(self.legend)
        inside.addLayout(self._stack, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.column.addWidget(self.content, 1)
        theme.watcher.changed.connect(self._on_theme_changed)

    # -- what a kind of figure says ----------------------------------------------------------------

    def create_figure(self) -> QWidget:
        """Make the widget; its module is imported by now."""
        raise NotImplementedError

    def frame_of(self, figure: QWidget) -> QWidget:
        """What holds the figure: itself, or something in which it scrolls."""
        return figure

    # -- drawing -----------------------------------------------------------------------------------

    def show_empty(self, text: str) -> None:
        """Say what belongs here, instead of the figure."""
        self.empty.set_text(text)
        self.legend.set_entries([])
        self._stack.setCurrentWidget(self.empty)

    def has_figure(self) -> bool:
        """Bring the figure to the front, made if need be; False while its module is imported."""
        if self.figure is None and not self._make_figure():
            return False
        self._stack.setCurrentIndex(1)
        return True

    def _make_figure(self) -> bool:
        if self.figure_module not in sys.modules:
            if not self._is_importing:
                self._is_importing = True
                self._session.background.start(
                    f"Preparing {self.noun}",
                    lambda task: importlib.import_module(self.figure_module) is not None,
                    self._on_imported,
                    self._session.report_error,
                )
            return False
        self._is_importing = False
        self.figure = self.create_figure()
        self._stack.addWidget(self.frame_of(self.figure))
        return True

    def _on_imported(self, imported: object) -> None:
        self.redraw_in_sight()

    def _on_theme_changed(self) -> None:
        if self.figure is not None:
            self.figure.restyle()
        self.redraw_in_sight()

    # -- the picture -------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether there are words instead of a figure."""
        return self._stack.currentWidget() is self.empty

    def picture_size(self) -> QSize:
        """As wide as it is on the screen, and as high as the whole figure."""
        if self.figure is None:
            return self.content.size()
        return QSize(self.content.width(), self._legend_height + self.figure.height())

    @property
    def _legend_height(self) -> int:
        return 0 if self.legend.isHidden() else self.legend.height()

    def paint_to(self, painter: QPainter) -> None:
        """Legend and figure."""
        if not self.legend.isHidden():
            painter.save()
            painter.translate(self.legend.pos())
            self.legend.paint(painter)
            painter.restore()
        if self.figure is not None:
            place = QRectF(self.figure.rect()).translated(0, self._legend_height)
            self.figure.render(painter, place)
