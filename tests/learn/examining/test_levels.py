"""Taking a level away: what is noted while a network predicts, and what is left of a level."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import LearnError
from orgseg_app.learn.examining.levels import Watched, without_coarser, without_detail
from orgseg_app.learn.networks.hrnet import HRNet
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.penet import PENet
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.learn.networks.unet3d import UNet3D
from orgseg_app.learn.prediction.placing import ready

NETWORKS = [
    pytest.param(lambda: UNet(1, 2, depth=3, width=4), (1, 1, 32, 32), (1, 2, 4), id="unet"),
    pytest.param(lambda: PENet(1, 2, width=4), (1, 1, 32, 32), (1,), id="penet"),
    pytest.param(lambda: UNet3D(1, 2, depth=2, width=4), (1, 1, 4, 16, 16), (1, 2), id="unet3d"),
]


@pytest.mark.parametrize(("make", "shape", "scales"), NETWORKS)
def test_means_are_noted_by_copies_too(
    make: object, shape: tuple[int, ...], scales: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = make().eval()  # type: ignore[operator]
    seen: list[Tensor] = []
    conv = network.joins()[-1].conv
    handle = conv.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    images = [torch.randn(shape), torch.randn(shape) + 1]
    with torch.no_grad():
        for image in images:
            network(image)
    handle.remove()
    watched = Watched(network)
    used = ready(watched.network, cpu_device())  # as a predictor does: copied, norms folded in
    with torch.no_grad():
        for image in images:
            used(image)
    assert tuple(level.scale for level in watched.levels) == scales
    others = [axis for axis in range(seen[0].ndim) if axis != 1]
    expected = torch.cat(seen).double().mean(dim=others)
    assert torch.allclose(watched.levels[-1].means, expected, atol=1e-5)
    assert not network.joins()[0].conv._forward_pre_hooks, "the network itself is not watched"


@pytest.mark.parametrize(("make", "shape", "scales"), NETWORKS)
def test_a_level_without_detail_is_deaf_to_it_alone(
    make: object, shape: tuple[int, ...], scales: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    network: Network = make().eval()  # type: ignore[operator]
    image = torch.randn(shape)
    for level in range(len(scales)):
        conv, upsampled = network.joins()[level]
        means = torch.zeros(conv.in_channels, dtype=torch.float64)
        changed = ready(without_detail(network, level, means), cpu_device())
        with torch.no_grad():
            plain, deaf = network(image), changed(image)
            assert not torch.allclose(plain, deaf, atol=1e-6)
            # By hand: the same features set to 0 in the weights, which a mean of 0 stands for.
            by_hand = copy.deepcopy(network)
            weight = by_hand.joins()[level].conv.weight
            kept = weight[:, upsampled].clone()
            weight.zero_()
            weight[:, upsampled] = kept
            assert torch.allclose(by_hand(image), deaf, atol=1e-5)


def test_means_stand_in_for_the_detail() -> None:
    torch.manual_seed(2)
    network = UNet(1, 2, depth=1, width=4).eval()
    means = torch.full((network.joins()[0].conv.in_channels,), 3.0, dtype=torch.float64)
    changed = without_detail(network, 0, means)
    seen: list[Tensor] = []
    conv, upsampled = changed.joins()[0]
    assert isinstance(conv, nn.Conv2d)
    handle = conv.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    with torch.no_grad():
        changed(torch.randn(1, 1, 16, 16))
    handle.remove()
    fine = torch.ones(len(means), dtype=torch.bool)
    fine[upsampled] = False
    assert (seen[0][:, fine] == 3).all()
    assert not (seen[0][:, ~fine] == 3).any()


def test_a_network_without_levels_is_refused_in_words() -> None:
    with pytest.raises(LearnError, match="no level to take away"):
        Watched(HRNet(1, 2, width=4))
    watched = Watched(UNet(1, 2, depth=1, width=4))
    with pytest.raises(LearnError, match="could not be seen"):
        _ = watched.levels[0].means


def test_nothing_coarser_at_the_finest_level_leaves_its_own_reach() -> None:
    torch.manual_seed(3)
    network = PENet(1, 2, width=4).eval()
    image = torch.zeros(1, 1, 64, 64)
    far = image.clone()
    far[..., 40:, 40:] = 5
    alone = without_coarser(network, 0)
    with torch.no_grad():
        near_by = alone(image)[..., :24, :24] - alone(far)[..., :24, :24]
    assert near_by.abs().max() < 1e-6
