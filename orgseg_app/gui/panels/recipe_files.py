"""Recipes as files: what is set in the form is saved, and a saved recipe opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from orgseg_app.files.atomic import reason, replacing
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.reading import load_recipe, recipe_to_json, recipe_to_toml
from orgseg_app.runs.recipes.schema import Recipe

if TYPE_CHECKING:
    from orgseg_app.gui.panels.training_panel import TrainingPanel

SUFFIXES = (".json", ".toml")
FILTER = "Recipes (*.json *.toml)"


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as TOML or JSON, by the file's ending.

    Raises
    ------
    OSError
        When the disk refuses; a file that was there is then as before.
    """
    text = recipe_to_toml(recipe) if path.suffix.casefold() == ".toml" else recipe_to_json(recipe)
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


class RecipeFiles:
    """What the form's menu offers.

    Parameters
    ----------
    panel : TrainingPanel
        Its form is saved, and shows what is opened.
    """

    def __init__(self, panel: TrainingPanel) -> None:
        self.panel = panel

    def make_menu(self, parent: QWidget) -> QMenu:
        """The menu, which forgets itself when it closes."""
        menu = QMenu(parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open recipe…", self.open)
        menu.addAction("Save recipe as…", self.save)
        menu.addSeparator()
        reset = menu.addAction("Preset's values everywhere", lambda: self.panel.form.reset())
        reset.setEnabled(bool(self.panel.form.changed_paths))
        return menu

    def show_menu(self) -> None:
        """Open the menu below the form's button."""
        button = self.panel.form.more
        self.make_menu(button).popup(button.mapToGlobal(QPoint(0, button.height())))

    def open(self) -> None:
        """Ask for a recipe file, and show what it says."""
        name, _ = QFileDialog.getOpenFileName(self.panel, "Open recipe", "", FILTER)
        if not name:
            return
        try:
            recipe = load_recipe(Path(name))
        except RecipeError as error:
            self.panel.session.report_error(error)
            return
        self.panel.use_recipe(recipe)

    def save(self) -> None:
        """Ask where, and write what is set; the recipe is called like its file."""
        session = self.panel.session
        try:
            recipe = self.panel.form.recipe()
        except RecipeError as error:
            session.report_error(error)
            return
        wanted = f"{self.panel.name.text() or recipe.name}.json"
        name, _ = QFileDialog.getSaveFileName(
            self.panel, "Save recipe", wanted.replace("/", "-"), FILTER
        )
        if not name:
            return
        path = Path(name)
        if path.suffix.casefold() not in SUFFIXES:
            path = path.with_name(f"{path.name}.json")
        about = "" if self.panel.form.changed_paths else recipe.about
        try:
            write_recipe(path, structs.replace(recipe, name=path.stem[:80], about=about))
        except OSError as error:
            text = f"The recipe could not be saved: {reason(error)}. Choose another folder."
            session.message.emit(text, "error")
            return
        session.message.emit(f"The recipe is saved as {path.name}.", "info")
