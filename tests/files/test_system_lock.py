"""Readers share a project file, the writer has it alone, and nobody waits for ever."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orgseg_app.files.store import system_lock
from orgseg_app.files.store.system_lock import exclusive_write, lock_alone, shared_read

ROOT = Path(__file__).parents[2]

HOLD = """
import os, sys
from orgseg_app.files.store import system_lock
if sys.argv[3] == "remote":
    system_lock.is_remote_descriptor = lambda _: True
descriptor = os.open(sys.argv[1], os.O_RDWR)
with getattr(system_lock, sys.argv[2])(descriptor) as held:
    print(held, flush=True)
    sys.stdin.readline()
print("let go", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=["local", "remote"])
def place(request, monkeypatch):
    """On a disk the whole file is locked, on a server a far byte."""
    if request.param == "remote":
        monkeypatch.setattr(system_lock, "is_remote_descriptor", lambda _: True)
    return request.param


@pytest.fixture
def other(tmp_path, place):
    """Another process that holds the file: ``other("shared_read")``."""
    path = tmp_path / "f"
    path.write_bytes(b"x" * 5000)
    children = []

    def hold(how):
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), how, place],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        assert child.stdout.readline() == "True\n"
        return child

    yield hold
    for child in children:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@pytest.fixture
def descriptor(tmp_path, other):
    opened = os.open(tmp_path / "f", os.O_RDWR)
    yield opened
    os.close(opened)


def test_readers_share(descriptor, other):
    other("shared_read")
    with shared_read(descriptor, 0.0) as held:
        assert held


def test_a_writer_waits_for_readers_and_says_so_when_it_gives_up(descriptor, other):
    reader = other("shared_read")
    begin = time.monotonic()
    with exclusive_write(descriptor, 0.1) as held:
        assert not held
    assert 0.1 <= time.monotonic() - begin < 5
    reader.stdin.write("\n")
    reader.stdin.flush()
    assert reader.stdout.readline() == "let go\n"
    with exclusive_write(descriptor, 0.0) as held:
        assert held


def test_a_reader_waits_for_the_writer(descriptor, other):
    writer = other("exclusive_write")
    with shared_read(descriptor, 0.05) as held:
        assert not held
    with exclusive_write(descriptor, 0.05) as held:
        assert not held
    writer.kill()  # the lock ends with its process
    writer.wait()
    with shared_read(descriptor, 5.0) as held:
        assert held


@pytest.mark.skipif(os.name == "nt", reason="Windows converts no locks")
def test_one_descriptor_converts(descriptor, other):
    with shared_read(descriptor, 0.0) as first, exclusive_write(descriptor, 0.0) as alone:
        assert first
        assert alone
    reader = other("shared_read")  # nothing is left behind
    assert reader.poll() is None


def test_another_descriptor_of_the_process_is_somebody_else(descriptor, tmp_path):
    second = os.open(tmp_path / "f", os.O_RDWR)
    try:
        with exclusive_write(descriptor, 0.0), shared_read(second, 0.0) as held:
            assert not held
    finally:
        os.close(second)


def test_an_error_within_lets_go(descriptor, tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive_write(descriptor, 0.0):
        raise ZeroDivisionError
    second = os.open(tmp_path / "f", os.O_RDWR)
    try:
        with exclusive_write(second, 0.0) as held:
            assert held
    finally:
        os.close(second)


def test_reading_closes_no_lock_of_the_same_file(descriptor, tmp_path, other):
    """The older locks of POSIX end when any descriptor of the file is closed; these do not."""
    with exclusive_write(descriptor, 0.0):
        (tmp_path / "f").read_bytes()
        second = os.open(tmp_path / "f", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            system_lock._lock(second, system_lock._GUARD_BYTE, 64, exclusive=True)
        os.close(second)


@pytest.mark.skipif(os.name == "nt", reason="not by fcntl")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO])
def test_a_file_system_without_locks_is_no_obstacle(descriptor, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setattr("fcntl.fcntl", refuse)
    with shared_read(descriptor, 0.0) as first, exclusive_write(descriptor, 0.0) as second:
        assert first
        assert second
    assert lock_alone(descriptor) is False
