"""Splits: by image, steady, and never overlapping."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.split import TEST, TRAIN, VALIDATION, assign_splits, hold_out_blocks


@given(st.integers(1, 60))
def test_every_split_gets_its_share(count: int) -> None:
    splits = list(assign_splits([f"image {i}" for i in range(count)]).values())
    assert len(splits) == count
    assert splits.count(TRAIN) >= 1
    assert (VALIDATION in splits) == (count >= 2)
    assert (TEST in splits) == (count >= 3)
    assert splits.count(TRAIN) >= splits.count(TEST) - 1


def test_the_order_of_dropping_does_not_matter() -> None:
    keys = [f"k{i}" for i in range(20)]
    shuffled = keys.copy()
    random.Random(1).shuffle(shuffled)
    assert assign_splits(keys) == assign_splits(shuffled)


def test_old_images_keep_their_split_and_gaps_are_filled() -> None:
    old = {f"old{i}": TRAIN for i in range(8)}
    new = assign_splits(["n1", "n2", "n3"], old)
    assert set(new) == {"n1", "n2", "n3"}
    assert {VALIDATION, TEST} <= set(new.values())


def test_identical_images_land_together() -> None:
    assert assign_splits(["a", "a", "a"]) == {"a": TRAIN}


@given(
    st.integers(1, 3),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 99),
    st.integers(0, 40),
)
@settings(max_examples=60, deadline=None)
def test_held_out_strips_never_touch(
    depth: int, height: int, width: int, seed: int, gap: int
) -> None:
    mask = np.random.default_rng(seed).integers(0, 3, (depth, height, width)).astype(np.uint8)
    blocks = hold_out_blocks(mask, gap=gap)
    if blocks is None:  # too little to cut
        return
    train, validation = blocks.part(mask, TRAIN), blocks.part(mask, VALIDATION)
    assert np.isin(train, [0, *np.unique(mask)]).all()
    assert not ((train > 0) & (validation > 0)).any()
    assert set(np.unique(train)) & set(np.unique(validation)) - {0}
    for part in (train, validation):
        assert np.array_equal(part[part > 0], mask[part > 0])


def test_the_gap_is_kept_where_there_is_room() -> None:
    mask = np.full((1, 400, 400), 2, np.uint8)
    blocks = hold_out_blocks(mask, gap=32)
    assert blocks is not None
    train, validation = blocks.part(mask, TRAIN), blocks.part(mask, VALIDATION)
    rows = [np.flatnonzero(part.any(axis=(0, 2))) for part in (train, validation)]
    columns = [np.flatnonzero(part.any(axis=(0, 1))) for part in (train, validation)]
    gaps = [
        max(a.min(), b.min()) - min(a.max(), b.max()) - 1
        for a, b in (rows, columns)
        if len(a) + len(b) < 500
    ]
    assert max(gaps) == 32


@pytest.mark.parametrize("turned", [False, True])
def test_two_strokes_leave_both_classes_on_both_sides(turned: bool) -> None:
    mask = np.zeros((1, 200, 384), np.uint8)
    mask[0, 40:70, 130:165] = 2  # a short stroke, and a long one beside it
    mask[0, 100:124, 10:370] = 1
    mask = mask.transpose(0, 2, 1) if turned else mask
    blocks = hold_out_blocks(mask, gap=32)
    assert blocks is not None
    assert 0 < blocks.gap <= 35 // 4
    for split in (TRAIN, VALIDATION):
        assert set(np.unique(blocks.part(mask, split))) == {0, 1, 2}
    assert np.count_nonzero(blocks.part(mask, TRAIN)) > np.count_nonzero(mask) / 2


@given(
    st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True),
    st.integers(1, 20),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_planes_are_held_out_only_across_a_gap(painted: list[int], gap: int, seed: int) -> None:
    mask = np.zeros((61, 24, 20), np.uint8)
    random = np.random.default_rng(seed)
    mask[sorted(painted)] = random.integers(1, 3, (len(painted), 24, 20))
    blocks = hold_out_blocks(mask, gap=4, gap_z=gap)
    assert blocks is not None
    train, validation = (blocks.part(mask, split) for split in (TRAIN, VALIDATION))
    planes = [set(np.flatnonzero(part.any(axis=(1, 2)))) for part in (train, validation)]
    distance = min(abs(int(a) - int(b)) for a in planes[0] for b in planes[1])
    if blocks.axis == 0:
        assert distance > gap  # so many planes between
        for part, zs in zip((train, validation), planes, strict=True):
            assert all(np.array_equal(part[z], mask[z]) for z in zs)
    else:
        assert not distance  # within the planes, as without a gap between planes
        assert blocks == hold_out_blocks(mask, gap=4)
    farthest = max(painted) - min(painted)
    if farthest <= gap:
        assert blocks.axis != 0


def test_planes_far_apart_are_held_out_whole_unless_a_class_would_be_lost() -> None:
    mask = np.zeros((40, 256, 256), np.uint8)
    mask[[2, 18, 36]] = 1
    mask[[2, 18, 36], 16:240, 16:240] = 2
    blocks = hold_out_blocks(mask, gap_z=10)
    assert blocks is not None
    assert blocks.axis == 0
    assert sorted(blocks.bands) == [(TRAIN, 13, 37), (VALIDATION, 2, 3)]
    assert hold_out_blocks(mask, gap_z=None).axis != 0  # type: ignore[union-attr]
    assert hold_out_blocks(mask, gap_z=20).axis != 0  # type: ignore[union-attr]
    mask[2], mask[36] = mask[2] == 1, 1  # the other class is on the middle plane alone
    assert hold_out_blocks(mask, gap_z=10).axis != 0  # type: ignore[union-attr]


def test_networks_of_other_sight_are_checked_on_the_same_planes() -> None:
    mask = np.random.default_rng(0).integers(1, 3, (60, 64, 64)).astype(np.uint8)
    mask[np.setdiff1d(np.arange(60), np.arange(0, 60, 6))] = 0
    cuts = [hold_out_blocks(mask, gap_z=gap) for gap in (1, 5, 8, 14)]
    held = {band for cut in cuts if cut for band in cut.bands if band[0] == VALIDATION}
    assert len(held) == 1
    assert [cut.gap for cut in cuts if cut] == [1, 5, 8, 14]
    assert all(cut is not None and cut.axis == 0 for cut in cuts)
