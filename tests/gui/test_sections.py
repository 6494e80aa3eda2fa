"""Sections beside the canvas, by mouse and keys in the real window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.images.content import Source
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.registry import read_images
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.canvas.section_view import SectionView
from tests.e2e.hand import LEFT, PLAIN, Hand

RIGHT = Qt.MouseButton.RightButton
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
SIZE_UM = (0.3, 0.1, 0.1)


def ball(radius_um: float) -> np.ndarray:
    """A bright ball in the middle of 24 × 90 × 110 voxels of `SIZE_UM`."""
    z, y, x = np.ogrid[:24, :90, :110]
    away = ((z - 12) * 0.3) ** 2 + ((y - 45) * 0.1) ** 2 + ((x - 55) * 0.1) ** 2
    return np.where(away <= radius_um**2, 200, 20).astype(np.uint8)


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def volumes(hand: Hand, tmp_path: Path) -> Hand:
    """A ball, two channels, colours, a flat image, a tiny volume: opened, with sections."""
    random = np.random.default_rng(0)
    images = [
        open_array("Kügelchen 球", ball(2.5)[np.newaxis], pixel_size_um=SIZE_UM),
        open_array("two", random.integers(0, 4000, (2, 9, 40, 50)).astype(np.uint16)),
        open_array("rgb", random.integers(0, 255, (3, 5, 30, 20)).astype(np.uint8), is_rgb=True),
        open_array("flat", random.random((1, 1, 30, 20)).astype(np.float32)),
        open_array("tiny", random.integers(0, 255, (1, 3, 5, 7)).astype(np.uint8)),
    ]
    path = tmp_path / "Schnitte ü.orgseg"
    with ProjectFile.create(path, default_classes(["cell"])) as file:
        file.add_images([NewImage(image) for image in images])
    hand.open(path)
    hand.action("toggle_sections")
    read(hand)
    return hand


def read(hand: Hand) -> None:
    """Wait until the sections are sharp."""
    sections = hand.parts.area.sections
    hand.rest(0.03)
    hand.wait(lambda: sections.is_idle, 20, "sections")
    hand.rest(0.03)


def views(hand: Hand) -> tuple[SectionView, SectionView]:
    sections = hand.parts.area.sections
    return sections.xz, sections.yz


def grey(view: QWidget) -> np.ndarray:
    """What a widget shows, ``(h, w)``, green."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    array = np.frombuffer(image.constBits(), np.uint8)
    return array.reshape(image.height(), -1, 4)[:, : image.width(), 1].copy()


def go(hand: Hand, number: int, z: int = 0) -> None:
    hand.session.select_image(hand.images[number].image_id, z)
    read(hand)


def at(view: SectionView, z: float, along: float) -> QPoint:
    """Where a voxel of a section is."""
    row, column = (z, along) if view.kind == "xz" else (along, z)
    return view.to_widget(row + 0.5, column + 0.5).toPoint()


def turn(view: QWidget, notches: int, keys: Qt.KeyboardModifier = PLAIN) -> None:
    middle = QPointF(view.width() / 2, view.height() / 2)
    event = QWheelEvent(
        middle,
        view.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_a_ball_in_micrometres_is_round_in_every_view(volumes: Hand) -> None:
    go(volumes, 0, 12)
    volumes.parts.canvas.set_view(ViewState(45, 55, 2.5))
    read(volumes)
    volumes.parts.canvas.crosshair.is_shown = False
    for view in views(volumes):
        bright = grey(view) > 120
        bright[:30, :120] = False  # the caption
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        zoom = volumes.parts.canvas.view_state().zoom
        # 17 planes of 0.3 µm and 51 rows of 0.1 µm: the same but for half a voxel either way
        assert abs(height - width) <= 3 * zoom + 2
        assert abs(max(height, width) - 51 * zoom) <= 3 * zoom + 2


def test_without_a_pixel_size_voxels_are_cubes(volumes: Hand) -> None:
    go(volumes, 1, 4)
    for view in views(volumes):
        zoom_y, zoom_x = view.zoom_yx
        assert zoom_y == zoom_x == volumes.parts.canvas.view_state().zoom


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_section_shows_the_voxels_of_its_row_as_the_canvas_does(
    volumes: Hand, number: int
) -> None:
    go(volumes, number, 1)
    canvas, session = volumes.parts.canvas, volumes.session
    canvas.crosshair.put(2, 3)
    canvas.set_view(ViewState(2.5, 3.5, 20.0))
    read(volumes)
    canvas.crosshair.is_shown = False  # its lines cover voxels
    aside = QPoint(6, 6)
    seen = {}
    for view in views(volumes):
        shown = grey(view)
        for z, along in np.ndindex(min(3, session.image.shape[1]), 5):
            place = at(view, z, along) + aside
            if view.rect().adjusted(0, 30, 0, 0).contains(place):
                seen[view.kind, z, along] = shown[place.y(), place.x()]
    assert len(seen) > 12
    for (kind, z, along), value in seen.items():
        session.select_plane(z)
        volumes.wait(lambda: canvas.is_shown, 5)
        y, x = (2, along) if kind == "xz" else (along, 3)
        spot = canvas.to_widget(y + 0.5, x + 0.5).toPoint() + aside
        assert grey(canvas)[spot.y(), spot.x()] == value


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_click_in_a_section_goes_exactly_there(volumes: Hand, number: int) -> None:
    go(volumes, number)
    session, canvas = volumes.session, volumes.parts.canvas
    _, depth, height, width = session.image.shape
    xz, yz = views(volumes)
    for z, y, x in [(depth - 1, 1, width - 2), (0, height - 1, 0), (depth // 2, 2, 2)]:
        volumes.window.commands.volume_views.session.select_plane(z)
        QTest.mouseClick(xz, LEFT, PLAIN, at(xz, z, x))
        QTest.mouseClick(yz, LEFT, PLAIN, at(yz, z, y))
        assert canvas.crosshair.place == (z, y, x)
        assert session.z == z
        for view, along in ((xz, x), (yz, y)):
            expected = at(view, z, along)
            assert (view.crossing.toPoint() - expected).manhattanLength() <= 1


def test_a_drag_in_a_section_moves_plane_and_crosshair_and_stays_inside(volumes: Hand) -> None:
    go(volumes, 0, 12)
    xz, _ = views(volumes)
    QTest.mousePress(xz, LEFT, PLAIN, at(xz, 12, 55))
    QTest.mouseMove(xz, at(xz, 15, 80))
    assert volumes.parts.canvas.crosshair.place == (15, 45, 80)
    QTest.mouseMove(xz, at(xz, 300, 300))
    assert volumes.parts.canvas.crosshair.place == (23, 45, 109)
    QTest.mouseRelease(xz, LEFT, PLAIN, at(xz, 300, 300))
    QTest.mouseMove(xz, at(xz, 3, 3))
    assert volumes.parts.canvas.crosshair.place == (23, 45, 109)


def test_the_arrow_keys_move_the_crosshair_along_the_axes_of_a_section(volumes: Hand) -> None:
    go(volumes, 0, 12)
    xz, yz = views(volumes)
    place = volumes.parts.canvas.crosshair
    for view, key, keys, moved in [
        (xz, Qt.Key.Key_Right, PLAIN, (12, 45, 56)),
        (xz, Qt.Key.Key_Down, PLAIN, (13, 45, 56)),
        (yz, Qt.Key.Key_Down, SHIFT, (13, 55, 56)),
        (yz, Qt.Key.Key_Left, PLAIN, (12, 55, 56)),
    ]:
        QTest.keyClick(view, key, keys)
        assert place.place == moved


def test_space_that_is_let_go_elsewhere_does_not_stick(volumes: Hand) -> None:
    go(volumes, 0, 12)
    xz, _ = views(volumes)
    volumes.window.activateWindow()
    xz.setFocus()
    volumes.wait(xz.hasFocus)
    QTest.keyPress(xz, Qt.Key.Key_Space)  # the hand; then the keyboard goes to another window
    volumes.parts.canvas.setFocus()
    QTest.keyRelease(volumes.parts.canvas, Qt.Key.Key_Space)
    QTest.mouseClick(xz, LEFT, PLAIN, at(xz, 5, 20))
    assert volumes.parts.canvas.crosshair.place == (5, 45, 20)


def test_the_wheel_moves_a_section_in_its_own_direction_or_zooms(volumes: Hand) -> None:
    go(volumes, 0, 12)
    canvas = volumes.parts.canvas
    xz, yz = views(volumes)
    zoom, size = canvas.view_state().zoom, volumes.window.tools.brush_size
    turn(xz, 1)
    assert canvas.view_state().zoom > zoom
    assert {view.view_state().zoom for view in (canvas, xz, yz)} == {canvas.view_state().zoom}
    turn(xz, -2, SHIFT)
    turn(yz, 3, SHIFT)
    assert canvas.crosshair.place == (12, 47, 52)
    turn(yz, 1, CTRL)
    assert volumes.window.tools.brush_size > size
    volumes.window.shortcuts.set_wheel("slice")
    turn(xz, 1)
    assert canvas.crosshair.place == (12, 46, 52)


def test_the_views_stay_in_line(volumes: Hand) -> None:
    go(volumes, 0, 12)
    canvas = volumes.parts.canvas
    xz, yz = views(volumes)
    for act in (
        lambda: canvas.zoom_by(2.3),
        lambda: canvas.pan_by(13, -27),
        canvas.fit,
        lambda: xz.pan_by(5, 40),
        lambda: yz.zoom_by(1.7),
        lambda: volumes.window.resize(900, 640),
        lambda: volumes.window.resize(1500, 900),
        lambda: volumes.session.select_plane(3),
    ):
        act()
        volumes.rest(0.03)
        for x in (0.0, 20.5, 77.0):
            here = canvas.mapToGlobal(canvas.to_widget(0, x)).x()
            assert abs(xz.mapToGlobal(xz.to_widget(0, x)).x() - here) <= 1
        for y in (0.0, 33.0):
            here = canvas.mapToGlobal(canvas.to_widget(y, 0)).y()
            assert abs(yz.mapToGlobal(yz.to_widget(y, 0)).y() - here) <= 1
        z = volumes.session.z + 0.5
        assert xz.rect().contains(xz.to_widget(z, xz.view_state().x).toPoint())
        assert yz.rect().contains(yz.to_widget(yz.view_state().y, z).toPoint())


def test_the_canvas_keeps_the_larger_part_at_every_size(volumes: Hand) -> None:
    go(volumes, 0, 12)
    canvas, pane = volumes.parts.canvas, QWidget()
    for size in ((900, 640), (1280, 800), (1900, 1000)):
        volumes.window.resize(*size)
        volumes.rest(0.05)
        for view in views(volumes):
            assert canvas.width() * canvas.height() > 1.5 * view.width() * view.height()
    volumes.parts.area.set_beside(pane)
    volumes.rest(0.05)
    assert abs(pane.width() - canvas.width()) <= 3
    assert canvas.width() > 1.5 * views(volumes)[1].width()
    go(volumes, 0, 0)
    volumes.parts.area.set_beside(None)
    pane.deleteLater()
    volumes.rest(0.05)
    section = views(volumes)[1]  # in more room: filled, or all of it in the middle
    left, right = section.to_widget(0, 0).x(), section.to_widget(0, 24).x()
    is_filled = left <= 0.5 and right >= section.width() - 0.5
    assert is_filled or left == pytest.approx(section.width() - right, abs=1)


def test_what_is_painted_is_in_the_sections_at_once(volumes: Hand) -> None:
    go(volumes, 0, 12)
    canvas, tools = volumes.parts.canvas, volumes.window.tools
    tools.set_tool("brush")
    tools.set_brush_size(9)
    volumes.session.select_class(2)
    before = [grey(view) for view in views(volumes)]
    spot = canvas.to_widget(45.5, 55.5).toPoint()
    QTest.mouseMove(canvas, spot + QPoint(5, 0))
    QTest.mousePress(canvas, LEFT, PLAIN, spot)
    QApplication.processEvents()  # the hand is still down
    for view, was in zip(views(volumes), before, strict=True):
        changed = np.argwhere(grey(view) != was)
        place = at(view, 12, 55 if view.kind == "xz" else 45)
        reach = 9 * canvas.view_state().zoom
        assert len(changed)
        assert np.abs(changed - (place.y(), place.x())).max() <= reach
    QTest.mouseRelease(canvas, LEFT, PLAIN, spot)
    volumes.session.undo()
    QApplication.processEvents()
    for view, was in zip(views(volumes), before, strict=True):
        assert np.array_equal(grey(view), was)


def test_the_mask_is_hidden_and_coloured_as_on_the_canvas(volumes: Hand) -> None:
    go(volumes, 0, 12)
    volumes.stroke()
    canvas, display = volumes.parts.canvas, volumes.window.display
    canvas.crosshair.put(*canvas.pointer)
    read(volumes)
    xz, _ = views(volumes)
    with_mask = grey(xz)
    canvas.hide_overlay(True)
    hidden = grey(xz)
    assert not np.array_equal(with_mask, hidden)
    canvas.hide_overlay(False)
    assert np.array_equal(grey(xz), with_mask)
    display.set_look("mask", visible=False)
    assert np.array_equal(grey(xz), hidden)
    display.set_look("mask", visible=True, opacity=0.9)
    assert not np.array_equal(grey(xz), with_mask)
    display.set_levels(0, 150, 160)
    assert not np.array_equal(grey(xz), with_mask)


def test_a_right_click_and_a_key_bring_the_crosshair_and_no_tool_paints(volumes: Hand) -> None:
    go(volumes, 0, 12)
    canvas = volumes.parts.canvas
    QTest.mouseMove(canvas, canvas.to_widget(5.5, 7.5).toPoint())
    QTest.mousePress(canvas, RIGHT, PLAIN, canvas.to_widget(10.5, 20.5).toPoint())
    assert canvas.crosshair.place == (12, 10, 20)
    QTest.mouseRelease(canvas, RIGHT, PLAIN, canvas.to_widget(10.5, 20.5).toPoint())
    QTest.mouseMove(canvas, canvas.to_widget(70.5, 30.5).toPoint())
    assert canvas.crosshair.place == (12, 10, 20)
    volumes.action("crosshair_here")
    assert canvas.crosshair.place == (12, 70, 30)
    assert not volumes.session.painted()


def test_each_image_has_its_own_crosshair(volumes: Hand) -> None:
    go(volumes, 0, 12)
    volumes.parts.canvas.crosshair.put(3, 4)
    go(volumes, 4)
    assert volumes.parts.canvas.crosshair.place == (0, 2, 3)
    go(volumes, 0, 12)
    assert volumes.parts.canvas.crosshair.place == (12, 3, 4)


def test_a_flat_image_has_no_sections_and_says_so(volumes: Hand) -> None:
    go(volumes, 3)
    area, action = volumes.parts.area, volumes.window.actions_by_id["toggle_sections"]
    assert not any(view.isVisible() for view in views(volumes))
    assert not area.bar.isVisible()
    assert not action.isChecked()
    volumes.action("toggle_sections")
    assert volumes.said[-1] == (
        "info",
        "“flat” has one plane, so there are no sections through it.",
    )
    assert not action.isChecked()
    go(volumes, 0)
    assert all(view.isVisible() for view in views(volumes))  # still wanted for volumes
    assert action.isChecked()
    volumes.action("toggle_sections")
    assert not any(view.isVisible() for view in views(volumes))
    assert not volumes.parts.canvas.crosshair.is_shown


def test_sections_are_found_again_in_a_new_window(volumes: Hand) -> None:
    go(volumes, 0, 12)
    path = volumes.session.path
    volumes.window.commands.close_project()
    again = Hand()
    again.open(path)
    read(again)
    assert all(view.isVisible() for view in views(again))
    assert again.session.z == 12
    again.close()


def test_a_linked_volume_whose_file_is_gone_shows_what_is_stored(
    hand: Hand, tmp_path: Path
) -> None:
    file_path, project = tmp_path / "Stapel.tif", tmp_path / "linked.orgseg"
    tifffile.imwrite(file_path, ball(2.5), photometric="minisblack")
    with ProjectFile.create(project, default_classes(["cell"])) as file:
        file.add_images([NewImage(read_images(file_path)[0], linked=Source(file_path))])
    hand.open(project)
    hand.session.select_plane(12)
    hand.action("toggle_sections")
    read(hand)
    xz, _ = views(hand)
    assert xz.section.has_voxels
    bright = (grey(xz) > 150).sum()
    assert bright > 100
    hand.window.commands.close_project()
    file_path.unlink()
    hand.open(project)
    hand.session.select_plane(12)
    hand.parts.canvas.crosshair.put(44, 50)
    read(hand)
    xz, _ = views(hand)
    hand.wait(lambda: not xz.section.has_voxels, 10)
    read(hand)
    assert (grey(xz) > 150).sum() > bright / 2
    assert "Traceback" not in str(hand.said)


def test_a_volume_that_cannot_be_shown_has_no_sections_of_another(
    volumes: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = volumes.session
    go(volumes, 0, 12)
    assert all(view.section is not None for view in views(volumes))

    def unreadable(image_id: str, z: int) -> np.ndarray:
        raise OSError("The image cannot be read.")

    with monkeypatch.context() as broken:
        broken.setattr(session, "plane", unreadable)
        go(volumes, 1)
    assert volumes.parts.canvas.plane_size is None
    for view in views(volumes):
        assert view.section is None
        assert not view.painted_layers
    go(volumes, 4)
    go(volumes, 1)  # it can be read again
    assert all(view.section.image.name == "two" for view in views(volumes))
