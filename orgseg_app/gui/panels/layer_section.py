"""How one kind of layer looks: an eye, opacity, outline and filled, in a section that folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.canvas.layers import DEFAULT_LOOKS
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import SliderField
from orgseg_app.gui.style.widgets import GAP, IconButton, Section, label

NAME_WIDTH = 64


def tick(text: str, tip: str, on_toggled: Callable[[bool], object] | None = None) -> QCheckBox:
    """A box to tick in a panel."""
    made = QCheckBox(text)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if on_toggled is not None:
        made.toggled.connect(on_toggled)
    return made


class LayerSection(Section):
    """The look of one kind of layer, as `DisplayOptions` keeps it.

    Parameters
    ----------
    kind
        One of `layers.KINDS`.
    title
        Of the section.
    has_edges
        Whether it has regions, with outlines and fillings; a heat map has none.
    expanded
        Unfolded at first; it unfolds when its layer is shown, too.

    Attributes
    ----------
    eye, opacity, outline, fill
        Its fields.
    """

    def __init__(
        self,
        kind: str,
        title: str,
        display: DisplayOptions,
        *,
        has_edges: bool = True,
        expanded: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(0, 0, 0, 4)
        self.column.setSpacing(4)
        super().__init__(title, content, expanded=expanded, parent=parent)
        self.kind, self.display = kind, display
        self._noun = title[:1].lower() + title[1:]
        self._was_visible = display.look(kind).visible
        # Being hidden stands out where it is not the usual.
        stands_out = DEFAULT_LOOKS[kind].visible
        self.eye = IconButton("eye", f"Hide {self._noun}", checkable=stands_out, colour="secondary")
        self.add_extra(self.eye)
        self.opacity = SliderField(
            "Opacity",
            0,
            100,
            DEFAULT_LOOKS[kind].opacity * 100,
            unit="%",
            name_width=NAME_WIDTH,
            tip="How much of the image it covers",
        )
        self.outline = tick("Outline", "Draw the edges of regions", self._on_outline)
        self.fill = tick("Filled", "Tint regions", self._on_fill)
        self.edges = QWidget()
        row = QHBoxLayout(self.edges)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP * 2)
        row.addWidget(self.outline)
        row.addWidget(self.fill)
        row.addStretch(1)
        self.edges.setVisible(has_edges)
        self.column.addWidget(self.opacity)
        self.column.addWidget(self.edges)
        self.eye.clicked.connect(lambda: display.flip(kind, "visible"))
        self.opacity.value_changed.connect(lambda v: display.set_look(kind, opacity=v / 100))
        display.changed.connect(self.show_look)
        self.show_look()

    def add(self, part: QWidget | QLayout) -> None:
        """Put something below what all layers have."""
        if isinstance(part, QWidget):
            self.column.addWidget(part)
        else:
            self.column.addLayout(part)

    def add_first(self, part: QWidget) -> None:
        """Put something above what all layers have."""
        self.column.insertWidget(self.column.indexOf(self.opacity), part)

    def show_look(self) -> None:
        """Follow `DisplayOptions`."""
        look = self.display.look(self.kind)
        for box, on in (
            (self.eye, not look.visible),
            (self.outline, look.outline),
            (self.fill, look.fill),
        ):
            with QSignalBlocker(box):
                box.setChecked(on)
        if look.visible:
            self.eye.describe("eye", f"Hide {self._noun}", "secondary")
        else:
            colour = "accent" if self.eye.isCheckable() else "secondary"
            self.eye.describe("eye-off", f"Show {self._noun}", colour)
        self.opacity.set_value(look.opacity * 100)
        for widget in (self.opacity, self.outline, self.fill):
            widget.setEnabled(look.visible)
        if look.visible and not self._was_visible:
            self.header.setChecked(True)
        self._was_visible = look.visible

    def _on_outline(self, on: bool) -> None:
        self.display.set_look(self.kind, outline=on)

    def _on_fill(self, on: bool) -> None:
        self.display.set_look(self.kind, fill=on)


class HeatKey(QWidget):
    """A strip of a heat map's colours between the values it begins and ends with."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.low, self.high = label("0", "caption"), label("1", "caption")
        self._strip = _Strip()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.low)
        row.addWidget(self._strip, 1)
        row.addWidget(self.high)

    def show_range(self, low: str, high: str, colours: NDArray[np.uint8]) -> None:
        """What the ends mean, and colours ``(256, 3 or 4)`` red, green, blue from low to high."""
        self.low.setText(low)
        self.high.setText(high)
        self._strip.colours = colours
        self._strip.update()
        self.setAccessibleDescription(f"From {low} to {high}")


class _Strip(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.colours: NDArray[np.uint8] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(80, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.colours is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        gradient = QLinearGradient(place.topLeft(), place.topRight())
        for step in range(0, 256, 15):
            gradient.setColorAt(step / 255, QColor(*(int(v) for v in self.colours[step][:3])))
        painter.setPen(QColor(theme.current().control))
        painter.setBrush(gradient)
        painter.drawRoundedRect(place, 3, 3)
