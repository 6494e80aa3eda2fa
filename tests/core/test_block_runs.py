"""Blocks as runs, alone and in a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.core import blocks
from orgseg_app.core.block_runs import MOST_RUNS, BlockRuns
from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.mask import BLOCK, Mask
from orgseg_app.core.objects import Objects


def painted(seed: int, boxes: int) -> np.ndarray:
    """A block with boxes of several classes, some across its edges."""
    rng = np.random.default_rng(seed)
    block = np.zeros((BLOCK, BLOCK), np.uint8)
    for _ in range(boxes):
        y, x = rng.integers(-20, BLOCK, 2)
        h, w = rng.integers(1, BLOCK, 2)
        block[max(0, y) : y + h, max(0, x) : x + w] = rng.integers(0, 256)
    return block


@given(st.integers(0, 2**16), st.integers(0, 40))
def test_a_block_comes_back_as_it_was(seed: int, boxes: int) -> None:
    block = painted(seed, boxes)
    runs = BlockRuns.of(block)
    assert runs is not None
    assert np.array_equal(runs.unpacked(), block)
    assert runs.any() == block.any()
    for counted, expected in zip(runs.counted(), np.unique(block, return_counts=True), strict=True):
        assert np.array_equal(counted, expected)
    rng = np.random.default_rng(seed)
    rows, columns = (np.sort(rng.integers(0, BLOCK, rng.integers(1, 300))) for _ in range(2))
    assert np.array_equal(runs.sample(rows, columns), block[rows][:, columns])


def test_one_class_is_one_run_and_noise_is_not_worth_it() -> None:
    runs = BlockRuns.of(np.full((BLOCK, BLOCK), 7, np.uint8))
    assert runs is not None
    assert runs.nbytes < 8
    noise = np.random.default_rng(0).integers(0, 2, (BLOCK, BLOCK)).astype(np.uint8)
    assert BlockRuns.of(noise) is None
    stripes = np.zeros(BLOCK * BLOCK, np.uint8)
    stripes[:MOST_RUNS:2] = 1
    assert BlockRuns.of(stripes.reshape(BLOCK, BLOCK)) is not None
    stripes[MOST_RUNS] = 1
    assert BlockRuns.of(stripes.reshape(BLOCK, BLOCK)) is None


@pytest.fixture
def few_plain_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_MOST_PLAIN", 2)


@pytest.mark.usefixtures("few_plain_blocks")
@pytest.mark.parametrize("step", [0.3, 1.0, 2.0, 17.0])
def test_a_packed_mask_reads_as_before(step: float) -> None:
    rng = np.random.default_rng(1)
    array = np.kron(rng.integers(0, 4, (2, 30, 25)), np.ones((1, 23, 31))).astype(np.uint8)
    array[1, :BLOCK, :BLOCK] = rng.integers(0, 2, (BLOCK, BLOCK))  # not worth packing
    mask = Mask.from_array(array)
    depth, height, width = mask.shape
    counts, planes, dirty = mask.counts(), mask.planes(), set(mask.dirty)
    while mask.pack(3):
        pass
    assert not mask.pack(100)
    packed = [index for index, block in mask._blocks.items() if isinstance(block, BlockRuns)]
    assert len(packed) == len(mask.block_indices()) - 2 - (0 if (1, 0, 0) in mask._plain else 1)
    assert mask.dirty == dirty
    assert (mask.counts(), mask.planes()) == (counts, planes)
    assert np.array_equal(mask.to_array(), array)
    rows = np.clip((np.arange(-3, int(height / step) + 3) * step).astype(int), 0, height - 1)
    columns = np.clip((np.arange(-3, int(width / step) + 3) * step).astype(int), 0, width - 1)
    for z in range(depth):
        assert np.array_equal(mask.sample(z, rows, columns), array[z][rows][:, columns])
        assert np.array_equal(mask.read(z, 100, 200, 601, 702), array[z, 100:601, 200:702])
        for y, x in rng.integers(0, (height, width), (50, 2)).tolist():
            assert mask.value(z, y, x) == array[z, y, x]


@pytest.mark.usefixtures("few_plain_blocks")
def test_writing_goes_on_in_a_packed_mask() -> None:
    array = np.ones((1, 700, 900), np.uint8)
    mask = Mask.from_array(array)
    mask.pack(100)
    shared = mask.block((0, 0, 0))
    assert shared is not None
    mask.write(0, 10, 20, np.full((50, 500), 3, np.uint8))
    array[0, 10:60, 20:520] = 3
    assert np.array_equal(mask.to_array(), array)
    assert (shared == 1).all(), "what others hold is not written"
    assert mask.counts() == {1: 700 * 900 - 25_000, 3: 25_000}
    mask.pack(100)
    mask.replace_block((0, 0, 0), None)
    array[0, :BLOCK, :BLOCK] = 0
    assert np.array_equal(mask.to_array(), array)
    assert mask.counts()[3] == int((array == 3).sum())


@pytest.mark.usefixtures("few_plain_blocks")
def test_the_blocks_written_last_stay_plain() -> None:
    mask = Mask.from_array(np.ones((1, BLOCK, 4 * BLOCK), np.uint8))
    mask.writable((0, 0, 0))
    mask.pack(100)
    assert list(mask._plain) == [(0, 0, 3), (0, 0, 0)]


@pytest.mark.usefixtures("few_plain_blocks")
def test_another_thread_sees_packed_blocks_as_they_are_kept() -> None:
    mask = Mask.from_array(np.kron(np.arange(1, 13).reshape(2, 2, 3), np.ones((1, 256, 256), int)))
    mask.objects.share(Objects.from_array(mask.to_array().astype(np.uint32)))
    while mask.pack(1):
        pass
    seen = seen_from(mask, [1])
    assert seen.dirty == seen.objects.dirty == set()
    assert seen.counts() == dict.fromkeys(range(7, 13), BLOCK * BLOCK)
    packed = 0
    for now, then in ((mask, seen), (mask.objects, seen.objects)):
        assert then.block_indices() == [index for index in now.block_indices() if index[0] == 1]
        assert np.array_equal(then.plane(1), now.plane(1))
        for index in then.block_indices():
            runs = now.kept(index)
            packed += runs is then.kept(index)  # a plain block is packed, or copied, each time
    assert packed == 6 + 6 - 2 * 2


def test_what_is_kept_is_made_of_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stroke that goes on while a block is packed would move the ends of its runs."""
    mask, plain = Mask.from_array(np.ones((BLOCK, BLOCK), np.uint8)), BlockRuns.of
    shared = []
    monkeypatch.setattr(
        BlockRuns,
        "of",
        lambda block: shared.append(np.shares_memory(block, mask.block((0, 0, 0)))) or plain(block),
    )
    assert mask.kept((0, 0, 0)) is not None
    assert shared == [False]
