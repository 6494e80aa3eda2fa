"""The settings of the tool in the hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.painting.brush import MAX_SIZE
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tool_settings import LARGEST, TOOL_SETTINGS
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.panels.tool_panel import TOOL_NAMES, ToolPanel
from orgseg_app.gui.session import Session
from tests.e2e.hand import Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.volume_project import make_volume_project

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def tools() -> ToolOptions:
    return ToolOptions()


@pytest.fixture
def display() -> DisplayOptions:
    return DisplayOptions()


@pytest.fixture
def panel(tools: ToolOptions, display: DisplayOptions, qtbot: QtBot) -> ToolPanel:
    panel = ToolPanel(tools, display, Session(tools))
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


@pytest.mark.parametrize(("tool", "setting"), [("brush", "limit"), ("eraser", "erase_limit")])
def test_the_ends_of_a_range_count_only_with_a_range(
    panel: ToolPanel, tools: ToolOptions, tool: str, setting: str
) -> None:
    tools.set_tool(tool)
    for limit in ("none", "range", "otsu"):
        tools.set_value(setting, limit)
        for name in ("limit_low", "limit_high"):
            assert panel.fields[name].isEnabled() == (limit == "range")


def test_a_range_goes_over_the_values_of_the_image(
    panel: ToolPanel, tools: ToolOptions, display: DisplayOptions
) -> None:
    """Ends that nobody set stay open, and show the image's own least and largest value."""
    low, high = panel.fields["limit_low"], panel.fields["limit_high"]
    tools.set_value("limit", "range")
    display.set_image(("a",), ((0.0, 9.0),), (0.0, 200.0))
    assert (low.value(), high.value()) == (0, 200)
    assert low.number.minimum() == 0  # unsigned values have no negatives
    high.slider.setValue(high.slider.maximum() // 2)
    assert tools.value("limit_high") == 100
    high.slider.setValue(high.slider.maximum())
    assert tools.value("limit_high") == LARGEST
    high.number.setValue(70)
    QTest.mouseDClick(high.slider, LEFT)
    assert tools.value("limit_high") == LARGEST
    assert high.value() == 200
    tools.set_value("limit_low", 150)
    display.set_image(("a",), ((0.0, 9.0),), (0.0, 90.0))
    assert low.value() == 150  # what was set is shown, also where no value is as large


def test_values_that_are_impossible_are_clamped_or_refused(tools: ToolOptions) -> None:
    tools.set_value("brush_size", 10**9)
    assert tools.brush_size == MAX_SIZE
    tools.set_brush_size(-3)
    assert tools.brush_size == 1
    with pytest.raises(ValueError, match="Shape"):
        tools.set_value("footprint", "star")


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


def test_nothing_jumps_when_the_tool_changes(hand: Hand, tmp_path: Path) -> None:
    """Classes, layers and "Protect" stay, fields stay in line, and no tool has a gap."""
    hand.open(make_volume_project(tmp_path / "tools.orgseg"))
    parts, window = hand.parts, hand.window
    fields = parts.tool_panel.fields
    places, protects, heights = set(), set(), {}
    for tool, kind in TOOLS.items():
        hand.action(f"tool_{tool}")
        hand.rest(0.02)
        for part in (parts.classes, parts.layers, parts.layers.opacity.number):
            assert part.isVisible()
        places.add(
            tuple(
                (part.mapTo(window, QPoint(0, 0)).toTuple(), part.width())
                for part in (parts.classes, parts.layers, parts.layers.opacity.number)
            )
        )
        if "protect" in kind.settings:
            protects.add(fields["protect"].mapTo(window, QPoint(0, 0)).y())
        heights[tool] = parts.tool_panel.height()
        rows = sorted((f.geometry() for f in fields.values() if f.isVisible()), key=QRect.top)
        assert all(b.top() - a.bottom() <= 6 for a, b in itertools.pairwise(rows)), tool
    assert len(places) == 1
    assert len(protects) == 1
    assert heights["polygon"] < heights["brush"] / 2
    hand.action("tool_brush")
    ends = {
        field.number.mapTo(window, field.number.rect().topRight()).x()
        for field in (fields["brush_size"], parts.layers.opacity)
    }
    assert len(ends) == 1
