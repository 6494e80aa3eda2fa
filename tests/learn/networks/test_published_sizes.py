"""Networks have the numbers of parameters that were published, to one per cent."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.learn.networks.net2d3d import Net2D3D
from orgseg_app.learn.networks.registry import build_network, parameter_count
from orgseg_app.runs.recipes.schema import NetworkChoice

_DEAD = ((320 + 256) * 256 * 9 + 64 * 48 + 2048 * 128 + 1888) / 1e6
"""Layers that the published DeepLabv3+ with fusion declares, and counts, but never runs: a double
convolution 320 to 256, 1 × 1 convolutions 64 to 48 and 2048 to 128, their norms and biases."""
_DEAD_STEM = (64 * 64 + 128) / 1e6
"""Without fusion of the stem, its 1 × 1 convolution is declared and never run either."""

PUBLISHED = [
    # name, width, depth, fusion, classes, millions; one grey channel
    ("unet", 64, 4, "origin", 1, 31.04),
    ("unet_dropout", 64, 4, "origin", 1, 31.031685),
    ("unetpp", 32, 4, "origin", 1, 9.16),
    # Published: 1.22, with a 3 × 3 convolution of 128 to 128 that is built but never called.
    ("penet", 32, 1, "origin", 1, 1.22 - (9 * 128 + 1) * 128 / 1e6),
    ("agnet", 32, 4, "origin", 2, 9.33),
    ("fcn32", 64, 4, "origin", 1, 18.64),
    ("fcn16", 64, 4, "origin", 1, 18.64),
    ("fcn8", 64, 4, "origin", 1, 18.64),
    ("fcn32", 64, 4, "add", 1, 18.64),
    ("fcn32", 64, 4, "concat", 1, 20.21),
    ("segnet", 64, 4, "origin", 1, 29.44),
    ("segnet", 64, 4, "concat", 1, 34.94),
    ("deeplab", 64, 4, "origin", 1, 59.33),
    ("deeplab", 64, 4, "concat", 1, 63.63 - _DEAD),
    ("deeplab", 64, 4, "add", 1, 62.53 - _DEAD),
    ("deeplab", 64, 4, "none", 1, 63.49 - _DEAD - _DEAD_STEM),
    ("hrnet", 32, 4, "origin", 1, 9.98),
    ("hrnet", 32, 4, "concat", 1, 9.98),
    ("unet_valid", 64, 4, "origin", 7, 31.030983),
    ("net2d3d", 64, 3, "origin", 7, 10.28),
    # Published for three channels of the image.
    ("unet3d", 32, 3, "origin", 3, 19.07 - 27 * 2 * 32 / 1e6),
]


@pytest.mark.parametrize(
    ("name", "width", "depth", "fusion", "classes", "millions"),
    PUBLISHED,
    ids=[f"{row[0]}-{row[3]}" for row in PUBLISHED],
)
def test_published_number_of_parameters(
    name: str, width: int, depth: int, fusion: str, classes: int, millions: float
) -> None:
    choice = NetworkChoice(name=name, width=width, depth=depth, fusion=fusion)  # type: ignore[arg-type]
    with torch.device("meta"):
        network = build_network(choice, channels=1, classes=classes)
    assert parameter_count(network) / 1e6 == pytest.approx(millions, rel=0.01)


def test_unpadded_unet_has_exactly_the_published_parameters() -> None:
    with torch.device("meta"):
        network = build_network(
            NetworkChoice(name="unet_valid", width=64, depth=4), channels=1, classes=7
        )
    assert parameter_count(network) == 31_030_983


def test_two_dimensional_part_of_2d3d_has_its_published_share() -> None:
    with torch.device("meta"):
        network = build_network(
            NetworkChoice(name="net2d3d", width=64, depth=3), channels=1, classes=7
        )
    assert isinstance(network, Net2D3D)
    after = parameter_count(network.pyramid) + parameter_count(network.head)
    assert (parameter_count(network) - after) / 1e6 == pytest.approx(7.88, rel=0.01)
    assert after / 1e6 == pytest.approx(2.40, rel=0.01)
