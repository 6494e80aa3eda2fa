"""Patches of volumes: exactly the voxels they should show, and nothing learnt from the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.planes import mirrored
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.data.patches import IGNORED, LabelledPlane, PatchSampler
from orgseg_app.learn.data.stack import KeptPlanes, Stack
from orgseg_app.runs.recipes.schema import AugmentationStep, NetworkChoice
from tests.learn.conftest import disc_image, tiny_recipe

Make = Callable[..., ProjectFile]
GEOMETRY = (
    AugmentationStep("d4"),
    AugmentationStep("flip_z"),
    AugmentationStep("rotate", params={"degrees": 180}),
    AugmentationStep("scale", params={"smallest": 0.6, "largest": 1.6}),
    AugmentationStep("elastic", params={"grid": 16, "alpha": 5}),
)


def planes_of(
    shape: tuple[int, int, int],
    painted: dict[int, np.ndarray],
    weights: dict[int, np.ndarray] | None = None,
) -> list[LabelledPlane]:
    """Planes of a volume with three channels, which tell z, y and x."""
    volume = np.mgrid[: shape[0], : shape[1], : shape[2]].astype(np.float32)
    kept = KeptPlanes((3, *shape), lambda z: volume[:, z])
    targets = {z: target.astype(np.uint8) for z, target in painted.items()}
    stack = Stack(kept, targets, weights or {})
    return [
        LabelledPlane("a", "a", z, volume[:, z], target, stack.weights.get(z), stack)
        for z, target in targets.items()
    ]


def sampler_of(planes: list[LabelledPlane], size: int = 16, **more: object) -> PatchSampler:
    fields = {"classes": 4, "patch_size": size, "augmentation": [], "seed": 0} | more
    return PatchSampler(planes, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [1, 4, 5, 9, 14])
@pytest.mark.parametrize("shape", [(9, 40, 30), (3, 40, 10)])
def test_a_deep_patch_shows_exactly_the_voxels_around(
    shape: tuple[int, int, int], depth: int
) -> None:
    """Against slicing: what is inside is learnt, what is mirrored or unpainted is not."""
    random = np.random.default_rng(depth)
    painted = {z: random.integers(0, 3, shape[1:]) for z in (0, 2)}
    painted[2][:20] = IGNORED
    planes = planes_of(shape, painted)
    batch = sampler_of(planes, patch_depth=depth).batch(0, 30)
    assert batch.pixels.shape == (30, 3, depth, 16, 16)
    assert batch.target.shape == batch.weights.shape == (30, depth, 16, 16)
    whole = np.full(shape, IGNORED)
    for z, target in painted.items():
        whole[z] = target
    firsts = set()
    for pixels, target, weights in zip(batch.pixels, batch.target, batch.weights, strict=True):
        z0, y0, x0 = (int(channel[0, 0, 0]) for channel in pixels)
        firsts.add(z0)
        zs, ys, xs = (np.arange(n) + n0 for n, n0 in zip(target.shape, (z0, y0, x0), strict=True))
        shown = [
            np.array([mirrored(int(i), n) for i in places])
            for places, n in zip((zs, ys, xs), shape, strict=True)
        ]
        assert np.array_equal(pixels, np.stack(np.meshgrid(*shown, indexing="ij")))
        expected = np.full(target.shape, IGNORED)
        inside = [places < n for places, n in zip((zs, ys, xs), shape, strict=True)]
        there = [places[i] for places, i in zip((zs, ys, xs), inside, strict=True)]
        expected[np.ix_(*inside)] = whole[np.ix_(*there)]
        assert np.array_equal(target, expected)
        assert np.array_equal(weights, expected != IGNORED)
        assert weights.any()
    assert all(0 <= z0 <= max(0, shape[0] - depth) for z0 in firsts)
    if depth == 4 and shape[0] == 9:
        assert firsts == {0, 1, 2}  # the painted plane lies anywhere in the patch


@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(1, 6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_pixels_target_and_weights_of_a_volume_stay_paired(
    seed: int, volume_depth: int, depth: int, is_weighted: bool
) -> None:
    random = np.random.default_rng(seed)
    shape = (volume_depth, 50, 60)
    painted = {
        int(z): np.where(random.random(shape[1:]) < 0.5, z % 4, IGNORED)
        for z in random.choice(volume_depth, 2, replace=False)
    }
    weights = {
        z: (np.arange(3000, dtype=np.float32).reshape(shape[1:]) + 1) * is_weighted for z in painted
    }
    planes = planes_of(shape, painted, weights if is_weighted else None)
    batch = sampler_of(planes, 20, augmentation=GEOMETRY, patch_depth=depth, seed=seed).batch(0, 6)
    for pixels, target, found in zip(batch.pixels, batch.target, batch.weights, strict=True):
        learnt = target != IGNORED
        assert learnt.any()
        assert np.array_equal(learnt, found > 0)
        z, y, x = (channel[learnt] for channel in pixels)
        assert np.isin(z, list(painted)).all()  # planes are never mixed
        assert np.array_equal(target[learnt], z.astype(int) % 4)
        rows, columns = (np.rint(v).astype(int) for v in (y, x))
        if is_weighted:
            rows, columns = np.divmod(found[learnt].astype(int) - 1, 60)
            assert max(np.abs(rows - y).max(), np.abs(columns - x).max()) < 0.6
            for plane, row, column in zip(z.astype(int), rows, columns, strict=True):
                assert painted[plane][row, column] != IGNORED
        # All planes of a patch are turned, bent and reversed alike.
        assert np.ptp(pixels[1:], axis=1).max() == 0
        steps = np.diff(pixels[0], axis=0)
        assert (np.ptp(pixels[0], axis=(1, 2)) == 0).all()
        assert np.isin(steps, [-1, 1]).all()


def test_several_planes_are_channels_of_the_one_in_the_middle() -> None:
    painted = {0: np.ones((40, 40)), 4: np.ones((40, 40)), 8: np.ones((40, 40))}
    planes = planes_of((9, 40, 40), painted)
    batch = sampler_of(planes, planes_seen=5).batch(0, 40)
    assert batch.pixels.shape == (40, 15, 16, 16)
    assert batch.target.shape == (40, 16, 16)
    shown = {tuple(pixels.reshape(5, 3, 16, 16)[:, 0, 0, 0].astype(int)) for pixels in batch.pixels}
    assert shown == {(2, 1, 0, 1, 2), (2, 3, 4, 5, 6), (6, 7, 8, 7, 6)}
    of_plane = batch.pixels.reshape(40, 5, 3, 16, 16)[:, :, 1:]
    assert np.ptp(of_plane, axis=1).max() == 0  # the same place in all of them
    turned = sampler_of(planes, planes_seen=3, augmentation=GEOMETRY).batch(0, 40)
    middle = turned.pixels.reshape(40, 3, 3, 16, 16)[:, :, 0, 0, 0]
    assert {tuple(z.astype(int)) for z in middle} >= {(3, 4, 5), (5, 4, 3)}
    stack = planes[0].stack
    assert stack is not None
    assert np.array_equal(stack.around(4, 5)[::3, 0, 0], [2, 3, 4, 5, 6])


def test_planes_alone_are_drawn_as_they_were_and_refused_where_more_are_needed() -> None:
    painted = {0: np.random.default_rng(0).integers(0, 3, (50, 50))}
    deep = planes_of((1, 50, 50), painted)
    flat = [LabelledPlane("a", "a", 0, deep[0].pixels, deep[0].target)]
    one, other = (sampler_of(p, augmentation=GEOMETRY).batch(3, 4) for p in (deep, flat))
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.target, other.target)
    for more in ({"patch_depth": 3}, {"planes_seen": 3}):
        with pytest.raises(ValueError, match="several planes"):
            sampler_of(flat, **more)


def stack_project(make_project: Make, tmp_path: Path) -> ProjectFile:
    """A volume of 12 planes, two of them painted, and one of 5 for validation."""

    def deepen(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        depth = 12 if number == 0 else 5
        volume = np.stack([disc_image(20 * number + z)[0] for z in range(depth)])
        painted = np.zeros(volume.shape, np.uint8)
        for z in (3, 4) if number == 0 else (2,):
            painted[z] = disc_image(20 * number + z)[1]
        return volume, painted

    return make_project(("train", "validation"), edit=deepen, name="volumes")


def test_only_planes_within_reach_are_read_beforehand(make_project: Make, tmp_path: Path) -> None:
    project = stack_project(make_project, tmp_path)
    for network, beside in (
        (NetworkChoice(depth=1, width=4), 0),
        (NetworkChoice(depth=1, width=4, planes=5), 2),
        (NetworkChoice("unet3d_aniso", depth=1, width=4), 3),
    ):
        read: list[tuple[str, int]] = []
        real = ProjectFile.read_plane

        def noting(self: ProjectFile, image_id: str, z: int) -> np.ndarray:
            read.append((image_id, z))  # noqa: B023
            return real(self, image_id, z)  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ProjectFile, "read_plane", noting)
            found = read_examples(project, tiny_recipe(network=network, patch_depth=4))
            first = found.train[0].image_id
            zs = [z for image_id, z in read if image_id == first]
            assert sorted(zs) == list(range(max(0, 3 - beside), 4 + beside + 1))
            for plane in (*found.train, *found.validation):
                assert (plane.stack is not None) == (beside > 0)
            if beside:
                stack = found.train[0].stack
                assert stack is found.train[1].stack
                assert stack is not None
                assert stack.shape == (1, 12, 64, 64)
                assert sorted(stack.targets) == [3, 4]
                assert stack.read_plane(11).shape == (1, 64, 64)  # read when asked for
                assert read[-1] == (first, 11)
