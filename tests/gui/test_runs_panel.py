"""The list of runs, what may be asked of them, and their curves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from orgseg_app.gui.comparing.curves_view import CurvesView
from orgseg_app.gui.panels.log_dialog import LogDialog
from orgseg_app.gui.panels.runs_list import details_of
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.style import theme
from orgseg_app.runs import launcher
from orgseg_app.runs.recipes.presets import PRESETS
from tests.gui.recorded_runs import (
    World,
    append_events,
    make_project,
    opened,
    pretend_alive,
    record_run,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    with make_project(path, side=48) as file:
        record_run(file, "first", created=1.0, quality=0.7)
        record_run(file, "second <b>bold</b>", created=2.0, quality=0.9)
        record_run(file, "broken", created=3.0, upto=40, end="failed", message="No memory left.")
        pretend_alive(record_run(file, "learning", created=4.0, upto=120, end=""))
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        yield world


@pytest.fixture
def panel(world: World, qtbot: QtBot) -> RunsPanel:
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    panel.resize(800, 300)
    panel.show()
    qtbot.waitExposed(panel)
    qtbot.waitUntil(lambda: panel.curves.figure is not None)
    return panel


def shown_names(panel: RunsPanel) -> list[str]:
    model = panel.list.list_model
    return [model.index(row).data() for row in range(model.rowCount())]


def test_working_runs_come_first_then_the_newest(panel: RunsPanel) -> None:
    assert shown_names(panel) == ["learning", "broken", "second <b>bold</b>", "first"]


def test_the_curves_start_with_the_run_that_learns(panel: RunsPanel, world: World) -> None:
    assert panel.curves.shown == [world.named("learning").run_id]
    assert panel.curves.legend.isHidden()
    assert "learning: step 120" in panel.curves.accessibleDescription()


def test_the_curves_follow_the_work(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    assert world.session.file is not None
    waiting = record_run(world.session.file, "waiting", upto=1, end="", created=9e9)
    waiting.events_path.write_text('{"event": "state", "state": "queued"}\n')
    pretend_alive(waiting)
    qtbot.waitUntil(lambda: world.runs.get(waiting.run_id) is not None)
    learning = world.named("learning").run
    assert panel.curves.shown == [learning.run_id]  # it is at work, the other only waits
    append_events(learning, {"event": "finished", "run": learning.run_id, "message": "Done."})
    qtbot.waitUntil(lambda: panel.curves.shown == [waiting.run_id])


def test_a_legend_only_for_several_runs(panel: RunsPanel, world: World) -> None:
    ids = [world.named(name).run_id for name in ("first", "learning")]
    panel.list.choose(ids)
    assert set(panel.curves.shown) == set(ids)
    assert panel.curves.legend.isVisible()
    panel.list.choose(ids[:1])
    assert panel.curves.legend.isHidden()


def test_curves_grow_while_a_run_learns(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    entry = world.named("learning")
    figure = panel.curves.figure
    assert figure is not None
    append_events(entry.run, {"event": "step", "step": 360, "loss": 0.01})
    qtbot.waitUntil(lambda: entry.step == 360)

    def drawn() -> float:
        return float(figure._curves[entry.run_id].smooth.getOriginalDataset()[0][-1])

    qtbot.waitUntil(lambda: drawn() == 360)


def test_pointing_reads_off_the_values(panel: RunsPanel, world: World) -> None:
    ids = [world.named(name).run_id for name in ("first", "second <b>bold</b>")]
    panel.list.choose(ids)
    figure = panel.curves.figure
    assert figure is not None
    figure.read_at(201, QPointF(200, 100))
    lines = figure.readout.text.splitlines()
    assert lines[0] == "step 200"
    assert lines[1].startswith("second <b>bold</b>")  # the better one first, shown literally
    assert lines[2].startswith("first")
    loss, iou = (float(x) for x in lines[2].split()[-2:])
    assert 0 < loss < 2
    assert 0 < iou <= 1
    assert figure.readout.isVisible()
    figure._on_mouse_moved(QPointF(-50, -50))
    assert figure.readout.isHidden()


def test_colours_follow_the_theme(panel: RunsPanel, world: World, qapp: QApplication) -> None:
    figure = panel.curves.figure
    assert figure is not None
    curve = figure._curves[world.named("learning").run_id].smooth
    theme.apply(qapp, "light")
    light = curve.opts["pen"].color().name()
    theme.apply(qapp, "dark")
    try:
        assert curve.opts["pen"].color().name() != light
        assert figure.backgroundBrush().color().name() == theme.DARK.panel.lower()
    finally:
        theme.apply(qapp, "light")


def test_the_loss_on_a_logarithmic_scale(panel: RunsPanel, world: World) -> None:
    figure = panel.curves.figure
    assert figure is not None
    curve = figure._curves[world.named("learning").run_id].smooth
    plain = curve.getData()[1]
    panel.curves.set_log_loss(True)
    assert np.allclose(curve.getData()[1], np.log10(plain))
    panel.curves.set_log_loss(False)
    assert np.allclose(curve.getData()[1], plain)


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_curves_are_saved(panel: RunsPanel, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"kurven µ{suffix}"
    panel.curves.save(target)
    if suffix == ".svg":
        text = target.read_text("utf-8")
        assert "<svg" in text
        assert "Training loss" in text
        assert '"nan' not in text  # as a number; pictures within hold any letters
    else:
        assert QImage(str(target)).width() == 3 * panel.curves.width()
    with pytest.raises(FileNotFoundError):
        panel.curves.save(tmp_path / "missing" / f"x{suffix}")


def test_fifty_runs_are_drawn(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "many.orgseg"
    with make_project(path, splits=["train", "test"], side=32) as file:
        for number in range(50):
            record_run(file, f"run {number}", created=float(number + 1), steps=100, seed=number)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 50 and world.is_read, timeout=15_000)
        view = CurvesView(world.runs)
        qtbot.addWidget(view)
        view.resize(500, 400)
        ids = [entry.run_id for entry in world.runs.trainings()]
        view.set_runs(ids[:12], behind=ids)
        view.show()
        qtbot.waitUntil(lambda: view.figure is not None)
        assert view.figure is not None
        assert len(view.figure._curves) == 50
        view.figure.read_at(50, QPointF(100, 100))
        assert len(view.figure.readout.text.splitlines()) == 9
        assert view.legend.height() <= 80


def test_names_are_edited_in_place(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    entry = world.named("first")
    panel.list.choose([entry.run_id])
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_F2)
    editor = panel.list.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == "first"
    editor.selectAll()
    qtbot.keyClicks(editor, "better name")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: entry.run.name == "better name")
    assert "better name" in shown_names(panel)
    assert panel.list.chosen() == [entry.run_id]


def test_delete_and_undo(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    panel.list.choose([world.named("first").run_id])
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert "first" not in shown_names(panel)
    assert panel.undo_bar.isVisible()
    assert "first" in panel.undo_text.whole_text()
    panel.undo_bar.undo()
    qtbot.waitUntil(lambda: "first" in shown_names(panel))
    assert panel.undo_bar.isHidden()


def test_pause_and_stop_are_asked_of_the_run_that_works(
    panel: RunsPanel, world: World, qtbot: QtBot
) -> None:
    run = world.named("learning").run
    assert panel.pause.isEnabled()
    panel.pause.click()
    qtbot.waitUntil((run.control_dir / launcher.PAUSE).exists)
    append_events(run, {"event": "state", "state": "paused"})
    qtbot.waitUntil(lambda: panel.pause.accessibleName() == "Go on")
    panel.pause.click()
    qtbot.waitUntil(lambda: not (run.control_dir / launcher.PAUSE).exists())
    panel.stop.click()
    qtbot.waitUntil((run.control_dir / launcher.STOP).exists)
    panel.list.choose([world.named("first").run_id])
    assert not panel.pause.isEnabled()
    assert not panel.stop.isEnabled()


def test_the_menu_offers_what_is_possible(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    def offered(name: str) -> dict[str, bool]:
        menu = panel.make_menu([world.named(name)])
        found = {a.text(): a.isEnabled() for a in menu.actions() if a.text()}
        menu.close()
        menu.deleteLater()
        return found

    over = offered("first")
    assert over["Rename"]
    assert over["Delete"]
    assert over["Train again with this recipe"]
    assert "Pause" not in over
    live = offered("learning")
    assert live["Pause"]
    assert live["Stop"]
    assert not live["Delete"]
    assert offered("broken")["Go on"]


def test_a_recipe_is_handed_over(panel: RunsPanel, world: World, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.recipe_requested) as asked:
        panel._on_recipe(world.named("first"))
    assert asked.args[0] == PRESETS["fast"]


def test_details_say_what_went_wrong(world: World) -> None:
    assert details_of(world.named("broken")) == "No memory left."
    assert details_of(world.named("learning")).startswith("step 120 of 400")
    assert details_of(world.named("first")).startswith("finished · 400 steps · 52 s")


def test_the_log_is_shown(world: World, qtbot: QtBot) -> None:
    entry = world.named("broken")
    entry.run.log_path.write_text("x" * 300_000 + "\nthe last line <i>µ</i>\n", "utf-8")
    dialog = LogDialog(entry, world.session)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: "the last line" in dialog.text.toPlainText())
    assert dialog.text.toPlainText().endswith("the last line <i>µ</i>\n")
    assert len(dialog.text.toPlainText()) < 250_000
    bare = LogDialog(world.named("first"), world.session)
    qtbot.addWidget(bare)
    qtbot.waitUntil(lambda: "no log" in bare.text.toPlainText())


def test_an_empty_project_says_what_belongs_here(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "empty.orgseg"
    with make_project(path, splits=["train"], side=32):
        pass
    with opened(path) as world:
        panel = RunsPanel(world.runs)
        qtbot.addWidget(panel)
        panel.show()
        assert panel.empty.isVisible()
        assert "No models yet" in panel.empty.words.text()
