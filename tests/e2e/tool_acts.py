"""Every tool used by mouse and by keys: what is done, and exactly what must come of it.

An act takes a hand that holds its tool and the mask as it is, and returns the mask as it must be.
The expectation is worked out apart from the window: by a slow and plain reference where there is
one, else by the edit of the core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint

from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.outlines import PaintPolygon
from orgseg_app.core.painting.brush import snapped
from orgseg_app.core.painting.livewire import (
    LivewireMap,
    joined,
    on_edge,
    step_for,
    window_around,
)
from orgseg_app.gui.canvas.tools.guided import SNAP_PX
from orgseg_app.gui.canvas.tools.seen import SeenPlane
from tests.e2e.tool_hand import (
    ALT,
    CONTROL,
    PLAIN,
    SHIFT,
    Key,
    Place,
    ToolHand,
    Values,
    centre,
    distance_from_way,
    made,
)
from tests.e2e.tool_scene import NUCLEUS, OTHER, VOXEL_UM

Run = Callable[[ToolHand, Values], Values]
MOUSE, KEYS = "mouse", "keys"


@dataclass(frozen=True)
class Act:
    """One way to use a tool.

    Attributes
    ----------
    tool
        Its name in the registry.
    by
        `MOUSE` or `KEYS`.
    image, z
        Where.
    run
        Does it.
    """

    tool: str
    by: str
    image: str
    z: int
    run: Run

    @property
    def title(self) -> str:
        """What is done, by what."""
        return f"{self.run.__name__.strip('_').replace('_', ' ')}, by {self.by}"


ACTS: list[Act] = []


def act(tool: str, *ways: str, image: str = "flat", z: int = 0) -> Callable[[Run], Run]:
    """Tell that this is how a tool is used; with `KEYS` too where the same can be done by them."""

    def register(run: Run) -> Run:
        ACTS.extend(Act(tool, by, image, z, run) for by in ways)
        return run

    return register


def way(hand: ToolHand, *places: Place) -> list[Place]:
    """Press at the first place, go through the others, let go; by what the hand has at hand."""
    return hand.stroke_by_keys(*places) if hand.by_keys else hand.drag(*map(centre, places))


def click(hand: ToolHand, place: Place, keys: object = PLAIN) -> Place:
    """Point there and press shortly."""
    if not hand.by_keys:
        return hand.tap(centre(place), keys)
    hand.walk(place)
    hand.enter(keys)
    return hand.canvas.pointer


def where_voxels(mask: Values, z: int, where: NDArray[np.bool_], class_id: int) -> Values:
    """A mask with a class on part of one plane."""
    found = mask.copy()
    found[z][where] = class_id
    return found


def swept(hand: ToolHand, before: Values, path: list[Place], size: int, class_id: int) -> Values:
    """A round brush drawn through places."""
    snapped_path = [snapped(place, size) for place in path]
    far = distance_from_way(before.shape[1:], snapped_path)
    return where_voxels(before, hand.z, far <= size / 2 + 1e-6, class_id)


# -- tools that change nothing ---------------------------------------------------------------------


@act("pan", MOUSE)
def move_the_picture(hand: ToolHand, before: Values) -> Values:
    view, start = hand.canvas.view_state(), hand.spot((100.5, 120.5))
    hand.press((100.5, 120.5))
    for step in (QPoint(-30, -60), QPoint(-60, -30)):
        hand.move_to(start + step)
    hand.lift(start + QPoint(-60, -30))
    now = hand.canvas.view_state()
    assert (now.y, now.x, now.zoom) == (view.y + 10, view.x + 20, view.zoom), (view, now)
    return before


@act("pan", KEYS)
def keep_the_cursor_in_sight(hand: ToolHand, before: Values) -> Values:
    hand.canvas.set_zoom(10.0)
    view = hand.canvas.view_state()
    hand.walk((3, 230))
    at = hand.canvas.to_widget(*hand.canvas.pointer)
    assert hand.canvas.view_state() != view
    assert hand.canvas.rect().contains(at.toPoint()), at
    return before


@act("picker", MOUSE, KEYS)
def pick_a_class(hand: ToolHand, before: Values) -> Values:
    hand.session.select_class(OTHER)
    click(hand, (3, 235))
    assert before[0, 3, 235] == 0
    assert hand.session.class_id == OTHER
    click(hand, hand.scene.first)
    assert hand.session.class_id == NUCLEUS
    return before


@act("ruler", MOUSE, KEYS)
def measure(hand: ToolHand, before: Values) -> Values:
    (y0, x0), *_, (y1, x1) = way(hand, (40, 50), (80, 80), (100, 130))
    um = np.hypot((y1 - y0) * hand.scene.flat_um[1], (x1 - x0) * hand.scene.flat_um[2])
    text = hand.canvas.tool.text
    assert text.startswith(f"{um:.3g}"), (text, um)
    assert hand.parts.status.hint.text().startswith(f"{um:.3g}")
    hand.key(Key.Key_Escape)
    assert hand.canvas.tool.points == []
    return before


# -- strokes ---------------------------------------------------------------------------------------


@act("brush", MOUSE, KEYS)
def paint_a_stroke(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_brush_size(9)
    path = way(hand, (60, 70), (66, 92), (90, 100))
    return swept(hand, before, path, 9, NUCLEUS)


@act("brush", MOUSE, KEYS)
def paint_with_others_protected(hand: ToolHand, before: Values) -> Values:
    hand.session.select_class(OTHER)
    hand.tools.set_protect(True)
    y, x = hand.scene.first
    path = way(hand, (y, max(x - 30, 13)), (y, x + 30))
    painted = swept(hand, before, path, 24, OTHER)
    return np.where(before == NUCLEUS, before, painted)


@act("brush", MOUSE, KEYS)
def paint_a_range_of_values(hand: ToolHand, before: Values) -> Values:
    low, high = np.quantile(hand.scene.flat[hand.scene.free], (0.2, 0.8)).astype(int).tolist()
    hand.tools.set_value("limit", "range")
    hand.tools.set_value("limit_low", low)
    hand.tools.set_value("limit_high", high)
    y0, x0, y1, x1 = hand.scene.free_box
    path = way(hand, (y0 + 2, x0 + 2), (y1 - 3, x1 - 3))
    painted = swept(hand, before, path, 24, NUCLEUS)
    fits = (hand.scene.flat >= low) & (hand.scene.flat <= high)
    return np.where(fits, painted, before)


@act("eraser", MOUSE, KEYS)
def erase(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_brush_size(12)
    y, x = hand.scene.first
    path = way(hand, (y - 8, x - 4), (y + 6, x + 9))
    return swept(hand, before, path, 12, 0)


@act("ball", MOUSE, KEYS, image="stack", z=2)
def paint_a_ball(hand: ToolHand, before: Values) -> Values:
    path = [snapped(place, 24) for place in way(hand, (60, 80), (70, 92))]
    flat = distance_from_way(before.shape[1:], path)
    expected = before.copy()
    for z in range(before.shape[0]):
        deep = (z - 2) * VOXEL_UM[0] / VOXEL_UM[1]
        expected[z][np.hypot(flat, deep) <= 12 + 1e-6] = NUCLEUS
    assert len(np.unique(np.nonzero(expected == NUCLEUS)[0])) == 5
    return expected


# -- outlines --------------------------------------------------------------------------------------


def corners(hand: ToolHand, places: list[Place]) -> tuple[Place, ...]:
    """Click corner after corner, and close: at the first one, or by Ctrl+Enter."""
    found = [click(hand, place) for place in places]
    if hand.by_keys:
        hand.enter(CONTROL)
    else:
        hand.tap(centre(places[0]))
    hand.settle()
    return tuple(found)


@act("polygon", MOUSE, KEYS)
def outline_by_corners(hand: ToolHand, before: Values) -> Values:
    found = corners(hand, [(30, 40), (36, 120), (110, 100), (80, 60)])
    return made(before, PaintPolygon(0, found, NUCLEUS))


@act("polygon", KEYS, MOUSE)
def take_a_corner_back(hand: ToolHand, before: Values) -> Values:
    click(hand, (30, 40))
    click(hand, (150, 200))
    hand.key(Key.Key_Backspace)
    assert len(hand.canvas.tool.points) == 1
    rest = [click(hand, place) for place in ((36, 120), (110, 100))]
    hand.enter(CONTROL if hand.by_keys else PLAIN)
    first = (30.5, 40.5) if hand.by_keys else hand.hit((30.5, 40.5))
    return made(before, PaintPolygon(0, (first, *rest), NUCLEUS))


@act("lasso", MOUSE, KEYS)
def draw_around(hand: ToolHand, before: Values) -> Values:
    found = way(hand, (40, 60), (60, 90), (100, 95), (110, 60), (80, 40))
    return made(before, PaintPolygon(0, tuple(found), NUCLEUS))


@act("rectangle", MOUSE, KEYS)
def fill_a_rectangle(hand: ToolHand, before: Values) -> Values:
    way(hand, (100, 150), (60, 160), (40, 110))
    expected = before.copy()
    expected[0, 40:101, 110:151] = NUCLEUS
    return expected


@act("rectangle", MOUSE)
def fill_a_square_from_its_middle(hand: ToolHand, before: Values) -> Values:
    hand.press((80.5, 100.5), SHIFT | ALT)
    hand.move((90.5, 130.5), SHIFT | ALT)
    hand.release((90.5, 130.5), SHIFT | ALT)
    expected = before.copy()
    expected[0, 50:111, 70:131] = NUCLEUS
    return expected


@act("ellipse", MOUSE, KEYS)
def fill_an_ellipse(hand: ToolHand, before: Values) -> Values:
    way(hand, (50, 60), (70, 80), (89, 123))
    y, x = np.mgrid[: before.shape[1], : before.shape[2]] + 0.5
    inside = ((y - 70) / 20) ** 2 + ((x - 92) / 32) ** 2 <= 1
    return where_voxels(before, 0, inside, NUCLEUS)


@act("livewire", MOUSE, KEYS)
def follow_an_edge(hand: ToolHand, before: Values) -> Values:
    y0, x0, y1, x1 = hand.scene.free_box
    my, mx = (y0 + y1) // 2, (x0 + x1) // 2
    seen = SeenPlane.of(hand.canvas)
    assert seen is not None
    step = step_for(hand.canvas.view_state().zoom)
    found = corners(hand, [(y0 + 4, mx), (my, x1 - 5), (y1 - 5, mx), (my, x0 + 4)])
    whole = seen.read(0, 0, before.shape[1], before.shape[2])
    reach = SNAP_PX / hand.canvas.view_state().zoom
    found = [on_edge(whole, (0, 0), place, reach) for place in found]
    paths = []
    for start, end in zip(found, found[1:] + found[:1], strict=True):
        window = window_around(start, (before.shape[1], before.shape[2]), step)
        paths.append(LivewireMap(seen.read(*window), window[:2], start, step).path(end))
    return made(before, PaintLivewire(0, joined(paths), NUCLEUS))
