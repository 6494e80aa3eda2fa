"""kill -9 to a study's driver and its job in the middle: what comes of it is the same."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orgseg_app.learn.job import run_job
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.process import read_json
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.folder import StudyFolder
from orgseg_app.runs.studies.results import study_results
from tests.learn.training.test_trainer import assert_same
from tests.runs.studies.doubles import TWO_BY_TWO, make_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="kills by signal"),
]

# A third of the steps: how often a slow machine checks at the least (`Trainer._check_less_often`).
STUDY = TWO_BY_TWO.replace("steps = 12", "steps = 150").replace("every = 6", "every = 50")


def wait_until(check: Callable[[], bool], seconds: float = 240, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def kill(*processes: Path) -> None:
    """The processes that these files name, one right after the other."""
    pids = [(read_json(path) or {})["pid"] for path in processes]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


def ends_of(run: RunFolder) -> list[str]:
    return [e["event"] for e in run.events()[0] if e["event"] in ("finished", "stopped", "failed")]


def undisturbed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """The same study, its jobs done in this process."""
    (folder / "other").mkdir()
    _, study = make_study(folder / "other", STUDY)
    with monkeypatch.context() as patch:
        patch.setattr(launcher, "start", lambda run: run_job(str(run.path)))
        assert queue.run_study(str(study.path)) == 0
    return study


def test_killed_in_the_middle_and_gone_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, study = make_study(tmp_path, STUDY)
    second = study.cells[1].cell_id
    queue.start(study)
    wait_until(lambda: second in study.runs(), pause=0.1)
    cut_off = study.runs()[second]
    wait_until(cut_off.last_path.exists)  # written after the first of three checks
    kill(study.process_path, cut_off.process_path)
    assert study.state == "lost"
    assert ends_of(cut_off) == []
    before = {run.run_id: run.events()[0] for run in list_runs(path)}

    queue.request_resume(study)
    with pytest.raises(queue.StudyBusyError):
        queue.start(study)
    wait_until(lambda: not study.is_active)
    assert study.state == "finished", study.log_path.read_text()
    runs = study.runs()
    assert len(runs) == len(list_runs(path)) == 4
    assert all(ends_of(run) == ["finished"] for run in runs.values())
    first = runs[study.cells[0].cell_id]
    assert first.events()[0] == before[first.run_id]
    begun = [e["step"] for e in runs[second].events()[0] if e["event"] == "started"]
    assert len(begun) == 2
    assert begun[1] > 0  # it went on where it was

    other = undisturbed(tmp_path, monkeypatch)
    assert [c.cell_id for c in other.cells] == [c.cell_id for c in study.cells]
    for cell_id, run in other.runs().items():
        assert_same(runs[cell_id].best_path, run.best_path)
    found, wanted = study_results(study), study_results(other)
    assert [c.places for c in found.ranking] == [c.places for c in wanted.ranking]
    assert [c.validation for c in found.ranking] == [c.validation for c in wanted.ranking]
    assert found.test is not None
    assert wanted.test is not None
    assert sorted(found.test.by_run.values()) == sorted(wanted.test.by_run.values())
