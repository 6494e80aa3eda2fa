"""kill -9 while somebody paints: everything that was called saved is there, and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.files.project_file import ProjectFile
from tests.e2e.hand import make_project
from tests.e2e.test_story import ROOT, command, environment, tell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="kills by signal"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One image, nothing painted."""
    path = tmp_path / "Zellen ü.orgseg"
    return make_project(path, 1, side=256, painted=(), class_names=("ER", "Kern"))


class Window:
    """The story's window in a process of its own, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.heard: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{") and line.endswith("}\n"):
                self._lines.put(json.loads(line))

    def wait_for(self, key: str, seconds: float = 120) -> dict[str, Any]:
        """The next thing it says that has this key."""
        end = time.monotonic() + seconds
        while True:
            said = self._lines.get(timeout=max(0.1, end - time.monotonic()))
            self.heard.append(said)
            assert "failed" not in said, said
            if key in said:
                return said

    def kill(self) -> None:
        """The window itself, not the display it is on; then hear what it had still said."""
        os.kill(next(s["pid"] for s in self.heard if "pid" in s), signal.SIGKILL)
        self.process.wait(30)
        self._reader.join(10)
        while not self._lines.empty():
            self.heard.append(self._lines.get())

    def last(self, key: str) -> dict[str, Any]:
        """The last thing it said with this key."""
        return [said for said in self.heard if key in said][-1]


@contextmanager
def painting(home: Path, project: Path, strokes: int) -> Iterator[Window]:
    """A window somebody paints in."""
    with subprocess.Popen(
        command("paint", project, strokes),
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Window(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_killed_with_the_pen_down(project: Path, tmp_path: Path, orgseg_home: Path) -> None:
    with painting(orgseg_home, project, 12) as window:
        window.wait_for("pen")
        under_the_pen = window.wait_for("pen")["pen"]
        window.kill()
    saved = window.last("saved")
    assert saved["saved"] == 12
    assert under_the_pen != saved["digest"]  # else there was no stroke to lose
    before = window.last("before")["before"]
    facts = tell(orgseg_home, "look", project, tmp_path / "pictures")
    assert facts["found"] == saved["digest"], str(facts)
    assert facts["steps"] == saved["steps"]
    assert facts["undo"] == "Undo paint"
    assert "of the last session" in facts["said"]
    assert facts["undone"] == before
    assert facts["back"] == saved["steps"]
    assert facts["redone"] == saved["digest"]
    with ProjectFile.open(project) as file:  # closed in order: all of it is in the file
        assert len(file.history) == saved["steps"]
        assert not file.is_dirty


def test_killed_at_any_moment_again_and_again(project: Path, orgseg_home: Path) -> None:
    moments = (0.0, 0.013, 0.041, 0.077)
    start = ""
    for number, moment in enumerate(moments):
        with painting(orgseg_home, project, 0) as window:
            for _ in range(3 + number):
                window.wait_for("saved")
            time.sleep(moment)
            window.kill()
        assert window.last("before")["before"] == start or not start
        saved = window.last("saved")
        with ProjectFile.open(project) as file:
            start = digest(file)
            # one more stroke, or undo, may have become durable before anybody was told
            more = len(file.history) - saved["steps"]
            assert more in (-1, 0, 1)
            if more == 1:
                file.undo()
            elif more == -1:
                file.redo()
            assert digest(file) == saved["digest"]
            if more == 1:
                file.redo()
            elif more == -1:
                file.undo()
            assert digest(file) == start
            file.commit_all()
            file.save()


def digest(file: ProjectFile) -> str:
    """Fingerprint of the first image's mask, as the story makes it."""
    mask = file.mask(next(iter(file.project.images))).to_array()
    return hashlib.sha256(mask.tobytes()).hexdigest()[:16]
