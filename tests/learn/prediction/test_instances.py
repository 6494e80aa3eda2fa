"""Objects of volumes: in space where that fits, plane by plane and linked where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.core.augmentation.turns import ALL_TURNS, Turn
from orgseg_app.core.classes import default_classes
from orgseg_app.core.instances.centres import NOWHERE, heat_and_ways
from orgseg_app.core.instances.grouping import as_map
from orgseg_app.core.instances.targets import TARGETS
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import matching
from orgseg_app.learn.checkpoint import Model, outputs_of
from orgseg_app.learn.losses.instances import WAY
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction import instances
from orgseg_app.learn.prediction.answers import answers, turned_ways
from orgseg_app.learn.prediction.instances import objects_of
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ArrayPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.runs.recipes.schema import NetworkChoice
from tests.core.instances.test_grouping import TOUCHING, maps_of
from tests.learn.conftest import tiny_recipe

VOLUME = TOUCHING["volume"]


def predictor_of(network: str, target: str = "distance", **more: Any) -> Predictor:
    recipe = tiny_recipe(network=NetworkChoice(network, depth=1, width=4), objects=target)
    torch.manual_seed(0)
    made = build_network(recipe.network, channels=1, classes=outputs_of(recipe, 2))
    return Predictor([Model(made.eval(), recipe, default_classes(["disc"]), 1)], **more)


def perfect_maps(*, of_planes: bool = False) -> np.ndarray:
    """What a network says that has learnt everything, seeing volumes or planes."""
    target = TARGETS["distance"]
    if of_planes:
        return np.stack([np.stack(maps_of(target, plane)) for plane in VOLUME], axis=1)
    return np.stack(maps_of(target, VOLUME))


def score(objects: np.ndarray) -> float | None:
    return matching(contingency(VOLUME, objects)).ap(0.6)


@pytest.mark.parametrize("network", ["unet3d", "unet"])
def test_objects_of_a_volume_come_apart(network: str) -> None:
    found = objects_of(predictor_of(network), perfect_maps(of_planes=network == "unet"))
    assert score(found.objects) == 1
    assert found.objects.max() == 2


def test_a_volume_too_large_is_grouped_by_planes_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instances, "BYTES_A_VOXEL", 2**60)
    said: list[str] = []
    maps = perfect_maps(of_planes=True)
    found = objects_of(predictor_of("unet3d"), maps, say=said.append)
    assert "plane by plane" in said[0]
    assert score(found.objects) == 1


def test_nothing_goes_on_across_planes_that_were_not_predicted() -> None:
    maps = perfect_maps()
    planes = [8, 9, 11]
    maps[:, [z for z in range(maps.shape[1]) if z not in planes]] = 0
    found = objects_of(predictor_of("unet3d"), maps, planes)
    assert found.objects.max() == 4
    assert not set(np.unique(found.objects[11])) & set(np.unique(found.objects[9])) - {0}
    assert not found.objects[10].any()


@pytest.mark.parametrize("network", ["unet3d", "unet"])
def test_maps_come_with_the_mask_and_leave_it_as_it_is(network: str) -> None:
    predictor = predictor_of(network, "boundary_distance")
    pixels = np.random.default_rng(0).normal(size=(1, 4, 20, 20)).astype(np.float32)
    plain, with_maps = (
        list(
            predicted_planes(
                predictor,
                ArrayPlanes(pixels),
                range(4),
                want_probabilities=True,
                want_maps=wants,
            )
        )
        for wants in (False, True)
    )
    for without, plane in zip(plain, with_maps, strict=True):
        assert without.maps is None
        np.testing.assert_array_equal(without.mask, plane.mask)
        assert plane.probabilities is not None
        assert plane.maps is not None
        assert plane.maps.shape == (2, 20, 20)
        # One structure: how likely any is, is its own probability.
        assert np.abs(plane.maps[0].astype(int) - plane.probabilities[1]).max() <= 1


def test_three_planes_leave_probabilities_that_sum_to_one() -> None:
    predictor = predictor_of("unet", three_planes=True)
    pixels = np.random.default_rng(0).normal(size=(1, 6, 20, 20)).astype(np.float32)
    for plane in predicted_planes(
        predictor, ArrayPlanes(pixels), range(6), want_probabilities=True, want_maps=True
    ):
        assert plane.probabilities is not None
        assert plane.maps is not None
        assert np.abs(plane.probabilities.astype(int).sum(axis=0) - 255).max() <= 1
        assert 60 < plane.maps[1].mean() < 200  # a mean of three, not a sum


def centre_logits(objects: np.ndarray) -> torch.Tensor:
    """What a network gives that has learnt centres, ``(1, 2 + 1 + axes, …)``."""
    heat, *ways = (torch.from_numpy(layer.astype(np.float32)) for layer in heat_and_ways(objects))
    classes = [torch.from_numpy((objects == 0) * 9.0), torch.from_numpy((objects > 0) * 9.0)]
    outputs = [*classes, heat / 255, *((way - NOWHERE) / 2 / WAY for way in ways)]
    return torch.stack([output.float() for output in outputs])[None]


@pytest.mark.parametrize("turn", ALL_TURNS, ids=str)
@pytest.mark.parametrize("kind", TOUCHING)
def test_a_turned_picture_gives_the_same_ways(kind: str, turn: Turn) -> None:
    objects, target = TOUCHING[kind], TARGETS["centre"]
    straight = answers(centre_logits(objects), 2, target, want_depth=True)
    turned = centre_logits(np.ascontiguousarray(turn.apply(objects)))
    said = answers(turned, 2, target, want_depth=True)
    said = said.flip(-1) if turn.flip else said
    said = turned_ways(torch.rot90(said, -turn.quarters, (-2, -1)), turn, target)
    torch.testing.assert_close(said, straight, atol=1e-5, rtol=0)
    maps = as_map(straight[0, 2:].numpy())
    np.testing.assert_array_equal(maps, np.stack(heat_and_ways(objects)))


@pytest.mark.parametrize(("network", "count"), [("unet3d", 5), ("unet", 4)])
def test_centres_come_with_ways_along_each_axis(network: str, count: int) -> None:
    predictor = predictor_of(network, "centre")
    assert predictor.maps == count
    pixels = np.random.default_rng(0).normal(size=(1, 4, 20, 20)).astype(np.float32)
    planes = list(predicted_planes(predictor, ArrayPlanes(pixels), range(4), want_maps=True))
    maps = np.stack([plane.maps for plane in planes if plane.maps is not None], axis=1)
    assert maps.shape == (count, 4, 20, 20)
    assert objects_of(predictor, maps).objects.shape == (4, 20, 20)
    logits = centre_logits(VOLUME if network == "unet3d" else VOLUME[9])
    said = answers(logits, 2, TARGETS["centre"], want_depth=True)
    assert said.shape[1] == predictor.outputs
    assert answers(logits, 2, TARGETS["centre"], want_depth=False).shape[1] == 2


def test_centres_of_a_volume_come_apart_with_networks_of_both_kinds() -> None:
    deep = np.stack([as_map(VOLUME > 0), *heat_and_ways(VOLUME)])
    assert score(objects_of(predictor_of("unet3d", "centre"), deep).objects) == 1
    planes = [np.stack([as_map(plane > 0), *heat_and_ways(plane)]) for plane in VOLUME]
    found = objects_of(predictor_of("unet", "centre"), np.stack(planes, axis=1)).objects
    assert score(found) == 1
    assert found.max() == 2


def test_networks_of_planes_and_of_volumes_share_no_centres() -> None:
    said: list[str] = []
    models = [predictor_of(name, "centre").models[0] for name in ("unet", "unet3d")]
    mixed = Predictor(models, say=said.append)
    assert not mixed.has_depth
    assert mixed.outputs == 2
    assert "hangs together" in said[0]
    assert Predictor([models[0], models[0]]).maps == 4


def test_seen_from_three_sides_ways_stay_those_of_the_plane() -> None:
    pixels = np.random.default_rng(0).normal(size=(1, 6, 20, 20)).astype(np.float32)
    one = predictor_of("unet", "centre")
    three = Predictor(one.models, three_planes=True)
    plain, sides = (
        [p.maps for p in predicted_planes(by, ArrayPlanes(pixels), range(6), want_maps=True)]
        for by in (one, three)
    )
    for alone, together in zip(plain, sides, strict=True):
        assert alone is not None
        assert together is not None
        np.testing.assert_array_equal(alone[1:], together[1:])
