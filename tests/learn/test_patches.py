"""Patches: painted, balanced, aligned, and the same whenever they are drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.learn.patches import IGNORED, LabelledPlane, PatchSampler, cut_window


def plane_of(target: np.ndarray, name: str = "a") -> LabelledPlane:
    """A plane whose pixels tell where they come from: y · 1000 + x."""
    y, x = np.mgrid[: target.shape[0], : target.shape[1]]
    pixels = (y * 1000.0 + x)[None].astype(np.float32)
    return LabelledPlane(name, name, 0, pixels, target.astype(np.uint8))


def sampler_of(planes: list[LabelledPlane], size: int = 16, **more: object) -> PatchSampler:
    settings = {"classes": 3, "patch_size": size, "augmentation": "none", "seed": 0} | more
    return PatchSampler(planes, **settings)  # type: ignore[arg-type]


def test_a_single_painted_voxel_is_in_every_patch() -> None:
    target = np.full((100, 120), IGNORED)
    target[70, 33] = 2
    sampler = sampler_of([plane_of(target)], augmentation="d4")
    batch = sampler.batch(0, 40)
    assert batch.pixels.shape == (40, 1, 16, 16)
    assert ((batch.target == 2).sum(axis=(1, 2)) == 1).all()
    assert (batch.weights.sum(axis=(1, 2)) == 1).all()
    found = batch.pixels[:, 0][batch.target == 2]
    assert (found == 70 * 1000 + 33).all()  # image and target turned and cut alike
    places = {tuple(np.argwhere(t == 2)[0]) for t in batch.target}
    assert len(places) > 20  # anywhere in the window


def test_rare_classes_come_as_often_as_common_ones() -> None:
    target = np.zeros((256, 256))
    target[:3, :3] = 1
    sampler = sampler_of([plane_of(target), plane_of(np.zeros((300, 300)))])
    has_rare = [(sampler.batch(s, 10).target == 1).any(axis=(1, 2)) for s in range(30)]
    assert 0.4 < np.mean(has_rare) < 0.62
    assert sampler.class_voxels == [256 * 256 - 9 + 300 * 300, 9, 0]


def test_every_voxel_of_a_class_can_be_found() -> None:
    random = np.random.default_rng(1)
    targets = [np.where(random.random((s, s + 7)) < 0.1, 1, IGNORED) for s in (10, 33, 70)]
    sampler = sampler_of([plane_of(t) for t in targets])
    found = {sampler._index.voxel(1, n) for n in range(sampler.class_voxels[1])}
    expected = {(i, y, x) for i, t in enumerate(targets) for y, x in np.argwhere(t == 1)}
    assert found == expected


def test_draws_depend_on_seed_step_and_number_only() -> None:
    planes = [plane_of(np.random.default_rng(2).integers(0, 3, (90, 90)))]
    first = sampler_of(planes, augmentation="d4")
    for step in range(5):
        first.batch(step, 3)
    again = sampler_of(planes, augmentation="d4").batch(3, 4)
    assert np.array_equal(first.batch(3, 4).pixels, again.pixels)
    assert np.array_equal(first.batch(3, 2).pixels, again.pixels[:2])
    other = sampler_of(planes, augmentation="d4", seed=1).batch(3, 4)
    assert not np.array_equal(other.pixels, again.pixels)
    assert not np.array_equal(first.batch(4, 4).pixels, again.pixels)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (16, 16), (40, 5)])
def test_small_images_are_continued_but_not_learnt_from(shape: tuple[int, int]) -> None:
    sampler = sampler_of([plane_of(np.ones(shape))])
    batch = sampler.batch(0, 3)
    assert batch.pixels.shape == (3, 1, 16, 16)
    assert np.isfinite(batch.pixels).all()
    inside = min(shape[0], 16) * min(shape[1], 16)
    assert (batch.weights.sum(axis=(1, 2)) == inside).all()
    assert ((batch.target != IGNORED) == (batch.weights > 0)).all()


def test_window_is_moved_inside() -> None:
    plane = plane_of(np.zeros((50, 60)))
    pixels, _ = cut_window(plane.pixels, plane.target, -9, 58, 20)
    assert pixels[0, 0, 0] == 40
    assert pixels[0, -1, -1] == 19 * 1000 + 59


def test_nothing_painted_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing is painted"):
        sampler_of([plane_of(np.full((20, 20), IGNORED))])
