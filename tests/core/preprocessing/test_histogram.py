"""Grey values by how often they occur: equalisation and matching."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.preprocessing.histogram import QUANTILES, RANKS
from orgseg_app.core.preprocessing.steps import apply_steps, fit_reference, fit_references
from orgseg_app.runs.recipes.reading import recipe_from_json, recipe_to_json
from orgseg_app.runs.recipes.schema import PreprocessStep, Recipe

MATCH, EQUALISE = PreprocessStep("match"), PreprocessStep("equalise")


def picture(dtype: str, seed: int = 0, gain: float = 1.0, channels: int = 1) -> np.ndarray:
    top = {"uint8": 20, "uint16": 900, "float32": 0.3}[dtype] * gain
    values = np.random.default_rng(seed).gamma(3, 1, (channels, 90, 80)) * top
    return values.clip(0, 255 if dtype == "uint8" else 65535).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_equalised_every_grey_value_is_as_frequent(dtype: str) -> None:
    out = apply_steps(picture(dtype), [EQUALISE])
    assert out.min() == 0
    assert out.max() == 1
    share = np.histogram(out, 8, (0, 1))[0] / out.size
    assert np.abs(share - 1 / 8).max() < (0.03 if dtype == "uint8" else 0.005)


def test_8_bits_are_equalised_as_opencv_does() -> None:
    import cv2

    plane = picture("uint8")
    expected = cv2.equalizeHist(plane[0]) / 255
    assert np.abs(apply_steps(plane, [EQUALISE])[0] - expected).max() < 0.6 / 255


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_another_exposure_looks_like_the_training_images(dtype: str) -> None:
    step = fit_reference(MATCH, [picture(dtype, seed) for seed in range(4)])
    assert len(step.reference) == QUANTILES
    usual = apply_steps(picture(dtype, 9), [step])
    dim = apply_steps(picture(dtype, 9, gain=0.4), [step])
    assert np.abs(usual - dim).mean() < (0.02 if dtype == "uint8" else 0.002)
    # …and its quantiles are those learnt, with the 0.1st and 99.9th percentile at 0 and 1.
    low, high = np.interp((0.1, 99.9), RANKS, step.reference)
    expected = (np.percentile(picture(dtype, 0), (5, 50, 95)) - low) / (high - low)
    assert np.abs(np.percentile(usual, (5, 50, 95)) - expected).max() < 0.03


def test_an_image_matched_to_itself_keeps_its_order_and_shape() -> None:
    plane = picture("uint16")
    out = apply_steps(plane, [fit_reference(MATCH, [plane])])
    assert np.corrcoef(out.ravel(), plane.ravel())[0, 1] > 0.9999


def test_without_a_reference_it_leaves_the_plain_values() -> None:
    plane = picture("uint16")
    np.testing.assert_array_equal(apply_steps(plane, [MATCH]), plane.astype(np.float32))


def test_each_channel_has_its_own_reference() -> None:
    plane = np.concatenate([picture("uint16"), picture("uint16", 1, gain=9)])
    step = fit_reference(MATCH, [plane])
    both = apply_steps(plane, [step])
    for c in range(2):
        alone = fit_reference(MATCH, [plane[c : c + 1]])
        np.testing.assert_array_equal(both[c], apply_steps(plane[c : c + 1], [alone])[0])
    with pytest.raises(ValueError, match="images with 2 channels, and this one has 1"):
        apply_steps(plane[:1], [step])
    with pytest.raises(ValueError, match="different numbers of channels"):
        fit_reference(MATCH, [plane, plane[:1]])


def test_what_is_learnt_is_learnt_after_the_steps_before() -> None:
    planes = [picture("uint16", seed, gain=1 + seed) for seed in range(3)]
    steps = [PreprocessStep("median"), MATCH, PreprocessStep("zscore")]
    learnt = fit_references(steps, lambda: planes)
    assert [step.name for step in learnt] == ["median", "match", "zscore"]
    by_hand = fit_reference(MATCH, [apply_steps(plane, steps[:1]) for plane in planes])
    assert learnt[1] == by_hand
    assert learnt[0] is steps[0]


def test_steps_that_learn_nothing_do_not_look() -> None:
    def planes() -> list[np.ndarray]:
        raise AssertionError

    steps = (PreprocessStep("clahe"), PreprocessStep("zscore"))
    assert fit_references(steps, planes) == steps


def test_what_was_learnt_goes_with_the_recipe() -> None:
    step = fit_reference(MATCH, [picture("float32", channels=3)])
    recipe = Recipe(name="Matched", preprocess=(step,))
    assert recipe_from_json(recipe_to_json(recipe)).preprocess == (step,)
