"""Fully convolutional networks on VGG-16, and their fusion of low-level features.

Long, Shelhamer, Darrell: "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, with
the decoder of five learnt up-samplings used by Guo et al. 2021 (PRCV, low-level feature fusion).
With one channel and one class: 18.64 million parameters; 20.21 with fusion "concat" (FCN_cat).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import BatchNorm, crop, initialise
from orgseg_app.learn.networks.network import Join, Network
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.unet import pad_to_multiple
from orgseg_app.learn.networks.vgg import vgg_levels, vgg_reaches, vgg_widths


class FCN(Network):
    """VGG-16 down to a 32nd of the size, and five deconvolutions back up.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    skips
        How many pooled maps of the encoder reach the decoder, deepest first: 0 is FCN-32s, 1
        FCN-16s, 2 FCN-8s, 4 the low-level fusion.
    fusion
        ``"add"`` or ``"concat"``: how they do.
    width
        Features of the first level; 64 as published.
    """

    def __init__(
        self, channels: int, classes: int, *, skips: int = 0, fusion: str = "add", width: int = 64
    ) -> None:
        super().__init__()
        self.skips, self.concat = skips, fusion == "concat"
        widths = vgg_widths(width)
        self.down = vgg_levels(channels, width, batch_norm=False)
        outputs = [*widths[3::-1], max(1, width // 2)]
        inputs = [
            features * (2 if self.concat and 0 < step <= skips else 1)
            for step, features in enumerate([widths[4], *outputs[:-1]])
        ]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 3, stride=2, padding=1, output_padding=1)
            for i, o in zip(inputs, outputs, strict=True)
        )
        self.norm = nn.ModuleList(BatchNorm(features) for features in outputs)
        self.head = nn.Conv2d(outputs[-1], classes, 1)
        self.multiple = 32
        self.radius = self._reach().radius
        initialise(self, self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        features = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        pooled: list[Tensor] = []
        for level in self.down:
            features = functional.max_pool2d(level(features), 2)
            pooled.append(features)
        pooled.pop()
        for step, (up, norm) in enumerate(zip(self.up, self.norm, strict=True)):
            features = functional.relu(up(features))
            if step >= self.skips:
                features = norm(features)
            elif self.concat:
                features = torch.cat([norm(features), pooled.pop()], dim=1)
            else:
                features = norm(features + pooled.pop())
        return crop(self.head(features), image)

    def joins(self) -> list[Join]:
        """With fusion "concat": the deconvolutions that take an encoder's map in."""
        if not self.concat:
            return []
        ups = [cast(nn.ConvTranspose2d, up) for up in self.up][1 : 1 + self.skips]
        return [Join(up, slice(0, up.in_channels // 2)) for up in reversed(ups)]

    def _reach(self) -> Reach:
        pooled = [reach.pool() for reach in vgg_reaches()]
        reach = pooled.pop()
        for step in range(len(self.up)):
            reach = reach.deconv()
            if step < self.skips:
                reach = reach.join(pooled.pop())
        return reach
