"""Objects mode under mouse and keys: painting, picking, joining, cutting, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.image import open_array
from orgseg_app.core.objects import Objects
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.object_colours import PALETTE, object_colours
from orgseg_app.gui.canvas.objects_layer import ObjectsOverlay, values_apart
from orgseg_app.gui.editing import objects
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.session import Session
from orgseg_app.settings import Settings

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1100, 760)
    window.show()
    session = window.session
    session.create_project(tmp_path / "cells.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    voxels = np.zeros((3, 200, 260), np.uint8)
    session.file.add_images(
        [NewImage(open_array("volume", voxels)), NewImage(open_array("flat", voxels[0]))]
    )
    session.images_changed.emit()
    session.select_image(next(iter(session.file.project.images)))
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    canvas.set_zoom(2.0)
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
    """With a rectangle in the hand, in objects mode."""
    canvas = window.ensure_parts().canvas
    key(canvas, Qt.Key.Key_M, SHIFT)
    window.actions_by_id["tool_rectangle"].trigger()
    return canvas


def key(canvas: AnnotationCanvas, key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    canvas.setFocus()
    QTest.keyClick(canvas, key, modifiers)


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


def two_objects(canvas: AnnotationCanvas) -> None:
    """Object 1 on the left, object 2 touching it, 40 × 40 each."""
    drag(canvas, (20.5, 20.5), (59.5, 59.5))
    key(canvas, Qt.Key.Key_N, SHIFT)
    drag(canvas, (20.5, 60.5), (59.5, 99.5))


def numbers_at(session: Session, *places: tuple[int, int]) -> list[int]:
    return [session.mask().objects.value(session.z, y, x) for y, x in places]


def test_the_mode_has_a_key_and_a_panel(window: MainWindow, canvas: AnnotationCanvas) -> None:
    parts = window.ensure_parts()
    assert window.session.objects.is_on
    assert window.actions_by_id["objects_mode"].isChecked()
    assert parts.objects.isVisible()
    assert parts.objects.number.text() == "Object 1"
    assert parts.objects.summary.text() == "No objects on this image"
    key(canvas, Qt.Key.Key_M, SHIFT)
    assert not window.session.objects.is_on
    assert not parts.objects.isVisible()
    assert not window.actions_by_id["objects_mode"].isChecked()


def test_touching_objects_are_painted_apart_and_undone(
    window: MainWindow, canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    two_objects(canvas)
    assert numbers_at(session, (30, 30), (30, 90)) == [1, 2]
    assert set(session.mask().counts()) == {2}
    panel = window.ensure_parts().objects
    qtbot.waitUntil(lambda: panel.summary.text() == "2 objects on this image")
    key(canvas, Qt.Key.Key_Z, CONTROL)
    assert numbers_at(session, (30, 30), (30, 90)) == [1, 0]
    key(canvas, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert numbers_at(session, (30, 30), (30, 90)) == [1, 2]


def test_the_mode_is_there_again_after_reopening(
    window: MainWindow, canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    two_objects(canvas)
    window.actions_by_id["object_each_stroke"].trigger()
    path = session.path
    assert path is not None
    assert session.close_project()
    session.create_project(path.with_name("other.orgseg"), default_classes(["ER"]))
    assert (session.objects.is_on, session.objects.each_stroke) == (False, False)
    assert session.close_project()
    session.open_project(path)
    qtbot.waitUntil(lambda: session.image is not None)
    assert (session.objects.is_on, session.objects.each_stroke) == (True, True)
    assert session.objects.number == 3
    assert window.ensure_parts().objects.isVisible()


def test_v_hides_mask_and_objects_and_shows_what_was_shown(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    drag(canvas, (150, 20), (160, 220))
    display, showing = window.display, window.actions_by_id["toggle_overlay"]
    QTest.mouseMove(canvas, spot(canvas, 190, 250))
    seen = canvas.grab().toImage()
    key(canvas, Qt.Key.Key_V)
    assert not showing.isChecked()
    empty = canvas.grab().toImage()
    canvas.hide_overlay(True)
    assert canvas.grab().toImage() == empty, "nothing of it is left"
    canvas.hide_overlay(False)
    key(canvas, Qt.Key.Key_V)
    assert showing.isChecked()
    assert canvas.grab().toImage() == seen
    window.actions_by_id["toggle_objects"].trigger()
    key(canvas, Qt.Key.Key_V)
    key(canvas, Qt.Key.Key_V)
    assert display.look("mask").visible
    assert not display.look("objects").visible, "they were not shown before"
    window.actions_by_id["toggle_objects"].trigger()
    key(canvas, Qt.Key.Key_V)
    key(canvas, Qt.Key.Key_M, SHIFT)
    key(canvas, Qt.Key.Key_V)
    key(canvas, Qt.Key.Key_M, SHIFT)
    assert canvas.grab().toImage() == seen, "hidden in the mode, shown outside it"


def test_the_brush_shows_colour_and_number_of_the_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    window.actions_by_id["tool_brush"].trigger()
    QTest.mouseMove(canvas, spot(canvas, 100, 130))
    assert canvas.tool.cursor_colour() == PALETTE[0]
    middle = canvas.to_widget(100, 130).toPoint()
    drawn = []
    for number in (1, 2):
        session.objects.number = number
        session.objects.changed.emit()
        picture = canvas.grab().toImage()
        drawn.append(picture)
        assert canvas.tool.cursor_colour() == PALETTE[number - 1]
        dot, wanted = picture.pixelColor(middle), QColor(PALETTE[number - 1])
        assert max(abs(a - b) for a, b in zip(dot.getRgb(), wanted.getRgb(), strict=True)) < 8
    reach = round(12 * 2.0)
    beside = (middle.x() + reach // 2, middle.y() - reach - 16, 60, 30)
    assert drawn[0].copy(*beside) != drawn[1].copy(*beside), "another number"
    session.select_class(1)
    assert canvas.tool.cursor_colour() == canvas.tool.colour_of(1), "background has no objects"


def test_edits_worked_out_in_the_background_begin_a_new_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    window.actions_by_id["object_each_stroke"].trigger()
    window.actions_by_id["tool_fill"].trigger()
    window.tools.set_value("in_3d", True)
    session.apply(PaintRectangle(0, (20, 20, 60, 60), 1))
    assert session.objects.number == 1
    click(canvas, 30, 30)
    qtbot.waitUntil(lambda: not session.working.is_busy)
    assert session.mask().objects.sizes() == {1: 1600}
    assert session.objects.number == 2


def test_the_layer_and_the_object_in_the_hand_have_names_of_their_own(
    window: MainWindow, canvas: AnnotationCanvas
) -> None:
    titles = [
        child.text()
        for child in window.ensure_parts().sides["annotate"].findChildren(QWidget)
        if isinstance(child, QLabel | QAbstractButton) and child.text() and child.isVisible()
    ]
    assert titles.count("Objects") == 1
    assert titles.count("Object colours") == 1


def test_outside_the_mode_painting_numbers_nothing(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    key(canvas, Qt.Key.Key_M, SHIFT)
    drag(canvas, (20.5, 20.5), (59.5, 59.5))
    assert session.mask().counts()
    assert session.mask().objects.is_empty


def test_strokes_survive_closing_the_project(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    window.actions_by_id["tool_brush"].trigger()
    drag(canvas, (50, 50), (50, 120), (120, 120))
    expected = session.mask().objects.to_array()
    assert expected.any()
    assert session.file is not None
    path, image_id = session.file.path, session.image_id
    assert session.close_project()
    with ProjectFile.open(path) as file:
        np.testing.assert_array_equal(file.objects(image_id), expected)


def test_ctrl_click_takes_an_object_and_its_class(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    session.select_class(3)
    assert session.objects.number == 3, "an object has one class: another one begins"
    click(canvas, 30, 30, CONTROL)
    assert (session.objects.number, session.class_id) == (1, 2)
    drag(canvas, (100, 20), (120, 40))
    assert numbers_at(session, (110, 30)) == [1]
    click(canvas, 180, 200, CONTROL)
    assert session.objects.number == 1, "there is nothing"


def test_swapping_with_background_keeps_the_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    key(canvas, Qt.Key.Key_X)
    drag(canvas, (20.5, 60.5), (29.5, 99.5))
    key(canvas, Qt.Key.Key_X)
    assert session.objects.number == 2
    assert session.mask().objects.sizes() == {1: 1600, 2: 1200}
    drag(canvas, (20.5, 60.5), (29.5, 99.5))
    assert session.mask().objects.sizes() == {1: 1600, 2: 1600}


def test_the_picker_takes_an_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    window.actions_by_id["tool_picker"].trigger()
    click(canvas, 30, 30)
    assert session.objects.number == 1


def test_every_stroke_a_new_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    QTest.mouseClick(window.ensure_parts().objects.each_stroke, LEFT)
    assert window.actions_by_id["object_each_stroke"].isChecked()
    for x in (20, 60, 100):
        drag(canvas, (20.5, x + 0.5), (59.5, x + 39.5))
    assert numbers_at(session, (30, 30), (30, 70), (30, 110)) == [1, 2, 3]
    assert session.objects.number == 4


def test_protect_leaves_other_objects_alone(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    key(canvas, Qt.Key.Key_R)
    drag(canvas, (20.5, 20.5), (59.5, 139.5))
    assert session.mask().objects.sizes() == {1: 1600, 2: 3200}


def test_fill_takes_one_of_two_touching_objects(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    window.actions_by_id["tool_fill"].trigger()
    key(canvas, Qt.Key.Key_N, SHIFT)
    click(canvas, 30, 30)
    assert session.mask().objects.sizes() == {2: 1600, 3: 1600}


def test_regions_works_on_objects(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    window.actions_by_id["tool_component"].trigger()
    drag(canvas, (10, 40), (30, 40), (70, 42), keys=SHIFT)
    sizes = session.mask().objects.sizes()
    assert sizes.keys() == {1, 2, 3}
    assert sizes[1] + sizes[3] == 1600
    session.undo()
    drag(canvas, (30, 30), (30, 80))
    assert session.mask().objects.sizes() == {2: 3200}
    session.undo()
    session.select_class(3)
    click(canvas, 30, 30)
    assert session.mask().counts() == {2: 1600, 3: 1600}
    assert session.mask().objects.sizes() == {1: 1600, 2: 1600}
    click(canvas, 30, 30, CONTROL)
    assert session.mask().objects.sizes() == {2: 1600}
    assert session.mask().counts() == {2: 1600}
    session.undo()
    click(canvas, 30, 30, ALT)
    click(canvas, 30, 80, ALT)
    assert session.mask().objects.sizes() == {2: 3200}
    assert session.mask().counts() == {2: 3200}


def test_a_part_under_the_pointer_gets_a_number_of_its_own(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    drag(canvas, (20.5, 20.5), (59.5, 59.5))
    drag(canvas, (20.5, 100.5), (59.5, 139.5))
    assert session.mask().objects.sizes() == {1: 3200}
    QTest.mouseMove(canvas, spot(canvas, 30, 120))
    window.actions_by_id["separate_object"].trigger()
    assert session.mask().objects.sizes() == {1: 1600, 2: 1600}
    assert numbers_at(session, (30, 120)) == [2]
    session.undo()
    assert session.mask().objects.sizes() == {1: 3200}
    QTest.mouseMove(canvas, spot(canvas, 150, 120))
    window.actions_by_id["separate_object"].trigger()
    assert "no object under" in window.messages.words.text()


def test_a_cut_that_cuts_nothing_is_explained(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    window.actions_by_id["tool_component"].trigger()
    drag(canvas, (10, 40), (40, 40), keys=SHIFT)
    assert session.mask().objects.sizes() == {1: 1600, 2: 1600}
    assert "from one side" in window.messages.words.text()


def test_growing_stays_within_the_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    window.actions_by_id["tool_reshape"].trigger()
    click(canvas, 30, 30)
    sizes = session.mask().objects.sizes()
    assert sizes[2] == 1600
    assert sizes[1] > 1600


@pytest.mark.parametrize("in_3d", [False, True])
def test_objects_of_the_mask(
    window: MainWindow, session: Session, qtbot: QtBot, *, in_3d: bool
) -> None:
    for z in (0, 1):
        session.apply(PaintRectangle(z, (20, 20, 60, 60), 2))
        session.apply(PaintRectangle(z, (60, 60, 90, 90), 2))
        session.apply(PaintRectangle(z, (20, 60, 60, 90), 3))
    window.actions_by_id["make_objects" if in_3d else "make_objects_plane"].trigger()
    qtbot.waitUntil(lambda: not session.working.is_busy)
    assert session.objects.is_on
    assert list(session.mask().objects.sizes()) == [1, 2]
    assert session.mask().objects.plane(1).any() == in_3d
    assert session.objects.number not in session.mask().objects.sizes()
    window.actions_by_id["make_objects"].trigger()
    qtbot.waitUntil(lambda: not session.working.is_busy)
    assert len(session.mask().objects.sizes()) == (2 if in_3d else 4)
    session.undo()
    if not in_3d:
        session.undo()
    assert session.mask().objects.is_empty


def test_objects_of_a_large_mask_are_made_in_the_background(
    window: MainWindow, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "HERE_BLOCKS", 0)
    session.apply(PaintRectangle(0, (20, 20, 60, 60), 2))
    session.apply(PaintRectangle(0, (100, 100, 160, 160), 2))
    window.actions_by_id["make_objects"].trigger()
    assert session.working.is_busy
    hand = session.objects.number
    session.objects.new()
    assert session.objects.number == hand, "nobody knows yet which numbers are free"
    session.apply(PaintRectangle(1, (20, 20, 60, 60), 2))  # meanwhile
    qtbot.waitUntil(lambda: not session.working.is_busy)
    sizes = session.mask().objects.sizes()
    assert sorted(sizes.values()) == [1600, 1600, 3600]
    assert session.mask().objects.value(1, 30, 30) == hand
    qtbot.waitUntil(lambda: session.objects.number != hand)
    assert session.objects.number not in sizes


def test_each_image_has_its_own_numbers(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    session.select_neighbour(1)
    canvas.set_zoom(2.0)
    assert session.objects.number == 1
    drag(canvas, (20.5, 20.5), (59.5, 59.5))
    assert session.mask().objects.sizes() == {1: 1600}
    session.select_neighbour(-1)
    assert session.objects.number == 3


def test_painting_beside_objects_is_explained_once(window: MainWindow, session: Session) -> None:
    said: list[str] = []
    session.message.connect(lambda text, _: said.append(text))
    session.apply(PaintRectangle(0, (20, 20, 60, 60), 2))
    assert said == [], "there are no objects"
    recorder = Recorder(session.image_id, session.mask(), 1)  # as objects that were imported
    PaintRectangle(0, (20, 20, 60, 60), 2).apply(recorder)
    change = recorder.finish("paint")
    assert change is not None
    assert session.file is not None
    session.file.note_change(change)
    for _ in range(2):
        session.apply(PaintRectangle(0, (60, 20, 90 + len(said), 60), 2))
    (text,) = said
    assert "belongs to none" in text
    assert session.close_project()


def test_who_knows_the_mode_is_not_told(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    key(canvas, Qt.Key.Key_M, SHIFT)
    said: list[str] = []
    session.message.connect(lambda text, _: said.append(text))
    drag(canvas, (100, 20), (120, 40))
    assert session.mask().counts()[2] > 3200
    assert said == []


def test_numbers_that_are_not_painted_are_not_lost(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    key(canvas, Qt.Key.Key_N, SHIFT)
    key(canvas, Qt.Key.Key_N, SHIFT)
    assert session.objects.number == 3
    session.select_neighbour(1)
    session.select_neighbour(-1)
    click(canvas, 30, 30, CONTROL)
    assert session.objects.number == 1
    key(canvas, Qt.Key.Key_N, SHIFT)
    key(canvas, Qt.Key.Key_M, SHIFT)
    key(canvas, Qt.Key.Key_M, SHIFT)
    assert session.objects.number == 3


def test_the_status_line_names_the_object(
    window: MainWindow, canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    two_objects(canvas)
    QTest.mouseMove(canvas, spot(canvas, 31, 81))
    place = window.ensure_parts().status.place
    qtbot.waitUntil(lambda: place.text().endswith("ER · object 2"))


def test_the_status_line_has_room_for_what_is_painted(
    window: MainWindow, canvas: AnnotationCanvas, qtbot: QtBot
) -> None:
    two_objects(canvas)
    window.resize(1280, 800)
    status = window.ensure_parts().status
    qtbot.waitUntil(lambda: "unlabelled" in status.painted.text())
    for label in (status.painted, status.hint):
        assert label.text() == label.whole_text()
        assert status.rect().contains(label.geometry())
    assert not status.painted.geometry().intersects(status.hint.geometry())


def test_objects_have_colours_of_their_own_and_a_line_between(
    window: MainWindow, canvas: AnnotationCanvas, session: Session
) -> None:
    two_objects(canvas)
    QTest.mouseMove(canvas, spot(canvas, 180, 200))
    picture = canvas.grab().toImage()
    ratio = picture.devicePixelRatio()

    def seen(y: float, x: float) -> np.ndarray:
        at = canvas.to_widget(y, x) * ratio
        colour = picture.pixelColor(at.toPoint())
        return np.array([colour.red(), colour.green(), colour.blue()])

    one, two = seen(40, 40), seen(40, 80)
    assert abs(one - two).max() > 60
    for found, name in ((one, PALETTE[0]), (two, PALETTE[1])):
        wanted = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)])
        ratio_of = found / np.maximum(wanted, 1)
        assert np.ptp(ratio_of[wanted > 40]) < 0.05, "its colour, as strong as the opacity"
    edge = seen(40, 59.8)
    assert abs(edge - one).max() > 40, "a line between them"
    window.actions_by_id["toggle_objects"].trigger()
    picture = canvas.grab().toImage()
    assert abs(seen(40, 40) - seen(40, 80)).max() < 4, "without objects there is one class"


def test_sections_show_objects(
    window: MainWindow, canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    two_objects(canvas)
    window.actions_by_id["toggle_sections"].trigger()
    sections = window.ensure_parts().area.sections
    assert sections is not None
    views = sections.views
    qtbot.waitUntil(lambda: all(len(view._layers) == 2 for view in views))
    rows, columns = np.arange(3), np.arange(260)
    mask_layer, objects_layer = (
        layer.overlay.sample(0, rows, columns) for layer in views[0]._layers
    )
    row = views[0].section.position  # type: ignore[union-attr]
    expected = session.mask().objects.to_array()[:, row].astype(np.uint8)
    np.testing.assert_array_equal(objects_layer, expected)
    assert ((mask_layer == 255) == (expected > 0)).all()


def test_objects_that_touch_never_share_a_value() -> None:
    numbers = np.zeros((6, 40), np.uint32)
    numbers[:, :10], numbers[:, 10:20], numbers[:, 20:30] = 1, 255, 509
    values = values_apart(numbers)
    assert len(set(values[0, [0, 10, 20]].tolist())) == 3
    colours = object_colours()
    assert (colours[values[0, 10]] == colours[values[0, 0]]).all(), "the same colour as before"
    assert not values[:, 30:].any()
    few = numbers % 254
    np.testing.assert_array_equal(values_apart(few), few)
    overlay = ObjectsOverlay(Objects.from_array(numbers[np.newaxis]))
    np.testing.assert_array_equal(overlay.sample(0, np.arange(6), np.arange(40)), values)
