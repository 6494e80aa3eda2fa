"""PE-Net: a shallow network for fine organelle networks, full size beside half size.

Guo, Luo, Li, Yang 2020 ("Heuristic Optimization of Deep Learning Models for Segmentation of
Intracellular Organelle Networks"). Width 32, one channel, one output: the published module holds
1.22 million parameters, among them a strided convolution (128 to 128, 147,584 parameters) that its
forward pass never calls; without that one it is 1.07 million. Here it is not built.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, crop, initialise
from orgseg_app.learn.networks.network import Head, Join, Network
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.unet import double_conv, pad_to_multiple


class PENet(Network):
    """A full-size branch, a half-size branch that joins it, a head on each.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    width
        Feature maps of the first layers; four times as many at most.
    """

    def __init__(self, channels: int, classes: int, *, width: int = 32) -> None:
        super().__init__()
        self.full_first = double_conv(channels, width)
        self.full_size = nn.Sequential(
            double_conv(width, 2 * width), double_conv(2 * width, 4 * width)
        )
        self.half_first = conv_block(channels, width)
        self.half_size = nn.Sequential(
            double_conv(2 * width, 2 * width), double_conv(2 * width, 4 * width)
        )
        self.up = nn.ConvTranspose2d(4 * width, 4 * width, 2, stride=2)
        self.join = nn.Sequential(
            conv_block(8 * width, 4 * width),
            conv_block(4 * width, 2 * width),
            conv_block(2 * width, width),
        )
        self.head = nn.Conv2d(width, classes, 1)
        self.half_last = conv_block(4 * width, width)
        self.half_head = nn.Conv2d(width, classes, 1)
        self.multiple = 2
        small = Reach().pool().conv().join(Reach().conv(times=2).pool()).conv(times=4)
        self.radius = Reach().conv(times=6).join(small.unpool()).conv(times=3).radius
        initialise(self, self.head, self.half_head)

    def joins(self) -> list[Join]:
        """Where the half-size branch joins the full-size one: the only level."""
        conv = cast(nn.Conv2d, cast(nn.Sequential, self.join[0])[0])
        return [Join(conv, slice(conv.in_channels // 2, None))]

    def _branches(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features before the heads: full size, and half size before its last layer."""
        # Four pixels at least: batch norm wants more than one value at half size.
        image = pad_to_multiple(image, 2, at_least=4)
        first = self.full_first(image)
        # Half the size, linearly: the mean of two by two pixels.
        small = self.half_first(functional.avg_pool2d(image, 2))
        half = self.half_size(torch.cat([small, functional.max_pool2d(first, 2)], dim=1))
        full = self.join(torch.cat([self.full_size(first), self.up(half)], dim=1))
        return full, half

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the full-size branch; see `Network`."""
        return crop(self.head(self._branches(image)[0]), image)

    def heads(self, image: Tensor) -> list[Head]:
        """The full-size answer and the half-size one; their losses are summed."""
        height, width = image.shape[-2:]
        full, half = self._branches(image)
        coarse = self.half_head(self.half_last(half))
        return [
            Head(crop(self.head(full), image), 1.0),
            Head(coarse[..., : -(-height // 2), : -(-width // 2)], 1.0),
        ]
