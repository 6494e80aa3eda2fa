"""Studies in the real window: followed, looked at, kept apart from runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from orgseg_app.gui.actions import BY_ID
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.folder import StudyFolder
from tests.e2e.hand import Hand
from tests.gui.studied import driven
from tests.pictures import make_project

SPLITS = ("train", "validation", "test")


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StudyFolder]:
    """Studies whose driver was started; none is."""
    found: list[StudyFolder] = []
    monkeypatch.setattr(queue, "start", found.append)
    return found


def test_a_study_is_looked_at_and_its_runs_are_kept_apart(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = driven(tmp_path, monkeypatch)
    hand.open(path)
    hand.wait(lambda: len(hand.parts.runs.trainings()) == 8, 30, "the runs")
    hand.action("show_studies")
    studies = hand.parts.compare.studies
    hand.wait(lambda: studies.study.results is not None, 30, "the results")
    assert studies.study.state.whole_text() == "finished, 8 runs"
    asked: list[StudyFolder] = []
    monkeypatch.setattr(hand.window.commands.reporting, "ask_for_study", asked.append)
    studies.study.report_button.click()
    assert [folder.name for folder in asked] == ["two by two"]
    # Nobody is told eight times that a run has finished.
    assert not any("has finished" in text for _, text in hand.said)
    hand.action("workspace_train")
    panel = hand.parts.runs_panel
    assert panel.list.list_model.rowCount() == 0
    assert panel.studies.text() == "Show 8 runs of studies"
    panel.studies.click()
    assert panel.list.list_model.rowCount() == 8
    panel.studies.click()
    assert panel.list.list_model.rowCount() == 0
    # A cell leads to its runs in the table.
    hand.action("workspace_compare")
    assert hand.parts.compare.page == "studies"
    results = hand.parts.results
    hand.parts.compare.show_page("runs")
    hand.wait(lambda: len(results.table.results.rows) == 8, 30, "the table of runs")
    hand.action("show_studies")
    cell = studies.study.map.grid.cells[1][0]
    studies.study.map.setFocus()
    QTest.keyClick(studies.study.map, Qt.Key.Key_Down)
    QTest.keyClick(studies.study.map, Qt.Key.Key_Down)
    assert {row.run_id for row in results.table.chosen()} == set(cell.runs)
    studies.study.runs_button.click()
    assert hand.parts.compare.page == "runs"
    assert {row.run_id for row in results.table.chosen()} == set(cell.runs)
    hand.action("show_studies")
    hand.action("show_statistics")
    assert hand.parts.compare.page == "runs"
    hand.settle()


def test_an_interrupted_study_goes_on_from_the_window(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[StudyFolder]
) -> None:
    path, study = driven(tmp_path, monkeypatch, upto=2)
    hand.open(path)
    hand.wait(lambda: any("interrupted" in text for _, text in hand.said), 30, "the word of it")
    hand.action("show_studies")
    button = hand.parts.compare.studies.study.resume_button
    hand.wait(button.isVisible, 10, "Resume")
    button.click()
    hand.wait(lambda: bool(started), 10, "the driver")
    assert started[0].path == study.path
    hand.settle()


def test_the_strip_pauses_and_stops_the_study_of_its_run(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, study = driven(tmp_path, monkeypatch, upto=1)
    run = next(run for run in study.runs().values() if run.state != "finished")
    for folder in (run, study):
        folder.write_process(os.getpid())
    with EventWriter(run.events_path) as events:
        events.write("started", steps=12, step=0)
        events.write("step", step=3, loss=0.4)
    hand.open(path)
    strip = hand.parts.run_strip
    hand.wait(strip.isVisible, 30, "the strip")
    hand.wait(lambda: bool(hand.parts.studies.active()), 30, "the study")
    strip.pause_button.click()
    hand.wait((study.control_dir / "pause").exists, 10, "the request")
    assert not (run.control_dir / "pause").exists()  # its driver passes it on
    strip.details_button.click()
    assert (hand.window.workspace, hand.parts.compare.page) == ("compare", "studies")
    strip.stop_button.click()
    hand.wait((study.control_dir / "stop").exists, 10, "the request")
    assert not (run.control_dir / "stop").exists()
    for folder in (run, study):
        with EventWriter(folder.events_path) as events:
            events.write("stopped", message="Stopped.")
    hand.wait(lambda: not hand.parts.studies.active(), 10, "its end")
    assert not any("“two by two 2" in text for _, text in hand.said)
    hand.settle()


def test_without_studies_the_one_action_is_offered(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_project(tmp_path / "a.orgseg", SPLITS))
    for act in ("resume", "pause", "stop"):
        hand.action(f"{act}_study")
    told = ["No study is paused or interrupted.", *["No study is running."] * 2]
    assert hand.said[-3:] == [("info", text) for text in told]
    hand.action("show_studies")
    empty = hand.parts.compare.studies.empty
    assert empty.isVisible()
    assert "No studies yet" in empty.words.text()
    empty.button.click()
    dialog = hand.window.commands.studying.dialog
    assert dialog is not None
    assert dialog.isVisible()
    hand.action("new_study")  # brings the same one to the front
    assert hand.window.commands.studying.dialog is dialog
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    hand.settle()


def test_the_actions_need_a_project_and_say_what_they_do(qapp: QApplication) -> None:
    for action_id in ("new_study", "show_studies", "pause_study", "resume_study", "stop_study"):
        assert BY_ID[action_id].needs == "project"
        assert BY_ID[action_id].tip
