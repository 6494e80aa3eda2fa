"""Splits: by image, steady, and never overlapping."""

from __future__ import annotations

import random

import numpy as np
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
