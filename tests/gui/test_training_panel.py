"""The training panel: presets, the form made from the recipe, what is painted, the one button."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.edits.whole import MergeClass
from orgseg_app.gui.panels.preset_cards import preset_title
from orgseg_app.gui.panels.recipe_fields import IntField
from orgseg_app.gui.panels.training_panel import TrainingPanel
from orgseg_app.gui.runs.starting import Start
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.settings import with_settings
from tests.gui.recorded_runs import World, make_project, opened, pretend_alive, record_run

# -- the panel -------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    with make_project(path, side=48):
        pass
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        yield world


def make_panel(world: World, qtbot: QtBot) -> TrainingPanel:
    panel = TrainingPanel(world.session, world.runs)
    qtbot.addWidget(panel)
    panel.resize(300, 720)
    panel.show()
    qtbot.waitExposed(panel)
    qtbot.waitUntil(lambda: world.session.background.is_idle)
    return panel


def test_what_is_painted_is_said_in_words(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    qtbot.waitUntil(lambda: panel.data.text().startswith("7 images painted"))
    assert panel.data.text() == "7 images painted: 3 train, 1 validation, 3 test"
    assert panel.shares.text().startswith("ER ")
    assert "background" in panel.shares.text()
    assert panel.problem.isHidden()
    assert panel.button.isEnabled()
    assert "memory" in panel.estimate.text()


def test_the_button_hands_over_recipe_and_name(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    qtbot.waitUntil(panel.button.isEnabled)
    steps = panel.form.fields["steps"]
    assert isinstance(steps, IntField)
    steps.setValue(50)
    panel.name.clear()
    qtbot.keyClicks(panel.name, "Test µ")
    with qtbot.waitSignal(panel.train_requested) as asked:
        panel.button.setFocus()
        qtbot.keyClick(panel.button, Qt.Key.Key_Space)
    recipe, name, start = asked.args
    assert start == Start()
    assert isinstance(recipe, Recipe)
    assert recipe.steps == 50
    assert name == "Test µ"


def test_names_are_suggested_until_one_is_written(world: World, qtbot: QtBot) -> None:
    assert world.session.file is not None
    panel = make_panel(world, qtbot)
    assert panel.name.text() == "fast"
    panel.use_preset("fast-bce")
    assert panel.name.text() == "fast-bce"
    width = panel.form.fields["network.width"]
    assert isinstance(width, IntField)
    width.setValue(32)
    assert panel.name.text() == "fast-bce width 32"
    qtbot.keyClicks(panel.name, "!")
    width.setValue(8)
    assert panel.name.text() == "fast-bce width 32!"


def test_a_name_that_is_taken_gets_a_number(path: Path, qtbot: QtBot) -> None:
    taken = path.with_name("taken.orgseg")
    with make_project(taken, side=48) as file:
        record_run(file, "fast")
    with opened(taken) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(lambda: panel.name.text() == "fast 2")


@pytest.mark.parametrize(
    "splits, said",
    [
        (["test", "test"], "training split"),
        ([], "no images"),
    ],
)
def test_problems_are_said_before_the_button_is_pressed(
    tmp_path: Path, qtbot: QtBot, splits: list[str], said: str
) -> None:
    bare = tmp_path / "bare.orgseg"
    with make_project(bare, splits=splits, side=48):
        pass
    with opened(bare) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(lambda: said in panel.problem.text())
        assert not panel.button.isEnabled()
        assert panel.button.toolTip() == panel.problem.text()
        asked: list[object] = []
        panel.train_requested.connect(lambda *a: asked.append(a))
        panel.request_training()
        assert asked == []


def test_missing_test_images_are_a_warning_only(tmp_path: Path, qtbot: QtBot) -> None:
    bare = tmp_path / "bare.orgseg"
    with make_project(bare, splits=["train", "validation"], side=48):
        pass
    with opened(bare) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(lambda: "test" in panel.problem.text())
        assert panel.button.isEnabled()


def test_painting_is_noticed(tmp_path: Path, qtbot: QtBot) -> None:
    bare = tmp_path / "bare.orgseg"
    with make_project(bare, splits=["train"], side=48):
        pass
    with opened(bare) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(panel.button.isEnabled)
        world.session.apply(MergeClass(2))
        qtbot.waitUntil(lambda: "Only one class" in panel.problem.text())
        assert not panel.button.isEnabled()
        world.session.undo()
        qtbot.waitUntil(panel.button.isEnabled)


def test_without_a_project_nothing_can_be_trained(qtbot: QtBot) -> None:
    with opened(None) as world:
        panel = make_panel(world, qtbot)
        assert not panel.button.isEnabled()
        assert "Open a project" in panel.problem.text()


def test_an_impossible_recipe_disables_the_button(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    qtbot.waitUntil(panel.button.isEnabled)
    patch = panel.form.fields["patch_size"]
    assert isinstance(patch, IntField)
    patch.setValue(16)
    panel.form.fields["network.depth"].setValue(6)  # type: ignore[union-attr]
    assert not panel.button.isEnabled()
    panel.use_preset("fast")
    assert panel.button.isEnabled()


def test_presets_by_mouse_and_keys(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    cards = panel.cards
    assert cards.selected() == "fast"
    hidden = [name for name, card in cards.cards.items() if not card.isVisible()]
    assert hidden
    qtbot.mouseClick(cards.more, Qt.MouseButton.LeftButton)
    assert all(card.isVisible() for card in cards.cards.values())
    first, second = list(PRESETS)[:2]
    cards.cards[first].setFocus()
    qtbot.keyClick(cards.cards[first], Qt.Key.Key_Down)
    assert cards.selected() == second
    assert panel.form.recipe() == PRESETS[second]
    assert preset_title(second) in cards.cards[second].accessibleName()


def test_several_classes_start_with_the_preset_for_them(tmp_path: Path, qtbot: QtBot) -> None:
    many = tmp_path / "many.orgseg"
    with make_project(many, class_names=("ER", "nucleus"), splits=["train"], side=48):
        pass
    with opened(many) as world:
        panel = make_panel(world, qtbot)
        assert panel.cards.selected() == "multi-class"
        assert panel.form.recipe() == PRESETS["multi-class"]


def test_the_recipe_of_a_run_can_be_used_again(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    recipe = with_settings(PRESETS["fast"], ["steps=77", "loss=bce+dice"])
    panel.use_recipe(recipe)
    assert panel.form.recipe() == recipe
    assert set(panel.form.changed_paths) == {"steps", "loss"}


def test_while_another_run_works_the_button_says_that_it_waits(path: Path, qtbot: QtBot) -> None:
    busy = path.with_name("busy.orgseg")
    with make_project(busy, side=48) as file:
        pretend_alive(record_run(file, "busy", upto=40, end=""))
    with opened(busy) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(lambda: panel.button.text() == "Train after the current run")
        assert panel.button.isEnabled()


def test_everything_has_a_name_and_shows_plain_text(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    for label in panel.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText, label.text()
    for widget in panel.findChildren(QWidget):
        can_focus = widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if can_focus and not widget.objectName().startswith("qt_"):
            text = getattr(widget, "text", lambda: "")()
            assert widget.accessibleName() or text, widget


def test_nothing_is_cut_off_at_the_width_it_gets(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    panel.use_preset("fast-clahe")
    panel.form.set_advanced(True)
    qtbot.wait(50)
    for field in panel.form.fields.values():
        if not field.isVisible():
            continue
        right = field.mapTo(panel, QPoint(field.width(), 0)).x()
        assert right <= panel.width() - 12, field.accessibleName()


def test_counts_come_from_the_mask_under_the_hand(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    qtbot.waitUntil(lambda: len(panel._painted) == 7)
    image_id = world.session.image_id
    before = dict(panel._painted[image_id])
    mask = world.session.mask(image_id)
    recorder = world.session.begin_stroke()
    assert recorder is not None
    recorder.put(0, 0, 0, np.full((10, 10), 2, np.uint8))
    world.session.end_stroke("test")
    qtbot.waitUntil(lambda: panel._painted[image_id] == mask.counts())
    assert panel._painted[image_id] != before or mask.counts() == before
