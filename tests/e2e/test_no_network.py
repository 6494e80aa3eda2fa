"""No network unless asked: a day with OrgSeg, with every process of it under watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WATCH = Path(__file__).with_name("network_watch")


def watched(notes: Path, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run Python so that it and its children note in a file what they do with sockets."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(WATCH), str(ROOT))),
        "NETWORK_WATCH": str(notes),
        "QT_QPA_PLATFORM": "offscreen",
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_day_without_network(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    out = tmp_path / "masks"
    done = watched(notes, "-m", "tests.e2e.network_story", str(out), timeout=1790)
    facts: dict[str, object] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    assert done.returncode == 0, f"{facts}\n{done.stderr[-3000:]}"
    assert facts["state"] == "finished"
    assert facts["predicted"]
    assert facts["network"] == []
    lines = notes.read_text(encoding="utf-8").splitlines()
    started = [line for line in lines if line.startswith("started ")]
    for part in ("tests.e2e.network_story", "--job", "doctor --json"):
        assert any(part in line for line in started), part  # else nobody watched there
    assert [line for line in lines if line not in started] == []


def test_the_watch_sees_what_it_is_there_to_see(tmp_path: Path) -> None:
    """In a process and in its child, a name that is looked up and a socket that is made."""
    child = "import socket; socket.socket().close()"
    code = (
        "import socket, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)\n"
        "try:\n    socket.getaddrinfo('name.invalid', 443)\n"
        "except OSError:\n    pass\n"
    )
    notes = tmp_path / "notes"
    done = watched(notes, "-c", code)
    assert done.returncode == 0, done.stderr
    events = [line.split()[0] for line in notes.read_text(encoding="utf-8").splitlines()]
    assert events.count("started") == 2
    assert "socket.__new__" in events
    assert "socket.getaddrinfo" in events


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_window_loads_no_network_library(tmp_path: Path) -> None:
    """Nor does Qt by itself, below Python."""
    code = (
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "import orgseg_app.gui.workspaces, orgseg_app.gui.main_window\n"
        "print('Qt6Network' in open('/proc/self/maps').read())"
    )
    done = watched(tmp_path / "notes", "-c", code)
    assert done.stdout.strip() == "False", done.stderr
