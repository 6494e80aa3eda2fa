"""Low-level fusion: which maps of the encoder reach the answer, at which size; its ablation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from orgseg_app.learn.networks.ablation import ablated
from orgseg_app.learn.networks.deeplab import DeepLab
from orgseg_app.learn.networks.fcn import FCN
from orgseg_app.learn.networks.hrnet import HRNet
from orgseg_app.learn.networks.mre import MultiResolutionUNet
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.resnet import RESNET50_OS16
from orgseg_app.learn.networks.segnet import SegNet
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.learn.networks.unet_dropout import DropoutUNet


def _deeplab(fusion: str) -> DeepLab:
    return DeepLab(1, 2, plan=RESNET50_OS16, fusion=fusion, width=4).eval()


def _answers_differ(network: Network, cut: Callable[[Any], Any], module: nn.Module) -> bool:
    """Whether two images still get different answers when a module's output is cut down."""
    handle = module.register_forward_hook(lambda _m, _i, output: cut(output))
    first, second = torch.randn(2, 1, 1, 64, 64)
    with torch.no_grad():
        differ = not torch.allclose(network(first), network(second), atol=1e-6)
    handle.remove()
    return differ


@pytest.mark.parametrize(
    ("fusion", "joined"), [("origin", False), ("none", False), ("concat", True), ("add", True)]
)
def test_deeplab_hands_the_stem_to_the_answer(fusion: str, joined: bool) -> None:
    torch.manual_seed(0)
    network = _deeplab(fusion)

    def only_the_stem(maps: list[Tensor]) -> list[Tensor]:
        return [maps[0], *(torch.zeros_like(m) for m in maps[1:])]

    assert _answers_differ(network, only_the_stem, network.encoder) is joined


@pytest.mark.parametrize(
    ("fusion", "stem", "last"), [("origin", 32, 4), ("none", 64, 8), ("concat", 64, 8)]
)
def test_deeplab_sees_finer_with_fusion(fusion: str, stem: int, last: int) -> None:
    maps = _deeplab(fusion).encoder(torch.randn(1, 1, 64, 64))
    assert [maps[0].shape[-1], maps[-1].shape[-1]] == [stem, last]


@pytest.mark.parametrize(("fusion", "side"), [("origin", 16), ("concat", 64)])
def test_hrnet_keeps_a_branch_at_full_size_with_fusion(fusion: str, side: int) -> None:
    network = HRNet(1, 2, fusion=fusion, width=4).eval()
    sides: list[int] = []
    network.stages[-1].register_forward_hook(
        lambda _m, _i, maps: sides.extend(m.shape[-1] for m in maps)
    )
    network(torch.randn(1, 1, 64, 64))
    assert sides == [side, side // 2, side // 4, side // 8]


@pytest.mark.parametrize("skips", [0, 1, 2, 4])
@pytest.mark.parametrize("fusion", ["add", "concat"])
def test_fcn_takes_the_pooled_maps_that_its_name_says(skips: int, fusion: str) -> None:
    """With every deeper level cut off, a level matters just when it is passed on."""
    torch.manual_seed(0)
    network = FCN(1, 2, skips=skips, fusion=fusion, width=8).eval()
    for level in range(4):
        maps: list[Tensor] = []
        handles = [
            network.down[level].register_forward_hook(lambda _m, _i, o, to=maps: to.append(o)),
            network.down[level + 1].register_forward_hook(lambda _m, _i, o: torch.zeros_like(o)),
        ]
        answer = network(torch.randn(1, 1, 64, 64))
        (gradient,) = torch.autograd.grad(answer.sum(), maps[0], allow_unused=True)
        assert (gradient is not None and bool(gradient.any())) is (level >= 4 - skips)
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(("fusion", "joined"), [("origin", False), ("concat", True), ("add", True)])
def test_segnet_hands_the_first_level_to_the_answer(fusion: str, joined: bool) -> None:
    torch.manual_seed(0)
    network = SegNet(1, 2, fusion=fusion, width=4).eval()
    features: list[Tensor] = []
    network.down[0].register_forward_hook(lambda _m, _i, output: features.append(output))
    network.up[-1].register_forward_pre_hook(lambda _m, inputs: features.append(inputs[0]))
    network(torch.randn(1, 1, 33, 47))
    first, last = features
    assert last.shape[1] == first.shape[1] * (2 if fusion == "concat" else 1)
    if fusion == "concat":
        assert torch.equal(last[:, first.shape[1] :], first)
    # Three in four of the unpooled features are 0; with the map added hardly any of its own are.
    empty = ((last[:, : first.shape[1]] == 0) & (first > 0)).any()
    assert bool(empty) is (fusion != "add")
    assert joined is (fusion != "origin")


JOINED: list[tuple[Network, int]] = [
    (UNet(1, 2, depth=3, width=4), 3),
    (DropoutUNet(1, 2, depth=3, width=4), 3),
    (MultiResolutionUNet(1, 2, depth=3, width=4), 3),
    (FCN(1, 2, skips=4, fusion="concat", width=4), 4),
    (SegNet(1, 2, fusion="concat", width=4), 5),
    (_deeplab("concat"), 4),
    (_deeplab("none"), 3),
    (_deeplab("origin"), 1),
]


@pytest.mark.parametrize(("network", "levels"), JOINED, ids=lambda v: type(v).__name__)
def test_ablated_network_is_deaf_to_what_is_coarser(network: Network, levels: int) -> None:
    torch.manual_seed(0)
    network.eval()
    image = torch.randn(1, 1, 64, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert len(network.joins()) == levels
    for level in range(levels):
        changed = ablated(network, level)
        with torch.no_grad():
            plain, deaf = network(image), changed(image)
            assert not torch.allclose(plain, deaf, atol=1e-7)
            for one, answer in ((network, plain), (changed, deaf)):
                conv, upsampled = one.joins()[level]
                handle = conv.register_forward_pre_hook(_noise_in(upsampled))
                same = torch.allclose(one(image), answer, atol=1e-7)
                handle.remove()
                assert same is (one is changed)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_joins_grow_coarser_with_the_level() -> None:
    for network, _ in JOINED:
        sides: list[int] = []
        for join in network.joins():
            join.conv.register_forward_pre_hook(
                lambda _m, inputs, to=sides: to.append(inputs[0].shape[-1])
            )
        network.eval()(torch.randn(1, 1, 64, 64))
        assert sides == sorted(sides), "the coarsest runs first"
        assert len(set(sides)) == len(sides)


def test_level_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="at 2 levels, 0 to 1; there is no level 2"):
        ablated(UNet(1, 2, depth=2, width=4), 2)
    with pytest.raises(ValueError, match="there is none"):
        ablated(HRNet(1, 2, width=4), 0)


def _noise_in(features: slice) -> Callable[[nn.Module, Any], Any]:
    def hook(_module: nn.Module, inputs: Any) -> Any:
        changed = cast(Tensor, inputs[0]).clone()
        changed[:, features] = torch.randn_like(changed[:, features])
        return (changed,)

    return hook
