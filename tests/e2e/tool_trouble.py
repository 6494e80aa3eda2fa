"""What may happen in the middle of every tool's work, images of any shape, and looking only."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize

from orgseg_app.core.image import open_array
from orgseg_app.core.samples.catalogue import simulate
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.tools.registry import TOOLS
from tests.e2e.tool_hand import CONTROL, Key, Place, ToolHand

SHAPES = {"a tiny": (1, 1), "a high": (16384, 8), "a wide": (8, 4000)}
ZOOMS = {"a tiny": 40.0, "a high": 8.0, "a wide": 8.0}
SMALL_WINDOW = QSize(640, 400)


def masks(hand: ToolHand) -> dict[str, bytes]:
    """What is painted on every image."""
    images = hand.session.project.images
    return {i: hand.session.mask(i).to_array().tobytes() for i in images}


def begin(hand: ToolHand, name: str, places: list[Place]) -> None:
    """Half of what a tool does: pressed and moved, or some of an outline."""
    hand.take(name)
    if hand.canvas.tool.drags:
        hand.press(places[0])
        for place in places[1:]:
            hand.move(place)
    else:
        for place in places:
            hand.tap(place)
        hand.press(places[-1])


def end(hand: ToolHand) -> None:
    """The hand is lifted, wherever it is by now."""
    spot = hand.parts.status.mapTo(hand.window, hand.parts.status.rect().center())
    hand.move_to(spot)
    hand.lift(spot)
    hand.settle()
    assert hand.session.recorder is None, "a stroke without end"


def undo_all(hand: ToolHand) -> None:
    """Every step back, by its key."""
    hand.window.show_workspace("annotate")
    hand.canvas.setFocus()
    for _ in range(20):
        if hand.session.history.next_undo() is None:
            return
        hand.do("undo")
        hand.settle()
    raise AssertionError("more steps than were made")


def other_tool(hand: ToolHand) -> None:
    hand.take("pan" if hand.canvas.tool.name == "brush" else "brush")


def other_image(hand: ToolHand) -> None:
    hand.do("next_image")
    hand.settle()


def other_plane(hand: ToolHand) -> None:
    hand.do("next_plane")
    hand.settle()


def other_workspace(hand: ToolHand) -> None:
    hand.key(Key.Key_2, CONTROL)
    hand.key(Key.Key_3, CONTROL)
    hand.key(Key.Key_1, CONTROL)


def undo_meanwhile(hand: ToolHand) -> None:
    hand.do("undo")
    hand.do("redo")


def class_deleted(hand: ToolHand) -> None:
    """The one in the hand; undo brings it back."""
    hand.session.remove_class(hand.session.class_id)


def smallest_window(hand: ToolHand) -> None:
    hand.window.resize(SMALL_WINDOW)
    hand.rest(0.02)
    hand.window.resize(1280, 800)


def other_settings(hand: ToolHand) -> None:
    for action_id in ("brush_larger", "brush_square", "protect", "swap_class", "class_3"):
        hand.do(action_id)
    hand.move((60.5, 70.5))


def other_view(hand: ToolHand) -> None:
    hand.wheel((60.5, 80.5), 3)
    hand.do("zoom_out")
    hand.do("toggle_overlay")
    hand.do("toggle_overlay")
    hand.move((60.5, 80.5))
    hand.do("zoom_fit")


Happening = Callable[[ToolHand], None]
HAPPENINGS: dict[str, Happening] = {
    "another tool is taken": other_tool,
    "another image is shown": other_image,
    "another plane is shown": other_plane,
    "another workspace is opened": other_workspace,
    "something is undone": undo_meanwhile,
    "it is set otherwise": other_settings,
    "the picture moves": other_view,
    "its class is deleted": class_deleted,
    "the window shrinks": smallest_window,
}


def meanwhile(happening: Happening, hand: ToolHand) -> None:
    """In the middle of each tool's work something else happens; nothing is lost, nothing stuck."""
    hand.start("stack", 2)
    before = masks(hand)
    for name in TOOLS:
        hand.start("stack", 2)
        here = hand.session.image_id
        begin(hand, name, [(40.5, 60.5), (48.5, 90.5), (80.5, 96.5)])
        happening(hand)
        end(hand)
        if happening is not class_deleted:  # that is so everywhere
            others = {i: found for i, found in masks(hand).items() if i != here}
            assert all(before[i] == found for i, found in others.items()), f"{name}: another image"
        assert not hand.errors, f"{name}: {hand.errors}"
        undo_all(hand)
        assert masks(hand) == before, f"{name}: not as before when undone"


def image_goes(hand: ToolHand) -> None:
    """The image under the hand is removed; what is left can be painted on."""
    extra = simulate("nuclei", 1, size=(64, 64)).pixels
    for name in TOOLS:
        hand.session.add_images([NewImage(open_array("goes", extra), "train")])
        hand.settle()
        hand.start("goes")
        begin(hand, name, [(12.5, 16.5), (18.5, 40.5), (44.5, 50.5)])
        hand.session.remove_image(hand.session.image_id)
        hand.settle()
        end(hand)
        assert hand.session.image is not None
        assert "goes" not in [i.name for i in hand.session.project.images.values()]
        assert not hand.errors, f"{name}: {hand.errors}"


def any_shape(shape: str, hand: ToolHand) -> None:
    """Every tool on an image of an odd shape, by mouse and by keys."""
    height, width = SHAPES[shape]
    pixels = simulate("nuclei", 2, size=(height, width)).pixels
    hand.session.add_images([NewImage(open_array(shape, pixels), "train")])
    hand.settle()
    before = hand.start(shape)
    hand.canvas.set_zoom(ZOOMS[shape])
    middle = (height // 2 + 0.5, width // 2 + 0.5)
    beside = (min(middle[0] + 3, height - 0.5), min(middle[1] + 3, width - 0.5))
    for name in TOOLS:
        hand.take(name)
        hand.drag(middle, beside)
        hand.tap(middle)
        hand.tap(beside)
        hand.tap((beside[0], middle[1]))
        hand.key(Key.Key_Return)
        hand.settle()
        hand.walk(middle)
        hand.enter()
        hand.walk(beside)
        hand.enter()
        hand.enter(CONTROL)
        hand.settle()
        assert not hand.errors, f"{name}: {hand.errors}"
        assert hand.session.recorder is None, name
        hand.leave()
        hand.canvas.tool.cancel()
        undo_all(hand)
        hand.same(before, name)
        hand.start(shape)
        hand.canvas.set_zoom(ZOOMS[shape])


def looking_only(hand: ToolHand) -> None:
    """A second window of the project: every tool says so once, and nothing changes."""
    hand.start("flat")
    hand.session.save()
    hand.settle()
    stored = hand.path.read_bytes()
    other = ToolHand(hand.scene, hand.path, is_new=False)
    try:
        assert other.session.is_read_only
        before = other.start("flat")
        for name in TOOLS:
            other.tools.set_tool(name)
            for by_keys in (False, True):
                other.said.clear()
                if by_keys:
                    other.walk((100, 120))
                    other.enter()
                else:
                    other.tap((100.5, 120.5))
                other.settle()
                edits = other.canvas.tool.edits
                assert ["read-only" in text for text in other.said] == [True] * edits, other.said
                other.same(before, name)
    finally:
        other.close()
    assert hand.path.read_bytes() == stored
