"""Is there room for every text of a widget? What is cut, what lies over something else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import Any

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from orgseg_app.gui.style.cards import Card
from orgseg_app.gui.style.widgets import ElidedLabel

SLACK = 2.0
"""Pixels by which hints and what is drawn may differ."""


def cut(root: QWidget) -> list[str]:
    """What is cut in a widget and all that is seen in it."""
    found = [
        f"{_name(widget)}: {trouble}"
        for widget in (root, *root.findChildren(QWidget))
        if widget.isVisible() and not widget.visibleRegion().isEmpty()
        for trouble in _troubles(widget)
    ]
    with _drawn() as drawn:
        root.grab()
    return sorted({*found, *drawn, *_overlaps(root)})


def _name(widget: QWidget) -> str:
    owner = widget.parentWidget()
    return f"{type(owner).__name__}/{type(widget).__name__}"


def _troubles(widget: QWidget) -> Iterator[str]:
    if isinstance(widget, ElidedLabel):  # the tooltip says the whole
        if widget.height() + SLACK < widget.fontMetrics().height():
            yield f"too low for {widget.text()!r}"
    elif isinstance(widget, QLabel):
        yield from _label(widget)
    elif isinstance(widget, Card):
        pass  # paints its words itself
    elif isinstance(widget, QAbstractButton) and widget.text():
        need, have = _needs(widget), widget.size()
        if have.width() + SLACK < need.width() or have.height() + SLACK < need.height():
            yield f"{widget.text()!r} needs {_size(need)}, has {_size(have)}"
    elif isinstance(widget, QComboBox):
        yield from _combo_box(widget)
    elif isinstance(widget, QLineEdit):
        yield from _field(widget)
    elif isinstance(widget, QHeaderView):
        yield from _header(widget)
    yield from _outside(widget)


def _needs(button: QAbstractButton) -> QSize:
    return button.sizeHint().expandedTo(QSize(0, button.fontMetrics().height()))


def _label(label: QLabel) -> Iterator[str]:
    if not label.text() or label.textFormat() != Qt.TextFormat.PlainText:
        return
    room, metrics = label.contentsRect(), label.fontMetrics()
    if label.wordWrap():
        need = label.heightForWidth(label.width())
        if label.height() + SLACK < need:
            yield f"{label.text()[:50]!r} needs a height of {need}, has {label.height()}"
        wide = max(
            0,
            *(
                metrics.horizontalAdvance(word)
                for word in label.text().split() or [""]
                if "/" not in word
            ),
        )  # a path
    else:
        lines = label.text().split("\n")
        wide = max(metrics.horizontalAdvance(line) for line in lines)
        if room.height() + SLACK < metrics.height() * len(lines):
            yield f"{label.text()!r} is too low: {room.height()} of {metrics.height()}"
    if room.width() + SLACK < wide:
        yield f"{label.text()[:50]!r} needs a width of {wide}, has {room.width()}"


def _combo_box(box: QComboBox) -> Iterator[str]:
    if box.isEditable():
        return
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    part = QStyle.SubControl.SC_ComboBoxEditField
    room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, box)
    wide = box.fontMetrics().horizontalAdvance(box.currentText())
    if room.width() + 6 < wide and not box.toolTip():
        yield f"{box.currentText()!r} needs {wide}, has {room.width()}"
    if box.height() + SLACK < box.fontMetrics().height():
        yield f"{box.currentText()!r} is too low"


def _field(field: QLineEdit) -> Iterator[str]:
    owner = field.parentWidget()
    is_number = isinstance(owner, QAbstractSpinBox)
    text = field.text() if is_number else "" if field.text() else field.placeholderText()
    margins, metrics = field.textMargins(), field.fontMetrics()
    room = field.width() - margins.left() - margins.right() - (0 if is_number else 4)
    if metrics.horizontalAdvance(text) > room + SLACK and not field.toolTip():
        yield f"{text!r} needs {metrics.horizontalAdvance(text)}, has {room}"
    if field.height() + SLACK < metrics.height():
        yield f"{text!r} is too low"


def _header(header: QHeaderView) -> Iterator[str]:
    model = header.model()
    if header.orientation() != Qt.Orientation.Horizontal:
        return
    for section in range(header.count()):
        text = model.headerData(section, header.orientation(), Qt.ItemDataRole.DisplayRole)
        if header.isSectionHidden(section) or not text:
            continue
        lines = str(text).replace(", ", ",\n").split("\n")
        wide = max(header.fontMetrics().horizontalAdvance(line) for line in lines)
        size = header.sectionSize(section)
        if size < wide and size < header.sectionSizeHint(section):
            yield f"title {text!r} needs {wide}, has {size}"


def _outside(widget: QWidget) -> Iterator[str]:
    """A text that its parent cuts off, where nobody can scroll to it."""
    owner = widget.parentWidget()
    says = isinstance(widget, QLabel | QAbstractButton | QComboBox | QLineEdit)
    if not says or owner is None or widget.isWindow():
        return
    if isinstance(owner.parentWidget(), QAbstractScrollArea) or isinstance(
        owner, QAbstractScrollArea
    ):
        return
    inside = owner.rect().adjusted(-2, -2, 2, 2)
    if not inside.contains(widget.geometry()):
        yield f"{_text(widget)!r} at {_rect(widget.geometry())} sticks out of {_size(owner.size())}"


def _text(widget: Any) -> str:
    return widget.currentText() if isinstance(widget, QComboBox) else str(widget.text())[:50]


def _overlaps(root: QWidget) -> Iterator[str]:
    """Widgets of one layout that lie over each other."""
    for owner in (root, *root.findChildren(QWidget)):
        layout = owner.layout()
        if not isinstance(layout, QLayout) or not owner.isVisible():
            continue
        shown = [w for w in _placed(layout) if w.isVisible() and not w.size().isEmpty()]
        for a, b in combinations(shown, 2):
            over = a.geometry().intersected(b.geometry())
            if over.width() > 1 and over.height() > 1:
                yield f"{_name(a)} and {_name(b)} of {type(owner).__name__} overlap: {_rect(over)}"


def _placed(layout: QLayout) -> Iterator[QWidget]:
    if layout.metaObject().className() == "QStackedLayout":
        return
    for number in range(layout.count()):
        item = layout.itemAt(number)
        widget, inner = (item.widget(), item.layout()) if item is not None else (None, None)
        if widget is not None:
            yield widget
        elif inner is not None:
            yield from _placed(inner)


@contextmanager
def _drawn() -> Iterator[set[str]]:
    """Notes texts that a painter is asked to put into a rectangle that is too small."""
    found: set[str] = set()
    draw = QPainter.drawText

    def noted(painter: QPainter, *given: Any) -> Any:
        trouble = _too_small(painter, *given)
        if trouble:
            found.add(trouble)
        return draw(painter, *given)

    QPainter.drawText = noted  # type: ignore[method-assign,assignment]
    try:
        yield found
    finally:
        QPainter.drawText = draw  # type: ignore[method-assign]


def _too_small(painter: QPainter, *given: Any) -> str:
    texts = [value for value in given if isinstance(value, str)]
    if not texts or not texts[0].strip():
        return ""
    metrics, text = QFontMetricsF(painter.font()), texts[0]
    place = given[0]
    if isinstance(place, QPoint) or not isinstance(place, QRect | QRectF):
        return ""
    room = QRectF(place)
    flags = next((value for value in given[1:] if isinstance(value, int | Qt.AlignmentFlag)), 0)
    number = int(getattr(flags, "value", flags))
    if number & Qt.TextFlag.TextWordWrap.value:
        need = metrics.boundingRect(QRectF(0, 0, room.width(), 1e4), number, text)
        low, narrow = need.height() > room.height() + SLACK, False
    else:
        low = math.ceil(metrics.tightBoundingRect(text).height()) > room.height() + SLACK
        narrow = metrics.horizontalAdvance(text) > room.width() + SLACK
    if low or narrow:
        return f"drawn {text[:50]!r} in {room.width():.0f} × {room.height():.0f}"
    return ""


def _size(size: QSize) -> str:
    return f"{size.width()} × {size.height()}"


def _rect(rect: QRect) -> str:
    return f"{rect.x()}, {rect.y()}: {rect.width()} × {rect.height()}"
