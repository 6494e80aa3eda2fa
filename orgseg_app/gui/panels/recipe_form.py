"""The form of a recipe, made from the recipe's own fields: Basic always there, Advanced folded."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from orgseg_app.gui.panels.recipe_fields import ChoiceField, Field, PartsField, make_field
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, IconButton, Section, label
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipe import Recipe, recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.schema import FieldInfo, PreprocessStep, recipe_fields

BASIC = (
    "steps",
    "max_minutes",
    "network.depth",
    "network.width",
    "loss",
    "preprocess",
)
"""Fields that most people will want to see; all others are advanced."""

HIDDEN = ("name", "about")
"""Fields that are set elsewhere: the name stands beside the Train button."""

NUMBER_WIDTH, CHOICE_WIDTH = 88, 132


class RecipeForm(QWidget):
    """Every field of a recipe, with what differs from the starting point marked.

    Signals
    -------
    changed()
        A person changed a field.
    preprocess_changed()
        The preprocessing is another, whoever changed it.
    """

    changed = Signal()
    preprocess_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._start: dict[str, Any] = {}
        self._data: dict[str, Any] = {}
        self.fields: dict[str, Field] = {}
        self._labels: dict[str, QLabel] = {}
        self._steps: tuple[PreprocessStep, ...] = ()
        self.preview = IconButton("eye", "Preview on the image", checkable=True)
        self._infos = {
            info.path: info
            for info in recipe_fields()
            if info.path not in HIDDEN and not (info.kind == "choice" and len(info.options) < 2)
        }
        basic, advanced = QWidget(self), QWidget(self)
        self._fill(basic, [self._infos[path] for path in BASIC if path in self._infos])
        self._fill(advanced, [info for path, info in self._infos.items() if path not in BASIC])
        self.advanced = Section("Advanced", advanced, expanded=False, parent=self)
        self.problem = label(tone="error", wrap=True)
        self.problem.setAccessibleName("Problem with the recipe")
        self.problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(basic)
        column.addWidget(self.advanced)
        column.addWidget(self.problem)

    def _fill(self, page: QWidget, infos: list[FieldInfo]) -> None:
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(GAP)
        for info in infos:
            field = make_field(info, page)
            title = label(info.title)
            title.setToolTip(info.description)
            title.setBuddy(field)
            title.installEventFilter(self)
            title.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            title.customContextMenuRequested.connect(
                lambda at, path=info.path: self._offer_reset(path, at)
            )
            self._labels[info.path], self.fields[info.path] = title, field
            if isinstance(field, PartsField):
                part = QVBoxLayout()
                part.setSpacing(4)
                line = QHBoxLayout()
                line.addWidget(title, 1)
                if info.path == "preprocess":
                    line.addWidget(self.preview)
                part.addLayout(line)
                part.addWidget(field)
                rows.addLayout(part)
            else:
                is_choice = isinstance(field, ChoiceField)
                field.setFixedWidth(CHOICE_WIDTH if is_choice else NUMBER_WIDTH)
                line = QHBoxLayout()  # one row by itself: wide choices do not push numbers out
                line.setSpacing(GAP)
                line.addWidget(title, 1)
                line.addWidget(field)
                rows.addLayout(line)
            field.changed.connect(lambda path=info.path: self._on_changed(path))

    # -- the recipe --------------------------------------------------------------------------------

    def set_recipe(self, recipe: Recipe, *, start: Recipe | None = None) -> None:
        """Show a recipe; fields that differ from `start` (by default itself) are marked."""
        self._data = recipe_to_builtins(recipe)
        self._start = recipe_to_builtins(start or recipe)
        for path, field in self.fields.items():
            field.set_value(_at(self._data, path))
            self._mark(path)
        self._check()

    def recipe(self) -> Recipe:
        """The recipe as it stands.

        Raises
        ------
        RecipeError
            With the sentence that the form shows too.
        """
        return recipe_from_builtins(self._data)

    def preprocess(self) -> tuple[PreprocessStep, ...]:
        """The steps of the preprocessing as they stand, whatever the other fields hold."""
        return tuple(
            PreprocessStep(step["name"], dict(step.get("params", {})))
            for step in self._data["preprocess"]
        )

    @property
    def error(self) -> str:
        """What is wrong with the recipe, or ""."""
        return self.problem.text() if not self.problem.isHidden() else ""

    @property
    def changed_paths(self) -> list[str]:
        """Fields that differ from the starting point, in order."""
        return [path for path in self._infos if self._differs(path)]

    def reset(self, path: str = "") -> None:
        """Back to the starting point: one field, or all of them."""
        for name in [path] if path else list(self._infos):
            _put(self._data, name, _at(self._start, name))
            self.fields[name].set_value(_at(self._data, name))
            self._mark(name)
        self._check()
        self.changed.emit()

    # -- within ------------------------------------------------------------------------------------

    def _on_changed(self, path: str) -> None:
        _put(self._data, path, self.fields[path].value())
        self._mark(path)
        self._check()
        self.changed.emit()

    def _differs(self, path: str) -> bool:
        return bool(_plain(_at(self._data, path)) != _plain(_at(self._start, path)))

    def _mark(self, path: str) -> None:
        info, title = self._infos[path], self._labels[path]
        differs = self._differs(path)
        title.setText(f"{info.title} •" if differs else info.title)
        title.setFont(theme.font(strong=differs))
        title.setAccessibleDescription("changed" if differs else "")
        tip = f"{info.description}\nChanged; double-click for the preset's value."
        title.setToolTip(tip if differs else info.description)

    def _check(self) -> None:
        try:
            self.recipe()
            text = ""
        except RecipeError as error:
            text = str(error)
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        steps = self.preprocess()
        if steps != self._steps:
            self._steps = steps
            self.preprocess_changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A double click on a title resets its field."""
        if event.type() == QEvent.Type.MouseButtonDblClick:
            path = next((p for p, title in self._labels.items() if title is watched), "")
            if path and self._differs(path):
                self.reset(path)
                return True
        return super().eventFilter(watched, event)

    def _offer_reset(self, path: str, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        one = menu.addAction("Preset's value", lambda: self.reset(path))
        one.setEnabled(self._differs(path))
        every = menu.addAction("Preset's values everywhere", lambda: self.reset())
        every.setEnabled(bool(self.changed_paths))
        menu.popup(self._labels[path].mapToGlobal(at))


def _at(data: dict[str, Any], path: str) -> Any:
    group, _, leaf = path.rpartition(".")
    return (data[group] if group else data)[leaf]


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    group, _, leaf = path.rpartition(".")
    (data[group] if group else data)[leaf] = value


def _plain(value: Any) -> Any:
    """Lists of parts without what is only a default, so that equal recipes compare equal."""
    if isinstance(value, list):
        return [
            (part["name"], part.get("weight", 1.0), sorted(part.get("params", {}).items()))
            for part in value
        ]
    return value
