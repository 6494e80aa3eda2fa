"""A change worked out beforehand is the change that painting makes."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FloodFill
from orgseg_app.core.mask import Mask
from orgseg_app.core.ready import ready_change, worked_out

SHAPE = (2, 300, 520)


def some_mask(seed: int) -> Mask:
    random = np.random.default_rng(seed)
    mask = Mask(SHAPE)
    for z in range(SHAPE[0]):
        y, x = random.integers(0, 200, 2)
        mask.write(z, int(y), int(x), random.integers(0, 5, (90, 280)).astype(np.uint8))
    return mask


def blocks(*masks: Mask) -> set[tuple[int, int, int]]:
    return {index for mask in masks for index in mask.block_indices()}


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_a_recorder_makes(seed: int) -> None:
    now, then = some_mask(seed), some_mask(seed + 100)
    before = now.to_array()
    slow = Mask.from_array(before)
    recorder = Recorder("a", slow)
    for z in range(SHAPE[0]):
        recorder.put(z, 0, 0, then.plane(z))
    expected = recorder.finish("restore")
    ready = ready_change("a", "restore", now, then, blocks(now, then))
    assert ready is not None
    assert expected is not None
    assert dict(ready.change.blocks) == dict(expected.blocks)
    assert ready.fits(now)
    now.dirty.clear()
    ready.make(now)
    assert np.array_equal(now.to_array(), then.to_array())
    assert now.dirty == set(ready.after)
    ready.change.undo(now)
    assert np.array_equal(now.to_array(), before)
    ready.change.redo(now)
    assert np.array_equal(now.to_array(), then.to_array())
    now.write(0, 10, 10, np.full((3, 3), 9, np.uint8))
    assert not np.array_equal(now.to_array(), then.to_array()), "then is not painted along"


def test_it_knows_when_somebody_has_painted_since() -> None:
    now, then = some_mask(1), some_mask(2)
    ready = ready_change("a", "restore", now, then, blocks(now, then))
    assert ready is not None
    y, x = (int(v) for v in np.argwhere(now.plane(0) != 0)[0])
    now.write(0, y, x, np.full((1, 1), 200, np.uint8))
    assert not ready.fits(now)


def test_nothing_to_do() -> None:
    now = some_mask(3)
    assert ready_change("a", "restore", now, some_mask(3), blocks(now)) is None


def test_a_lost_block_is_mended_even_where_it_looks_the_same() -> None:
    now, then = some_mask(4), some_mask(4)
    lost = (1, 1, 1)
    for mask in (now, then):
        mask.replace_block(lost, None)
    now.damaged.add(lost)
    now.dirty.clear()
    ready = ready_change("a", "restore", now, then, {*blocks(now), lost})
    assert ready is not None
    assert ready.change.blocks == ()
    ready.make(now)
    assert (now.damaged, now.dirty) == (set(), {lost})


def test_it_knows_when_objects_were_made_of_what_changes_class() -> None:
    """The class may be the same all the while, as when regions are made objects."""
    box, fill = (20, 30, 60, 90), FloodFill(0, 40, 50, 3)
    for make in (
        lambda mask: worked_out("a", mask, fill),
        lambda mask: ready_change(
            "a", "restore", mask, Mask.from_array(np.zeros(SHAPE, np.uint8)), [(0, 0, 0)]
        ),
    ):
        now = Mask(SHAPE)
        paint(now, PaintRectangle(0, box, 2))
        ready = make(now)
        assert ready is not None
        assert ready.fits(now)
        paint(now, PaintRectangle(0, (200, 200, 210, 210), 2), 4)  # beside it, for all one knows
        now.write(0, 200, 200, np.zeros((10, 10), np.uint8))
        now.objects.write(0, 250, 250, np.ones((3, 3), np.uint32))
        assert ready.fits(now)
        paint(now, PaintRectangle(0, box, 2), 5)
        assert now.value(0, 40, 50) == 2
        assert not ready.fits(now)


def test_it_fits_while_objects_stay_and_their_class_changes() -> None:
    now, then = Mask(SHAPE), Mask(SHAPE)
    for mask, class_id in ((now, 2), (then, 3)):
        paint(mask, PaintRectangle(0, (20, 30, 60, 90), class_id), 5)
    ready = ready_change("a", "restore", now, then, [(0, 0, 0)], [(0, 0, 0)])
    assert ready is not None
    assert ready.fits(now)
    ready.make(now)
    assert np.array_equal(now.to_array(), then.to_array())
    assert np.array_equal(now.objects.to_array(), then.objects.to_array())
    paint(now, PaintRectangle(0, (20, 30, 60, 90), 3), 6)
    ready.change.undo(now)
    paint(now, PaintRectangle(0, (20, 30, 60, 90), 2), 6)
    assert not ready.fits(now)


def paint(mask: Mask, edit: Edit, number: int = 0) -> None:
    edit.apply(Recorder("a", mask, number))
