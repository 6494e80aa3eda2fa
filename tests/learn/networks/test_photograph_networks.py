"""What is special in the networks that were made for photographs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from orgseg_app.learn.networks import danet
from orgseg_app.learn.networks.blocks import BatchNorm, resize
from orgseg_app.learn.networks.danet import ChannelAttention, DANet, PositionAttention
from orgseg_app.learn.networks.hrnet import HRNet
from orgseg_app.learn.networks.icnet import ICNet
from orgseg_app.learn.networks.pspnet import PSPNet
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.segnet import SegNet, pool, unpool


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_unpooling_is_that_of_torch(height: int, width: int, seed: int) -> None:
    """Ties, which ReLU makes plenty of, included."""
    random = torch.Generator().manual_seed(seed)
    features = torch.randint(0, 4, (2, 3, 2 * height, 2 * width), generator=random).float()
    values = torch.randn((2, 3, height, width), generator=random)
    pooled, place = pool(features)
    expected, index = functional.max_pool2d(features, 2, return_indices=True)
    assert torch.equal(pooled, expected)
    assert torch.equal(unpool(values, place), functional.max_unpool2d(values, index, 2))


def test_segnet_puts_maxima_back_where_they_were_on_odd_sizes() -> None:
    network = SegNet(1, 2, width=4).eval()
    kept: dict[str, Tensor] = {}
    network.down[0].register_forward_hook(lambda _m, _i, output: kept.update(first=output))
    network.up[-1].register_forward_pre_hook(lambda _m, inputs: kept.update(last=inputs[0]))
    assert network(torch.randn(1, 1, 37, 51)).shape == (1, 2, 37, 51)
    first, last = kept["first"], kept["last"]
    assert first.shape == last.shape == (1, 4, 64, 64)
    windows = functional.unfold(last.transpose(0, 1), 2, stride=2)
    assert (windows.count_nonzero(1) <= 1).all()
    best = functional.unfold(first.transpose(0, 1), 2, stride=2).argmax(1)
    filled = windows.count_nonzero(1) == 1
    assert filled.any()
    assert torch.equal(windows.abs().argmax(1)[filled], best[filled])


def test_hrnet_head_in_parts_is_the_published_one() -> None:
    torch.manual_seed(0)
    network = HRNet(1, 3, width=6)
    branches = [torch.randn(2, 6 * 2**n, 16 // 2**n, 24 // 2**n) for n in range(4)]
    image = torch.empty(2, 1, 64, 96)
    joined = torch.cat([resize(branch, image) for branch in branches], dim=1)
    for module in (network.train(), network.eval()):
        parts = module._answer(branches, image)
        torch.testing.assert_close(parts, module.head(joined), rtol=1e-4, atol=1e-4)


def _heads(network: Any) -> list[tuple[float, tuple[int, ...]]]:
    return [(h.weight, tuple(h.logits.shape)) for h in network.heads(torch.randn(2, 1, 33, 40))]


def test_auxiliary_answers_have_their_published_weights() -> None:
    full = (2, 2, 33, 40)
    assert _heads(PSPNet(1, 2, width=4)) == [(1.0, full), (0.4, full)]
    assert _heads(ICNet(1, 2, width=4)) == [(1.0, full), (0.4, full), (0.16, full)]
    assert _heads(DANet(1, 2, width=4)) == [(1.0, full)] * 3


def _attention(features: int = 16) -> PositionAttention:
    torch.manual_seed(0)
    attention = PositionAttention(features)
    nn.init.ones_(attention.share)
    return attention


def test_position_attention_is_the_published_one() -> None:
    attention, features = _attention(), torch.randn(2, 16, 5, 7)
    query, key, value = (
        layer(features).flatten(2) for layer in (attention.query, attention.key, attention.value)
    )
    shares = torch.softmax(torch.einsum("ncq,nck->nqk", query, key), dim=-1)
    expected = features + torch.einsum("nqk,nck->ncq", shares, value).view_as(features)
    torch.testing.assert_close(attention(features), expected)


def test_channel_attention_is_the_published_one() -> None:
    attention, features = ChannelAttention(), torch.randn(2, 8, 5, 7)
    assert torch.equal(attention(features), features), "begins as if it were not there"
    nn.init.ones_(attention.share)
    energy = torch.einsum("ncp,ndp->ncd", features.flatten(2), features.flatten(2))
    shares = torch.softmax(energy.max(-1, keepdim=True).values - energy, dim=-1)
    expected = features + torch.einsum("ncd,ndp->ncp", shares, features.flatten(2)).view_as(
        features
    )
    torch.testing.assert_close(attention(features), expected)


class _Largest(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor made."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.largest = max(self.largest, result.numel())
        return result


def test_position_attention_of_a_large_map_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(danet, "MOST_PLACES", 64)
    attention, features = _attention().eval(), torch.randn(1, 16, 40, 60)
    with torch.no_grad(), _Largest() as watch:
        found = attention(features)
    assert watch.largest <= features.numel() < 64 * 40 * 60
    torch.testing.assert_close(attention.train()(features), found)


def test_batch_norm_learns_from_a_single_value() -> None:
    norm = BatchNorm(3).train()
    with torch.no_grad():
        norm.running_mean += 2  # type: ignore[operator]
    seen = norm.running_mean.clone()  # type: ignore[union-attr, operator]
    value = torch.randn(1, 3, 1, 1, requires_grad=True)
    answer = norm(value)
    torch.testing.assert_close(answer, (value - 2) / (1 + norm.eps) ** 0.5)
    answer.sum().backward()
    assert norm.weight.grad is not None
    assert torch.equal(norm.running_mean, seen)  # type: ignore[arg-type]
    torch.testing.assert_close(
        norm(torch.randn(2, 3, 4, 4)).mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-6
    )


@given(
    st.lists(
        st.sampled_from(["conv", "wide", "strided", "pool", "unpool", "deconv", "bilinear"]),
        min_size=1,
        max_size=6,
    )
)
def test_reach_is_what_light_in_the_dark_shows(names: list[str]) -> None:
    """Layers of ones; the input pixels that reach the feature in the middle are counted."""
    reach, widest, layers = Reach(), 1, nn.Sequential()
    for name in names:
        if name in ("unpool", "deconv", "bilinear") and reach.stride == 1:
            continue
        reach = {
            "conv": reach.conv(),
            "wide": reach.conv(5, dilation=2),
            "strided": reach.conv(stride=2),
            "pool": reach.pool(),
            "unpool": reach.unpool(),
            "deconv": reach.deconv(),
            "bilinear": reach.bilinear(2) if reach.stride > 1 else reach,
        }[name]
        widest = max(widest, reach.stride)
        layers.append(
            {
                "conv": nn.Conv2d(1, 1, (1, 3), padding=(0, 1)),
                "wide": nn.Conv2d(1, 1, (1, 5), padding=(0, 4), dilation=(1, 2)),
                "strided": nn.Conv2d(1, 1, (1, 3), stride=(1, 2), padding=(0, 1)),
                "pool": nn.AvgPool2d((1, 2)),
                "unpool": nn.Upsample(scale_factor=(1, 2), mode="nearest"),
                "deconv": nn.ConvTranspose2d(
                    1, 1, (1, 3), stride=(1, 2), padding=(0, 1), output_padding=(0, 1)
                ),
                "bilinear": nn.Upsample(scale_factor=(1, 2), mode="bilinear"),
            }[name]
        )
    for weight in layers.parameters():
        nn.init.ones_(weight)
    half = 64 * reach.stride * -(-reach.radius // (64 * reach.stride)) + 64
    image = torch.zeros(1, 1, 1, 2 * half, requires_grad=True)
    farthest = Reach(reach.stride)
    output = layers(image)
    for i in range(half // reach.stride, half // reach.stride + 64 // reach.stride):
        (light,) = torch.autograd.grad(output[0, 0, 0, i], image, retain_graph=True)
        seen = light[0, 0, 0].nonzero()
        offset = reach.stride * i
        farthest = farthest.join(
            Reach(reach.stride, offset - int(seen.min()), int(seen.max()) - offset)
        )
    # Up and down again, the worst cases of single layers may never meet.
    assert 0 <= reach.before - farthest.before < widest
    assert 0 <= reach.after - farthest.after < widest
