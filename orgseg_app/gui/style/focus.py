"""Where Tab leads: in the order of what is seen, whatever was made first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QGridLayout,
    QLayout,
    QLineEdit,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QWidget,
)

DIRECT = Qt.FindChildOption.FindDirectChildrenOnly
WHOLE = (QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit)
"""Widgets whose inner parts are their own business."""


def tab_in_order(root: QWidget) -> None:
    """Let Tab go through a widget as its layouts are read: left to right, top to bottom.

    What Tab came to first of it stays the first.
    """
    for before, after in pairwise(list(_focusable(root))):
        QWidget.setTabOrder(before, after)


def _focusable(widget: QWidget) -> Iterator[QWidget]:
    proxy = widget.focusProxy()
    if proxy is not None and widget.isAncestorOf(proxy):
        yield widget  # Qt moves it with its parts; left behind, it would lead back to them
        return
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and proxy is None:
        yield widget
    if isinstance(widget, WHOLE):
        return
    for child in _parts(widget):
        yield from _focusable(child)


def _parts(widget: QWidget) -> Iterator[QWidget]:
    """The children in reading order; those that nothing has placed come last."""
    placed: list[QWidget] = []
    layout = widget.layout()
    if isinstance(widget, QSplitter | QStackedWidget):
        placed = [widget.widget(n) for n in range(widget.count())]
    elif isinstance(widget, QAbstractScrollArea):
        inside = widget.widget() if isinstance(widget, QScrollArea) else None
        if inside is not None:
            yield inside
        return
    elif layout is not None:
        placed = list(_placed(layout))
    yield from placed
    known = set(placed)
    for child in widget.findChildren(QWidget, options=DIRECT):
        if child not in known and not child.isWindow():
            yield child


def _placed(layout: QLayout) -> Iterator[QWidget]:
    numbers = list(range(layout.count()))
    if isinstance(layout, QGridLayout):
        grid = layout
        numbers.sort(key=lambda n: grid.getItemPosition(n)[:2])  # type: ignore[index]
    for number in numbers:
        item = layout.itemAt(number)
        widget, inner = (item.widget(), item.layout()) if item is not None else (None, None)
        if widget is not None:
            yield widget
        elif inner is not None:
            yield from _placed(inner)
