"""Components of volumes and the table of objects, against slow searches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.components import Components, label_planes
from orgseg_app.core.object_table import ObjectTable

STEPS = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T


def volume(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 8, 3).tolist())
    return (random.random(shape) < random.random()).astype(np.uint8)


def slow_labels(mask: np.ndarray, *, corners: bool) -> np.ndarray:
    """From neighbour to neighbour, objects in order of first voxel."""
    steps = [s for s in STEPS.tolist() if any(s) and (corners or sum(map(abs, s)) == 1)]
    found, number = np.zeros(mask.shape, int), 0
    for start in np.argwhere(mask).tolist():
        if found[tuple(start)]:
            continue
        number += 1
        open_ = [tuple(start)]
        found[open_[0]] = number
        while open_:
            here = open_.pop()
            for step in steps:
                there = tuple(a + b for a, b in zip(here, step, strict=True))
                inside = all(0 <= a < n for a, n in zip(there, mask.shape, strict=True))
                if inside and mask[there] and not found[there]:
                    found[there] = number
                    open_.append(there)
    return found


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_components_like_a_slow_search(seed: int, corners: bool) -> None:
    mask = volume(seed)
    found = np.stack(list(label_planes(lambda z: mask[z], len(mask), corners=corners)))
    wanted = slow_labels(mask, corners=corners)
    assert same_groups(found, wanted)
    assert set(np.unique(found)) == set(np.unique(wanted))  # 1…n without a gap
    assert ((found == 0) == (mask == 0)).all()


def test_numbers_rise_over_the_planes_until_they_are_joined() -> None:
    found = Components()
    first = found.add(np.array([[1, 0, 1, 0, 1]], np.uint8))
    second = found.add(np.array([[1, 1, 1, 0, 0]], bool))
    assert first.tolist() == [[1, 0, 2, 0, 3]]
    assert second.tolist() == [[4, 4, 4, 0, 0]]
    assert found.numbers().tolist() == [0, 1, 1, 2, 1]


def test_corners_count_or_not() -> None:
    planes = [np.array([[1, 0], [0, 0]], np.uint8), np.array([[0, 0], [0, 1]], np.uint8)]
    for corners, count in ((True, 1), (False, 2)):
        found = Components(corners=corners)
        for plane in planes:
            found.add(plane)
        assert found.numbers().max() == count


def test_nothing_hangs_together_across_a_plane_left_out() -> None:
    ones = np.ones((3, 3), bool)
    found = Components()
    found.add(ones)
    found.skip()
    found.add(ones)
    found.add(np.zeros((3, 3), bool))
    found.add(ones)
    assert found.numbers().tolist() == [0, 1, 2, 3]


def test_more_pieces_than_sixteen_bits_hold() -> None:
    dots = np.zeros((600, 600), np.uint8)
    dots[::2, ::2] = 1
    found = Components()
    assert found.add(dots).max() == 90_000
    found.add(dots)
    assert found.numbers().max() == 90_000


def test_planes_of_one_size_only() -> None:
    for adds in (Components(), ObjectTable()):
        adds.add(np.ones((2, 3), np.uint8))
        with pytest.raises(ValueError, match="the one before"):
            adds.add(np.ones((3, 2), np.uint8))


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40, deadline=None)
def test_table_of_objects_like_measuring_each(seed: int, corners: bool) -> None:
    random = np.random.default_rng(seed)
    ids = volume(seed) * random.integers(1, 4, volume(seed).shape).astype(np.uint8)
    table = ObjectTable((0.4, 0.1, 0.2), corners=corners)
    for plane in ids:
        table.add(plane)
    rows = table.rows()
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.class_id for row in rows] == sorted(row.class_id for row in rows)
    wanted = set()
    for class_id in (2, 3):
        labels = slow_labels(ids == class_id, corners=corners)
        for number in range(1, labels.max() + 1):
            places = np.argwhere(labels == number)
            low, high = places.min(axis=0), places.max(axis=0) + 1
            edges = [0 in low[1:], (high[1:] == ids.shape[1:]).any()]
            if len(ids) > 1:
                edges += [low[0] == 0, high[0] == len(ids)]
            centre = tuple(places.mean(axis=0).round(9).tolist())
            box = (*low.tolist(), *high.tolist())
            wanted.add((class_id, len(places), centre, box, bool(any(edges))))
    found = {
        (
            row.class_id,
            row.voxels,
            tuple(round(x, 9) for x in row.centroid_zyx),
            tuple(row.box),
            row.touches_border,
        )
        for row in rows
    }
    assert found == wanted
    for row in rows:
        assert row.volume_um3 == pytest.approx(row.voxels * 0.4 * 0.1 * 0.2)


def test_table_of_chosen_classes_without_a_size() -> None:
    table = ObjectTable(class_ids=(1, 5))
    table.add(np.array([[1, 2, 5]], np.uint8))
    found = [(row.class_id, row.volume_um3) for row in table.rows()]
    assert found == [(1, None), (5, None)]
