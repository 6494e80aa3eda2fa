"""The canvas under mouse and keys, on a real project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.session import SAVED, UNSAVED, Session
from tests.gui.canvas_hand import canvas_on

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.create_project(
        tmp_path / "pröject with spaces.orgseg", default_classes(["ER", "nucleus"])
    )
    rng = np.random.default_rng(0)
    assert session.file is not None
    session.file.add_images(
        [
            NewImage(open_array(name, rng.integers(0, 999, shape).astype(np.uint16)), "train")
            for name, shape in (("plane", (300, 400)), ("volume", (5, 300, 400)), ("dot", (1, 1)))
        ]
    )
    session.select_image(next(iter(session.file.project.images)))
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    return canvas_on(session, qtbot)


def spot(canvas: AnnotationCanvas, y: float, x: float) -> QPoint:
    return canvas.to_widget(y, x).toPoint()


def drag(canvas: AnnotationCanvas, *places: tuple[float, float], keys: object = PLAIN) -> None:
    QTest.mousePress(canvas, LEFT, keys, spot(canvas, *places[0]))
    for place in places[1:]:
        QTest.mouseMove(canvas, spot(canvas, *place))
    QTest.mouseRelease(canvas, LEFT, keys, spot(canvas, *places[-1]))


def test_brush_eraser_undo_redo(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(21)
    drag(canvas, (100, 100), (100, 150), (120, 200))
    painted = session.mask().to_array()
    assert painted[0, 100, 100] == painted[0, 120, 200] == 2
    assert session.history.next_undo().title == "paint"
    canvas.tools.set_tool("eraser")
    drag(canvas, (100, 100), (100, 110))
    assert session.mask().value(0, 100, 100) == 0
    session.undo()
    assert np.array_equal(session.mask().to_array(), painted)
    session.undo()
    assert session.mask().is_empty
    session.redo()
    assert np.array_equal(session.mask().to_array(), painted)


def test_alt_erases_and_shift_draws_a_line(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(5)
    drag(canvas, (50, 50))
    drag(canvas, (50, 250), keys=Qt.KeyboardModifier.ShiftModifier)
    assert session.mask().read(0, 50, 50, 51, 250).all()
    drag(canvas, (50, 150), keys=Qt.KeyboardModifier.AltModifier)
    assert session.mask().value(0, 50, 150) == 0


def test_polygon_fill_and_picker(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("polygon")
    for place in ((40, 40), (40, 160), (160, 160), (160, 40)):
        drag(canvas, place)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.mask().value(0, 100, 100) == 2
    assert session.mask().value(0, 20, 100) == 0
    session.select_class(1)
    canvas.tools.set_tool("fill")
    drag(canvas, (10, 10))
    assert session.mask().value(0, 299, 399) == 1
    assert session.painted()[1] + session.painted()[2] == pytest.approx(1)
    canvas.tools.set_tool("picker")
    drag(canvas, (100, 100))
    assert session.class_id == 2


def test_escape_drops_what_is_being_drawn(canvas: AnnotationCanvas, session: Session) -> None:
    QTest.mousePress(canvas, LEFT, PLAIN, spot(canvas, 100, 100))
    QTest.mouseMove(canvas, spot(canvas, 100, 180))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, PLAIN, spot(canvas, 100, 180))
    assert session.mask().is_empty
    assert session.history.next_undo() is None
    canvas.tools.set_tool("polygon")
    drag(canvas, (40, 40))
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.mask().is_empty


def test_painting_by_keys_alone(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(9)
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    for _ in range(4):
        QTest.keyClick(canvas, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.history.next_undo().title == "paint"
    rows = np.flatnonzero(session.mask().plane(0).any(axis=1))
    assert rows.max() - rows.min() == 40 + 9 - 1


def test_a_stroke_over_the_edge_is_clipped(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_brush_size(31)
    drag(canvas, (5, 5), (-30, -30), (290, 395), (320, 420))
    assert session.mask().value(0, 0, 0) == 2
    assert session.mask().value(0, 299, 399) == 2


def test_zoom_keeps_the_voxel_under_the_pointer(canvas: AnnotationCanvas) -> None:
    at = QPointF(canvas.to_widget(120, 80))
    before = canvas.to_image(at)
    for factor in (1.7, 3.0, 0.2):
        canvas.zoom_by(factor, at)
        assert canvas.to_image(at) == pytest.approx(before, abs=1e-6)


def test_a_fitted_picture_is_fitted_again_when_the_canvas_was_resized_meanwhile(
    canvas: AnnotationCanvas, session: Session
) -> None:
    plane, volume, _ = session.project.images  # type: ignore[union-attr]
    canvas.fit()
    session.select_image(volume)
    canvas.resize(canvas.width(), canvas.height() // 2)  # a banner, say
    session.select_image(plane)
    assert canvas.is_fitted


def test_image_and_plane_changes_keep_their_views(
    canvas: AnnotationCanvas, session: Session
) -> None:
    plane, volume, dot = session.project.images  # type: ignore[union-attr]
    canvas.zoom_by(4, QPointF(100, 100))
    state = canvas.view_state()
    session.select_image(volume)
    session.select_plane(3)
    drag(canvas, (100, 100), (110, 110))
    assert session.mask(volume).planes() == [3]
    session.select_image(dot)
    assert canvas.plane_size == (1, 1)
    drag(canvas, (0.5, 0.5))
    assert session.mask(dot).to_array().tolist() == [[[2]]]
    session.select_image(plane)
    assert canvas.view_state() == state
    session.undo()  # goes to the image of the change first
    assert session.image_id == dot
    session.undo()
    assert (session.image_id, session.z) == (volume, 3)
    assert session.mask(volume).is_empty


def test_the_picture_shows_the_paint(canvas: AnnotationCanvas, session: Session) -> None:
    def colour(y: float, x: float) -> tuple[int, int, int]:
        return canvas.grab().toImage().pixelColor(spot(canvas, y, x)).getRgb()[:3]

    canvas.tools.set_tool("pan")
    before = colour(150, 200)
    canvas.tools.set_tool("brush")
    canvas.tools.set_brush_size(60)
    drag(canvas, (150, 200))
    canvas.tools.set_tool("pan")
    after = colour(150, 200)
    assert before[0] == before[1] == before[2]
    assert after[0] > after[2] + 20  # orange
    canvas.hide_overlay(True)
    assert colour(150, 200) == before


def test_everything_is_saved_soon_after(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    from orgseg_app.files.project_file import ProjectFile

    drag(canvas, (100, 100), (150, 150))
    expected = session.mask().to_array()
    assert session.save_state == UNSAVED
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert not session.file.has_uncommitted
    session.fold_in()
    qtbot.waitUntil(lambda: session.background.is_idle)
    with ProjectFile.open(session.path, read_only=True) as file:
        assert np.array_equal(file.mask(session.image_id).to_array(), expected)
    session.undo()
    session.save()
    qtbot.waitUntil(lambda: session.background.is_idle)
    with ProjectFile.open(session.path, read_only=True) as file:
        assert file.mask(session.image_id).is_empty


def test_classes_can_be_added_and_removed_and_brought_back(
    canvas: AnnotationCanvas, session: Session
) -> None:
    new = session.add_class("lysosome")
    assert session.class_id == new
    drag(canvas, (100, 100), (150, 150))
    session.remove_class(new)
    assert session.mask().is_empty
    assert all(c.class_id != new for c in session.classes)
    with pytest.raises(ValueError, match="called"):
        session.add_class("er")


def test_a_held_key_that_comes_again_and_again_is_held(
    canvas: AnnotationCanvas, qtbot: QtBot
) -> None:
    """As some X servers repeat keys: let go and pressed at the same moment, and not marked so."""
    shown = canvas.grab().toImage()

    def send(kind: QEvent.Type, moment: int) -> None:
        event = QKeyEvent(kind, Qt.Key.Key_Tab, PLAIN)
        event.setTimestamp(moment)
        QApplication.sendEvent(canvas, event)

    canvas.setFocus()
    canvas.tools.set_tool("brush")
    QTest.mousePress(canvas, LEFT, PLAIN, QPoint(100, 100))
    QTest.mouseRelease(canvas, LEFT, PLAIN, QPoint(100, 100))
    painted = canvas.grab().toImage()
    send(QEvent.Type.KeyPress, 1000)
    qtbot.waitUntil(lambda: canvas.grab().toImage() == shown)
    for moment in (1660, 1700, 1740):
        send(QEvent.Type.KeyRelease, moment)
        send(QEvent.Type.KeyPress, moment)
        assert canvas.grab().toImage() == shown
    send(QEvent.Type.KeyRelease, 1760)
    assert canvas.grab().toImage() == painted != shown
    assert canvas.hasFocus()


def test_the_pointer_stays_where_it_is_when_the_picture_moves(canvas: AnnotationCanvas) -> None:
    at = QPoint(120, 90)
    QTest.mouseMove(canvas, at)
    for move in (
        lambda: canvas.zoom_by(1.7),
        lambda: canvas.pan_by(30, -20),
        canvas.fit,
        lambda: canvas.session.select_neighbour(1),
    ):
        move()
        assert canvas.pointer == canvas.to_image(QPointF(at))
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    by_keys = canvas.pointer
    canvas.zoom_by(1.7)
    assert canvas.pointer == by_keys


def test_the_cursor_of_the_keys_stays_in_sight(canvas: AnnotationCanvas) -> None:
    canvas.set_zoom(8.0)
    for _ in range(60):
        QTest.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
        assert canvas.rect().contains(canvas.to_widget(*canvas.pointer).toPoint())
    assert canvas.pointer[1] == canvas.plane_size[1] - 0.5


@pytest.mark.parametrize("zoom", [1.0, 7.0])
def test_what_tools_draw_is_as_wide_on_a_fine_screen(qapp: QApplication, zoom: float) -> None:
    widths = []
    for ratio in (1, 2):
        picture = QImage(60 * ratio, 40 * ratio, QImage.Format.Format_RGB32)
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor("#777777"))
        painter = QPainter(picture)
        painter.scale(zoom, zoom)
        line = QLineF(0, 20 / zoom, 60 / zoom, 20 / zoom)
        two_tone(painter, lambda line=line, painter=painter: painter.drawLine(line), 2.0)
        painter.end()
        column = [picture.pixelColor(30 * ratio, y).lightness() for y in range(40 * ratio)]
        widths.append([sum(found > 200 for found in column), sum(found < 100 for found in column)])
    assert widths[1] == [2 * width for width in widths[0]]
    assert widths[0][0] == 2
