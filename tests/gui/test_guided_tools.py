"""Tools that the picture guides, under mouse and keys, on a picture whose objects are known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.session import Session
from orgseg_app.settings import Settings
from tests.gui.canvas_hand import canvas_on
from tests.gui.guided_project import (
    RADIUS,
    SIDE,
    click,
    disk,
    open_guided,
    painted,
    settle,
    spot,
    two_squares,
)

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def on_rim(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return SIDE / 2 + RADIUS * math.sin(angle), SIDE / 2 + RADIUS * math.cos(angle)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = open_guided(tmp_path)
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    return canvas_on(session, qtbot, 520)


# -- livewire --------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [True, False], ids=["slow hand", "fast hand"])
def test_livewire_outlines_a_disk_by_four_clicks(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, waits: bool
) -> None:
    """Clicked before the paths are known, the lines bend into place all the same."""
    canvas.tools.set_tool("livewire")
    for degrees in (0, 90, 180, 270):
        click(canvas, on_rim(degrees))
        if waits:
            settle(session, qtbot)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.95
    assert session.history.next_undo().title == "livewire"
    assert canvas.tool.points == []
    session.undo()
    assert session.mask().is_empty


@pytest.mark.parametrize("how", ["double-click", "first anchor"])
def test_livewire_is_closed_by_mouse_alone(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, how: str
) -> None:
    canvas.tools.set_tool("livewire")
    click(canvas, *(on_rim(degrees) for degrees in (0, 90, 180, 270)))
    if how == "double-click":
        QTest.mouseDClick(canvas, LEFT, PLAIN, spot(canvas, on_rim(270)))
    else:
        click(canvas, on_rim(2))
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.95


def test_livewire_takes_anchors_back_and_drops_everything(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("livewire")
    click(canvas, on_rim(0), on_rim(90), on_rim(180), (12, 12))
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert len(canvas.tool.points) == 3
    click(canvas, on_rim(270))
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.95
    session.undo()
    click(canvas, on_rim(0), on_rim(90), on_rim(180))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert canvas.tool.points == []
    assert session.mask().is_empty
    click(canvas, on_rim(0))
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert canvas.tool.points == []


def test_a_closed_wire_is_filled_even_if_another_tool_is_taken(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("livewire")
    click(canvas, *(on_rim(degrees) for degrees in (0, 90, 180, 270)))
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    canvas.tools.set_tool("brush")
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.95
    canvas.tools.set_tool("livewire")
    click(canvas, *(on_rim(degrees) for degrees in (0, 90)))
    canvas.tools.set_tool("brush")
    settle(session, qtbot)
    canvas.tools.set_tool("livewire")
    assert canvas.tool.points == []


def test_livewire_stays_on_its_plane_and_protects(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("livewire")
    click(canvas, on_rim(0), on_rim(120), on_rim(240))
    session.select_plane(1)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert session.mask().is_empty
    session.select_class(1)
    canvas.tools.set_tool("fill")
    click(canvas, (5, 5))
    session.select_class(2)
    canvas.tools.set_tool("livewire")
    canvas.tools.set_protect(True)
    click(canvas, on_rim(0), on_rim(120), on_rim(240))
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert session.mask().counts() == {1: SIDE * SIDE}


def test_livewire_by_keys_alone(canvas: AnnotationCanvas, session: Session, qtbot: QtBot) -> None:
    canvas.tools.set_tool("livewire")
    canvas.tool.move(*on_rim(0), pressed=False)
    shift = Qt.KeyboardModifier.ShiftModifier
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Left):
        for _ in range(6):
            QTest.keyClick(canvas, key, shift)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert len(canvas.tool.points) == 4
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    settle(session, qtbot)
    assert painted(session).sum() > 100


def test_livewire_shows_its_wire(canvas: AnnotationCanvas, session: Session, qtbot: QtBot) -> None:
    canvas.tools.set_tool("livewire")
    before = canvas.grab().toImage()
    click(canvas, on_rim(0))
    settle(session, qtbot)
    QTest.mouseMove(canvas, spot(canvas, on_rim(100)))
    after = canvas.grab().toImage()
    ratio = canvas.devicePixelRatioF()
    halfway = canvas.to_widget(*on_rim(50)) * ratio
    around = [(halfway.x() + i, halfway.y() + j) for i in range(-4, 5) for j in range(-4, 5)]
    assert any(before.pixel(int(x), int(y)) != after.pixel(int(x), int(y)) for x, y in around)


def test_half_an_outline_is_closed_straight_and_a_line_paints_nothing(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    canvas.tools.set_tool("livewire")
    click(canvas, on_rim(0), on_rim(60), on_rim(120))
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    angle = math.radians(120)
    segment = RADIUS**2 / 2 * (angle - math.sin(angle))
    assert painted(session).sum() == pytest.approx(segment, rel=0.1)
    session.undo()
    click(canvas, on_rim(-4), on_rim(4))  # where the rim is about straight
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert session.mask().is_empty
    assert ["encloses nothing" in text for text in said] == [True]
    click(canvas, on_rim(90), on_rim(180), on_rim(270))  # what is there can be gone on with
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.95


def test_anchors_off_the_edge_sit_on_it_and_with_alt_where_they_are_set(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("livewire")
    middle = np.array((SIDE / 2, SIDE / 2))

    def set_anchor(degrees: float, keys: Qt.KeyboardModifier) -> float:
        place = middle + (np.array(on_rim(degrees)) - middle) * (RADIUS + 5) / RADIUS
        QTest.mouseClick(canvas, LEFT, keys, spot(canvas, (place[0], place[1])))
        settle(session, qtbot)
        return float(np.hypot(*(np.array(canvas.tool.points[-1]) - middle))) - RADIUS

    for degrees in (0, 90, 180):
        assert abs(set_anchor(degrees, PLAIN)) < 2
    assert set_anchor(270, Qt.KeyboardModifier.AltModifier) == pytest.approx(5, abs=1)
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    assert abs(set_anchor(270, PLAIN)) < 2
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    y, x = np.nonzero(painted(session))
    assert np.hypot(y + 0.5 - middle[0], x + 0.5 - middle[1]).max() < RADIUS + 3  # no hairs
    assert iou(painted(session), disk()) > 0.95


# -- superpixels -----------------------------------------------------------------------------------


def drag(canvas: AnnotationCanvas, *places: tuple[float, float], keys: object = PLAIN) -> None:
    QTest.mousePress(canvas, LEFT, keys, spot(canvas, places[0]))
    for place in places[1:]:
        QTest.mouseMove(canvas, spot(canvas, place))
    QTest.mouseRelease(canvas, LEFT, keys, spot(canvas, places[-1]))


@pytest.mark.parametrize("waits", [True, False], ids=["known", "not known yet"])
def test_superpixels_paint_what_is_touched_and_keep_to_edges(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, waits: bool
) -> None:
    canvas.tools.set_tool("superpixels")
    if waits:
        QTest.mouseMove(canvas, spot(canvas, (150, 150)))
        settle(session, qtbot)
    drag(canvas, (150, 90), (150, 150), (150, 210))
    settle(session, qtbot)
    assert session.recorder is None
    found = painted(session)
    assert found[150, 91:209].all()
    assert 124 * 8 < found.sum() < 124 * 60
    assert not (found & ~disk()).any()
    assert session.history.next_undo().title == "superpixels"
    drag(canvas, (150, 150), keys=Qt.KeyboardModifier.AltModifier)
    settle(session, qtbot)
    assert not painted(session)[150, 150]
    session.undo()
    session.undo()
    assert session.mask().is_empty


def test_superpixels_are_as_large_as_set_and_protect(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("superpixels")
    areas = []
    for size in (8, 40):
        canvas.tools.set_value("superpixel_size", size)
        drag(canvas, (150, 150))
        settle(session, qtbot)
        areas.append(int(painted(session).sum()))
        session.undo()
    assert areas[1] > 5 * areas[0] > 0
    drag(canvas, (150, 150))
    settle(session, qtbot)
    session.select_class(3)
    canvas.tools.set_protect(True)
    drag(canvas, (150, 150))
    settle(session, qtbot)
    assert session.mask().counts() == {2: areas[1]}


def test_a_stroke_of_superpixels_taken_back_stays_away(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("superpixels")
    QTest.mousePress(canvas, LEFT, PLAIN, spot(canvas, (150, 150)))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, PLAIN, spot(canvas, (150, 150)))
    settle(session, qtbot)
    canvas.tools.set_value("superpixel_size", 24)
    canvas.tool.press(150, 150, PLAIN)
    canvas.tool.release()
    assert session.recorder is not None  # it waits until they are known
    session.select_plane(1)
    settle(session, qtbot)
    assert session.mask().is_empty
    assert session.recorder is None
    drag(canvas, (150, 150))
    settle(session, qtbot)
    assert session.mask().planes() == [1]


@pytest.mark.parametrize("next_tool", ["brush", "superpixels"])
def test_a_fast_hand_loses_no_superpixels(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, next_tool: str
) -> None:
    """Another tool, or the next stroke, before those of the stroke before are known."""
    canvas.tools.set_tool("superpixels")
    drag(canvas, (150, 130), (150, 170))
    settle(session, qtbot)
    first = painted(session)
    session.undo()
    canvas.tool._tiles = None
    canvas.tool.press(150, 130, PLAIN)
    canvas.tool.move(150, 170, pressed=True)
    canvas.tool.release()
    assert session.mask().is_empty
    canvas.tools.set_tool(next_tool)
    canvas.tools.set_brush_size(5)
    drag(canvas, (20, 20))
    settle(session, qtbot)
    assert np.array_equal(painted(session)[100:200], first[100:200])
    assert painted(session)[20, 20]
    session.undo()
    session.undo()
    assert session.mask().is_empty


def test_superpixels_by_keys_and_on_colour(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    session.select_neighbour(1)
    canvas.tools.set_tool("superpixels")
    shift = Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(canvas, Qt.Key.Key_Left, shift)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Right, shift)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    settle(session, qtbot)
    assert painted(session)[150, 145:170].all()
    assert not (painted(session) & ~disk()).any()


def test_the_superpixel_under_the_pointer_is_outlined(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("superpixels")
    canvas.tools.set_value("superpixel_size", 40)
    before = canvas.grab().toImage()
    QTest.mouseMove(canvas, spot(canvas, (120, 140)))
    QTest.mouseMove(canvas, spot(canvas, (150, 150)))
    settle(session, qtbot)
    outlined = canvas.grab().toImage()
    assert outlined != before
    canvas.tools.set_tool("pan")
    assert canvas.grab().toImage() == before


# -- GrabCut ---------------------------------------------------------------------------------------


def test_the_object_in_a_box_gets_the_class(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("grabcut")
    before = canvas.grab().toImage()
    drag(canvas, (60, 55), (150, 200), (240, 245))
    assert canvas.grab().toImage() != before  # the box, until the object is found
    assert session.mask().is_empty
    settle(session, qtbot)
    assert iou(painted(session), disk()) > 0.97
    assert session.history.next_undo().title == "GrabCut"
    drag(canvas, (240, 245), (150, 200), (60, 55), keys=Qt.KeyboardModifier.AltModifier)
    settle(session, qtbot)
    assert not painted(session).any()
    session.undo()
    session.undo()
    assert session.mask().is_empty
    assert canvas.grab().toImage() == before


def test_a_box_goes_where_it_was_drawn_and_esc_drops_it(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("grabcut")
    drag(canvas, (60, 55), (240, 245))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    settle(session, qtbot)
    drag(canvas, (60, 60))
    settle(session, qtbot)
    assert session.mask().is_empty
    drag(canvas, (60, 55), (240, 245))
    session.select_plane(1)
    canvas.tools.set_tool("brush")
    settle(session, qtbot)
    assert session.mask().planes() == [0]


def test_a_box_with_nothing_in_it_says_so(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("grabcut")
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    drag(canvas, (5, 5), (40, 50))
    settle(session, qtbot)
    assert session.mask().is_empty
    assert ["Nothing in the box" in text for text in said] == [True]


def test_a_box_by_keys_on_colour_and_protected(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    session.select_neighbour(1)
    canvas.tools.set_tool("grabcut")
    shift = Qt.KeyboardModifier.ShiftModifier

    def box() -> None:
        for key, times in ((Qt.Key.Key_Up, 10), (Qt.Key.Key_Left, 10)):
            for _ in range(times):
                QTest.keyClick(canvas, key, shift)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        for key, times in ((Qt.Key.Key_Down, 20), (Qt.Key.Key_Right, 20)):
            for _ in range(times):
                QTest.keyClick(canvas, key, shift)
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        settle(session, qtbot)

    canvas._pointer = (150.5, 150.5)
    box()
    assert iou(painted(session), disk()) > 0.97
    counts = session.mask().counts()
    session.select_class(3)
    canvas.tools.set_protect(True)
    canvas._pointer = (150.5, 150.5)
    box()
    assert session.mask().counts()[2] == counts[2]


@pytest.mark.gui
def test_the_real_window_takes_them_all_by_their_keys(tmp_path: Path, qtbot: QtBot) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1100, 760)
    window.show()
    session = window.session
    session.create_project(tmp_path / "window.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    voxels = np.where(disk(), 180, 40).astype(np.uint8)
    session.file.add_images([NewImage(open_array("plane", voxels), "train")])
    session.images_changed.emit()
    session.select_image(next(iter(session.file.project.images)))
    two_squares(session)
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    canvas.set_zoom(1.0)
    canvas.setFocus()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)  # or no shortcut is heard
    for key, name in ((Qt.Key.Key_I, "livewire"), (Qt.Key.Key_S, "superpixels")):
        QTest.keyClick(canvas, key)
        assert canvas.tool.name == name
    for key, name in ((Qt.Key.Key_K, "grabcut"), (Qt.Key.Key_J, "reshape")):
        QTest.keyClick(canvas, key)
        assert canvas.tool.name == name
    canvas.tools.set_tool("brush")
    canvas.tools.set_value("radius", 2)
    QTest.mouseMove(canvas, spot(canvas, (52, 50)))
    QTest.mouseMove(canvas, spot(canvas, (50, 50)))
    control = Qt.KeyboardModifier.ControlModifier
    for key, title in (
        (Qt.Key.Key_Up, "grow object"),
        (Qt.Key.Key_Down, "shrink object"),
        (Qt.Key.Key_M, "smooth object"),
    ):
        QTest.keyClick(canvas, key, control)
        settle(session, qtbot)
        assert session.history.next_undo().title == title
    for _ in range(3):
        session.undo()
    assert session.mask().counts() == {2: 800, 3: 400}
    session.background.wait()
    window.close()


@pytest.mark.parametrize("name", ["livewire", "superpixels", "grabcut"])
def test_a_plane_that_is_not_in_memory_is_read_in_part(
    canvas: AnnotationCanvas,
    session: Session,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    read: list[tuple[int, ...]] = []
    assert session.file is not None
    whole = session.file.read_region

    def read_region(image_id: str, *place: int, to_look: bool = False) -> np.ndarray:
        read.append(place)
        return whole(image_id, *place, to_look=to_look)

    monkeypatch.setattr(session, "loaded_plane", lambda image_id, z: None)
    monkeypatch.setattr(session.file, "read_region", read_region)
    canvas.tools.set_tool(name)
    if name == "livewire":
        click(canvas, *(on_rim(degrees) for degrees in (0, 90, 180, 270)))
        QTest.keyClick(canvas, Qt.Key.Key_Return)
    else:
        drag(canvas, (65, 65), (235, 235))
    settle(session, qtbot)
    assert painted(session).any()
    assert read
