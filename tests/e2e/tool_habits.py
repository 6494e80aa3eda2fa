"""What holds for all tools: keys, wheel, palette, planes. Done at the window, checked exactly.

A habit gets a hand at the image it names and checks for itself; afterwards every step is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from orgseg_app.core.edits.morphology import Reshape
from orgseg_app.core.edits.slices import Interpolate
from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.canvas.tools.registry import TOOLS
from tests.e2e.hand import LEFT
from tests.e2e.tool_acts import swept
from tests.e2e.tool_hand import (
    ALT,
    CONTROL,
    PLAIN,
    SHIFT,
    Key,
    ToolHand,
    Values,
    centre,
    made,
)
from tests.e2e.tool_scene import NUCLEUS, OTHER

Check = Callable[[ToolHand, Values], None]
BACKGROUND = 1


@dataclass(frozen=True)
class Habit:
    """One thing that can be done with whatever tool.

    Attributes
    ----------
    image, z
        Where.
    check
        Does it and sees what came of it.
    """

    image: str
    z: int
    check: Check

    @property
    def title(self) -> str:
        """What is done."""
        return self.check.__name__.replace("_", " ")


HABITS: list[Habit] = []


def habit(image: str = "flat", z: int = 0) -> Callable[[Check], Check]:
    """Tell of a habit."""

    def register(check: Check) -> Check:
        HABITS.append(Habit(image, z, check))
        return check

    return register


# -- tools and how they are set --------------------------------------------------------------------


@habit()
def every_button_of_the_strip_takes_its_tool(hand: ToolHand, before: Values) -> None:
    for name in [*TOOLS, "brush"]:
        hand.take_by_button(name)
        assert hand.canvas.tool.name == name
        assert hand.button(f"tool_{name}").isChecked()
        panel, hint = hand.parts.tool_panel, hand.parts.status.hint
        assert panel.visibleRegion().boundingRect().width() == panel.width(), f"{name} is cut off"
        assert hint.text(), name
        assert hint.text() == hint.whole_text(), "cut off"


@habit()
def the_palette_takes_every_tool_by_its_name(hand: ToolHand, before: Values) -> None:
    for name in [*TOOLS, "brush"]:
        hand.do("command_palette")
        popup = QApplication.activePopupWidget()
        assert popup is not None
        QTest.keyClicks(popup.focusWidget(), BY_ID[f"tool_{name}"].text)
        hand.key(Key.Key_Return)
        assert hand.canvas.tool.name == name, f"{name}: {hand.canvas.tool.name}"
    hand.key(Key.Key_B)
    assert hand.canvas.hasFocus()


@habit()
def keys_choose_classes(hand: ToolHand, before: Values) -> None:
    hand.take("eraser")
    for number in (1, 3, 2):
        hand.key(Key(Key.Key_0 + number))
        assert hand.session.class_id == number
    assert hand.canvas.tool.name == "brush"  # who chooses a class wants to paint
    hand.key(Key.Key_9)
    assert hand.session.class_id == 2
    for key, class_id in ((Key.Key_X, 1), (Key.Key_X, 2), (Key.Key_Period, 3), (Key.Key_Comma, 2)):
        hand.key(key)
        assert hand.session.class_id == class_id


@habit()
def keys_and_the_wheel_set_the_brush(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    size = hand.tools.brush_size
    hand.key(Key.Key_BracketRight)
    larger = hand.tools.brush_size
    hand.key(Key.Key_BracketLeft)
    assert larger > size == hand.tools.brush_size
    hand.wheel((100, 120), 1, CONTROL)
    assert hand.tools.brush_size == larger
    hand.wheel((100, 120), -1, CONTROL)
    assert hand.tools.brush_size == size
    hand.do("brush_square")
    hand.do("protect")
    assert hand.tools.square
    assert hand.tools.protect
    hand.session.select_class(OTHER)
    y, x = hand.scene.hole
    hand.tools.set_brush_size(15)
    hand.tap((y + 0.5, x + 0.5))
    expected = before.copy()
    square = expected[0, y - 7 : y + 8, x - 7 : x + 8]
    square[square == 0] = OTHER
    hand.same(expected, "a protected square")


@habit()
def shift_draws_a_line_and_alt_erases(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    start = hand.tap((50.5, 60.5))
    expected = swept(hand, before, [start], 24, NUCLEUS)
    QTest.keyPress(hand.handle, Key.Key_Shift)
    end = hand.move((120.5, 150.5), SHIFT)
    assert hand.canvas.tool.preview() is not None
    hand.same(expected, "before the line")
    hand.tap((120.5, 150.5), SHIFT)
    QTest.keyRelease(hand.handle, Key.Key_Shift)
    expected = swept(hand, expected, [start, end], 24, NUCLEUS)
    hand.same(expected, "the line")
    middle = hand.tap((85.5, 105.5), ALT)
    hand.same(swept(hand, expected, [middle], 24, 0), "erased")


@habit()
def escape_drops_what_is_under_way(hand: ToolHand, before: Values) -> None:
    for name in TOOLS:
        hand.take(name)
        hand.press((70.5, 160.5))
        if hand.canvas.tool.drags:
            hand.move((120.5, 190.5))
            hand.key(Key.Key_Escape)
            hand.same(before, f"{name}, dropped")
            hand.release((120.5, 190.5))
        elif getattr(hand.canvas.tool, "points", None):
            hand.release((70.5, 160.5))
            hand.tap((100.5, 190.5))
            hand.key(Key.Key_Escape)
            hand.enter()
        else:  # a click is no way: it is done, or nothing is to be done
            hand.release((70.5, 160.5))
            hand.settle()
            while hand.session.history.next_undo() is not None:
                hand.do("undo")
        hand.settle()
        assert not getattr(hand.canvas.tool, "points", None), name
        hand.same(before, f"{name}, let go")
    assert hand.session.history.next_undo() is None


# -- looking ---------------------------------------------------------------------------------------


@habit()
def space_and_the_wheel_move_the_picture(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    place = hand.move((90.5, 100.5))
    hand.wheel((90.5, 100.5), 2)
    view = hand.canvas.view_state()
    assert view.zoom > 1.3 * 3
    now = hand.hit(place)
    assert np.hypot(now[0] - place[0], now[1] - place[1]) < 0.3, (place, now)
    start = hand.spot(place)
    QTest.keyPress(hand.handle, Key.Key_Space)
    for act in ("press", "move", "release"):
        spot = start if act == "press" else start + QPoint(40, 30)
        if act == "move":
            hand.move_to(spot)
        else:
            {"press": QTest.mousePress, "release": QTest.mouseRelease}[act](
                hand.handle, LEFT, PLAIN, spot
            )
    QTest.keyRelease(hand.handle, Key.Key_Space)
    moved = hand.canvas.view_state()
    assert np.allclose(
        [(view.y - moved.y) * view.zoom, (view.x - moved.x) * view.zoom], [30, 40], atol=0.01
    )
    hand.same(before, "moved, not painted")
    at = hand.canvas.mapFrom(hand.window, start + QPoint(40, 30))
    for action_id in ("zoom_in", "zoom_fit", "zoom_out"):
        hand.do(action_id)
        assert hand.canvas.pointer == hand.canvas.to_image(QPointF(at)), action_id


@habit()
def h_and_tab_hide_the_mask_while_held(hand: ToolHand, before: Values) -> None:
    hand.leave()
    shown = hand.canvas.grab().toImage()
    hand.do("toggle_overlay")
    plain = hand.canvas.grab().toImage()
    hand.do("toggle_overlay")
    assert hand.canvas.grab().toImage() == shown != plain
    for key in (Key.Key_H, Key.Key_Tab):
        QTest.keyPress(hand.handle, key)
        hand.wait(lambda: hand.canvas.grab().toImage() == plain, 5, "the hidden mask")
        QTest.keyRelease(hand.handle, key)
        hand.app.processEvents()
        assert hand.canvas.grab().toImage() == shown, key
    assert hand.canvas.hasFocus()


@habit("stack", 2)
def painting_goes_on_beside_sections_panes_and_previews(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    hand.tools.set_brush_size(6)
    expected = before
    shown = ("toggle_sections", "preview_preprocessing", "toggle_side_by_side")
    for number, action_id in enumerate(shown):
        hand.do(action_id)
        hand.settle()
        assert hand.window.actions_by_id[action_id].isChecked(), action_id
        path = hand.drag((50.5 + 9 * number, 74.5), (54.5 + 9 * number, 86.5))
        expected = swept(hand, expected, path, 6, NUCLEUS)
        hand.same(expected, action_id)
    hand.picture("everything beside")
    for action_id in shown:
        hand.do(action_id)
        hand.settle()
        assert not hand.window.actions_by_id[action_id].isChecked(), action_id


# -- planes ----------------------------------------------------------------------------------------


@habit("stack", 0)
def planes_are_copied(hand: ToolHand, before: Values) -> None:
    hand.key(Key.Key_PageDown)
    hand.key(Key.Key_PageUp)
    assert hand.z == 0
    hand.do("copy_to_next")
    expected = before.copy()
    expected[1] = before[0]
    assert hand.z == 1
    hand.same(expected, "copied to the next")
    hand.session.select_plane(4)
    hand.session.select_class(OTHER)
    hand.do("copy_class_to_previous")
    hand.same(expected, "a class that is not there")
    hand.session.select_plane(4)
    hand.session.select_class(NUCLEUS)
    hand.do("copy_class_to_previous")
    expected[3] = before[4]
    hand.same(expected, "a class to the previous")
    assert hand.z == 3


@habit("stack", 2)
def planes_between_are_interpolated(hand: ToolHand, before: Values) -> None:
    hand.do("interpolate_here")
    hand.settle()
    here = made(before, Interpolate(((0, 4),), (2,)))
    assert here[2].any()
    assert not here[[1, 3]].any()
    hand.same(here, "this plane")
    hand.do("undo")
    hand.do("interpolate_gaps")
    hand.settle()
    every = made(before, Interpolate(((0, 4),)))
    assert all((every[z] == NUCLEUS).any() for z in range(5))
    hand.same(every, "all between")


@habit()
def a_plane_is_cleared_inverted_and_filled(hand: ToolHand, before: Values) -> None:
    flat = before[0]
    hand.do("fill_background")
    full = np.where(flat == 0, BACKGROUND, flat)
    hand.same(full[None], "the rest is background")
    hand.do("invert_plane")
    swapped = np.choose(full, [0, NUCLEUS, BACKGROUND, OTHER]).astype(np.uint8)
    hand.same(swapped[None], "inverted")
    hand.do("clear_class")
    hand.same(np.where(swapped == NUCLEUS, 0, swapped)[None], "the class cleared")
    hand.do("clear_plane")
    assert not hand.mask().any()
    for expected in (np.where(swapped == NUCLEUS, 0, swapped), swapped, full, flat):
        hand.do("undo")
        hand.same(expected[None], "step by step back")


@habit()
def keys_reshape_what_is_under_the_pointer(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    hand.tools.set_value("radius", 2)
    y, x = hand.scene.second
    hand.move(centre((y, x)))
    expected = before
    for operation in ("grow", "smooth", "shrink"):
        hand.do(f"{operation}_region")
        hand.settle()
        expected = made(expected, Reshape(operation, "object", 0, y, x, 2, protect=False))
        hand.same(expected, operation)


@habit()
def a_double_click_beside_the_image_fits_it(hand: ToolHand, before: Values) -> None:
    hand.take("brush")
    hand.canvas.set_zoom(1.0)
    at = hand.canvas.mapTo(hand.window, QPoint(8, hand.canvas.height() // 2))
    QTest.mouseDClick(hand.handle, Qt.MouseButton.LeftButton, PLAIN, at)
    hand.settle()
    assert hand.canvas.is_fitted
    hand.same(before, "nothing painted")
