"""Operations counted, against counts by hand and the table of costs; memory that is seen."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from orgseg_app.core.classes import default_classes
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.examining.model_facts import (
    PredictionWatch,
    learnt_numbers,
    measured_facts,
    multiply_adds_per_voxel,
)
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction.placing import ready
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.telling import resident_bytes
from orgseg_app.runs.recipes.costs import flops_per_pixel
from orgseg_app.runs.recipes.schema import NetworkChoice
from tests.learn.conftest import tiny_recipe

CHOICES = [
    NetworkChoice(name="unet", depth=3, width=8),
    NetworkChoice(name="unetpp", depth=2, width=8),
    NetworkChoice(name="segnet", width=8, fusion="concat"),
    NetworkChoice(name="deeplab50", width=8),
    NetworkChoice(name="unet3d", depth=2, width=8),
    NetworkChoice(name="net2d3d", depth=2, width=8),
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_operations_are_those_of_the_table_of_costs(choice: NetworkChoice) -> None:
    network = build_network(choice, channels=1, classes=2)
    used = ready(network, cpu_device())
    size = (1, 128, 128) if network.dimensions == 2 else (8, 32, 32)
    found = multiply_adds_per_voxel(used, channels=1, tile_zyx=size, planes=network.planes)
    assert found == pytest.approx(flops_per_pixel(choice, 1, 2) / 2, rel=0.02)


def test_a_transposed_convolution_and_attention_by_hand() -> None:
    up = torch.nn.ConvTranspose2d(4, 3, 2, stride=2)
    found = multiply_adds_per_voxel(up, channels=4, tile_zyx=(1, 16, 16))
    assert found == 4 * 3 * 2 * 2

    class Alike(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            flat = image.flatten(2)
            return flat @ flat.transpose(1, 2)

    found = multiply_adds_per_voxel(Alike(), channels=5, tile_zyx=(1, 16, 16))
    assert found == 5 * 5


def model(name: str, **changes: object) -> Model:
    choice = NetworkChoice(name=name, depth=1, width=4)
    recipe = tiny_recipe(network=choice, **changes)
    network = build_network(choice, channels=1, classes=2).eval()
    return Model(network, recipe, default_classes(["disc"]), 1)


def test_an_ensemble_costs_what_its_members_cost(tmp_path: Path) -> None:
    members = [model("unet"), model("penet")]
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"x" * 1234)
    facts = []
    for models in (members[:1], members[1:], members):
        predictor = Predictor(models)
        with PredictionWatch(predictor.device) as watch:
            pass
        facts.append(
            measured_facts(
                predictor, watch, path=path, sizes_zyx=[(1, 60, 50)], seconds=2.0, voxels=4e6
            )
        )
    one, other, both = facts
    assert both.members == 2
    assert both.parameters == (one.parameters or 0) + (other.parameters or 0)
    total = (one.multiply_adds_per_megavoxel or 0) + (other.multiply_adds_per_megavoxel or 0)
    assert both.multiply_adds_per_megavoxel == pytest.approx(total)
    assert both.seconds_per_megavoxel == 0.5
    assert both.tile_zyx == (1, 60, 50)
    assert both.checkpoint_bytes == 1234


def test_without_held_out_images_a_patch_is_timed(tmp_path: Path) -> None:
    predictor = Predictor([model("unet", patch_size=48)])
    with PredictionWatch(predictor.device) as watch:
        pass
    missing = tmp_path / "gone.ckpt"
    facts = measured_facts(predictor, watch, path=missing, sizes_zyx=[], seconds=0.0, voxels=0.0)
    assert facts.voxels_timed == 48 * 48
    assert facts.seconds_per_megavoxel
    assert facts.tile_zyx == (1, 48, 48)
    assert facts.checkpoint_bytes is None


def test_forests_have_numbers_but_no_convolutions() -> None:
    predictor = Predictor([model("pixel_classifier")])
    with PredictionWatch(predictor.device) as watch:
        pass
    facts = measured_facts(
        predictor, watch, path=Path("none"), sizes_zyx=[(1, 40, 40)], seconds=1.0, voxels=1e6
    )
    assert facts.multiply_adds_per_megavoxel is None
    assert facts.parameters == learnt_numbers(predictor.models[0].network)


def test_memory_held_for_a_moment_is_seen() -> None:
    before = resident_bytes()
    with PredictionWatch(cpu_device()) as watch:
        held = np.ones(150_000_000, np.uint8)
        deadline = time.monotonic() + 5
        while watch.memory_bytes < before + 120_000_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        del held
    assert watch.memory_bytes > before + 120_000_000
    assert watch.seconds > 0
    assert watch.card_memory_bytes is None
