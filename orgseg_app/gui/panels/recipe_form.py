"""The form of a recipe, made from the recipe's own fields, in a Basic and an Advanced mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.core.preprocessing.order import advice
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.recipe_fields import (
    AugmentationField,
    ChoiceField,
    ClassWeightsField,
    Field,
)
from orgseg_app.gui.panels.recipe_rows import RecipeRow
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.focus import tab_in_order
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconButton,
    SecondaryButton,
    Section,
    label,
    plain_tip,
)
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.choices import OPTIONS
from orgseg_app.runs.recipes.fields import GROUPS, FieldInfo, recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.published import published_settings, published_words
from orgseg_app.runs.recipes.reading import recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.relevance import idle_fields
from orgseg_app.runs.recipes.schema import PreprocessStep, Recipe
from orgseg_app.runs.recipes.values import comparable, put_value, value_at

MODES = (("basic", "Basic"), ("advanced", "Advanced"))


class RecipeForm(QWidget):
    """Every field of a recipe that has an effect, with what differs from the preset marked.

    Fields that the chosen network does not heed, or that another choice makes idle, are hidden;
    what they hold is kept. Rows of the Advanced mode are made when they are first wanted.

    Signals
    -------
    changed()
        A person changed a field.
    preprocess_changed()
        The preprocessing is another, whoever changed it.
    examples_requested()
        A person wants to see what augmentation makes of patches.
    """

    changed = Signal()
    preprocess_changed = Signal()
    examples_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._start: dict[str, Any] = {}
        self._data: dict[str, Any] = {}
        self._rows: dict[str, RecipeRow] = {}
        self._groups: dict[str, Section] = {}
        self._steps: tuple[PreprocessStep, ...] = ()
        self._classes: list[tuple[str, str]] = []
        self.preview = IconButton("eye", "Preview on the image", checkable=True)
        self.order = Caption()
        self.order.setAccessibleName("Order of the steps")
        self.order.hide()
        self._infos: Mapping[str, FieldInfo] = {
            info.path: info
            for info in recipe_fields()
            if info.group and not (info.kind == "choice" and len(info.options) < 2)
        }
        set_help(self, "recipes")
        self._build()
        self._make_rows([info for info in self._infos.values() if info.is_basic])

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.mode = Segments("Fields", MODES, self)
        self.mode.chosen.connect(lambda mode: self.set_advanced(mode == "advanced"))
        self.more = IconButton("more", "More: save this recipe, open another")
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.mode, 1)
        head.addWidget(self.more)
        self.filter = QLineEdit(self, placeholderText="Find a setting", clearButtonEnabled=True)
        self.filter.setAccessibleName("Find a setting")
        self.filter.textChanged.connect(lambda _: self._show_rows())
        self.filter.hide()
        self.nothing = Caption("No setting is called so.")
        self.nothing.hide()
        self._column = QVBoxLayout()
        self._column.setSpacing(GAP)
        for title in GROUPS:
            page = QWidget(self)
            rows = QVBoxLayout(page)
            rows.setContentsMargins(0, 0, 0, GAP)
            rows.setSpacing(GAP)
            section = Section(title, page, parent=self)
            section.header.hide()
            self._groups[title] = section
            self._column.addWidget(section)
        self.elsewhere = SecondaryButton("", "settings", quiet=True, parent=self)
        self.elsewhere.clicked.connect(lambda: self.set_advanced(True))
        self.elsewhere.hide()
        self.problem = label(tone="error", wrap=True)
        self.problem.setAccessibleName("Problem with the recipe")
        self.problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.filter)
        column.addWidget(self.nothing)
        column.addLayout(self._column)
        column.addWidget(self.elsewhere, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.problem)

    def _make_rows(self, infos: Sequence[FieldInfo]) -> None:
        for info in infos:
            page = self._groups[info.group].content
            layout = page.layout()
            assert isinstance(layout, QVBoxLayout)
            row = RecipeRow(info, page)
            order = [path for path, other in self._infos.items() if other.group == info.group]
            before = order[: order.index(info.path)]
            layout.insertWidget(sum(path in self._rows for path in before), row)
            self._rows[info.path] = row
            row.edited.connect(self._on_edited)
            row.reset_asked.connect(self.reset)
            row.marked.connect(self._on_marked)
            if info.title == info.group:
                header = self._groups[info.group].header
                header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
                header.customContextMenuRequested.connect(
                    lambda at, row=row, header=header: row.open_menu(header.mapToGlobal(at))
                )
            self._furnish(row)
            if self._data:
                row.set_value(value_at(self._data, info.path), differs=self._differs(info.path))
        tab_in_order(self)

    def _furnish(self, row: RecipeRow) -> None:
        """What some rows have beside title and field."""
        path = row.info.path
        if path == "preprocess":
            row.head.addWidget(self.preview)
            row.column.addWidget(self.order)
        elif path == "network.name":
            self.about_network = Caption()
            self.about_network.setMinimumHeight(2 * self.about_network.fontMetrics().lineSpacing())
            self.published = SecondaryButton("As published", "file", quiet=True)
            self.published.clicked.connect(self._on_published)
            assert isinstance(row.field, ChoiceField)
            for info in NETWORK_NAMES.values():
                if not info.is_installed:
                    row.field.set_missing(info.name, "Its optional library is not installed.")
            row.column.addWidget(self.about_network)
            row.column.addWidget(self.published, 0, Qt.AlignmentFlag.AlignLeft)
        if isinstance(row.field, ClassWeightsField):
            row.field.set_classes(self._classes)
        elif isinstance(row.field, AugmentationField):
            row.field.examples.clicked.connect(self.examples_requested)

    @property
    def fields(self) -> dict[str, Field]:
        """Every field by its path; asking makes those that were not wanted yet."""
        self._make_all()
        return {path: self._rows[path].field for path in self._infos}

    def _make_all(self) -> None:
        missing = [info for path, info in self._infos.items() if path not in self._rows]
        if missing:
            self._make_rows(missing)
            self._show_rows()

    # -- the modes ---------------------------------------------------------------------------------

    @property
    def is_advanced(self) -> bool:
        """Whether every field is shown."""
        return self.mode.value() == "advanced"

    def set_advanced(self, advanced: bool) -> None:
        """Show every field, in titled groups, or only those that most people want."""
        self.mode.set_value("advanced" if advanced else "basic")
        if advanced:
            self._make_all()
        else:
            self.filter.clear()
        self._show_rows()

    def set_classes(self, classes: Sequence[tuple[str, str]]) -> None:
        """Name and colour of each class of the project, for weights by hand."""
        self._classes = list(classes)
        row = self._rows.get("class_weight_values")
        if row is not None and isinstance(row.field, ClassWeightsField):
            row.field.set_classes(classes)

    def _show_rows(self) -> None:
        if not self._data:
            return
        advanced, words = self.is_advanced, self.filter.text().casefold().split()
        network = self._data["network"]["name"]
        idle = idle_fields(
            network,
            schedule=self._data["schedule"],
            class_weights=self._data["class_weights"],
        )
        shown: set[str] = set()
        for path, row in self._rows.items():
            visible = path not in idle and (advanced or row.info.is_basic)
            visible = visible and (not words or row.matches(words))
            row.setVisible(visible)
            if visible:
                shown.add(row.info.group)
            # The group says it already.
            row.title.setVisible(not advanced or row.info.title != row.info.group)
            if isinstance(row.field, AugmentationField):
                row.field.set_detailed(advanced)
            if path == "network.fusion" and isinstance(row.field, ChoiceField):
                fusions = NETWORK_NAMES[network].fusions if network in NETWORK_NAMES else ()
                options = OPTIONS["network.fusion"]
                row.field.set_options({name: options[name] for name in fusions} or options)
                row.field.set_value(value_at(self._data, path))
        for title, section in self._groups.items():
            section.setVisible(title in shown)
            section.header.setVisible(advanced)
            section.content.setVisible(not advanced or bool(words) or section.header.isChecked())
            layout = section.content.layout()
            assert layout is not None
            layout.setContentsMargins(0, 0, 0, GAP if advanced else 0)
        self.filter.setVisible(advanced)
        self.nothing.setVisible(advanced and bool(words) and not shown)
        self._show_network()
        self._show_elsewhere()

    def _show_network(self) -> None:
        info = NETWORK_NAMES.get(self._data["network"]["name"])
        self.about_network.setText(info.about if info is not None else "")
        settings = published_settings(self._data["network"]["name"])
        now = {path: comparable(value_at(self._data, path)) for path in settings}
        done = all(now[path] == comparable(value) for path, value in settings.items())
        words = published_words(self._data["network"]["name"])
        self.published.setVisible(bool(settings) and self.is_advanced)
        self.published.setEnabled(not done)
        self.published.setText("As published" if done else "Set as published")
        self.published.setToolTip(plain_tip(words))
        self.published.setAccessibleDescription(words)

    def _show_elsewhere(self) -> None:
        """Say in the Basic mode that something out of sight was changed."""
        hidden = [p for p in self.changed_paths if not self._infos[p].is_basic]
        noun = "setting differs" if len(hidden) == 1 else "settings differ"
        self.elsewhere.setText(f"{len(hidden)} advanced {noun}")
        names = "\n".join(self._infos[path].title for path in hidden)
        self.elsewhere.setToolTip(plain_tip(f"From the preset:\n{names}"))
        self.elsewhere.setVisible(bool(hidden) and not self.is_advanced)

    # -- the recipe --------------------------------------------------------------------------------

    def set_recipe(self, recipe: Recipe, *, start: Recipe | None = None) -> None:
        """Show a recipe; fields that differ from `start` (by default itself) are marked."""
        self._data = recipe_to_builtins(recipe)
        self._start = recipe_to_builtins(start or recipe)
        for path, row in self._rows.items():
            row.set_value(value_at(self._data, path), differs=self._differs(path))
        self._show_rows()
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
            PreprocessStep(
                step["name"], dict(step.get("params", {})), tuple(step.get("reference", ()))
            )
            for step in self._data["preprocess"]
        )

    @property
    def error(self) -> str:
        """What is wrong with the recipe, or ""."""
        return self.problem.text() if not self.problem.isHidden() else ""

    def value(self, path: str) -> Any:
        """What a field holds, as in a recipe's dict."""
        return value_at(self._data, path)

    @property
    def changed_paths(self) -> list[str]:
        """Fields that differ from the starting point, in order."""
        return [path for path in self._infos if self._differs(path)]

    def reset(self, path: str = "") -> None:
        """Back to the starting point: one field, or all of them."""
        self.change({n: value_at(self._start, n) for n in ([path] if path else self._infos)})

    def change(self, values: Mapping[str, Any]) -> None:
        """Set fields, by their paths, as if a person had done it."""
        for path, value in values.items():
            put_value(self._data, path, value)
            if path in self._rows:
                self._rows[path].set_value(value, differs=self._differs(path))
        self._show_rows()
        self._check()
        self.changed.emit()

    # -- within ------------------------------------------------------------------------------------

    def _on_edited(self, path: str) -> None:
        put_value(self._data, path, self._rows[path].field.value())
        if path == "network.name":
            self._fit_network()
        self._rows[path].mark(self._differs(path))
        if path in ("network.name", "schedule", "class_weights"):
            self._show_rows()
        else:
            self._show_network()
        self._check()
        self.changed.emit()

    def _fit_network(self) -> None:
        """A fusion or planes that the network cannot have give way to its own."""
        info = NETWORK_NAMES[self._data["network"]["name"]]
        own: dict[str, Any] = {}
        if self._data["network"]["fusion"] not in info.fusions:
            own["fusion"] = info.fusions[0]
        if not info.takes_planes:
            own["planes"] = 1
        for name, value in own.items():
            self._data["network"][name] = value
            path = f"network.{name}"
            if path in self._rows:
                self._rows[path].set_value(value, differs=self._differs(path))

    def _on_published(self) -> None:
        self.change(published_settings(self._data["network"]["name"]))

    def _on_marked(self, path: str) -> None:
        """A heading stands for the row that bears the same title."""
        row = self._rows.get(path)
        if row is not None and row.info.title == row.info.group:
            text = f"{row.info.group} •" if row.differs else row.info.group
            self._groups[row.info.group].header.setText(text)

    def _differs(self, path: str) -> bool:
        return bool(
            comparable(value_at(self._data, path)) != comparable(value_at(self._start, path))
        )

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
            words = " ".join(advice(steps))
            self.order.setText(words)
            self.order.setVisible(bool(words))
            self.preprocess_changed.emit()
