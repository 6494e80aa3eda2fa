"""Driving a study: one cell after another, whatever happens to jobs, drivers and requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.runs import launcher
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import StudyError
from orgseg_app.runs.studies.folder import StudyFolder
from tests.runs.studies.doubles import Jobs, finish, make_study


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setattr(queue, "LOOK_EVERY_S", 0.01)
    return Jobs(monkeypatch)


def drive(folder: StudyFolder) -> tuple[str, dict[str, str]]:
    """Be the driver; how it ended, and how each cell did by its last word."""
    assert queue.run_study(str(folder.path)) in (0, 1)
    cells = {e["title"]: e["state"] for e in folder.events()[0] if e["event"] == "cell"}
    return folder.state, cells


def wait_until(check: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_one_cell_after_another(tmp_path: Path, jobs: Jobs) -> None:
    path, study = make_study(tmp_path)
    state, cells = drive(study)
    assert state == "finished"
    assert set(cells.values()) == {"finished"}
    assert jobs.started == [1, 2, 3, 4]
    assert len(list_runs(path)) == 4
    assert not (study.path / "drafts").exists()
    last = study.events()[0][-1]
    assert last["message"] == "4 of 4 runs finished."
    assert drive(study)[0] == "finished"  # a second driver finds nothing to do
    assert jobs.started == [1, 2, 3, 4]
    with pytest.raises(StudyError, match="have finished"):
        queue.request_resume(study)


def test_cells_that_fail_are_noted_and_do_not_end_it(tmp_path: Path, jobs: Jobs) -> None:
    path, study = make_study(tmp_path)
    jobs.ends = {2: ["failed"], 3: ["lost", "lost"], 4: ["lost", "finished"]}
    state, cells = drive(study)
    assert state == "finished"
    assert list(cells.values()) == ["finished", "failed", "lost", "finished"]
    assert jobs.started == [1, 2, 3, 3, 4, 4]
    notes = [e for e in study.events()[0] if e["event"] == "cell" and e["state"] == "failed"]
    assert notes[0]["message"] == "failed, as told"
    assert "2 of 4 runs finished; 2 did not" in study.events()[0][-1]["message"]
    assert drive(study)[0] == "finished"  # those are tried again, the others left alone
    assert jobs.started[6:] == [2, 3]
    assert len(list_runs(path)) == 4
    assert study.events()[0][-1]["message"] == "4 of 4 runs finished."


def test_nothing_could_be_trained(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)
    jobs.ends = {n: ["failed"] for n in range(1, 5)}
    assert drive(study)[0] == "failed"
    assert "None of the 4 runs" in study.events()[0][-1]["message"]


def test_what_it_learns_from_is_gone(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)
    study.snapshot_path.unlink()
    assert drive(study)[0] == "failed"
    assert jobs.started == []


def test_a_run_that_was_deleted_is_trained_again(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)
    drive(study)
    study.runs()[study.cells[1].cell_id].delete()
    queue.run_study(str(study.path))
    assert jobs.started == [1, 2, 3, 4, 2]


def test_stopped_between_and_gone_on(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)

    def stop_in_the_third(run: RunFolder) -> None:
        if run.request["study"]["number"] == 3 and len(jobs.started) == 3:
            queue.request_stop(study)

    jobs.on_start = stop_in_the_third
    jobs.ends = {3: ["stopped"]}
    assert drive(study)[0] == "stopped"
    assert jobs.started == [1, 2, 3]
    (study.control_dir / "stop").unlink()
    assert drive(study)[0] == "finished"
    assert jobs.started == [1, 2, 3, 3, 4]


class Slow:
    """A job that works until it is let go, and obeys the control files of its run."""

    def __init__(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs, self.let_go = jobs, threading.Event()
        self.alive = True
        self.threads: list[threading.Thread] = []
        monkeypatch.setattr(launcher, "start", self.start)
        monkeypatch.setattr("orgseg_app.runs.job_folder.is_alive", lambda *_: self.alive)

    def start(self, run: RunFolder) -> int:
        self.jobs.started.append(run.request["study"]["number"])
        run.write_process(1)
        with EventWriter(run.events_path) as events:
            events.write("started", steps=12, step=0)
        thread = threading.Thread(target=self._work, args=(run,))
        self.threads.append(thread)
        thread.start()
        return 1

    def _work(self, run: RunFolder) -> None:
        told = "running"
        with EventWriter(run.events_path) as events:
            while not self.let_go.wait(0.005):
                if (run.control_dir / "stop").exists():
                    events.write("stopped", run=run.run_id, message="")
                    return
                now = "paused" if (run.control_dir / "pause").exists() else "running"
                if now != told:
                    events.write("state", state=now)
                    told = now
        finish(run, lambda image: 0.5)


@pytest.fixture
def slow(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Any:
    double = Slow(jobs, monkeypatch)
    yield double
    double.let_go.set()
    for thread in double.threads:
        thread.join(20)


def test_pause_reaches_the_job_and_stop_ends_it(tmp_path: Path, slow: Slow) -> None:
    _, study = make_study(tmp_path)
    study.write_process(1)
    with EventWriter(study.events_path) as events:
        driver = queue.Driver(study, events.write)
        outcome: list[tuple[str, str]] = []
        thread = threading.Thread(target=lambda: outcome.append(driver.run()))
        thread.start()
        try:
            wait_until(lambda: slow.jobs.started == [1])
            run = next(iter(study.runs().values()))
            queue.request_pause(study)
            wait_until(lambda: study.state == "paused")
            wait_until(lambda: run.state == "paused")
            queue.request_resume(study)
            wait_until(lambda: run.state == "running")
            wait_until(lambda: study.state == "running")
            with pytest.raises(StudyError, match="is not paused"):
                queue.request_resume(study)
            with pytest.raises(StudyError, match="at work already"):
                queue.start(study)
        finally:
            queue.request_stop(study)
            thread.join(20)
    assert outcome == [("stopped", "Stopped with 0 of 4 runs finished.")]
    assert run.state == "stopped"
    assert slow.jobs.started == [1]


def test_a_new_driver_attaches_to_the_job_of_the_one_that_was_killed(
    tmp_path: Path, slow: Slow
) -> None:
    """The job went on by itself: it is waited for, not started once more."""
    path, study = make_study(tmp_path)
    run = study.make_run(study.cells[0])
    slow.start(run)
    (run.control_dir / "pause").touch()  # asked by the driver that is gone
    thread = threading.Thread(target=queue.run_study, args=(str(study.path),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue.Driver, "listening", lambda self: nullcontext())
        thread.start()
        wait_until(lambda: any(e["event"] == "cell" for e in study.events()[0]))
        assert not (run.control_dir / "pause").exists()
        assert slow.jobs.started == [1]
        slow.let_go.set()
        thread.join(30)
    assert study.state == "finished"
    assert slow.jobs.started == [1, 2, 3, 4]
    assert len(list_runs(path)) == 4


def test_two_drivers_are_refused(tmp_path: Path, jobs: Jobs, capfd: Any) -> None:
    _, study = make_study(tmp_path)
    with queue.driving(study):
        assert queue.run_study(str(study.path)) == 1
        with pytest.raises(StudyError, match="another process"):
            queue.start(study)
    assert "driven by another process already" in capfd.readouterr().err
    assert jobs.started == []
    assert study.events()[0] == []
    assert queue.run_study(str(tmp_path)) == 1


def test_requests_to_a_study_that_is_not_at_work(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)
    drive(study)
    for ask in (queue.request_pause, queue.request_stop):
        with pytest.raises(StudyError, match=r"is not working \(finished\)"):
            ask(study)


def test_the_command_is_this_program() -> None:
    assert queue.driver_command(Path("a b"))[1:] == ["-m", "orgseg_app", "--study", "a b"]
