"""The bar under the canvas: planes by slider and number, marks of paint, time points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orgseg_app.core.edits.whole import PaintRest
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.viewing.plane_bar import MarkedSlider, PlaneBar
from tests.e2e.hand import LEFT, PLAIN, Hand
from tests.gui.volume_project import make_volume_project

ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def stack(hand: Hand, tmp_path: Path) -> Hand:
    """A stack of seven planes, on the canvas."""
    hand.open(make_volume_project(tmp_path / "Ebenen ü.orgseg"))
    hand.session.select_image(hand.images[1].image_id)
    hand.rest()
    return hand


@pytest.fixture
def film(hand: Hand, tmp_path: Path) -> Hand:
    """Two stage positions of four time points and three planes, and a picture on its own."""
    values = np.random.default_rng(0).integers(0, 200, (4, 3, 60, 80)).astype(np.uint8)
    for name in ("Film ü", "other"):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, values, imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "still.tif", values[0, 0], photometric="minisblack")
    hand.drop_and_settle(*(tmp_path / f"{n}.tif" for n in ("Film ü", "other", "still")))
    hand.session.select_image(hand.images[0].image_id)
    hand.rest()
    return hand


def bar_of(hand: Hand) -> PlaneBar:
    return hand.parts.area.bar


def x_of(slider: MarkedSlider, value: int) -> QPoint:
    way = slider.width() - 14
    return QPoint(7 + round(value * way / slider.maximum()), slider.height() // 2)


def test_slider_number_and_keys_go_to_the_same_plane(stack: Hand) -> None:
    session, planes = stack.session, bar_of(stack).planes
    assert bar_of(stack).isVisible()
    assert not bar_of(stack).times.isVisible()
    for value in (3, 6, 0):
        QTest.mouseClick(planes.slider, LEFT, PLAIN, x_of(planes.slider, value))
        assert session.z == value
        assert planes.number.text() == f"{value + 1}\u2009/\u20097"
    QTest.keyClick(planes.slider, Qt.Key.Key_Right)
    assert session.z == 1
    planes.number.setFocus()
    planes.number.selectAll()
    QTest.keyClicks(planes.number, "5")
    QTest.keyClick(planes.number, Qt.Key.Key_Return)
    assert session.z == 4
    stack.action("next_plane")
    assert planes.slider.value() == 5
    assert planes.number.value() == 6


def test_the_canvas_follows_a_drag(stack: Hand) -> None:
    slider, canvas = bar_of(stack).planes.slider, stack.parts.canvas
    QTest.mousePress(slider, LEFT, PLAIN, x_of(slider, 0))
    for value in range(1, 7):
        QTest.mouseMove(slider, x_of(slider, value))
        QApplication.processEvents()
        assert stack.session.z == value
        assert canvas._shown == (stack.session.image_id, value)
    QTest.mouseRelease(slider, LEFT, PLAIN, x_of(slider, 6))


def test_planes_with_paint_are_marked_and_undo_takes_the_mark_away(stack: Hand) -> None:
    session, slider = stack.session, bar_of(stack).planes.slider
    assert slider.marked == set()
    session.apply(PaintRest(2, 1))
    session.apply(PaintRest(6, 1))
    stack.wait(lambda: slider.marked == {2, 6}, 3)
    session.undo()
    stack.wait(lambda: slider.marked == {2}, 3)
    picture = slider.grab().toImage()
    below = [
        picture.pixelColor(x_of(slider, value).x(), slider.height() // 2 + 9) for value in (1, 2, 3)
    ]
    assert below[1] != below[0] == below[2]
    session.select_image(stack.images[0].image_id)
    assert slider.marked == set()


def test_there_is_no_bar_for_a_flat_image_nor_around_the_canvas_alone(stack: Hand) -> None:
    session, bar = stack.session, bar_of(stack)
    session.select_image(stack.images[0].image_id)
    assert not bar.isVisible()
    session.select_image(stack.images[1].image_id)
    assert bar.isVisible()
    stack.action("full_canvas")
    assert not bar.isVisible()
    session.select_image(stack.images[1].image_id)
    assert not bar.isVisible()
    stack.action("full_canvas")
    assert bar.isVisible()


def test_something_beside_the_canvas_comes_and_goes(stack: Hand) -> None:
    area = stack.parts.area
    pane, other = QWidget(), QWidget()
    area.set_beside(pane)
    stack.rest()
    assert area.beside is pane
    assert pane.isVisible()
    assert abs(pane.width() - stack.parts.canvas.width()) <= 2
    area.set_beside(other)
    assert not pane.isVisible()
    assert pane.parent() is None
    area.set_beside(None)
    stack.rest()
    assert area.beside is None
    assert stack.parts.canvas.width() == area.width()
    for widget in (pane, other):
        widget.deleteLater()


# -- time points -------------------------------------------------------------------------------


def test_time_points_are_stepped_through_at_the_same_plane_and_place(film: Hand) -> None:
    session, canvas, times = film.session, film.parts.canvas, bar_of(film).times
    names = [image.name for image in film.images]
    assert times.isVisible()
    session.select_plane(2)
    canvas.set_view(ViewState(20, 30, 7.0))
    film.window.display.set_levels(0, 10, 90)
    film.action("next_time")
    QTest.mouseClick(times.slider, LEFT, PLAIN, x_of(times.slider, 3))
    assert session.image.name == names[3] == "Film ü t004"
    assert session.z == 2
    assert canvas.view_state() == ViewState(20, 30, 7.0)
    assert film.window.display.shown_levels() == ((10.0, 90.0),)
    film.action("next_time")
    assert session.image.name == names[3]  # the last; never another film
    film.action("previous_time")
    assert session.image.name == names[2]
    film.rest(0.1)
    assert film.parts.status.place.text().startswith("z 3/3 · t 3/4")
    assert times.number.text() == "3\u2009/\u20094"


def test_alt_and_the_wheel_step_through_time(film: Hand) -> None:
    canvas = film.parts.canvas
    at = QPointF(50, 50)
    for turned, time in ((-1, 1), (-1, 2), (1, 1)):
        # Qt tells a wheel with Alt held as one turned sideways
        event = QWheelEvent(
            at,
            canvas.mapToGlobal(at),
            QPoint(),
            QPoint(120 * turned, 0),
            Qt.MouseButton.NoButton,
            ALT,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)
        assert film.session.image.time == time


def test_another_film_and_a_still_are_no_part_of_it(film: Hand) -> None:
    session, times = film.session, bar_of(film).times
    other = next(i for i in film.images if i.name.startswith("other t002"))
    session.select_image(other.image_id)
    assert [session.project.images[i].name[:5] for i in session.series()] == ["other"] * 4
    still = next(i for i in film.images if i.name == "still")
    session.select_image(still.image_id)
    assert not times.isVisible()
    film.action("next_time")
    assert session.image_id == still.image_id
    assert film.said[-1] == ("info", "“still” is one moment; there are no other time points of it.")


def test_a_removed_time_point_is_left_out(film: Hand) -> None:
    session, times = film.session, bar_of(film).times
    second = session.series()[1]
    session.remove_image(second)
    assert times.slider.maximum() == 2
    film.action("next_time")
    assert session.image.time == 2


def test_series_survive_saving_and_opening(film: Hand) -> None:
    path = film.session.path
    facts = [(i.time_series, i.time) for i in film.images]
    film.window.commands.close_project()
    with ProjectFile.open(path, read_only=True) as file:
        assert [(i.time_series, i.time) for i in file.project.images.values()] == facts
    assert len({series for series, _ in facts}) == 3  # two films, and none
    assert [time for _, time in facts] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
