"""What the window says networks will be trained on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.runs import device_line
from orgseg_app.gui.runs.device_line import DeviceLine
from orgseg_app.settings import Settings


def test_the_window_asks_once_a_project_is_open_and_says_it(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_line, "DELAY_MS", 1)
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    window.session.create_project(tmp_path / "a.orgseg", default_classes(["ER"]))
    header = window.ensure_parts().header
    qtbot.waitUntil(lambda: header.device.text() != "", timeout=60_000)
    assert header.device.text().split(" · ")[-1] in ("fp32", "bf16", "fp16")
    window.close()


@pytest.mark.parametrize("answer", ["", "no device", "[]", '{"device": {}}'])
def test_nonsense_is_no_device(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    def program_command(*_: str) -> list[str]:
        return [sys.executable, "-S", "-c", f"print({answer!r})"]

    monkeypatch.setattr(device_line, "DELAY_MS", 1)
    monkeypatch.setattr(device_line, "program_command", program_command)
    line = DeviceLine()
    said: list[str] = []
    line.found.connect(said.append)
    line.ask()
    # On a busy machine the child may have come and gone between two looks at it.
    qtbot.waitUntil(lambda: "the device could not be found out" in caplog.text)
    assert said == []
    line.stop()
