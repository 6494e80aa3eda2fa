"""Bringing images in: the process that looks at strangers' files also reads them, and then ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.files.readers import apart
from orgseg_app.gui.main_window import MainWindow
from tests.runs.made_elsewhere import write_masks

SIDE = 40


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[apart.Child]:
    """Every child that is started to read."""
    found: list[apart.Child] = []

    class Counted(apart.Child):
        def __init__(self, argument: str) -> None:
            super().__init__(argument)
            found.append(self)

    monkeypatch.setattr(apart, "Child", Counted)
    return found


def test_one_child_looks_and_reads_and_none_is_left(
    tmp_path: Path, qtbot: QtBot, started: list[apart.Child]
) -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (SIDE, SIDE)).astype(np.uint16)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[5:9, 5:9] = 255
    folder = write_masks(tmp_path / "new", {"a": noise, "a_mask": mask})
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    importing = window.commands.importing

    importing.take([folder])
    qtbot.waitUntil(lambda: importing.bar is not None and importing.bar.isVisible())
    assert [child.is_alive for child in started] == [True]
    assert importing.bar is not None
    importing.bar.cancel_button.click()
    assert [child.is_alive for child in started] == [False]

    importing.take([folder])
    qtbot.waitUntil(lambda: importing.bar is not None and importing.bar.isVisible())
    importing.bar.use_button.click()
    session = window.session
    qtbot.waitUntil(lambda: bool(session.project and session.project.images))
    assert session.background.wait()
    assert len(started) == 2  # one for each time that was asked
    assert not any(child.is_alive for child in started)
