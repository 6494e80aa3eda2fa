"""The list of files that need no second look: true to the file, small, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orgseg_app.files.safety import known_files
from orgseg_app.files.safety.known_files import is_known, list_path, mark_of, remember

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.orgseg"
    path.write_bytes(bytes(range(256)) * 20)
    return path


def test_known_is_what_was_remembered_until_it_changes(path, tmp_path):
    assert not is_known(path)
    remember(path)
    assert is_known(path)
    assert is_known(Path(os.path.relpath(path)))  # by another way to say it
    assert not is_known(tmp_path / "b.orgseg")
    link = tmp_path / "link.orgseg"
    if os.name != "nt":
        link.symlink_to(path)
        assert is_known(link)
    with path.open("ab") as stream:
        stream.write(b"x")
    assert not is_known(path)
    remember(path)
    assert is_known(path)
    path.unlink()
    assert not is_known(path)


@pytest.mark.parametrize("what", ["size", "time", "inode", "head"])
def test_each_sign_of_change_counts_alone(path, what):
    remember(path)
    status = path.stat()
    data = bytearray(path.read_bytes())
    if what == "size":
        path.write_bytes(bytes(data) + b"x")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif what == "time":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    elif what == "inode":  # another file in its place, the same in all else
        other = path.with_name("other")
        other.write_bytes(data)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(other, path)
    else:  # written over in place, its time put back
        data[known_files.HEAD_BYTES - 1] ^= 1
        with path.open("r+b") as stream:
            stream.write(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_known(path)


def test_a_change_while_it_was_looked_at_is_not_remembered(path):
    mark = mark_of(path)
    path.write_bytes(b"something else")
    remember(path, mark)
    assert not is_known(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b'{"version": 1}', b'{"version": 1, "files": []}',
     b'{"version": 2, "files": {}}', b"\xff\xfe\x00", b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_list_is_an_empty_one(path, content):
    list_path().parent.mkdir(parents=True)
    list_path().write_bytes(content)
    assert not is_known(path)
    remember(path)
    assert is_known(path)


def test_odd_entries_are_no_knowledge(path):
    remember(path)
    data = json.loads(list_path().read_text())
    for odd in (None, 7, "x", [], [1, 2, 3], {"size": 1}, [None] * 4):
        data["files"] = dict.fromkeys(data["files"], odd)
        list_path().write_text(json.dumps(data))
        assert not is_known(path)


def test_nothing_fails_where_nothing_can_be_written_or_read(path, tmp_path, monkeypatch):
    for odd in (tmp_path, tmp_path / "gone", Path("a\0b"), Path("/dev/null"), Path("x" * 5000)):
        remember(odd)
        assert odd == tmp_path or not is_known(odd) or odd == Path("/dev/null")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("ORGSEG_HOME", str(blocked))
    remember(path)
    assert not is_known(path)


def test_a_name_that_is_no_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.orgseg"))
    try:
        path.write_bytes(b"x" * 2000)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    remember(path)
    assert is_known(path)


def test_the_list_stays_bounded_and_forgets_the_oldest(tmp_path, monkeypatch):
    monkeypatch.setattr(known_files, "MAX_FILES", 20)
    paths = [tmp_path / f"{n}.orgseg" for n in range(30)]
    for path in paths[:20]:
        path.write_bytes(path.name.encode())
        remember(path)
    remember(paths[0])  # seen again: no longer the oldest
    for path in paths[20:]:
        path.write_bytes(path.name.encode())
        remember(path)
    assert len(json.loads(list_path().read_text())["files"]) == 20
    assert [is_known(path) for path in paths] == [True] + [False] * 10 + [True] * 19


def test_no_drafts_are_left(path):
    remember(path)
    names = {p.name for p in list_path().parent.iterdir()}
    assert names == {"known-files.json", "known-files.lock"}


def test_threads_and_processes_lose_nothing_of_each_other(tmp_path, orgseg_home):
    """The test below shows that this one can fail."""
    assert _write_together(tmp_path) == 0


def test_without_the_lock_entries_are_lost(tmp_path):
    code = "known_files._alone = contextlib.nullcontext"
    for _ in range(5):
        if _write_together(tmp_path, code) > 0:
            return
    pytest.fail("the test above cannot fail")


def _write_together(tmp_path, code="") -> int:
    """How many of the files that three processes with two threads remembered are not known."""
    list_path().unlink(missing_ok=True)
    list_path().parent.mkdir(parents=True, exist_ok=True)
    program = (
        "import contextlib, sys, threading\n"
        "from pathlib import Path\n"
        "from orgseg_app.files.safety import known_files\n"
        f"{code}\n"
        "def work(k):\n"
        "    for n in range(25):\n"
        "        path = Path(sys.argv[1], f'{sys.argv[2]} {k} {n}')\n"
        "        path.write_bytes(path.name.encode())\n"
        "        known_files.remember(path)\n"
        "threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]\n"
        "[t.start() for t in threads], [t.join() for t in threads]\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), str(k)], env=environment, cwd=tmp_path
        )
        for k in range(3)
    ]
    assert all(child.wait(timeout=60) == 0 for child in children)
    names = [f"{p} {k} {n}" for p in range(3) for k in range(2) for n in range(25)]
    return sum(not is_known(tmp_path / name) for name in names)


def test_two_threads_of_one_process(tmp_path):
    paths = [tmp_path / str(n) for n in range(40)]
    for path in paths:
        path.write_bytes(path.name.encode())
    threads = [
        threading.Thread(target=lambda part=part: [remember(p) for p in part])
        for part in (paths[::2], paths[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(is_known, paths))
