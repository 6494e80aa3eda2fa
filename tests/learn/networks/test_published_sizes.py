"""Networks have the numbers of parameters that were published, to one per cent."""

from __future__ import annotations

import pytest
import torch

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
