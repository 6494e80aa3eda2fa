"""Networks and losses together: nothing is learnt from unlabelled pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.losses.registry import LOSSES
from orgseg_app.learn.networks.network import FittedNetwork
from orgseg_app.learn.networks.registry import NETWORKS, build_network
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import LossTerm, NetworkChoice

LEARNING = [
    name
    for name, info in NETWORK_NAMES.items()
    if name in NETWORKS and not info.is_fitted and "encoder" not in info.fields
]
"""Those of the optional library have a test of their own."""


def gradients(network: str, loss: str, stored: int, fusion: str = "origin") -> list[Tensor]:
    """Loss and gradients of all parameters after one look at two patches."""
    is_volume = NETWORK_NAMES[network].dimensions == 3
    size = (3, 16, 16) if is_volume else (32, 32)
    torch.manual_seed(1)
    choice = NetworkChoice(network, depth=2, width=4, fusion=fusion)  # type: ignore[arg-type]
    built = build_network(choice, channels=2, classes=3).train()
    assert not isinstance(built, FittedNetwork)
    torch.manual_seed(2)
    weights = (torch.rand(2, *size) < 0.3).float()
    target = torch.randint(0, 3, (2, *size)).where(weights > 0, torch.tensor(stored))
    heads = built.heads(torch.randn(2, 2, *size))
    found = heads_loss(heads, target, weights, terms=[LossTerm(loss)])
    found.backward()
    return [found.detach(), *(p.grad for p in built.parameters() if p.grad is not None)]


def assert_nothing_learnt_from_unlabelled(network: str, loss: str) -> None:
    fusion = NETWORK_NAMES[network].fusions[-1]
    first, other = (gradients(network, loss, stored, fusion) for stored in (0, 2))
    assert len(first) == len(other) > 2
    assert all(map(torch.equal, first, other))
    assert all(part.isfinite().all() for part in first)
    assert max(part.abs().max() for part in first[1:]) > 0


@pytest.mark.parametrize("network", LEARNING)
def test_unlabelled_pixels_change_no_gradient_of_any_network(network: str) -> None:
    assert_nothing_learnt_from_unlabelled(network, "soft_iou")


@pytest.mark.parametrize("number, loss", list(enumerate(LOSSES)))
def test_unlabelled_pixels_change_no_gradient_by_any_loss(number: int, loss: str) -> None:
    """Each with another network."""
    assert_nothing_learnt_from_unlabelled(LEARNING[number % len(LEARNING)], loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_takes_volumes_with_whole_planes_unlabelled(loss: str) -> None:
    """Of five planes one is painted; what is stored in the others changes no gradient."""
    results = []
    for stored in (0, 2):
        torch.manual_seed(3)
        network = build_network(
            NetworkChoice("net2d3d", depth=1, width=4), channels=1, classes=3
        ).train()
        target = torch.randint(0, 3, (1, 5, 12, 12))
        weights = torch.zeros(1, 5, 12, 12)
        weights[:, 2] = 1
        target[weights == 0] = stored
        heads = network.heads(torch.randn(1, 1, 5, 12, 12))
        found = heads_loss(heads, target, weights, terms=[LossTerm(loss)])
        found.backward()
        results.append([found.detach(), *(p.grad for p in network.parameters())])
    assert all(map(torch.equal, *results))  # type: ignore[arg-type]
    assert all(part.isfinite().all() for part in results[0] if part is not None)
    assert max(p.abs().max() for p in results[0][1:] if p is not None) > 0
