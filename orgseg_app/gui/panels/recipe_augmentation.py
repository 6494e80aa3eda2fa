"""The field for augmentation: a menu of usual choices, and the steps themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.panels.recipe_inputs import ChoiceField
from orgseg_app.gui.panels.recipe_parts import PartsField
from orgseg_app.gui.style.widgets import IconButton
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.choice import Choice
from orgseg_app.runs.recipes.fields import FieldInfo

BY_HAND = "by hand"
_MENU: Mapping[str, Choice] = {
    name: Choice(name, preset.title, preset.about, "")
    for name, preset in AUGMENTATION_PRESETS.items()
} | {BY_HAND: Choice(BY_HAND, "By hand", "The steps of the Advanced form, chosen one by one.", "")}


class AugmentationField(QWidget):
    """How patches are changed: a usual choice by its name, or steps by hand.

    Parameters
    ----------
    info : FieldInfo
        Of kind ``"augmentations"``.

    Attributes
    ----------
    examples
        Button that asks for a sheet of examples.
    """

    changed = Signal()

    def __init__(self, info: FieldInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.menu = ChoiceField(_MENU, info.description, self)
        self.menu.setAccessibleName(info.title)
        self.menu.changed.connect(self._on_menu_changed)
        self.examples = IconButton("image", "Show examples of augmented patches", parent=self)
        self.parts = PartsField(info, 16, self)
        self.parts.changed.connect(self._on_parts_changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.menu, 1)
        line.addWidget(self.examples)
        column.addLayout(line)
        column.addWidget(self.parts)
        self.parts.hide()
        self._steps: list[dict[str, Any]] = []
        self.setFocusProxy(self.menu)

    def set_detailed(self, detailed: bool) -> None:
        """Show the steps themselves, too."""
        if detailed:
            self.parts.set_value(self._steps)
        self.parts.setVisible(detailed)

    def value(self) -> list[dict[str, Any]]:
        """The steps, as in a recipe's dict."""
        return [dict(step) for step in self._steps]

    def set_value(self, value: Sequence[Mapping[str, Any]]) -> None:
        """Show these steps, without telling anybody."""
        self._steps = [dict(step) for step in value]
        if not self.parts.isHidden():
            self.parts.set_value(self._steps)
        self._show_name()

    def setAccessibleDescription(self, text: str) -> None:
        """The description goes to the menu."""
        super().setAccessibleDescription(text)
        self.menu.setAccessibleDescription(text)

    def _show_name(self) -> None:
        wanted = [_plain(step) for step in self._steps]
        for name, preset in AUGMENTATION_PRESETS.items():
            if [_plain(msgspec.to_builtins(step)) for step in preset.steps] == wanted:
                self.menu.set_value(name)
                return
        self.menu.set_value(BY_HAND)

    def _on_menu_changed(self) -> None:
        preset = AUGMENTATION_PRESETS.get(self.menu.value())
        if preset is None:
            return
        self._steps = [msgspec.to_builtins(step) for step in preset.steps]
        if not self.parts.isHidden():
            with QSignalBlocker(self.parts):
                self.parts.set_value(self._steps)
        self.changed.emit()

    def _on_parts_changed(self) -> None:
        self._steps = self.parts.value()
        self._show_name()
        self.changed.emit()


def _plain(step: Mapping[str, Any]) -> tuple[object, ...]:
    params = sorted(step.get("params", {}).items())
    return step["name"], float(step.get("chance", 1.0)), tuple(params)
