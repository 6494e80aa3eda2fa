"""What every network of volumes has to do, and every plane network that is shown several planes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.layout import lay_out
from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.volume_blocks import CUBE, VolumeConv
from orgseg_app.learn.prediction.placing import ready
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import LossTerm
from tests.learn.networks.cases import VOLUME_CASES, Case, tiny

every_volume_network = pytest.mark.parametrize("case", VOLUME_CASES, ids="-".join)
SIZES = [(1, 1, 1), (2, 1, 9), (6, 21, 13)]


def test_there_are_networks_for_cubes_and_for_thick_planes() -> None:
    halving = {name for name, _ in VOLUME_CASES if NETWORK_NAMES[name].halves_planes}
    assert halving == {"unet3d"}
    for case in VOLUME_CASES:
        network = tiny(case)
        assert network.dimensions == 3
        assert network.multiple_z == (4 if case[0] in halving else 1)


@every_volume_network
def test_any_size_any_channels_any_classes(case: Case) -> None:
    network = tiny(case, channels=3, classes=5)
    for size in SIZES:
        volume = torch.randn(1, 3, *size)
        for head in network.train().heads(volume):
            assert head.weight > 0
            assert head.logits.shape == (1, 5, *size)
        assert network.eval()(volume).shape == (1, 5, *size)


@every_volume_network
def test_each_volume_is_on_its_own_and_predicted_alike_every_time(case: Case) -> None:
    network = tiny(case).double().eval()
    volumes = torch.randn(2, 1, 5, 17, 12, dtype=torch.double)
    with torch.no_grad():
        together = network(volumes)
        assert torch.equal(together, network(volumes))
        torch.testing.assert_close(network.heads(volumes)[0].logits, together)
        volumes[1] *= 100
        assert_same(network(volumes)[:1], together[:1], 1e-9)
        assert_same(network(volumes[:1]), together[:1], 1e-9)


@every_volume_network
def test_half_precision_and_one_volume_a_step_reach_every_parameter(case: Case) -> None:
    torch.manual_seed(0)
    network = lay_out(tiny(case, classes=3).train())
    volume = torch.randn(1, 1, 5, 16, 16)
    target = torch.randint(0, 3, (1, 5, 16, 16))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heads = network.heads(volume)
    loss = heads_loss(heads, target, torch.ones(target.shape), terms=[LossTerm("cross_entropy")])
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert torch.isfinite(parameter.grad).all(), name
    with torch.no_grad():
        answer = network.eval().to(torch.bfloat16)(volume.to(torch.bfloat16))
    assert answer.dtype == torch.bfloat16
    assert torch.isfinite(answer).all()


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_gradient_of_few_planes_is_right_in_half_precision(planes: int) -> None:
    """Memory is filled with nonsense first, so that whoever reads what nobody wrote is found out.

    With plain convolutions of two planes about half of these gradients were wrong.
    """
    torch.manual_seed(0)
    conv = VolumeConv(16, 16, CUBE, bias=False)
    volume = torch.randn(1, 16, planes, 8, 8)
    plain = functional.conv3d(volume, conv.weight, padding=1)
    torch.testing.assert_close(conv(volume), plain)
    (expected,) = torch.autograd.grad(plain.square().sum(), conv.weight)
    for _ in range(20):
        for size in (500, 3000, 20_000, 200_000):
            nonsense = [torch.full((size,), float("nan"), dtype=torch.bfloat16) for _ in range(4)]
            del nonsense
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = conv(volume)
        (found,) = torch.autograd.grad(answer.float().square().sum(), conv.weight)
        assert_same(found, expected, 0.02)


@every_volume_network
@pytest.mark.parametrize("depth", [1, 2])
def test_sight_is_what_the_network_says(case: Case, depth: int) -> None:
    """A light in the dark, through weights that can cancel nothing: who sees it, near and far."""
    network = tiny(case, depth=depth).double().eval()
    _brighten(network)
    sights = {
        -1: (network.radius, network.multiple),
        -3: (network.radius_z, network.multiple_z),
    }
    for axis, (radius, multiple) in sights.items():
        assert radius is not None
        middle = -(-(radius + multiple) // multiple) * multiple
        size = [1, 1, 1]
        size[axis] = 2 * middle + multiple
        reach = 0
        for place in range(multiple):
            volume = torch.zeros(1, 1, *size, dtype=torch.double)
            volume.movedim(axis, 0)[middle + place] = 1
            with torch.no_grad():
                lit = network(volume).abs().amax(dim=1).movedim(axis, 0).flatten(1).amax(1)
            reach = max(reach, int((lit.nonzero() - middle - place).abs().max()))
        assert reach == radius, "exactly as far, neither less nor more"


@every_volume_network
def test_tiles_that_start_at_a_multiple_agree_with_the_volume(case: Case) -> None:
    torch.manual_seed(0)
    network = tiny(case, depth=1).double().eval()
    _unsettle(network)
    for axis, step, radius in (
        (-1, network.multiple, network.radius),
        (-3, network.multiple_z, network.radius_z),
    ):
        assert radius is not None
        size = [3, 3, 3]
        size[axis] = 3 * step + 2 * radius
        volume = torch.randn(1, 1, *size, dtype=torch.double)
        with torch.no_grad():
            whole = network(volume)
            part = network(volume.narrow(axis, step, size[axis] - step))
        kept = size[axis] - step - radius
        assert_same(part.narrow(axis, radius, kept), whole.narrow(axis, step + radius, kept), 1e-9)


@every_volume_network
def test_folded_batch_norms_change_nothing(case: Case) -> None:
    torch.manual_seed(0)
    network = tiny(case)
    _unsettle(network)
    volume = torch.rand(1, 1, 5, 16, 24)
    folded = ready(network, cpu_device())
    with torch.no_grad():
        assert_same(folded(volume), network.eval()(volume), 1e-4)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in folded.modules())


@pytest.mark.parametrize(
    "case", [case for case in VOLUME_CASES if case[1] == "origin"], ids="-".join
)
def test_overfits_two_tiny_volumes(case: Case) -> None:
    """Balls as deep as they are wide; one step sees one of the two volumes."""
    torch.manual_seed(0)
    network = tiny(case, width=8, depth=1)
    volumes, target = _two_balls(5, 12)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    weights, terms = torch.ones(target.shape), [LossTerm("cross_entropy")]
    for step in range(240):
        one = slice(step % 2, step % 2 + 1)
        optimiser.zero_grad()
        heads = network.train().heads(volumes[one])
        heads_loss(heads, target[one], weights[one], terms=terms).backward()
        optimiser.step()
        if step % 10 == 9 and _iou(network, volumes, target) > 0.95:
            return
    pytest.fail(f"IoU only {_iou(network, volumes, target):.2f}")


def test_neighbouring_planes_matter_to_the_answer() -> None:
    torch.manual_seed(0)
    network = tiny(("unet", "origin"), channels=2, planes=3).eval()
    assert (network.dimensions, network.planes, network.radius_z) == (2, 3, 0)
    image = torch.randn(1, 6, 16, 16)
    with torch.no_grad():
        before = network(image)
        for channel in range(6):
            other = image.clone()
            other[:, channel] += 1
            assert not torch.equal(network(other), before)


def assert_same(found: Tensor, expected: Tensor, share: float) -> None:
    """Equal to a share of the largest value: what networks have not learnt yet runs high."""
    torch.testing.assert_close(found, expected, rtol=0, atol=share * float(expected.abs().max()))


def _brighten(network: Network) -> None:
    """Weights that add up what they see."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.constant_(module.weight, 1 / module.weight[0, 0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _unsettle(network: Network) -> None:
    """Batch norms as after some training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, std=0.2)


def _two_balls(depth: int, size: int) -> tuple[Tensor, Tensor]:
    """Noise with a bright ball each, at another place; and where the ball is."""
    z, y, x = torch.meshgrid(*map(torch.arange, (depth, size, size)), indexing="ij")
    balls = [
        (4 * (z - c) ** 2 + (y - a) ** 2 + (x - b) ** 2) < (size // 3) ** 2
        for c, a, b in ((1, 4, 4), (3, 7, 6))
    ]
    mask = torch.stack(balls)
    return torch.randn(2, 1, depth, size, size) * 0.3 + mask[:, None], mask.long()


@torch.no_grad()
def _iou(network: Network, volumes: Tensor, target: Tensor) -> float:
    found = network.eval()(volumes).argmax(1) == 1
    ball = target == 1
    return float((found & ball).sum() / (found | ball).sum())
