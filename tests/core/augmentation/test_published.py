"""Copies as published: named so, exact where they are turns, image and mask alike."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.augmentation.published import TIMES, guises


def test_names_are_those_of_the_published_sets() -> None:
    assert [g.pattern.format("x") for g in guises(8)] == [
        "x",
        "x_90",
        "x_180",
        "x_270",
        "flip_x",
        "flip_x_90",
        "flip_x_180",
        "flip_x_270",
    ]
    for times in (6, 12):
        names = [g.pattern.format("x") for g in guises(times)]
        assert names == [f"x_{n}" for n in range(1, times + 1)]
    with pytest.raises(ValueError, match="6, 8, 12 times, not 7"):
        guises(7)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("shape", [(40, 40), (30, 50)])
def test_all_copies_differ_and_masks_follow(times: int, shape: tuple[int, int]) -> None:
    number = np.arange(shape[0] * shape[1], dtype=np.uint16).reshape(shape)
    pixels = (number * 20)[None, None]
    objects = number[None].astype(np.uint32) + (1 << 25)
    mask = (number[None] % 3).astype(np.uint8)
    seen = set()
    for copy, guise in enumerate(guises(times)):
        shown, (m, o) = guise.of(pixels, [mask, objects], np.random.default_rng([0, copy]))
        assert shown.dtype == np.uint16
        assert (m.dtype, o.dtype) == (np.uint8, np.uint32)
        assert np.array_equal(m, (o - (1 << 25)) % 3)
        seen.add((shown.shape, shown.tobytes()))
        if guise.steps:
            continue
        assert np.array_equal(shown[0], (o - (1 << 25)) * 20)
        assert sorted(o.ravel()) == sorted(objects.ravel())  # nothing is lost
    assert len(seen) == times


def test_flip_comes_before_the_turn() -> None:
    plane = np.arange(12).reshape(1, 1, 3, 4).astype(np.uint8)
    by_name = {g.pattern: g for g in guises(8)}
    shown, _ = by_name["flip_{}_90"].of(plane, [], np.random.default_rng(0))
    assert np.array_equal(shown[0, 0], np.rot90(plane[0, 0, :, ::-1]))
    shown, _ = by_name["{}_270"].of(plane, [], np.random.default_rng(0))
    assert np.array_equal(shown[0, 0], np.rot90(plane[0, 0], 3))


def test_copies_drawn_by_chance_stay_within_their_type_and_have_no_dark_corners() -> None:
    bright = np.full((1, 1, 60, 60), 65535, np.uint16)
    bright[0, 0, 20:40] = 60000
    mask = np.full((1, 60, 60), 2, np.uint8)
    for number, guise in enumerate(guises(12)[8:]):
        shown, (found,) = guise.of(bright, [mask], np.random.default_rng(number))
        assert shown.min() > 50000  # no black, no wrap-around
        assert (found == 2).all()  # what is mirrored is labelled like its original
