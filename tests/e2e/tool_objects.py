"""Objects mode at the window: every tool paints the object in the hand, and whole objects change.

What a tool touches is told by its act of `tests.e2e.tool_acts`, which is given a mask full of a
class that nobody has: where another comes back, it painted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orgseg_app.core.edits.objects import SplitObject
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import Objects
from orgseg_app.gui.canvas.tools.registry import TOOL_CLASSES
from tests.e2e.tool_acts import ACTS, KEYS, MOUSE, Act, click, swept, way
from tests.e2e.tool_hand import ALT, CONTROL, SHIFT, Key, ToolHand, Values, centre
from tests.e2e.tool_scene import NUCLEUS, OTHER

Numbers = NDArray[np.uint32]
State = tuple[Values, Numbers]
NOBODYS = 7
EDITING = {kind.name for kind in TOOL_CLASSES if kind.edits}
PAINTED_OVER = {"fill", "holes", "component", "reshape"}
"""What these tools touch depends on what is painted; the others paint whatever is there."""

PAINTING = [
    act
    for act in ACTS
    if act.tool in EDITING
    and act.tool not in PAINTED_OVER
    and act.run.__name__ != "paint_with_others_protected"
]


@dataclass(frozen=True)
class ObjectAct:
    """Something done with objects that are there.

    Attributes
    ----------
    tool
        Taken by its key before; "" for whatever.
    by
        `MOUSE` or `KEYS`.
    run
        Does it; gets and returns mask and numbers.
    """

    tool: str
    by: str
    run: Callable[[ToolHand, State], State]

    @property
    def title(self) -> str:
        """What is done, by what."""
        return f"objects: {self.run.__name__.replace('_', ' ')}, by {self.by}"


OBJECT_ACTS: list[ObjectAct] = []


def object_act(
    tool: str, *ways: str
) -> Callable[[Callable[[ToolHand, State], State]], Callable[[ToolHand, State], State]]:
    """Tell that this can be done, by mouse and by keys unless told otherwise."""

    def register(run: Callable[[ToolHand, State], State]) -> Callable[[ToolHand, State], State]:
        OBJECT_ACTS.extend(ObjectAct(tool, by, run) for by in ways or (MOUSE, KEYS))
        return run

    return register


# -- doing and checking ----------------------------------------------------------------------------


def state(hand: ToolHand) -> State:
    """Mask and numbers of the image."""
    return hand.mask(), np.asarray(hand.session.mask().objects.to_array())


def same(hand: ToolHand, expected: State, what: str) -> None:
    """Mask and numbers are exactly these."""
    hand.same(expected[0], what)
    found = state(hand)[1]
    if found.tobytes() != expected[1].tobytes():
        wrong = np.argwhere(found != expected[1])
        first = tuple(int(i) for i in wrong[0])
        raise AssertionError(
            f"{what}: {len(wrong)} numbers differ, the first at {first}: {found[first]} instead of "
            f"{expected[1][first]}; said: {hand.said[-3:]}"
        )


def go_into_the_mode(hand: ToolHand, image: str, z: int) -> State:
    """Number everything that is painted on the image, and take a new object."""
    hand.start(image, z)
    hand.do("objects_mode")
    hand.window.actions_by_id["make_objects"].trigger()
    hand.settle()
    objects = hand.session.objects
    assert objects.is_on
    assert objects.number > state(hand)[1].max()
    return state(hand)


def leave_the_mode(hand: ToolHand) -> None:
    """Undo everything, and go on as if nothing had been."""
    while hand.session.history.next_undo() is not None:
        hand.do("undo")
    hand.settle()
    assert not state(hand)[1].any()
    if hand.session.objects.is_on:
        hand.do("objects_mode")


def undone_and_redone(hand: ToolHand, before: State, expected: State, *, again: bool) -> None:
    """The one step is undone byte by byte, and redone; with ``again`` read from the file, too."""
    hand.settle()
    same(hand, expected, "after the act")
    hand.do("undo")
    hand.settle()
    same(hand, before, "undone")
    hand.do("redo")
    hand.settle()
    same(hand, expected, "redone")
    if again:
        hand.reopen()
        assert hand.session.objects.is_on, "the mode is forgotten"
        same(hand, expected, "read again")
        hand.do("undo")
        hand.settle()
        same(hand, before, "undone after reopening")


def paint_object(act: Act, hand: ToolHand) -> None:
    """A tool paints the object in the hand, over other objects too."""
    before = go_into_the_mode(hand, act.image, act.z)
    number, steps = hand.session.objects.number, len(hand.session.history)
    hand.by_keys = act.by == KEYS
    hand.take(act.tool)
    touched = act.run(hand, np.full_like(before[0], NOBODYS))
    where = touched != NOBODYS
    assert where.any()
    expected = (
        np.where(where, touched, before[0]),
        np.where(where, np.where(touched > 1, number, 0), before[1]).astype(np.uint32),
    )
    hand.settle()
    assert len(hand.session.history) == steps + 1
    undone_and_redone(hand, before, expected, again=act.by == MOUSE)
    leave_the_mode(hand)


def change_objects(act: ObjectAct, hand: ToolHand) -> None:
    """Objects that are there are changed, in one step."""
    before = go_into_the_mode(hand, "flat", 0)
    steps = len(hand.session.history)
    hand.by_keys = act.by == KEYS
    if act.tool:
        hand.take(act.tool)
    expected = act.run(hand, before)
    hand.settle()
    if len(hand.session.history) == steps:
        same(hand, expected, "nothing done")
        same(hand, before, "nothing done")
    else:
        assert len(hand.session.history) == steps + 1
        undone_and_redone(hand, before, expected, again=act.by == MOUSE)
    leave_the_mode(hand)


def make_objects(hand: ToolHand) -> None:
    """What is painted becomes objects: on the plane, then through all planes."""
    before = hand.start("stack", 0)
    volume = np.asarray(ndimage.label(before == NUCLEUS, np.ones((3, 3, 3)))[0])
    assert volume.max() == 2, "squares on the first and on the last plane"
    hand.window.actions_by_id["make_objects_plane"].trigger()
    hand.settle()
    objects = hand.session.objects
    assert objects.is_on
    numbers = state(hand)[1]
    (first,) = set(np.unique(numbers[0]).tolist()) - {0}
    plane = np.where(volume == 1, first, 0).astype(np.uint32)
    same(hand, (before, plane), "the plane")
    hand.window.actions_by_id["make_objects"].trigger()
    hand.settle()
    (last,) = set(np.unique(state(hand)[1]).tolist()) - {0, first}
    same(hand, (before, np.where(volume == 2, last, plane).astype(np.uint32)), "all planes")
    hand.do("undo")
    same(hand, (before, plane), "undone")
    leave_the_mode(hand)


def changed(before: State, edit: Edit) -> State:
    """Mask and numbers after an edit of the core, without any window."""
    mask = Mask.from_array(before[0])
    mask.objects = Objects.from_array(before[1])
    edit.apply(Recorder("image", mask))
    return mask.to_array(), mask.objects.to_array()


def at(before: State, place: tuple[int, int]) -> tuple[int, NDArray[np.bool_]]:
    """The object at a place of the plane: its number, and where it is in the volume."""
    number = int(before[1][0][place])
    assert number
    return number, before[1] == number


def numbered(before: State, where: NDArray[np.bool_], class_id: int, number: int) -> State:
    """With another class and number somewhere."""
    mask, numbers = before[0].copy(), before[1].copy()
    mask[where], numbers[where] = class_id, number
    return mask, numbers


# -- what is in the hand ---------------------------------------------------------------------------


@object_act("brush")
def an_object_is_picked_and_goes_on(hand: ToolHand, before: State) -> State:
    number, _ = at(before, hand.scene.third)
    if hand.by_keys:
        hand.take("picker")
        click(hand, hand.scene.third)
        hand.take("brush")
    else:
        hand.tap(centre(hand.scene.third), CONTROL)
    assert (hand.session.objects.number, hand.session.class_id) == (number, OTHER)
    hand.tools.set_brush_size(9)
    path = way(hand, (60, 170), (66, 192))
    touched = swept(hand, np.full_like(before[0], NOBODYS), path, 9, OTHER) != NOBODYS
    return numbered(before, touched, OTHER, number)


@object_act("brush")
def an_object_is_painted_with_others_protected(hand: ToolHand, before: State) -> State:
    hand.do("protect")
    hand.do("new_object")
    number = hand.session.objects.number
    y, x = hand.scene.first
    path = way(hand, (y, max(x - 30, 13)), (y, x + 30))
    touched = swept(hand, np.full_like(before[0], NOBODYS), path, 24, NUCLEUS) != NOBODYS
    return numbered(before, touched & (before[0] == 0), NUCLEUS, number)


@object_act("rectangle")
def every_stroke_paints_a_new_object(hand: ToolHand, before: State) -> State:
    first = hand.session.objects.number
    hand.window.actions_by_id["object_each_stroke"].trigger()
    way(hand, (150, 200), (160, 210))
    between = numbered(before, _box(before, 150, 200, 161, 211), NUCLEUS, first)
    hand.settle()
    same(hand, between, "the first of two")
    assert hand.session.objects.number == first + 1
    hand.do("undo")
    way(hand, (150, 211), (160, 220))
    hand.window.actions_by_id["object_each_stroke"].trigger()
    return numbered(before, _box(before, 150, 211, 161, 221), NUCLEUS, first + 1)


def _box(before: State, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
    where = np.zeros(before[0].shape, np.bool_)
    where[0, y0:y1, x0:x1] = True
    return where


# -- regions ---------------------------------------------------------------------------------------


@object_act("fill")
def an_object_is_filled_with_the_one_in_the_hand(hand: ToolHand, before: State) -> State:
    _, where = at(before, hand.scene.second)
    click(hand, hand.scene.second)
    return numbered(before, where, NUCLEUS, hand.session.objects.number)


@object_act("fill")
def an_object_is_made_unlabelled(hand: ToolHand, before: State) -> State:
    _, where = at(before, hand.scene.second)
    click(hand, hand.scene.second, ALT)
    return numbered(before, where, 0, 0)


@object_act("holes")
def holes_become_part_of_their_object(hand: ToolHand, before: State) -> State:
    number, where = at(before, hand.scene.first)
    click(hand, hand.scene.first)
    full = np.asarray(ndimage.binary_fill_holes(where[0]))[None]
    assert full[0][hand.scene.hole] > where[0][hand.scene.hole]
    return numbered(before, full & ~where, NUCLEUS, number)


@object_act("reshape")
def an_object_grows_and_others_stay(hand: ToolHand, before: State) -> State:
    hand.tools.set_value("radius", 3)
    number, where = at(before, hand.scene.second)
    click(hand, hand.scene.second)
    grown = ndimage.distance_transform_edt(~where[0]) <= 3
    taken = grown[None] & ((before[1] == 0) | where)
    return numbered(before, taken, NUCLEUS, number)


@object_act("component")
def an_object_gets_another_class(hand: ToolHand, before: State) -> State:
    hand.key(Key.Key_3)
    assert hand.session.class_id == OTHER
    number, where = at(before, hand.scene.second)
    hand.take("component")
    way(hand, hand.scene.second)
    return numbered(before, where, OTHER, number)


@object_act("component")
def an_object_is_deleted(hand: ToolHand, before: State) -> State:
    if hand.by_keys:
        hand.walk(hand.scene.second)
        hand.key(Key.Key_Backspace)
    else:
        hand.tap(centre(hand.scene.second), CONTROL)
    return numbered(before, at(before, hand.scene.second)[1], 0, 0)


@object_act("component")
def an_object_is_merged_into_another(hand: ToolHand, before: State) -> State:
    way(hand, hand.scene.second, hand.scene.third)
    number, _ = at(before, hand.scene.third)
    return numbered(before, at(before, hand.scene.second)[1], OTHER, number)


@object_act("component")
def an_object_is_cut(hand: ToolHand, before: State) -> State:
    number, where = at(before, hand.scene.second)
    x = hand.scene.second[1]
    ys, _ = np.nonzero(where[0])
    top, bottom = max(int(ys.min()) - 2, 0), min(int(ys.max()) + 2, where.shape[1] - 1)
    if hand.by_keys:
        hand.walk((top, x))
        hand.enter(SHIFT)
        hand.walk((bottom, x))
        hand.enter()
        ends = (top + 0.5, x + 0.5), (bottom + 0.5, x + 0.5)
    else:
        first, last = hand.drag((top + 0.5, x + 0.5), (bottom + 0.5, x + 0.5), keys=SHIFT)
        ends = first, last
    hand.settle()
    (new,) = set(np.unique(state(hand)[1]).tolist()) - set(np.unique(before[1]).tolist())
    assert new != hand.session.objects.number
    expected = changed(before, SplitObject(0, ends, new))
    parts = [(expected[1] == n).sum() for n in (number, new)]
    assert sum(parts) == where.sum(), "no voxel is lost"
    assert min(parts) > 0.1 * sum(parts)
    return expected
