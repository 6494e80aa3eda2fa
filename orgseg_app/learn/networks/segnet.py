"""SegNet, and its fusion of low-level features.

Badrinarayanan, Kendall, Cipolla: "SegNet: A Deep Convolutional Encoder-Decoder Architecture for
Image Segmentation", IEEE TPAMI 2017; fusion: Guo et al. 2021 (PRCV). With one channel and one
class: 29.44 million parameters; 34.94 with fusion "concat".
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, crop, initialise
from orgseg_app.learn.networks.network import Join, Network
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.unet import pad_to_multiple
from orgseg_app.learn.networks.vgg import VGG_LAYERS, vgg_levels, vgg_reaches, vgg_widths


class SegNet(Network):
    """VGG-16-BN, and its mirror image that puts each feature back where its maximum was.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    fusion
        ``"origin"``, or how the encoder's last map of each level joins the decoder: ``"concat"``
        or ``"add"``.
    width
        Features of the first level; 64 as published.
    """

    def __init__(
        self, channels: int, classes: int, *, fusion: str = "origin", width: int = 64
    ) -> None:
        super().__init__()
        self.fusion = fusion
        widths = vgg_widths(width)
        self.down = vgg_levels(channels, width, batch_norm=True)
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths))):
            last = widths[level - 1] if level else widths[0]
            outputs = [widths[level]] * (VGG_LAYERS[level] - 1) + [last]
            if level == 0:
                outputs.pop()  # the head is the last one
            inputs = [widths[level] * (2 if fusion == "concat" else 1), *outputs[:-1]]
            block = nn.Sequential()
            for i, o in zip(inputs, outputs, strict=True):
                block.extend(conv_block(i, o))
            self.up.append(block)
        self.head = nn.Conv2d(widths[0], classes, 3, padding=1)
        self.multiple = 32
        self.radius = self._reach().radius
        initialise(self, self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        features = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        maps: list[Tensor] = []
        places: list[Tensor] = []
        for level in self.down:
            maps.append(level(features))
            features, place = pool(maps[-1])
            places.append(place)
        for block in self.up:
            features, same_scale = unpool(features, places.pop()), maps.pop()
            if self.fusion == "concat":
                features = torch.cat([features, same_scale], dim=1)
            elif self.fusion == "add":
                features = features + same_scale
            features = block(features)
        return crop(self.head(features), image)

    def joins(self) -> list[Join]:
        """With fusion "concat": the first convolution of each level of the decoder."""
        if self.fusion != "concat":
            return []
        convs = [cast(nn.Conv2d, cast(nn.Sequential, block)[0]) for block in self.up]
        return [Join(conv, slice(0, conv.in_channels // 2)) for conv in reversed(convs)]

    def _reach(self) -> Reach:
        maps = vgg_reaches()
        reach = maps[-1].pool()
        for layers in reversed(VGG_LAYERS):
            # Where a maximum was depends on the window of the encoder's map.
            window = maps.pop().pool().unpool()
            reach = reach.unpool().join(window).conv(times=layers)
        return reach


def pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum of each window of 2 × 2, and where in the window it was.

    Parameters
    ----------
    features
        ``(N, C, h, w)``, both sizes even.

    Returns
    -------
    tuple of Tensor
        ``(N, C, h/2, w/2)``, and uint8 of that shape: 0 top left, 1 top right, 2, 3 below. One
        byte a feature is kept for the way back, where torch's own indices take eight.
    """
    pooled, index = functional.max_pool2d(features, 2, return_indices=True)
    width = features.shape[-1]
    place = index // width % 2 * 2 + index % 2
    return pooled, place.to(torch.uint8)


def unpool(features: Tensor, place: Tensor) -> Tensor:
    """Each feature at its place in a window of 2 × 2, zeros beside it; the inverse of `pool`.

    Parameters
    ----------
    features, place
        ``(N, C, h, w)``.

    Returns
    -------
    Tensor
        ``(N, C, 2h, 2w)``. Made of plain products, it runs, and repeats bit by bit, on every
        device, which ``max_unpool2d`` does not.
    """
    corners = torch.stack([features * (place == corner) for corner in range(4)], dim=2)
    return functional.pixel_shuffle(corners.flatten(1, 2), 2)
