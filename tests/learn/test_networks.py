"""Networks: size, shapes, and that they can learn at all."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.learn.losses import LOSSES, total_loss
from orgseg_app.learn.networks.registry import NETWORKS, build_network, parameter_count
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.runs.recipe import LossTerm, NetworkChoice


def test_published_unet_has_its_published_size() -> None:
    with torch.device("meta"):
        network = UNet(1, 1, depth=4, width=64)
    assert parameter_count(network) == pytest.approx(31.04e6, rel=0.01)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (16, 16), (33, 47), (100, 17)])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_any_size_goes_in_and_comes_out(depth: int, size: tuple[int, int]) -> None:
    network = UNet(3, 5, depth=depth, width=4)
    for module in (network.train(), network.eval()):
        assert module(torch.randn(1, 3, *size)).shape == (1, 5, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_sight_is_what_the_network_says(name: str) -> None:
    """No input pixel farther than the radius can change an output pixel; some nearer one does."""
    torch.manual_seed(0)
    choice = NetworkChoice(name=name, depth=2, width=4)
    network = build_network(choice, channels=1, classes=2).double().eval()
    size = 2 * network.radius + 4 * network.multiple
    size -= size % network.multiple
    image = torch.randn(1, 1, size, size, dtype=torch.double, requires_grad=True)
    reach = 0
    for y in range(size // 2, size // 2 + network.multiple):
        (gradient,) = torch.autograd.grad(network(image)[0, :, y, y].sum(), image)
        rows = torch.nonzero(gradient[0, 0].abs().sum(1))
        reach = max(reach, int((rows - y).abs().max()))
    assert network.radius - 2 * network.multiple < reach <= network.radius


@pytest.mark.parametrize("name", NETWORKS)
def test_overfits_two_tiny_images(name: str) -> None:
    torch.manual_seed(0)
    choice = NetworkChoice(name=name, depth=2, width=8)
    network = build_network(choice, channels=1, classes=3)
    images, target = torch.randn(2, 1, 24, 24), torch.randint(0, 3, (2, 6, 6))
    target = target.repeat_interleave(4, 1).repeat_interleave(4, 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    terms, weights = [LossTerm("cross_entropy")], torch.ones(2, 24, 24)
    for _ in range(120):
        optimiser.zero_grad()
        total_loss(network(images), target, weights, terms=terms).backward()
        optimiser.step()
    assert (network(images).argmax(1) == target).float().mean() > 0.99


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_teaches_two_images(name: str) -> None:
    torch.manual_seed(1)
    network = UNet(1, 2, depth=1, width=8)
    images = torch.randn(2, 1, 16, 16)
    target = (images[:, 0] > 0.5).long()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(80):
        optimiser.zero_grad()
        loss = total_loss(network(images), target, torch.ones(2, 16, 16), terms=[LossTerm(name)])
        loss.backward()
        optimiser.step()
    wrong = (network(images).argmax(1) != target).float().mean()
    assert wrong < 0.02


def test_dropout_only_while_learning() -> None:
    network = build_network(NetworkChoice(depth=2, width=8, dropout=0.5), channels=1, classes=2)
    image = torch.randn(2, 1, 16, 16)
    network.train()
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_unknown_network_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="no network 'resnet'"):
        build_network(NetworkChoice(name="resnet"), channels=1, classes=2)
