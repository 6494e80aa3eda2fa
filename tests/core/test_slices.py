"""From plane to plane: copies and interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.slices import (
    CopyPlane,
    FillUnlabelled,
    Interpolate,
    one_plane,
    seen_from,
    whole_gaps,
)
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import interpolation
from orgseg_app.core.painting.interpolation import Between
from orgseg_app.core.ready import worked_out

ROWS, COLUMNS = np.mgrid[:120, :160] + 0.5


def run(edit: Edit, mask: Mask) -> Change | None:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def disk(y: float, x: float, radius: float) -> np.ndarray:
    return (ROWS - y) ** 2 + (COLUMNS - x) ** 2 <= radius**2


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / max(1, one.sum() + other.sum())


def between(first: np.ndarray, second: np.ndarray, way: float) -> np.ndarray:
    return Between(first.astype(np.uint8), second.astype(np.uint8)).plane(way)


# -- what is between ---------------------------------------------------------------------------


@given(st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=7, max_size=7))
@settings(max_examples=60, deadline=None)
def test_the_signed_distance_is_what_a_slow_search_finds(rows: list[list[bool]]) -> None:
    where = np.array(rows)
    inside, outside = np.argwhere(where), np.argwhere(~where)
    found = interpolation.signed_distance(where)
    if not len(inside) or not len(outside):
        assert abs(found).min() > 1e5
        assert (found > 0).all() == bool(len(inside))
        return
    for y, x in np.ndindex(where.shape):
        others = outside if where[y, x] else inside
        gap = np.hypot(*(others - (y, x)).T).min() - 0.5
        assert found[y, x] == pytest.approx(gap if where[y, x] else -gap, abs=1e-4)


def test_a_cone_is_a_cone_between_its_ends() -> None:
    first, second = disk(60, 80, 40), disk(60, 80, 20)
    for way in (0.2, 0.5, 0.8):
        assert dice(between(2 * first, 2 * second, way) == 2, disk(60, 80, 40 - 20 * way)) > 0.985


def test_what_moved_further_than_it_is_wide_is_carried_along() -> None:
    first, second = disk(40, 30, 8), disk(60, 50, 8)
    assert not interpolation.plain(first, second, 0.5).any()
    for way in (0.25, 0.5, 0.75):
        there = between(2 * first, 2 * second, way) == 2
        assert dice(there, disk(40 + 20 * way, 30 + 20 * way, 8)) > 0.95


def test_neighbours_of_another_size_or_far_away_are_no_match() -> None:
    large, small = disk(40, 40, 30), disk(40, 110, 4)
    far = disk(110, 150, 8)
    assert (between(2 * disk(10, 10, 8), 2 * far, 0.5) == 2).sum() < disk(10, 10, 8).sum()
    halfway = between(2 * large, 2 * small, 0.5)
    assert halfway[40, 40] == 2  # it shrinks where it is
    assert not halfway[40, 75]


def test_neighbours_that_only_graze_each_other_stay_two() -> None:
    def pair(x: int) -> np.ndarray:
        return (abs(ROWS - 60) < 30) & ((abs(COLUMNS - x) < 12) | (abs(COLUMNS - x - 28) < 12))

    for way in (0.25, 0.5, 0.75):
        halfway = (between(2 * pair(50), 2 * pair(56), way) == 2)[60]
        assert np.count_nonzero(np.diff(halfway.astype(int)) == 1) == 2
        assert dice(between(2 * pair(50), 2 * pair(56), way) == 2, pair(50 + round(6 * way))) > 0.95


def test_what_ends_shrinks_to_its_core() -> None:
    sizes = [int((between(2 * disk(60, 80, 20), 0 * ROWS, w) == 2).sum()) for w in (0.2, 0.5, 0.9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(np.pi * 16**2, rel=0.1)
    assert sizes[-1] > 0


def test_a_fork_grows_its_branches() -> None:
    stem = (abs(ROWS - 60) < 10) & (abs(COLUMNS - 80) < 40)
    branches = stem & (abs(COLUMNS - 80) > 10)
    values = [(between(2 * stem, 2 * branches, w) == 2).sum() for w in (0, 0.3, 0.6, 1)]
    assert values == sorted(values, reverse=True)
    assert dice(between(2 * stem, 2 * branches, 0.9) == 2, branches) > 0.95


def test_dense_planes_stay_dense_and_sparse_ones_sparse() -> None:
    def dense(x: float) -> np.ndarray:
        plane = np.ones(ROWS.shape, np.uint8)
        plane[disk(60, x, 20)] = 2
        plane[disk(60, x, 9)] = 3
        return plane

    halfway = between(dense(50), dense(80), 0.5)
    assert np.array_equal(np.unique(halfway), [1, 2, 3])
    assert dice(halfway == 3, dense(65) == 3) > 0.95
    assert dice(halfway == 1, dense(65) == 1) > 0.98
    touching = np.where(COLUMNS < 60, 2, 3), np.where(COLUMNS < 90, 2, 3)
    halves = between(*touching, 0.5)
    assert dice(halves == 2, COLUMNS < 75) > 0.99
    assert (halves > 0).all()
    sparse = np.where(disk(30, 30, 10), 2, 0), np.where(disk(30, 34, 10), 2, 0)
    assert np.array_equal(np.unique(between(*sparse, 0.5)), [0, 2])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.25, 0.5, 2 / 3]))
@settings(max_examples=25, deadline=None)
def test_there_and_back_are_the_same_and_equal_planes_change_nothing(seed: int, way: float) -> None:
    rng = np.random.default_rng(seed)
    planes = np.zeros((2, 120, 160), np.uint8)
    for plane in planes:
        for class_id in rng.integers(1, 5, 6):
            y, x, radius = rng.uniform((0, 0, 2), (120, 160, 30))
            plane[disk(y, x, radius)] = class_id
    assert np.array_equal(between(planes[0], planes[0], way), planes[0])
    there, back = between(*planes, way), between(*planes[::-1], 1 - way)
    assert (there != back).mean() < 0.01  # where two classes lie equally deep
    assert set(np.unique(there)) <= set(np.unique(planes)) | {0}


# -- the edits ---------------------------------------------------------------------------------


def drawn(seed: int, shape: tuple[int, int, int], classes: int = 4) -> np.ndarray:
    """Blobs of classes on some planes."""
    rng = np.random.default_rng(seed)
    volume = np.zeros(shape, np.uint8)
    for plane in volume:
        for class_id in rng.integers(0, classes, rng.integers(0, 4)):
            y, x = rng.integers(0, shape[1]), rng.integers(0, shape[2])
            plane[max(0, y - 40) : y + 40, max(0, x - 50) : x + 50] = class_id
    return volume


@given(
    st.integers(0, 999),
    st.integers(-1, 3),
    st.integers(-1, 3),
    st.one_of(st.none(), st.integers(1, 3)),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_copies_are_what_a_slow_copy_gives(
    seed: int, source: int, target: int, class_id: int | None, replace: bool, protect: bool
) -> None:
    before = drawn(seed, (3, 270, 300))
    mask = Mask.from_array(before)
    change = run(CopyPlane(source, target, class_id, replace, protect), mask)
    expected = before.copy()
    if source != target and {source, target} <= {0, 1, 2}:
        for y, x in np.ndindex(*before.shape[1:]):
            there, here = before[source, y, x], before[target, y, x]
            copied = there != 0 if class_id is None else there == class_id
            if copied and (here == 0 or (replace and not protect)):
                expected[target, y, x] = there
            elif replace and not copied:
                gone = not protect if class_id is None else here == class_id
                expected[target, y, x] = 0 if gone else here
    assert np.array_equal(mask.to_array(), expected)
    assert (change is None) == np.array_equal(before, expected)
    if change is not None:
        change.undo(mask)
        assert np.array_equal(mask.to_array(), before)


def cone(painted: tuple[int, ...], depth: int = 9) -> np.ndarray:
    volume = np.zeros((depth, 120, 160), np.uint8)
    for z in painted:
        volume[z][disk(60, 60 + 3 * z, 40 - 3 * z)] = 2
    return volume


def test_gaps_are_filled_by_how_far_they_reach() -> None:
    mask = Mask.from_array(cone((0, 5, 8)))
    edit = whole_gaps(mask)
    assert edit == Interpolate(((0, 5), (5, 8)))
    change = run(edit, mask)
    full = cone(tuple(range(9)))
    for z in range(9):
        assert dice(mask.plane(z) == 2, full[z] == 2) > 0.97, z
    change.undo(mask)
    assert np.array_equal(mask.to_array(), cone((0, 5, 8)))
    assert whole_gaps(Mask.from_array(cone((3, 4)))) is None
    assert whole_gaps(Mask((4, 9, 9))) is None


def test_only_unlabelled_voxels_are_filled() -> None:
    before = cone((0, 8))
    before[4, 50:70, 60:80] = 3
    mask = Mask.from_array(before)
    assert run(one_plane(mask, 4), mask) is not None
    plane = mask.plane(4)
    assert (plane[50:70, 60:80] == 3).all()
    assert dice(plane > 0, cone((4,))[4] > 0) > 0.97
    assert mask.planes() == [0, 4, 8]
    assert one_plane(mask, 0) is None
    assert one_plane(mask, 8) is None


def test_what_is_worked_out_elsewhere_is_the_same_and_gives_way_to_new_paint() -> None:
    mask = Mask.from_array(cone((0, 5, 8)))
    edit = whole_gaps(mask)
    seen = seen_from(mask, (0, 5, 8))
    fill = FillUnlabelled(tuple(edit.pieces(seen)))
    ready = worked_out("image", seen, fill)
    assert np.array_equal(mask.to_array(), cone((0, 5, 8)))  # nothing has happened yet
    other = Mask.from_array(cone((0, 5, 8)))
    run(edit, other)
    assert ready.fits(mask)
    mask.write(2, 60, 60, np.full((5, 5), 3, np.uint8))
    assert not ready.fits(mask)
    run(fill, mask)
    expected = other.to_array()
    expected[2, 60:65, 60:65] = 3
    assert np.array_equal(mask.to_array(), expected)
    fresh = Mask.from_array(cone((0, 5, 8)))
    ready.make(fresh)
    assert np.array_equal(fresh.to_array(), other.to_array())


def test_work_that_is_no_longer_wanted_ends() -> None:
    mask = Mask.from_array(cone((0, 8)))
    told: list[tuple[int, int]] = []

    def report(done: int, total: int) -> bool:
        told.append((done, total))
        return done < 1200  # ten planes' time to get ready, and two planes

    pieces = list(Interpolate(((0, 8),)).pieces(mask, report))
    assert [piece[0] for piece in pieces] == [1, 2]
    assert told == sorted(told)
    assert {total for _, total in told} == {1700}
    assert list(Interpolate(((0, 8),)).pieces(mask, lambda done, total: False)) == []
