"""How tables of runs, images and studies look and move: rows, not cells."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractItemView, QTableView


def make_rows(table: QTableView, name: str, *, height: int, several: bool = True) -> None:
    """Whole rows are chosen, without a grid; Tab leaves the table.

    Parameters
    ----------
    table
        With its model and headers.
    name
        For screen readers.
    height
        Of a row, in pixels.
    several
        Whether several rows can be chosen.
    """
    mode = QAbstractItemView.SelectionMode
    table.setAccessibleName(name)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setMouseTracking(True)
    table.setTabKeyNavigation(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(mode.ExtendedSelection if several else mode.SingleSelection)
    table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(height)
    table.horizontalHeader().setHighlightSections(False)
