"""DeepLabv3+, and its fusion of low-level features.

Chen et al.: "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
ECCV 2018, on ResNet-101 at output stride 16 as used by Guo et al. 2021 (PRCV), whose fusion this
is. With one channel and one class 59.33 million parameters. The published counts with fusion, 63.63
(concat), 62.53 (add) and 63.49 (none), include 1.59 million of layers that were declared but never
run (a double convolution 320 → 256, 1 × 1 convolutions 64 → 48 and 2048 → 128; with "none" also
the stem's 1 × 1): 62.04, 60.93 and 61.89 take part, here and there.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from orgseg_app.learn.networks.blocks import (
    conv_block,
    crop,
    double_block,
    initialise,
    resize,
    scaled,
)
from orgseg_app.learn.networks.network import Join, Network
from orgseg_app.learn.networks.pyramid import SpatialPyramid
from orgseg_app.learn.networks.resnet import RESNET101_OS16, ResNet, ResNetPlan
from orgseg_app.learn.networks.unet import pad_to_multiple


class DeepLab(Network):
    """A dilated ResNet, a spatial pyramid, a decoder that takes fine detail in.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    plan
        The residual network.
    fusion
        ``"origin"``: the first convolution halves the image, and the decoder takes the first
        stage in. Otherwise the first convolution works at full size, and the decoder takes three
        stages and that convolution in: ``"concat"`` or ``"add"``; ``"none"`` concatenates the
        stages only.
    width
        Features of the first convolution; 64 as published.
    dropout
        0.5 as published; a fifth of it before the last convolution.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        plan: ResNetPlan = RESNET101_OS16,
        fusion: str = "origin",
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        full_size = fusion != "origin"
        self.encoder = ResNet(channels, plan, width=width, stem_stride=1 if full_size else 2)
        maps = self.encoder.features
        middle = scaled(256, width)
        self.pyramid = SpatialPyramid(maps[-1], middle, dropout=dropout)
        decoder = _FusingDecoder if full_size else _Decoder
        self.decoder = decoder(maps, middle, fusion=fusion, width=width)
        self.last = nn.Sequential(
            *conv_block(self.decoder.outputs, middle),
            nn.Dropout(dropout),
            *conv_block(middle, middle),
            nn.Dropout(dropout / 5),
        )
        self.head = nn.Conv2d(middle, classes, 1)
        self.multiple = 8 if full_size else 16
        self.radius = None  # the pyramid takes the mean of everything
        initialise(self, self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        padded = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        maps = self.encoder(padded)
        features = self.decoder(self.pyramid(maps[-1]), maps)
        return crop(resize(self.head(self.last(features)), padded), image)

    def joins(self) -> list[Join]:
        """The convolutions of the decoder that see an encoder's map, where it is concatenated."""
        return self.decoder.joins(cast(nn.Conv2d, self.last[0]))


class _Decoder(nn.Module):
    """As published: the first stage, at a quarter of the size, is put beside the pyramid."""

    def __init__(self, maps: list[int], features: int, *, fusion: str, width: int) -> None:
        super().__init__()
        fine = scaled(48, width)
        self.narrow = conv_block(maps[1], fine, kernel=1)
        self.coarse, self.outputs = features, features + fine

    def forward(self, features: Tensor, maps: list[Tensor]) -> Tensor:
        return torch.cat([resize(features, maps[1]), self.narrow(maps[1])], dim=1)

    def joins(self, last: nn.Conv2d) -> list[Join]:
        return [Join(last, slice(0, self.coarse))]


class _FusingDecoder(nn.Module):
    """Guo et al. 2021: step by step up to full size, a map of the encoder taken in at each."""

    def __init__(self, maps: list[int], features: int, *, fusion: str, width: int) -> None:
        super().__init__()
        self.concat, self.stem = fusion != "add", fusion != "none"
        outputs = [features, scaled(128, width), scaled(64, width)]
        inputs = [features, *outputs]
        taken = maps[3::-1] if self.stem else maps[3:0:-1]
        self.narrow = nn.ModuleList(
            conv_block(i, o, kernel=1) for i, o in zip(taken, inputs, strict=False)
        )
        more = 2 if self.concat else 1
        self.blocks = nn.ModuleList(
            double_block(more * i, o) for i, o in zip(inputs, outputs, strict=False)
        )
        self.outputs = outputs[-1] * (more if self.stem else 1)

    def forward(self, features: Tensor, maps: list[Tensor]) -> Tensor:
        for step, narrow in enumerate(self.narrow):
            fine = narrow(maps[3 - step])
            features = resize(features, fine)
            features = torch.cat([features, fine], dim=1) if self.concat else features + fine
            if step < len(self.blocks):
                features = self.blocks[step](features)
        return features

    def joins(self, last: nn.Conv2d) -> list[Join]:
        if not self.concat:
            return []
        convs = [cast(nn.Conv2d, cast(nn.Sequential, block)[0]) for block in self.blocks]
        convs += [last] if self.stem else []
        return [Join(conv, slice(0, conv.in_channels // 2)) for conv in reversed(convs)]
