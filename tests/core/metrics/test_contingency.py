"""The table of overlaps against counting voxel by voxel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics.contingency import (
    UNKNOWN,
    Contingency,
    ContingencyCounter,
    contingency,
)

seeds = st.integers(0, 2**32 - 1)
DTYPES = (np.uint8, np.uint16, np.int32, np.uint32, np.int64, bool)


def labels(
    random: np.random.Generator, shape: tuple[int, ...], dtype: type | None = None
) -> np.ndarray:
    """Runs of labels: few ones, close together, or with wide gaps."""
    dtype = random.choice(DTYPES) if dtype is None else dtype
    count = 2 if dtype is bool else int(random.integers(1, 9))
    known = np.arange(count)
    if dtype not in (bool, np.uint8) and random.random() < 0.6:
        known = np.sort(random.integers(0, np.iinfo(dtype).max, count))
    if dtype in (np.int32, np.int64) and random.random() < 0.3:
        known = np.concatenate(([0], 70_000 + np.arange(count)))
    size = int(np.prod(shape))
    runs = np.repeat(random.choice(known, size), random.integers(1, 9, size))[:size]
    return runs.astype(dtype).reshape(shape)


def as_counter(table: Contingency) -> Counter[tuple[int, int]]:
    pairs = zip(table.truth.tolist(), table.prediction.tolist(), strict=True)
    found = Counter(dict(zip(pairs, table.voxels.tolist(), strict=True)))
    assert len(found) == len(table.voxels)  # each pair once
    return found


def slow(truth: np.ndarray, prediction: np.ndarray, ignore: np.ndarray) -> Counter:
    triples = zip(truth.ravel(), prediction.ravel(), ignore.ravel(), strict=True)
    return Counter((int(t), int(p)) for t, p, ignored in triples if not ignored)


@given(seeds, st.booleans())
@settings(max_examples=60, deadline=None)
def test_counts_like_a_slow_one(seed: int, with_ignore: bool) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 12, random.integers(1, 4)).tolist())
    truth, prediction = labels(random, shape), labels(random, shape)
    ignore = labels(random, shape, bool) if with_ignore else np.zeros(shape, bool)
    table = contingency(truth, prediction, ignore=ignore if with_ignore else None)
    wanted = slow(truth, prediction, ignore)
    assert as_counter(table) == wanted
    order = list(zip(table.truth.tolist(), table.prediction.tolist(), strict=True))
    assert order == sorted(order)
    assert table.total == (~ignore).sum()
    sizes = np.unique(prediction[~ignore], return_counts=True)[1]
    assert table.prediction_sizes().tolist() == sizes.tolist()
    sizes = np.unique(truth[~ignore], return_counts=True)[1]
    assert table.truth_sizes().tolist() == sizes.tolist()


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_what_is_ignored_may_stay_in_the_table(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 9)), 40)
    truth, prediction = labels(random, shape), labels(random, shape)
    ignore = labels(random, shape, bool)
    table = contingency(truth, prediction, ignore=ignore, keep_ignored=True)
    unknown = np.where(ignore, UNKNOWN, truth.astype(np.int64))
    assert as_counter(table) == slow(unknown, prediction, np.zeros(shape, bool))
    assert as_counter(table.known()) == slow(truth, prediction, ignore)
    assert sorted(table.truth.tolist()) == table.truth.tolist()
    twice = table.relabelled(np.where(table.truth > 0, 1, table.truth), table.prediction)
    assert twice.total == table.total == truth.size


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 1.0])
def test_changes_are_found_wherever_they_are(share: float) -> None:
    """Words without a change are passed over; those with one are not."""
    random = np.random.default_rng(3)
    changes = random.random(150_000) < share  # two chunks and a rest that is no whole word
    changes[[65_535, 65_536, 149_999]] = True
    truth = np.cumsum(changes).astype(np.int32)
    table = contingency(truth, np.zeros(truth.shape, np.uint8))
    wanted = np.bincount(truth)
    assert table.voxels.tolist() == wanted[wanted > 0].tolist()


def test_runs_go_on_from_chunk_to_chunk() -> None:
    truth = np.ones((300, 700), np.uint8)
    prediction = np.ones((300, 700), np.int32)
    prediction[150:] = 2
    table = contingency(truth, prediction)
    assert as_counter(table) == {(1, 1): 105_000, (1, 2): 105_000}


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_planes_add_up(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (4, 6, 5)
    truth, prediction = labels(random, shape), labels(random, shape)
    ignore = labels(random, shape, bool)
    counter = ContingencyCounter()
    for z in range(4):
        counter.add(truth[z], prediction[z], ignore=ignore[z])
    assert as_counter(counter.table()) == slow(truth, prediction, ignore)


def test_pairs_that_become_alike_are_summed_up() -> None:
    table = contingency(np.array([0, 1, 2, 3]), np.array([0, 1, 1, 2]))
    found = table.renamed(np.array([0, 1, 1, 2]), np.array([0, 5, 6]))
    assert as_counter(found) == {(0, 0): 1, (1, 5): 2, (2, 6): 1}


def test_planes_that_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        contingency(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="from 0 on"):
        contingency(np.array([1, -1]), np.array([1, 1]))


def test_nothing_at_all() -> None:
    assert contingency(np.zeros((0, 4), int), np.zeros((0, 4), int)).total == 0
    ones = np.ones(5, int)
    assert contingency(ones, ones, ignore=ones > 0).total == 0
    assert ContingencyCounter().table().total == 0
