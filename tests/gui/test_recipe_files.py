"""Recipes are saved to files and opened from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels.recipe_fields import IntField
from orgseg_app.gui.panels.training_panel import TrainingPanel
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import load_recipe
from tests.gui.recorded_runs import World, make_project, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train"], side=48):
        pass
    with opened(path) as world:
        yield world


@pytest.fixture
def panel(world: World, qtbot: QtBot) -> TrainingPanel:
    panel = TrainingPanel(world.session, world.runs)
    qtbot.addWidget(panel)
    return panel


def answer(monkeypatch: pytest.MonkeyPatch, kind: str, path: Path | str) -> None:
    monkeypatch.setattr(QFileDialog, kind, lambda *_: (str(path), ""))


@pytest.mark.parametrize("name", ["mine.json", "mine.toml", "mine.TOML", "mine"])
def test_what_is_set_is_saved_and_opened_again(
    panel: TrainingPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    panel.use_preset("em-published")
    steps = panel.form.fields["steps"]
    assert isinstance(steps, IntField)
    steps.setValue(77)
    target = tmp_path / name
    answer(monkeypatch, "getSaveFileName", target)
    panel.files.save()
    written = target if target.suffix else target.with_name("mine.json")
    recipe = load_recipe(written)
    assert recipe.steps == 77
    assert recipe.name == "mine"
    assert recipe.about == ""  # it is no longer what the preset says of itself
    panel.use_preset("fast")
    answer(monkeypatch, "getOpenFileName", written)
    panel.files.open()
    assert panel.form.recipe() == recipe
    assert panel.cards.selected() == ""
    assert panel.name.text() == "mine"


def test_a_preset_saved_as_it_is_keeps_its_words(
    panel: TrainingPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "getSaveFileName", tmp_path / "laptop.toml")
    panel.files.save()
    assert load_recipe(tmp_path / "laptop.toml").about == PRESETS["fast"].about


def test_trouble_is_said_and_changes_nothing(
    panel: TrainingPanel, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = panel.form.recipe()
    bad = tmp_path / "bad.toml"
    bad.write_text("name = 3")
    answer(monkeypatch, "getOpenFileName", bad)
    panel.files.open()
    assert panel.form.recipe() == before
    assert 'The recipe file "bad.toml" cannot be used' in world.messages[-1][1]
    answer(monkeypatch, "getSaveFileName", tmp_path / "no such folder" / "x.json")
    panel.files.save()
    level, words = world.messages[-1]
    assert level == "error"
    assert "could not be saved" in words
    answer(monkeypatch, "getOpenFileName", "")
    answer(monkeypatch, "getSaveFileName", "")
    count = len(world.messages)
    panel.files.open()
    panel.files.save()
    assert len(world.messages) == count


def test_the_menu_of_the_form(panel: TrainingPanel, qtbot: QtBot) -> None:
    menu = panel.files.make_menu(panel)
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == ["Open recipe…", "Save recipe as…", "Preset's values everywhere"]
    assert not menu.actions()[-1].isEnabled()
    menu.deleteLater()
    steps = panel.form.fields["steps"]
    assert isinstance(steps, IntField)
    steps.setValue(5)
    menu = panel.files.make_menu(panel)
    menu.actions()[-1].trigger()
    assert panel.form.recipe() == PRESETS["fast"]
    menu.deleteLater()
