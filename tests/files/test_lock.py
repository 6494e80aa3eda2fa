"""Two windows on one project: one writes, the other is told who and looks."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store import lock as lock_module
from orgseg_app.files.store import lock_holder
from orgseg_app.files.store.lock import LockedError, ProjectLock, nobody_writing, read_holder
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
        monkeypatch.setattr("orgseg_app.files.store.lock.lock_alone", lambda _: False)
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
        LockedError, match=r"open in anna on PC-3 since .* try again after a minute"
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


@pytest.mark.parametrize("locks_work", [True, False])
def test_many_windows_at_once_leave_one_writer(tmp_path, locks_work):
    """Processes race for the lock; each checks that it is alone while it holds it."""
    path = tmp_path / "p.orgseg"
    code = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from orgseg_app.files.store import lock as module
        from orgseg_app.files.store.lock import LockedError, ProjectLock
        if sys.argv[2] == "False":
            module.lock_alone = lambda descriptor: False
        module._SIGNING_S = 0.05
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
            assert lock.is_ours(), lock.loss
            os.unlink(mark)
            lock.release()
        print(won)
        """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(locks_work)],
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
    assert sorted(os.listdir(tmp_path)) == []


# -- another computer ---------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    """``with elsewhere():`` what happens within happens on anna's PC-3, which starts afresh."""

    @contextlib.contextmanager
    def there():
        with monkeypatch.context() as patched:
            patched.setattr(lock_holder.platform, "node", lambda: "PC-3")
            patched.setattr(lock_holder, "_user", lambda: "anna")
            patched.setattr(lock_holder, "boot_id", lambda: "another")
            yield

    return there


@pytest.fixture(params=["no locks", "server", "server without locks"])
def share(request, monkeypatch):
    """A file system that two computers see; one of them has locks that both see."""
    if request.param != "server":
        monkeypatch.setattr(lock_module, "lock_alone", lambda _: False)
    if request.param != "no locks":
        monkeypatch.setattr(lock_module, "is_remote", lambda _: True)
    monkeypatch.setattr(lock_module, "_SIGNING_S", 0.01)
    return request.param


def silent(path, seconds):
    """Make a lock file look as if its owner had been silent for so long."""
    then = time.time() - seconds
    os.utime(path.with_name(path.name + ".lock"), (then, then))


@pytest.fixture
def taken(tmp_path, elsewhere):
    """A project and the lock that anna has on it."""
    path = tmp_path / "p.orgseg"
    lock = ProjectLock(path)
    with elsewhere():
        lock.acquire()
    yield path, lock
    lock.release()


def test_another_computer_is_respected_while_it_shows_signs_of_life(share, taken, elsewhere):
    path, hers = taken
    mine = ProjectLock(path)
    for age in (0, 50, -3600):  # a time to come is no sign of death
        silent(path, age)
        with pytest.raises(LockedError, match="anna on PC-3 since .* again after a minute"):
            mine.acquire()
    with elsewhere():
        assert hers.is_ours()
    assert os.listdir(path.parent) == ["p.orgseg.lock"]  # the clock's file is gone again


def test_its_silence_ends_its_lock_and_it_notices(share, taken, elsewhere):
    path, hers = taken
    silent(path, 61)
    platform_node = platform.node()
    mine = ProjectLock(path)
    mine.acquire()
    try:
        signed = (path.parent / "p.orgseg.lock").read_bytes()
        with elsewhere():
            hers.beat()  # its thread may be faster than its window
            assert not hers.is_ours()
            assert f" on {platform_node} at " in hers.loss
            assert "only be looked at" in hers.loss
            assert not hers.is_ours()
            hers.beat()
            hers.release()  # what is not its own it leaves alone
        assert mine.is_ours()
        assert (path.parent / "p.orgseg.lock").read_bytes() == signed
        with elsewhere(), pytest.raises(LockedError):
            hers.acquire()
    finally:
        mine.release()
    assert os.listdir(path.parent) == []
    with elsewhere():
        hers.acquire()
        assert hers.is_ours()
        assert hers.loss == ""


def test_the_servers_clock_decides_and_not_ours(share, taken, monkeypatch):
    path, _ = taken
    monkeypatch.setattr(ProjectLock, "_file_system_time", lambda _: time.time() + 3600)
    silent(path, -3600 + 30)  # both are an hour ahead of us
    with pytest.raises(LockedError):
        ProjectLock(path).acquire()
    silent(path, -3600 + 90)
    mine = ProjectLock(path)
    mine.acquire()
    mine.release()


def test_the_file_systems_time_is_asked_and_leaves_nothing(tmp_path):
    lock = ProjectLock(tmp_path / "p.orgseg")
    assert abs(lock._file_system_time() - time.time()) < 60
    assert os.listdir(tmp_path) == []


def test_where_the_time_cannot_be_asked_the_lock_stays(share, taken, monkeypatch):
    path, _ = taken
    silent(path, 900)

    def refuse(_):
        raise OSError(30, "read-only")

    monkeypatch.setattr(ProjectLock, "_file_system_time", refuse)
    with pytest.raises(LockedError):
        ProjectLock(path).acquire()


def test_on_a_disk_of_ones_own_who_holds_it_lives(taken):
    """Two computers that are one: containers with names of their own. The system's lock tells."""
    path, _ = taken
    silent(path, 900)
    with pytest.raises(LockedError):
        ProjectLock(path).acquire()


def test_a_computer_of_the_same_name_is_another(tmp_path, monkeypatch):
    """Its process number says nothing here; the token that its system drew at its start does."""
    monkeypatch.setattr(lock_module, "lock_alone", lambda _: False)
    monkeypatch.setattr(lock_module, "is_remote", lambda _: True)
    path = tmp_path / "p.orgseg"
    facts = {"host": platform.node(), "user": "anna", "pid": 2**22 - 3, "started": 1.0}
    facts |= {"since": "2026-11-21T10:42:00+01:00", "token": "t", "boot": "another"}
    (tmp_path / "p.orgseg.lock").write_text(json.dumps(facts))
    mine = ProjectLock(path)
    if lock_holder.boot_id():
        with pytest.raises(LockedError):
            mine.acquire()
    (tmp_path / "p.orgseg.lock").write_text(json.dumps({**facts, "boot": lock_holder.boot_id()}))
    mine.acquire()  # this very computer, and its process is gone
    mine.release()


def test_in_a_cloud_folder_times_say_little(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(lock_module, "lock_alone", lambda _: False)
    (tmp_path / "Dropbox").mkdir()
    path = tmp_path / "Dropbox" / "p.orgseg"
    hers, mine = ProjectLock(path), ProjectLock(path)
    with elsewhere():
        hers.acquire()
    silent(path, 3600)
    with pytest.raises(LockedError, match=r"delete “p.orgseg.lock”"):
        mine.acquire()
    silent(path, 25 * 3600)
    mine.acquire()
    assert not hers.is_ours()
    hers.release()
    mine.release()


def test_a_lock_that_somebody_made_meanwhile_is_not_cleared(tmp_path):
    path = tmp_path / "p.orgseg"
    file = tmp_path / "p.orgseg.lock"
    file.write_bytes(b"old")
    judged = os.open(file, os.O_RDWR)
    os.rename(file, tmp_path / "gone")
    file.write_bytes(b"new")
    ProjectLock(path)._clear_away(judged, None)
    assert file.read_bytes() == b"new"
    os.unlink(file)
    ProjectLock(path)._clear_away(judged, None)  # nothing there any more
    os.rename(tmp_path / "gone", file)
    ProjectLock(path)._clear_away(judged, None)
    os.close(judged)
    assert os.listdir(tmp_path) == []


# -- who only looks -------------------------------------------------------------------------------


def test_who_looks_learns_whether_somebody_writes(tmp_path, elsewhere):
    path, file = tmp_path / "p.orgseg", tmp_path / "p.orgseg.lock"
    lock = ProjectLock(path)
    with nobody_writing(path) as free:
        assert free
    lock.acquire()
    with nobody_writing(path) as free:
        assert not free
    left = json.loads(file.read_text())
    lock.release()
    file.write_text(json.dumps({**left, "pid": 2**22 - 3}))  # as a crash leaves it
    with nobody_writing(path) as free, nobody_writing(path) as too:
        assert free
        assert too
        begin = time.monotonic()
        with pytest.raises(LockedError):
            lock.acquire()
        assert time.monotonic() - begin < 10
    lock.acquire()  # a look leaves nothing behind
    lock.release()
    with elsewhere():
        lock.acquire()
        left = file.read_text()
        lock.release()
    file.write_text(left)
    with nobody_writing(path) as free:
        assert not free  # nobody knows whether that computer is alive


def test_a_look_at_a_lock_that_is_being_made_turns_nobody_away(tmp_path):
    """As the start page does, when a project is closed and opened again at once."""
    path, file = tmp_path / "p.orgseg", tmp_path / "p.orgseg.lock"
    file.write_bytes(b"")  # made, and not signed yet
    with contextlib.ExitStack() as looking:
        assert looking.enter_context(nobody_writing(path))
        threading.Timer(0.2, looking.pop_all().close).start()
        lock = ProjectLock(path)
        lock.acquire()
    assert lock.is_ours()
    lock.release()


# -- while it is held -----------------------------------------------------------------------------


def test_a_removed_lock_is_noticed(tmp_path):
    lock = ProjectLock(tmp_path / "p.orgseg")
    assert not lock.is_ours()
    lock.acquire()
    assert lock.is_ours()
    os.unlink(tmp_path / "p.orgseg.lock")
    assert not lock.is_ours()
    assert "“p.orgseg” was removed" in lock.loss
    (tmp_path / "p.orgseg.lock").write_bytes(b"another's")
    lock.release()
    assert (tmp_path / "p.orgseg.lock").read_bytes() == b"another's"


def test_another_name_in_the_file_is_noticed(tmp_path):
    """As the first version of OrgSeg takes over: it signs the file that is there."""
    file = tmp_path / "p.orgseg.lock"
    lock = ProjectLock(tmp_path / "p.orgseg")
    lock.acquire()
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "user": "ben", "host": "PC-4", "token": ""}))
    assert not lock.is_ours()
    assert "opened by ben on PC-4 at " in lock.loss
    lock.release()


def test_a_server_that_does_not_answer_takes_no_lock(tmp_path, monkeypatch):
    lock = ProjectLock(tmp_path / "p.orgseg")
    lock.acquire()
    with monkeypatch.context() as patched:

        def hang_up(*_):
            raise OSError(112, "host is down")

        patched.setattr(lock_module.os, "open", hang_up)
        with pytest.raises(OSError, match="host is down"):
            lock.is_ours()
    assert lock.is_ours()
    lock.release()


def test_one_server_lets_nobody_read_what_is_locked(tmp_path, monkeypatch):
    lock = ProjectLock(tmp_path / "p.orgseg")
    lock.acquire()
    with monkeypatch.context() as patched:

        def refuse(*_):
            raise PermissionError(13, "locked")

        patched.setattr(lock_module.os, "open", refuse)
        assert lock.is_ours()
        os.rename(tmp_path / "p.orgseg.lock", tmp_path / "aside")
        assert not lock.is_ours()
    lock.release()


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_thread_shows_signs_of_life(tmp_path, monkeypatch, is_remote):
    monkeypatch.setattr(lock_module, "BEAT_S", 0.02)
    monkeypatch.setattr(lock_module, "is_remote", lambda _: is_remote)
    path = tmp_path / "p.orgseg"
    lock = ProjectLock(path)
    lock.acquire()
    signed = read_holder(path)
    for _ in range(2):
        silent(path, 3600)
        end = time.monotonic() + 20
        while time.time() - os.stat(tmp_path / "p.orgseg.lock").st_mtime > 600:
            assert time.monotonic() < end, "no sign of life"
            time.sleep(0.01)
    assert lock.is_ours()
    assert read_holder(path) == signed
    other = os.open(tmp_path / "p.orgseg.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):  # renewing lets go of nothing
        lock_module.lock_alone(other)
    os.close(other)
    lock.release()
    assert not [t for t in threading.enumerate() if t.name == "project-lock"]
    lock.beat()  # too late is no error
