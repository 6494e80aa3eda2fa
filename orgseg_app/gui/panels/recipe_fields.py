"""The fields of the recipe form: one widget a kind of value, all with the same four things.

Every field has ``value()``, ``set_value(value)`` (silent), a signal ``changed()`` and plain words
for screen readers. The wheel changes a field only while it has the keyboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.preprocess import PREPROCESSING
from orgseg_app.gui.style import icons
from orgseg_app.runs.choices import Choice
from orgseg_app.runs.schema import FieldInfo


class IntField(QSpinBox):
    """A whole number."""

    changed = Signal()

    def __init__(self, info: FieldInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(int(info.minimum or 0), int(min(info.maximum or 2**31 - 1, 2**31 - 1)))
        self.setGroupSeparatorShown(False)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        _prepare(self)
        self.valueChanged.connect(lambda _: self.changed.emit())

    def set_value(self, value: object) -> None:
        """Show a value without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(int(value))  # type: ignore[call-overload]
        self.blockSignals(blocked)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Only with the keyboard's focus; otherwise the panel scrolls."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class NumberField(QDoubleSpinBox):
    """A number of any size, written as short as possible: 0.002, 1e-05."""

    changed = Signal()

    def __init__(
        self, minimum: float | None, maximum: float | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setDecimals(8)
        self.setRange(minimum or 0.0, 1e9 if maximum is None else maximum)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        _prepare(self)
        self.valueChanged.connect(lambda _: self.changed.emit())

    def set_value(self, value: object) -> None:
        """Show a value without telling anybody."""
        blocked = self.blockSignals(True)
        self.setValue(float(value))  # type: ignore[arg-type]
        self.blockSignals(blocked)

    def textFromValue(self, value: float) -> str:
        """As short as possible."""
        return f"{value:.6g}"

    def valueFromText(self, text: str) -> float:
        """Comma and point both part the decimals."""
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Whether it is a number in the range, or may become one."""
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            half = not text.strip(" +-.,0123456789eE")
            state = QValidator.State.Intermediate if half else QValidator.State.Invalid
            return state, text, position
        fits = self.minimum() <= value <= self.maximum()
        state = QValidator.State.Acceptable if fits else QValidator.State.Intermediate
        return state, text, position

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Only with the keyboard's focus; otherwise the panel scrolls."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChoiceField(QComboBox):
    """One of several named things; each explains itself in its tooltip."""

    changed = Signal()

    def __init__(self, options: Mapping[str, Choice], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for choice in options.values():
            self.addItem(choice.title, choice.name)
            row = self.count() - 1
            source = f"\nSource: {choice.source}" if choice.source else ""
            self.setItemData(row, f"{choice.about}{source}", Qt.ItemDataRole.ToolTipRole)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.currentIndexChanged.connect(self._on_index_changed)

    def value(self) -> str:
        """Name of what is chosen."""
        return str(self.currentData())

    def set_value(self, value: object) -> None:
        """Choose by name, without telling anybody."""
        blocked = self.blockSignals(True)
        self.setCurrentIndex(max(0, self.findData(value)))
        self.blockSignals(blocked)
        self._explain()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Only with the keyboard's focus; otherwise the panel scrolls."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _on_index_changed(self) -> None:
        self._explain()
        self.changed.emit()

    def _explain(self) -> None:
        self.setToolTip(str(self.currentData(Qt.ItemDataRole.ToolTipRole) or ""))


class _PartRow(QWidget):
    """One loss with its weight, or one preprocessing step with its values."""

    changed = Signal()
    removed = Signal()

    def __init__(
        self, noun: str, options: Mapping[str, Choice], kind: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._kind = kind
        self._extra: dict[str, float] = {}
        self.choice = ChoiceField(options, self)
        self.choice.setAccessibleName(noun)
        self.choice.changed.connect(self._on_choice_changed)
        self.weight = NumberField(0.001, 1000, self)
        self.weight.setAccessibleName(f"{noun} weight")
        self.weight.setToolTip("How much this part counts beside the others.")
        self.weight.setFixedWidth(64)
        self.weight.changed.connect(self.changed)
        self.remove = QToolButton(self)
        self.remove.setIcon(icons.icon("close"))
        self.remove.setAccessibleName(f"Remove this {noun.lower()}")
        self.remove.setToolTip("Remove")
        self.remove.clicked.connect(self.removed)
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.choice, 1)
        top.addWidget(self.weight)
        top.addWidget(self.remove)
        self._values = QVBoxLayout()
        self._values.setContentsMargins(12, 0, 0, 0)
        self._values.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(self._values)
        self.params: dict[str, NumberField] = {}

    def value(self) -> dict[str, Any]:
        """As in a recipe's dict."""
        if self._kind == "losses":
            return {"name": self.choice.value(), "weight": self.weight.value()}
        known = PREPROCESSING[self.choice.value()].params
        params = {
            name: field.value()
            for name, field in self.params.items()
            if field.value() != known[name].default
        }
        return {"name": self.choice.value(), "params": params}

    def set_value(self, value: Mapping[str, Any]) -> None:
        self.choice.set_value(value["name"])
        if self._kind == "losses":
            self.weight.set_value(value.get("weight", 1.0))
        else:
            self._show_params(value.get("params", {}))

    def set_alone(self, alone: bool) -> None:
        """A single part has no weight and cannot be removed."""
        self.weight.setVisible(self._kind == "losses" and not alone)
        self.remove.setVisible(not alone)

    def _on_choice_changed(self) -> None:
        if self._kind == "steps":
            self._show_params({})
        self.changed.emit()

    def _show_params(self, values: Mapping[str, float]) -> None:
        while self._values.count():
            old = self._values.takeAt(0).widget()  # type: ignore[union-attr]
            if old is not None:
                old.hide()
                old.deleteLater()
        self.params = {}
        for name, param in PREPROCESSING[self.choice.value()].params.items():
            row = QWidget(self)
            layout = QHBoxLayout(row)
            layout.setContentsMargins(0, 0, 0, 0)
            title = name.replace("_", " ").capitalize()
            label = QLabel(title, row)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setProperty("tone", "secondary")
            field = NumberField(param.minimum, param.maximum, row)
            field.setFixedWidth(80)
            field.set_value(values.get(name, param.default))
            field.setAccessibleName(f"{self.choice.currentText()}: {title}")
            field.setToolTip(param.explanation)
            label.setToolTip(param.explanation)
            field.changed.connect(self.changed)
            layout.addWidget(label, 1)
            layout.addWidget(field)
            self._values.addWidget(row)
            self.params[name] = field


class PartsField(QWidget):
    """A short list of named parts: losses with weights, or preprocessing steps with values.

    Parameters
    ----------
    info : FieldInfo
        Of kind ``"losses"`` or ``"steps"``.
    limit : int
        How many parts at most.
    """

    changed = Signal()

    def __init__(self, info: FieldInfo, limit: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info, self._limit = info, limit
        self._rows: list[_PartRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        noun = "loss" if info.kind == "losses" else "step"
        self._add = QPushButton(f"Add {noun}", self)
        self._add.setProperty("look", "quiet")
        self._add.setIcon(icons.icon("plus"))
        self._add.clicked.connect(self._on_add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._list)
        layout.addWidget(self._add, 0, Qt.AlignmentFlag.AlignLeft)

    def value(self) -> list[dict[str, Any]]:
        """The parts, as in a recipe's dict."""
        return [row.value() for row in self._rows]

    def set_value(self, value: Sequence[Mapping[str, Any]]) -> None:
        """Show these parts, without telling anybody."""
        while len(self._rows) > len(value):
            self._drop(self._rows[-1])
        while len(self._rows) < len(value):
            self._append()
        for row, part in zip(self._rows, value, strict=True):
            row.set_value(part)
        self._tidy()

    def setAccessibleDescription(self, text: str) -> None:
        """The description goes to each part."""
        super().setAccessibleDescription(text)
        for row in self._rows:
            row.choice.setAccessibleDescription(text)

    def _append(self) -> _PartRow:
        row = _PartRow(self._info.title, self._info.options, self._info.kind, self)
        row.changed.connect(self.changed)
        row.removed.connect(lambda: self._on_removed(row))
        row.choice.setAccessibleDescription(self._info.description)
        if self._rows:
            QWidget.setTabOrder(self._rows[-1].remove, row.choice)
        QWidget.setTabOrder(row.choice, row.weight)
        QWidget.setTabOrder(row.weight, row.remove)
        QWidget.setTabOrder(row.remove, self._add)
        self._rows.append(row)
        self._list.addWidget(row)
        return row

    def _drop(self, row: _PartRow) -> None:
        self._rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _on_add(self) -> None:
        used = {row.choice.value() for row in self._rows}
        free = [name for name in self._info.options if name not in used] or [*self._info.options]
        row = self._append()
        row.set_value({"name": free[0]})
        self._tidy()
        row.choice.setFocus()
        self.changed.emit()

    def _on_removed(self, row: _PartRow) -> None:
        self._drop(row)
        self._tidy()
        self._rows[-1].choice.setFocus()
        self.changed.emit()

    def _tidy(self) -> None:
        for row in self._rows:
            row.set_alone(len(self._rows) == 1)
        self._add.setEnabled(len(self._rows) < self._limit)


Field = IntField | NumberField | ChoiceField | PartsField


def make_field(info: FieldInfo, parent: QWidget) -> Field:
    """The widget for one field of a recipe, named and explained."""
    field: Field
    if info.kind == "int":
        field = IntField(info, parent)
    elif info.kind == "float":
        field = NumberField(info.minimum, info.maximum, parent)
    elif info.kind in ("losses", "steps"):
        field = PartsField(info, 4 if info.kind == "losses" else 8, parent)
    else:
        field = ChoiceField(info.options, parent)
    field.setAccessibleName(info.title)
    field.setAccessibleDescription(info.description)
    if not isinstance(field, ChoiceField):
        field.setToolTip(info.description)
    return field


def _prepare(field: QAbstractSpinBox) -> None:
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.setAlignment(Qt.AlignmentFlag.AlignRight)
    field.setKeyboardTracking(False)
    field.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
