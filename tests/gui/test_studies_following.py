"""Studies followed: states, progress, what outlives a killed driver, what is asked of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.studies_model import StudiesModel
from orgseg_app.gui.studies.studies_thread import StudiesThread
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import study_from_toml
from orgseg_app.runs.studies.folder import StudyFolder
from tests.gui.studied import TWO_SEEDS, driven
from tests.runs.studies.doubles import TWO_BY_TWO, finish, make_study


class World:
    """What the window holds of studies, without a window."""

    def __init__(self) -> None:
        self.session = Session()
        self.thread = StudiesThread()
        self.studies = StudiesModel(self.session, self.thread)
        self.said: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.session.message.connect(lambda text, level: self.said.append((level, text)))
        self.studies.study_ended.connect(self.ended.append)
        self.thread.start()


@pytest.fixture
def world(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("orgseg_app.gui.studies.studies_thread.POLL_S", 0.03)
    world = World()
    yield world
    assert world.thread.stop()
    world.session.close_project()
    world.session.background.wait()


def tell(folder: StudyFolder, *events: dict[str, Any]) -> None:
    with EventWriter(folder.events_path) as writer:
        for event in events:
            writer.write(event["event"], **{k: v for k, v in event.items() if k != "event"})


def cell(folder: StudyFolder, number: int, state: str, seconds: float = 0.0) -> dict[str, Any]:
    """An event of the driver about a run of the study."""
    found = folder.cells[number - 1]
    event = {"event": "cell", "cell": found.cell_id, "number": number, "state": state}
    return event | {"run": f"{number:012x}", "message": "", "time": 1000.0 + seconds}


# -- facts, without a thread -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return make_study(tmp_path, TWO_SEEDS)[1]


def test_progress_and_time_left_are_told_by_the_runs_that_finished(folder: StudyFolder) -> None:
    facts = StudyFacts(folder, "running")
    assert (facts.total, facts.finished, facts.position) == (8, 0, 1)
    assert facts.seconds_left(1000.0) is None
    facts.take([cell(folder, 1, "running"), cell(folder, 1, "finished", 60)])
    facts.take([cell(folder, 2, "running", 60)])
    assert (facts.finished, facts.position) == (1, 2)
    # All cells cost about the same: seven left at a minute each, ten seconds of them gone.
    assert facts.seconds_left(1070.0) == pytest.approx(7 * 60 - 10, rel=0.05)
    assert facts.words(1070.0) == "running 2 of 8 · 7 min left"
    assert facts.can_pause
    assert not facts.can_resume


def test_failed_runs_are_counted_and_may_be_tried_again(folder: StudyFolder) -> None:
    facts = StudyFacts(folder, "finished")
    for number in range(1, 9):
        facts.take([cell(folder, number, "running"), cell(folder, number, "finished")])
    assert facts.words(0) == "finished, 8 runs"
    assert not facts.can_resume
    facts.take([cell(folder, 3, "running"), cell(folder, 3, "failed")])
    assert facts.words(0) == "finished, 7 of 8 runs · 1 did not finish"
    assert facts.can_resume


def test_damaged_events_and_cells_of_others_do_no_harm(folder: StudyFolder) -> None:
    facts = StudyFacts(folder)
    facts.take([{}, {"event": "cell"}, {"event": "cell", "cell": "ffff", "state": 7}, {"event": 1}])
    facts.take([cell(folder, 1, "running") | {"time": "soon"}])
    facts.take([cell(folder, 1, "finished") | {"time": None}])
    assert facts.finished == 1
    assert facts.seconds_left(0) is None


def test_a_copy_does_not_change_with_what_it_was_made_of(folder: StudyFolder) -> None:
    facts = StudyFacts(folder, "running")
    other = facts.copy()
    assert other == facts
    facts.take([cell(folder, 1, "running")])
    assert other != facts
    assert other.position == 1


# -- following -------------------------------------------------------------------------------------


def test_an_interrupted_study_is_found_when_the_project_opens(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path, study = driven(tmp_path, monkeypatch, upto=3)
    world.session.open_project(path)
    qtbot.waitUntil(lambda: bool(world.studies.all()) and bool(world.said))
    found = world.studies.all()[0]
    assert (found.state, found.finished, found.total) == ("lost", 3, 8)
    assert found.can_resume
    assert not found.can_pause
    level, text = world.said[-1]
    assert level == "warning"
    assert "interrupted after 3 of 8 runs" in text
    assert "safe" in text
    assert "Resume" in text

    asked: list[Path] = []

    def start(folder: StudyFolder) -> int:
        asked.append(folder.path)
        tell(folder, {"event": "state", "state": "queued", "starting": True})
        folder.write_process(os.getpid())
        return 1

    monkeypatch.setattr(queue, "start", start)
    world.studies.request_resume(found.study_id)
    qtbot.waitUntil(lambda: world.studies.all()[0].is_active)
    assert asked == [study.path]
    # The new driver says only that it has begun: what is done already, the runs tell.
    tell(study, {"event": "started", "cells": 8, "done": 3})
    qtbot.waitUntil(lambda: world.studies.all()[0].state == "running")
    assert world.studies.all()[0].finished == 3


def test_a_job_that_outlived_its_driver_counts_when_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path, study = driven(tmp_path, monkeypatch, upto=1)
    run = study.make_run(study.cells[1])
    run.write_process(os.getpid())
    thread = StudiesThread()
    told: list[list[StudyFacts]] = []
    thread.studies_listed.connect(lambda _, facts: told.append(facts))
    thread.watch(path)
    thread.turn()
    assert [facts.finished for facts in told[-1]] == [1]
    finish(run, lambda image: 0.5)
    monkeypatch.setattr("orgseg_app.gui.studies.studies_thread.ORPHANS_S", 0.0)
    thread.turn()
    assert [facts.finished for facts in told[-1]] == [2]
    count = len(told)
    thread.turn()
    assert len(told) == count  # nothing is new, nothing is told


def test_pause_resume_and_stop_reach_the_driver(world: World, tmp_path: Path, qtbot: QtBot) -> None:
    path, study = make_study(tmp_path)
    tell(study, {"event": "started", "cells": 4, "done": 0}, cell(study, 1, "running"))
    study.write_process(os.getpid())
    world.session.open_project(path)
    qtbot.waitUntil(lambda: bool(world.studies.active()))
    study_id = study.study_id
    assert world.studies.active()[0].words(time.time()).startswith("running 1 of 4")
    world.studies.request_pause(study_id)
    qtbot.waitUntil((study.control_dir / "pause").exists)
    tell(study, {"event": "state", "state": "paused"})
    qtbot.waitUntil(lambda: world.studies.all()[0].state == "paused")
    assert world.studies.all()[0].can_resume
    world.studies.request_resume(study_id)
    qtbot.waitUntil(lambda: not (study.control_dir / "pause").exists())
    tell(study, {"event": "state", "state": "running"})
    world.studies.request_stop(study_id)
    qtbot.waitUntil((study.control_dir / "stop").exists)
    tell(study, {"event": "stopped", "message": "Stopped with 0 of 4 runs finished."})
    qtbot.waitUntil(lambda: world.ended == [study_id])
    assert world.said[-1] == ("info", "The study “two by two” is stopped.")
    world.studies.request_pause(study_id)
    qtbot.waitUntil(lambda: world.said[-1][0] == "error")
    assert "stopped" in world.said[-1][1]


def test_a_study_that_is_made_is_there_at_once_and_started(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path, _ = make_study(tmp_path)
    started: list[str] = []
    monkeypatch.setattr(queue, "start", lambda folder: started.append(folder.study_id))
    world.session.open_project(path)
    qtbot.waitUntil(lambda: len(world.studies.all()) == 1)
    world.studies.start(study_from_toml(TWO_BY_TWO.replace("two by two", "another")))
    assert world.studies.is_preparing
    qtbot.waitUntil(lambda: bool(started))
    assert [study.name for study in world.studies.all()] == ["two by two", "another"]
    assert started == [world.studies.all()[1].study_id]
    assert not world.studies.is_preparing


def test_a_study_the_project_cannot_do_is_refused_in_a_sentence(
    world: World, tmp_path: Path, qtbot: QtBot
) -> None:
    path, _ = make_study(tmp_path)
    world.session.open_project(path)
    qtbot.waitUntil(lambda: len(world.studies.all()) == 1)
    world.studies.start(study_from_toml("folds = 9\n" + TWO_BY_TWO))
    qtbot.waitUntil(lambda: bool(world.said) and world.said[-1][0] == "error")
    assert "9" in world.said[-1][1]
    assert len(world.studies.all()) == 1


def test_without_a_project_nothing_is_polled(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path, _ = make_study(tmp_path)
    world.session.open_project(path)
    qtbot.waitUntil(lambda: len(world.studies.all()) == 1)
    world.session.close_project()
    assert world.studies.all() == []
    looks: list[object] = []
    monkeypatch.setattr(
        "orgseg_app.gui.studies.studies_thread._listing_of", lambda folder: looks.append(folder)
    )
    world.thread.watch(None)
    qtbot.wait(50)
    before = len(looks)
    qtbot.wait(150)  # five of its beats
    assert len(looks) == before


def test_a_run_knows_its_study(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    path, study = driven(tmp_path, monkeypatch, upto=1)
    world.session.open_project(path)
    qtbot.waitUntil(lambda: bool(world.studies.all()))
    run = next(iter(study.runs().values()))
    entry = RunEntry(run, run.run_id, run.name, run.kind, run.state, run.created, run.recipe)
    assert entry.is_of_study
    found = world.studies.of_run(entry)
    assert found is not None
    assert found.study_id == study.study_id
    assert world.studies.of_run(None) is None
