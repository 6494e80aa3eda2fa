"""The block mask behaves like a plain array, whatever is written where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.mask import BLOCK, Box, Mask

SHAPE = (2, 300, 520)


@st.composite
def writes(draw: st.DrawFn) -> list[tuple[int, int, int, int, int, int]]:
    one = st.tuples(
        st.integers(0, SHAPE[0] - 1),
        st.integers(-40, SHAPE[1] + 10),
        st.integers(-40, SHAPE[2] + 10),
        st.integers(1, 290),
        st.integers(1, 290),
        st.integers(0, 3),
    )
    return draw(st.lists(one, max_size=6))


def reference(story: list[tuple[int, int, int, int, int, int]]) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    for z, y0, x0, h, w, value in story:
        array[z, max(0, y0) : max(0, y0 + h), max(0, x0) : max(0, x0 + w)] = value
    return array


@given(writes())
@settings(max_examples=60, deadline=None)
def test_writes_match_a_plain_array(story: list[tuple[int, int, int, int, int, int]]) -> None:
    mask = Mask(SHAPE)
    for z, y0, x0, h, w, value in story:
        mask.write(z, y0, x0, np.full((h, w), value, np.uint8))
    expected = reference(story)
    assert np.array_equal(mask.to_array(), expected)
    counts = {int(v): int(n) for v, n in zip(*np.unique(expected, return_counts=True), strict=True)}
    counts.pop(0, None)
    assert mask.counts() == counts
    assert mask.is_empty == (not counts)
    assert mask.planes() == sorted(np.flatnonzero(expected.any(axis=(1, 2))).tolist())
    again = Mask.from_array(mask.to_array())
    assert np.array_equal(again.to_array(), expected)


@given(writes(), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_sampling_matches_indexing(
    story: list[tuple[int, int, int, int, int, int]], row_step: int, column_step: int
) -> None:
    array = reference(story)
    mask = Mask.from_array(array)
    rows = np.repeat(np.arange(0, SHAPE[1], row_step), 2)
    columns = np.arange(0, SHAPE[2], column_step)
    assert np.array_equal(mask.sample(1, rows, columns), array[1][rows][:, columns])
    both = mask.sample_planes([0, 1], rows, columns)
    assert np.array_equal(both, array[:, rows][:, :, columns])


def test_reading_outside_gives_unlabelled() -> None:
    mask = Mask.from_array(np.full((10, 10), 5, np.uint8))
    region = mask.read(0, -2, -3, 12, 13)
    assert region.shape == (14, 16)
    assert region[2:12, 3:13].min() == 5
    assert region.sum() == 500
    assert not mask.read(3, 0, 0, 4, 4).any()
    assert mask.value(0, 99, 0) == 0


def test_an_unpainted_mask_of_any_size_holds_no_blocks() -> None:
    mask = Mask((64, 30_000, 30_000))
    mask.write(3, 0, 0, np.zeros((600, 600), np.uint8))
    assert mask.block_indices() == []
    mask.write(3, 255, 255, np.ones((2, 2), np.uint8))
    assert mask.block_indices() == [(3, 0, 0), (3, 0, 1), (3, 1, 0), (3, 1, 1)]
    assert mask.dirty == set(mask.block_indices())


def test_edge_blocks_stay_empty_past_the_image() -> None:
    mask = Mask((1, BLOCK + 5, BLOCK + 7))
    mask.write(0, 0, 0, np.full((999, 999), 4, np.uint8))
    corner = mask.block((0, 1, 1))
    assert corner is not None
    assert np.count_nonzero(corner) == 5 * 7


@pytest.mark.parametrize("bad", [np.array([[1.5]]), np.array([[300]]), np.array([[-1]])])
def test_only_class_ids_are_taken(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="class ids"):
        Mask.from_array(bad)


def test_boxes_join_and_clip() -> None:
    empty = Box(0, 0, 0, 0, 0, 0)
    box = Box(0, -5, 2, 1, 5, 9)
    assert empty.union(box) == box == box.union(empty)
    assert box.union(Box(0, 4, 0, 2, 8, 3)) == Box(0, -5, 0, 2, 8, 9)
    assert box.clipped((1, 4, 4)) == Box(0, 0, 2, 1, 4, 4)
    assert empty.is_empty
    assert not box.is_empty
