"""One job at a time, in the order they came, whatever happens to those before."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orgseg_app.learn.errors import StopRequestedError
from orgseg_app.learn.turn import DeviceTurn


def never() -> bool:
    return False


def test_free_device_is_taken_at_once(tmp_path: Path) -> None:
    waited: list[bool] = []
    with DeviceTurn(tmp_path / "new folder" / "device.lock") as turn:
        turn.take(on_wait=lambda: waited.append(True), should_stop=never)
    assert not waited
    assert not list((tmp_path / "new folder" / "device.queue").iterdir())


def test_first_come_first_served(tmp_path: Path) -> None:
    lock = tmp_path / "device.lock"
    first = DeviceTurn(lock)
    first.take(on_wait=lambda: None, should_stop=never)
    order: list[int] = []
    queued = [threading.Event() for _ in range(3)]

    def wait(number: int) -> None:
        with DeviceTurn(lock) as turn:
            turn.take(on_wait=queued[number].set, should_stop=never)
            order.append(number)

    threads = []
    for number in range(3):
        thread = threading.Thread(target=wait, args=(number,))
        thread.start()
        assert queued[number].wait(5)
        threads.append(thread)
    assert not order
    first.release()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2]


def test_stop_while_waiting(tmp_path: Path) -> None:
    lock = tmp_path / "device.lock"
    with DeviceTurn(lock) as first:
        first.take(on_wait=lambda: None, should_stop=never)
        with pytest.raises(StopRequestedError):
            DeviceTurn(lock).take(on_wait=lambda: None, should_stop=lambda: True)
    assert not list((tmp_path / "device.queue").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_jobs_keep_nobody_waiting(tmp_path: Path) -> None:
    """One killed while it computes, one killed while it queues."""
    lock = tmp_path / "device.lock"
    code = (
        "import sys, time; from pathlib import Path; from orgseg_app.learn.turn import DeviceTurn\n"
        "say = lambda text: print(text, flush=True)\n"
        "turn = DeviceTurn(Path(sys.argv[1]))\n"
        "turn.take(on_wait=lambda: say('queued'), should_stop=lambda: False); say('mine')\n"
        "time.sleep(60)"
    )
    jobs = []
    for expected in ("mine", "queued"):
        job = subprocess.Popen(
            [sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True
        )
        assert job.stdout is not None
        assert job.stdout.readline().strip() == expected
        jobs.append(job)
    for job in jobs:
        job.kill()
        job.communicate()
    start = time.monotonic()
    with DeviceTurn(lock) as turn:
        turn.take(on_wait=lambda: None, should_stop=lambda: time.monotonic() - start > 5)
