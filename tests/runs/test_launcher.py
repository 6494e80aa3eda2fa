"""Starting and stopping jobs, with a fake job that speaks the real language of events."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orgseg_app.runs import launcher
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import read_json

FAKE_JOB = """
import os, sys, time
from pathlib import Path
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
run = RunFolder(Path(sys.argv[sys.argv.index("--job") + 1]))
what = run.request["name"]
print("printed by the job")
with EventWriter(run.events_path) as events:
    if what == "dies":
        os._exit(3)
    events.write("started", steps=1000)
    paused = False
    for step in range(1000):
        if not run.exists:
            sys.exit(1)
        if (run.control_dir / "stop").exists() and what != "deaf":
            events.write("stopped", run=run.run_id, message="", test=None)
            break
        while (run.control_dir / "pause").exists() and not (run.control_dir / "stop").exists():
            if not paused:
                events.write("state", state="paused")
            paused = True
            time.sleep(0.02)
        if paused:
            events.write("state", state="running")
            paused = False
        events.write("step", step=step)
        time.sleep(0.02)
        if what == "short" and step == 3:
            events.write("finished", run=run.run_id, message="", test=None)
            break
"""


@pytest.fixture
def new_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], RunFolder]]:
    script = tmp_path / "fake job.py"
    script.write_text(FAKE_JOB)
    monkeypatch.setattr(
        launcher,
        "job_command",
        lambda path: [sys.executable, str(script), "--job", str(path)],
    )
    made: list[RunFolder] = []

    def make(name: str) -> RunFolder:
        run = RunFolder.create(tmp_path / "ein Projekt ü.runs", name=name, kind="train")
        run.snapshot_path.write_bytes(b"what it learns from")
        made.append(run)
        return run

    yield make
    for run in made:
        if run.is_active and run.process_path.exists():
            launcher.kill(run)


def wait_until(check: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_job_runs_detached_and_finishes(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("short")
    pid = launcher.start(run)
    facts = read_json(run.process_path)
    assert facts is not None
    assert facts["pid"] == pid
    if sys.platform != "win32":
        assert os.getsid(pid) == pid != os.getsid(0)
        assert psutil.Process(pid).nice() == 19
        autogroup = Path(f"/proc/{pid}/autogroup")
        if autogroup.is_file() and "/autogroup-" in autogroup.read_text():
            assert autogroup.read_text().split()[-1] == "10"
    assert launcher.wait_for_end(run, 60) == "finished"
    assert "printed by the job" in run.log_path.read_text()
    assert [event["event"] for event in run.events()[0]][:2] == ["state", "started"]
    wait_until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(RunError, match="has finished"):
        launcher.request_resume(run)
    with pytest.raises(RunError, match=r"is not working \(finished\)"):
        launcher.request_stop(run)


def test_pause_resume_stop(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("long")
    launcher.start(run)
    with pytest.raises(RunError, match="working already"):
        launcher.start(run)
    wait_until(lambda: run.state == "running")
    with pytest.raises(RunError, match="is not paused"):
        launcher.request_resume(run)
    launcher.request_pause(run)
    wait_until(lambda: run.state == "paused")
    launcher.request_resume(run)
    wait_until(lambda: run.state == "running")
    launcher.request_pause(run)
    wait_until(lambda: run.state == "paused")
    launcher.request_stop(run)
    assert launcher.wait_for_end(run, 60) == "stopped"


def test_a_stopped_run_can_go_on(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("long")
    first = launcher.start(run)
    wait_until(lambda: run.state == "running")
    launcher.request_stop(run)
    assert launcher.wait_for_end(run, 60) == "stopped"
    launcher.request_resume(run)
    assert not (run.control_dir / "stop").exists()
    facts = read_json(run.process_path)
    assert facts is not None
    assert facts["pid"] != first
    wait_until(lambda: run.state == "running")


def test_a_job_that_does_not_listen_is_ended(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("deaf")
    pid = launcher.start(run)
    wait_until(lambda: run.state == "running")
    launcher.request_stop(run)
    launcher.kill(run)
    wait_until(lambda: not psutil.pid_exists(pid))
    assert run.state == "stopped"
    with pytest.raises(RunError, match="not working on this computer"):
        launcher.kill(run)


def test_a_job_that_dies_is_lost_and_can_be_started_again(
    new_run: Callable[[str], RunFolder],
) -> None:
    run = new_run("dies")
    pid = launcher.start(run)
    wait_until(lambda: not psutil.pid_exists(pid))
    assert run.state == "lost"
    run.request["name"] = "dies"
    launcher.request_resume(run)
    assert launcher.wait_for_end(run, 60) == "lost"


def test_the_job_survives_the_one_who_started_it(
    new_run: Callable[[str], RunFolder], tmp_path: Path
) -> None:
    run = new_run("long")
    script = tmp_path / "fake job.py"
    code = (
        "import sys, time; from pathlib import Path; from orgseg_app.runs import launcher;"
        "from orgseg_app.runs.folder import RunFolder;"
        f"launcher.job_command = lambda p: [sys.executable, {str(script)!r}, '--job', str(p)];"
        f"launcher.start(RunFolder(Path({str(run.path)!r}))); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=launcher.job_environment()) as starter:
        wait_until(lambda: run.state == "running")
        starter.kill()
        starter.wait()
    seen = len(run.events()[0])
    wait_until(lambda: len(run.events()[0]) > seen + 3)
    assert run.state == "running"
    launcher.request_stop(run)
    assert launcher.wait_for_end(run, 60) == "stopped"


def test_a_folder_deleted_while_it_works(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("long")
    pid = launcher.start(run)
    wait_until(lambda: run.state == "running")
    shutil.rmtree(run.path)
    assert run.state == "lost"
    for ask in (launcher.request_stop, launcher.request_pause):
        with pytest.raises(RunError, match="is gone"):
            ask(run)
    with pytest.raises(RunError, match="is gone, so it cannot be started"):
        launcher.start(run)
    wait_until(lambda: not psutil.pid_exists(pid))


def test_a_run_that_was_never_started_goes_stale(new_run: Callable[[str], RunFolder]) -> None:
    run = new_run("short")
    assert run.state == "queued"
    run.request["created"] -= 3600
    assert run.state == "lost"
    launcher.start(run)
    assert launcher.wait_for_end(run, 60) == "finished"


def test_the_command_is_this_program_frozen_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("a b") / "c"
    assert launcher.job_command(path)[1:] == ["-m", "orgseg_app", "--job", str(path)]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert launcher.job_command(path) == [sys.executable, "--job", str(path)]


def test_the_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    environment = launcher.job_environment()
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert (Path(environment["PYTHONPATH"].split(os.pathsep)[0]) / "orgseg_app").is_dir()
