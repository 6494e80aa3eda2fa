"""The ruler: distances, the tool under mouse and keys, and the status line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.measuring import distance_text, distance_um, length_text
from orgseg_app.gui.canvas.tools.pointing import RulerTool
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.settings import Settings

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def test_pixels_may_be_oblong() -> None:
    assert distance_um(3, 4, (9.0, 2.0, 0.5)) == pytest.approx(np.hypot(6, 2))
    assert distance_text(-1, 1, (1.0, 2.0, 2.0)).endswith("45°")
    assert distance_text(-1, 2, (1.0, 2.0, 1.0)).endswith("45°")
    assert distance_text(1, 0, None) == "1 px · −90°"


@pytest.mark.parametrize("um", [0.0123, 0.9999, 1.0, 9.996, 99.96, 999.4, 999.6, 12_345.0])
def test_lengths_have_three_figures(um: float) -> None:
    value, unit = length_text(um).split(" ")
    back = float(value) * {"nm": 1e-3, "µm": 1, "mm": 1e3}[unit]
    assert back == pytest.approx(um, rel=0.006)
    assert 0.9 < float(value) < 1000


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot) -> Iterator[MainWindow]:
    path = tmp_path / "p.orgseg"
    pixels = np.zeros((300, 400), np.uint8)
    with ProjectFile.create(path, default_classes(["ER"])) as file:
        sized = open_array("sized", pixels, pixel_size_um=(1.0, 0.5, 0.5))
        file.add_images([NewImage(sized), NewImage(open_array("bare", pixels))])
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1200, 800)
    window.show()
    window.commands.open_path(path)
    yield window
    window.session.close_project(discard=True)
    window.close()


def ruler(canvas: AnnotationCanvas) -> RulerTool:
    tool = canvas.tool
    assert isinstance(tool, RulerTool)
    return tool


def drag(canvas: AnnotationCanvas, ends: list[tuple[float, float]]) -> None:
    places: list[QPoint] = [canvas.to_widget(*end).toPoint() for end in ends]
    QTest.mousePress(canvas, LEFT, PLAIN, places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
    QTest.mouseRelease(canvas, LEFT, PLAIN, places[-1])


def test_a_drag_measures_and_stays(window: MainWindow, qtbot: QtBot) -> None:
    parts = window.ensure_parts()
    canvas, session = parts.canvas, window.session
    window.actions_by_id["tool_ruler"].trigger()
    canvas.set_zoom(2.0)
    before = canvas.grab().toImage()
    drag(canvas, [(100, 100), (110, 150), (130, 140)])
    (y0, x0), (y1, x1) = ruler(canvas).points
    dy, dx = y1 - y0, x1 - x0
    assert (dy, dx) == pytest.approx((30, 40), abs=0.5)
    expected = distance_text(dy, dx, (1.0, 0.5, 0.5))
    assert expected.startswith("25.0 µm · 50")
    assert ruler(canvas).text == expected
    assert parts.status.hint.text() == expected
    assert canvas.grab().toImage() != before
    assert len(session.history) == 0  # nothing was painted
    drag(canvas, [(50, 50), (50, 90)])
    assert ruler(canvas).text.startswith("20.0 µm")
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert ruler(canvas).points == []
    assert "measure" in parts.status.hint.text()
    assert canvas.grab().toImage() == before


def test_without_a_pixel_size_it_counts_pixels(window: MainWindow) -> None:
    canvas = window.ensure_parts().canvas
    window.tools.set_tool("ruler")
    drag(canvas, [(50, 50), (50, 90)])
    assert ruler(canvas).text
    window.session.select_neighbour(1)
    assert ruler(canvas).points == []  # it was meant for the image before
    canvas.set_zoom(1.0)
    drag(canvas, [(50, 50), (50, 90)])
    assert ruler(canvas).text == "40 px · 0°"


def test_shift_keeps_to_45_degrees(window: MainWindow) -> None:
    canvas = window.ensure_parts().canvas
    window.tools.set_tool("ruler")
    canvas.set_zoom(2.0)
    QTest.mousePress(canvas, LEFT, SHIFT, canvas.to_widget(100, 100).toPoint())
    canvas.tool.hold_shift(True)
    canvas.tool.move(141, 139, pressed=True)
    (y0, x0), (y1, x1) = ruler(canvas).points
    assert y1 - y0 == pytest.approx(x1 - x0)
    canvas.tool.move(103, 180, pressed=True)
    assert ruler(canvas).points[1][0] == pytest.approx(y0)
    canvas.tool.hold_shift(False)
    canvas.tool.move(103, 180, pressed=True)
    assert ruler(canvas).points[1] == (103, 180)
    QTest.mouseRelease(canvas, LEFT, PLAIN, canvas.to_widget(103, 180).toPoint())


def test_a_click_measures_nothing_and_keys_measure(window: MainWindow) -> None:
    canvas = window.ensure_parts().canvas
    window.tools.set_tool("ruler")
    canvas.set_zoom(2.0)
    QTest.mouseClick(canvas, LEFT, PLAIN, canvas.to_widget(100, 100).toPoint())
    assert ruler(canvas).points == []
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Right, SHIFT)  # ten voxels each
    QTest.keyClick(canvas, Qt.Key.Key_Down)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    (y0, x0), (y1, x1) = ruler(canvas).points
    assert (y1 - y0, x1 - x0) == pytest.approx((1, 30))
    assert ruler(canvas).text.startswith("15.0 µm")
    window.tools.set_tool("brush")
    window.tools.set_tool("ruler")
    assert ruler(canvas).points == []
