"""A field of the recipe form that is a list of named parts: losses, steps, augmentations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from orgseg_app.core.parameter import Parameter
from orgseg_app.gui.help.context import ask_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning
from orgseg_app.gui.panels.recipe_inputs import ChanceField, ChoiceField, NumberField
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import IconButton, label, plain_tip
from orgseg_app.runs.recipes.fields import FieldInfo

NUMBER_WIDTH = 80

_CHANCE = Parameter(1, 0, 1, "How many of the patches it is done to: 1 is all, 0.3 three in ten")
_WEIGHT = Parameter(1, 0.001, 1000, "How much this loss counts beside the others")


def param_title(name: str) -> str:
    """A parameter's name as words.

    >>> param_title("clip_limit")
    'Clip limit'
    """
    return name.replace("_", " ").capitalize()


def param_tip(param: Parameter) -> str:
    """What a parameter means, its range, and its usual value."""
    words = param.explanation.rstrip(".")
    low, high = f"{param.minimum:g}", f"{param.maximum:g}"
    return plain_tip(f"{words}.\nFrom {low} to {high}; usually {param.default:g}.")


class PartRow(QWidget):
    """One loss with its weight, one preprocessing step, or one augmentation with its chance.

    Parameters
    ----------
    info
        The field it is a part of.
    parent

    Attributes
    ----------
    choice, weight, remove
        What it is; its weight (losses) or chance (augmentations); the button that takes it out.
    params
        Field of each parameter, by name; made when they are first seen.
    """

    changed = Signal()
    removed = Signal()
    move_asked = Signal(int)

    def __init__(self, info: FieldInfo, parent: QWidget) -> None:
        super().__init__(parent)
        self._info = info
        self._alone: str | None = {"losses": "weight", "augmentations": "chance"}.get(info.kind)
        self._values: dict[str, float] = {}
        self._reference: Any = None
        self.params: dict[str, NumberField] = {}
        self.choice = ChoiceField(info.options, info.description, self)
        self.choice.setAccessibleName(info.title)
        self.choice.changed.connect(self._on_choice_changed)
        self.weight = self._make_weight()
        self.fold = IconButton("chevron-right", "Show its values", checkable=True, parent=self)
        self.fold.toggled.connect(self._on_folded)
        self.fold.setVisible(info.kind == "augmentations")
        self.remove = IconButton("close", f"Remove this {info.title.lower()}", parent=self)
        self.remove.setToolTip("Remove")
        self.remove.clicked.connect(self.removed)
        for button in (self.fold, self.remove):
            button.setFixedSize(26, 28)
            button.setIconSize(QSize(16, 16))
        self._arrange()

    def _arrange(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(2)
        if self._info.kind == "augmentations":
            top.addWidget(self.fold)
        top.addWidget(self.choice, 1)
        top.addWidget(self.weight)
        top.addWidget(self.remove)
        self._page = QWidget(self)
        self._rows = QVBoxLayout(self._page)
        self._rows.setContentsMargins(12 if self._info.kind != "augmentations" else 28, 0, 0, 0)
        self._rows.setSpacing(4)
        self._page.setVisible(self._info.kind != "augmentations")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self._page)
        self.weight.setVisible(self._alone == "chance")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)

    def _make_weight(self) -> NumberField:
        is_chance = self._alone == "chance"
        param = _CHANCE if is_chance else _WEIGHT
        field = ChanceField(self) if is_chance else NumberField(param.minimum, param.maximum, self)
        field.setProperty("bare", "true")
        field.lineEdit().setTextMargins(0, 0, 6, 0)
        theme.hold(field, width=58 if is_chance else 52)
        field.setAccessibleName(f"{self._info.title}: {self._alone or 'weight'}")
        field.setAccessibleDescription(param.explanation)
        words = "How many of the patches it is done to" if is_chance else param_tip(param)
        field.setToolTip(words)
        field.setWhatsThis(words)
        field.changed.connect(self.changed)
        return field

    def _make_number(self, name: str, param: Parameter) -> NumberField:
        field = NumberField(param.minimum, param.maximum, self)
        theme.hold(field, width=NUMBER_WIDTH)
        field.setToolTip(param_tip(param))
        field.setWhatsThis(param_tip(param))
        field.setAccessibleDescription(param.explanation)
        field.changed.connect(lambda: self._on_number_changed(name, field))
        return field

    # -- its value ---------------------------------------------------------------------------------

    def meaning(self) -> Meaning:
        """What is chosen means, and what its numbers are."""
        chosen = self._info.options[self.choice.value()]
        params = chosen.params.items()
        lines = [chosen.about, *(f"{param_title(name)}: {p.explanation}" for name, p in params)]
        return Meaning(chosen.title, "\n".join(lines), f"recipes#{self._info.path}.{chosen.name}")

    @property
    def known(self) -> Mapping[str, Parameter]:
        """Parameters of what is chosen."""
        return self._info.options[self.choice.value()].params

    def value(self) -> dict[str, Any]:
        """As in a recipe's dict; parameters only where they differ from the usual."""
        known = self.known
        params = {k: v for k, v in self._values.items() if k in known and v != known[k].default}
        value: dict[str, Any] = {"name": self.choice.value(), "params": params}
        if self._alone:
            value[self._alone] = self.weight.value()
        if self._reference:
            value["reference"] = self._reference
        return value

    def set_value(self, value: Mapping[str, Any]) -> None:
        """Show a part, without telling anybody."""
        is_same = value["name"] == self.choice.value()
        self.choice.set_value(value["name"])
        self._values = dict(value.get("params", {}))
        self._reference = value.get("reference") or None
        if self._alone:
            self.weight.set_value(value.get(self._alone, 1.0))
        if is_same and self.params:
            for name, field in self.params.items():
                field.set_value(self._values.get(name, self.known[name].default))
        else:
            self._renew_params()

    def set_alone(self, alone: bool) -> None:
        """A single part has no weight and cannot be removed; augmentations may all go."""
        if self._info.kind == "augmentations":
            return
        self.weight.setVisible(self._alone == "weight" and not alone)
        self.remove.setVisible(not alone)

    # -- its parameters ----------------------------------------------------------------------------

    def _renew_params(self) -> None:
        while self._rows.count():
            old = self._rows.takeAt(0).widget()  # type: ignore[union-attr]
            if old is not None:
                old.hide()
                old.deleteLater()
        self.params = {}
        folds = self._info.kind == "augmentations"
        self.fold.setEnabled(bool(self.known))
        if folds and not self.known:
            self.fold.setChecked(False)
        if not folds or self.fold.isChecked():
            self._make_params()

    def _make_params(self) -> None:
        for name, param in self.known.items():
            row = QWidget(self._page)
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            title = label(param_title(name), tone="secondary")
            title.setToolTip(param_tip(param))
            field = self._make_number(name, param)
            field.setParent(row)
            field.set_value(self._values.get(name, param.default))
            field.setAccessibleName(f"{self.choice.currentText()}: {param_title(name)}")
            title.setBuddy(field)
            line.addWidget(title, 1)
            line.addWidget(field)
            self._rows.addWidget(row)
            self.params[name] = field

    def _on_folded(self, shown: bool) -> None:
        if shown and not self.params:
            self._make_params()
        self._page.setVisible(shown)
        icon, words = (
            ("chevron-down", "Hide its values") if shown else ("chevron-right", "Show its values")
        )
        self.fold.describe(icon, words)

    def _on_number_changed(self, name: str, field: NumberField) -> None:
        self._values[name] = field.value()
        self.changed.emit()

    def _on_choice_changed(self) -> None:
        self._values, self._reference = {}, None
        self._renew_params()
        self.changed.emit()

    # -- its place ---------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt+Up and Alt+Down move it within the list."""
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.move_asked.emit(step)
            return
        super().keyPressEvent(event)

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_meaning(menu, self, self.meaning())
        menu.addAction("Help", lambda: ask_help(self))
        menu.addSeparator()

        def add(text: str, call: Callable[[], object], keys: str = "") -> None:
            action = menu.addAction(text, call)
            if keys:
                action.setShortcut(keys)

        add("Move up", lambda: self.move_asked.emit(-1), "Alt+Up")
        add("Move down", lambda: self.move_asked.emit(1), "Alt+Down")
        if self.known:
            add("Usual values", self._on_usual)
        if not self.remove.isHidden():
            add("Remove", self.removed.emit)
        menu.popup(self.mapToGlobal(at))

    def _on_usual(self) -> None:
        self.set_value({"name": self.choice.value()})
        self.changed.emit()


class PartsField(QWidget):
    """A short list of named parts, run from top to bottom.

    Parameters
    ----------
    info : FieldInfo
        Of kind ``"losses"``, ``"steps"`` or ``"augmentations"``.
    limit : int
        How many parts at most.
    """

    changed = Signal()

    def __init__(self, info: FieldInfo, limit: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info, self._limit = info, limit
        self._rows: list[PartRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        noun = {"losses": "loss", "augmentations": "augmentation"}.get(info.kind, "step")
        self._add = QPushButton(f"Add {noun}", self)
        self._add.setProperty("look", "quiet")
        self._add.setIcon(icons.icon("plus"))
        self._add.clicked.connect(self._on_add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._list)
        layout.addWidget(self._add, 0, Qt.AlignmentFlag.AlignLeft)

    @property
    def rows(self) -> list[PartRow]:
        """The parts, in order."""
        return list(self._rows)

    def value(self) -> list[dict[str, Any]]:
        """The parts, as in a recipe's dict."""
        return [row.value() for row in self._rows]

    def set_value(self, value: Sequence[Mapping[str, Any]]) -> None:
        """Show these parts, without telling anybody."""
        with QSignalBlocker(self):
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

    def _append(self) -> PartRow:
        row = PartRow(self._info, self)
        row.changed.connect(self.changed)
        row.removed.connect(lambda: self._on_removed(row))
        row.move_asked.connect(lambda step: self._on_move(row, step))
        row.choice.setAccessibleDescription(self._info.description)
        self._rows.append(row)
        self._list.addWidget(row)
        self._order_tabs()
        return row

    def _order_tabs(self) -> None:
        widgets = [w for r in self._rows for w in (r.fold, r.choice, r.weight, r.remove)]
        widgets = [w for w in widgets if w.window() is self.window()]
        for before, after in zip(widgets, [*widgets[1:], self._add], strict=True):
            QWidget.setTabOrder(before, after)

    def _drop(self, row: PartRow) -> None:
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

    def _on_removed(self, row: PartRow) -> None:
        self._drop(row)
        self._tidy()
        (self._rows[-1].choice if self._rows else self._add).setFocus()
        self.changed.emit()

    def _on_move(self, row: PartRow, step: int) -> None:
        place = self._rows.index(row)
        to = place + step
        if not 0 <= to < len(self._rows):
            return
        self._rows.insert(to, self._rows.pop(place))
        self._list.removeWidget(row)
        self._list.insertWidget(to, row)
        self._order_tabs()
        self.changed.emit()

    def _tidy(self) -> None:
        for row in self._rows:
            row.set_alone(len(self._rows) == 1)
        self._add.setEnabled(len(self._rows) < self._limit)
