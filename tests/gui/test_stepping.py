"""Undo and redo of large steps: in the background, in order, and never over what came between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.image import open_array
from orgseg_app.core.mask import Mask
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.editing import stepping
from orgseg_app.gui.session import Session


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(stepping, "AT_ONCE_BYTES", 0)
    session = Session()
    session.create_project(tmp_path / "flat.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    session.file.add_images([NewImage(open_array("flat", np.zeros((600, 700), np.uint8)))])
    session.select_image(next(iter(session.file.project.images)))
    yield session
    session.close_project()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is worked out before it is set."""
    event, work_out = threading.Event(), Change.worked_out

    def wait(change: Change, mask: Mask, side: int) -> object:
        assert threading.current_thread() is not threading.main_thread()
        event.wait(20)
        return work_out(change, mask, side)

    monkeypatch.setattr(Change, "worked_out", wait)
    return event


def paint(session: Session, y: int) -> None:
    session.apply(PaintRectangle(0, (y, 100, y + 50, 600), 2))


def at_rest(session: Session) -> bool:
    return session.background.is_idle and not session.working.is_busy


def test_steps_asked_for_meanwhile_are_taken_in_turn(
    session: Session, qtbot: QtBot, gate: threading.Event
) -> None:
    states = [session.mask().to_array()]
    for y in (0, 200, 400):
        paint(session, y)
        states.append(session.mask().to_array())
    for _ in range(3):
        session.undo()
    session.redo()
    assert session.working.title == "Undoing"
    assert np.array_equal(session.mask().to_array(), states[3])
    gate.set()
    qtbot.waitUntil(lambda: len(session.history) == 1 and at_rest(session))
    assert np.array_equal(session.mask().to_array(), states[1])
    session.redo()
    qtbot.waitUntil(lambda: len(session.history) == 2 and at_rest(session))
    assert np.array_equal(session.mask().to_array(), states[2])
    qtbot.waitUntil(lambda: session.saving.state == "saved" and session.saving.is_idle)
    assert session.file is not None
    assert not session.file.has_uncommitted


def test_what_is_painted_meanwhile_stays(
    session: Session, qtbot: QtBot, gate: threading.Event
) -> None:
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    paint(session, 0)
    session.undo()
    session.undo()
    paint(session, 200)
    gate.set()
    qtbot.waitUntil(lambda: at_rest(session))
    assert session.mask().value(0, 10, 200) == session.mask().value(0, 210, 200) == 2
    assert len(session.history) == 2
    assert said[0].startswith("Something was painted meanwhile, so nothing was undone.")
    assert len(said) == 1


def test_esc_stops_it(session: Session, qtbot: QtBot, gate: threading.Event) -> None:
    paint(session, 0)
    session.undo()
    session.undo()
    assert session.working.cancel()
    gate.set()
    qtbot.waitUntil(lambda: at_rest(session))
    assert len(session.history) == 1
    assert session.mask().value(0, 10, 200) == 2
    session.undo()  # and it can be tried again
    qtbot.waitUntil(lambda: at_rest(session) and not len(session.history))
    assert session.mask().is_empty


def test_a_step_that_cannot_be_read_changes_nothing(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(session, "report_error", errors.append)
    paint(session, 0)
    monkeypatch.setattr(Change, "worked_out", lambda change, mask, side: None)
    session.undo()
    qtbot.waitUntil(lambda: at_rest(session) and bool(errors))
    assert "cannot be read" in str(errors[0])
    assert len(session.history) == 1
    assert session.mask().value(0, 10, 200) == 2
