"""Stories of every kind of edit, on several images, undone and redone byte by byte.

Each kind of edit has its line in `STORIES`; one without is a failure, so that no new kind is left
out.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import orgseg_app
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.components import ChangeComponent, CutComponent
from orgseg_app.core.edits.grouped_objects import PutObjects
from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.morphology import SCOPES, Reshape
from orgseg_app.core.edits.object_sets import (
    ClassifyObjects,
    DeleteObjects,
    DivideObject,
    FillObjects,
    MergeObjects,
    RenumberObjects,
    SmoothObjects,
)
from orgseg_app.core.edits.objects import (
    ClassifyObject,
    DeleteObject,
    MakeObjects,
    NumberObject,
    SeparateObject,
    SplitObject,
)
from orgseg_app.core.edits.outlines import PaintEllipse, PaintPolygon, PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FillHoles, FloodFill, PaintRegion
from orgseg_app.core.edits.slices import CopyPlane, FillUnlabelled, Interpolate, whole_gaps
from orgseg_app.core.edits.strokes import PaintBall, PaintStroke
from orgseg_app.core.edits.whole import (
    ClearMask,
    InvertPlane,
    MakeAgain,
    MergeClass,
    PaintRest,
    ReplaceMask,
    TakeBack,
)
from orgseg_app.core.history import History
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting.limits import OtsuLimit, RangeLimit, Voxels
from orgseg_app.core.painting.morphology import OPERATIONS
from orgseg_app.core.ready import worked_out
from orgseg_app.files.backups.restore import RestoreMask

SHAPES = {"deep": (5, 70, 90), "wide": (1, 270, 300), "line": (2, 1, 40), "one": (1, 1, 1)}
"""Also over the edge of a block, and as small as can be."""

Shape = tuple[int, int, int]


@dataclass
class World:
    """What a story happens to.

    Attributes
    ----------
    image_id
        The image of the next edit.
    earlier
        Changes of each image so far.
    """

    image_id: str
    masks: dict[str, Mask]
    earlier: dict[str, list[Change]]

    @property
    def shape(self) -> Shape:
        return self.masks[self.image_id].shape

    def voxels(self, z: int) -> Voxels:
        """Values of a plane; no two images or planes have the same."""
        seed = [ord(letter) for letter in self.image_id] + [z]
        return Voxels.of(np.random.default_rng(seed).integers(0, 255, self.shape[1:]))


Draw = st.DrawFn
ids = st.integers(0, 4)
hands = st.sampled_from([0, 0, 1, 2, 70_000])
"""The object in the hand."""
protects = st.booleans()


def z_of(draw: Draw, world: World) -> int:
    return draw(st.integers(0, world.shape[0] - 1))


def voxel(draw: Draw, world: World) -> tuple[int, int, int]:
    """A voxel, now and then outside."""
    _, height, width = world.shape
    return z_of(draw, world), draw(st.integers(-1, height)), draw(st.integers(-1, width))


def inner_voxel(draw: Draw, world: World) -> tuple[int, int, int]:
    _, height, width = world.shape
    return z_of(draw, world), draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))


def points(draw: Draw, world: World, most: int = 4) -> tuple[tuple[float, float], ...]:
    _, height, width = world.shape
    place = st.tuples(st.floats(-20, height + 20), st.floats(-20, width + 20))
    return tuple(draw(st.lists(place, min_size=1, max_size=most)))


def box(draw: Draw, world: World) -> tuple[int, int, int, int]:
    _, y0, x0 = voxel(draw, world)
    return y0, x0, y0 + draw(st.integers(1, 90)), x0 + draw(st.integers(1, 90))


def limit(draw: Draw, voxels: Voxels) -> RangeLimit | OtsuLimit | None:
    kind = draw(st.sampled_from(["none", "range", "otsu"]))
    if kind == "none":
        return None
    if kind == "otsu":
        return OtsuLimit(voxels, draw(st.booleans()), 20)
    return RangeLimit(voxels, draw(st.integers(0, 120)), draw(st.integers(121, 255)))


def stroke(draw: Draw, world: World) -> Edit:
    z, way, size = z_of(draw, world), points(draw, world), draw(st.integers(1, 60))
    sizes = tuple(draw(st.integers(1, 60)) for _ in way) if draw(st.booleans()) else ()
    square, protect = draw(st.booleans()), draw(protects)
    by = limit(draw, world.voxels(z))
    return PaintStroke(z, way, size, draw(ids), square, protect, by, sizes)


def ball(draw: Draw, world: World) -> Edit:
    z, way, size = z_of(draw, world), points(draw, world, 3), draw(st.integers(1, 40))
    pixel_size = draw(st.sampled_from([None, (1.0, 1.0, 1.0), (3.0, 1.0, 1.0)]))
    middle = limit(draw, world.voxels(z))
    limits = None if middle is None else lambda at: middle.on(world.voxels(at))
    return PaintBall(z, way, size, draw(ids), pixel_size, draw(protects), limits=limits)


def region(draw: Draw, world: World) -> Edit:
    (z, y, x), (height, width) = inner_voxel(draw, world), world.shape[1:]
    where = np.random.default_rng(draw(st.integers(0, 9))).random((height - y, width - x)) < 0.4
    before = world.earlier[world.image_id][::-1][: draw(st.integers(0, 2))]
    return PaintRegion(((z, y, x, where),), draw(ids), draw(protects), instead_of=tuple(before))


def fill_unlabelled(draw: Draw, world: World) -> Edit:
    z, y, x = inner_voxel(draw, world)
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 4, (20, 30))
    return FillUnlabelled(((z, y, x, values.astype(np.uint8)),))


def interpolate(draw: Draw, world: World) -> Edit:
    depth = world.shape[0]
    gap = sorted(draw(st.sets(st.integers(0, depth - 1), min_size=min(2, depth), max_size=2)))
    known = whole_gaps(world.masks[world.image_id])
    return known if known is not None and draw(st.booleans()) else Interpolate(((gap[0], gap[-1]),))


def whole(draw: Draw, world: World) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return rng.integers(0, 4, world.shape).astype(np.uint8)


def earlier(draw: Draw, world: World) -> Change:
    known = world.earlier[world.image_id]
    if known:
        return draw(st.sampled_from(known))
    mask = Mask(world.shape)
    change = made(PaintRest(0, 2), world.image_id, mask)
    assert change is not None
    return change


def number(draw: Draw, world: World) -> int:
    """Of an object there is, as a rule."""
    known = sorted(world.masks[world.image_id].objects.sizes())
    return draw(st.sampled_from([*known, 1]))


def numbers(draw: Draw, world: World) -> tuple[int, ...]:
    """Of some objects there are, as a rule."""
    known = sorted(world.masks[world.image_id].objects.sizes())
    return tuple(draw(st.lists(st.sampled_from([*known, 1]), min_size=1, max_size=3, unique=True)))


def merge_objects(draw: Draw, world: World) -> Edit:
    chosen = numbers(draw, world)
    return MergeObjects(chosen, draw(st.sampled_from(chosen)))


def put_objects(draw: Draw, world: World) -> Edit:
    depth, height, width = world.shape
    z = z_of(draw, world)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    shape = draw(st.integers(1, depth - z)), height, width
    found = rng.integers(0, 5, shape).astype(np.uint32)
    replaced = draw(st.sampled_from([None, (), (2,), (2, 3)]))
    classes = np.where(found > 0, rng.integers(2, 5), 0).astype(np.uint8)
    return PutObjects(z, found, classes, draw(protects), replaced)


def new_number(world: World) -> int:
    return world.masks[world.image_id].objects.next_number()


def plane_or_all(draw: Draw, world: World) -> int | None:
    return draw(st.sampled_from([None, *range(world.shape[0])]))


STORIES: dict[type[Any], Callable[[Draw, World], Edit]] = {
    PaintStroke: stroke,
    PaintBall: ball,
    PaintPolygon: lambda d, w: PaintPolygon(z_of(d, w), points(d, w, 6), d(ids), d(protects)),
    PaintLivewire: lambda d, w: PaintLivewire(z_of(d, w), points(d, w, 6), d(ids), d(protects)),
    PaintRectangle: lambda d, w: PaintRectangle(z_of(d, w), box(d, w), d(ids), d(protects)),
    PaintEllipse: lambda d, w: PaintEllipse(z_of(d, w), box(d, w), d(ids), d(protects)),
    FloodFill: lambda d, w: FloodFill(*voxel(d, w), d(ids), d(st.booleans())),
    FillHoles: lambda d, w: FillHoles(*voxel(d, w), d(st.booleans()), d(protects)),
    PaintRegion: region,
    ChangeComponent: lambda d, w: ChangeComponent(*voxel(d, w), d(ids), d(st.booleans())),
    CutComponent: lambda d, w: CutComponent(z_of(d, w), points(d, w), d(st.integers(0, 1))),
    Reshape: lambda d, w: Reshape(
        d(st.sampled_from(OPERATIONS)),
        d(st.sampled_from(SCOPES)),
        *inner_voxel(d, w),
        d(st.integers(1, 6)),
        d(protects),
    ),
    CopyPlane: lambda d, w: CopyPlane(
        z_of(d, w), z_of(d, w), d(ids) or None, d(st.booleans()), d(protects)
    ),
    FillUnlabelled: fill_unlabelled,
    Interpolate: interpolate,
    ReplaceMask: lambda d, w: ReplaceMask(whole(d, w), only_unlabelled=d(protects)),
    ClearMask: lambda d, w: ClearMask(z_of(d, w), d(ids) or None),
    MergeClass: lambda d, w: MergeClass(d(st.integers(1, 4)), d(ids)),
    InvertPlane: lambda d, w: InvertPlane(z_of(d, w), d(st.integers(2, 4))),
    PaintRest: lambda d, w: PaintRest(z_of(d, w), d(ids)),
    MakeAgain: lambda d, w: MakeAgain(earlier(d, w)),
    TakeBack: lambda d, w: TakeBack(earlier(d, w)),
    RestoreMask: lambda d, w: RestoreMask(Mask.from_array(whole(d, w)), with_objects=d(protects)),
    DeleteObject: lambda d, w: DeleteObject(number(d, w), plane_or_all(d, w)),
    NumberObject: lambda d, w: NumberObject(number(d, w), number(d, w), plane_or_all(d, w)),
    SeparateObject: lambda d, w: SeparateObject(*voxel(d, w), new_number(w), d(st.booleans())),
    ClassifyObject: lambda d, w: ClassifyObject(number(d, w), d(ids), plane_or_all(d, w)),
    SplitObject: lambda d, w: SplitObject(
        z_of(d, w), points(d, w, 6), new_number(w), d(st.booleans())
    ),
    MakeObjects: lambda d, w: MakeObjects(new_number(w), plane_or_all(d, w)),
    PutObjects: put_objects,
    DeleteObjects: lambda d, w: DeleteObjects(numbers(d, w)),
    MergeObjects: merge_objects,
    ClassifyObjects: lambda d, w: ClassifyObjects(numbers(d, w), d(ids)),
    RenumberObjects: lambda d, w: RenumberObjects(),
    FillObjects: lambda d, w: FillObjects(numbers(d, w), d(st.booleans())),
    SmoothObjects: lambda d, w: SmoothObjects(numbers(d, w), d(st.integers(1, 3))),
    DivideObject: lambda d, w: DivideObject(number(d, w), d(st.integers(2, 4)), new_number(w)),
}


def edit_classes() -> set[type[Any]]:
    """Every class of the program that can be applied through a recorder."""
    found = set()
    for package in ("core", "files"):
        root = importlib.import_module(f"{orgseg_app.__name__}.{package}")
        for info in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            for _, kind in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
                apply = getattr(kind, "apply", None)
                takes = apply is not None and "recorder" in inspect.signature(apply).parameters
                if takes and kind is not Edit and kind.__module__ == info.name:
                    found.add(kind)
    return found


def test_every_kind_of_edit_is_in_the_stories() -> None:
    assert edit_classes() == set(STORIES)


def made(edit: Edit, image_id: str, mask: Mask, object_id: int = 0) -> Change | None:
    recorder = Recorder(image_id, mask, object_id)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def look(masks: dict[str, Mask]) -> dict[str, bytes]:
    """What all masks and their objects hold; what they know of their voxels is so."""
    for mask in masks.values():
        values = mask.to_array()
        counts = np.bincount(values.ravel(), minlength=256)
        assert mask.counts() == {i: int(n) for i, n in enumerate(counts) if i and n}
        for index in mask.block_indices():  # nothing is left past the edge of the image
            block = mask.block(index)
            assert block is not None
            _, height, width = mask.shape
            assert not block[max(0, height - 256 * index[1]) :].any()
            assert not block[:, max(0, width - 256 * index[2]) :].any()
        numbers = mask.objects.to_array()
        assert not numbers[values < 2].any(), "nothing and background belong to no object"
        found, sizes = np.unique(numbers[numbers > 0], return_counts=True)
        assert mask.objects.sizes() == dict(zip(found.tolist(), sizes.tolist(), strict=True))
    return {
        image_id: mask.to_array().tobytes() + mask.objects.to_array().tobytes()
        for image_id, mask in masks.items()
    }


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_story_of_all_edits_undone_and_redone_is_byte_identical(data: st.DataObject) -> None:
    """Back and forth in the middle of it, too; made at once or worked out beforehand."""
    masks = {image_id: Mask(shape) for image_id, shape in SHAPES.items()}
    world = World("", masks, {image_id: [] for image_id in SHAPES})
    history, states = History(), [look(masks)]
    kinds = data.draw(st.lists(st.sampled_from(list(STORIES)), max_size=8))
    for kind in kinds:
        world.image_id = data.draw(st.sampled_from(list(SHAPES)))
        mask = masks[world.image_id]
        edit = data.draw(st.composite(lambda draw, k=kind: STORIES[k](draw, world))())
        assert type(edit) is kind
        before = look(masks)
        assert before == states[-1]
        hand = data.draw(hands)
        change = _make(edit, world.image_id, mask, hand, beforehand=data.draw(st.booleans()))
        if change is None:
            assert look(masks) == before
            continue
        assert look(masks) != before
        history.push(change)
        world.earlier[world.image_id].append(change)
        states.append(look(masks))
        for _ in range(data.draw(st.integers(0, 2))):
            _step_back(history, masks, states)
        while history.next_redo() is not None and data.draw(st.booleans()):
            _step_on(history, masks)
        states = states[: len(history.undoable()) + 1]
        assert look(masks) == states[-1]
    for expected in reversed(states[:-1]):
        _step_back(history, masks, states)
        assert look(masks) == expected
    assert history.undo() is None
    for expected in states[1:]:
        _step_on(history, masks)
        assert look(masks) == expected


def _make(edit: Edit, image_id: str, mask: Mask, hand: int, *, beforehand: bool) -> Change | None:
    if not beforehand:
        return made(edit, image_id, mask, hand)
    ready = worked_out(image_id, mask, edit, object_id=hand)
    if ready is None:
        return None
    assert ready.fits(mask)
    ready.make(mask)
    return ready.change


def _step_back(history: History, masks: dict[str, Mask], states: list[dict[str, bytes]]) -> None:
    taken = history.undo()
    if taken is not None:
        taken[1].undo(masks[taken[1].image_id])


def _step_on(history: History, masks: dict[str, Mask]) -> None:
    taken = history.redo()
    assert taken is not None
    taken[1].redo(masks[taken[1].image_id])
