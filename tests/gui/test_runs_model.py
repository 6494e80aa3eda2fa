"""What the window knows of runs: found again, renamed, deleted, brought back, asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder, list_runs
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
        record_run(file, "older", created=1.0)
        record_run(file, "younger", created=2.0, quality=0.9)
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 2 and world.is_read)
        yield world


def test_runs_are_known_with_their_curves(world: World) -> None:
    older, younger = world.runs.trainings()
    assert (older.name, younger.name) == ("older", "younger")
    assert older.steps[-1] == 400
    assert len(older.steps) == len(older.losses) == 100
    assert younger.best_iou is not None
    assert older.colour_index != younger.colour_index
    assert older.state == "finished"
    assert world.runs.current() is None


def test_a_run_that_was_under_way_is_found_again(path: Path, qtbot: QtBot) -> None:
    with make_project(path.with_name("again.orgseg"), side=48) as file:
        run = record_run(file, "learning", upto=120, end="")
        pretend_alive(run)
    with opened(path.with_name("again.orgseg")) as world:
        qtbot.waitUntil(lambda: world.is_read)
        current = world.runs.current()
        assert current is not None
        assert current.state_text == "step 120 of 400"
        with qtbot.waitSignal(world.runs.run_ended) as ended:
            append_events(run, {"event": "finished", "run": run.run_id, "message": "Done."})
        assert ended.args == [run.run_id]
        assert world.runs.current() is None
        assert world.named("learning").message == "Done."


def test_one_signal_for_a_batch_of_events(path: Path, qtbot: QtBot) -> None:
    told: list[str] = []
    with opened(None) as world:
        world.runs.run_changed.connect(told.append)
        world.session.open_project(path)
        qtbot.waitUntil(lambda: world.is_read)
    assert len(told) <= 4  # two runs with over a hundred events each


def test_renaming_lasts(world: World, path: Path, qtbot: QtBot) -> None:
    run_id = world.named("older").run_id
    assert world.runs.rename(run_id, "  best   of  all ")
    assert world.named("best of all").run_id == run_id
    assert {run.name for run in list_runs(path)} == {"best of all", "younger"}
    assert not world.runs.rename(run_id, "   ")
    assert world.messages[-1][0] == "error"


def test_deleting_is_undone(world: World, path: Path, qtbot: QtBot) -> None:
    run_id = world.named("older").run_id
    with qtbot.waitSignal(world.runs.run_deleted) as deleted:
        world.runs.delete([run_id])
    assert world.runs.get(run_id) is None
    assert [run.name for run in list_runs(path)] == ["younger"]
    qtbot.wait(300)
    assert [entry.name for entry in world.runs.all()] == ["younger"]
    world.runs.restore_run(deleted.args[1])
    qtbot.waitUntil(lambda: world.runs.get(run_id) is not None and world.is_read)
    assert [entry.name for entry in world.runs.trainings()][-1] in ("older", "younger")
    assert world.named("older").steps[-1] == 400


def test_a_working_run_is_not_deleted(world: World, qtbot: QtBot) -> None:
    assert world.session.file is not None
    run = record_run(world.session.file, "busy", upto=80, end="")
    pretend_alive(run)
    qtbot.waitUntil(lambda: world.runs.get(run.run_id) is not None)
    world.runs.delete([run.run_id])
    assert world.runs.get(run.run_id) is not None
    assert "Stop it first" in world.messages[-1][1]


def test_a_folder_deleted_by_hand_disappears_and_that_is_said(world: World, qtbot: QtBot) -> None:
    import shutil

    entry = world.named("older")
    shutil.rmtree(entry.run.path)
    qtbot.waitUntil(lambda: world.runs.get(entry.run_id) is None)
    ((level, text),) = world.messages
    assert level == "warning"
    assert "The folder of “older” is gone" in text


def test_closing_the_project_forgets_its_runs(world: World, qtbot: QtBot) -> None:
    world.session.close_project()
    assert world.runs.all() == []
    qtbot.wait(300)
    assert world.runs.all() == []


def test_free_names(world: World) -> None:
    assert world.runs.free_name("older") == "older 2"
    assert world.runs.free_name("new") == "new"
    assert world.runs.free_name("  ") == "run"


def test_training_prepares_in_the_background_and_starts(
    world: World, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr(launcher, "start", lambda run: started.append(run) or 0)
    states: list[bool] = []
    world.runs.preparing_changed.connect(states.append)
    with qtbot.waitSignal(world.runs.run_prepared, timeout=10_000):
        world.runs.train(PRESETS["fast"], "my run")
        assert world.runs.is_preparing
    assert states == [True, False]
    qtbot.waitUntil(lambda: bool(started))
    run = started[0]
    assert run.name == "my run"
    assert run.snapshot_path.is_file()
    assert world.named("my run").state == "queued"


def test_a_problem_while_preparing_becomes_a_message(path: Path, qtbot: QtBot) -> None:
    bare = path.with_name("bare.orgseg")
    with make_project(bare, splits=["test"], side=48):
        pass
    with opened(bare) as world:
        world.runs.train(PRESETS["fast"], "impossible")
        qtbot.waitUntil(lambda: bool(world.messages))
        level, text = world.messages[-1]
        assert level == "error"
        assert "training split" in text
        assert not world.runs.is_preparing
        assert world.runs.all() == []


def test_scoring_makes_a_scoring_run(
    world: World, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr(launcher, "start", lambda run: started.append(run) or 0)
    ids = [entry.run_id for entry in world.runs.trainings()]
    world.runs.score(ids)
    qtbot.waitUntil(lambda: len(started) == 2, timeout=10_000)
    assert [run.kind for run in started] == ["score", "score"]
    assert [run.request["scored_run"] for run in started] == ids
    assert len(world.runs.trainings()) == 2


def test_a_job_that_cannot_start_is_failed(
    world: World, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: RunFolder) -> int:
        raise OSError("no processes left")

    monkeypatch.setattr(launcher, "start", refuse)
    world.runs.train(PRESETS["fast"], "unlucky")
    qtbot.waitUntil(lambda: ("error", "no processes left") in world.messages, timeout=10_000)
    assert world.named("unlucky").state == "failed"
