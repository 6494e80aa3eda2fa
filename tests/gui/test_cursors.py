"""What the pointer says over the canvas: the tool, the class, what a held key changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tools import cursors
from orgseg_app.gui.canvas.tools.cursors import ADD, CUT, ERASE, JOIN, SPOT, Look
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.session import Session
from tests.e2e.hand import Hand
from tests.gui.volume_project import make_volume_project

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.create_project(tmp_path / "cursors.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    random = np.random.default_rng(0)
    pixels = random.integers(0, 999, (5, 200, 300)).astype(np.uint16)
    session.file.add_images([NewImage(open_array("stack", pixels), "train")])
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(500, 400)
    canvas.show()
    session.select_image(next(iter(session.project.images)))  # type: ignore[union-attr]
    canvas.set_zoom(1.0)
    canvas.setFocus()
    return canvas


def as_array(look: Look, ratio: float) -> np.ndarray:
    image = cursors.drawn(look, ratio).toImage().convertToFormat(QImage.Format.Format_ARGB32)
    height, width = image.height(), image.width()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(height, width, 4)
    return pixels[..., [2, 1, 0, 3]].copy()


def colour_of(session: Session, class_id: int) -> str:
    return session.project.class_of(class_id).colour  # type: ignore[union-attr]


def hover(canvas: AnnotationCanvas, y: float, x: float) -> None:
    QTest.mouseMove(canvas, canvas.to_widget(y, x).toPoint() + QPoint(3, 3))
    QTest.mouseMove(canvas, canvas.to_widget(y, x).toPoint())
    QApplication.processEvents()


# -- how they are drawn --------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0, 3.0])
def test_the_crosshair_leaves_the_spot_free_and_lies_evenly_around_it(
    qapp: object, ratio: float
) -> None:
    pixels = as_array(Look("rectangle"), ratio)
    spot, gap = round(SPOT * ratio), round(2 * ratio)
    around = pixels[spot - gap + 1 : spot + gap, spot - gap + 1 : spot + gap, 3]
    assert not around.any()
    reach = round(10 * ratio)
    reach = min(reach, spot)
    window = pixels[spot - reach : spot + reach + 1, spot - reach : spot + reach + 1, 3] > 0
    assert window[reach].sum() >= 8
    assert np.array_equal(window[reach], window[:, reach])
    assert np.array_equal(window[reach][:reach], window[reach][reach + 1 :][::-1])


@pytest.mark.parametrize("ground", ["#000000", "#FFFFFF", "#808080"])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize(
    "look",
    [
        Look("polygon", "#E69F00"),
        Look("fill", "#E69F00", ERASE),
        Look("wand", "#E69F00", ADD),
        Look("component", "#E69F00", CUT),
        Look("component", "#E69F00", JOIN),
        Look("livewire", "#E69F00", "", True),
        Look("fill", "#E69F00", is_blocked=True),
    ],
)
def test_every_part_is_seen_on_any_ground(
    qapp: object, look: Look, ratio: float, ground: str
) -> None:
    """Nowhere larger than 4 pixels does a part vanish: it differs from the ground close by."""
    picture = cursors.drawn(look, ratio)
    seen = QImage(picture.size(), QImage.Format.Format_RGB32)
    seen.fill(QColor(ground))
    painter = QPainter(seen)
    picture.setDevicePixelRatio(1)
    painter.drawPixmap(0, 0, picture)
    painter.end()
    shape = (seen.height(), seen.width(), 4)
    pixels = np.frombuffer(seen.constBits(), np.uint8).reshape(shape)[..., :3].astype(int)
    differs = np.abs(pixels - QColor(ground).red()).max(axis=2) > 90
    inked = as_array(look, ratio)[..., 3] > 200
    import cv2

    side = round(4 * ratio) | 1
    near = cv2.dilate(differs.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    assert inked.sum() > 60 * ratio**2
    assert near[inked].all()


def test_looks_differ(qapp: object) -> None:
    looks = [
        Look("fill"),
        Look("wand"),
        Look("fill", "#E69F00"),
        Look("fill", "#56B4E9"),
        Look("fill", "#E69F00", ERASE),
        Look("fill", "#E69F00", ADD),
        Look("fill", "#E69F00", CUT),
        Look("fill", "#E69F00", JOIN),
        Look("fill", "#E69F00", "", True),
        Look("fill", "#E69F00", is_blocked=True),
    ]
    assert len({as_array(look, 1.0).tobytes() for look in looks}) == len(looks)


def test_a_cursor_is_drawn_once(qapp: object) -> None:
    cursors.cursor.cache_clear()
    for _ in range(5):
        cursors.cursor(Look("fill", "#123456"), 2.0)
    assert cursors.cursor.cache_info().misses == 1
    assert cursors.cursor(Look("fill", "#123456"), 2.0).pixmap().devicePixelRatio() == 2.0


# -- what they say -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_has_a_pointer_of_its_own(canvas: AnnotationCanvas, name: str) -> None:
    canvas.tools.set_tool(name)
    shape = canvas.cursor().shape()
    if name in ("brush", "eraser", "ball"):
        assert shape == Qt.CursorShape.BlankCursor  # the ring is the pointer
    elif name == "pan":
        assert shape == Qt.CursorShape.OpenHandCursor
    else:
        assert shape == Qt.CursorShape.BitmapCursor
        assert canvas.cursor().hotSpot() == QPoint(SPOT, SPOT)


def test_tools_that_paint_show_the_class_and_follow_it(
    canvas: AnnotationCanvas, session: Session
) -> None:
    for name in ("polygon", "lasso", "rectangle", "ellipse", "livewire", "superpixels", "grabcut",
                 "fill", "wand"):  # fmt: skip
        canvas.tools.set_tool(name)
        for class_id in (2, 3, 1):
            session.select_class(class_id)
            assert canvas._cursor.look.colour == colour_of(session, class_id)
            wanted = cursors.drawn(canvas._cursor.look, 1.0).toImage()
            assert canvas.cursor().pixmap().toImage() == wanted
    canvas.tools.set_tool("ruler")
    assert canvas._cursor.look.colour == ""


def test_the_dot_says_what_a_press_would_do_right_here(
    canvas: AnnotationCanvas, session: Session
) -> None:
    session.apply(PaintRectangle(0, (40, 40, 80, 80), 3, False))
    session.apply(PaintRectangle(0, (40, 100, 80, 140), 1, False))
    session.select_class(2)
    er, nucleus, background = (colour_of(session, class_id) for class_id in (2, 3, 1))
    on_nucleus, on_background, on_nothing = (60, 60), (60, 120), (120, 120)
    for name, dots in {
        "fill": (er, er, er),
        "component": (er, "", ""),
        "holes": (nucleus, background, ""),
        "reshape": (nucleus, background, ""),
        "picker": (nucleus, background, ""),
    }.items():
        canvas.tools.set_tool(name)
        for place, dot in zip((on_nucleus, on_background, on_nothing), dots, strict=True):
            hover(canvas, *place)
            assert canvas._cursor.look.colour == dot, (name, place)
            wanted = cursors.drawn(canvas._cursor.look, 1.0).toImage()
            assert canvas.cursor().pixmap().toImage() == wanted
    session.select_class(3)  # there is nothing left to do where it is painted already
    for name in ("fill", "component"):
        canvas.tools.set_tool(name)
        hover(canvas, *on_nucleus)
        assert canvas._cursor.look.colour == ""
    canvas.tools.set_tool("fill")
    hover(canvas, *on_background)
    QTest.mouseClick(canvas, LEFT, PLAIN, canvas.to_widget(*on_background).toPoint())
    assert session.mask().value(0, *on_background) == 3
    assert canvas.cursor().pixmap().toImage() == cursors.drawn(Look("fill"), 1.0).toImage()


@pytest.mark.parametrize(
    "name, key, mark",
    [
        ("fill", Qt.Key.Key_Alt, ERASE),
        ("wand", Qt.Key.Key_Alt, ERASE),
        ("wand", Qt.Key.Key_Shift, ADD),
        ("superpixels", Qt.Key.Key_Alt, ERASE),
        ("grabcut", Qt.Key.Key_Alt, ERASE),
        ("brush", Qt.Key.Key_Alt, ERASE),
        ("component", Qt.Key.Key_Control, ERASE),
        ("component", Qt.Key.Key_Alt, JOIN),
        ("component", Qt.Key.Key_Shift, CUT),
        ("polygon", Qt.Key.Key_Alt, ""),
        ("eraser", Qt.Key.Key_Alt, ""),
    ],
)
def test_a_held_key_shows_what_it_changes(
    canvas: AnnotationCanvas, name: str, key: Qt.Key, mark: str
) -> None:
    canvas.tools.set_tool(name)
    QTest.keyPress(canvas, key)
    assert canvas._cursor.look.mark == mark
    QTest.keyRelease(canvas, key)
    assert canvas._cursor.look.mark == ""
    QTest.keyPress(canvas, key)
    canvas.clearFocus()  # the key is let go elsewhere
    assert canvas._cursor.look.mark == ""


def test_ctrl_shows_that_a_range_would_be_taken(canvas: AnnotationCanvas) -> None:
    canvas.tools.set_tool("brush")
    QTest.keyPress(canvas, Qt.Key.Key_Control)
    assert canvas.cursor().shape() == Qt.CursorShape.BlankCursor  # there is no range to take
    QTest.keyRelease(canvas, Qt.Key.Key_Control)
    canvas.tools.set_value("limit", "range")
    QTest.keyPress(canvas, Qt.Key.Key_Control)
    picked = cursors.drawn(canvas._cursor.look, 1.0).toImage()
    assert canvas._cursor.look.icon == "picker"
    assert canvas.cursor().pixmap().toImage() == picked
    QTest.keyRelease(canvas, Qt.Key.Key_Control)
    assert canvas.cursor().shape() == Qt.CursorShape.BlankCursor


def test_protection_is_shown_where_it_counts(canvas: AnnotationCanvas) -> None:
    canvas.tools.set_tool("polygon")
    assert not canvas._cursor.look.is_protected
    canvas.tools.set_protect(True)
    assert canvas._cursor.look.is_protected
    canvas.tools.set_tool("fill")  # it does not listen to the switch
    assert not canvas._cursor.look.is_protected


def test_nothing_can_be_painted_is_shown(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("brush")
    canvas._shown = ("", 0)  # the plane is not there yet
    canvas.update_cursor()
    assert canvas._cursor.look.is_blocked
    assert canvas.cursor().shape() == Qt.CursorShape.BitmapCursor
    session.select_image(session.image_id)
    assert not canvas._cursor.look.is_blocked
    assert canvas.cursor().shape() == Qt.CursorShape.BlankCursor


def test_a_project_that_is_only_looked_at_forbids_painting_but_not_measuring(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    path = session.path
    assert path is not None
    session.close_project()
    session.open_project(path, read_only=True)
    session.select_image(next(iter(session.project.images)))  # type: ignore[union-attr]
    for name in ("brush", "fill", "component"):
        canvas.tools.set_tool(name)
        assert canvas._cursor.look.is_blocked
        assert canvas.cursor().shape() == Qt.CursorShape.BitmapCursor
    for name in ("ruler", "picker", "pan"):
        canvas.tools.set_tool(name)
        assert not canvas._cursor.look.is_blocked


def test_the_hand_wins_while_the_picture_is_moved(
    canvas: AnnotationCanvas, session: Session
) -> None:
    canvas.tools.set_tool("fill")
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    session.select_class(3)
    QTest.keyPress(canvas, Qt.Key.Key_Alt)
    assert canvas.cursor().shape() == Qt.CursorShape.OpenHandCursor
    QTest.keyRelease(canvas, Qt.Key.Key_Alt)
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.cursor().shape() == Qt.CursorShape.BitmapCursor


def test_the_picker_names_what_is_under_it(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("rectangle")
    session.select_class(3)
    QTest.mousePress(canvas, LEFT, PLAIN, canvas.to_widget(60, 60).toPoint())
    QTest.mouseMove(canvas, canvas.to_widget(100, 100).toPoint())
    QTest.mouseRelease(canvas, LEFT, PLAIN, canvas.to_widget(100, 100).toPoint())
    session.select_class(2)
    canvas.tools.set_tool("picker")
    hover(canvas, 150, 200)
    assert canvas._cursor.look.colour == ""
    bare = canvas.grab().toImage()
    hover(canvas, 80, 80)
    assert canvas._cursor.look.colour == colour_of(session, 3)
    named = canvas.grab().toImage()
    assert named != bare  # its name stands beside the pointer
    hover(canvas, 150, 200)
    assert canvas.grab().toImage() == bare  # and is gone without a trace
    hover(canvas, 80, 80)
    canvas.tools.set_tool("polygon")
    canvas.tools.set_tool("picker")  # it knows at once what it would pick
    assert canvas._cursor.look.colour == colour_of(session, 3)


# -- the ring ------------------------------------------------------------------------------------


def test_the_eraser_and_alt_are_told_from_the_brush(
    canvas: AnnotationCanvas, session: Session
) -> None:
    pictures = {}
    for name, key in (("brush", None), ("eraser", None), ("brush", Qt.Key.Key_Alt)):
        canvas.tools.set_tool(name)
        hover(canvas, 100, 100)
        if key is not None:
            QTest.keyPress(canvas, key)
        pictures[name, key] = canvas.grab().toImage()
        if key is not None:
            QTest.keyRelease(canvas, key)
    assert pictures["brush", None] != pictures["eraser", None]
    assert pictures["brush", Qt.Key.Key_Alt] == pictures["eraser", None]


def test_the_ring_leaves_no_trace(canvas: AnnotationCanvas) -> None:
    """What is painted anew around the ring is all that the ring had covered."""
    for name, size, zoom in (("brush", 1, 1.0), ("eraser", 40, 1.0), ("brush", 9, 6.0),
                             ("ball", 30, 2.0), ("ball", 2, 1.0)):  # fmt: skip
        canvas.tools.set_tool(name)
        canvas.tools.set_brush_size(size)
        canvas.set_zoom(zoom)
        QTest.mouseMove(canvas, QPoint(-50, -50))
        QApplication.processEvents()
        canvas._move_pointer(-5000, -5000)
        bare = shown(canvas)
        for at in ((100, 150), (101, 154), (120, 130)):
            canvas._move_pointer(*at)
            QApplication.processEvents()
        assert shown(canvas) != bare
        canvas._move_pointer(-5000, -5000)
        QApplication.processEvents()
        assert shown(canvas) == bare, name


def shown(canvas: AnnotationCanvas) -> QImage:
    """What is on the screen, without painting anything anew."""
    QApplication.processEvents()
    return canvas.screen().grabWindow(canvas.winId()).toImage()


def test_the_ball_says_how_many_planes_it_reaches(canvas: AnnotationCanvas) -> None:
    canvas.tools.set_tool("ball")
    pictures = []
    for size in (4, 8, 12):
        canvas.tools.set_brush_size(size)
        hover(canvas, 100, 100)
        pictures.append(canvas.grab().toImage())
    assert pictures[0] != pictures[1] != pictures[2]
    canvas.tools.set_tool("brush")
    assert canvas.grab().toImage() != pictures[2]


def test_alt_over_the_picture_does_not_lead_to_the_menus(qapp: object, tmp_path: Path) -> None:
    hand = Hand()
    try:
        hand.open(make_volume_project(tmp_path / "alt.orgseg"))
        hand.window.activateWindow()
        assert QTest.qWaitForWindowActive(hand.window)
        canvas, bar = hand.parts.canvas, hand.window.menuBar()
        for pointer, focus in ((True, canvas), (False, bar)):
            canvas.setFocus()
            QTest.mouseMove(canvas, QPoint(60, 60))
            QTest.mouseMove(canvas, QPoint(50, 50))
            if not pointer:
                QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
            QTest.keyPress(
                hand.window.windowHandle(), Qt.Key.Key_Alt, Qt.KeyboardModifier.AltModifier
            )
            QTest.keyRelease(hand.window.windowHandle(), Qt.Key.Key_Alt)
            assert QApplication.focusWidget() is focus
            assert canvas._cursor.mark == ""
    finally:
        hand.close()
