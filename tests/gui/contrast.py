"""Contrast of what is written, measured on pictures of widgets.

Source of the measure: Web Content Accessibility Guidelines 2.2, success criterion 1.4.3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage, QPainter, QRegion
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QTableView,
    QToolButton,
    QWidget,
)

SCALE = 3
"""Device pixels a pixel: strokes of letters have cores that smoothing leaves alone."""

LARGE_PX = 22
"""From this height of type on 3:1 is enough (18 points bold, 24 px, with what fonts differ)."""


def picture(widget: QWidget) -> NDArray[np.uint8]:
    """A widget at `SCALE`, with all that lies in and below it: ``(Y, X, 3)`` RGB, uint8."""
    window = widget.window()
    place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
    image = QImage(widget.size() * SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    painter = QPainter(image)
    window.render(painter, QPoint(0, 0), QRegion(place))
    painter.end()
    flat = np.frombuffer(image.constBits(), np.uint8)
    rows = flat.reshape(image.height(), image.bytesPerLine())[:, : 4 * image.width()]
    return rows.reshape(image.height(), image.width(), 4)[..., 2::-1].copy()


def luminance(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Relative luminance of ``(..., 3)`` colours, as WCAG defines it."""
    unit = colours.astype(np.float64) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    found: NDArray[np.float64] = linear @ np.array([0.2126, 0.7152, 0.0722])
    return found


def ratio(first: float, second: float) -> float:
    """Contrast of two luminances: 1 to 21.

    >>> ratio(0.0, 1.0)
    21.0
    """
    low, high = sorted((first, second))
    return (high + 0.05) / (low + 0.05)


def contrast_of(pixels: NDArray[np.uint8]) -> float | None:
    """Contrast between the ground of a picture of words and the cores of their strokes.

    The ground is the commonest colour; the words are the furthest hundredth of what is not ground.
    None where nothing is written.
    """
    flat = pixels.reshape(-1, 3)
    if not len(flat):
        return None
    colours, counts = np.unique(flat, axis=0, return_counts=True)
    ground = float(luminance(colours[np.argmax(counts)]))
    lights = luminance(colours)
    ratios = np.array([ratio(ground, float(light)) for light in lights])
    inked = ratios > 1.15
    total = int(counts[inked].sum())
    if total < max(12, 0.001 * len(flat)):
        return None
    order = np.argsort(-ratios)
    reached = np.cumsum(counts[order])
    return float(ratios[order][np.searchsorted(reached, 0.05 * total)])


def measured(root: QWidget) -> Iterator[tuple[str, float, bool, bool]]:
    """What, contrast, whether it is large, whether it can be used; of every text in sight."""
    pixels = picture(root)
    for widget in (root, *root.findChildren(QWidget)):
        if not widget.isVisible() or widget.visibleRegion().isEmpty():
            continue
        for text, place, enabled in _texts(widget):
            seen = widget.visibleRegion().boundingRect().intersected(place)
            if seen.width() < 4 or seen.height() < min(place.height(), 8):
                continue
            corner = widget.mapTo(root, seen.topLeft())
            if not root.rect().contains(QRect(corner, seen.size())):
                continue
            x, y = corner.x() * SCALE, corner.y() * SCALE
            part = pixels[y : y + seen.height() * SCALE, x : x + seen.width() * SCALE]
            found = contrast_of(part)
            if found is not None:
                large = widget.fontInfo().pixelSize() >= LARGE_PX
                yield f"{type(widget).__name__} {text[:40]!r}", found, large, enabled


def _texts(widget: QWidget) -> Iterator[tuple[str, QRect, bool]]:
    on = widget.isEnabled()
    if isinstance(widget, QLabel | QLineEdit) or (
        isinstance(widget, QAbstractButton) and widget.text() and not _is_icon(widget)
    ):
        text = widget.text() or getattr(widget, "placeholderText", lambda: "")()
        if text.strip():
            yield text, _of_words(widget), on
    elif isinstance(widget, QComboBox):
        yield widget.currentText(), widget.rect().adjusted(5, 4, -24, -4), on
    elif isinstance(widget, QHeaderView):
        yield "titles", widget.viewport().rect(), on
    elif isinstance(widget, QAbstractItemView):
        yield from _cells(widget)
    elif isinstance(widget, QAbstractSpinBox):
        return


def _is_icon(button: QAbstractButton) -> bool:
    only = Qt.ToolButtonStyle.ToolButtonIconOnly
    return isinstance(button, QToolButton) and button.toolButtonStyle() == only


def _of_words(widget: QWidget) -> QRect:
    """Without borders, marks and icons: where the words are."""
    inside = widget.rect().adjusted(3, 3, -3, -3)
    if not isinstance(widget, QAbstractButton):
        return inside
    wide = widget.fontMetrics().horizontalAdvance(widget.text())
    if widget.isCheckable() and not widget.property("look"):
        return inside  # a mark at one end or the other; what is furthest from the ground is words
    spare = max(0, (inside.width() - wide) // 2)
    return inside.adjusted(spare if widget.icon().isNull() else 3, 0, -3, 0)


def _cells(view: QAbstractItemView) -> Iterator[tuple[str, QRect, bool]]:
    model, seen = view.model(), view.viewport().rect()
    if not isinstance(view, QTableView | QListView):
        return
    columns = range(model.columnCount()) if isinstance(view, QTableView) else range(1)
    for row in range(min(model.rowCount(), 12)):
        for column in columns:
            index = model.index(row, column)
            text = index.data(Qt.ItemDataRole.DisplayRole)
            place = view.visualRect(index)
            if not isinstance(text, str) or not text.strip() or not seen.contains(place):
                continue
            at = place.translated(view.viewport().pos()).adjusted(3, 3, -3, -3)
            is_on = bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
            for part in _lines(view, at):
                yield text, part, is_on


def _lines(view: QAbstractItemView, row: QRect) -> list[QRect]:
    """Lists paint a picture at the left of a row, and two lines in a high one."""
    if isinstance(view, QTableView):
        return [row]
    words = row.adjusted(int(0.36 * row.width()), 0, 0, 0)
    if row.height() < 36:
        return [words]
    half = words.height() // 2
    return [words.adjusted(0, 0, 0, -half), words.adjusted(0, half, 0, 0)]
