"""A figure of a study, painted by hand: copied as a picture or as a table, saved as SVG or PNG."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu

from orgseg_app.gui.comparing.picture_view import PictureView
from orgseg_app.gui.panels.table_keys import keeps_key


class Figure(PictureView):
    """Whoever inherits paints in `paint_to` and says in `picture_size` how much room that takes."""

    def as_tsv(self) -> str:
        """The numbers of the figure, as tab-separated text."""
        raise NotImplementedError

    def paintEvent(self, event: QPaintEvent) -> None:
        """The figure on the screen."""
        self.paint_to(QPainter(self))

    def fill_menu(self, menu: QMenu) -> None:
        """Its numbers, too."""
        menu.addAction("Copy table", self.copy_table)

    def copy_table(self) -> None:
        """Put its numbers on the clipboard, as tab-separated text."""
        QGuiApplication.clipboard().setText(self.as_tsv())

    def ask_where(self) -> None:
        """Ask for a file, and save the figure."""
        self._on_save()

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the table."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_table()
        else:
            super().keyPressEvent(event)
