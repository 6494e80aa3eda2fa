"""The 2D-3D network: who teaches what, what each part sees, and what is not as in its code."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.networks.ablation import ablated
from orgseg_app.learn.networks.net2d3d import PLANE_LOSS, Net2D3D
from orgseg_app.learn.networks.network import Head
from orgseg_app.learn.networks.registry import build_network, parameter_count
from orgseg_app.runs.recipes.schema import LossTerm, NetworkChoice


def _net(**changes: Any) -> Net2D3D:
    torch.manual_seed(0)
    return Net2D3D(1, 3, **({"depth": 2, "width": 8} | changes))


def _taught(network: Net2D3D, heads: list[Head]) -> set[str]:
    """Names of the children that get a gradient, from some of the answers."""
    network.zero_grad()
    target = torch.randint(0, 3, heads[0].logits.shape[:1] + heads[0].logits.shape[2:])
    weights = torch.ones(target.shape)
    heads_loss(heads, target, weights, terms=[LossTerm("cross_entropy")]).backward()
    return {
        name.partition(".")[0]
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().max() > 0
    }


def test_auxiliary_loss_teaches_the_plane_part_alone() -> None:
    network = _net().train()
    whole, planes = network.heads(torch.randn(1, 1, 5, 16, 16))
    assert (whole.weight, planes.weight) == (1.0, PLANE_LOSS) == (1.0, 0.33)
    plane_part = {"down", "up", "join", "plane_head"}
    assert _taught(network, [planes]) == plane_part
    whole, planes = network.heads(torch.randn(1, 1, 5, 16, 16))
    # The plane logits are handed on, so that their classifier learns from both.
    assert _taught(network, [whole]) == plane_part | {"pyramid", "head"}


def test_auxiliary_loss_counts_a_third() -> None:
    network = _net().train()
    volume = torch.randn(1, 1, 3, 8, 8)
    target, weights = torch.randint(0, 3, (1, 3, 8, 8)), torch.ones(1, 3, 8, 8)
    heads = network.heads(volume)
    found = heads_loss(heads, target, weights, terms=[LossTerm("cross_entropy")])
    parts = [functional.cross_entropy(head.logits, target) for head in heads]
    torch.testing.assert_close(found, parts[0] + 0.33 * parts[1])


@pytest.mark.parametrize(("starters", "planes"), [(True, 4), (False, 0)])
def test_starters_alone_let_the_plane_part_see_neighbours(starters: bool, planes: int) -> None:
    network = _net(starters=starters).double().eval()
    volume = torch.randn(1, 1, 13, 8, 8, dtype=torch.double)
    other = volume.clone()
    other[:, :, 6] += 1
    with torch.no_grad():
        before, after = (network.heads(v)[1].logits for v in (volume, other))
    changed = (before != after).flatten(3).any(dim=3).any(dim=1)[0]
    assert changed.nonzero().flatten().tolist() == list(range(6 - planes, 7 + planes))


def test_starters_are_half_as_wide_and_stand_in_both_paths() -> None:
    network = _net(depth=3, width=16)
    deep = [
        (conv.in_channels, conv.out_channels)
        for part in (network.down, network.join)
        for conv in part.modules()
        if isinstance(conv, nn.Conv3d) and conv.kernel_size == (3, 3, 3)
    ]
    assert deep == [(1, 8), (16, 16), (16 + 32, 16), (8 + 16, 8)]
    # Transposed convolutions are as wide as what follows.
    assert [up.out_channels for up in cast(list[nn.ConvTranspose3d], list(network.up))] == [
        64, 16, 8,
    ]  # fmt: skip


def test_everything_follows_the_width() -> None:
    small, large = (_net(depth=3, width=width) for width in (16, 32))
    for (name, one), other in zip(small.named_parameters(), large.parameters(), strict=True):
        factor = other.shape[0] / one.shape[0]
        assert factor == (1 if name.endswith("head.weight") or "head.bias" in name else 2), name


def test_pyramid_pools_and_enlarges_rows_and_columns_only() -> None:
    network = _net()
    sizes: list[tuple[int, ...]] = []
    for module in (network.pyramid.coarse, network.pyramid.up):
        module.register_forward_hook(lambda _m, _i, output: sizes.append(tuple(output.shape)))
    network(torch.randn(1, 1, 5, 16, 24))
    assert sizes == [(1, 8, 5, 8, 12), (1, 8, 5, 16, 24)]


def test_paths_are_added_or_put_side_by_side() -> None:
    added, joined = _net(), _net(merge="concat")
    assert added.head.in_channels == 8
    assert joined.head.in_channels == 16
    with torch.no_grad():
        features = torch.randn(1, 11, 3, 8, 8)
        fine, coarse = added.pyramid.fine(features), added.pyramid(features)
        assert coarse.shape == fine.shape
        assert joined.pyramid(features).shape[1] == 16
    choice = NetworkChoice("net2d3d", depth=2, width=8, fusion="concat")
    chosen = build_network(choice, channels=1, classes=3)
    assert parameter_count(chosen) == parameter_count(joined) > parameter_count(added)


def test_scores_are_logits_not_cut_at_zero() -> None:
    """As the 2-D part's, which the pyramid is given."""
    network = _net()
    given: list[Tensor] = []
    network.pyramid.register_forward_hook(lambda _m, inputs, _o: given.append(inputs[0]))
    heads = network.heads(torch.randn(1, 1, 3, 16, 16))
    for head in heads:
        assert (head.logits < 0).any(dim=(0, 2, 3, 4)).any()
    torch.testing.assert_close(given[0][:, :3], heads[1].logits)


def test_layers_do_not_share_weights() -> None:
    """A port of the published code repeats one layer object, which is then one layer only."""
    network = _net()
    convs = [m for m in network.modules() if isinstance(m, nn.Conv3d)]
    assert len({conv.weight.data_ptr() for conv in convs}) == len(convs)
    # Two blocks of three and one of two going down, two of three going up; 3, 5 and 1; two heads.
    assert len(convs) == 3 + 3 + 2 + 3 + 3 + 3 + 5 + 1 + 2


def test_norms_stand_between_convolution_and_relu_only_where_wanted() -> None:
    published, normed = (
        build_network(NetworkChoice(name, depth=2, width=8), channels=1, classes=3)
        for name in ("net2d3d", "net2d3d_norm")
    )
    assert not any(isinstance(module, nn.BatchNorm3d) for module in published.modules())
    chains = [list(m) for m in normed.modules() if isinstance(m, nn.Sequential)]
    kinds = [
        (nn.Conv3d, nn.BatchNorm3d, nn.ReLU)[i % 3] for chain in chains for i in range(len(chain))
    ]
    layers = [layer for chain in chains for layer in chain]
    assert all(isinstance(layer, kind) for layer, kind in zip(layers, kinds, strict=True))
    # The same network otherwise: a norm has two values a feature, a bias one.
    features = sum(layer.num_features for layer in layers if isinstance(layer, nn.BatchNorm3d))
    assert parameter_count(normed) == parameter_count(published) + features


def test_fine_levels_can_be_cut_off_from_coarser_ones() -> None:
    network = _net().eval()
    assert len(network.joins()) == 2
    cut = ablated(network, 0)
    volume = torch.randn(1, 1, 3, 16, 16)
    with torch.no_grad():
        network.up[-1].weight.zero_()  # type: ignore[operator]
        network.up[-1].bias.zero_()  # type: ignore[operator]
        torch.testing.assert_close(cut(volume), network(volume))
