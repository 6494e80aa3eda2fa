"""The plain fields of the recipe form: numbers, words, switches, and one of several things.

Every field has ``value()``, ``set_value(value)`` (silent), a signal ``changed()`` and plain words
for screen readers. The wheel changes a field only while it has the keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent, QStandardItemModel, QValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import THIN_SPACE, plain_tip
from orgseg_app.runs.recipes.choice import Choice


class IntField(QSpinBox):
    """A whole number."""

    changed = Signal()

    def __init__(
        self, minimum: float | None, maximum: float | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setRange(int(minimum or 0), int(min(maximum or 2**31 - 1, 2**31 - 1)))
        self.setGroupSeparatorShown(False)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        _prepare(self)
        self.valueChanged.connect(lambda _: self.changed.emit())

    def set_value(self, value: object) -> None:
        """Show a value without telling anybody."""
        with QSignalBlocker(self):
            self.setValue(int(value))  # type: ignore[call-overload]

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
        with QSignalBlocker(self):
            self.setValue(float(value))  # type: ignore[arg-type]

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


class ChanceField(NumberField):
    """A share of all patches, 0…1, written in percent."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 1, parent)
        self.setStepType(QAbstractSpinBox.StepType.DefaultStepType)
        self.setSingleStep(0.05)

    def textFromValue(self, value: float) -> str:
        """In percent."""
        return f"{100 * value:.4g}{THIN_SPACE}%"

    def valueFromText(self, text: str) -> float:
        """Percent, with or without the sign."""
        value = _percent(text)
        return self.value() if value is None else value / 100

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Whether it is a percentage, or may become one."""
        value = _percent(text)
        if value is None:
            bare = text.replace("%", "").replace(THIN_SPACE, "")
            half = not bare.strip(" .,0123456789")
            state = QValidator.State.Intermediate if half else QValidator.State.Invalid
        else:
            fits = 0 <= value <= 100
            state = QValidator.State.Acceptable if fits else QValidator.State.Intermediate
        return state, text, position


def _percent(text: str) -> float | None:
    try:
        return float(text.replace("%", "").replace(",", ".").strip())
    except ValueError:
        return None


class ChoiceField(QComboBox):
    """One of several named things; each explains itself in its tooltip.

    Parameters
    ----------
    options
        Name in a recipe → what it is.
    about
        What the field is for; said before what is chosen.
    """

    changed = Signal()

    def __init__(
        self, options: Mapping[str, Choice], about: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._about = about
        self._offer(options.values())
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(16)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.currentIndexChanged.connect(self._on_index_changed)

    def _offer(self, choices: Iterable[Choice]) -> None:
        for choice in choices:
            source = f"\nSource: {choice.source}" if choice.source else ""
            self.addItem(choice.title, choice.name)
            self.setItemData(
                self.count() - 1,
                plain_tip(f"{choice.about}{source}"),
                Qt.ItemDataRole.ToolTipRole,
            )

    def showPopup(self) -> None:
        """The list may be wider than the field, so that long titles can be read."""
        titles = (self.itemText(place) for place in range(self.count()))
        width = max(map(self.fontMetrics().horizontalAdvance, titles), default=0) + 40
        self.view().setMinimumWidth(min(width, 320))
        super().showPopup()

    def set_options(self, options: Mapping[str, Choice]) -> None:
        """Offer other things, silently; what is chosen stays if it is among them."""
        names = [str(self.itemData(i)) for i in range(self.count())]
        if names == list(options):
            return
        chosen = self.value()
        with QSignalBlocker(self):
            self.clear()
            self._offer(options.values())
        self.set_value(chosen)

    def set_missing(self, name: str, reason: str) -> None:
        """Keep an entry from being chosen by a person, and say why."""
        row, model = self.findData(name), self.model()
        if row >= 0 and isinstance(model, QStandardItemModel):
            model.item(row).setEnabled(False)
            about = str(self.itemData(row, Qt.ItemDataRole.ToolTipRole) or "")
            self.setItemData(row, f"{reason}\n{about}", Qt.ItemDataRole.ToolTipRole)

    def value(self) -> str:
        """Name of what is chosen."""
        return str(self.currentData())

    def set_value(self, value: object) -> None:
        """Choose by name, without telling anybody."""
        with QSignalBlocker(self):
            self.setCurrentIndex(max(0, self.findData(value)))
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
        chosen = str(self.currentData(Qt.ItemDataRole.ToolTipRole) or "")
        self.setToolTip(chosen or self._about)


class FlagField(QCheckBox):
    """Yes or no."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggled.connect(lambda _: self.changed.emit())

    def value(self) -> bool:
        """Whether it is ticked."""
        return self.isChecked()

    def set_value(self, value: object) -> None:
        """Tick or not, without telling anybody."""
        with QSignalBlocker(self):
            self.setChecked(bool(value))


class _Words(QLineEdit):
    """A line that tells when it has been written, and takes Esc back."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known = ""
        self.editingFinished.connect(self._on_finished)

    def _on_finished(self) -> None:
        if self.text() != self._known:
            self._known = self.text()
            self.changed.emit()

    def show_text(self, text: str) -> None:
        """Show words without telling anybody."""
        self._known = text
        with QSignalBlocker(self):
            self.setText(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc brings back what stood there."""
        if event.key() == Qt.Key.Key_Escape and self.text() != self._known:
            self.show_text(self._known)
            return
        super().keyPressEvent(event)


class TextField(_Words):
    """A short text."""

    def value(self) -> str:
        """The text, without spaces around it."""
        return self.text().strip()

    def set_value(self, value: object) -> None:
        """Show a text without telling anybody."""
        self.show_text(str(value))


class NumbersField(_Words):
    """Several numbers, parted by spaces: 0.5 0.75 0.9."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._numbers: list[float] = []
        self.textChanged.connect(lambda _: self._show_whether_it_fits())

    def value(self) -> list[float]:
        """The numbers; those before, while what is written is none."""
        found = self._read()
        self._numbers = self._numbers if found is None else found
        return list(self._numbers)

    def set_value(self, value: object) -> None:
        """Show numbers without telling anybody."""
        self._numbers = [float(number) for number in value]  # type: ignore[attr-defined]
        self.show_text("  ".join(f"{number:g}" for number in self._numbers))
        self._show_whether_it_fits()

    def _read(self) -> list[float] | None:
        numbers: list[float] = []
        for word in self.text().replace(";", " ").split():
            bare = word.strip(",")
            # A comma parts numbers that have points, and else parts decimals.
            parts = bare.split(",") if "." in bare else [bare.replace(",", ".")]
            try:
                numbers += [float(part) for part in parts]
            except ValueError:
                return None
        return numbers

    def _show_whether_it_fits(self) -> None:
        bad = "true" if self._read() is None else "false"
        if self.property("bad") != bad:
            self.setProperty("bad", bad)
            theme.restyle(self)


def _prepare(field: QAbstractSpinBox) -> None:
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.setAlignment(Qt.AlignmentFlag.AlignRight)
    field.setKeyboardTracking(False)
    field.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
