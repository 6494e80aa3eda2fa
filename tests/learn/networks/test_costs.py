"""What a network is said to cost is what torch counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from orgseg_app.learn.networks.registry import parameter_count
from orgseg_app.runs.recipes import costs
from orgseg_app.runs.recipes.cost_table import CostRow
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe
from tests.learn.networks.cases import CASES, VOLUME_CASES, Case
from tests.learn.networks.measured import (
    FAKE,
    SIDE,
    measured_features,
    measured_flops,
    on_paper,
)

DEPTHS = [
    (case, depth)
    for case in (*CASES, *VOLUME_CASES)
    for depth in ((1, 4) if "depth" in NETWORK_NAMES[case[0]].fields else (4,))
]


@pytest.mark.parametrize(
    ("case", "depth"), DEPTHS, ids=[f"{'-'.join(case)}-{depth}" for case, depth in DEPTHS]
)
def test_costs_are_those_of_torch(case: Case, depth: int) -> None:
    name, fusion = case
    channels, classes = 2, 3
    choice = NetworkChoice(name=name, fusion=fusion, width=20, depth=depth)  # type: ignore[arg-type]
    network = on_paper(choice, channels=channels, classes=classes)
    said = (
        costs.flops_per_pixel(choice, channels, classes),
        costs.parameters(choice, channels, classes),
        costs.features_per_pixel(choice),
    )
    found = (
        measured_flops(network, channels=channels),
        parameter_count(network),
        measured_features(network, channels=channels),
    )
    assert said == pytest.approx(found, rel=0.1), _row(name, fusion)


@pytest.mark.parametrize("planes", [1, 5, 8])
def test_planes_that_are_filled_up_cost_as_much(planes: int) -> None:
    choice = NetworkChoice(name="unet3d", width=8, depth=3)
    network = on_paper(choice, channels=1, classes=2)
    said = (
        costs.flops_per_pixel(choice, patch=(planes, SIDE)),
        costs.features_per_pixel(choice, patch=(planes, SIDE)),
    )
    found = (
        measured_flops(network, channels=1, planes=planes),
        measured_features(network, channels=1, planes=planes),
    )
    assert said == pytest.approx(found, rel=0.05)  # a third plane beside two


@pytest.mark.parametrize("name", ["unet", "fcn8", "unet_valid"])
def test_neighbouring_planes_cost_as_channels_do(name: str) -> None:
    choice = NetworkChoice(name=name, width=8, depth=2, planes=5)
    network = on_paper(choice, channels=2, classes=3)
    said = (costs.flops_per_pixel(choice, 2, 3), costs.parameters(choice, 2, 3))
    found = (measured_flops(network, channels=2), parameter_count(network))
    assert said == pytest.approx(found, rel=0.1)
    assert said[0] > costs.flops_per_pixel(NetworkChoice(name=name, width=8, depth=2), 2, 3)


@pytest.mark.parametrize("side", [64, 300])
def test_unpadded_network_works_hard_for_small_patches(side: int) -> None:
    """Against sizes of layers as published: 572 pixels go in where 388 come out."""
    choice = NetworkChoice(name="unet_valid", width=8, depth=4)
    network = on_paper(choice, channels=1, classes=2)
    with FAKE, torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.heads(torch.empty(1, 1, side, side))
    found = counter.get_total_flops() / side**2
    assert costs.flops_per_pixel(choice, patch=(1, side)) == pytest.approx(found, rel=0.02)


def test_patches_have_planes_only_for_networks_of_volumes() -> None:
    plane, volume = (
        Recipe(name="x", network=NetworkChoice(name=name), patch_size=64, patch_depth=5)
        for name in ("unet", "net2d3d")
    )
    assert (costs.patch_of(plane), costs.patch_voxels(plane)) == ((1, 64), 64**2)
    assert (costs.patch_of(volume), costs.patch_voxels(volume)) == ((5, 64), 5 * 64**2)


def test_cost_of_a_fitted_network_is_not_made_up() -> None:
    with pytest.raises(KeyError):
        costs.flops_per_pixel(NetworkChoice(name="pixel_classifier"))


def _row(name: str, fusion: str) -> str:
    """What the table should say."""
    factors, flops, sizes, kept = [], [], [], []
    for w, channels, classes in ((8, 1, 2), (8, 4, 2), (16, 1, 6), (32, 1, 2), (64, 4, 6)):
        choice = NetworkChoice(name=name, fusion=fusion, width=w)  # type: ignore[arg-type]
        network = on_paper(choice, channels=channels, classes=classes)
        factors.append((w**2, w * channels, w * classes, w, classes))
        flops.append(measured_flops(network, channels=channels))
        sizes.append(parameter_count(network))
        if channels == 1:
            kept.append((w, measured_features(network, channels=1)))
    work = _fit([row[:3] for row in factors], flops)
    held = _fit([(w, 1) for w, _ in kept], [number for _, number in kept])
    return f"({name!r}, {fusion!r}): {CostRow(work, _fit(factors, sizes), held)!r},"  # type: ignore[arg-type]


def _fit(factors: list[tuple[int, ...]], results: list[float]) -> tuple[float, ...]:
    matrix, wanted = np.array(factors, float), np.array(results, float)
    # Each case counts alike, however large the network.
    found, *_ = np.linalg.lstsq(matrix / wanted[:, None], np.ones(len(wanted)), rcond=None)
    return tuple(float(f"{value:.4g}") for value in found)
