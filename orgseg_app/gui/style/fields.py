"""Fields of the panels: a slider with its number, a choice of few, and calm versions of Qt's own.

The wheel changes a field only while it has the keyboard, so that scrolling a panel changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QWidget,
)

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import THIN_SPACE, label

_POSITIONS = 1000


class CalmSlider(QSlider):
    """A horizontal slider that leaves the wheel alone without focus; double-click asks to reset."""

    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel unless the slider has the keyboard."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where the pointer is, rather than a page towards it."""
        if event.button() == Qt.MouseButton.LeftButton:
            share = (event.position().x() - 7) / max(1, self.width() - 14)
            self.setValue(round(self.minimum() + share * (self.maximum() - self.minimum())))
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to the default."""
        self.reset_requested.emit()


class NumberBox(QDoubleSpinBox):
    """A number field without arrows; Enter and Esc give the keyboard back."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        # Not NoButtons: under a style sheet that leaves the number no room (seen in Qt 6.11).
        self.setProperty("bare", "true")
        self.lineEdit().setTextMargins(0, 0, 6, 0)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setKeyboardTracking(False)
        self.setGroupSeparatorShown(False)

    def textFromValue(self, value: float) -> str:
        """Large numbers need no decimals that are zero, and have no room for them."""
        text = super().textFromValue(value)
        point = self.locale().decimalPoint()
        return text.rstrip("0").rstrip(point) if point in text and abs(value) >= 1000 else text

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel unless the field has the keyboard."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the number and leaves; Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            with QSignalBlocker(self):
                self.setValue(self.value())
            self.clearFocus()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clearFocus()


class CalmComboBox(QComboBox):
    """A list to choose from that leaves the wheel alone without focus."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel unless the list has the keyboard."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SliderField(QWidget):
    """A name, a slider and a number that say the same.

    Parameters
    ----------
    name
        Shown at the left, and the accessible name of both parts.
    minimum, maximum, default
        Double-click on the slider goes back to ``default``.
    decimals
        Of the number; 0 for whole ones.
    unit
        After the number, behind a thin space.
    logarithmic
        Equal ways are equal ratios (``minimum`` above 0).
    name_width
        Pixels kept for the name, so that fields below each other align.

    Signals
    -------
    value_changed(float)
        By the person, not by `set_value`.
    """

    value_changed = Signal(float)

    def __init__(
        self,
        name: str,
        minimum: float,
        maximum: float,
        default: float,
        *,
        decimals: int = 0,
        unit: str = "",
        logarithmic: bool = False,
        name_width: int = 72,
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.default = default
        self._minimum, self._maximum = float(minimum), float(maximum)
        self._logarithmic = logarithmic
        self.name = label(name)
        theme.hold(self.name, width=name_width)
        self.slider = CalmSlider()
        self.slider.setRange(0, _POSITIONS)
        self.slider.setAccessibleName(name)
        self.slider.setPageStep(_POSITIONS // 10)
        self.slider.setSingleStep(_POSITIONS // 100)
        self.number = NumberBox(name)
        self.number.setDecimals(decimals)
        self.number.setRange(minimum, maximum)
        self.number.setSingleStep(10.0**-decimals)
        theme.hold(self.number, width=64)
        if unit:
            self.number.setSuffix(THIN_SPACE + unit)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self.setFocusProxy(self.slider)
        hint = "double-click resets"
        self.slider.setToolTip(f"{tip}; {hint}" if tip else f"{name}; {hint}")
        self.set_value(default)
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.slider.reset_requested.connect(self.reset)
        self.number.valueChanged.connect(self._on_number_changed)

    def value(self) -> float:
        """The number shown."""
        return self.number.value()

    def set_value(self, value: float) -> None:
        """Show a number without telling anybody."""
        with QSignalBlocker(self.number), QSignalBlocker(self.slider):
            self.number.setValue(value)
            self.slider.setValue(self._position(self.number.value()))

    def reset(self) -> None:
        """Back to the default, and tell."""
        self.number.setValue(self.default)

    def set_range(
        self, slider: tuple[float, float], number: tuple[float, float], decimals: int
    ) -> None:
        """Another reach of the slider and of the number, silently."""
        self._minimum, self._maximum = slider
        with QSignalBlocker(self.number):
            self.number.setDecimals(decimals)
            self.number.setSingleStep(10.0**-decimals)
            self.number.setRange(*number)
        self.set_value(self.number.value())

    def _position(self, value: float) -> int:
        value = min(max(value, self._minimum), self._maximum)
        if self._logarithmic:
            share = math.log(value / self._minimum) / math.log(self._maximum / self._minimum)
        else:
            share = (value - self._minimum) / (self._maximum - self._minimum)
        return round(share * _POSITIONS)

    def _value_at(self, position: int) -> float:
        share = position / _POSITIONS
        if self._logarithmic:
            return self._minimum * (self._maximum / self._minimum) ** share
        return self._minimum + share * (self._maximum - self._minimum)

    def _on_slider_moved(self, position: int) -> None:
        before = self.number.value()
        with QSignalBlocker(self.number):
            self.number.setValue(self._value_at(position))
        if self.number.value() != before:
            self.value_changed.emit(self.number.value())

    def _on_number_changed(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._position(value))
        self.value_changed.emit(value)


class Segments(QWidget):
    """A choice among a few, all in sight; arrow keys move within it.

    Parameters
    ----------
    name
        Of the whole, for screen readers.
    options
        Value and words of each.
    parent
        Its parent.
    tips
        What a choice means, by value.

    Signals
    -------
    chosen(value)
        By the person, not by `set_value`.
    """

    chosen = Signal(str)

    def __init__(
        self,
        name: str,
        options: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
        *,
        tips: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for value, text in options:
            button = QPushButton(text)
            button.setProperty("look", "segment")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(f"{name}: {text}")
            button.setToolTip((tips or {}).get(value, ""))
            button.clicked.connect(lambda _=False, v=value: self.chosen.emit(v))
            self._group.addButton(button)
            self._buttons[value] = button
            row.addWidget(button)
        row.addStretch(1)
        next(iter(self._buttons.values())).setChecked(True)

    def value(self) -> str:
        """What is chosen."""
        return next(v for v, button in self._buttons.items() if button.isChecked())

    def set_value(self, value: str) -> None:
        """Show a choice without telling anybody."""
        self._buttons[value].setChecked(True)

    def button(self, value: str) -> QPushButton:
        """The button of one choice."""
        return self._buttons[value]


def show_choice(box: QComboBox, value: object) -> None:
    """Show the entry with this data, silently, if it is there."""
    at = box.findData(value)
    if at >= 0 and at != box.currentIndex():
        with QSignalBlocker(box):
            box.setCurrentIndex(at)


def offer_choices(box: QComboBox, choices: Iterable[tuple[object, str]]) -> None:
    """Offer these (data, text) instead, silently; what was chosen stays if it is among them."""
    kept = box.currentData()
    with QSignalBlocker(box):
        box.clear()
        for data, text in choices:
            box.addItem(text, data)
    if kept is not None:
        show_choice(box, kept)
