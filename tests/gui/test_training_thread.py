"""The training thread: what it reads, what it tells, and that it never ends a job."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.runs.training_thread import TrainingThread
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder, runs_dir
from tests.gui.recorded_runs import append_events, make_project, pretend_alive, record_run

JOB = """
import json, sys, time
from pathlib import Path
run = Path(sys.argv[1])
def write(**event):
    with open(run / "events.jsonl", "a") as file:
        file.write(json.dumps(event) + "\\n")
write(event="started", device="CPU", steps=3, parameters=1, images={})
for step in (1, 2):
    write(event="step", step=step, loss=1 / step)
until = time.time() + 30
while not (run / "control" / "stop").exists() and time.time() < until:
    time.sleep(0.02)
write(event="stopped", run="x", message="Stopped as asked.")
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFile]:
    with make_project(tmp_path / "cells µ.orgseg") as file:
        yield file


@pytest.fixture
def thread(qtbot: QtBot) -> Iterator[TrainingThread]:
    thread = TrainingThread()
    thread.start()
    yield thread
    assert thread.stop()


class Heard:
    """Everything the thread said."""

    def __init__(self, thread: TrainingThread) -> None:
        self.lists: list[list] = []
        self.batches: list[tuple[str, list]] = []
        self.news: list[tuple[str, dict]] = []
        self.states: list[tuple[str, str]] = []
        self.failures: list[tuple[str, str]] = []
        thread.runs_listed.connect(self.lists.append)
        thread.events_received.connect(lambda i, events: self.batches.append((i, events)))
        thread.event_received.connect(lambda i, event: self.news.append((i, event)))
        thread.state_changed.connect(lambda i, state: self.states.append((i, state)))
        thread.job_failed.connect(lambda i, text: self.failures.append((i, text)))
        thread.request_failed.connect(lambda i, text: self.failures.append((i, text)))

    def events_of(self, run: RunFolder) -> list[dict]:
        return [event for i, events in self.batches if i == run.run_id for event in events]


@pytest.fixture
def heard(thread: TrainingThread) -> Heard:
    return Heard(thread)


def test_runs_on_disk_are_listed_with_their_facts_and_their_whole_history(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    first = record_run(project, "first", created=1.0)
    second = record_run(project, "second", created=2.0, end="failed", message="No memory.")
    thread.watch(project.path)
    qtbot.waitUntil(lambda: len(heard.batches) == 2)
    facts = heard.lists[-1]
    assert [f.run_id for f in facts] == [first.run_id, second.run_id]
    assert [f.state for f in facts] == ["finished", "failed"]
    assert [f.name for f in facts] == ["first", "second"]
    assert facts[0].recipe is not None
    assert facts[0].recipe.name == "fast"
    assert facts[0].has_model
    assert heard.events_of(first)[-1]["event"] == "finished"
    assert heard.events_of(first) == first.events()[0]
    assert heard.news == []  # nothing happened while it watched


def test_each_event_arrives_once_and_a_half_line_waits(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    run = record_run(project, "live", upto=40, end="")
    pretend_alive(run)
    thread.watch(project.path)
    qtbot.waitUntil(lambda: bool(heard.batches))
    append_events(run, {"event": "step", "step": 44, "loss": 0.5})
    qtbot.waitUntil(lambda: len(heard.news) == 1)
    with open(run.events_path, "a") as file:
        file.write('{"event": "step", "step": 48')
        file.flush()
        append = ', "loss": 0.25}\n'
        qtbot.wait(400)
        assert len(heard.news) == 1
        file.write(append)
    qtbot.waitUntil(lambda: len(heard.news) == 2)
    assert [event["step"] for _, event in heard.news] == [44, 48]
    steps = [e["step"] for e in heard.events_of(run) if e["event"] == "step"]
    assert len(steps) == len(set(steps))


def test_the_end_of_a_run_is_told(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    run = record_run(project, "ends", upto=40, end="")
    pretend_alive(run)
    thread.watch(project.path)
    qtbot.waitUntil(lambda: bool(heard.batches))
    assert heard.lists[-1][0].state == "running"
    append_events(run, {"event": "finished", "run": run.run_id, "message": "Done."})
    qtbot.waitUntil(lambda: (run.run_id, "finished") in heard.states)
    assert heard.news[-1][1]["message"] == "Done."


def test_a_job_that_dies_without_a_word_is_lost(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    run = record_run(project, "dies", upto=40, end="")
    pretend_alive(run)
    thread.watch(project.path)
    qtbot.waitUntil(lambda: bool(heard.batches))
    run.process_path.unlink()
    qtbot.waitUntil(lambda: (run.run_id, "lost") in heard.states)


def test_runs_made_elsewhere_appear_and_deleted_ones_go(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    thread.watch(project.path)
    qtbot.waitUntil(lambda: heard.lists[-1:] == [[]])
    run = record_run(project, "from the command line", upto=40, end="")
    pretend_alive(run)
    qtbot.waitUntil(lambda: [f.run_id for f in heard.lists[-1]] == [run.run_id])
    qtbot.waitUntil(lambda: bool(heard.batches))
    shutil.rmtree(run.path)
    qtbot.waitUntil(lambda: heard.lists[-1] == [])
    assert thread.isRunning()


def test_another_project_ends_the_following_of_the_one_before(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    record_run(project, "here")
    thread.watch(project.path)
    qtbot.waitUntil(lambda: bool(heard.lists) and len(heard.lists[-1]) == 1)
    thread.watch(None)
    qtbot.waitUntil(lambda: heard.lists[-1] == [])
    thread.watch(tmp_path / "missing" / "nothing.orgseg")
    qtbot.wait(300)
    assert thread.isRunning()


def test_a_job_is_started_followed_and_asked_to_stop(
    project: ProjectFile,
    thread: TrainingThread,
    heard: Heard,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        launcher, "job_command", lambda path: [sys.executable, "-c", JOB, str(path)]
    )
    run = RunFolder.create(runs_dir(project.path), name="job", kind="train")
    thread.watch(project.path)
    thread.start_run(run)
    qtbot.waitUntil(lambda: (run.run_id, "running") in heard.states, timeout=10_000)
    qtbot.waitUntil(lambda: any(e.get("step") == 2 for _, e in heard.news))
    thread.ask(run, launcher.request_stop)
    qtbot.waitUntil(lambda: (run.run_id, "stopped") in heard.states, timeout=10_000)
    assert heard.failures == []


def test_ending_the_thread_leaves_the_job_alone(
    project: ProjectFile, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        launcher, "job_command", lambda path: [sys.executable, "-c", JOB, str(path)]
    )
    run = RunFolder.create(runs_dir(project.path), name="job", kind="train")
    thread = TrainingThread()
    heard = Heard(thread)
    thread.start()
    thread.start_run(run)
    qtbot.waitUntil(lambda: any(e.get("step") == 2 for _, e in heard.news), timeout=10_000)
    assert thread.stop()
    pid = launcher.read_json(run.process_path)["pid"]
    assert psutil.pid_exists(pid)
    assert run.state == "running"
    launcher.request_stop(run)
    assert launcher.wait_for_end(run, 10) == "stopped"
    again = TrainingThread()
    reheard = Heard(again)
    again.start()
    again.watch(project.path)
    qtbot.waitUntil(lambda: bool(reheard.batches))
    assert reheard.lists[-1][0].state == "stopped"
    assert again.stop()


def test_a_run_that_cannot_start_says_so(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    run = RunFolder.create(runs_dir(project.path), name="gone", kind="train")
    shutil.rmtree(run.path)
    thread.start_run(run)
    qtbot.waitUntil(lambda: bool(heard.failures))
    assert heard.failures[0][0] == run.run_id
    assert "gone" in heard.failures[0][1]


def test_a_request_that_makes_no_sense_says_so(
    project: ProjectFile, thread: TrainingThread, heard: Heard, qtbot: QtBot
) -> None:
    run = record_run(project, "over")
    thread.ask(run, launcher.request_pause)
    qtbot.waitUntil(lambda: bool(heard.failures))
    assert "not working" in heard.failures[0][1]


def test_the_thread_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys, orgseg_app.gui.runs.training_thread, orgseg_app.gui.runs.runs_model;"
        "import orgseg_app.gui.panels.training_panel, orgseg_app.gui.panels.runs_panel;"
        "import orgseg_app.gui.comparing.results_view;"
        "found = {m.partition('.')[0] for m in sys.modules} & "
        "{'torch', 'scipy', 'skimage', 'zarr', 'pyqtgraph', 'tifffile', 'imagecodecs'};"
        "print(sorted(found))"
    )
    environment = dict(os.environ, QT_QPA_PLATFORM="offscreen")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"
