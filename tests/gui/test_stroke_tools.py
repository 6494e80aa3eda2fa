"""Tools that follow the hand: ball, limits, pen pressure, the line to come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QInputDevice,
    QMouseEvent,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.strokes import PaintBall, PaintStroke
from orgseg_app.core.image import open_array
from orgseg_app.core.mask import Mask
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.tools.plane_values import plane_values
from orgseg_app.gui.session import Session
from tests.e2e.hand import Hand
from tests.gui.canvas_hand import canvas_on
from tests.gui.volume_project import make_volume_project

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
SHAPE = (7, 200, 300)
PIXEL_SIZE_UM = (0.4, 0.1, 0.1)


def band() -> NDArray[np.bool_]:
    inside = np.zeros(SHAPE[1:], bool)
    inside[95:105] = True
    return inside


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.create_project(tmp_path / "strokes.orgseg", default_classes(["ER", "nucleus"]))
    noise = np.random.default_rng(0).integers(0, 60, SHAPE)
    volume = (np.where(band(), 900, 200) + noise).astype(np.uint16)
    two = np.stack([np.zeros_like(volume[:1]), volume[:1]])
    large = np.tile(np.where(band(), 900, 200).astype(np.uint16), (12, 8))  # 2400 x 2400
    assert session.file is not None
    session.file.add_images(
        [
            NewImage(open_array("volume", volume, pixel_size_um=PIXEL_SIZE_UM)),
            NewImage(open_array("channels", two)),
            NewImage(open_array("large", large)),
        ]
    )
    session.select_image(next(iter(session.file.project.images)))
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    return canvas_on(session, qtbot, 520, 400)


def spot(canvas: AnnotationCanvas, place: tuple[float, float]) -> QPoint:
    return canvas.to_widget(*place).toPoint()


def drag(canvas: AnnotationCanvas, *places: tuple[float, float], keys: object = PLAIN) -> None:
    QTest.mousePress(canvas, LEFT, keys, spot(canvas, places[0]))
    for place in places[1:]:
        QTest.mouseMove(canvas, spot(canvas, place))
    QTest.mouseRelease(canvas, LEFT, keys, spot(canvas, places[-1]))


def expected(edit: PaintBall | PaintStroke, shape: tuple[int, int, int] = SHAPE) -> object:
    mask = Mask(shape)
    edit.apply(Recorder("", mask))
    return mask.to_array()


# -- ball ------------------------------------------------------------------------------------------


def test_the_ball_paints_through_the_planes(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("ball")
    canvas.tools.set_brush_size(21)
    session.select_plane(3)
    way = tuple(canvas.to_image(QPointF(spot(canvas, p))) for p in ((80, 90), (85, 140)))
    drag(canvas, *way)
    found = session.mask().to_array()
    assert np.array_equal(found, expected(PaintBall(3, way, 21, 2, PIXEL_SIZE_UM)))
    assert session.mask().planes() == [1, 2, 3, 4, 5]  # 21 voxels of 0.1 um are five of 0.4
    assert session.history.next_undo().title == "paint"
    drag(canvas, way[0], keys=ALT)
    assert session.mask().value(2, 80, 90) == 0
    session.undo()
    assert np.array_equal(session.mask().to_array(), found)
    session.undo()
    assert session.mask().is_empty
    assert session.z == 3


def test_the_ball_by_keys_alone_and_taken_back(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("ball")
    session.select_plane(3)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Down):
        QTest.keyClick(canvas, key)
    assert session.mask().planes() == [1, 2, 3, 4, 5]
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert session.mask().is_empty
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.mask().planes() == [1, 2, 3, 4, 5]


def test_the_ball_is_round_whatever_the_brush_is(canvas: AnnotationCanvas) -> None:
    canvas.tools.set_square(True)
    canvas.tools.set_tool("ball")
    assert canvas.tool.footprint == (24, False)
    canvas.tools.set_tool("brush")
    assert canvas.tool.footprint == (24, True)


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["otsu", "range"])
def test_a_limited_stroke_paints_the_band_alone(
    canvas: AnnotationCanvas, session: Session, limit: str
) -> None:
    canvas.tools.set_brush_size(40)
    canvas.tools.set_value("limit", limit)
    canvas.tools.set_value("limit_low", 2000)
    canvas.tools.set_value("limit_high", 600)  # whichever way round
    drag(canvas, (100, 60), (100, 150), (100, 240))
    painted = session.mask().plane(0) == 2
    assert (painted[:, 60:240] == band()[:, 60:240]).all()
    session.undo()
    canvas.tools.set_value("limit", "none")
    drag(canvas, (100, 60), (100, 240))
    assert (session.mask().plane(0) == 2)[85:115, 100].all()


def test_the_dark_class_where_dark_is_pressed(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(40)
    canvas.tools.set_value("limit", "otsu")
    drag(canvas, (85, 60), (100, 150), (100, 240))
    painted = session.mask().plane(0) == 2
    assert painted[85, 100:200].all()
    assert not painted[band()].any()


def test_the_eraser_ignores_the_limit(canvas: AnnotationCanvas, session: Session) -> None:
    drag(canvas, (100, 60), (100, 240))
    canvas.tools.set_value("limit", "otsu")
    canvas.tools.set_tool("eraser")
    canvas.tools.set_brush_size(60)
    drag(canvas, (100, 40), (100, 270))
    assert not session.mask().plane(0).any()


@pytest.mark.parametrize("limit", ["otsu", "range"])
def test_the_eraser_has_a_limit_of_its_own(
    canvas: AnnotationCanvas, session: Session, limit: str
) -> None:
    canvas.tools.set_brush_size(60)
    drag(canvas, (100, 60), (100, 240))
    canvas.tools.set_tool("eraser")
    canvas.tools.set_brush_size(80)
    canvas.tools.set_value("erase_limit", limit)
    canvas.tools.set_value("limit_low", 600)
    drag(canvas, (100, 40), (100, 150), (100, 270))
    plane = session.mask().plane(0)
    assert not plane[band()].any()
    assert plane[75:95, 60:240].all()
    assert plane[105:125, 60:240].all()


def lit_columns() -> NDArray[np.uint16]:
    """Seven planes; the bright columns move from plane to plane, on a ground that rises."""
    volume = np.empty(SHAPE, np.uint16)
    for z, plane in enumerate(volume):
        plane[...] = 200 + 150 * z
        plane[:, 100 + 8 * z : 130 + 8 * z] += 700
    return volume


@pytest.mark.parametrize("limit", ["otsu", "range"])
@pytest.mark.parametrize("erase", [False, True])
def test_each_plane_under_the_ball_decides_by_its_own_values(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, limit: str, erase: bool
) -> None:
    volume = lit_columns()
    session.file.add_images([NewImage(open_array("columns", volume, pixel_size_um=PIXEL_SIZE_UM))])
    session.select_image(list(session.project.images)[-1])
    session.select_plane(3)
    canvas.set_zoom(1.0)
    tools = canvas.tools
    tools.set_tool("ball")
    tools.set_brush_size(41)
    way = tuple(canvas.to_image(QPointF(spot(canvas, p))) for p in ((100, 140), (100, 141)))
    if erase:
        drag(canvas, way[0], (100, 70), (100, 220))
    tools.set_value("limit", limit)
    tools.set_value("limit_low", 900)
    tools.set_value("limit_high", 1500)
    before = session.mask().to_array()
    drag(canvas, *way, keys=ALT if erase else PLAIN)
    after = session.mask().to_array()
    ball = expected(PaintBall(3, way, 41, 2, PIXEL_SIZE_UM)) == 2
    bright = volume >= 200 + 150 * np.arange(7)[:, None, None] + 350
    wanted = ball & ((volume >= 900) & (volume <= 1500) if limit == "range" else bright)
    found = (before != 0) & (after == 0) if erase else after == 2
    assert wanted.any(axis=(1, 2)).sum() >= 5
    off = found ^ wanted  # an edge is where smoothed values cross a threshold
    assert off.sum() <= (0 if limit == "range" else 0.05 * wanted.sum())
    session.undo()
    assert np.array_equal(session.mask().to_array(), before)


def test_planes_beside_are_read_before_a_limited_ball_paints(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.gui.canvas.tools import strokes

    monkeypatch.setattr(strokes, "TILES_AT_ONCE", 2)
    said = []
    session.message.connect(lambda text, level: said.append(text))
    canvas.tools.set_tool("ball")
    canvas.tools.set_value("limit", "range")
    session.select_plane(3)
    session.tiles.clear()
    drag(canvas, (100, 100))
    assert session.mask().is_empty
    assert len(said) == 1
    assert "go on in a moment" in said[0]
    qtbot.waitUntil(lambda: session.background.is_idle)
    drag(canvas, (100, 100))
    assert len(session.mask().planes()) == 5
    session.undo()
    session.tiles.clear()
    QTest.mouseMove(canvas, spot(canvas, (90, 90)))  # on the way there, they are read
    qtbot.waitUntil(lambda: session.background.is_idle)
    drag(canvas, (100, 100))
    assert len(session.mask().planes()) == 5
    session.undo()
    session.tiles.clear()
    monkeypatch.setattr(strokes, "TILES_AT_ONCE", 99)
    monkeypatch.setattr(session.file, "read_part", lambda *place: None)
    drag(canvas, (100, 100))
    assert session.mask().is_empty
    assert "plane by plane" in said[-1]
    session.tiles.clear()
    monkeypatch.setattr(strokes, "TILES_AT_ONCE", 2)

    def broken(*place: int) -> None:
        raise OSError("gone")

    monkeypatch.setattr(session.file, "read_part", broken)
    said.clear()
    for x in (90, 95, 100):  # a pointer that passes hears nothing of it
        QTest.mouseMove(canvas, spot(canvas, (90, x)))
        qtbot.waitUntil(lambda: session.background.is_idle)
    assert said == []
    drag(canvas, (100, 100))
    assert session.mask().is_empty
    assert len(said) == 1


def test_a_range_is_taken_from_under_the_brush(canvas: AnnotationCanvas, session: Session) -> None:
    tools = canvas.tools
    tools.set_brush_size(7)
    ctrl = Qt.KeyboardModifier.ControlModifier
    drag(canvas, (100, 100), keys=ctrl)  # without a range it paints
    assert not session.mask().is_empty
    session.undo()
    tools.set_value("limit", "range")
    plane = session.plane(session.image_id, 0)[0]
    drag(canvas, (100, 100), keys=ctrl)
    assert session.mask().is_empty
    low, high = tools.value("limit_low"), tools.value("limit_high")
    assert 900 <= low < high < 960
    assert {low, high} <= set(plane[96:105, 96:105].ravel().tolist())
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Up, SHIFT)
    QTest.keyClick(canvas, Qt.Key.Key_Return, ctrl)
    assert 200 <= tools.value("limit_low") < tools.value("limit_high") < 260


def test_a_range_that_the_image_has_not_says_so(canvas: AnnotationCanvas, session: Session) -> None:
    said = []
    session.message.connect(lambda text, level: said.append(text))
    canvas.tools.set_value("limit", "range")
    canvas.tools.set_value("limit_low", 20_000)
    drag(canvas, (100, 100))
    assert len(said) == 1
    assert "20000 and more" in said[0]
    assert "0 to 959" in said[0]
    canvas.tools.set_value("limit_low", 958)
    drag(canvas, (30, 30))
    assert len(said) == 1  # nothing is as bright just here: that is what was asked for


def test_channels_that_are_hidden_do_not_count(canvas: AnnotationCanvas, session: Session) -> None:
    session.select_image(list(session.project.images)[1])
    canvas.tools.set_value("limit", "range")
    canvas.tools.set_value("limit_low", 600)
    canvas.set_zoom(1.0)
    drag(canvas, (100, 60), (100, 240))
    assert session.mask().is_empty  # half of 900: the mean with an empty channel
    canvas.display.set_channel_visible(0, False)
    drag(canvas, (100, 60), (100, 240))
    assert session.mask().value(0, 100, 100) == 2
    assert session.mask().value(0, 92, 100) == 0


def test_limits_on_an_image_that_is_shown_in_tiles(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = list(session.project.images)[2]
    session.select_image(large)
    voxels = plane_values(canvas)
    whole = session.file.read_plane(large, 0)[0]
    session._planes.clear()
    session.tiles.clear()
    for box in ((0, 0, 2400, 2400), (500, 470, 530, 560), (2399, 2399, 2400, 2400)):
        y0, x0, y1, x1 = box
        assert np.array_equal(voxels.read(*box), whole[y0:y1, x0:x1])
    session.tiles.clear()
    said = []
    session.message.connect(lambda text, level: said.append((text, level)))
    monkeypatch.setattr(session.file, "read_part", lambda *place: None)
    canvas.tools.set_value("limit", "otsu")
    drag(canvas, (1200, 1200), (1200, 1210))
    assert session.mask().is_empty
    assert len(said) == 1
    assert "moment" in said[0][0]
    assert session.recorder is None
    qtbot.waitUntil(lambda: session.loaded_plane(large, 0) is not None)
    drag(canvas, (1200, 1200), (1200, 1210))
    assert not session.mask().is_empty


# -- pen -------------------------------------------------------------------------------------------


def pen(canvas: AnnotationCanvas, kind: QEvent.Type, place: QPointF, pressure: float) -> bool:
    """A pen's event as Qt delivers it; True when the canvas took it, so that no mouse follows."""
    device = QPointingDevice(
        "pen",
        1,
        QInputDevice.DeviceType.Stylus,
        QPointingDevice.PointerType.Pen,
        QInputDevice.Capability.Pressure | QInputDevice.Capability.Position,
        1,
        3,
        "",
        QPointingDeviceUniqueId(),
    )
    up = kind == QEvent.Type.TabletRelease
    event = QTabletEvent(
        kind,
        device,
        place,
        canvas.mapToGlobal(place),
        pressure,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        PLAIN,
        LEFT,
        Qt.MouseButton.NoButton if up else LEFT,
    )
    QApplication.sendEvent(canvas, event)
    return event.isAccepted()


@pytest.mark.parametrize("heeded", [True, False])
def test_a_pen_pressed_lightly_paints_thinly(
    canvas: AnnotationCanvas, session: Session, heeded: bool
) -> None:
    canvas.tools.set_brush_size(40)
    canvas.tools.set_value("pressure", heeded)
    places = [QPointF(spot(canvas, p)) for p in ((100, 60), (100, 61), (100, 200))]
    assert not pen(canvas, QEvent.Type.TabletPress, places[0], 0.25)
    QTest.mousePress(canvas, LEFT, PLAIN, places[0].toPoint())
    for place, pressure in zip(places[1:], (0.25, 0.5), strict=True):
        assert not pen(canvas, QEvent.Type.TabletMove, place, pressure)
        QTest.mouseMove(canvas, place.toPoint())
    pen(canvas, QEvent.Type.TabletRelease, places[2], 0.0)
    QTest.mouseRelease(canvas, LEFT, PLAIN, places[2].toPoint())
    way = tuple(canvas.to_image(place) for place in places)
    sizes = (10, 10, 20) if heeded else ()
    assert np.array_equal(
        session.mask().to_array(), expected(PaintStroke(0, way, 40, 2, sizes=sizes))
    )
    session.undo()
    drag(canvas, (100, 100))  # a mouse afterwards presses fully
    assert np.count_nonzero(session.mask().plane(0).any(axis=1)) == 40


def test_a_pen_that_hardly_touches_still_paints(canvas: AnnotationCanvas) -> None:
    canvas.tools.set_value("pressure", True)
    canvas.tools.set_brush_size(40)
    canvas.pressure = 0.0
    assert canvas.tool.pressed_size == 4
    canvas.tools.set_brush_size(1)
    assert canvas.tool.pressed_size == 1


# -- line ------------------------------------------------------------------------------------------


def test_shift_shows_the_line_that_a_press_would_draw(
    canvas: AnnotationCanvas, session: Session
) -> None:
    def line_is_seen() -> bool:
        picture = canvas.grab().toImage()
        middle = spot(canvas, (60, 160))
        return any(
            picture.pixelColor(middle.x(), middle.y() + dy).lightness() > 110 for dy in range(-2, 3)
        )

    canvas.tools.set_brush_size(5)
    QTest.keyPress(canvas, Qt.Key.Key_Shift)
    QTest.mouseMove(canvas, spot(canvas, (60, 250)))
    assert canvas.tool.preview() is None  # nothing to draw it from
    QTest.keyRelease(canvas, Qt.Key.Key_Shift)
    drag(canvas, (60, 60))
    QTest.mouseMove(canvas, spot(canvas, (60, 260)))
    assert not line_is_seen()
    QTest.keyPress(canvas, Qt.Key.Key_Shift)
    assert canvas.tool.preview() is not None
    assert line_is_seen()
    QTest.keyRelease(canvas, Qt.Key.Key_Shift)
    assert not line_is_seen()
    drag(canvas, (60, 260), keys=SHIFT)
    assert session.mask().read(0, 60, 60, 61, 260).all()


def test_the_line_follows_a_pointer_that_brings_shift_along(canvas: AnnotationCanvas) -> None:
    """The key may have gone down while another window had the keyboard."""
    drag(canvas, (60, 60))
    for place, keys in (((90, 90), SHIFT), ((95, 95), PLAIN)):
        at = QPointF(spot(canvas, place))
        none = Qt.MouseButton.NoButton
        event = QMouseEvent(QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), none, none, keys)
        QApplication.sendEvent(canvas, event)
        assert (canvas.tool.preview() is not None) == (keys == SHIFT)


def test_no_line_from_another_plane_or_image(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(5)
    drag(canvas, (60, 60))
    session.select_plane(2)
    drag(canvas, (60, 260), keys=SHIFT)
    assert session.mask().value(2, 60, 260) == 2
    assert not session.mask().read(2, 60, 50, 61, 250).any()


# -- size ------------------------------------------------------------------------------------------


def test_size_by_ctrl_and_wheel(canvas: AnnotationCanvas, qtbot: QtBot) -> None:
    from PySide6.QtGui import QWheelEvent

    for turn in (120, -120):
        before = canvas.tools.brush_size
        at = QPointF(50, 50)
        event = QWheelEvent(
            at,
            canvas.mapToGlobal(at),
            QPoint(),
            QPoint(0, turn),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.ControlModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)
        assert (canvas.tools.brush_size > before) == (turn > 0)
        assert canvas.tools.brush_size != before


def test_size_by_alt_and_a_drag_with_the_right_button(
    canvas: AnnotationCanvas, session: Session
) -> None:
    """The edge of the ring goes with the pointer, and nothing is painted or moved."""
    right = Qt.MouseButton.RightButton
    canvas.set_zoom(2.0)
    canvas.tools.set_brush_size(20)
    QTest.mouseMove(canvas, QPoint(200, 150))
    view = canvas.view_state()

    def move(x: int) -> None:
        at = QPointF(x, 150)
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), Qt.MouseButton.NoButton, right, ALT
        )
        QApplication.sendEvent(canvas, event)

    QTest.mousePress(canvas, right, ALT, QPoint(200, 150))
    move(230)
    assert canvas.tools.brush_size == 50
    move(190)
    assert canvas.tools.brush_size == 10
    move(-900)
    assert canvas.tools.brush_size == 1
    move(220)
    QTest.mouseRelease(canvas, right, ALT, QPoint(220, 150))
    assert canvas.tools.brush_size == 40
    QTest.mouseMove(canvas, QPoint(300, 150))
    assert canvas.tools.brush_size == 40
    assert session.mask().is_empty
    assert canvas.view_state() == view
    canvas.tools.set_tool("polygon")
    QTest.mousePress(canvas, right, ALT, QPoint(200, 150))
    move(260)
    QTest.mouseRelease(canvas, right, ALT, QPoint(260, 150))
    assert canvas.tools.brush_size == 40


def test_values_of_a_range_have_room_in_the_panel(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    from orgseg_app.gui.panels.tool_panel import ToolPanel

    panel = ToolPanel(canvas.tools, canvas.display, session)
    qtbot.addWidget(panel)
    number = panel.fields["limit_high"].number
    assert number.text() == "959"
    canvas.tools.set_value("limit_high", 500)
    assert number.text() == "500"
    fractions = np.linspace(-0.5, 0.5, 300, dtype=np.float32)[None].repeat(200, axis=0)
    session.file.add_images([NewImage(open_array("fractions", fractions))])
    canvas.tools.set_value("limit_high", 0.25)
    session.select_image(list(session.project.images)[-1])
    assert number.text() == "0.250"
    assert panel.fields["limit_low"].number.text() == "-0.500"
    canvas.tools.set_value("limit_high", 1234.5)
    assert number.text() == "1234.5"


# -- in the real window ----------------------------------------------------------------------------


def test_ball_and_size_by_keys_in_the_window(qapp: object, tmp_path: Path) -> None:
    hand = Hand()
    try:
        hand.open(make_volume_project(tmp_path / "window.orgseg"))
        window, canvas, session = hand.window, hand.parts.canvas, hand.session
        session.select_image(next(i.image_id for i in hand.images if i.shape[1] > 2))
        session.select_plane(1)
        window.activateWindow()
        assert QTest.qWaitForWindowActive(window)
        canvas.setFocus()
        canvas.set_zoom(4.0)
        QTest.keyClick(canvas, Qt.Key.Key_B, SHIFT)
        assert window.tools.tool == "ball"
        window.tools.set_brush_size(9)
        QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
        assert window.tools.brush_size == 10
        QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
        assert window.tools.brush_size == 9
        height, width = canvas.plane_size
        drag(canvas, (height / 2, width / 2), (height / 2 + 3, width / 2 + 3))
        assert {0, 1, 2} <= set(session.mask().planes())
        session.undo()
        assert session.mask().is_empty
    finally:
        hand.close()
