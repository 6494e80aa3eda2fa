"""The settings of the tool in the hand."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.brush import MAX_SIZE
from orgseg_app.gui.canvas.options import TOOLS, ToolOptions
from orgseg_app.gui.panels.tool_panel import TOOL_NAMES, ToolPanel
from tests.gui.panel_session import nameless_controls

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def tools() -> ToolOptions:
    return ToolOptions()


@pytest.fixture
def panel(tools: ToolOptions, qtbot: QtBot) -> ToolPanel:
    panel = ToolPanel(tools)
    qtbot.addWidget(panel)
    panel.resize(280, 180)
    panel.show()
    return panel


def test_every_control_is_named(panel: ToolPanel) -> None:
    assert nameless_controls(panel) == []


def test_size_by_typing_and_sliding(panel: ToolPanel, tools: ToolOptions) -> None:
    panel.size_field.number.setFocus()
    panel.size_field.number.selectAll()
    QTest.keyClicks(panel.size_field.number, "7")
    QTest.keyClick(panel.size_field.number, Qt.Key.Key_Return)
    assert tools.brush_size == 7
    panel.size_field.slider.setValue(panel.size_field.slider.maximum())
    assert tools.brush_size == 400
    panel.size_field.number.setValue(MAX_SIZE)  # the number reaches further than the slider
    assert tools.brush_size == MAX_SIZE
    QTest.mouseDClick(panel.size_field.slider, LEFT)
    assert tools.brush_size == 24


def test_size_follows_keys_of_the_window(panel: ToolPanel, tools: ToolOptions) -> None:
    tools.grow_brush(3)
    assert panel.size_field.value() == tools.brush_size > 24


def test_shape_and_protection(panel: ToolPanel, tools: ToolOptions) -> None:
    QTest.mouseClick(panel.shape.button("square"), LEFT)
    assert tools.square
    panel.protect.setFocus()
    QTest.keyClick(panel.protect, Qt.Key.Key_Space)
    assert tools.protect
    tools.set_square(False)
    tools.set_protect(False)
    assert panel.shape.value() == "round"
    assert not panel.protect.isChecked()


def test_only_what_the_tool_uses_can_be_set(panel: ToolPanel, tools: ToolOptions) -> None:
    assert set(TOOL_NAMES) == set(TOOLS)
    usable = {}
    for tool in TOOLS:
        tools.set_tool(tool)
        assert panel.title.text() == TOOL_NAMES[tool]
        usable[tool] = (panel.size_field.isEnabled(), panel.protect.isEnabled())
    assert usable["brush"] == (True, True)
    assert usable["eraser"] == (True, False)
    assert usable["fill"] == usable["polygon"] == (False, True)
    assert usable["pan"] == usable["picker"] == (False, False)


def test_nothing_jumps_when_the_tool_changes(panel: ToolPanel, tools: ToolOptions) -> None:
    heights = set()
    for tool in TOOLS:
        tools.set_tool(tool)
        heights.add(panel.sizeHint().height())
    assert len(heights) == 1
