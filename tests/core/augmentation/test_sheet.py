"""The sheet of examples shows one place in many guises."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.augmentation.sheet import sheet
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS

STEPS = AUGMENTATION_PRESETS["advanced"].steps


def test_examples_differ_come_again_and_do_not_depend_on_their_number() -> None:
    random = np.random.default_rng(0)
    pixels = random.normal(size=(2, 90, 100)).astype(np.float32)
    mask = (random.random((90, 100)) < 0.3).astype(np.uint8) + 1
    found = sheet(pixels, mask, STEPS, 3, 6, size=32, centre_yx=(40, 50))
    assert len(found) == 6
    assert len({image.tobytes() for image, _ in found}) == 6
    for image, target in found:
        assert image.shape == (2, 32, 32)
        assert target.shape == (32, 32)
        assert target.dtype == np.uint8
        assert set(np.unique(target)) <= {0, 1, 2}
    again = sheet(pixels, mask, STEPS, 3, 2, size=32, centre_yx=(40, 50))
    for (image, target), (other, same) in zip(found, again, strict=False):
        assert np.array_equal(image, other)
        assert np.array_equal(target, same)


def test_without_steps_the_place_itself_is_shown() -> None:
    pixels = np.arange(30 * 40, dtype=np.float32).reshape(1, 30, 40)
    mask = np.arange(30 * 40, dtype=np.uint32).reshape(30, 40)
    ((image, target),) = sheet(pixels, mask, (), 0, 1)
    assert np.array_equal(image, pixels)
    assert np.array_equal(target, mask)
    ((image, target),) = sheet(pixels, mask, (), 0, 1, size=8, centre_yx=(0, 39))
    assert np.array_equal(image, pixels[:, :8, 32:])  # moved inside
    assert np.array_equal(target, mask[:8, 32:])
    ((image, target),) = sheet(pixels, mask, (), 0, 1, size=64, centre_yx=(0, 39))
    assert np.array_equal(target[:30, :40], mask)
    assert (target[30:] == 0).all()  # past the edge
    assert np.array_equal(image[0, 30, :40], pixels[0, 28])  # its mirror image
