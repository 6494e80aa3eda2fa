"""HRNet: branches of several sizes that keep exchanging what they found.

Wang et al.: "Deep High-Resolution Representation Learning for Visual Recognition", IEEE TPAMI 2020
(HRNetV2-W32), in the size used by Guo et al. 2021 (PRCV): one module a stage instead of 1, 1, 4
and 3, and a first stage of 32 features. With one channel and one class: 9.98 million parameters,
with and without their fusion, which takes the two strides of the stem away and so keeps the finest
branch at full size (about 16 times the work).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, crop, initialise, resize
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.resnet import Residual, conv_norm
from orgseg_app.learn.networks.unet import pad_to_multiple

_BLOCKS = 4
"""Residual blocks of each branch."""

_AT_ONCE = 32
"""Features of the head that prediction holds at full size."""


class HRNet(Network):
    """A stem, a first stage of bottlenecks, three stages of two, three and four branches.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    fusion
        ``"origin"``: the finest branch works at a quarter of the size; ``"concat"``: at full size.
    width
        Features of the finest branch, doubled from branch to branch; 32 as published.
    """

    def __init__(
        self, channels: int, classes: int, *, fusion: str = "origin", width: int = 32
    ) -> None:
        super().__init__()
        stride = 2 if fusion == "origin" else 1
        self.stem = nn.Sequential(
            *conv_block(channels, 2 * width, stride=stride),
            *conv_block(2 * width, 2 * width, stride=stride),
        )
        self.first = nn.Sequential(
            *(
                Residual(4 * width if i else 2 * width, width, 4 * width, bottleneck=True)
                for i in range(_BLOCKS)
            )
        )
        widths = [width * 2**branch for branch in range(4)]
        self.start = conv_block(4 * width, width)
        self.next = nn.ModuleList(
            conv_block(i, o, stride=2)
            for i, o in zip([4 * width, *widths[1:3]], widths[1:], strict=True)
        )
        self.stages = nn.ModuleList(_Stage(widths[:branches]) for branches in (2, 3, 4))
        joined = sum(widths)
        self.head = nn.Sequential(
            *conv_block(joined, joined, kernel=1), nn.Conv2d(joined, classes, 1)
        )
        self.multiple = 8 * stride**2
        self.radius = self._reach(stride).radius
        initialise(self, cast(nn.Conv2d, self.head[-1]))

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        padded = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        coarsest = self.first(self.stem(padded))
        branches = [self.start(coarsest)]
        for grow, stage in zip(self.next, self.stages, strict=True):
            branches.append(grow(coarsest))
            branches = stage(branches)
            coarsest = branches[-1]
        return crop(self._answer(branches, padded), image)

    def _answer(self, branches: Sequence[Tensor], image: Tensor) -> Tensor:
        """Logits of all branches, brought to the size of the image and put side by side.

        A 1 × 1 convolution may be done before the enlargement as well as after it: so each branch
        goes through its own part of it while it is small, and the sum is the same. All features at
        full size would take gigabytes for a large tile: in prediction it is a few at a time.
        """
        conv, norm, last = (cast(nn.Conv2d, self.head[i]) for i in (0, 1, 3))
        parts = conv.weight.split([branch.shape[1] for branch in branches], dim=1)

        def joined(some: slice) -> Tensor:
            found = [
                resize(functional.conv2d(branch, part[some]), image)
                for branch, part in zip(branches, parts, strict=True)
            ]
            total = sum(found[1:], found[0])
            # Where the batch norm was folded in, there is a bias.
            return total if conv.bias is None else total + conv.bias[some, None, None]

        if self.training:
            return cast(Tensor, self.head[1:](joined(slice(None))))
        logits = cast(Tensor, last.bias)[:, None, None]
        for start in range(0, conv.out_channels, _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            features = joined(some)
            if isinstance(norm, nn.BatchNorm2d):
                features = _normalised(features, norm, some)
            logits = logits + functional.conv2d(functional.relu(features), last.weight[:, some])
        return logits

    def _reach(self, stride: int) -> Reach:
        stem = Reach().conv(stride=stride).conv(stride=stride).conv(times=_BLOCKS)
        branches = [stem.conv()]
        coarsest = stem
        for stage in self.stages:
            branches = cast(_Stage, stage).reach([*branches, coarsest.conv(stride=2)])
            coarsest = branches[-1]
        joined = Reach()
        for branch in branches:
            joined = joined.join(branch.bilinear(branch.stride))
        return joined


def _normalised(features: Tensor, norm: nn.BatchNorm2d, some: slice) -> Tensor:
    """What a batch norm in evaluation mode does to some of its features."""
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    return functional.batch_norm(
        features, mean[some], variance[some], norm.weight[some], norm.bias[some], eps=norm.eps
    )


class _Stage(nn.Module):
    """Residual blocks in each branch, then every branch gets the sum of all of them."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(Residual(width, width, width) for _ in range(_BLOCKS)))
            for width in widths
        )
        self.ways = nn.ModuleList(
            nn.ModuleList(_way(widths, source, goal) for source in range(len(widths)))
            for goal in range(len(widths))
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        maps = [branch(m) for branch, m in zip(self.branches, maps, strict=True)]
        results = []
        for goal, ways in zip(maps, self.ways, strict=True):
            found = [
                resize(way(m), goal) for way, m in zip(cast(nn.ModuleList, ways), maps, strict=True)
            ]
            results.append(functional.relu(sum(found[1:], found[0])))
        return results

    def reach(self, maps: Sequence[Reach]) -> list[Reach]:
        maps = [m.conv(times=2 * _BLOCKS) for m in maps]
        results = []
        for goal in maps:
            reach = goal
            for m in maps:
                while m.stride < goal.stride:
                    m = m.conv(stride=2)
                reach = reach.join(m.bilinear(m.stride // goal.stride))
            results.append(reach)
        return results


def _way(widths: Sequence[int], source: int, goal: int) -> nn.Module:
    """From one branch to another: strided convolutions down, a 1 × 1 convolution up."""
    if source == goal:
        return nn.Identity()
    if source > goal:
        return conv_norm(widths[source], widths[goal], kernel=1)
    steps = nn.Sequential()
    for _ in range(goal - source - 1):
        steps.extend(conv_block(widths[source], widths[source], stride=2))
    steps.extend(conv_norm(widths[source], widths[goal], stride=2))
    return steps
