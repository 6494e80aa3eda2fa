"""Regions under mouse and keys, copies from plane to plane and interpolation in the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.image import open_array
from orgseg_app.files.images.intake import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.tools.components import ComponentTool
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.session import Session
from orgseg_app.settings import Settings

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
DEPTH = 7
ROWS, COLUMNS = np.mgrid[:200, :260] + 0.5


def first_plane() -> np.ndarray:
    """Two regions of ER, one of nuclei, on background; the rest is unlabelled."""
    plane = np.zeros((200, 260), np.uint8)
    plane[10:190, 10:250] = 1
    plane[30:90, 30:110] = 2
    plane[120:170, 30:80] = 2
    plane[40:150, 150:220] = 3
    return plane


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1100, 760)
    window.show()
    session = window.session
    session.create_project(tmp_path / "regions.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    voxels = np.zeros((DEPTH, 200, 260), np.uint8)
    session.file.add_images([NewImage(open_array("volume", voxels))])
    session.images_changed.emit()
    session.select_image(next(iter(session.file.project.images)))
    volume = np.zeros(voxels.shape, np.uint8)
    volume[0] = first_plane()
    session.apply(ReplaceMask(volume))
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    canvas.set_zoom(1.0)
    canvas.setFocus()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)  # or no shortcut is heard
    yield window
    session.background.wait()
    qtbot.waitUntil(lambda: session.background.is_idle)
    window.close()


@pytest.fixture
def session(window: MainWindow) -> Session:
    return window.session


@pytest.fixture
def canvas(window: MainWindow) -> AnnotationCanvas:
    window.actions_by_id["tool_component"].trigger()
    canvas = window.ensure_parts().canvas
    assert isinstance(canvas.tool, ComponentTool)
    return canvas


def spot(canvas: AnnotationCanvas, y: float, x: float) -> QPoint:
    return canvas.to_widget(y, x).toPoint()


def click(canvas: AnnotationCanvas, y: float, x: float, keys: Qt.KeyboardModifier = PLAIN) -> None:
    QTest.mouseMove(canvas, spot(canvas, y, x))
    QTest.mouseClick(canvas, LEFT, keys, spot(canvas, y, x))


def drag(
    canvas: AnnotationCanvas, *places: tuple[float, float], keys: Qt.KeyboardModifier = PLAIN
) -> None:
    QTest.mouseMove(canvas, spot(canvas, *places[0]))
    QTest.mousePress(canvas, LEFT, keys, spot(canvas, *places[0]))
    for place in places[1:]:
        QTest.mouseMove(canvas, spot(canvas, *place))
    QTest.mouseRelease(canvas, LEFT, keys, spot(canvas, *places[-1]))


def go(canvas: AnnotationCanvas, y: int, x: int) -> None:
    """Move the cursor with the arrow keys alone."""
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    for _ in range(400):
        at = canvas.tool._pointer  # type: ignore[attr-defined]
        dy, dx = y - int(at[0]), x - int(at[1])
        if not dy and not dx:
            return
        key = (
            (Qt.Key.Key_Down if dy > 0 else Qt.Key.Key_Up)
            if dy
            else (Qt.Key.Key_Right if dx > 0 else Qt.Key.Key_Left)
        )
        QTest.keyClick(canvas, key, SHIFT if abs(dy or dx) >= 10 else PLAIN)
    raise AssertionError("The cursor does not get there.")


def plane(session: Session) -> np.ndarray:
    return session.mask().plane(session.z)


# -- regions -----------------------------------------------------------------------------------


def test_a_click_gives_the_chosen_class(canvas: AnnotationCanvas, session: Session) -> None:
    session.select_class(3)
    click(canvas, 60, 60)
    expected = first_plane()
    expected[30:90, 30:110] = 3
    assert np.array_equal(plane(session), expected)
    assert session.history.next_undo().title == "change region"
    session.undo()
    assert np.array_equal(plane(session), first_plane())


def test_background_and_unlabelled_are_no_regions(
    canvas: AnnotationCanvas, session: Session
) -> None:
    for place in ((20, 20), (3, 3)):
        click(canvas, *place)
        click(canvas, *place, CONTROL)
    assert np.array_equal(plane(session), first_plane())


def test_control_click_deletes(canvas: AnnotationCanvas, session: Session) -> None:
    click(canvas, 60, 60, CONTROL)
    expected = first_plane()
    expected[30:90, 30:110] = 0
    assert np.array_equal(plane(session), expected)


def test_a_drag_to_another_region_merges_the_first_into_it(
    canvas: AnnotationCanvas, session: Session
) -> None:
    drag(canvas, (60, 60), (60, 130), (60, 180))
    expected = first_plane()
    expected[30:90, 30:110] = 3
    assert np.array_equal(plane(session), expected)
    assert session.history.next_undo().title == "merge regions"
    session.undo()
    drag(canvas, (60, 60), (60, 130))  # nothing is there
    assert np.array_equal(plane(session), first_plane())


def test_two_alt_clicks_merge_and_escape_forgets_the_first(
    canvas: AnnotationCanvas, session: Session
) -> None:
    click(canvas, 60, 60, ALT)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    click(canvas, 60, 180, ALT)
    assert np.array_equal(plane(session), first_plane())
    click(canvas, 140, 60, ALT)
    expected = first_plane()
    expected[40:150, 150:220] = 2
    assert np.array_equal(plane(session), expected)


@pytest.mark.parametrize(("kind", "class_id"), [("unlabelled", 0), ("background", 1)])
def test_a_line_splits(
    canvas: AnnotationCanvas, session: Session, kind: str, class_id: int
) -> None:
    canvas.tools.set_value("cut", kind)
    drag(canvas, (20, 60), (50, 70), (70, 65), (100, 70), keys=SHIFT)
    now = plane(session)
    changed = now != first_plane()
    assert (now[changed] == class_id).all()
    assert changed[:, :30].sum() + changed[:30].sum() + changed[90:].sum() == 0
    click(canvas, 60, 40, CONTROL)
    now = plane(session)
    assert (now[30:90, 30:55] == 0).all()
    assert (now[30:90, 80:110] == 2).all()
    session.undo()
    session.undo()
    assert np.array_equal(plane(session), first_plane())


def test_everything_by_keys(canvas: AnnotationCanvas, session: Session) -> None:
    session.select_class(3)
    go(canvas, 60, 60)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.mask().value(0, 60, 60) == 3
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert session.mask().value(0, 60, 60) == 0
    go(canvas, 140, 60)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    go(canvas, 100, 180)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.mask().value(0, 140, 60) == 3
    go(canvas, 30, 180)
    QTest.keyClick(canvas, Qt.Key.Key_Return, SHIFT)
    go(canvas, 170, 180)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert (plane(session)[40:150, 180] == 0).all()
    assert (plane(session)[40:150, 150:180] == 3).all()


def test_through_all_planes(canvas: AnnotationCanvas, session: Session, qtbot: QtBot) -> None:
    volume = session.mask().to_array()
    volume[1, 50:60, 50:60] = volume[2, 55:70, 55:70] = volume[3, 55:70, 90:99] = 2
    session.apply(ReplaceMask(volume))
    canvas.tools.set_value("in_3d", True)
    click(canvas, 60, 60, CONTROL)
    qtbot.waitUntil(lambda: session.background.is_idle)
    expected = volume.copy()
    expected[0, 30:90, 30:110] = expected[1] = expected[2] = 0
    assert np.array_equal(session.mask().to_array(), expected)


def test_the_region_under_the_pointer_is_outlined(
    canvas: AnnotationCanvas, session: Session
) -> None:
    def edge() -> tuple[int, int, int]:
        return canvas.grab().toImage().pixelColor(spot(canvas, 60, 30)).getRgb()[:3]

    canvas.display.set_look("mask", outline=False)
    QTest.mouseMove(canvas, spot(canvas, 20, 20))
    plain = edge()
    QTest.mouseMove(canvas, spot(canvas, 60, 60))
    assert canvas.tool.hovered.box[1:3] == (30, 30)  # type: ignore[attr-defined]
    assert edge() != plain
    known = canvas.tool.hovered  # type: ignore[attr-defined]
    QTest.mouseMove(canvas, spot(canvas, 70, 80))
    assert canvas.tool.hovered is known  # type: ignore[attr-defined]
    click(canvas, 70, 80, CONTROL)
    assert canvas.tool.hovered is None  # type: ignore[attr-defined]
    QTest.mouseMove(canvas, spot(canvas, 60, 180))
    session.select_plane(1)
    assert canvas.tool.hovered is None  # type: ignore[attr-defined]


def test_where_looking_takes_long_the_hand_has_to_rest_first(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = canvas.tool
    assert isinstance(tool, ComponentTool)
    monkeypatch.setattr("orgseg_app.gui.canvas.tools.components._SLOW_S", -1)
    tool._rest.setInterval(1500)  # longer than a busy machine takes for two moves
    QTest.mouseMove(canvas, spot(canvas, 60, 60))
    QTest.mouseMove(canvas, spot(canvas, 60, 180))
    assert tool.hovered is None
    qtbot.waitUntil(lambda: tool.hovered is not None)
    assert tool.hovered.class_id == 3
    click(canvas, 60, 180, CONTROL)  # as long as it takes, in the background
    qtbot.waitUntil(lambda: session.mask().value(0, 60, 180) == 0)
    assert session.history.next_undo().title == "delete region"


def test_while_a_cut_is_drawn_the_region_it_cuts_is_outlined(canvas: AnnotationCanvas) -> None:
    tool = canvas.tool
    assert isinstance(tool, ComponentTool)
    QTest.mouseMove(canvas, spot(canvas, 20, 60))
    QTest.mousePress(canvas, LEFT, SHIFT, spot(canvas, 20, 60))
    for place in ((50, 60), (100, 60), (140, 60)):
        QTest.mouseMove(canvas, spot(canvas, *place))
    assert tool.hovered is not None
    assert tool.hovered.box[1:3] == (30, 30)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, SHIFT, spot(canvas, 140, 60))


# -- planes ------------------------------------------------------------------------------------


def test_copies_go_along_and_keep_what_is_painted(window: MainWindow, session: Session) -> None:
    keys = window.ensure_parts().canvas
    volume = session.mask().to_array()
    volume[1, 50:60, 50:60] = 3
    session.apply(ReplaceMask(volume))
    QTest.keyClick(keys, Qt.Key.Key_PageDown, SHIFT)
    assert session.z == 1
    expected = first_plane()
    expected[50:60, 50:60] = 3
    assert np.array_equal(plane(session), expected)
    QTest.keyClick(keys, Qt.Key.Key_PageDown, SHIFT | CONTROL)
    assert session.z == 2
    assert np.array_equal(plane(session), np.where(expected == session.class_id, expected, 0))
    window.actions_by_id["copy_replaces"].trigger()
    assert window.actions_by_id["copy_replaces"].isChecked()
    QTest.keyClick(keys, Qt.Key.Key_PageUp, SHIFT)
    assert session.z == 1
    assert np.array_equal(plane(session), session.mask().plane(2))
    for _ in range(3):
        session.undo()
    assert np.array_equal(session.mask().to_array(), volume)
    session.select_plane(0)
    QTest.keyClick(keys, Qt.Key.Key_PageUp, SHIFT)
    assert session.z == 0
    assert window.messages.isVisible()


def test_large_planes_are_copied_in_the_background(
    window: MainWindow, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orgseg_app.gui.editing.slices.AT_ONCE_BLOCKS", 0)
    for action in ("copy_to_next", "copy_to_next"):  # the second comes while the first is done
        window.actions_by_id[action].trigger()
    assert session.z == 0
    qtbot.waitUntil(lambda: session.z == 1)
    assert np.array_equal(plane(session), first_plane())
    assert session.mask().planes() == [0, 1]


def test_planes_between_are_interpolated_as_one_change(
    window: MainWindow, session: Session, qtbot: QtBot
) -> None:
    volume = np.zeros((DEPTH, 200, 260), np.uint8)
    for z in (0, 3, 6):
        volume[z][(ROWS - 100) ** 2 + (COLUMNS - 60 - 20 * z) ** 2 < (40 - 3 * z) ** 2] = 2
    session.apply(ReplaceMask(volume))
    before = session.mask().to_array()
    QTest.keyClick(window.ensure_parts().canvas, Qt.Key.Key_I, SHIFT)
    qtbot.waitUntil(lambda: len(session.mask().planes()) == DEPTH)
    for z in range(DEPTH):
        truth = (ROWS - 100) ** 2 + (COLUMNS - 60 - 20 * z) ** 2 < (40 - 3 * z) ** 2
        found = session.mask().plane(z) == 2
        assert 2 * (truth & found).sum() > 0.95 * (truth.sum() + found.sum()), z
    assert session.history.next_undo().title == "interpolate"
    session.undo()
    assert np.array_equal(session.mask().to_array(), before)
    session.select_plane(4)
    window.actions_by_id["interpolate_here"].trigger()
    qtbot.waitUntil(lambda: session.mask().planes() == [0, 3, 4, 6])


def test_it_is_said_when_there_is_nothing_to_interpolate(
    window: MainWindow, session: Session
) -> None:
    said = []
    session.message.connect(lambda text, level: said.append(text))
    window.actions_by_id["interpolate_gaps"].trigger()
    window.actions_by_id["interpolate_here"].trigger()
    assert len(said) == 2
    assert all(text.startswith("To interpolate, there must be") for text in said)
    assert session.background.is_idle


def test_strokes_painted_meanwhile_stay(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    volume = np.zeros((DEPTH, 200, 260), np.uint8)
    volume[0, 50:150, 50:150] = volume[6, 50:150, 50:150] = 2
    session.apply(ReplaceMask(volume))
    window.actions_by_id["interpolate_gaps"].trigger()
    painted = volume.copy()
    painted[2, 90:100, 90:100] = 3
    session.apply(ReplaceMask(painted, "paint"))  # before the result comes in
    qtbot.waitUntil(lambda: len(session.mask().planes()) == DEPTH)
    expected = np.zeros_like(volume)
    expected[:, 50:150, 50:150] = 2
    expected[2, 90:100, 90:100] = 3
    assert np.array_equal(session.mask().to_array(), expected)
