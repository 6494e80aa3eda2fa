"""What outputs for single objects cost: worked by hand, and blind where nothing is painted."""

from __future__ import annotations

import math

import pytest
import torch

from orgseg_app.core.instances.targets import TARGETS
from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.losses.instances import HEAT_WEIGHT, WAY, WAY_WEIGHT, instance_loss
from orgseg_app.learn.networks.network import Head
from orgseg_app.runs.recipes.schema import LossTerm

WITH_MAPS = [name for name, target in TARGETS.items() if target.layers]
TERMS = (LossTerm("cross_entropy"),)


def test_an_edge_counts_ten_times() -> None:
    weights = torch.ones(1, 1, 2)
    layer = torch.tensor([[[1, 2]]], dtype=torch.uint8)
    sure_of_inside = torch.zeros(1, 3, 1, 2)
    sure_of_inside[:, 1] = math.log(2)  # chances 1/4, 1/2, 1/4
    found = instance_loss(sure_of_inside, [layer], weights, TARGETS["boundary"])
    assert found.item() == pytest.approx((math.log(2) + 10 * math.log(4)) / 11)


def test_a_depth_is_learnt_as_a_chance_is() -> None:
    layer = torch.tensor([[[0, 255, 51]]], dtype=torch.uint8)
    said = torch.tensor([[[[0.0, 0.0, math.log(0.25)]]]])  # ½, ½, 0.2
    found = instance_loss(said, [layer], torch.ones(1, 1, 3), TARGETS["distance"])
    at_least = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert found.item() == pytest.approx((2 * math.log(2) + at_least) / 3)


def test_heat_is_squared_and_ways_count_within_objects_alone() -> None:
    heat = torch.tensor([[[0, 51, 255]]], dtype=torch.uint8)
    down, right = (
        torch.tensor([[row]], dtype=torch.uint8) for row in ([7, 128, 126], [7, 136, 128])
    )
    said = torch.zeros(1, 3, 1, 3)
    said[0, 0, 0] = torch.tensor([0.5, 0.2, 0.9])
    said[0, 1, 0] = torch.tensor([9.0, 0.25, 0.0])  # 4 voxels too far down, one too little up
    weights = torch.tensor([[[1.0, 1.0, 3.0]]])
    found = instance_loss(said, [heat, down, right], weights, TARGETS["centre"])
    squared = (0.5**2 + 0 + 3 * 0.1**2) / 5
    ways = (1 * (4 + 4) / WAY + 3 * 1 / WAY) / 4
    assert found.item() == pytest.approx(HEAT_WEIGHT * squared + WAY_WEIGHT * ways)


def patch(name: str, *lead: int) -> tuple[torch.Tensor, ...]:
    """Logits, class target, layers and weights of a patch half of which is unlabelled."""
    random = torch.Generator().manual_seed(0)
    target = TARGETS[name]
    shape = (2, *lead, 6, 6)
    dimensions = len(shape) - 1
    outputs = 2 + target.outputs(dimensions)
    logits = torch.randn((2, outputs, *shape[1:]), generator=random)
    classes = torch.randint(0, 2, shape, generator=random, dtype=torch.uint8)
    count = target.layers + max(0, target.ways(dimensions) - 2)
    layers = torch.randint(0, 3, (2, count, *shape[1:]), generator=random)
    weights = torch.rand(shape, generator=random) + 0.5
    weights[..., 3:] = 0
    classes[..., 3:] = 255
    return logits, classes, layers.to(torch.uint8), weights


@pytest.mark.parametrize("lead", [(), (3,)], ids=["planes", "volumes"])
@pytest.mark.parametrize("name", WITH_MAPS)
def test_unlabelled_voxels_move_nothing(name: str, lead: tuple[int, ...]) -> None:
    logits, classes, layers, weights = patch(name, *lead)
    found = []
    for wild in (False, True):
        said, right = logits.clone(), layers.clone()
        if wild:
            said[..., 3:] = 1e4
            right[..., 3:] = 255
        said.requires_grad_()
        loss = heads_loss(
            [Head(said, 1.0)],
            classes,
            weights,
            terms=TERMS,
            objects=TARGETS[name],
            instances=right,
        )
        loss.backward()
        assert said.grad is not None
        assert not said.grad[..., 3:].any()
        assert said.grad[:, 2:, ..., :3].abs().sum() > 0
        found.append((loss.item(), said.grad[..., :3].clone()))
    assert found[0][0] == found[1][0]
    assert found[0][1].equal(found[1][1])


@pytest.mark.parametrize("name", WITH_MAPS)
def test_weights_count_by_voxel(name: str) -> None:
    logits, _, layers, weights = patch(name)
    said = logits[:, 2:]
    parts = list(layers.unbind(1))
    once = instance_loss(said, parts, weights, TARGETS[name])
    assert instance_loss(said, parts, 2 * weights, TARGETS[name]).item() == pytest.approx(
        once.item()
    )
    one = torch.zeros_like(weights)
    one[0, 0, 0] = 7
    alone = instance_loss(said, parts, one, TARGETS[name])
    place = (slice(0, 1), slice(None), slice(0, 1), slice(0, 1))
    plain = instance_loss(
        said[place], [p[:1, :1, :1] for p in parts], torch.ones(1, 1, 1), TARGETS[name]
    )
    assert alone.item() == pytest.approx(plain.item())


def test_nothing_painted_costs_nothing() -> None:
    logits, _, layers, weights = patch("boundary_distance")
    said = logits[:, 2:].clone().requires_grad_()
    loss = instance_loss(said, list(layers.unbind(1)), 0 * weights, TARGETS["boundary_distance"])
    loss.backward()
    assert loss.item() == 0
    assert said.grad is not None
    assert not said.grad.any()


def test_coarser_answers_are_judged_at_their_centres() -> None:
    logits, classes, layers, weights = patch("boundary_distance")
    target = TARGETS["boundary_distance"]

    def cost(head: torch.Tensor, *right: torch.Tensor) -> float:
        classes, weights, layers = right
        return heads_loss(
            [Head(head, 1.0)], classes, weights, terms=TERMS, objects=target, instances=layers
        ).item()

    coarse = logits[..., 1::2, 1::2]
    centres = (part[..., 1::2, 1::2] for part in (classes, weights, layers))
    assert cost(coarse, classes, weights, layers) == cost(coarse, *centres)
