"""How mask and image are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.panels.layers_panel import LayersPanel
from orgseg_app.gui.panels.levels_editor import LevelsEditor
from orgseg_app.gui.session import Session
from tests.gui.panel_session import image_id, nameless_controls, open_session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def display() -> DisplayOptions:
    display = DisplayOptions()
    display.set_image(("channel 1",), ((100.0, 900.0),), (0.0, 4000.0))
    return display


@pytest.fixture
def panel(display: DisplayOptions, qtbot: QtBot) -> LayersPanel:
    panel = LayersPanel(display)
    qtbot.addWidget(panel)
    panel.resize(280, 460)
    panel.show()
    return panel


def test_every_control_is_named(panel: LayersPanel, display: DisplayOptions) -> None:
    display.set_image(("DAPI", "GFP"), ((0, 1), (0, 1)), (0, 1))
    assert nameless_controls(panel) == []


def test_mask_switches(panel: LayersPanel, display: DisplayOptions) -> None:
    for box, value in (
        (panel.outline, lambda: display.look("mask").outline),
        (panel.fill, lambda: display.look("mask").fill),
        (panel.unlabelled, lambda: display.show_unlabelled),
    ):
        before = value()
        assert box.isChecked() is before
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Space)
        assert value() is (not before)
    panel.opacity.number.setValue(75)
    assert display.look("mask").opacity == 0.75


def test_hiding_the_mask(panel: LayersPanel, display: DisplayOptions) -> None:
    QTest.mouseClick(panel.eye, LEFT)
    assert not display.look("mask").visible
    assert not panel.opacity.isEnabled()
    assert panel.eye.toolTip() == "Show mask (V)"
    display.set_look("mask", visible=True)
    assert not panel.eye.isChecked()
    assert panel.opacity.isEnabled()


def test_contrast_by_number(panel: LayersPanel, display: DisplayOptions) -> None:
    assert (panel.low.value(), panel.high.value()) == (100, 900)
    assert panel.scope.text() == "automatic"
    panel.high.setFocus()
    panel.high.selectAll()
    QTest.keyClicks(panel.high, "2000")
    QTest.keyClick(panel.high, Qt.Key.Key_Return)
    assert display.shown_levels() == ((100.0, 2000.0),)
    assert panel.scope.text() == ""
    QTest.mouseClick(panel.auto, LEFT)
    assert display.levels == ()
    assert panel.high.value() == 900
    assert panel.scope.text() == "automatic"
    QTest.mouseClick(panel.full, LEFT)
    assert display.shown_levels() == ((0.0, 4000.0),)


def test_limits_never_cross(panel: LayersPanel, display: DisplayOptions) -> None:
    panel.low.setValue(1500)
    low, high = display.shown_levels()[0]
    assert low == 1500 <= high


def test_contrast_by_dragging(panel: LayersPanel, display: DisplayOptions) -> None:
    editor = panel.levels
    handle = QPoint(round(editor._x(900)), editor.height() - 10)
    QTest.mousePress(editor, LEFT, pos=handle)
    QTest.mouseMove(editor, QPoint(editor.width() // 2, 10))
    QTest.mouseRelease(editor, LEFT, pos=QPoint(editor.width() // 2, 10))
    low, high = display.shown_levels()[0]
    assert low == 100
    assert 300 < high < 900
    assert panel.high.value() == pytest.approx(high, abs=1)
    QTest.mouseDClick(editor, LEFT)
    assert display.levels == ()


def test_gamma(panel: LayersPanel, display: DisplayOptions) -> None:
    panel.gamma.number.setValue(2)
    assert display.gamma == 2
    QTest.mouseDClick(panel.gamma.slider, LEFT)
    assert display.gamma == 1


def test_channels_are_chosen_and_hidden(panel: LayersPanel, display: DisplayOptions) -> None:
    assert not panel.channels.isVisible()
    display.set_image(("DAPI", "GFP"), ((0, 100), (50, 3000)), (0, 4000))
    assert panel.channels.isVisible()
    first, second = panel._channel_rows
    QTest.mouseClick(second, LEFT, pos=QPoint(10, 10))
    assert (panel.low.value(), panel.high.value()) == (50, 3000)
    panel.high.setValue(1000)
    assert display.shown_levels() == ((0, 100), (50, 1000))
    QTest.mouseClick(first.eye, LEFT)
    assert display.channels == (False, True)
    display.set_image(("channel 1",), ((1, 2),), (0, 4))
    assert not panel.channels.isVisible()
    assert panel.low.value() == 1


def test_small_values_get_decimals(panel: LayersPanel, display: DisplayOptions) -> None:
    display.set_image(("channel 1",), ((0.01, 0.84),), (0.0, 1.0))
    assert panel.high.value() == pytest.approx(0.84)
    panel.low.setValue(0.125)
    assert display.shown_levels()[0][0] == pytest.approx(0.125)


@pytest.fixture
def session(tmp_path: Path, qapp: QApplication) -> Iterator[Session]:
    session = open_session(tmp_path, images=2)
    yield session
    session.close_project()


def test_histogram_is_that_of_the_image(
    session: Session, display: DisplayOptions, qtbot: QtBot
) -> None:
    panel = LayersPanel(display, session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.levels._counts) > 0)
    assert np.count_nonzero(panel.levels._counts) > 80  # even noise from 0 to 4000
    session.select_image(image_id(session, "img_01"))
    session.close_project()
    qtbot.waitUntil(lambda: len(panel.levels._counts) == 0)


def test_editor_survives_odd_values(qtbot: QtBot) -> None:
    editor = LevelsEditor()
    qtbot.addWidget(editor)
    editor.resize(200, 72)
    editor.show()
    for levels, value_range, values in (
        ((5.0, 5.0), (5.0, 5.0), np.full(10, 5.0)),
        ((-1e9, 1e9), (0.0, 1.0), np.zeros(0)),
        ((0.0, 1.0), (0.0, 1.0), np.array([0.5])),
    ):
        editor.show_levels(levels, value_range)
        editor.show_histogram(values)
        assert not editor.grab().isNull()


def test_colours_are_chosen_for_each_channel(panel: LayersPanel, display: DisplayOptions) -> None:
    display.set_image(("DAPI", "GFP"), ((0, 100), (50, 3000)), (0, 4000), "a")
    panel.select_channel(1)
    assert panel.colour.isVisible()
    assert panel.colour.currentData() == "magenta"
    panel.colour.setFocus()
    QTest.keyClick(panel.colour, Qt.Key.Key_Down)
    assert [display.colour(n) for n in range(2)] == ["cyan", "yellow"]
    panel.select_channel(0)
    assert panel.colour.currentData() == "cyan"
    assert panel.levels._ramp[-1].name() == "#00ffff"
    display.set_image(("red", "green", "blue"), ((0, 255),) * 3, (0, 255), "b", True)
    assert not panel.colour.isVisible()  # a picture keeps its colours
    assert panel.levels._ramp[-1].name() == "#ffffff"
