"""Objects made with one setting after another are those made with the last one alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.instances import grouping
from orgseg_app.core.instances.grouping import Grouping, GroupingParameters, group
from orgseg_app.core.instances.making import MapsGrouping, MaskGrouping
from orgseg_app.core.stopping import StoppedError

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["threshold", "seeds"]), st.sampled_from([0.2, 0.5, 0.8])),
        st.tuples(st.just("smoothing"), st.sampled_from([0.0, 1.0, 2.0])),
        st.tuples(st.just("min_size"), st.sampled_from([0, 5, 40])),
        st.tuples(st.sampled_from(["fill_holes", "drop_border"]), st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


def blobs(random: np.random.Generator, shape: tuple[int, ...], spread: float) -> np.ndarray:
    rough = ndimage.gaussian_filter(random.normal(0, 1, shape), spread)
    found: np.ndarray = np.clip(rough / rough.std() * 60 + 130, 0, 255).astype(np.uint8)
    return found


@settings(max_examples=15)
@given(
    CHANGES, st.integers(0, 2**32 - 1), st.sampled_from([(40, 50), (6, 20, 25)]), st.integers(0, 2)
)
def test_what_is_kept_changes_nothing(
    changes: list[tuple[str, Any]], seed: int, shape: tuple[int, ...], kind: int
) -> None:
    random = np.random.default_rng(seed)
    foreground, seeds = blobs(random, shape, 2.5), blobs(random, shape, 1.5)
    classes = blobs(random, shape, 4) // np.uint8(64)
    size = (2.0, 1.0, 1.0)[-len(shape) :]
    learnt = seeds if kind == 1 else None
    kept = Grouping(foreground, learnt, voxel_size=size)
    of_mask = MaskGrouping(classes, size)
    of_maps = MapsGrouping(foreground, learnt, classes, size)
    wanted = GroupingParameters()
    for name, value in changes:
        wanted = grouping.with_changes(wanted, **{name: value})
        np.testing.assert_array_equal(
            kept.objects(wanted), group(foreground, learnt, wanted, voxel_size=size)
        )
        for again, anew in (
            (of_mask, MaskGrouping(classes, size, keeps=False)),
            (of_maps, MapsGrouping(foreground, learnt, classes, size, keeps=False)),
        ):
            for found, expected in zip(again.objects(wanted), anew.objects(wanted), strict=True):
                np.testing.assert_array_equal(found, expected)


def test_work_that_was_stopped_anywhere_is_taken_up_again() -> None:
    random = np.random.default_rng(2)
    foreground, seeds = blobs(random, (60, 70), 3), blobs(random, (60, 70), 1.5)
    wanted = GroupingParameters(min_size=30)
    expected = group(foreground, seeds, wanted)
    for steps in (0, 1, 2, 3, 7, 20):
        left = steps
        made = Grouping(foreground, seeds)

        def check() -> None:
            nonlocal left
            if not left:
                raise StoppedError
            left -= 1

        with pytest.raises(StoppedError):
            made.objects(wanted, check)
        np.testing.assert_array_equal(made.objects(wanted), expected)


def test_sizes_holes_and_borders_need_no_new_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    foreground, seeds = blobs(random, (60, 70), 3), blobs(random, (60, 70), 1.5)
    made = Grouping(foreground, seeds)
    made.objects(GroupingParameters(min_size=0))
    expected = group(foreground, seeds, GroupingParameters(min_size=0, drop_border=True))

    def refuse(*_: object) -> None:
        raise AssertionError

    for name in ("components", "_smoothed", "flood"):
        monkeypatch.setattr(grouping, name, refuse)
    found = made.objects(GroupingParameters(min_size=0, drop_border=True))
    np.testing.assert_array_equal(found, expected)
    made.objects(GroupingParameters(min_size=0, fill_holes=False))
    with pytest.raises(AssertionError):
        made.objects(GroupingParameters(min_size=0, seeds=0.6))
