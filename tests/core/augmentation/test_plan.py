"""A plan does the same to image, mask, objects and weights, whatever was drawn."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.augmentation.dice import draw
from orgseg_app.core.augmentation.geometry import GEOMETRIC
from orgseg_app.core.augmentation.loose import LoosePlanes
from orgseg_app.core.augmentation.plan import Act, Plan
from orgseg_app.core.augmentation.steps import AUGMENTATIONS
from orgseg_app.core.augmentation.turns import ALL_TURNS
from orgseg_app.runs.recipes.schema import AugmentationStep

OUTSIDE = 255
SOFTEST = 0.08
"""Linear interpolation may round a place by a fraction of a pixel (OpenCV: 1/32)."""


def drawn(
    names: list[str], seed: int, size: int | tuple[int, int], **params: dict[str, float]
) -> Plan:
    steps = [AugmentationStep(name, 1.0, params.get(name, {})) for name in names]
    return draw(steps, np.random.default_rng(seed), size)


def coordinates(height: int, width: int) -> np.ndarray:
    """Two channels that tell a pixel's y and x."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([y, x])


names = st.lists(st.sampled_from(sorted(GEOMETRIC)), max_size=5)
sides = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(names, st.integers(0, 999), sides, sides, st.data())
@settings(max_examples=150)
def test_image_mask_objects_and_weights_stay_paired(
    names: list[str],
    seed: int,
    plane: tuple[int, int],
    patch: tuple[int, int],
    data: st.DataObject,
) -> None:
    height, width = plane
    pixels = coordinates(height, width)
    number = np.arange(height * width).reshape(height, width)
    objects = (number + (1 << 24) + 1).astype(np.uint32)  # float32 would confuse neighbours
    mask = (number % 250 + 1).astype(np.uint8)
    weights = (number + 0.5).astype(np.float32)
    labels16 = (number + 1).astype(np.uint16)
    plan = drawn(names, seed, patch, scale={"smallest": 0.5, "largest": 2})
    at = tuple(data.draw(st.integers(0, n - 1)) for n in plane)
    anchor = tuple(data.draw(st.integers(0, n - 1)) for n in patch)
    place = plan.geometry.anchored(anchor, at, plane)
    assert all(0 <= p < n for p, n in zip(place, patch, strict=True))

    shown, (m, o, w, i) = plan.cut(
        pixels,
        [mask, objects, weights, labels16],
        outside=[OUTSIDE, 0, 0, 0],
        patch_yx=place,
        source_yx=at,
    )
    assert shown.shape == (2, *patch)
    assert shown.dtype == np.float32
    assert (m.dtype, o.dtype, w.dtype) == (mask.dtype, objects.dtype, weights.dtype)
    inside = o != 0
    assert np.isin(o[inside], objects).all()  # no number is invented
    index = o[inside].astype(np.int64) - (1 << 24) - 1
    assert np.array_equal(m[inside], mask.ravel()[index])
    assert np.array_equal(w[inside], weights.ravel()[index])
    assert np.array_equal(i[inside], labels16.ravel()[index])
    assert (m[~inside] == OUTSIDE).all()
    assert (w[~inside] == 0).all()
    assert (i[~inside] == 0).all()
    # The image shows what the objects say, to the rounding of half a pixel.
    y, x = np.divmod(index, width)
    assert np.abs(shown[0][inside] - y).max(initial=0) <= 0.5 + SOFTEST
    assert np.abs(shown[1][inside] - x).max(initial=0) <= 0.5 + SOFTEST
    # Past the edge it is still the image.
    assert shown[0].min() >= 0
    assert shown[0].max() <= height - 1
    # The place that was asked for is there.
    assert o[place] == objects[at]


@given(names, st.integers(0, 99), st.lists(st.sampled_from(sorted(AUGMENTATIONS)), max_size=3))
@settings(max_examples=40)
def test_changes_of_grey_values_leave_the_layers_alone(
    names: list[str], seed: int, more: list[str]
) -> None:
    plane = np.random.default_rng(seed).normal(size=(1, 40, 50)).astype(np.float32)
    mask = (plane[0] > 0).astype(np.uint8)
    only = [name for name in names + more if name in GEOMETRIC]
    acts = drawn(names + more, seed, 32).acts
    kept = Plan((32, 32), tuple(act for act in acts if act.name in GEOMETRIC))
    assert {act.name for act in kept.acts} == set(only)
    _, (with_all,) = Plan((32, 32), acts).apply(plane, [mask])
    _, (with_some,) = kept.apply(plane, [mask])
    assert np.array_equal(with_all, with_some)


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"flip_z"}))
def test_every_step_changes_the_patch(name: str) -> None:
    """Nothing is a silent no-op, as reflections were in one published pipeline."""
    plane = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    before = plane.copy()
    mask = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64)
    changed = moved = 0
    for seed in range(16):
        shown, (found,) = drawn([name], seed, 64).apply(plane, [mask])
        changed += not np.array_equal(shown, before)
        moved += not np.array_equal(found, mask)
        assert np.array_equal(plane, before)
        assert np.isfinite(shown).all()
        for channel in range(2):
            assert not np.shares_memory(shown[channel], plane)
    assert changed == 16 or (name == "d4" and changed >= 12)  # which may well stay as it is
    assert moved >= 12 if name in GEOMETRIC else moved == 0


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3)])
def test_flat_and_tiny_patches_stay_finite(name: str, shape: tuple[int, int]) -> None:
    flat = np.full((1, *shape), 7.25, np.float32)
    shown, (mask,) = drawn([name], 3, shape).apply(flat, [np.ones(shape, np.uint8)])
    assert np.allclose(shown, 7.25, atol=1e-4)
    assert mask.shape == shape


def test_flips_and_turns_are_exact_and_those_of_turns() -> None:
    plane = np.random.default_rng(0).normal(size=(2, 33, 33)).astype(np.float32)
    mask = (plane[0] > 0).astype(np.uint8)
    for turn in ALL_TURNS:
        act = Act("d4", {"quarters": turn.quarters, "flip": int(turn.flip)})
        shown, (found,) = Plan((33, 33), (act,)).apply(plane, [mask])
        assert np.array_equal(shown, turn.apply(plane))
        assert np.array_equal(found, turn.apply(mask))


def test_quarter_turns_by_warp_leave_no_line_at_the_border() -> None:
    """Turning about (h/2, w/2) drew a false line of foreground in a published pipeline."""
    plane = coordinates(256, 256)
    mask = np.ones((256, 256), np.uint8)
    for quarters in range(1, 4):
        turned = Plan((256, 256), (Act("rotate", {"degrees": 90.0 * quarters}),))
        shown, (found,) = turned.apply(plane, [mask], outside=[OUTSIDE])
        assert (found == 1).all()
        assert np.abs(shown - np.rot90(plane, quarters, (1, 2))).max() < SOFTEST


def test_what_lies_past_the_edge_is_unlabelled_and_the_mirror_image() -> None:
    plane = coordinates(40, 40)
    mask = np.full((40, 40), 2, np.uint8)
    plan = Plan((40, 40), (Act("rotate", {"degrees": 45.0}),))
    shown, (found,) = plan.apply(plane, [mask], outside=[OUTSIDE])
    assert {found[0, 0], found[0, -1], found[-1, 0], found[-1, -1]} == {OUTSIDE}
    assert found[20, 20] == 2
    assert set(np.unique(found)) == {2, OUTSIDE}
    share = (found == OUTSIDE).mean()
    assert 0.15 < share < 0.19  # 3 - 2 √2
    # A turned patch cut from a larger plane has no such corners.
    larger = coordinates(120, 120)
    whole = np.full((120, 120), 2, np.uint8)
    shown, (found,) = plan.cut(
        larger, [whole], outside=[OUTSIDE], patch_yx=(20, 20), source_yx=(60, 60)
    )
    assert (found == 2).all()
    assert shown.min() > 60 - 29
    # Also at the very edge, where it is moved inside.
    place = plan.geometry.anchored((20, 20), (0, 60), (120, 120))
    _, (found,) = plan.cut(larger, [whole], outside=[OUTSIDE], patch_yx=place, source_yx=(0, 60))
    assert (found == 2).mean() > 0.75
    assert found[place] == 2


def test_shift_moves_by_whole_pixels() -> None:
    plane = coordinates(30, 30)
    plan = Plan((30, 30), (Act("shift", {"down": 3, "right": -2}),))
    shown, (mask,) = plan.apply(plane, [np.ones((30, 30), np.uint8)])
    assert np.array_equal(shown[:, 3:, :-2], plane[:, :-3, 2:])
    assert not mask[:3].any()
    assert not mask[:, -2:].any()
    assert mask[3:, :-2].all()
    assert shown[0, 0, 0] == 3  # the mirror image


def test_scale_makes_things_larger() -> None:
    plane = coordinates(64, 64)
    larger, _ = Plan((64, 64), (Act("scale", {"factor": 2.0}),)).apply(plane)
    assert np.allclose(np.diff(larger[1], axis=1), 0.5, atol=SOFTEST)
    assert np.allclose(np.diff(larger[0], axis=0), 0.5, atol=SOFTEST)


def test_elastic_bends_without_folding() -> None:
    plane = coordinates(200, 200)
    for seed in range(5):
        plan = drawn(["elastic"], seed, 96)
        shown, _ = plan.cut(plane, patch_yx=(50, 40), source_yx=(100, 100))
        assert tuple(shown[:, 50, 40]) == (100, 100)
        assert 2 < np.abs(shown - plane[:, 50:146, 60:156]).max() < 40
        (yy, yx), (xy, xx) = (np.gradient(channel) for channel in shown)
        assert (yy * xx - yx * xy).min() > 0  # nothing is turned inside out


def test_grey_values_change_as_said() -> None:
    random = np.random.default_rng(0)
    patch = random.normal(3, 2, (1, 128, 128)).astype(np.float32)
    mean, spread = float(patch.mean()), float(patch.std())

    def done(name: str, **values: float) -> np.ndarray:
        return Plan((128, 128), (Act(name, values),)).apply(patch)[0]

    assert np.allclose(done("brightness", amount=0.5), patch + 0.5 * spread, atol=1e-4)
    assert np.allclose(done("contrast", factor=0.7), mean + 0.7 * (patch - mean), atol=1e-4)
    noisy = done("noise", amount=0.3, seed=5) - patch
    assert np.isclose(noisy.std(), 0.3 * spread, rtol=0.02)
    assert abs(noisy.mean()) < 0.02 * spread
    assert done("gamma", exponent=1.5).mean() < mean < done("gamma", exponent=0.7).mean()
    assert np.isclose(done("gamma", exponent=1.5).max(), patch.max(), rtol=1e-5)
    assert done("blur", sigma=1.1).std() < 0.5 * spread
    hidden = done("cutout", y=0.5, x=0.5, height=0.25, width=0.5)
    assert np.isclose(hidden, mean, atol=1e-4).sum() >= 32 * 64
    assert np.array_equal(hidden[:, :40], patch[:, :40])
    # Steps in a row, with one that is not linear in between.
    acts = (
        Act("contrast", {"factor": 0.5}),
        Act("blur", {"sigma": 1.0}),
        Act("brightness", {"amount": 1.0}),
    )
    row, _ = Plan((128, 128), acts).apply(patch)
    assert np.isclose(row.mean(), mean + spread, atol=0.02)


def test_channels_and_planes_of_a_stack_are_warped_alike() -> None:
    flat = np.random.default_rng(0).normal(size=(2, 40, 40)).astype(np.float32)
    stack = np.stack([flat, flat, flat], axis=1)  # (C, Z, Y, X)
    mask = np.arange(1600, dtype=np.uint32).reshape(40, 40)
    plan = drawn(["d4", "rotate", "elastic"], 7, 24)
    shown, (found,) = plan.apply(stack, [np.stack([mask] * 3)])
    alone, (one,) = plan.apply(flat, [mask])
    assert shown.shape == (2, 3, 24, 24)
    for z in range(3):
        assert np.array_equal(shown[:, z], alone)
        assert np.array_equal(found[z], one)


@given(names, st.integers(0, 99), st.integers(1, 5), sides, st.data())
@settings(max_examples=60, deadline=None)
def test_planes_that_lie_apart_are_cut_like_one_array(
    names: list[str], seed: int, depth: int, sides: tuple[int, int], data: st.DataObject
) -> None:
    """Near edges, past them and far inside; what is mirrored and what is outside alike."""
    random = np.random.default_rng(seed)
    stack = random.normal(size=(2, depth, *sides)).astype(np.float32)
    mask = random.integers(1, 9, (depth, *sides)).astype(np.uint8)
    plan = drawn(names, seed, (data.draw(st.integers(1, 40)), 24))
    at = tuple(data.draw(st.integers(0, n - 1)) for n in sides)
    place = {"patch_yx": plan.geometry.anchored((0, 12), at, sides), "source_yx": at}
    apart, (found,) = plan.cut(
        LoosePlanes([stack[:, z] for z in range(depth)]),
        [LoosePlanes(list(mask))],
        outside=[OUTSIDE],
        **place,
    )
    whole, (expected,) = plan.cut(stack, [mask], outside=[OUTSIDE], **place)
    assert np.array_equal(apart, whole)
    assert np.array_equal(found, expected)
    assert found.dtype == mask.dtype


def test_planes_are_reversed_with_their_masks_and_single_planes_stay() -> None:
    stack = np.random.default_rng(0).normal(size=(2, 4, 30, 30)).astype(np.float32)
    objects = np.arange(3600, dtype=np.uint32).reshape(4, 30, 30)
    plans = [drawn(["flip_z"], seed, 30) for seed in range(40)]
    assert 10 < sum(plan.is_reversed for plan in plans) < 30  # every other time
    for plan in plans:
        shown, (found, one) = plan.apply(stack, [objects, objects[1]])
        order = [3, 2, 1, 0] if plan.is_reversed else [0, 1, 2, 3]
        assert np.array_equal(shown, stack[:, order])
        assert np.array_equal(found, objects[order])
        assert np.array_equal(one, objects[1])
        flat, (same,) = plan.apply(stack[:, 1], [objects[1]])
        assert np.array_equal(flat, stack[:, 1])
        assert np.array_equal(same, objects[1])
    twice = Plan((30, 30), (Act("flip_z", {"flip": 1}), Act("flip_z", {"flip": 1})))
    assert np.array_equal(twice.apply(stack)[0], stack)
    # Grey values of a reversed stack change as those of the stack do.
    shaded = Plan((30, 30), (Act("flip_z", {"flip": 1}), Act("contrast", {"factor": 0.5})))
    plain = Plan((30, 30), (Act("contrast", {"factor": 0.5}),))
    assert np.array_equal(shaded.apply(stack)[0], plain.apply(stack)[0][:, ::-1])


def test_ways_between_voxels_lead_to_the_same_voxels_in_a_patch() -> None:
    """A volume turned, mirrored, magnified and reversed: the way from A to B is there, too."""
    values = {"quarters": 1, "flip": 1}
    acts = Act("d4", values), Act("scale", {"factor": 2.0}), Act("flip_z", {"flip": 1})
    plan = Plan((40, 40), acts)
    numbers = np.zeros((3, 20, 20), np.uint8)
    numbers[0, 6, 8], numbers[2, 11, 9] = 1, 2
    _, (shown,) = plan.apply(numbers[None].astype(np.float32), [numbers])
    before = np.argwhere(numbers == 2)[0] - np.argwhere(numbers == 1)[0]
    ways = np.broadcast_to(before.astype(np.float32)[:, None, None, None], (3, 3, 40, 40))
    found = plan.shown(ways, (19.5, 19.5))[:, *np.argwhere(shown == 1)[0]]
    middles = [np.argwhere(shown == number).mean(axis=0) for number in (1, 2)]
    np.testing.assert_allclose(found, middles[1] - middles[0], atol=1e-4)
    assert found[0] == -2


def test_a_plan_written_down_does_the_same_again() -> None:
    plane = np.random.default_rng(0).normal(size=(2, 64, 80)).astype(np.float32)
    layers = [(plane[0] > 0), np.arange(64 * 80, dtype=np.uint32).reshape(64, 80)]
    plan = drawn([*AUGMENTATIONS, "cutout"], 11, (48, 40), cutout={"holes": 3})
    again = Plan.from_builtins(json.loads(json.dumps(plan.to_builtins())))
    assert again == plan
    one, found = plan.apply(plane, layers)
    other, same = again.apply(plane, layers)
    assert np.array_equal(one, other)
    assert all(np.array_equal(a, b) for a, b in zip(found, same, strict=True))
    with pytest.raises(ValueError, match="no augmentation called 'melt'"):
        Plan.from_builtins({"size": [1, 1], "acts": [{"name": "melt"}]})
    with pytest.raises(ValueError, match="no plan"):
        Plan.from_builtins({"acts": []})


def test_threads_do_not_disturb_one_another() -> None:
    plane = np.random.default_rng(0).normal(size=(1, 96, 96)).astype(np.float32)
    plans = [drawn(list(AUGMENTATIONS), seed, 64) for seed in range(12)]
    alone = [plan.apply(plane)[0] for plan in plans]
    found: dict[tuple[int, int], np.ndarray] = {}

    def work(thread: int) -> None:
        for number, plan in enumerate(plans):
            found[thread, number] = plan.apply(plane)[0]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 48
    for (_, number), shown in found.items():
        assert np.array_equal(shown, alone[number])


def test_chance_and_ranges_are_heeded() -> None:
    steps = [AugmentationStep("rotate", 0.25, {"degrees": 10})]
    random = np.random.default_rng(0)
    plans = [draw(steps, random, 16) for _ in range(400)]
    angles = [act.values["degrees"] for plan in plans for act in plan.acts]
    assert 0.18 < len(angles) / 400 < 0.32
    assert -10 <= min(angles) < -5 < 5 < max(angles) <= 10


def test_what_cannot_be_is_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no augmentation called 'melt'"):
        draw([AugmentationStep("melt")], random, 8)
    with pytest.raises(ValueError, match="between 0 and 180"):
        draw([AugmentationStep("rotate", 1.0, {"degrees": 181})], random, 8)
    with pytest.raises(TypeError, match="int64"):
        drawn(["rotate"], 0, 8).apply(np.zeros((1, 8, 8), np.float32), [np.zeros((8, 8), np.int64)])
    with pytest.raises(ValueError, match="32,766"):
        drawn(["rotate"], 0, (1, 40_000)).apply(np.zeros((1, 1, 40_000), np.float32))
