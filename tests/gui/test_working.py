"""Edits that take a while: in sight, cancelled by Esc, and never larger than memory allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui import background
from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.editing import working as working_module
from orgseg_app.gui.editing.slices import Slices
from orgseg_app.gui.panels.working_card import WorkingCard
from orgseg_app.gui.session import Session
from tests.gui.canvas_hand import canvas_on

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.create_project(tmp_path / "deep.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    session.file.add_images([NewImage(open_array("deep", np.zeros((6, 200, 300), np.uint16)))])
    session.select_image(next(iter(session.file.project.images)))
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    canvas = canvas_on(session, qtbot)
    canvas.tools.set_value("in_3d", True)
    return canvas


@pytest.fixture
def said(session: Session) -> list[str]:
    found: list[str] = []
    session.message.connect(lambda text, level: found.append(text))
    return found


def click(canvas: AnnotationCanvas, y: float, x: float) -> None:
    place: QPoint = canvas.to_widget(y, x).toPoint()
    QTest.mouseClick(canvas, LEFT, PLAIN, place)


class Gate:
    """Holds the background until somebody lets it go on."""

    def __init__(self, session: Session) -> None:
        self._go = threading.Event()
        session.background.start("waiting", lambda task: self._go.wait(20))

    def open(self) -> None:
        self._go.set()


@pytest.mark.parametrize("tool", ["fill", "holes", "component"])
def test_esc_cancels_what_goes_through_the_planes(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, said: list[str], tool: str
) -> None:
    for z in range(3):
        session.apply(PaintRectangle(z, (50, 50, 100, 100), 2))
    session.apply(PaintRectangle(1, (60, 60, 70, 70), 0))
    before, steps = session.mask().to_array(), len(session.history)
    canvas.tools.set_tool(tool)
    gate = Gate(session)
    if tool == "component":
        canvas.tool._change(55, 55, 3)
    else:
        session.select_class(3)
        click(canvas, 55, 55)
    assert session.working.is_busy
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    gate.open()
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert not session.working.is_busy
    assert np.array_equal(session.mask().to_array(), before)
    assert len(session.history) == steps
    assert len(said) == 1
    assert said[0].endswith("was cancelled; nothing was changed.")


def test_cancelled_in_the_middle_of_it(
    canvas: AnnotationCanvas,
    session: Session,
    qtbot: QtBot,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not only before it begins."""
    looked = threading.Event()
    asked = threading.Event()
    report = Task.report

    def slow(task: Task, done: int, total: int, text: str = "") -> bool:
        looked.set()
        asked.wait(20)
        return report(task, done, total, text)

    monkeypatch.setattr(Task, "report", slow)
    monkeypatch.setattr(working_module, "_TOLD_EVERY", 1)
    canvas.tools.set_tool("fill")
    click(canvas, 55, 55)
    qtbot.waitUntil(looked.is_set)
    assert session.working.cancel()
    assert not session.working.cancel()  # it has been asked
    asked.set()
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().is_empty
    assert len(said) == 1


def test_cancelled_when_it_is_done_but_not_yet_there(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, said: list[str]
) -> None:
    canvas.tools.set_tool("fill")
    click(canvas, 55, 55)
    assert session.background.wait()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().is_empty
    assert len(said) == 1


def test_a_region_larger_than_memory_is_refused_with_a_sentence(
    canvas: AnnotationCanvas,
    session: Session,
    qtbot: QtBot,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(working_module, "MOST_BLOCKS", 9)  # the image has twelve
    canvas.tools.set_tool("fill")
    click(canvas, 55, 55)
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().is_empty
    assert len(said) == 1
    assert "nothing was changed" in said[0]
    assert "plane by plane" in said[0]
    canvas.tools.set_value("in_3d", False)
    click(canvas, 55, 55)
    assert session.mask().counts() == {2: 200 * 300}


def test_painting_meanwhile_lets_the_fill_begin_anew(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window's thread is not kept by it, and no stroke is lost."""
    worked_out, runs = working_module.worked_out, []

    def painted_on(*asked: object):
        ready = worked_out(*asked)
        runs.append(threading.current_thread())
        if len(runs) == 1:
            session.mask().write(0, 50, 50, np.full((10, 10), 3, np.uint8))
        return ready

    monkeypatch.setattr(working_module, "worked_out", painted_on)
    canvas.tools.set_tool("fill")
    click(canvas, 10, 10)
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert len(runs) == 2
    assert threading.main_thread() not in runs
    assert session.mask().counts() == {2: 6 * 200 * 300 - 100, 3: 100}


def test_the_card_comes_when_it_takes_long_and_its_button_stops_it(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, said: list[str]
) -> None:
    card = WorkingCard(session.working, canvas)
    canvas.tools.set_tool("fill")
    click(canvas, 10, 10)
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert not card.isVisible()
    session.undo()
    gate = Gate(session)
    click(canvas, 10, 10)
    assert not card.isVisible()
    qtbot.waitUntil(card.isVisible)
    assert card.words.text() == "Fill…"
    session.working._on_progressed(session.working._tasks[0], 30, 40)
    assert card.words.text() == "Fill · 75 %"
    canvas.resize(900, 500)
    assert abs(card.geometry().center().x() - 450) < 3
    card.cancel_button.click()
    gate.open()
    qtbot.waitUntil(lambda: not card.isVisible())
    assert session.mask().is_empty
    assert len(said) == 1


def test_interpolating_is_cancelled_too(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, said: list[str]
) -> None:
    class Window:
        tools = canvas.tools

        def __init__(self) -> None:
            self.session = session

    for z in (0, 5):
        session.apply(PaintRectangle(z, (50, 50, 100, 100), 2))
    slices = Slices(Window())  # type: ignore[arg-type]
    gate = Gate(session)
    slices.interpolate_gaps()
    slices.interpolate_gaps()  # once is enough
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    gate.open()
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().planes() == [0, 5]
    assert len(said) == 1
    slices.interpolate_gaps()
    qtbot.waitUntil(lambda: session.mask().planes() == [0, 1, 2, 3, 4, 5])


def test_reshaping_is_cancelled_too_with_all_that_waits(
    canvas: AnnotationCanvas,
    session: Session,
    qtbot: QtBot,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orgseg_app.gui.canvas.tools.reshape.BLOCKS_AT_ONCE", 0)
    session.apply(PaintRectangle(0, (50, 50, 100, 100), 2))
    canvas.tools.set_tool("reshape")
    gate = Gate(session)
    click(canvas, 70, 70)
    click(canvas, 70, 70)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    gate.open()
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().counts() == {2: 2500}
    assert len(said) == 1
    click(canvas, 70, 70)
    qtbot.waitUntil(lambda: session.mask().counts()[2] > 2500)


def test_the_wand_is_cancelled_too(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, said: list[str]
) -> None:
    canvas.tools.set_tool("wand")
    session._planes.clear()
    gate = Gate(session)
    click(canvas, 10, 10)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    gate.open()
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert session.mask().is_empty
    assert len(said) == 1


def test_closing_does_not_wait_for_what_would_be_dropped(
    session: Session, said: list[str], qtbot: QtBot
) -> None:
    """An edit that is worked out for a minute is given up when the project is closed."""
    started, ended = threading.Event(), []

    def work(task: Task) -> None:
        started.set()
        for _ in range(1000):
            if task.is_cancelled:
                raise working_module.StoppedError
            threading.Event().wait(0.01)

    session.working.start("Filling", work, ended.append, lambda: ended.append("over"))
    assert started.wait(30)
    before = time.monotonic()
    session.close_project()
    assert time.monotonic() - before < background.PATIENCE_MS / 1000 / 2
    qtbot.waitUntil(lambda: ended == ["over"])
    assert said == ["Filling was cancelled; nothing was changed."]
