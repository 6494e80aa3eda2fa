"""Examinations in the window: shown, asked for, copied; and what models cost, beside the runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels.examination_dialog import ExaminationDialog
from orgseg_app.gui.panels.examination_view import ExaminationView
from orgseg_app.gui.panels.runs_details import RunDetails
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.style import theme
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.model_facts import KEY, ModelFacts
from tests.gui.recorded_runs import World, make_project, opened, record_run
from tests.runs.examined import levels, noise, record_examination

FACTS = ModelFacts(
    parameters=1_073_156,
    multiply_adds_per_megavoxel=1.909e11,
    seconds_per_megavoxel=2.31,
    memory_bytes=412_000_000,
    checkpoint_bytes=4_300_000,
    device="CPU · 2 threads · bf16",
    tile_zyx=(1, 512, 512),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "validation"], side=48) as file:
        run = record_run(file, "unet", seed=3, end="")
        with EventWriter(run.events_path) as events:
            events.write("finished", run=run.run_id, message="", **{KEY: FACTS.to_dict()})
        record_run(file, "old", seed=4)
        record_examination(run, levels())
        record_examination(run, noise())
    with opened(path) as world:
        yield world


@pytest.fixture
def dialog(world: World, qtbot: QtBot) -> ExaminationDialog:
    qtbot.waitUntil(lambda: world.is_read)
    dialog = ExaminationDialog(world.runs, world.named("unet").run_id)
    qtbot.addWidget(dialog)
    assert dialog.windowTitle() == "Examination of unet"
    dialog.view.show_what("levels")
    dialog.show()
    qtbot.waitExposed(dialog)
    qtbot.waitUntil(lambda: dialog.view.shown is not None and dialog.view.plot.figure is not None)
    return dialog


@pytest.fixture
def view(dialog: ExaminationDialog) -> ExaminationView:
    return dialog.view


def column(view: ExaminationView, number: int) -> list[str]:
    items = [view.table.item(row, number) for row in range(view.table.rowCount())]
    return [item.text() for item in items if item is not None]


def test_levels_are_a_plot_a_table_and_words(view: ExaminationView, qtbot: QtBot) -> None:
    assert view.shown is not None
    found = view.shown.found
    assert column(view, 0) == [
        "As it is",
        "Level 0, nothing coarser",
        "Level 0, without its detail",
        "Level 1, nothing coarser",
        "Level 1, without its detail",
    ]
    values = [c.score("iou") for c in (found.intact, *found.conditions)]
    assert column(view, 1) == [f"{value:.3f}" for value in values]
    assert column(view, 2)[1:] == [f"{found.drop(c, 'iou'):.3f}" for c in found.conditions]
    assert "…" in column(view, 3)[2]
    assert view.words.text() == " ".join(found.sentences())
    figure = view.plot.figure
    assert figure is not None
    assert "Without the level's detail" in view.plot.legend.text
    figure.read_at(0.2, QPointF(50, 50))
    fine = found.of_kind("fine")[0].score("iou")
    assert f"{fine:.3f}" in figure.readout.text
    assert figure.readout.text.startswith("level 0")
    assert "without its detail" in view.plot.accessibleDescription()


def test_another_score_and_class(view: ExaminationView, qtbot: QtBot) -> None:
    assert view.class_name.isVisible(), "there are two classes"
    view.measure.setCurrentIndex(view.measure.findData("cl_dice"))
    view.measure.activated.emit(view.measure.currentIndex())
    view.class_name.setCurrentIndex(view.class_name.findData("nucleus"))
    view.class_name.activated.emit(view.class_name.currentIndex())
    qtbot.waitUntil(lambda: view.shown is not None and view.shown.class_name == "nucleus")
    assert view.shown is not None
    found = view.shown.found
    assert view.table.horizontalHeaderItem(1).text() == "clDice"
    expected = [c.score("cl_dice", "nucleus") for c in (found.intact, *found.conditions)]
    assert column(view, 1) == [f"{value:.3f}" for value in expected]


def test_noise_is_chosen_with_the_keyboard_and_copied(view: ExaminationView, qtbot: QtBot) -> None:
    button = view.what.button("noise")
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert view.shown is None, "nothing of the other kind stays while it is read"
    qtbot.waitUntil(lambda: view.shown is not None)
    assert column(view, 0)[1] == "Gaussian noise, 30 dB"
    qtbot.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == ["Condition", "IoU", "Lost", "95 % interval"]
    assert len(lines) == 8
    figure = view.plot.figure
    assert figure is not None
    figure.read_at(11, QPointF(50, 50))
    assert figure.readout.text.startswith("10 dB")
    theme.watcher.changed.emit(theme.current())
    assert not view.plot.is_empty


def test_nothing_found_out_yet_offers_to(
    view: ExaminationView, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, str]] = []
    monkeypatch.setattr(view.runs, "examine", lambda *what: asked.append(what))
    view.split.setCurrentIndex(view.split.findData("test"))
    view.split.activated.emit(1)
    assert view.shown is None
    assert "Which levels" in view.empty.words.text()
    assert view.empty.button.isVisible()
    qtbot.mouseClick(view.empty.button, Qt.MouseButton.LeftButton)
    view.again.click()
    assert asked == [(view._run_id, "levels", "test")] * 2


def test_a_damaged_examination_says_so(view: ExaminationView, world: World, qtbot: QtBot) -> None:
    job = next(j for j in world.runs.examinations_of(view._run_id) if "noise" in j.name)
    (job.run.path / "examined.json").write_text("{")
    view.show_what("noise")
    qtbot.waitUntil(lambda: "cannot be read" in view.empty.words.text())


def test_an_examination_is_prepared_and_followed(
    view: ExaminationView, world: World, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr(world.thread, "start_run", lambda run: started.append(run))
    view.again.click()
    qtbot.waitUntil(lambda: bool(started))
    assert started[0].kind == "examine"
    assert started[0].request["examined_run"] == view._run_id
    assert (started[0].request["what"], started[0].request["on"]) == ("levels", "validation")
    assert not view.again.isEnabled(), "one at a time"


def test_what_models_cost_stands_beside_their_runs(world: World, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: world.is_read)
    details = RunDetails(world.runs)
    qtbot.addWidget(details)
    details.resize(400, 300)
    details.show()
    qtbot.waitExposed(details)
    unet, old = world.named("unet"), world.named("old")
    details.set_runs([unet.run_id])
    details.pages.button("model").click()
    table = details.costs.table
    assert table.isVisible()
    texts = {
        table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())
    }
    assert texts["Parameters"] == "1.07 M"
    assert texts["Operations per megavoxel"] == "191 G"
    asked: list[tuple[str, str]] = []
    details.examination_requested.connect(lambda *what: asked.append(what))
    qtbot.mouseClick(details.costs.examine.layout().itemAt(1).widget(), Qt.MouseButton.LeftButton)
    assert asked == [("noise", unet.run_id)]
    details.set_runs([unet.run_id, old.run_id])
    assert table.columnCount() == 2, "of the old run nothing is known"
    details.set_runs([old.run_id])
    assert details.costs.empty.isVisible()


def test_the_menu_of_a_run_offers_both(world: World, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: world.is_read)
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    menu = panel.make_menu([world.named("unet")])
    qtbot.addWidget(menu)
    asked: list[tuple[str, str]] = []
    panel.examination_requested.connect(lambda *what: asked.append(what))
    named = {action.text(): action for action in menu.actions()}
    assert named["Low-level importance…"].isEnabled()
    named["Noise robustness…"].trigger()
    assert asked == [("noise", world.named("unet").run_id)]
