"""What is odd is said to be odd, and for its reason; what is usual is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.blocks import Box
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.object_review.survey import ObjectColumns, Survey
from orgseg_app.core.object_review.suspicion import (
    BORDER,
    GAP,
    HOLES,
    HUGE,
    MIXED,
    NEIGHBOUR,
    NOT_ROUND,
    PARTS,
    TINY,
    Suspicions,
    judged,
)


def discs(odd: dict[int, str], depth: int = 1) -> Mask:
    """Twenty discs of 11…13 voxels across, some of them odd, numbered from 1."""
    rng = np.random.default_rng(5)
    shape = (depth, 200, 250)
    numbers, classes = np.zeros(shape, np.uint32), np.ones(shape, np.uint8)
    y, x = np.mgrid[:200, :250]
    for n in range(20):
        cy, cx = 25 + 50 * (n // 5), 25 + 50 * (n % 5)
        radius = {TINY: 1.5, HUGE: 22}.get(odd.get(n + 1, ""), rng.uniform(5.5, 6.5))
        where = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        what = odd.get(n + 1)
        if what == NOT_ROUND:
            where = (abs(y - cy) < 3) & (abs(x - cx) < 18)
        if what == PARTS:
            where[cy + 12 : cy + 15, cx : cx + 3] = True
        if what == HOLES:
            where[cy, cx] = False
        if what == BORDER:
            where = (y < 12) & (abs(x - cx) < 6)
        planes = np.s_[[0, 2]] if what == GAP else np.s_[:]
        numbers[planes] = np.where(where, np.uint32(n + 1), numbers[planes])
        if what == NEIGHBOUR:
            numbers[:, cy:, cx - 9 : cx + 9] = np.where(where, 50, numbers)[:, cy:, cx - 9 : cx + 9]
        classes[numbers > 0] = 2
        if what == MIXED:
            mixed = (cy, cx)
    if MIXED in odd.values():
        classes[:, mixed[0], mixed[1]] = 3
    mask = Mask(shape)
    for z in range(depth):
        Recorder("", mask).put(z, 0, 0, classes[z], numbers[z])
    return mask


def looked_at(mask: Mask) -> tuple[ObjectColumns, Suspicions]:
    survey = Survey(mask.shape)
    survey.look(mask, Box(0, 0, 0, *mask.shape))
    columns = survey.columns()
    return columns, judged(columns)


@pytest.mark.parametrize("reason", [TINY, HUGE, NOT_ROUND, PARTS, HOLES, NEIGHBOUR, MIXED, BORDER])
def test_the_odd_one_is_found_for_its_reason(reason: str) -> None:
    at = 3 if reason == BORDER else 13
    columns, found = looked_at(discs({at: reason}))
    row = columns.row_of(at)
    assert reason in found.of(row)
    twin = {columns.row_of(50)} if reason == NEIGHBOUR else set()
    others = [r for r in range(len(columns)) if r != row and r not in twin]
    assert [found.of(r) for r in others] == [[]] * len(others)
    assert found.score[row] == found.score.max() > 0
    assert set(found.score[others].tolist()) == {0.0}


def test_a_plane_left_out_is_found() -> None:
    columns, found = looked_at(discs({7: GAP}, depth=3))
    assert [n for n in columns.numbers.tolist() if found.reasons[GAP][columns.row_of(n)]] == [7]
    assert columns.missing[columns.row_of(7)] == 1


def test_of_few_objects_nobody_says_what_is_usual() -> None:
    mask = Mask((1, 60, 60))
    for number, side in ((1, 2), (2, 20), (3, 8)):
        Recorder("", mask, number).paint(0, 1 + 8 * number, 5, np.ones((min(side, 7), side)) > 0, 2)
    _, found = looked_at(mask)
    assert found.usual == {}
    assert found.score.tolist() == [0, 0, 0]


def test_what_is_usual_is_told_by_class() -> None:
    columns, found = looked_at(discs({13: TINY}))
    usual = found.usual[2]
    assert usual.count == 20
    assert usual.low <= usual.voxels <= usual.high
    assert usual.voxels == np.median(columns.voxels)
    assert usual.roundness > 0.9


def test_without_objects_there_is_nothing_to_say() -> None:
    columns, found = looked_at(Mask((1, 10, 10)))
    assert len(columns) == len(found.score) == 0
