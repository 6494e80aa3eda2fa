"""Ensembles in the window: asked for by mouse and by keys, listed, compared, exported with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.comparing.results_data import Candidate, gather
from orgseg_app.gui.panels.export_models import ModelChooser
from orgseg_app.gui.panels.export_ways import PredictionWays
from orgseg_app.gui.panels.runs_ensemble import ALONE, CHOSEN, NAME, NOT_CHOSEN, TOGETHER
from orgseg_app.gui.panels.runs_ensemble_dialog import EnsembleDialog
from orgseg_app.gui.panels.runs_list import details_of, tooltip_of
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.style import theme
from orgseg_app.runs import launcher
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.process import write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import recipe_to_builtins
from tests.e2e.hand import LEFT, Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import (
    START,
    World,
    class_facts,
    image_facts,
    make_project,
    opened,
    record_run,
    record_scores,
)

PICTURES = os.environ.get("ORGSEG_TEST_PICTURES", "")
QUALITIES = {"seed 1 of 3": 0.8, "seed 2 of 3": 0.9, "seed 3 of 3": 0.7}


def write_facts(run: RunFolder, class_names: Sequence[str] = ("background", "ER")) -> None:
    """A model file that says what it knows and holds no weights."""
    facts = {
        "recipe": recipe_to_builtins(PRESETS["fast"]),
        "classes": [
            {"id": n, "name": name, "colour": "#000000"} for n, name in enumerate(class_names, 1)
        ],
        "channels": 1,
    }
    header = json.dumps({"__metadata__": {"orgseg": json.dumps(facts)}}).encode()
    run.best_path.write_bytes(len(header).to_bytes(8, "little") + header)


def record_seeds(file: ProjectFile) -> list[RunFolder]:
    """Three seeds of one recipe that have finished."""
    runs = []
    for number, (name, quality) in enumerate(QUALITIES.items(), 1):
        run = record_run(file, f"er ü {name}", quality=quality, created=float(number))
        seeds = {"seeds": {"group": "0123456789ab", "number": number, "of": 3}}
        write_json(run.path / "request.json", RunFolder(run.path).request | seeds)
        write_facts(run)
        runs.append(RunFolder(run.path))
    return runs


def record_ensemble(
    file: ProjectFile,
    members: Sequence[RunFolder],
    *,
    is_chosen: bool = True,
    quality: float = 0.95,
) -> RunFolder:
    """A finished ensemble of which the best two decide."""
    listed = [{"run": run.run_id, "name": run.name} for run in members]
    run = RunFolder.create(
        runs_dir(file.path),
        name="er ü ensemble",
        kind="ensemble",
        project_uuid=file.project.uuid,
        extra={
            "members": listed,
            "how": "mean",
            "turns": False,
            "images": image_facts(file, list(file.project.images)),
            "classes": class_facts(file),
        },
    )
    scores = [0.81, 0.79, 0.6]
    order = [members[1], members[0], members[2]]
    choice = {
        "ranked": [
            {"run": m.run_id, "name": m.name, "validation": {"mean_iou": x} if is_chosen else None}
            for m, x in zip(order, scores, strict=True)
        ],
        "tried": [
            {"k": k, "validation": {"mean_iou": x}} for k, x in enumerate((0.81, 0.86, 0.84), 1)
        ]
        * is_chosen,
        "k": 2 if is_chosen else 3,
        "how": "mean",
        "turns": False,
    }
    write_json(run.path / "ensemble.json", {"run": run.run_id} | choice)
    run.best_path.write_bytes(b"recorded")
    with EventWriter(run.events_path) as events:
        events.write("started", time=START, device="CPU · 2 threads · bf16")
        events.write("ensemble", **choice)
        events.write(
            "finished",
            time=START + 9,
            run=run.run_id,
            message="The best 2 of 3 models decide together (mean).",
            validation={"mean_iou": 0.86} if is_chosen else None,
            test={"mean_iou": 0.84},
        )
    tests = [i for i in file.project.images if file.project.images[i].split == "test"]
    record_scores(file, run, tests, quality=quality)
    return RunFolder(run.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells ü.orgseg"
    with make_project(path, side=48) as file:
        seeds = record_seeds(file)
        other = record_run(file, "two classes", created=4.0, quality=0.5)
        write_facts(other, ("background", "ER", "nucleus"))
        record_ensemble(file, seeds)
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 5 and world.is_read)
        qtbot.waitUntil(lambda: all(entry.message for entry in world.runs.all()))
        yield world


def picture(widget: Any, name: str) -> None:
    """Keep what is seen, light and dark, where somebody wants to look at it."""
    for mode in ("light", "dark") if PICTURES else ():
        from PySide6.QtWidgets import QApplication

        theme.apply(QApplication.instance(), mode)  # type: ignore[arg-type]
        QTest.qWait(150)
        widget.grab().save(str(Path(PICTURES) / f"{name}-{mode}.png"))


def test_an_ensemble_is_listed_with_its_members_and_how_many_decide(
    world: World, qtbot: QtBot
) -> None:
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    panel.resize(900, 300)
    panel.show()
    entry = world.named("er ü ensemble")
    assert entry.best_iou == 0.86
    assert entry.has_model
    assert details_of(entry).startswith("mean of the best 2 of 3 · finished · 9 s")
    assert "mean of the best 2 of 3: er ü seed 2 of 3, er ü seed 1 of 3" in tooltip_of(entry)
    panel.list.choose([entry.run_id])
    view = panel.details.ensemble
    assert view.isVisible()
    pages = panel.details.pages
    assert pages.button("scores").text() == "Members"
    assert pages.button("speed").isHidden(), "it never learned"
    assert pages.button("model").isVisible()
    assert view.words.text() == "Mean of the best 2 of 3"
    texts = [
        [view.table.item(row, column).text() for column in (NAME, ALONE, TOGETHER)]
        for row in range(3)
    ]
    assert texts == [
        ["er ü seed 2 of 3", "0.810", "0.810"],
        ["er ü seed 1 of 3", "0.790", "0.860"],
        ["er ü seed 3 of 3", "0.600", "0.840"],
    ]
    role = Qt.ItemDataRole.AccessibleTextRole
    spoken = [view.table.item(row, NAME).data(role).partition(", ")[2] for row in range(3)]
    assert spoken == ["decides", "decides", "does not decide"]
    assert view.note.text() == CHOSEN
    assert nameless_controls(view) == []
    picture(panel, "ensemble-details")
    panel.list.choose([world.named("two classes").run_id])
    assert view.isHidden()
    assert panel.details.pages.isVisible()
    menu = panel.make_menu([entry])
    offered = [action.text() for action in menu.actions() if action.text()]
    menu.deleteLater()
    assert offered == ["Rename", "Noise robustness…", "Show log", "Open folder", "Delete"]


def test_without_anything_to_choose_on_it_says_that_all_decide(path: Path, qtbot: QtBot) -> None:
    with ProjectFile.open(path) as file:
        seeds = [run for run in _runs(path) if "seed" in run.name]
        unchosen = record_ensemble(file, seeds, is_chosen=False)
        unchosen.rename("unchosen")
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 6 and world.is_read)
        panel = RunsPanel(world.runs)
        qtbot.addWidget(panel)
        panel.show()
        panel.list.choose([world.named("unchosen").run_id])
        assert panel.details.ensemble.note.text() == NOT_CHOSEN
        assert panel.details.ensemble.words.text() == "Mean of all 3"


def _runs(path: Path) -> list[RunFolder]:
    from orgseg_app.runs.folder import list_runs

    return [run for run in list_runs(path) if run.kind == "train"]


def test_the_list_offers_an_ensemble_of_what_is_selected_and_of_seeds(
    world: World, qtbot: QtBot
) -> None:
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    asked: list[list[str]] = []
    panel.ensemble_requested.connect(asked.append)
    seeds = [world.named(f"er ü {name}") for name in QUALITIES]
    for selected, text, expected in (
        (seeds[:2], "Make an ensemble of these 2 runs…", seeds[:2]),
        (seeds[:1], "Make an ensemble of its 3 seeds…", seeds),
        ([world.named("two classes")], "", []),
    ):
        menu = panel.make_menu(selected)
        found = [action for action in menu.actions() if "ensemble" in action.text()]
        assert [action.text() for action in found] == ([text] if text else [])
        for action in found:
            action.trigger()
            assert asked.pop() == [entry.run_id for entry in expected]
        menu.deleteLater()


def test_compare_shows_it_as_one_more_row(world: World) -> None:
    assert world.session.file is not None
    entries = world.runs.model_runs()
    results = gather(world.session.file, [Candidate.of(entry) for entry in entries])
    row = results.row(world.named("er ü ensemble").run_id)
    assert row is not None
    assert row.differs == "mean of the best 2 of 3"
    assert row.all_that_differs.endswith(": er ü seed 2 of 3, er ü seed 1 of 3")
    assert row.pooled is not None
    assert row.is_ranked
    best = max(results.ranked, key=lambda r: r.value("iou", "") or 0)
    assert best.run_id == row.run_id


def test_the_export_offers_it_as_one_more_model(world: World, qtbot: QtBot) -> None:
    chooser = ModelChooser(world.runs)
    qtbot.addWidget(chooser)
    shown = [row.entry.name for row in chooser.rows.values()]
    assert shown[:2] == ["er ü seed 2 of 3", "er ü ensemble"]  # by validation IoU
    ensemble = world.named("er ü ensemble")
    for run_id, row in chooser.rows.items():
        row.setChecked(run_id == ensemble.run_id)
    chooser.reload()
    assert chooser.mean.text().startswith("Mean of the best 2 of 3: er ü")
    chooser.rows[world.named("er ü seed 3 of 3").run_id].click()
    assert chooser.mean.text().startswith("All networks of these 2 models decide together")


def test_ways_to_predict_are_offered_as_far_as_the_models_can(world: World, qtbot: QtBot) -> None:
    ways = PredictionWays()
    qtbot.addWidget(ways)
    ways.header.setChecked(True)
    ways.show()
    usual = {
        "stitch": "blend",
        "turns": False,
        "vote": False,
        "three_planes": False,
        "objects": False,
    }
    assert ways.value() == usual
    one, two = world.runs.trainings()[:2]
    ways.show_models([one])
    assert ways.how.isHidden()
    ways.show_models([one, two])
    qtbot.mouseClick(ways.how.button("vote"), LEFT)
    qtbot.mouseClick(ways.stitch.button("deepest"), LEFT)
    for box in (ways.turns, ways.three_planes, ways.objects):
        box.setFocus()
        qtbot.keyClick(box, Qt.Key.Key_Space)
    everything = {"stitch": "deepest"} | dict.fromkeys(list(usual)[1:], True)
    assert ways.value() == everything
    assert ways.header.text().endswith("•")
    ways.show_models([one])  # alone it has nobody to vote with
    assert ways.value()["vote"] is False
    assert nameless_controls(ways) == []
    picture(ways, "prediction-ways")


# In the window


@pytest.fixture
def hand(path: Path, qapp: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    monkeypatch.setattr(launcher, "start", lambda run: 0)
    hand = Hand()
    hand.open(path)
    hand.wait(lambda: len(hand.parts.runs.trainings()) == 4)
    hand.window.activateWindow()
    yield hand
    hand.close()


def dialog_of(hand: Hand) -> EnsembleDialog:
    found = [d for d in hand.window.findChildren(EnsembleDialog) if d.isVisible()]
    assert len(found) == 1
    hand.settle()
    return found[0]


def ensembles(hand: Hand) -> list[RunFolder]:
    return [entry.run for entry in hand.parts.runs.all() if entry.kind == "ensemble"]


def test_the_dialog_by_mouse_and_by_keys(hand: Hand) -> None:
    menus = [m for m in hand.window.menuBar().findChildren(QMenu) if m.title() == "Train"]
    assert "Make an ensemble…" in [action.text() for menu in menus for action in menu.actions()]
    hand.action("make_ensemble")
    dialog = dialog_of(hand)
    assert nameless_controls(dialog) == []
    names = {row.entry.name: row for row in dialog.rows.values()}
    assert next(iter(names)) == "er ü seed 2 of 3"  # the best validation first
    assert sorted(n for n, row in names.items() if row.isChecked()) == [
        f"er ü {name}" for name in QUALITIES
    ]  # the newest seeds
    assert dialog.name.text() == "er ü ensemble 2"
    assert dialog.problem.isHidden()
    picture(dialog, "ensemble-dialog")
    QTest.mouseClick(names["two classes"], LEFT)
    assert "models of an ensemble know the same classes" in dialog.problem.text()
    assert not dialog.make_button.isEnabled()
    picture(dialog, "ensemble-dialog-problem")
    QTest.mouseClick(dialog.none_button, LEFT)
    assert dialog.problem.text() == "Tick at least two runs."
    for name in ("seed 1 of 3", "seed 2 of 3"):
        QTest.mouseClick(names[f"er ü {name}"], LEFT)
    QTest.mouseClick(dialog.how.button("vote"), LEFT)
    dialog.turns.click()
    assert dialog.turns_words.isVisible()
    assert dialog.make_button.text() == "Make ensemble of 2"
    QTest.mouseClick(dialog.make_button, LEFT)
    hand.wait(lambda: len(ensembles(hand)) == 2)
    request = ensembles(hand)[-1].request
    assert (request["how"], request["turns"], request["name"]) == ("vote", True, "er ü ensemble 2")
    assert {m["name"] for m in request["members"]} == {"er ü seed 1 of 3", "er ü seed 2 of 3"}
    assert hand.window.workspace == "train"
    _by_keys(hand)


def _by_keys(hand: Hand) -> None:
    hand.settle()
    hand.window.commands.training.make_ensemble()
    dialog = dialog_of(hand)
    row = next(iter(dialog.rows.values()))
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Space)
    assert len(dialog.chosen()) == 2
    dialog.name.setFocus()
    dialog.name.selectAll()
    QTest.keyClicks(dialog.name, "by hand")
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    hand.wait(lambda: len(ensembles(hand)) == 3)
    assert ensembles(hand)[-1].name == "by hand"
    hand.window.commands.training.make_ensemble()
    dialog = dialog_of(hand)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    hand.settle()
    assert len(ensembles(hand)) == 3
    runs = hand.parts.runs
    runs.delete([entry.run_id for entry in runs.trainings()[1:]])
    hand.settle()
    hand.said.clear()
    hand.action("make_ensemble")
    hand.heard("info", "needs at least two trained models")


def test_several_seeds_are_asked_for_in_the_training_panel(hand: Hand) -> None:
    hand.window.show_workspace("train")
    hand.settle()
    training = hand.parts.training
    training.start.header.setChecked(True)
    hand.rest()
    QTest.mouseClick(training.start.seeds.button("3"), LEFT)
    assert training.start.value().seeds == 3
    assert training.button.text() == "Train 3 seeds"
    assert training.estimate.text().startswith("3 runs, ")
    training._scroll.ensureWidgetVisible(training.start.seeds_words)
    picture(hand.window, "seeds")
    QTest.mouseClick(training.start.folds.button("3"), LEFT)
    assert training.start.value().seeds == 0  # folds and seeds are two questions
    assert not training.start.seeds.isEnabled()
    QTest.mouseClick(training.start.folds.button("0"), LEFT)
    training.name.setText("Saat")
    training.name.textEdited.emit("Saat")
    training.request_training()
    hand.wait(lambda: len(hand.parts.runs.trainings()) == 7)
    made = [entry for entry in hand.parts.runs.trainings() if entry.name.startswith("Saat")]
    assert [entry.name for entry in made] == [f"Saat seed {n} of 3" for n in (1, 2, 3)]
    recipes = [entry.recipe for entry in made]
    assert [recipe.seed for recipe in recipes if recipe is not None] == [0, 1, 2]
