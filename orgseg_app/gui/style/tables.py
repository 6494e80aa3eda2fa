"""How tables of runs, images and studies look and move: rows, not cells."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from orgseg_app.gui.style import theme


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
    theme.hold_rows(table, height)
    table.horizontalHeader().setHighlightSections(False)


def draw_ground(
    delegate: QStyledItemDelegate,
    painter: QPainter,
    option: QStyleOptionViewItem,
    index: QModelIndex | QPersistentModelIndex,
) -> None:
    """Paint a cell without its words: chosen, hovered, keyboard; the delegate paints the rest."""
    ground = QStyleOptionViewItem(option)
    delegate.initStyleOption(ground, index)
    ground.text = ""  # type: ignore[attr-defined]
    table = ground.widget  # type: ignore[attr-defined]
    table.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, table)
