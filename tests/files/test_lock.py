"""Two windows on one project: one writes, the other is told who and looks."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import textwrap
import time

import pytest

from orgseg_app.files.lock import LockedError, read_holder
from orgseg_app.files.project_file import ProjectFile
from tests.files.projects import (
    ROOT,
    small_project,
)

HOLD = """
import sys
from orgseg_app.files.project_file import ProjectFile
file = ProjectFile.open(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other_window(tmp_path):
    """A project that another process has open."""
    path = tmp_path / "p.orgseg"
    small_project(path, 1).close()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout.readline().strip() == b"open"
    yield path, process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_second_window_is_told_who_and_looks_only(other_window):
    path, process = other_window
    with pytest.raises(
        LockedError, match=r"“p.orgseg” is open in another OrgSeg window on this computer since"
    ) as caught:
        ProjectFile.open(path)
    assert caught.value.who == "another OrgSeg window on this computer"
    assert abs(caught.value.since.timestamp() - time.time()) < 120
    holder = read_holder(path)
    assert (holder.pid, holder.host) == (process.pid, platform.node())
    with ProjectFile.open(path, read_only=True) as file:
        assert len(file.project.images) == 1
    with pytest.raises(LockedError):
        ProjectFile.open(path)


def test_the_lock_of_a_killed_window_is_taken_over_without_asking(other_window):
    path, process = other_window
    process.kill()
    process.wait()
    assert read_holder(path).pid == process.pid
    leftover = path.with_name(f".{path.name}.saving-{process.pid}")
    leftover.write_bytes(b"half")
    alive = path.with_name(f".{path.name}.saving-{os.getppid()}")
    alive.write_bytes(b"another's")
    unrelated = path.with_name(".q.orgseg.saving-1")
    unrelated.write_bytes(b"not ours")
    with ProjectFile.open(path) as file:
        assert not file.read_only
        assert read_holder(path).pid == os.getpid()
        with pytest.raises(LockedError, match="this window"):
            ProjectFile.open(path)
    assert not leftover.exists()
    assert alive.exists()
    assert unrelated.exists()
    assert not path.with_name("p.orgseg.lock").exists()


def test_a_window_that_closes_hands_the_project_on(other_window):
    path, process = other_window
    process.communicate(b"\n", timeout=30)
    ProjectFile.open(path).close()


@pytest.mark.parametrize("locks_work", [True, False])
def test_lock_files_of_other_times_and_places(tmp_path, monkeypatch, locks_work):
    path = tmp_path / "p.orgseg"
    small_project(path, 1).close()
    lock = path.with_name("p.orgseg.lock")
    if not locks_work:
        monkeypatch.setattr("orgseg_app.files.lock._lock_descriptor", lambda _: False)
    facts = {
        "host": platform.node(),
        "user": "anna",
        "pid": 2**22 - 3,
        "started": 1.0,
        "since": "2026-11-21T10:42:00+01:00",
    }

    for free in (
        b"",
        b"{",
        b"[]",
        b"\xff" * 9000,
        json.dumps(facts).encode(),
        json.dumps({**facts, "pid": os.getpid()}).encode(),
    ):
        lock.write_bytes(free)  # nothing readable, a dead process, or another one with its number
        ProjectFile.open(path).close()
        assert not lock.exists()

    lock.write_text(json.dumps({**facts, "host": "PC-3\u202e", "user": "anna\n"}))
    with pytest.raises(
        LockedError, match=r"open in anna on PC-3 since .* delete “p.orgseg.lock”"
    ) as caught:
        ProjectFile.open(path)
    assert caught.value.since.isoformat() == "2026-11-21T10:42:00+01:00"
    assert lock.exists()
    ProjectFile.open(path, read_only=True).close()

    lock.write_text(json.dumps({**facts, "pid": os.getppid(), "started": 0, "since": "?"}))
    if locks_work:
        ProjectFile.open(path).close()  # nobody holds the lock: its owner is gone
    else:
        with pytest.raises(LockedError) as caught:
            ProjectFile.open(path)
        assert caught.value.since is None


def test_many_windows_at_once_leave_one_writer(tmp_path):
    """Processes race for the lock; each checks that it is alone while it holds it."""
    path = tmp_path / "p.orgseg"
    small_project(path, 1).close()
    code = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from orgseg_app.files.lock import LockedError, ProjectLock
        path, mark, won = Path(sys.argv[1]), Path(sys.argv[1] + ".mark"), 0
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            lock = ProjectLock(path)
            try:
                lock.acquire()
            except LockedError:
                continue
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))  # fails when two have it
            won += 1
            os.unlink(mark)
            lock.release()
        print(won)
        """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ends = [p.communicate(timeout=60) for p in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], ends
    assert sum(int(out) for out, _ in ends) > 10
    assert sorted(os.listdir(tmp_path)) == ["p.orgseg"]
