"""Grow, shrink and smooth under mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.edits.regions import PaintRegion
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.session import Session
from tests.gui.canvas_hand import canvas_on
from tests.gui.guided_project import (
    click,
    open_guided,
    settle,
    two_squares,
)

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = open_guided(tmp_path)
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    return canvas_on(session, qtbot, 520)


@pytest.mark.parametrize(
    ("scope", "grows"), [("object", (1, 0, 0)), ("class", (1, 1, 0)), ("plane", (1, 1, 1))]
)
def test_a_click_grows_as_much_as_is_set(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, scope: str, grows: tuple[int, ...]
) -> None:
    two_squares(session)
    canvas.tools.set_tool("reshape")
    canvas.tools.set_value("scope", scope)
    canvas.tools.set_value("radius", 3)
    click(canvas, (50, 50))
    settle(session, qtbot)
    found = session.mask()
    edges = [found.value(0, 50, 62), found.value(0, 50, 122), found.value(0, 210, 62)]
    assert edges == [2 * grows[0], 2 * grows[1], 3 * grows[2]]
    assert found.value(0, 50, 63) == 0
    assert session.history.next_undo().title == f"grow {scope}"
    canvas.tools.set_value("operation", "shrink")
    click(canvas, (50, 50))
    settle(session, qtbot)
    assert found.value(0, 50, 62) == 0
    session.undo()
    session.undo()
    assert session.mask().counts() == {2: 800, 3: 400}


def test_nothing_under_the_pointer_is_said(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    two_squares(session)
    canvas.tools.set_tool("reshape")
    click(canvas, (150, 150))
    assert said == ["Nothing is painted there that one could grow."]
    assert session.mask().counts() == {2: 800, 3: 400}


def test_a_plane_with_much_on_it_is_reshaped_in_the_background(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of several begins with what the one before has made; painting meanwhile is kept."""
    monkeypatch.setattr("orgseg_app.gui.canvas.tools.reshape.BLOCKS_AT_ONCE", 0)
    two_squares(session)
    canvas.tools.set_tool("reshape")
    canvas.tools.set_value("radius", 1)
    for _ in range(3):  # faster than any hand, so that nothing is ready in between
        canvas.tool.press(50, 50, PLAIN)
    assert session.mask().value(0, 50, 60) == 0
    session.apply(PaintRegion(((0, 45, 80, np.ones((4, 4), np.bool_)),), 3))
    settle(session, qtbot)
    qtbot.waitUntil(lambda: session.mask().value(0, 50, 62) == 2, timeout=10_000)
    assert session.mask().value(0, 50, 63) == 0
    assert session.mask().value(0, 46, 81) == 3
    for _ in range(4):
        session.undo()
    assert session.mask().counts() == {2: 800, 3: 400}


def test_the_plane_is_smoothed_by_keys(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    two_squares(session)
    canvas.tools.set_tool("reshape")
    canvas.tools.set_value("operation", "smooth")
    canvas.tools.set_value("scope", "plane")
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert session.mask().value(0, 40, 40) == 0  # corners are rounded off
    assert session.mask().value(0, 50, 40) == 2
    assert canvas.pointer != (150.0, 150.0)
