"""Tools that are guided by the picture or by what is painted, used by mouse and by keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orgseg_app.core.painting import grabcut
from orgseg_app.core.painting.superpixels import slic
from orgseg_app.gui.canvas.tools.seen import SeenPlane
from tests.e2e.tool_acts import KEYS, MOUSE, act, click, way, where_voxels
from tests.e2e.tool_hand import CONTROL, SHIFT, Key, ToolHand, Values, centre
from tests.e2e.tool_scene import NUCLEUS, OTHER


def object_at(plane: NDArray[np.generic], voxel: tuple[int, ...]) -> NDArray[np.bool_]:
    """What hangs together with a voxel by its sides and has its value, in as many dimensions."""
    labels, _ = ndimage.label(plane == plane[voxel])
    return np.asarray(labels == labels[voxel])


# -- guided by the picture -------------------------------------------------------------------------


@act("superpixels", MOUSE, KEYS)
def paint_patches(hand: ToolHand, before: Values) -> Values:
    seen = SeenPlane.of(hand.canvas)
    assert seen is not None
    patches = slic(seen.read(0, 0, before.shape[1], before.shape[2]), 16, 10.0)
    y, x = hand.scene.free_middle
    path = way(hand, (y, x), (y, x + 10))
    hand.settle()
    touched = set()
    for (ay, ax), (by, bx) in zip(path[:1] + path[:-1], path, strict=True):
        steps = max(1, int(np.ceil(4 * np.hypot(by - ay, bx - ax) / 16)))
        for i in range(1, steps + 1):
            place = (ay + (by - ay) * i / steps, ax + (bx - ax) * i / steps)
            touched.add(int(patches[int(place[0]), int(place[1])]))
    return where_voxels(before, 0, np.isin(patches, sorted(touched)), NUCLEUS)


@act("grabcut", MOUSE, KEYS)
def find_the_object_in_a_box(hand: ToolHand, before: Values) -> Values:
    seen = SeenPlane.of(hand.canvas)
    assert seen is not None
    y0, x0, y1, x1 = hand.scene.free_box
    path = np.array(way(hand, (y0, x0), (y1 - 1, x1 - 1)))
    hand.settle()
    box = (*np.floor(path.min(axis=0)).astype(int), *np.ceil(path.max(axis=0)).astype(int))
    top, left, bottom, right = grabcut.window_around(box, before.shape[1:])
    picture = seen.read(top, left, bottom, right)
    inside = (box[0] - top, box[1] - left, box[2] - top, box[3] - left)
    found = np.zeros(before.shape[1:], np.bool_)
    found[box[0] : box[2], box[1] : box[3]] = grabcut.cut(picture, inside)
    assert (found & hand.scene.free).sum() > 0.7 * (found | hand.scene.free).sum()
    return where_voxels(before, 0, found, NUCLEUS)


@act("wand", MOUSE, KEYS)
def paint_what_looks_alike(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_value("wand_tolerance", 25.0)
    hand.tools.set_value("wand_smooth", 0.0)
    place = hand.scene.free_middle
    click(hand, place)
    (low, high), values = hand.canvas.display.shown_levels()[0], hand.scene.flat.astype(float)
    alike = np.abs(values - values[place]) <= 0.25 * (high - low)
    labels, _ = ndimage.label(alike)
    return where_voxels(before, 0, labels == labels[place], NUCLEUS)


# -- regions ---------------------------------------------------------------------------------------


@act("fill", MOUSE, KEYS)
def fill_a_region(hand: ToolHand, before: Values) -> Values:
    hand.session.select_class(OTHER)
    click(hand, hand.scene.first)
    return where_voxels(before, 0, object_at(before[0], hand.scene.first), OTHER)


@act("fill", MOUSE, KEYS, image="stack", z=2)
def fill_through_the_planes(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_value("in_3d", True)
    click(hand, (20, 20))
    hand.settle()
    expected = before.copy()
    expected[object_at(before, (2, 20, 20))] = NUCLEUS
    return expected


@act("holes", MOUSE, KEYS)
def fill_the_hole_of_a_region(hand: ToolHand, before: Values) -> Values:
    click(hand, hand.scene.first)
    region = object_at(before[0], hand.scene.first)
    full = np.asarray(ndimage.binary_fill_holes(region))
    assert full[hand.scene.hole]
    assert not region[hand.scene.hole]
    return where_voxels(before, 0, full, NUCLEUS)


@act("component", MOUSE, KEYS)
def give_a_region_another_class(hand: ToolHand, before: Values) -> Values:
    hand.session.select_class(OTHER)
    way(hand, hand.scene.second)
    return where_voxels(before, 0, object_at(before[0], hand.scene.second), OTHER)


@act("component", MOUSE, KEYS)
def delete_a_region(hand: ToolHand, before: Values) -> Values:
    if hand.by_keys:
        hand.walk(hand.scene.second)
        hand.key(Key.Key_Backspace)
    else:
        hand.tap(centre(hand.scene.second), CONTROL)
    return where_voxels(before, 0, object_at(before[0], hand.scene.second), 0)


@act("component", MOUSE, KEYS)
def join_a_region_to_another(hand: ToolHand, before: Values) -> Values:
    way(hand, hand.scene.second, hand.scene.third)
    assert before[0][hand.scene.third] == OTHER
    return where_voxels(before, 0, object_at(before[0], hand.scene.second), OTHER)


@act("component", MOUSE, KEYS)
def split_a_region(hand: ToolHand, before: Values) -> Values:
    y, x = hand.scene.second
    ys, _ = np.nonzero(object_at(before[0], hand.scene.second))
    top, bottom = max(int(ys.min()) - 2, 0), min(int(ys.max()) + 2, before.shape[1] - 1)
    if hand.by_keys:
        hand.walk((top, x))
        hand.enter(SHIFT)
        hand.walk((bottom, x))
        hand.enter()
    else:
        hand.drag((top + 0.5, x + 0.5), (bottom + 0.5, x + 0.5), keys=SHIFT)
    return where_voxels(before, 0, _column(object_at(before[0], (y, x)), x), 0)


def _column(where: NDArray[np.bool_], x: int) -> NDArray[np.bool_]:
    found = np.zeros_like(where)
    found[:, x] = where[:, x]
    return found


@act("reshape", MOUSE, KEYS)
def grow_an_object(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_value("radius", 3)
    click(hand, hand.scene.second)
    region = object_at(before[0], hand.scene.second)
    far = ndimage.distance_transform_edt(~region)
    return where_voxels(before, 0, far <= 3, NUCLEUS)


@act("reshape", MOUSE, KEYS)
def shrink_an_object(hand: ToolHand, before: Values) -> Values:
    hand.tools.set_value("operation", "shrink")
    hand.tools.set_value("radius", 2)
    click(hand, hand.scene.second)
    region = object_at(before[0], hand.scene.second)
    padded = np.pad(region, 4, mode="edge")  # the edge of the image eats nothing
    far = ndimage.distance_transform_edt(padded)[4:-4, 4:-4]
    return where_voxels(before, 0, region & (far <= 2), 0)
