"""Volumes predicted in tiles equal volumes predicted whole, whatever the networks and the tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.core.augmentation.turns import ALL_TURNS
from orgseg_app.core.classes import default_classes
from orgseg_app.core.planes import mirrored
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import DataError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction import scratch
from orgseg_app.learn.prediction.group import Group
from orgseg_app.learn.prediction.predictor import Predictor, most_probable
from orgseg_app.learn.prediction.source import ArrayPlanes
from orgseg_app.learn.prediction.tiles import plan_windows, tile_box
from orgseg_app.learn.prediction.volumes import predicted_planes, probability_planes
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe
from tests.learn.predicting import plane_bands, predict_plane
from tests.learn.prediction.test_predictor import model_of, picture

VOLUME_NETWORKS = [name for name, info in NETWORK_NAMES.items() if info.dimensions == 3]


class Small(Network):
    """A network of volumes whose sight is one plane and two pixels."""

    dimensions = 3
    radius, radius_z = 2, 1

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv3d(channels, 3, 3, padding=1)
        self.head = torch.nn.Conv3d(3, classes, (1, 3, 3), padding=(0, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.first(image).relu())
        return found


def small(seed: int = 0, *, classes: int = 2, channels: int = 1, **more: Any) -> Model:
    torch.manual_seed(seed)
    network = Small(channels, classes)
    torch.nn.init.normal_(network.head.weight)
    names = [f"c{i}" for i in range(classes - 1)]
    recipe = Recipe(name="small", network=NetworkChoice(width=4), **more)
    return Model(network.eval(), recipe, default_classes(names), channels, name=f"small {seed}")


def published(name: str) -> Model:
    torch.manual_seed(0)
    choice = NetworkChoice(name=name, depth=1, width=2)
    network = build_network(choice, channels=1, classes=2)
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(2, 1, 8, 16, 16))
    recipe = Recipe(name=name, network=choice)
    return Model(network.eval(), recipe, default_classes(["c"]), 1, name=name)


def prepared(model: Model, volume: np.ndarray) -> torch.Tensor:
    steps = model.recipe.preprocess
    planes = [apply_steps(volume[:, z], steps) for z in range(volume.shape[1])]
    return torch.from_numpy(np.stack(planes, axis=1))[None]


def whole(model: Model, volume: np.ndarray) -> np.ndarray:
    """The slow, obvious way: one forward pass of the whole volume, at least as deep as patches."""
    image, depth = prepared(model, volume), volume.shape[1]
    with torch.no_grad():
        if model.network.dimensions == 3:
            deep = range(max(depth, model.recipe.patch_depth))
            image = torch.stack([image[:, :, mirrored(z, depth)] for z in deep], 2)
            return model.network(image).softmax(1)[0, :, :depth].numpy()
        n = model.network.planes // 2
        found = []
        for z in range(depth):
            stack = [image[:, :, mirrored(z + k, depth)] for k in range(-n, n + 1)]
            found.append(model.network(torch.cat(stack, 1)).softmax(1)[0].numpy())
        return np.stack(found, axis=1)


def tiled(
    predictor: Predictor, volume: np.ndarray, planes: Sequence[int] | None = None
) -> np.ndarray:
    wanted = range(volume.shape[1]) if planes is None else planes
    found = list(probability_planes(predictor, ArrayPlanes(volume), wanted))
    assert [z for z, _ in found] == sorted(set(wanted))
    return np.stack([values for _, values in found], axis=1)


def neighbours(planes: int, seed: int = 0) -> Model:
    """A 2-D network that sees neighbouring planes."""
    torch.manual_seed(seed)
    choice = NetworkChoice(depth=1, width=4, planes=planes)
    network = build_network(choice, channels=1, classes=2)
    torch.nn.init.normal_(network.head.weight)
    recipe = Recipe(name="neighbours", network=choice)
    return Model(network.eval(), recipe, default_classes(["c0"]), 1, name="neighbours")


@pytest.mark.parametrize("name", VOLUME_NETWORKS)
def test_tiles_equal_the_whole_volume(name: str) -> None:
    model = published(name)
    predictor = Predictor([model], cpu_device(), tile=8)
    predictor.deep.plan_volume((1, 1, 1))
    depth, width = predictor.deep.tile_z + 5, predictor.deep.tile + 7
    volume = picture((1, depth, 21, width))
    steps: list[tuple[int, int]] = []
    source = ArrayPlanes(volume)
    found = list(
        probability_planes(predictor, source, range(depth), progress=lambda *s: steps.append(s))
    )
    assert steps[-1][0] == steps[-1][1] == len(steps) >= 4  # it really was tiled
    expected = whole(model, volume)
    assert max(np.abs(p - expected[:, z]).max() for z, p in found) < 1e-4


def test_tiles_in_all_three_axes_planes_on_request_and_arrays_in_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small(classes=3)
    volume = picture((1, 60, 70, 63))
    expected = whole(model, volume)
    predictor = Predictor([model], cpu_device(), tile=32)
    found = tiled(predictor, volume)
    assert np.abs(found - expected).max() < 1e-4
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    monkeypatch.setattr(scratch, "_ROOM_BYTES", 0)
    assert np.array_equal(tiled(predictor, volume), found)
    some = [58, 3, 30, 31, 29, 3]
    assert np.abs(tiled(predictor, volume, some) - expected[:, sorted(set(some))]).max() < 1e-4


def test_masks_and_bytes_follow_the_probabilities() -> None:
    model, volume = small(), picture((1, 9, 20, 30))
    expected = whole(model, volume)
    planes = list(
        predicted_planes(Predictor([model]), ArrayPlanes(volume), range(9), want_probabilities=True)
    )
    assert [plane.z for plane in planes] == list(range(9))
    for plane in planes:
        assert plane.probabilities is not None
        assert np.abs(plane.probabilities / 255 - expected[:, plane.z]).max() < 0.0025
        sure = np.abs(expected[0, plane.z] - 0.5) > 1e-4
        assert np.array_equal(plane.mask[sure], (expected[:, plane.z].argmax(0) + 1)[sure])


def test_one_plane_is_a_volume_too() -> None:
    model, plane = small(), picture((1, 30, 31))
    mask, _ = predict_plane(Predictor([model]), plane)
    assert np.array_equal(mask, whole(model, plane[:, None]).argmax(0)[0] + 1)


@pytest.mark.parametrize("name", ["net2d3d_norm", "unet3d"])
@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_volumes_with_fewer_planes_than_patches_look_as_they_were_learned(
    name: str, planes: int
) -> None:
    model, volume = published(name), picture((1, planes, 40, 50))
    assert planes < model.recipe.patch_depth
    expected = whole(model, volume)
    for tile in (16, 64):
        found = tiled(Predictor([model], cpu_device(), tile=tile), volume)
        assert np.abs(found - expected).max() < 1e-4


def test_neighbouring_planes_are_mirrored_at_the_ends() -> None:
    model, volume = neighbours(5), picture((1, 6, 40, 50))
    expected = whole(model, volume)
    found = tiled(Predictor([model], cpu_device(), tile=32), volume)
    assert np.abs(found - expected).max() < 1e-4
    single = volume[:, :1]
    assert np.abs(tiled(Predictor([model]), single) - whole(model, single)).max() < 1e-4


def test_models_of_all_kinds_are_averaged() -> None:
    models = [small(1), neighbours(3), small(2), model_of(1)]
    models = [Model(m.network, m.recipe, models[0].classes, 1, name=m.name) for m in models]
    volume = picture((1, 40, 75, 50))
    expected = np.mean([whole(m, volume) for m in models], axis=0)
    steps: list[tuple[int, int]] = []
    predictor = Predictor(models, cpu_device(), tile=32)
    source = ArrayPlanes(volume)
    found = probability_planes(predictor, source, range(40), progress=lambda *s: steps.append(s))
    assert max(np.abs(values - expected[:, z]).max() for z, values in found) < 1e-4
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


def test_models_vote_and_the_mean_decides_between_equals() -> None:
    volume = picture((1, 5, 40, 41))
    for count in (3, 2):
        models = [small(seed, classes=3) for seed in range(count)]
        each = np.stack([whole(m, volume) for m in models])
        votes = np.stack([(each.argmax(1) == k).sum(0) for k in range(3)])
        mean = each.mean(0)
        best = np.where(votes == votes.max(0), mean, -1).argmax(0)
        close = np.sort(np.where(votes == votes.max(0), mean, -1), axis=0)
        clear = np.diff(np.sort(each, axis=1)[:, -2:], axis=1).min(0)[0] > 1e-4
        sure = (close[-1] - close[-2] > 1e-4) & clear
        found = tiled(Predictor(models, vote=True), volume)
        assert np.array_equal(most_probable(found)[sure], best[sure])
        assert sure.mean() > 0.9
        assert (mean.argmax(0) != best).any()  # votes are not the mean
        assert np.abs(found - votes / count).max() < 0.002


@pytest.mark.parametrize("is_volume", [False, True])
def test_turns_are_averaged(is_volume: bool) -> None:
    model = small() if is_volume else model_of(1)
    volume = picture((1, 3, 80, 64))  # of whole multiples: turning pads nothing
    expected = np.mean(
        [_back(turn, whole(model, np.ascontiguousarray(turn.apply(volume)))) for turn in ALL_TURNS],
        axis=0,
    )
    # Standardised as a whole, whichever way it is turned.
    found = tiled(Predictor([model], cpu_device(), tile=32, turns=True), volume)
    assert np.abs(found - expected).max() < 2e-4
    assert np.abs(found - whole(model, volume)).max() > 1e-3


def _back(turn: Any, values: np.ndarray) -> np.ndarray:
    values = values[..., ::-1] if turn.flip else values
    return np.rot90(values, -turn.quarters, axes=(-2, -1))


def deepest_by_hand(
    model: Model, volume: np.ndarray, window: tuple[int, int, int], size: tuple[float, ...]
) -> np.ndarray:
    """Each window by itself; of all windows the deepest, of equal ones the first."""
    image = prepared(model, volume)
    shape = volume.shape[1:]
    depth = np.zeros(shape)
    found = np.zeros((2, *shape), np.float32)
    starts = [
        sorted({min(s, max(n - w, 0)) for s in range(0, n, w - w // 3)})
        for n, w in zip(shape, window, strict=True)
    ]
    for z in starts[0]:
        for y in starts[1]:
            for x in starts[2]:
                place = tuple(
                    slice(s, min(s + w, n))
                    for s, w, n in zip((z, y, x), window, shape, strict=True)
                )
                with torch.no_grad():
                    said = model.network(image[(..., *place)]).softmax(1)[0].numpy()
                inward = []
                for axis, part in enumerate(said.shape[1:]):
                    at = np.arange(part)
                    near = np.minimum(at + 1, part - at) * size[axis]
                    inward.append(near.reshape([-1 if i == axis else 1 for i in range(3)]))
                here = np.minimum(np.minimum(inward[0], inward[1]), inward[2])
                deeper = here > depth[place]
                depth[place][deeper] = np.broadcast_to(here, deeper.shape)[deeper]
                for k in range(2):
                    found[(k, *place)][deeper] = said[k][deeper]
    return found


def test_the_deepest_window_decides() -> None:
    size = (4.0, 1.0, 1.0)
    model = small(patch_size=32, patch_depth=6)
    model.pixel_size_um = size
    volume = picture((1, 17, 70, 45))
    expected = deepest_by_hand(model, volume, (6, 32, 32), size)
    found = tiled(Predictor([model], cpu_device(), stitch="deepest"), volume)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found - whole(model, volume)).max() > 1e-3  # windows end inside
    with pytest.raises(ValueError, match="stitched"):
        Predictor([model], stitch="widest")


def test_the_deepest_window_of_planes() -> None:
    model = model_of(1)
    model.recipe = Recipe(name="m", network=model.recipe.network, patch_size=64)
    plane = picture((1, 100, 130))
    predictor = Predictor([model], cpu_device(), stitch="deepest")
    found = np.concatenate([b.probabilities for b in plane_bands(predictor, plane)], axis=1)
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    rows = [t.start for t in plan_windows(100, window=64)]
    assert rows == [0, 36]
    with torch.no_grad():
        corner = torch.from_numpy(apply_steps(plane, model.recipe.preprocess))[None, :, :64, :64]
        said = model.network(corner).softmax(1)[0].numpy()
    assert np.abs(found[:, :40, :40] - said[:, :40, :40]).max() < 1e-5


def test_a_volume_seen_from_three_sides() -> None:
    model = model_of(1)
    volume = picture((1, 20, 24, 28))
    image = prepared(model, volume)[0]
    sides = []
    with torch.no_grad():
        for axis in (1, 2, 3):
            cuts = image.movedim(axis, 0)
            said = torch.stack([model.network(cut[None]).softmax(1)[0] for cut in cuts])
            sides.append(said.movedim(0, axis).numpy())
    predictor = Predictor([model], three_planes=True)
    found = tiled(predictor, volume, [0, 7, 19])
    assert np.abs(found - np.mean(sides, axis=0)[:, [0, 7, 19]]).max() < 0.003  # kept in bytes
    assert np.abs(found - sides[0][:, [0, 7, 19]]).max() > 0.1
    with pytest.raises(DataError, match="three axes"):
        Predictor([small()], three_planes=True)


def test_thick_planes_are_made_square_before_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    real = Predictor.bands_of_prepared

    def noted(self: Predictor, stacks: Any, **more: Any) -> Any:
        shapes.append(stacks[0].shape)
        return real(self, stacks, **more)

    monkeypatch.setattr(Predictor, "bands_of_prepared", noted)
    predictor = Predictor([neighbours(3)], three_planes=True)
    source = ArrayPlanes(picture((1, 6, 16, 20)), (4.0, 1.0, 1.0))
    found = [values for _, values in probability_planes(predictor, source, range(6))]
    assert all(np.allclose(values.sum(0), 1, atol=1e-3) for values in found)
    assert shapes == [(3, 24, 20)] * 16 + [(3, 24, 16)] * 20 + [(3, 16, 20)] * 6


def test_short_memory_makes_tiles_of_volumes_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    model, volume = small(), picture((1, 70, 90, 80))
    expected = whole(model, volume)
    predictor = Predictor([model], cpu_device(), say=said.append)
    assert predictor.deep is not None
    predictor.deep.voxels = 2**17
    real = Predictor._probabilities
    calls = []

    def short(self: Predictor, tiles: list[torch.Tensor], group: Group) -> np.ndarray:
        calls.append(tiles[0].shape)
        if tiles[0].numel() > limit and len(calls) > 3:  # in the midst of it
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")
        return real(self, tiles, group)

    monkeypatch.setattr(Predictor, "_probabilities", short)
    limit = 40_000
    assert np.abs(tiled(predictor, volume) - expected).max() < 1e-4
    assert "Memory was short" in said[-1]
    limit = 8
    with pytest.raises(OutOfMemoryError, match="memory is too small"):
        tiled(predictor, volume)


def test_stops_between_tiles_of_a_volume() -> None:
    asked = iter([False] * 5 + [True])
    predictor = Predictor([small()], cpu_device(), tile=8)
    with pytest.raises(StopRequestedError):
        list(
            predicted_planes(
                predictor,
                ArrayPlanes(picture((1, 40, 60, 60))),
                range(40),
                should_stop=lambda: next(asked),
            )
        )


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="has 2 channels"):
        tiled(Predictor([small()]), picture((2, 3, 10, 10)))


@pytest.mark.parametrize("voxels", [2**15, 2**18, 2**21])
@pytest.mark.parametrize(("radius", "radius_z"), [(2, 1), (30, 7), (None, 2), (20, None)])
def test_boxes_of_tiles_are_about_as_large_as_asked(
    voxels: int, radius: int | None, radius_z: int | None
) -> None:
    depth, side = tile_box(
        (1000, 2000, 2000),
        radius=radius,
        radius_z=radius_z,
        multiple=8,
        multiple_z=2,
        voxels=voxels,
    )
    least_z = 3 * radius_z + 8 if radius_z is not None else 12
    least = 3 * radius + 32 if radius is not None else 48
    assert depth >= least_z
    assert side >= least
    assert depth * side**2 <= max(1.6 * voxels, 4 * least_z * least**2)
