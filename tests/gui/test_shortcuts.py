"""Keys: presets, keys of one's own, the table, the printed sheet, and the wheel."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QInputDevice, QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from orgseg_app import settings as settings_module
from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.canvas.wheel import wheel_act, wheel_acts
from orgseg_app.gui.help.help_dialogs import ShortcutsDialog, sheet_rows
from orgseg_app.gui.keys import shortcut_sheet
from orgseg_app.gui.keys.command_palette import CommandPalette
from orgseg_app.gui.keys.shortcut_presets import PRESETS
from orgseg_app.gui.keys.shortcut_sheet import save_pdf
from orgseg_app.gui.keys.shortcuts import (
    REFUSED,
    SIZE_HINT,
    from_text,
    keys_in_force,
    to_text,
)
from orgseg_app.gui.panels.shortcuts_dialog import ShortcutEditor
from tests.e2e.hand import Hand
from tests.gui.volume_project import make_volume_project

PLAIN = Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
TABLE = {info.action_id: info.keys for info in ACTIONS}


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def painter(hand: Hand, tmp_path: Path) -> Hand:
    hand.open(make_volume_project(tmp_path / "keys.orgseg"))
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    hand.parts.canvas.setFocus()
    return hand


def editor_of(hand: Hand) -> ShortcutEditor:
    hand.action("edit_shortcuts")
    return hand.window.findChildren(ShortcutEditor)[-1]


# -- which keys are in force -------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_gives_a_key_to_two_actions_or_takes_the_last_one_of_any(name: str) -> None:
    claimed = list(itertools.chain(*PRESETS[name].keys.values()))
    assert len(claimed) == len(set(claimed))
    assert set(PRESETS[name].keys) <= set(TABLE)
    found = keys_in_force(TABLE, PRESETS[name].keys)
    lost = {a for a, keys in found.items() if TABLE[a] and not keys}
    assert lost <= {a for a, keys in PRESETS[name].keys.items() if not keys}


def test_no_key_stands_twice_in_the_menu_table() -> None:
    keys = list(itertools.chain(*TABLE.values()))
    assert sorted(keys) == sorted(set(keys))
    assert not set(keys) & set(REFUSED)


def test_every_key_of_table_and_presets_is_written_as_qt_writes_it() -> None:
    for keys in [*TABLE.values(), *itertools.chain(p.keys.values() for p in PRESETS.values())]:
        for key in itertools.chain(*keys) if isinstance(keys, type({}.values())) else keys:
            assert from_text(to_text([key])) == (key,)


def test_presets_are_those_the_settings_know() -> None:
    assert tuple(PRESETS) == settings_module.KEY_PRESETS


_KEYS = st.sampled_from([*"ABC;,+=", "Ctrl+A", "Ctrl+,", "Left", "F5"])
_LAYER = st.dictionaries(st.sampled_from("pqrs"), st.lists(_KEYS, max_size=3), max_size=4)


@given(st.lists(_KEYS, unique=True))
def test_keys_survive_the_settings_file(keys: list[str]) -> None:
    assert list(from_text(to_text(keys))) == keys


@given(_LAYER, _LAYER, _LAYER)
def test_a_key_belongs_to_one_action_and_to_the_latest_layer(
    table: dict[str, list[str]], preset: dict[str, list[str]], own: dict[str, list[str]]
) -> None:
    found = keys_in_force(table, preset, own)
    assert list(found) == list(table)
    everything = list(itertools.chain(*found.values()))
    assert len(everything) == len(set(everything))
    for layer, later in ((own, {}), (preset, own), (table, {**preset, **own})):
        for action_id in table:
            if action_id in later or action_id not in layer:
                continue
            for key in layer[action_id]:
                owners = [a for a, keys in found.items() if key in keys]
                assert owners, "a key that somebody wants is somebody's"


# -- changing keys -----------------------------------------------------------------------------


def test_a_key_of_ones_own_works_at_once_everywhere_and_after_a_restart(painter: Hand) -> None:
    window = painter.window
    editor = editor_of(painter)
    editor.choose("tool_eraser")
    editor.press("B")
    assert "Brush" in editor.note.text()  # said before anything happens
    assert window.shortcuts.keys("tool_brush") == ("B", "P")
    editor.add_button.click()
    assert window.shortcuts.keys("tool_eraser") == ("E", "B")
    assert window.shortcuts.keys("tool_brush") == ("P",)
    editor.remove_key("E")
    editor.reject()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    painter.parts.canvas.setFocus()
    action = window.actions_by_id["tool_eraser"]
    assert [k.toString() for k in action.shortcuts()] == ["B"]
    assert action.toolTip().endswith("(B)")
    rows = {row.text: row.keys for row in sheet_rows(window.shortcuts, window.actions_by_id)}
    assert rows["Eraser"] == "B"
    QTest.keyClick(painter.parts.canvas, Qt.Key.Key_E)
    assert window.tools.tool == "brush"
    QTest.keyClick(painter.parts.canvas, Qt.Key.Key_B)
    assert window.tools.tool == "eraser"
    again = Hand()
    assert again.window.shortcuts.keys("tool_eraser") == ("B",)
    assert again.window.shortcuts.keys("tool_brush") == ("P",)
    again.close()


def test_keys_are_changed_while_no_project_is_open(hand: Hand) -> None:
    editor = editor_of(hand)
    assert editor.isVisible()
    editor.choose("new_project")
    editor.press("F7")
    editor.add_button.click()
    assert [k.toString() for k in hand.window.actions_by_id["new_project"].shortcuts()] == [
        "Ctrl+N",
        "F7",
    ]
    tip = hand.window.start_page.drop_area.project_button.toolTip()
    assert tip == "Open a project file (Ctrl+O)"
    editor.choose("open_project")
    editor.remove_key("Ctrl+O")
    tip = hand.window.start_page.drop_area.project_button.toolTip()
    assert tip == "Open a project file"
    editor.reject()


def test_pressing_a_key_in_the_table_says_at_once_whose_it_is(hand: Hand) -> None:
    editor = editor_of(hand)
    editor.choose("about")
    for key, said, possible in (
        (Qt.Key.Key_F9, "", True),
        (Qt.Key.Key_F11, "View › Only the canvas", True),
        (Qt.Key.Key_H, "no longer hide the mask", True),
    ):
        QTest.keyClick(editor.recorder, key)
        assert said in editor.note.text()
        assert bool(editor.note.text()) == bool(said)
        assert editor.add_button.isEnabled() == possible
    editor.press("Space")
    assert REFUSED["Space"] in editor.note.text()
    assert not editor.add_button.isEnabled()
    with pytest.raises(ValueError, match="Space holds"):
        hand.window.shortcuts.set_keys("about", ["Space"])
    editor.reject()


def test_one_and_all_go_back_to_the_usual_keys(hand: Hand) -> None:
    shortcuts = hand.window.shortcuts
    usual = {info.action_id: shortcuts.keys(info.action_id) for info in ACTIONS}
    editor = editor_of(hand)
    editor.choose("tool_fill")
    editor.press("B")
    editor.add_button.click()
    editor.choose("tool_brush")
    editor.press("F")
    editor.add_button.click()
    assert shortcuts.keys("tool_brush") == ("P", "F")
    assert shortcuts.keys("tool_fill") == ("B",)
    assert editor.reset_button.isEnabled()
    editor.reset_button.click()  # the brush takes its B back from Fill
    assert shortcuts.keys("tool_brush") == ("B", "P")
    assert shortcuts.keys("tool_fill") == ()
    shortcuts.set_wheel("slice")
    assert editor.reset_all_button.isEnabled()
    editor.reset_all_button.click()
    assert {a: shortcuts.keys(a) for a in usual} == usual
    assert shortcuts.wheel == "zoom"
    assert not editor.reset_all_button.isEnabled()
    assert settings_module.load().shortcuts == {}
    editor.reject()


def test_a_preset_brings_keys_and_wheel_and_keeps_ones_own(hand: Hand) -> None:
    shortcuts = hand.window.shortcuts
    shortcuts.set_keys("about", ["F9"])
    editor = editor_of(hand)
    editor.preset.setCurrentIndex(editor.preset.findData("napari"))
    editor.preset.activated.emit(editor.preset.currentIndex())
    assert shortcuts.keys("tool_brush") == ("P", "2")
    assert shortcuts.keys("class_2") == ("Alt+2",)
    assert shortcuts.keys("about") == ("F9",)
    assert shortcuts.wheel == "zoom"
    shortcuts.set_preset("fiji")
    assert editor.preset.currentData() == "fiji"
    assert editor.wheel.value() == shortcuts.wheel == "slice"
    assert "B" in shortcuts.keys("tool_brush")
    loaded = settings_module.load()
    assert (loaded.keys_preset, loaded.wheel) == ("fiji", "")
    editor.wheel.button("zoom").click()
    assert shortcuts.wheel == "zoom"
    assert settings_module.load().wheel == "zoom"
    editor.reject()


def test_the_table_is_searched_by_words_and_by_keys(hand: Hand) -> None:
    editor = editor_of(hand)

    def shown() -> set[str]:
        return {
            info.action_id
            for place, info in enumerate(ACTIONS)
            if not editor.table.isRowHidden(place)
        }

    editor.search.setText("ctrl+k")
    assert shown() == {"command_palette"}
    assert editor.chosen == "command_palette"
    editor.search.setText("smaller")
    assert shown() == {"brush_smaller"}
    editor.search.setText("nothing of the kind")
    assert shown() == set()
    assert editor.chosen == ""
    assert not editor.add_button.isEnabled()
    editor.search.setText("")
    assert shown() == set(TABLE)
    editor.reject()


def test_damaged_shortcuts_in_the_settings_leave_the_usual_keys(qapp: object) -> None:
    path = settings_module.settings_path()
    path.parent.mkdir(parents=True)
    facts = {
        "shortcuts": {"save": "Nonsense++", "undo": "Space", "tool_fill": "", "gaze": "F8"},
        "keys_preset": "emacs",
        "wheel": 3,
    }
    path.write_text(json.dumps(facts), encoding="utf-8")
    hand = Hand()
    shortcuts = hand.window.shortcuts
    assert shortcuts.keys("save") == ("Ctrl+S",)
    assert shortcuts.keys("undo") == ("Ctrl+Z",)
    assert shortcuts.keys("tool_fill") == ()
    assert shortcuts.preset.name == "orgseg"
    shortcuts.reset_all()
    assert shortcuts.keys("tool_fill") == ("F",)
    assert settings_module.load().shortcuts == {"gaze": "F8"}  # of a newer version
    hand.close()


def test_hints_and_tooltips_tell_the_keys_in_force(painter: Hand) -> None:
    window, parts = painter.window, painter.parts
    field = parts.tool_panel.fields["brush_size"].focusProxy()
    assert "[ ] or Ctrl+wheel" in field.toolTip()
    window.shortcuts.set_keys("brush_smaller", ["F7"])
    window.shortcuts.set_wheel("slice")
    assert "F7 ] or Ctrl+Shift+wheel" in field.toolTip()
    assert "F7 ] or Ctrl+Shift+wheel" in window.shortcuts.hint(parts.canvas.tool.hint)
    window.shortcuts.set_keys("auto_contrast", [])
    assert parts.layers.auto.toolTip() == "Contrast from the image itself"


def test_tools_name_the_size_keys_in_the_one_way_that_follows_them() -> None:
    for tool in TOOLS.values():
        assert ("Ctrl+wheel" in tool.hint) <= (SIZE_HINT in tool.hint), tool.name


# -- the sheet ---------------------------------------------------------------------------------


def test_the_sheet_is_saved_as_pdf_with_the_present_keys(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = shortcut_sheet._Sheet._write

    def note(sheet: Any, rect: Any, text: str, *rest: Any, **how: Any) -> float:
        written.append(text)
        return write(sheet, rect, text, *rest, **how)

    monkeypatch.setattr(shortcut_sheet._Sheet, "_write", note)
    hand.window.shortcuts.set_keys("about", ["Ctrl+F9"])
    hand.action("shortcuts")
    sheet = hand.window.findChildren(ShortcutsDialog)[-1]
    hand.window.shortcuts.set_keys("compact", ["Ctrl+F8"])
    shown = [sheet.table.item(row, 2).text() for row in range(sheet.table.rowCount())]
    assert "Ctrl+F9" in shown
    assert "Ctrl+F8" in shown  # changed while the sheet was open
    path = tmp_path / "my keys.pdf"
    monkeypatch.setattr(
        "orgseg_app.gui.help.help_dialogs.QFileDialog.getSaveFileName",
        lambda *_: (str(path), ""),
    )
    sheet.save_button.click()
    assert "my keys.pdf" in sheet.note.text()
    for text in ("Ctrl+F9", "Ctrl+F8", "Rest is background", "Pen down, pen up", "Annotate"):
        assert text in written
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 2
    sheet.reject()


def test_a_sheet_that_cannot_be_written_is_said_and_leaves_the_old_one(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.action("shortcuts")
    sheet = hand.window.findChildren(ShortcutsDialog)[-1]
    path = tmp_path / "nowhere" / "keys.pdf"
    monkeypatch.setattr(
        "orgseg_app.gui.help.help_dialogs.QFileDialog.getSaveFileName",
        lambda *_: (str(path), ""),
    )
    sheet.save_button.click()
    assert sheet.note.text() == "Nothing was written: the folder is no longer there."
    sheet.reject()


def test_many_rows_take_more_pages(qapp: object, tmp_path: Path) -> None:
    from orgseg_app.gui.keys.shortcut_sheet import SheetRow

    rows = [SheetRow(f"Group {n // 9}", f"Does {n}", "Ctrl+A") for n in range(400)]
    assert (
        save_pdf(tmp_path / "long.pdf", rows, "Keys")
        > save_pdf(tmp_path / "short.pdf", rows[:20], "Keys")
        == 1
    )


# -- the wheel and the touchpad ----------------------------------------------------------------


def turn(
    hand: Hand,
    steps: float,
    keys: Qt.KeyboardModifier = PLAIN,
    *,
    pixels: QPoint | None = None,
    at: QPointF | None = None,
) -> None:
    """Turn the wheel by notches; with ``pixels``, move two fingers over a touchpad."""
    canvas = hand.parts.canvas
    at = at or QPointF(canvas.width() / 2, canvas.height() / 2)
    phase = Qt.ScrollPhase.ScrollUpdate if pixels is not None else Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        at,
        canvas.mapToGlobal(at),
        pixels or QPoint(),
        QPoint(0, round(120 * steps)),
        Qt.MouseButton.NoButton,
        keys,
        phase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def test_the_table_of_the_wheel_says_what_it_does() -> None:
    held = {"Wheel": PLAIN, "Ctrl": CTRL, "Shift": SHIFT, "Alt": ALT}
    for wheel in ("zoom", "slice"):
        acts = wheel_acts(wheel)
        assert sorted(acts.values()) == ["brush", "plane", "time", "zoom"]
        for words, act in acts.items():
            keys = PLAIN
            for word in words.split(" + "):
                keys |= held.get(word, PLAIN)
            assert wheel_act(wheel, keys) == act


def test_what_the_wheel_does_follows_the_choice_at_once(painter: Hand) -> None:
    session, canvas, tools = painter.session, painter.parts.canvas, painter.window.tools
    volume = next(i.image_id for i in painter.images if i.shape[1] > 1)
    session.select_image(volume)
    zoom, size = canvas.view_state().zoom, tools.brush_size
    turn(painter, 1)
    assert canvas.view_state().zoom > zoom
    turn(painter, -1, SHIFT)
    assert session.z == 1
    turn(painter, 1, CTRL)
    assert tools.brush_size > size
    painter.window.shortcuts.set_preset("fiji")
    zoom, size = canvas.view_state().zoom, tools.brush_size
    turn(painter, -1)
    assert session.z == 2
    assert canvas.view_state().zoom == zoom
    turn(painter, 1, CTRL)
    assert canvas.view_state().zoom > zoom
    assert tools.brush_size == size
    turn(painter, -1, CTRL | SHIFT)
    assert tools.brush_size < size


def test_parts_of_a_notch_add_up_to_one_plane(painter: Hand) -> None:
    session = painter.session
    session.select_image(next(i.image_id for i in painter.images if i.shape[1] > 1))
    for expected in (0, 0, 0, 1, 1):
        turn(painter, -0.25, SHIFT)
        assert session.z == expected


def test_two_fingers_move_the_picture_with_either_wheel(painter: Hand) -> None:
    canvas = painter.parts.canvas
    canvas.set_zoom(4)
    for wheel in ("zoom", "slice"):
        painter.window.shortcuts.set_wheel(wheel)
        before = canvas.view_state()
        turn(painter, 0.1, pixels=QPoint(8, 12))
        after = canvas.view_state()
        assert after.zoom == before.zoom
        assert (before.y - after.y, before.x - after.x) == pytest.approx((3, 2))


def test_a_pinch_zooms_at_the_fingers(painter: Hand) -> None:
    canvas = painter.parts.canvas
    canvas.set_zoom(2)
    pad = QPointingDevice(
        "pad",
        7,
        QInputDevice.DeviceType.TouchPad,
        QPointingDevice.PointerType.Finger,
        QInputDevice.Capability.Position,
        2,
        1,
    )
    at = QPointF(150, 90)
    there = canvas.to_image(at)

    def pinch(value: float) -> None:
        event = QNativeGestureEvent(
            Qt.NativeGestureType.ZoomNativeGesture,
            pad, 2, at, at, canvas.mapToGlobal(at), value, QPointF(),
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)

    pinch(0.25)
    assert canvas.view_state().zoom == pytest.approx(2.5)
    assert canvas.to_image(at) == pytest.approx(there, abs=1e-6)
    pinch(-2.0)  # fingers that come together at once leave a picture
    assert 0 < canvas.view_state().zoom < 2.5


# -- keys of the canvas ------------------------------------------------------------------------


def test_tab_held_hides_the_mask_and_a_short_one_leads_on(painter: Hand) -> None:
    canvas = painter.parts.canvas
    painter.stroke()
    seen: list[bool] = []
    hide = canvas.hide_overlay
    canvas.hide_overlay = lambda hidden: (seen.append(hidden), hide(hidden))[1]
    QTest.keyPress(canvas, Qt.Key.Key_Tab)
    painter.wait(lambda: True in seen, 2)
    assert canvas.painted_layers == ()
    QTest.keyRelease(canvas, Qt.Key.Key_Tab)
    assert canvas.painted_layers
    assert canvas.hasFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    assert not canvas.hasFocus()
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Backtab, SHIFT)
    assert not canvas.hasFocus()


def test_a_double_click_beside_the_image_fits_it(painter: Hand) -> None:
    canvas = painter.parts.canvas
    painter.window.tools.set_tool("brush")
    canvas.set_zoom(0.5)
    assert not canvas.is_fitted
    left = Qt.MouseButton.LeftButton
    painter.window.tools.set_brush_size(3)
    for spot in (QPoint(3, canvas.height() // 2), canvas.to_widget(20, 20).toPoint()):
        for act in (QTest.mousePress, QTest.mouseRelease, QTest.mouseDClick, QTest.mouseRelease):
            act(canvas, left, PLAIN, spot)
        assert canvas.is_fitted == (spot.x() == 3)
        assert (painter.session.history.next_undo() is None) == (spot.x() == 3)
        canvas.set_zoom(0.5)


def test_letters_and_keys_go_to_images_planes_and_fit(painter: Hand) -> None:
    session, canvas = painter.session, painter.parts.canvas
    ids = [image.image_id for image in painter.images]
    assert len(ids) > 1
    for key, expected in ((Qt.Key.Key_D, 1), (Qt.Key.Key_A, 0)):
        QTest.keyClick(canvas, key)
        assert session.image_id == ids[expected]
    session.select_image(next(i.image_id for i in painter.images if i.shape[1] > 1))
    QTest.keyClick(canvas, Qt.Key.Key_PageDown)
    assert session.z == 1
    QTest.keyClick(canvas, Qt.Key.Key_PageUp)
    assert session.z == 0
    canvas.set_zoom(3)
    QTest.keyClick(canvas, Qt.Key.Key_Home)
    assert canvas.is_fitted
    chosen = session.class_id
    QTest.keyClick(canvas, Qt.Key.Key_Comma)
    assert session.class_id == session.classes[0].class_id
    QTest.keyClick(canvas, Qt.Key.Key_Period)
    assert session.class_id == chosen


def test_painting_by_keys_alone_goes_on_with_the_keys_of_napari(painter: Hand) -> None:
    session, canvas, tools = painter.session, painter.parts.canvas, painter.window.tools
    painter.window.shortcuts.set_preset("napari")
    session.select_image(next(i.image_id for i in painter.images if i.shape[1] > 1))
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert session.z == 1
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert tools.tool == "eraser"
    QTest.keyClick(canvas, Qt.Key.Key_2)
    assert tools.tool == "brush"
    QTest.keyClick(canvas, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    assert session.class_id == session.classes[2].class_id
    tools.set_brush_size(1)
    for _ in range(3):
        QTest.keyClick(canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert session.z == 1
    assert session.mask().counts()[3] == 1
    palette = painter.window.actions_by_id["command_palette"]
    palette.trigger()
    rows = painter.window.findChildren(CommandPalette)[-1]
    rows.field.setText("eraser")
    assert rows.list.item(0).text().endswith("    E")
    rows.reject()
