"""Flips and quarter turns: eight, all different, exact."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.augmentation.turns import ALL_TURNS


def test_eight_turns_are_all_different_and_lossless() -> None:
    square = np.arange(36).reshape(6, 6)
    seen = {turn.apply(square).tobytes() for turn in ALL_TURNS}
    assert len(seen) == 8
    for turn in ALL_TURNS:
        assert sorted(turn.apply(square).ravel()) == list(range(36))


def test_image_and_target_turn_together() -> None:
    random = np.random.default_rng(0)
    image = random.normal(size=(2, 9, 9)).astype(np.float32)
    target = (image[0] > 0).astype(np.uint8)
    for turn in ALL_TURNS:
        assert np.array_equal(turn.apply(image)[0] > 0, turn.apply(target) > 0)
        assert turn.apply(target).dtype == np.uint8
