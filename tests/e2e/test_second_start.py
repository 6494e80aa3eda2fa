"""Starting OrgSeg a second time: a window that runs opens the project, unless it hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hand import make_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="stops by signal"),
]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


class Starts:
    """Processes of OrgSeg in one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *words: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "orgseg_app", *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "ORGSEG_HOME": str(self.home), "QT_QPA_PLATFORM": "offscreen"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def told(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """What the window of a process says of itself."""
        for path in self.home.glob("data/windows/*/window.json"):
            try:
                facts = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if facts["pid"] == process.pid:
                return dict(facts)
        return {}

    def wait(self, until: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def starts(orgseg_home: Path) -> Iterator[Starts]:
    made = Starts(orgseg_home)
    yield made
    made.close()


def test_one_window_for_all_starts_until_it_hangs(starts: Starts, tmp_path: Path) -> None:
    first = make_project(tmp_path / "a.orgseg", 1)
    second = make_project(tmp_path / "zweites ü.orgseg", 1)
    window = starts.start(first)
    starts.wait(lambda: starts.told(window).get("project") == str(first))
    again = starts.start(second)
    _, said = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0
    assert "OrgSeg is open already" in said
    starts.wait(lambda: starts.told(window).get("project") == str(second))
    os.kill(window.pid, signal.SIGSTOP)
    try:
        beside = starts.start(first)
        starts.wait(lambda: starts.told(beside).get("project") == str(first))
    finally:
        os.kill(window.pid, signal.SIGCONT)
    window.kill()
    window.wait()
    beside.kill()
    beside.wait()
    after = starts.start()  # what those two left behind keeps nobody from starting
    starts.wait(lambda: starts.told(after).get("shown"))
    assert len(list(starts.home.glob("data/windows/*/window.json"))) == 1
