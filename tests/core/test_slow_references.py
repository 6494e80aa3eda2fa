"""Edits that other files do not hold against a slow, obvious reference."""

from __future__ import annotations

import math
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.outlines import PaintPolygon, PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FillHoles, FloodFill, PaintRegion
from orgseg_app.core.edits.slices import FillUnlabelled
from orgseg_app.core.edits.strokes import LIMITED_PIECE, PaintBall
from orgseg_app.core.edits.whole import ClearMask, MakeAgain, MergeClass, ReplaceMask, TakeBack
from orgseg_app.core.mask import BLOCK, Mask
from orgseg_app.core.painting import brush, holes, interpolation, limits, rest
from orgseg_app.core.painting.limits import OtsuLimit, RangeLimit, Voxels, local_threshold
from orgseg_app.core.ready import worked_out
from orgseg_app.core.stopping import TooLargeError
from orgseg_app.files.backups.restore import RestoreMask

SHAPE = (3, 270, 40)
seeds = st.integers(0, 2**32 - 1)
ids = st.integers(0, 4)


def run(edit: Edit, mask: Mask) -> Change | None:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def volume(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, SHAPE).astype(np.uint8)


# -- outlines ------------------------------------------------------------------------------------

along = st.one_of(st.floats(-8, 38), st.integers(-8, 38).map(lambda n: n + 0.5))
"""Places on an axis, often in the middle of a voxel."""


def crossings(corners: list[tuple[float, float]], y: float, x: float) -> int:
    """How often a ray to the right meets the outline."""
    count = 0
    for (ay, ax), (by, bx) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (ay > y) != (by > y):
            count += x < ax + (y - ay) / (by - ay) * (bx - ax)
    return count


def gap(corners: list[tuple[float, float]], y: float, x: float) -> float:
    """How far a point is from the outline."""
    nearest = math.inf
    for (ay, ax), (by, bx) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = (by - ay) ** 2 + (bx - ax) ** 2
        t = ((y - ay) * (by - ay) + (x - ax) * (bx - ax)) / length if length else 0
        t = min(max(t, 0), 1)
        nearest = min(nearest, math.hypot(y - ay - t * (by - ay), x - ax - t * (bx - ax)))
    return nearest


@pytest.mark.parametrize("kind", [PaintPolygon, PaintLivewire])
@given(
    st.lists(st.tuples(along, along), min_size=3, max_size=7),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_an_outline_is_filled_by_the_even_odd_rule(
    kind: type[PaintPolygon] | type[PaintLivewire],
    corners: list[tuple[float, float]],
    protect: bool,
) -> None:
    before = np.zeros((1, 30, 30), np.uint8)
    before[0, :, 15:] = 3
    mask = Mask.from_array(before)
    run(kind(0, tuple(corners), 2, protect), mask)
    for y, x in np.ndindex(30, 30):
        away = gap(corners, y + 0.5, x + 0.5)
        if away == 0 or away > 1e-5:
            inside = away == 0 or crossings(corners, y + 0.5, x + 0.5) % 2 == 1
            painted = inside and (not protect or before[0, y, x] == 0)
            assert mask.value(0, y, x) == (2 if painted else before[0, y, x]), (y, x)


# -- whole planes and masks ----------------------------------------------------------------------


@given(seeds, st.integers(0, 2), st.one_of(st.none(), st.integers(1, 4)))
@settings(max_examples=25, deadline=None)
def test_a_plane_is_cleared(seed: int, z: int, class_id: int | None) -> None:
    expected, mask = volume(seed), Mask.from_array(volume(seed))
    run(ClearMask(z, class_id), mask)
    gone = np.ones(SHAPE[1:], bool) if class_id is None else expected[z] == class_id
    expected[z][gone] = 0
    assert np.array_equal(mask.to_array(), expected)


@given(seeds, st.integers(1, 4), ids)
@settings(max_examples=25, deadline=None)
def test_a_class_is_merged_into_another(seed: int, class_id: int, into: int) -> None:
    mask = Mask.from_array(volume(seed))
    run(MergeClass(class_id, into), mask)
    assert np.array_equal(mask.to_array(), np.where(volume(seed) == class_id, into, volume(seed)))


@given(seeds, seeds, st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_mask_is_replaced_or_filled_up(one: int, other: int, only_unlabelled: bool) -> None:
    before, new = volume(one), volume(other)
    mask = Mask.from_array(before)
    run(ReplaceMask(new, only_unlabelled=only_unlabelled), mask)
    kept = (before != 0) & only_unlabelled
    assert np.array_equal(mask.to_array(), np.where(kept, before, new))
    run(RestoreMask(Mask.from_array(before)), mask)
    assert np.array_equal(mask.to_array(), before)


@given(seeds, seeds, st.integers(0, 2), st.integers(-5, 269), st.integers(-5, 39))
@settings(max_examples=25, deadline=None)
def test_only_what_is_unlabelled_is_filled(one: int, other: int, z: int, y: int, x: int) -> None:
    expected, values = volume(one), volume(other)[0, :25, :30]
    mask = Mask.from_array(expected)
    run(FillUnlabelled(((z, y, x, values),)), mask)
    for dy, dx in np.ndindex(*values.shape):
        ya, xa = y + dy, x + dx
        if 0 <= ya < SHAPE[1] and 0 <= xa < SHAPE[2] and expected[z, ya, xa] == 0:
            expected[z, ya, xa] = values[dy, dx]
    assert np.array_equal(mask.to_array(), expected)


@given(seeds, st.integers(0, 2), st.integers(-5, 269), st.integers(-5, 39), ids, st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_region_is_painted(
    seed: int, z: int, y: int, x: int, class_id: int, protect: bool
) -> None:
    expected, where = volume(seed), np.random.default_rng(seed).random((25, 30)) < 0.5
    mask = Mask.from_array(expected)
    run(PaintRegion(((z, y, x, where),), class_id, protect), mask)
    for dy, dx in np.argwhere(where):
        ya, xa = y + dy, x + dx
        if 0 <= ya < SHAPE[1] and 0 <= xa < SHAPE[2]:
            free = expected[z, ya, xa] == 0 or class_id == 0 or not protect
            expected[z, ya, xa] = class_id if free else expected[z, ya, xa]
    assert np.array_equal(mask.to_array(), expected)


@given(seeds, seeds)
@settings(max_examples=25, deadline=None)
def test_a_change_is_made_again_or_taken_back_on_what_is_there_now(one: int, other: int) -> None:
    before = volume(one)
    mask = Mask.from_array(before)
    change = run(PaintRectangle(1, (5, 5, 260, 30), 2), mask)
    assert change is not None
    differs = before != mask.to_array()
    made, now = mask.to_array(), volume(other)
    for kind, wanted in ((MakeAgain, made), (TakeBack, before)):
        mask = Mask.from_array(now)
        run(kind(change), mask)
        assert np.array_equal(mask.to_array(), np.where(differs, wanted, now))


# -- limits --------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 60), st.booleans())
@settings(max_examples=8, deadline=None)
def test_otsu_parts_each_voxel_by_the_thresholds_around_it(
    seed: int, size: int, bright: bool
) -> None:
    """The nodes of the grid around a voxel, and how far on the way to each it lies."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(2, 30, (50, 60)).astype(np.float32)
    smooth = cv2.GaussianBlur(values, (0, 0), 0.85, borderType=cv2.BORDER_REFLECT_101)
    limit = OtsuLimit(Voxels.of(values), bright, size)
    found = limit.narrowed(-3, -4, np.ones((56, 68), np.bool_))
    spacing = min(max(size // 2, 12), 64)
    reach = min(max(size, 20), 96)

    def threshold(row: int, column: int) -> float:
        y = min(max(row * spacing, 0), 49)
        x = min(max(column * spacing, 0), 59)
        window = smooth[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
        return local_threshold(window)

    nodes = {(i, j): threshold(i, j) for i in range(7) for j in range(7)}
    assert not found[:3].any()
    assert not found[:, :4].any()  # outside there is nothing
    for y, x in np.ndindex(50, 60):
        row, down = divmod((y + 0.5) / spacing, 1)
        column, right = divmod((x + 0.5) / spacing, 1)
        i, j = int(row), int(column)
        above = nodes[i, j] * (1 - right) + nodes[i, j + 1] * right
        below = nodes[i + 1, j] * (1 - right) + nodes[i + 1, j + 1] * right
        cut = above * (1 - down) + below * down
        if abs(smooth[y, x] - cut) > 1e-3:
            assert found[y + 3, x + 4] == ((smooth[y, x] > cut) == bright)


@given(
    seeds,
    st.tuples(st.floats(-6, 36), st.floats(-6, 40)),
    st.tuples(st.floats(-6, 36), st.floats(-6, 40)),
    st.integers(1, 20),
    st.sampled_from([(1.0, 1.0, 1.0), (2.5, 1.0, 1.0)]),
)
@settings(max_examples=30, deadline=None)
def test_a_limited_ball_asks_each_plane_for_its_own_values(
    seed: int,
    a: tuple[float, float],
    b: tuple[float, float],
    size: int,
    pixel_size_um: tuple[float, float, float],
) -> None:
    shape = (7, 30, 34)
    values = np.random.default_rng(seed).integers(0, 100, shape).astype(np.uint8)
    asked: set[int] = set()

    def on(z: int) -> RangeLimit:
        asked.add(z)
        return RangeLimit(Voxels.of(values[z]), 20, 60)

    limited, plain = Mask(shape), Mask(shape)
    run(PaintBall(3, (a, b), size, 2, pixel_size_um, limits=on), limited)
    for start, end in brush.pieces(a, b, max(LIMITED_PIECE, size)):
        run(PaintBall(3, (start, end), size, 2, pixel_size_um), plain)
    allowed = (values >= 20) & (values <= 60)
    assert np.array_equal(limited.to_array(), np.where(allowed, plain.to_array(), 0))
    deep = math.floor(size / 2 / pixel_size_um[0] + 1e-3)
    assert asked == {z for z in range(7) if abs(z - 3) <= deep}
    assert limits.RangeLimit(Voxels.of(values[0]), 0, 1).look == 0


# -- between planes ------------------------------------------------------------------------------


def slow_distance(where: np.ndarray) -> np.ndarray:
    """On the whole plane, as `signed_distance` has it."""
    if not where.any() or where.all():
        return np.full(where.shape, 1e6 if where.any() else -1e6)
    inside = ndimage.distance_transform_edt(where) - 0.5
    return np.where(where, inside, 0.5 - ndimage.distance_transform_edt(~where))


def slow_families(a: np.ndarray, b: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Components of two labelled planes that become one another, by asking every pair."""
    centres = [
        np.array([np.argwhere(x == i).mean(axis=0) for i in range(1, x.max() + 1)]).reshape(-1, 2)
        for x in (a, b)
    ]
    areas = [np.array([(x == i).sum() for i in range(1, x.max() + 1)]) for x in (a, b)]
    pairs = [
        (i, j)
        for i in range(len(areas[0]))
        for j in range(len(areas[1]))
        if ((a == i + 1) & (b == j + 1)).sum() >= max(0.1 * min(areas[0][i], areas[1][j]), 1)
    ]
    lone = [[i for i in range(len(areas[s])) if i not in {p[s] for p in pairs}] for s in (0, 1)]
    gaps = {
        (i, j): float(np.hypot(*(centres[0][i] - centres[1][j]))) for i in lone[0] for j in lone[1]
    }
    for i, j in gaps:
        nearest = gaps[i, j] <= min([gaps[k, j] for k in lone[0]] + [gaps[i, k] for k in lone[1]])
        sizes = sorted((areas[0][i], areas[1][j]))
        near = gaps[i, j] <= 2 * (math.sqrt(sizes[0] / math.pi) + math.sqrt(sizes[1] / math.pi))
        if nearest and near and sizes[1] <= 4 * sizes[0]:
            pairs.append((i, j))
    families = [({i}, set()) for i in range(len(areas[0]))]
    families += [(set(), {j}) for j in range(len(areas[1]))]
    for i, j in pairs:
        one = next(f for f in families if i in f[0])
        other = next(f for f in families if j in f[1])
        if one is not other:
            families.remove(other)
            one[0].update(other[0])
            one[1].update(other[1])
    return [(sorted(f[0]), sorted(f[1])) for f in families]


def slow_between(first: np.ndarray, second: np.ndarray, way: float) -> np.ndarray:
    """Every class and every component on the whole plane."""
    depth, out = np.full(first.shape, -1e6), np.zeros(first.shape, np.uint8)
    margin = interpolation.MARGIN
    for class_id in range(2, 256):
        if not (first == class_id).any() and not (second == class_id).any():
            continue
        a, b = (ndimage.label(p == class_id, np.ones((3, 3)))[0] for p in (first, second))
        for ours, theirs in slow_families(a, b):
            sides = np.isin(a, [i + 1 for i in ours]), np.isin(b, [j + 1 for j in theirs])
            rows, columns = (np.flatnonzero((sides[0] | sides[1]).any(axis=n)) for n in (1, 0))
            part = np.s_[
                max(0, rows[0] - margin) : rows[-1] + 1 + margin,
                max(0, columns[0] - margin) : columns[-1] + 1 + margin,
            ]
            one, other = (slow_distance(side)[part].astype(np.float32) for side in sides)
            if not ours or not theirs:
                known, gone = (one, way) if ours else (other, 1 - way)
                field = known - gone * max(known.max(), 0.5)
            else:
                step = np.zeros(2)
                if len(ours) == len(theirs) == 1:
                    step = np.subtract(*[np.argwhere(s).mean(axis=0) for s in sides[::-1]])
                field = (1 - way) * shifted(one, way * step)
                field = field + way * shifted(other, (way - 1) * step)
            deeper = field > depth[part]
            depth[part][deeper], out[part][deeper] = field[deeper], class_id
    depth[depth >= 0] = np.inf
    for class_id in (1, 0):
        if (first == class_id).any() or (second == class_id).any():
            field = (1 - way) * slow_distance(first == class_id)
            field = field + way * slow_distance(second == class_id)
            out[field > depth] = class_id
            depth = np.maximum(depth, field)
    return out


def shifted(field: np.ndarray, step: np.ndarray) -> np.ndarray:
    matrix = np.array([[1, 0, step[1]], [0, 1, step[0]]], np.float32)
    return cv2.warpAffine(field, matrix, field.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def painted_planes(seed: int, dense: bool) -> np.ndarray:
    """Disks and rectangles of classes on two planes; some move, some come or go."""
    rng = np.random.default_rng(seed)
    planes = np.full((2, 330, 400), int(dense), np.uint8)
    if dense:
        planes[:, :20] = 0
    for _ in range(rng.integers(1, 9)):
        y, x, radius = (int(n) for n in rng.integers((0, 0, 2), (330, 400, 50)))
        class_id, shift = int(rng.integers(0, 5)), rng.integers(-15, 15, 2)
        for plane, (dy, dx) in zip(planes, ((0, 0), shift), strict=True):
            if rng.random() < 0.85:
                cv2.circle(plane, (x + int(dx), y + int(dy)), radius, class_id, -1)
    return planes


@given(seeds, st.booleans(), st.sampled_from([0.2, 0.5, 2 / 3]))
@settings(max_examples=25, deadline=None)
def test_between_planes_is_what_the_whole_plane_gives(seed: int, dense: bool, way: float) -> None:
    first, second = painted_planes(seed, dense)
    found = interpolation.Between(first, second).plane(way)
    slow = slow_between(first, second, way)
    assert (found != slow).sum() <= 3e-5 * found.size  # where two are equally deep


def test_background_far_away_is_looked_for_on_the_whole_plane() -> None:
    """Where the boxes around what is needed do not hold the nearest one."""
    planes = np.full((2, 700, 2100), 2, np.uint8)
    planes[:, :, :40] = 1
    planes[0, :, 40:50] = 1
    planes[0, 300:320, 1500:1530] = 3
    planes[1, 300:320, 1510:1540] = 3
    between = interpolation.Between(*planes)
    assert rest.TILE < 700
    assert np.array_equal(between.plane(0.5), slow_between(*planes, 0.5))


def test_memory_between_planes_follows_what_is_painted() -> None:
    planes = np.zeros((2, 4096, 4096), np.uint8)
    for number, plane in enumerate(planes):
        for y, x in ((100, 100), (4000, 4000), (2000, 300)):
            cv2.circle(plane, (x + 5 * number, y), 40, 2, -1)
    planes[:, 3000:3100, 3000:3100] = 1
    tracemalloc.start()
    parts = list(interpolation.Between(*planes).parts(0.5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * planes[0].size  # one byte a voxel would be a plane
    assert sum(ids.size for *_, ids in parts) < 0.15 * planes[0].size
    assert sum((ids == 2).sum() for *_, ids in parts) == pytest.approx(
        3 * math.pi * 40**2, rel=0.02
    )


# -- worked out beforehand -----------------------------------------------------------------------


def test_what_is_worked_out_takes_memory_by_what_it_writes() -> None:
    mask = Mask((1, 16 * BLOCK, 16 * BLOCK))
    run(PaintRectangle(0, (0, 0, 16 * BLOCK, 16 * BLOCK), 3), mask)
    run(PaintRectangle(0, (10, 10, 30, 30), 2), mask)
    counted: list[int] = []
    tracemalloc.start()
    ready = worked_out("image", mask, FloodFill(0, 15, 15, 4), counted.append)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ready is not None
    assert peak < 40 * BLOCK * BLOCK  # the mask has 256 blocks
    assert counted == sorted(counted)
    assert max(counted) <= 16
    assert ready.fits(mask)
    before = mask.to_array()
    ready.make(mask)
    assert (mask.to_array() != before).sum() == 400
    ready.change.undo(mask)
    assert np.array_equal(mask.to_array(), before)


def test_a_check_that_raises_stops_the_work_and_changes_nothing() -> None:
    mask = Mask((30, 600, 600))

    def check(count: int) -> None:
        if count > 40:
            raise TooLargeError("Too large.")

    with pytest.raises(TooLargeError):
        worked_out("image", mask, FloodFill(0, 5, 5, 2, in_3d=True), check)
    assert mask.is_empty
    assert mask.block_indices() == []


def test_holes_of_a_body_that_is_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holes, "MOST_VOXELS", 3000)
    mask = Mask((4, 60, 60))
    for z in range(4):
        run(PaintRectangle(z, (0, 0, 60, 60), 2), mask)
        run(PaintRectangle(z, (20, 20, 30, 30), 0), mask)
    before = mask.to_array()
    with pytest.raises(TooLargeError, match="plane by plane"):
        run(FillHoles(1, 5, 5, in_3d=True), mask)
    assert np.array_equal(mask.to_array(), before)
    assert run(FillHoles(1, 5, 5), mask) is not None
