"""The settings of the tool in the hand."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.painting.brush import MAX_SIZE
from orgseg_app.gui.canvas.options import ToolOptions
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS
from orgseg_app.gui.canvas.tools.registry import TOOLS
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
    """The number reaches further than the slider."""
    panel.fields["brush_size"].number.setFocus()
    panel.fields["brush_size"].number.selectAll()
    QTest.keyClicks(panel.fields["brush_size"].number, "7")
    QTest.keyClick(panel.fields["brush_size"].number, Qt.Key.Key_Return)
    assert tools.brush_size == 7
    panel.fields["brush_size"].slider.setValue(panel.fields["brush_size"].slider.maximum())
    assert tools.brush_size == 400
    panel.fields["brush_size"].number.setValue(MAX_SIZE)
    assert tools.brush_size == MAX_SIZE
    QTest.mouseDClick(panel.fields["brush_size"].slider, LEFT)
    assert tools.brush_size == 24


def test_size_follows_keys_of_the_window(panel: ToolPanel, tools: ToolOptions) -> None:
    tools.grow_brush(3)
    assert panel.fields["brush_size"].value() == tools.brush_size > 24


def test_shape_and_protection(panel: ToolPanel, tools: ToolOptions) -> None:
    QTest.mouseClick(panel.fields["footprint"].segments.button("square"), LEFT)
    assert tools.square
    panel.fields["protect"].setFocus()
    QTest.keyClick(panel.fields["protect"], Qt.Key.Key_Space)
    assert tools.protect
    tools.set_square(False)
    tools.set_protect(False)
    assert panel.fields["footprint"].segments.value() == "round"
    assert not panel.fields["protect"].isChecked()


def test_only_what_the_tool_uses_is_shown(panel: ToolPanel, tools: ToolOptions) -> None:
    assert set(TOOL_NAMES) == set(TOOLS)
    for tool, kind in TOOLS.items():
        tools.set_tool(tool)
        assert panel.title.text() == TOOL_NAMES[tool]
        shown = {name for name, field in panel.fields.items() if field.isVisible()}
        assert shown == set(kind.settings)
        assert shown <= set(TOOL_SETTINGS)


def test_values_that_are_impossible_are_clamped_or_refused(tools: ToolOptions) -> None:
    tools.set_value("brush_size", 10**9)
    assert tools.brush_size == MAX_SIZE
    tools.set_brush_size(-3)
    assert tools.brush_size == 1
    with pytest.raises(ValueError, match="Shape"):
        tools.set_value("footprint", "star")


def test_nothing_jumps_when_the_tool_changes(panel: ToolPanel, tools: ToolOptions) -> None:
    heights = set()
    for tool in TOOLS:
        tools.set_tool(tool)
        panel.adjustSize()
        heights.add(panel.height())
    assert len(heights) == 1
