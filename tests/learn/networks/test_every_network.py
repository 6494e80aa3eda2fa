"""What every network has to do: any size, any channels, keep its promises about sight, learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.prediction.predictor import _ready
from orgseg_app.runs.recipes.schema import LossTerm
from tests.learn.networks.cases import CASES, tiny

every_network = pytest.mark.parametrize("case", CASES, ids="-".join)
SIZES = [(1, 1), (1, 17), (33, 20)]
BLURRED = {("pspnet", "origin"), ("icnet", "origin"), ("danet", "origin")} | {
    (name, "origin") for name in ("deeplab", "deeplab50", "hrnet")
}
"""They answer for blocks of 4 or 8 pixels; no disc on a tiny image is drawn with those."""


def sees_a_finite_part(case: tuple[str, str]) -> bool:
    with torch.device("meta"):
        return tiny(case).radius is not None


sharp_networks = pytest.mark.parametrize(
    "case", [case for case in CASES if sees_a_finite_part(case)], ids="-".join
)


@every_network
def test_any_size_any_channels_any_classes(case: tuple[str, str]) -> None:
    network = tiny(case, planes=3, classes=5)  # planes of a volume are channels
    assert network.planes == 3
    for size in SIZES:
        image = torch.randn(1, 3, *size)
        for head in network.train().heads(image):
            assert head.weight > 0
            assert head.logits.shape[:2] == (1, 5)
            fitting = [tuple(-(-side // 2**n) for side in size) for n in range(6)]
            assert tuple(head.logits.shape[2:]) in fitting
        assert network.heads(image)[0].logits.shape[2:] == size, "the one that predicts is first"
        assert network.eval()(image).shape == (1, 5, *size)


@every_network
def test_prediction_is_repeatable_and_each_image_is_on_its_own(case: tuple[str, str]) -> None:
    network = tiny(case).double().eval()
    images = torch.randn(2, 1, 33, 20, dtype=torch.double)
    with torch.no_grad():
        together = network(images)
        assert torch.equal(together, network(images))
        images[1] *= 100
        assert_same(network(images)[:1], together[:1], 1e-9)
        assert_same(network(images[:1]), together[:1], 1e-9)


@every_network
def test_predicting_head_is_the_answer(case: tuple[str, str]) -> None:
    network = tiny(case).eval()
    image = torch.randn(1, 1, 20, 17)
    with torch.no_grad():
        torch.testing.assert_close(network.heads(image)[0].logits, network(image))


@every_network
def test_half_precision_reaches_every_parameter(case: tuple[str, str]) -> None:
    torch.manual_seed(0)
    network = tiny(case, classes=3).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.randn(2, 1, 32, 32)
    target = torch.randint(0, 3, (2, 32, 32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heads = network.heads(image)
    loss = heads_loss(heads, target, torch.ones(2, 32, 32), terms=[LossTerm("cross_entropy")])
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert torch.isfinite(parameter.grad).all(), name
    with torch.no_grad():
        answer = network.eval().to(torch.bfloat16)(image.to(torch.bfloat16))
    assert answer.dtype == torch.bfloat16
    assert torch.isfinite(answer).all()


@sharp_networks
def test_sight_is_what_the_network_says(case: tuple[str, str]) -> None:
    """A light in the dark, through weights that can cancel nothing, shows who sees it."""
    network = tiny(case).double().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.constant_(module.weight, 1 / module.weight[0, 0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    radius, multiple = network.radius or 0, network.multiple
    middle = -(-(radius + multiple) // multiple) * multiple
    places = torch.tensor(sorted({0, 1, multiple // 2, multiple - 1}))
    images = torch.zeros(len(places), 1, 1, 2 * middle + multiple, dtype=torch.double)
    images[torch.arange(len(places)), 0, 0, middle + places] = 1
    with torch.no_grad():
        lit = network(images).abs().amax(dim=(1, 2))
    sights = (row.nonzero() - middle - place for row, place in zip(lit, places, strict=True))
    reach = max(int(sight.abs().max()) for sight in sights)
    assert radius - 2 * multiple < reach <= radius


@sharp_networks
def test_tiles_that_start_at_a_multiple_agree_with_the_image(case: tuple[str, str]) -> None:
    torch.manual_seed(0)
    network = tiny(case).double().eval()
    step, radius = network.multiple, network.radius or 0
    image = torch.randn(1, 1, 1, step * (3 + 2 * -(-radius // step)), dtype=torch.double)
    with torch.no_grad():
        whole, part = network(image), network(image[..., step:])
    assert_same(part[..., radius:], whole[..., step + radius :], 1e-9)


@every_network
def test_folded_batch_norms_change_nothing(case: tuple[str, str]) -> None:
    torch.manual_seed(0)
    network = tiny(case)
    _unsettle(network)
    image = torch.rand(1, 1, 32, 48)
    folded = _ready(network, cpu_device())
    with torch.no_grad():
        assert_same(folded(image), network.eval()(image), 1e-4)
    left = any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert left == case[0].startswith("fcn"), "FCN's stand behind a ReLU, as published"


@pytest.mark.parametrize(
    "case",
    # Their other kinds are built as DeepLab with ResNet-50's are.
    [c for c in CASES if c not in (("deeplab", "add"), ("deeplab", "none"))],
    ids="-".join,
)
def test_overfits_two_tiny_images(case: tuple[str, str]) -> None:
    torch.manual_seed(0)
    network = tiny(case, width=8)
    images, target = _two_halves(32) if case in BLURRED else _two_discs(32)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    weights, terms = torch.ones(target.shape), [LossTerm("cross_entropy")]
    for step in range(300):
        optimiser.zero_grad()
        heads_loss(network.train().heads(images), target, weights, terms=terms).backward()
        optimiser.step()
        if step % 10 == 9 and _iou(network, images, target) > 0.95:
            return
    pytest.fail(f"IoU only {_iou(network, images, target):.2f}")


def assert_same(found: Tensor, expected: Tensor, share: float) -> None:
    """Equal to a share of the largest value: what networks have not learnt yet runs high."""
    torch.testing.assert_close(found, expected, rtol=0, atol=share * float(expected.abs().max()))


@torch.no_grad()
def _iou(network: Network, images: Tensor, target: Tensor) -> float:
    found = network.eval()(images).argmax(1) == 1
    disc = target == 1
    return float((found & disc).sum() / (found | disc).sum())


def _two_discs(size: int) -> tuple[Tensor, Tensor]:
    """Noise with a bright disc each, at another place; and where the disc is."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    discs = [(y - a) ** 2 + (x - b) ** 2 < (size // 3) ** 2 for a, b in ((12, 11), (18, 20))]
    return _shown(torch.stack(discs))


def _two_halves(size: int) -> tuple[Tensor, Tensor]:
    """Noise, brighter on the left in one and above in the other; and where."""
    half = torch.arange(size) < size // 2
    return _shown(torch.stack([half.expand(size, size), half[:, None].expand(size, size)]))


def _shown(mask: Tensor) -> tuple[Tensor, Tensor]:
    return torch.randn(len(mask), 1, *mask.shape[1:]) * 0.3 + mask[:, None], mask.long()


def _unsettle(network: nn.Module) -> None:
    """Batch norms as after some training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, std=0.2)
