"""Changes of many blocks: written by several threads, whole or not at all, and kept small."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.edits import change as change_module
from orgseg_app.core.edits.change import Change, packed
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.mask import BLOCK, Box, Mask

SIDE = 9 * BLOCK + 40


def scene() -> np.ndarray:
    """A background with discs of three classes, and corners in which nothing is."""
    y, x = np.ogrid[:SIDE, :SIDE]
    discs = (y % 700 - 350) ** 2 + (x % 700 - 350) ** 2 < 300**2
    array = np.where(discs, 2 + (y // 700 + x // 700) % 3, 1).astype(np.uint8)
    array[:400, :300] = array[-100:, -700:] = 0
    return array


def counts(array: np.ndarray) -> dict[int, int]:
    return {i: int(n) for i, n in enumerate(np.bincount(array.ravel())) if i and n}


def replaced() -> tuple[np.ndarray, np.ndarray, Mask, Change]:
    before, after = scene(), scene()[::-1, ::-1].copy()
    mask = Mask.from_array(before)
    recorder = Recorder("image", mask)
    ReplaceMask(after[np.newaxis]).apply(recorder)
    change = recorder.finish("replace")
    assert change is not None
    return before, after, mask, change


@pytest.mark.parametrize("many", [10, 10_000])
@pytest.mark.parametrize("threads_from", [2, 10_000])
def test_many_blocks_come_back_as_they_were(
    monkeypatch: pytest.MonkeyPatch, many: int, threads_from: int
) -> None:
    monkeypatch.setattr(change_module, "_MANY", many)
    monkeypatch.setattr(change_module, "_WORTH_THREADS", threads_from)
    before, after, mask, change = replaced()
    for _ in range(2):
        mask.dirty.clear()
        assert change.undo(mask)
        assert np.array_equal(mask.plane(0), before)
        assert mask.dirty == {index for index, _ in change.blocks}
        assert mask.counts() == counts(before)
        assert change.redo(mask)
        assert np.array_equal(mask.plane(0), after)
    kept = [mask._blocks[index] for index, _ in change.blocks]
    if many == 10:
        assert all(isinstance(block, BlockRuns) for block in kept)


def test_what_is_one_class_after_undoing_is_kept_as_one_run() -> None:
    mask = Mask((1, SIDE, SIDE))
    recorder = Recorder("image", mask)
    ReplaceMask(np.ones((1, SIDE, SIDE), np.uint8)).apply(recorder)
    change = recorder.finish("replace")
    assert change is not None
    change.undo(mask)
    assert mask.is_empty
    change.redo(mask)
    assert mask.counts() == {1: SIDE * SIDE}
    middle = mask._blocks[0, 4, 4]
    assert isinstance(middle, BlockRuns)
    assert middle.nbytes < 8
    mask.write(0, 1100, 1100, np.full((3, 3), 5, np.uint8))
    assert mask.counts() == {1: SIDE * SIDE - 9, 5: 9}


def test_a_filling_is_undone_before_it_is_packed_and_after() -> None:
    before = scene()
    where = before == 1
    mask = Mask.from_array(before)
    recorder = Recorder("image", mask)
    recorder.recolour([(0, 0, 0, where)], 1, 6)
    change = recorder.finish("fill")
    assert change is not None
    for is_packed in (False, True):
        if is_packed:
            change = replace(change, blocks=tuple(change.blocks))
        change.undo(mask)
        assert np.array_equal(mask.plane(0), before)
        change.redo(mask)
        assert np.array_equal(mask.plane(0), np.where(where, 6, before))


def test_undoing_does_not_wait_until_a_filling_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = Mask.from_array(scene())
    recorder = Recorder("image", mask)
    recorder.recolour([(0, 0, 0, scene() == 1)], 1, 6)
    change = recorder.finish("fill")
    assert change is not None

    def refuse(*_: object) -> bytes:
        raise AssertionError("packed")

    monkeypatch.setattr(zlib, "compress", refuse)
    assert change.undo(mask)
    assert np.array_equal(mask.plane(0), scene())


def test_a_change_with_one_bad_block_writes_nothing() -> None:
    """A journal may come from a stranger."""
    mask = Mask.from_array(scene())
    good = packed(None, np.full((BLOCK, BLOCK), 3, np.uint8))
    indices = [(0, y, x) for y in range(8) for x in range(8)]
    blocks = [(index, good) for index in indices]
    blocks[41] = (indices[41], zlib.compress(b"short"))
    mask.dirty.clear()
    for bad in (tuple(blocks), tuple(blocks[40:43])):
        assert not Change("a", "mask", "x", Box(0, 0, 0, 1, 9, 9), bad).redo(mask)
    assert not mask.dirty
    assert np.array_equal(mask.plane(0), scene())
