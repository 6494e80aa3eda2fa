"""The field for weights of classes by hand: one number for each class of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.panels.recipe_inputs import NumberField
from orgseg_app.gui.panels.recipe_parts import NUMBER_WIDTH
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import Caption, ElidedLabel

NO_CLASSES = "Open a project to see its classes here."


class ClassWeightsField(QWidget):
    """How much each class counts; 1 is the usual, and not written down."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, float] = {}
        self.fields: dict[str, NumberField] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._empty = Caption(NO_CLASSES)
        self._column.addWidget(self._empty)
        self._rows: list[QWidget] = []

    def set_classes(self, classes: Sequence[tuple[str, str]]) -> None:
        """The classes of the project: name and colour (``"#RRGGBB"``) of each."""
        for row in self._rows:
            row.hide()
            row.deleteLater()
        self._rows, self.fields = [], {}
        for name, colour in classes:
            row = QWidget(self)
            line = QHBoxLayout(row)
            line.setContentsMargins(12, 0, 0, 0)
            line.setSpacing(8)
            title = ElidedLabel(name)
            field = NumberField(0, 1000, row)
            theme.hold(field, width=NUMBER_WIDTH)
            field.setAccessibleName(f"Weight of {name}")
            field.setToolTip("How much mistakes in this class count; usually 1.")
            field.set_value(self._values.get(name, 1.0))
            field.changed.connect(lambda name=name, field=field: self._on_changed(name, field))
            line.addWidget(_Swatch(colour))
            line.addWidget(title, 1)
            line.addWidget(field)
            self._column.addWidget(row)
            self._rows.append(row)
            self.fields[name] = field
        self._empty.setVisible(not classes)

    def value(self) -> dict[str, float]:
        """Weight by class, without those that count 1."""
        return {name: weight for name, weight in self._values.items() if weight != 1}

    def set_value(self, value: Mapping[str, float]) -> None:
        """Show these weights, without telling anybody; those of other classes are kept."""
        self._values = dict(value)
        with QSignalBlocker(self):
            for name, field in self.fields.items():
                field.set_value(value.get(name, 1.0))

    def _on_changed(self, name: str, field: NumberField) -> None:
        self._values[name] = field.value()
        self.changed.emit()


class _Swatch(QWidget):
    """The colour of a class."""

    def __init__(self, colour: str) -> None:
        super().__init__()
        self._colour = colour
        self.setFixedSize(QSize(12, 12))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.current().line), 1))
        painter.setBrush(QColor(self._colour))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 3, 3)
