"""Start and split: from a fresh network or a model, in folds, in blocks; and refused scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.panels.training_panel import TrainingPanel
from orgseg_app.gui.panels.training_start import TITLE, TrainingStart
from orgseg_app.gui.runs.starting import Start
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.settings import with_settings
from tests.gui.recorded_runs import World, make_project, opened, pretend_alive, record_run


def write_model(
    path: Path,
    recipe: Recipe,
    *,
    classes: tuple[str, ...] = ("background", "ER"),
    channels: int = 1,
    seen: tuple[str, ...] = (),
) -> Path:
    """The header of a checkpoint, as the job writes it, without weights."""
    facts = {
        "format": "orgseg-checkpoint",
        "recipe": recipe_to_builtins(recipe),
        "classes": [{"id": n, "name": name, "colour": "#fff"} for n, name in enumerate(classes, 1)],
        "channels": channels,
        "training_images": list(seen),
        "step": 400,
        "name": "a model",
    }
    header = json.dumps({"__metadata__": {"orgseg": json.dumps(facts)}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


WIDER = with_settings(PRESETS["fast"], ["network.width=24"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    splits = ["train", "train", "train", "validation", "test"]
    with make_project(path, splits=splits, side=32) as file:
        for name, recipe in (("older", PRESETS["fast"]), ("wider", WIDER)):
            run = record_run(file, name, recipe=recipe, with_predictions=False)
            seen = next(i.sha256 for i in file.project.images.values() if i.split == "test")
            write_model(run.best_path, recipe, seen=(seen,) if name == "wider" else ())
        forest = with_settings(PRESETS["fast"], ["network.name=pixel_classifier"])
        record_run(file, "forest", recipe=forest, with_predictions=False)
        pretend_alive(record_run(file, "learning", upto=40, end=""))
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    started: list[RunFolder] = []
    monkeypatch.setattr(launcher, "start", started.append)
    with opened(path) as world:
        world.started = started  # type: ignore[attr-defined]
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        yield world


def make_panel(world: World, qtbot: QtBot) -> TrainingPanel:
    panel = TrainingPanel(world.session, world.runs)
    qtbot.addWidget(panel)
    panel.train_requested.connect(world.runs.train)
    panel.resize(300, 900)
    panel.show()
    qtbot.waitExposed(panel)
    qtbot.waitUntil(lambda: world.session.background.is_idle and panel.button.isEnabled())
    return panel


def offered(start: TrainingStart) -> list[str]:
    return [start.source.itemText(n) for n in range(start.source.count())]


def requests(world: World) -> list[dict[str, Any]]:
    return [json.loads((run.path / "request.json").read_text()) for run in world.started]  # type: ignore[attr-defined]


def test_one_closed_section_and_nothing_else_changes(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    assert not panel.start.content.isVisible()
    assert panel.start.header.text() == TITLE
    assert panel.start.value() == Start()
    assert panel.button.text() == "Train after the current run"


def test_models_that_can_be_trained_further_are_offered(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    # Newest first; not the forest, which is fitted anew each time, nor what is still learning.
    assert offered(panel.start) == ["A fresh network", "wider", "older"]


def test_the_model_of_a_run_passes_into_the_new_run(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    panel.start.choose_run(world.named("older").run_id)
    qtbot.waitUntil(panel.button.isEnabled)
    assert "goes on learning after 400 steps" in panel.start.words.text()
    assert panel.start.take_button.isHidden()
    assert panel.start.header.text() == f"{TITLE} •"
    panel.request_training()
    qtbot.waitUntil(lambda: len(world.started) == 1)  # type: ignore[attr-defined]
    run = world.started[0]  # type: ignore[attr-defined]
    assert run.start_path.read_bytes() == world.named("older").run.best_path.read_bytes()


def test_another_network_gives_way_to_the_models_and_that_is_said(
    world: World, qtbot: QtBot
) -> None:
    panel = make_panel(world, qtbot)
    before = panel.estimate.text()
    panel.start.choose_run(world.named("wider").run_id)
    qtbot.waitUntil(lambda: "width 24" in panel.start.words.text())
    said = panel.start.words.text()
    assert "The network will be the model's, U-Net depth 3 width 24" in said
    assert "has seen “cell_05” while learning, so there will be no test score on it" in said
    assert panel.estimate.text() != before  # it is of the model's network
    panel.request_training()
    qtbot.waitUntil(lambda: len(world.started) == 1)  # type: ignore[attr-defined]
    assert requests(world)[0]["recipe"]["network"]["width"] == 24
    qtbot.mouseClick(panel.start.take_button, Qt.MouseButton.LeftButton)
    assert panel.form.recipe() == WIDER
    assert "goes on learning" in panel.start.words.text()


def test_what_a_model_file_does_not_know_is_said(
    world: World, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = make_panel(world, qtbot)
    file = write_model(
        tmp_path / "<b>strange µ.orgmodel",
        PRESETS["fast"],
        classes=("background", "nucleus"),
        channels=3,
    )
    answer = (str(file), "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: answer)
    panel.start.header.setChecked(True)
    qtbot.mouseClick(panel.start.open_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "3 channels, these have 1" in panel.start.words.text())
    assert "“ER” begins anew: the model does not know it." in panel.start.words.text()
    assert panel.start.value().source == file
    panel.request_training()
    qtbot.waitUntil(lambda: len(world.started) == 1)  # type: ignore[attr-defined]
    assert world.started[0].start_path.read_bytes() == file.read_bytes()  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}", b"[" * 5000])
def test_a_strangers_file_that_is_no_model_is_refused(
    world: World, qtbot: QtBot, tmp_path: Path, content: bytes
) -> None:
    panel = make_panel(world, qtbot)
    file = tmp_path / "x.orgmodel"
    file.write_bytes(content)
    panel.start.choose_file(file)
    qtbot.waitUntil(lambda: "is not an OrgSeg model" in panel.start.words.text())
    assert not panel.button.isEnabled()
    assert panel.button.toolTip() == panel.start.words.text()
    panel.start.source.setCurrentIndex(0)
    assert panel.button.isEnabled()


def test_a_forest_cannot_be_trained_further(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    panel = make_panel(world, qtbot)
    forest = with_settings(PRESETS["fast"], ["network.name=pixel_classifier"])
    panel.start.choose_file(write_model(tmp_path / "f.orgmodel", forest))
    qtbot.waitUntil(lambda: "fitted anew each time" in panel.start.words.text())
    assert not panel.button.isEnabled()


def test_folds_are_queued_as_ordinary_runs(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    panel.start.choose_run(world.named("older").run_id)
    panel.start.header.setChecked(True)
    qtbot.mouseClick(panel.start.folds.button("3"), Qt.MouseButton.LeftButton)
    assert panel.button.text() == "Train 3 folds"
    assert panel.estimate.text().startswith("3 runs, ")
    assert not panel.start.source.isEnabled()  # a model that knows all images would say nothing
    name = panel.name.text()
    panel.request_training()
    qtbot.waitUntil(lambda: len(world.started) == 3)  # type: ignore[attr-defined]
    found = requests(world)
    assert [request["name"] for request in found] == [f"{name} fold {n} of 3" for n in (1, 2, 3)]
    held = [image for request in found for image in request["split"]["validation"]]
    assert len(held) == len(set(held)) == 4  # three of training and one of validation, once each
    assert not any(run.start_path.exists() for run in world.started)  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: panel.name.text() == f"{name} 2")


def test_too_many_folds_are_refused_before_the_button_is_pressed(
    world: World, qtbot: QtBot
) -> None:
    panel = make_panel(world, qtbot)
    panel.start.header.setChecked(True)
    qtbot.mouseClick(panel.start.folds.button("5"), Qt.MouseButton.LeftButton)
    assert "5 folds need 5 painted images" in panel.problem.text()
    assert not panel.button.isEnabled()


def test_one_image_may_be_split_into_blocks(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr(launcher, "start", started.append)
    alone = tmp_path / "alone.orgseg"
    with make_project(alone, splits=["train"], side=48):
        pass
    with opened(alone) as world:
        panel = make_panel(world, qtbot)
        qtbot.waitUntil(lambda: "test split" in panel.problem.text())
        panel.start.header.setChecked(True)
        panel.start.blocks.setFocus()
        qtbot.keyClick(panel.start.blocks, Qt.Key.Key_Space)
        assert "no test score" in panel.start.blocks_words.text()
        assert panel.start.blocks_words.isVisible()
        assert panel.problem.isHidden()  # there will be a test part
        panel.request_training()
        qtbot.waitUntil(lambda: len(started) == 1)
        assert started[0].request["split"] == {"blocks": True}
        qtbot.mouseClick(panel.start.folds.button("3"), Qt.MouseButton.LeftButton)
        assert not panel.start.blocks.isVisible()
        assert "another band of the image" in panel.start.folds_words.text()
        panel.request_training()
        qtbot.waitUntil(lambda: len(started) == 4)
        assert [r.request["split"] for r in started[1:]] == [{"fold": n, "of": 3} for n in range(3)]


def test_several_images_are_not_split_into_blocks(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    panel.start.header.setChecked(True)
    assert not panel.start.blocks.isVisible()


def test_keyboard_only(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    start = panel.start
    start.header.setFocus()
    qtbot.keyClick(start.header, Qt.Key.Key_Space)
    assert start.content.isVisible()
    order = []
    for _ in range(8):
        widget = panel.focusWidget()
        assert isinstance(widget, QWidget)
        order.append(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    first = start.folds.button("0")
    assert order[:4] == [start.header, start.source, start.open_button, first]
    start.source.setFocus()
    qtbot.keyClick(start.source, Qt.Key.Key_Down)
    assert start.value().source == world.named("wider").run
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Right)
    assert start.value().folds == 3


def test_a_run_that_is_deleted_is_no_start(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    entry = world.named("older")
    panel.start.choose_run(entry.run_id)
    world.runs.delete([entry.run_id])
    assert panel.start.value() == Start()
    assert panel.start.header.text() == TITLE
    assert panel.start.words.isHidden()


def test_training_further_sets_recipe_and_start(world: World, qtbot: QtBot) -> None:
    panel = make_panel(world, qtbot)
    panel.train_further(world.named("wider").run_id)
    assert panel.form.recipe() == WIDER
    assert panel.start.value().source == world.named("wider").run
    assert panel.start.content.isVisible()
    qtbot.waitUntil(lambda: "goes on learning" in panel.start.words.text())


def test_the_menu_of_a_run_offers_it(world: World, qtbot: QtBot) -> None:
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    asked: list[str] = []
    panel.further_requested.connect(asked.append)
    for name, possible in (("wider", True), ("forest", False), ("learning", False)):
        menu = panel.make_menu([world.named(name)])
        action = next(a for a in menu.actions() if a.text() == "Train further from this run")
        assert action.isEnabled() == possible, name
        action.trigger()
    assert asked == [world.named("wider").run_id]


def test_the_action_sets_everything_up(path: Path, qtbot: QtBot) -> None:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(path)
    parts = window.ensure_parts()
    qtbot.waitUntil(lambda: len(parts.runs.all()) == 4)
    wider = next(entry for entry in parts.runs.all() if entry.name == "wider")
    qtbot.waitUntil(lambda: wider.best_iou is not None)
    parts.runs_panel.list.choose([wider.run_id])
    window.actions_by_id["train_further"].trigger()
    assert window.workspace == "train"
    assert parts.training.start.value().source == wider.run
    assert parts.training.form.recipe() == WIDER
