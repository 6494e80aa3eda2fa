"""Patches: painted, balanced, aligned, and the same whenever they are drawn again."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from orgseg_app.core.instances.centres import NOWHERE, as_ways, heat_and_ways
from orgseg_app.learn.data.patches import IGNORED, Batch, LabelledPlane, PatchSampler
from orgseg_app.learn.data.voxel_index import VoxelIndex
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.schema import AugmentationStep

D4 = (AugmentationStep("d4"),)
GEOMETRY = (
    AugmentationStep("d4"),
    AugmentationStep("rotate", params={"degrees": 180}),
    AugmentationStep("scale", params={"smallest": 0.5, "largest": 2}),
    AugmentationStep("shear"),
    AugmentationStep("shift", params={"pixels": 8}),
    AugmentationStep("elastic", params={"grid": 16, "alpha": 6}),
)


def plane_of(
    target: np.ndarray, name: str = "a", weights: np.ndarray | None = None
) -> LabelledPlane:
    """A plane whose pixels tell where they come from: y and x."""
    pixels = np.mgrid[: target.shape[0], : target.shape[1]].astype(np.float32)
    return LabelledPlane(name, name, 0, pixels, target.astype(np.uint8), weights)


def sampler_of(planes: list[LabelledPlane], size: int = 16, **more: object) -> PatchSampler:
    settings = {"classes": 3, "patch_size": size, "augmentation": [], "seed": 0} | more
    return PatchSampler(planes, **settings)  # type: ignore[arg-type]


def equal(a: Batch, b: Batch) -> bool:
    pairs = ((a.pixels, b.pixels), (a.target, b.target), (a.weights, b.weights))
    return all(np.array_equal(one, other) for one, other in pairs)


def test_a_single_painted_voxel_is_in_every_patch() -> None:
    target = np.full((100, 120), IGNORED)
    target[70, 33] = 2
    sampler = sampler_of([plane_of(target)], augmentation=D4)
    batch = sampler.batch(0, 40)
    assert batch.pixels.shape == (40, 2, 16, 16)
    assert ((batch.target == 2).sum(axis=(1, 2)) == 1).all()
    assert (batch.weights.sum(axis=(1, 2)) == 1).all()
    found = np.moveaxis(batch.pixels, 1, -1)[batch.target == 2]
    assert (found == (70, 33)).all()  # image and target turned and cut alike
    places = {tuple(np.argwhere(t == 2)[0]) for t in batch.target}
    assert len(places) > 20  # anywhere in the window


@pytest.mark.parametrize("at", [(70, 33), (0, 0), (99, 60)])
def test_it_is_also_there_when_turned_scaled_and_bent(at: tuple[int, int]) -> None:
    target = np.full((100, 120), IGNORED)
    target[at] = 2
    batch = sampler_of([plane_of(target)], 24, augmentation=GEOMETRY).batch(0, 60)
    hits = batch.target == 2
    assert hits.any(axis=(1, 2)).all()
    found = np.moveaxis(batch.pixels, 1, -1)[hits]
    assert np.abs(found - at).max() <= 0.55
    assert ((batch.weights > 0) == hits).all()


@pytest.mark.parametrize("steps", [D4, GEOMETRY[:4], GEOMETRY], ids=["flips", "turns", "bends"])
def test_ways_to_centres_turn_and_bend_with_the_patch(steps: tuple[AugmentationStep, ...]) -> None:
    y, x = np.mgrid[:100, :120]
    objects = np.zeros((100, 120), np.uint32)
    for number, (at_y, at_x) in enumerate([(30, 30), (30, 60), (60, 40), (70, 80)], 1):
        objects[(y - at_y) ** 2 + (x - at_x) ** 2 < 196] = number
    layers = tuple(heat_and_ways(objects))
    plane = replace(plane_of(np.zeros(objects.shape)), instances=layers)
    batch = sampler_of([plane], 48, augmentation=steps, ways=2).batch(0, 30)
    assert batch.instances is not None
    looked_at = 0
    for pixels, (heat, *ways) in zip(batch.pixels, batch.instances, strict=True):
        assert (np.stack(ways)[:, heat == 0] == NOWHERE).all()
        here = np.argwhere(heat > 0)
        there = here + as_ways(np.stack(ways))[:, *here.T].T
        inside = ((there >= 0) & (there <= 47)).all(axis=1)
        here, there = here[inside], np.rint(there[inside]).astype(int)
        # The pixels tell where they are from: the way leads to the centre of one's own object.
        of = objects[*np.rint(pixels[:, *here.T]).astype(int).clip(0, [[99], [119]])]
        goal = np.array([[0, 0], [30, 30], [30, 60], [60, 40], [70, 80]])[of]
        known = of > 0
        assert np.abs(pixels[:, *there.T].T - goal)[known].max(initial=0) < 2.6
        looked_at += np.count_nonzero(known)
    assert looked_at > 10_000


def test_patches_lie_inside_the_image_where_they_can() -> None:
    """Corners of turned patches show the real image around, and are learnt from."""
    sampler = sampler_of([plane_of(np.zeros((200, 200)))], 32, augmentation=GEOMETRY[:2])
    batch = sampler.batch(0, 200)
    assert batch.weights.mean() > 0.98
    straight = sampler_of([plane_of(np.zeros((200, 200)))], 32, augmentation=D4).batch(0, 100)
    assert straight.weights.all()


def test_rare_classes_come_as_often_as_common_ones_unless_uniform() -> None:
    target = np.zeros((256, 256))
    target[:3, :3] = 1
    planes = [plane_of(target), plane_of(np.zeros((300, 300)))]
    sampler = sampler_of(planes)
    has_rare = [(sampler.batch(s, 10).target == 1).any(axis=(1, 2)) for s in range(30)]
    assert 0.4 < np.mean(has_rare) < 0.62
    assert sampler.class_voxels == [256 * 256 - 9 + 300 * 300, 9, 0]

    half = np.full((64, 64), IGNORED)
    half[:, :8], half[:, 56:] = 1, 2  # a window of 16 shows one of them
    half[32:, 56:] = IGNORED
    uniform = sampler_of([plane_of(half)], sampling="uniform")
    shown = np.concatenate([uniform.batch(s, 20).target for s in range(30)])
    share = (shown == 2).any(axis=(1, 2)).mean()
    assert 0.28 < share < 0.39  # a third of the paint, not half of the classes


def test_every_voxel_of_a_class_can_be_found() -> None:
    random = np.random.default_rng(1)
    targets = [np.where(random.random((s, s + 7)) < 0.1, 1, IGNORED) for s in (10, 33, 70)]
    weights = [random.integers(0, 2, t.shape).astype(np.float32) for t in targets]
    for planes, counts in (
        ([plane_of(t) for t in targets], [np.ones(t.shape) for t in targets]),
        ([plane_of(t, "a", w) for t, w in zip(targets, weights, strict=True)], weights),
    ):
        index = VoxelIndex(planes, 3)
        found = {index.voxel(1, n) for n in range(index.class_voxels[1])}
        expected = {
            (i, y, x)
            for i, (t, w) in enumerate(zip(targets, counts, strict=True))
            for y, x in np.argwhere((t == 1) & (w > 0))
        }
        assert found == expected
        assert index.class_voxels == [0, len(expected), 0]


def test_weights_come_along_and_zero_is_not_learnt_from() -> None:
    random = np.random.default_rng(3)
    target = random.integers(0, 2, (60, 60))
    weights = np.arange(3600, dtype=np.float32).reshape(60, 60)
    weights[:30] = 0
    planes = [plane_of(target, "a", weights), plane_of(target, "b")]
    assert sampler_of(planes[:1]).class_voxels[0] == (target[30:] == 0).sum()
    batch = sampler_of(planes, 20, augmentation=GEOMETRY).batch(0, 60)
    assert ((batch.target == IGNORED) == (batch.weights == 0)).all()
    seen = set()
    for pixels, labels, found in zip(batch.pixels, batch.target, batch.weights, strict=True):
        learnt = labels != IGNORED
        y, x = (np.rint(c[learnt]).astype(int).clip(0, 59) for c in pixels)
        is_weighted = found.max() > 1
        seen.add(is_weighted)
        if not is_weighted:
            assert (found[learnt] == 1).all()
            continue
        # Nearest voxels: no further than the rounding of half a pixel, so mostly the same one.
        assert (weights[y, x] == found[learnt]).mean() > 0.9
        rows, columns = np.divmod(found[learnt], 60)
        assert np.abs(rows - pixels[0][learnt]).max() < 0.6
        assert np.abs(columns - pixels[1][learnt]).max() < 0.6
        assert (labels[learnt] == target[rows.astype(int), columns.astype(int)]).all()
    assert seen == {True, False}


def test_draws_depend_on_seed_step_and_number_only() -> None:
    planes = [plane_of(np.random.default_rng(2).integers(0, 3, (90, 90)))]
    steps = AUGMENTATION_PRESETS["advanced"].steps
    first = sampler_of(planes, augmentation=steps)
    for step in range(5):
        first.batch(step, 3)
    again = sampler_of(planes, augmentation=steps).batch(3, 4)
    assert equal(first.batch(3, 4), again)
    assert equal(first.batch(3, 2), again.part(0, 2))
    assert equal(first.batch(3, 2, first=2), again.part(2, 4))  # shared among cards
    other = sampler_of(planes, augmentation=steps, seed=1).batch(3, 4)
    assert not np.array_equal(other.pixels, again.pixels)
    assert not np.array_equal(first.batch(4, 4).pixels, again.pixels)
    first.patch_size = 24
    assert first.batch(3, 4).pixels.shape == (4, 2, 24, 24)
    first.patch_size = 16
    assert equal(first.batch(3, 4), again)


def test_threads_draw_the_same() -> None:
    planes = [plane_of(np.random.default_rng(2).integers(0, 3, (90, 90)))]
    sampler = sampler_of(planes, 32, augmentation=AUGMENTATION_PRESETS["advanced"].steps)
    alone = [sampler.batch(step, 3) for step in range(8)]
    found: dict[int, Batch] = {}

    def work(offset: int) -> None:
        for step in range(offset, 8, 4):
            found[step] = sampler.batch(step, 3)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(equal(found[step], alone[step]) for step in range(8))


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (16, 16), (40, 5)])
@pytest.mark.parametrize("augmentation", [(), GEOMETRY, AUGMENTATION_PRESETS["advanced"].steps])
def test_small_images_are_continued_but_not_learnt_from(
    shape: tuple[int, int], augmentation: tuple[AugmentationStep, ...]
) -> None:
    sampler = sampler_of([plane_of(np.ones(shape))], augmentation=augmentation)
    batch = sampler.batch(0, 3)
    assert batch.pixels.shape == (3, 2, 16, 16)
    assert np.isfinite(batch.pixels).all()
    assert batch.weights.any(axis=(1, 2)).all()
    if not augmentation:
        inside = min(shape[0], 16) * min(shape[1], 16)
        assert (batch.weights.sum(axis=(1, 2)) == inside).all()
    assert ((batch.target != IGNORED) == (batch.weights > 0)).all()


def test_window_is_moved_inside() -> None:
    target = np.full((50, 60), IGNORED)
    target[0, 59] = 1
    batch = sampler_of([plane_of(target)], 20).batch(0, 10)
    for pixels in batch.pixels:
        assert pixels[0, 0, 0] == 0
        assert pixels[1, 0, -1] == 59


def test_nothing_painted_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing is painted"):
        sampler_of([plane_of(np.full((20, 20), IGNORED))])
    target = np.full((20, 20), IGNORED)
    target[3, 3] = 1
    with pytest.raises(ValueError, match="remove the weights"):
        sampler_of([plane_of(target, "a", np.zeros((20, 20), np.float32))])
