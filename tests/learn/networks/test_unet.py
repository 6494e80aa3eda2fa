"""The U-Net and its kin: every depth, what each of them adds, that every loss can teach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orgseg_app.learn.losses.registry import LOSSES, total_loss
from orgseg_app.learn.networks.ablation import ablated
from orgseg_app.learn.networks.agnet import EPSILON, RADIUS, guided_filter
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.learn.networks.unet_dropout import DropoutUNet
from orgseg_app.learn.networks.unetpp import NestedUNet
from orgseg_app.runs.recipes.schema import LossTerm, NetworkChoice

DEEP = ["unet", "unet_dropout", "unetpp", "mre"]
"""Those that heed the depth."""


@pytest.mark.parametrize("size", [(1, 40), (3, 5), (33, 47)])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_any_size_goes_in_and_comes_out(depth: int, size: tuple[int, int]) -> None:
    network = UNet(3, 5, depth=depth, width=4)
    for module in (network.train(), network.eval()):
        assert module(torch.randn(1, 3, *size)).shape == (1, 5, *size)


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("name", DEEP)
def test_every_depth_has_its_grid_and_joins(name: str, depth: int) -> None:
    choice = NetworkChoice(name=name, depth=depth, width=4)
    with torch.device("meta"):
        network = build_network(choice, channels=2, classes=3)
        heads = network.train().heads(torch.empty(1, 2, 30, 50))
    assert network.multiple == 2**depth
    assert heads[0].logits.shape == (1, 3, 30, 50)
    joins = network.joins()
    assert len(joins) == depth
    for level, (conv, upsampled) in enumerate(joins):
        assert conv.out_channels == 4 * 2**level
        assert 0 < len(range(conv.in_channels)[upsampled]) < conv.in_channels


@pytest.mark.parametrize("name", ["unet_dropout", "unetpp", "mre"])
def test_ablation_cuts_off_what_is_coarser(name: str) -> None:
    """Then an output pixel sees no farther than the finest level's convolutions do."""
    torch.manual_seed(0)
    choice = NetworkChoice(name=name, depth=2, width=4)
    network = build_network(choice, channels=1, classes=2).eval()
    cut = ablated(network, 0)
    image, other = torch.randn(2, 1, 1, 48, 48)
    other[..., 12:36, 12:36] = image[..., 12:36, 12:36]
    with torch.no_grad():
        middle = [m(i)[..., 23:25, 23:25] for m in (network, cut) for i in (image, other)]
    whole, changed, whole_cut, changed_cut = middle
    assert not torch.equal(whole, changed)
    if name == "unetpp":
        # The last node's other inputs are nodes that see the coarser levels themselves.
        assert not torch.equal(whole_cut, whole)
    else:
        torch.testing.assert_close(whole_cut, changed_cut)


def test_unetpp_judges_a_head_for_every_depth() -> None:
    network = NestedUNet(1, 3, depth=4, width=4).eval()
    image = torch.randn(1, 1, 32, 32)
    heads = network.heads(image)
    assert [head.weight for head in heads] == [1.0] * 4
    assert all(head.logits.shape == (1, 3, 32, 32) for head in heads)
    # The head of one down-sampling sees nothing of the deeper levels.
    shallow = heads[-1].logits
    with torch.no_grad():
        network.first[2][0].weight.zero_()
        torch.testing.assert_close(network.heads(image)[-1].logits, shallow)
        assert not torch.equal(network.heads(image)[0].logits, heads[0].logits)


def test_penet_judges_full_and_half_size() -> None:
    network = build_network(NetworkChoice(name="penet", width=4), channels=1, classes=2)
    full, half = network.heads(torch.randn(1, 1, 17, 30))
    assert full.weight == half.weight == 1
    assert full.logits.shape == (1, 2, 17, 30)
    assert half.logits.shape == (1, 2, 9, 15)


def test_hierarchical_fusing_loss_has_its_weights_and_sizes() -> None:
    network = build_network(NetworkChoice(name="mre", depth=4, width=4), channels=1, classes=2)
    heads = network.heads(torch.randn(2, 1, 64, 48))
    assert [head.weight for head in heads] == [1 / 2] + [1 / 16] * 8
    sizes = [tuple(head.logits.shape[2:]) for head in heads]
    assert sizes[::2] == [(64, 48), *((64 // f, 48 // f) for f in (16, 8, 4, 2))]
    assert sizes[1::2] == [(64, 48)] * 4


def test_agnet_predicts_the_mean_of_its_answers() -> None:
    network = build_network(NetworkChoice(name="agnet", width=4), channels=1, classes=2).eval()
    mean, *sides = network.heads(torch.randn(1, 1, 32, 32))
    assert len(sides) == 4
    torch.testing.assert_close(mean.logits, sum(side.logits for side in sides) / 4)


def test_guided_filter_is_the_fit_it_says() -> None:
    """Against least squares solved window by window."""
    torch.manual_seed(0)
    small, features = torch.rand(2, 1, 1, 6, 7)
    trust, guide = torch.rand(1, 1, 6, 7), torch.rand(1, 1, 12, 14)
    slope, offset = torch.zeros(6, 7), torch.zeros(6, 7)
    for y in range(6):
        for x in range(7):
            rows = slice(max(0, y - RADIUS), y + RADIUS + 1)
            columns = slice(max(0, x - RADIUS), x + RADIUS + 1)
            slope[y, x], offset[y, x] = _fit(
                *(t[0, 0, rows, columns].flatten() for t in (small, features, trust))
            )
    a, b = (_enlarged(_mean_of_windows(values)) for values in (slope, offset))
    expected = a * guide[0, 0] + b
    found = guided_filter(small, features, guide, trust)[0, 0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def _fit(x: Tensor, y: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
    """Minimise ``mean(trust² · (a·x + b − y)²) + EPSILON · a²``."""
    weight = trust.square() / len(x)
    normal = torch.stack(
        [
            torch.stack([(weight * x * x).sum() + EPSILON, (weight * x).sum()]),
            torch.stack([(weight * x).sum(), weight.sum()]),
        ]
    )
    a, b = torch.linalg.solve(normal, torch.stack([(weight * x * y).sum(), (weight * y).sum()]))
    return a, b


def _mean_of_windows(values: Tensor) -> Tensor:
    means = torch.zeros_like(values)
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            rows, columns = (slice(max(0, i - RADIUS), i + RADIUS + 1) for i in (y, x))
            means[y, x] = values[rows, columns].mean()
    return means


def _enlarged(values: Tensor) -> Tensor:
    return torch.nn.Upsample(scale_factor=2, mode="bilinear")(values[None, None])[0, 0]


def test_even_kernel_keeps_the_size_and_looks_back_no_pixel() -> None:
    """The 2 × 2 convolutions of the dropout variant are padded behind only, as Keras does."""
    network = DropoutUNet(1, 2, depth=1, width=4).eval()
    seen: list[Tensor] = []
    network.up[0].register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    network(torch.randn(1, 1, 8, 8))
    assert seen[0].shape[-2:] == (9, 9)
    assert not seen[0][..., -1, :].any()
    assert not seen[0][..., -1].any()
    assert seen[0][..., 0, 0].any()


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cldice"])
def test_every_loss_teaches_two_images(name: str) -> None:
    """All but clDice, which by itself asks for centre lines, not for pixels."""
    torch.manual_seed(1)
    network = UNet(1, 2, depth=1, width=8)
    images = torch.randn(2, 1, 16, 16)
    target = (images[:, 0] > 0.5).long()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        loss = total_loss(network(images), target, torch.ones(2, 16, 16), terms=[LossTerm(name)])
        loss.backward()
        optimiser.step()
    wrong = (network(images).argmax(1) != target).float().mean()
    assert wrong < 0.02


def test_last_features_that_fell_silent_can_learn_again() -> None:
    network = DropoutUNet(1, 2, depth=1, width=4)
    torch.nn.init.constant_(network.last.bias, -100.0)
    network(torch.rand(1, 1, 8, 8)).square().sum().backward()
    assert network.last.weight.grad.abs().max() > 0


@pytest.mark.parametrize("choice", [NetworkChoice(dropout=0.5), NetworkChoice("unet_dropout")])
def test_dropout_only_while_learning(choice: NetworkChoice) -> None:
    choice = NetworkChoice(choice.name, depth=2, width=8, dropout=choice.dropout)
    network = build_network(choice, channels=1, classes=2)
    image = torch.randn(2, 1, 16, 16)
    network.train()
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_unknown_network_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="no network 'resnet'"):
        build_network(NetworkChoice(name="resnet"), channels=1, classes=2)
