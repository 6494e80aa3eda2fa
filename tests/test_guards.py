"""The guards in conftest.py see what they are there to see, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_CASES = """
import os, socket, subprocess, sys
import pytest
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QMenu, QWidget
from orgseg_app import paths

kept = []

def test_bad_window(qtbot):
    kept.append(QWidget())

def test_bad_thread(qtbot):
    class Waiting(QThread):
        def run(self):
            self.exec()
    kept.append(Waiting())
    kept[-1].start()

def test_end_of_the_thread(qtbot):
    kept[-1].quit()
    kept[-1].wait()

def test_bad_timer(qtbot):
    kept.append(QTimer())
    kept[-1].start(10_000)

def test_bad_process():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))

def test_end_of_the_process():
    kept[-1].wait(5)  # it was killed: this does not time out

def test_bad_connection():
    with socket.socket() as plug:
        plug.connect(("127.0.0.1", 9))

def test_bad_warning():
    import warnings
    warnings.warn("old", DeprecationWarning)

def test_bad_qt_warning(qtbot):
    QTimer().startTimer(-1)

def test_good_widgets(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    QMenu("menu", widget).addAction("x")
    timer = QTimer(widget)
    timer.start(10_000)
    widget.show()
    cycle = QWidget()
    cycle.itself = cycle
    later = QWidget()
    later.deleteLater()

def test_good_process():
    assert subprocess.run([sys.executable, "-c", "print(1)"]).returncode == 0

def test_good_home(tmp_path):
    assert paths.config_dir().is_relative_to(os.environ["ORGSEG_HOME"])
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"

def test_good_absence(shared_data):
    raise AssertionError("there is no such folder")
"""


def test_leftovers_sockets_and_warnings_fail_a_test(tmp_path: Path, root: Path) -> None:
    cases = tmp_path / "test_cases.py"
    cases.write_text(_CASES, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", str(cases), "-c", str(root / "pyproject.toml")]
    command += ["-p", "tests.conftest", "-p", "no:cacheprovider", "-v", "--tb=short"]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "ORGSEG_SHARED_DATA": str(tmp_path / "absent")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout
    outcomes: dict[str, set[str]] = {}
    for name, outcome in re.findall(r"::test_(\w+) (PASSED|FAILED|ERROR|SKIPPED)", said):
        outcomes.setdefault(name, set()).add(outcome)
    for kind in ("window", "thread", "timer", "process"):
        assert "ERROR" in outcomes[f"bad_{kind}"], said
    for kind in ("connection", "warning", "qt_warning"):
        assert "FAILED" in outcomes[f"bad_{kind}"], said
    for name, found in outcomes.items():
        if not name.startswith("bad_"):
            assert found == ({"SKIPPED"} if name == "good_absence" else {"PASSED"}), said
    assert "The test left behind: window QWidget" in said
    assert "The test left behind: thread Waiting" in said
    assert "OrgSeg opens no sockets" in said
    assert "the real images are not at" in said
